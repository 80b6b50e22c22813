//! A hub as `remit hub run` builds it, in a process of its own: what it takes is then its own. Mailboxes are filled as it is told.

use std::io::BufRead as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::server::{self, Desk, Limits};
use bus::{Device, Exchange as _, Presence, Replacement, Whom};
use hub::{Hub, Post, api};
use model::{Clock, Digest, SystemClock};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Bells ring so that devices look within this time.
const WITHIN: Duration = Duration::from_secs(1);

/// So many mailboxes are replaced in one transaction.
const AT_ONCE: usize = 500;

/// What it is told, a line each.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// These devices have this mailbox, with these documents, and their bells ring.
    Fill {
        /// In hex.
        devices: Vec<String>,
        /// All of them have the same.
        mailbox: String,
        /// What it names, and what these name.
        documents: Vec<Vec<u8>>,
    },
    /// Who is there?
    Presence {
        /// In hex.
        devices: Vec<String>,
    },
}

/// What it answers, a line each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answered {
    /// It listens there.
    Listens(String),
    /// It is done.
    Filled,
    /// So many are shown as there, as away, and as unknown.
    Presence {
        /// There.
        online: usize,
        /// Away.
        offline: usize,
        /// Nobody listened for long enough.
        unknown: usize,
    },
}

/// Serves until its input ends.
pub fn run(folder: &Path) -> anyhow::Result<()> {
    crate::files::raise();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hub = Arc::new(Hub::open(folder, Arc::clone(&clock))?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(hub, clock))
}

async fn serve(hub: Arc<Hub>, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
    let post = Arc::new(Post::new(Arc::clone(&hub)));
    let (exchange, admission) = (Arc::clone(&post), Arc::clone(&post));
    let desk = Desk::new(exchange, admission, hub.ca().digest(), clock);
    let routes = api::router(Arc::clone(&hub)).merge(server::routes(Arc::new(desk)));
    let listener = TcpListener::bind(hub.config().listen).await.context("the hub cannot listen")?;
    let tls = Arc::new(hub.ca().tls()?);
    answer(&Answered::Listens(listener.local_addr()?.to_string()))?;
    let (lines, mut said) = mpsc::channel::<String>(4);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    let told = async {
        while let Some(line) = said.recv().await {
            answer(&follow(&post, serde_json::from_str(&line)?).await?)?;
        }
        anyhow::Ok(())
    };
    tokio::select! {
        () = server::serve(listener, tls, routes, Limits::default()) => Ok(()),
        done = told => done,
    }
}

#[allow(clippy::print_stdout, reason = "whoever started it reads what it answers")]
fn answer(answered: &Answered) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(answered)?);
    Ok(())
}

async fn follow(post: &Post, said: Said) -> anyhow::Result<Answered> {
    match said {
        Said::Presence { devices } => {
            let all = post.presence(&named(&devices)?).await?;
            let count = |wanted: Presence| all.iter().filter(|it| **it == wanted).count();
            let (online, offline) = (count(Presence::Online), count(Presence::Offline));
            Ok(Answered::Presence { online, offline, unknown: count(Presence::Unknown) })
        }
        Said::Fill { devices, mailbox, documents } => {
            let mut names = Vec::new();
            for document in documents {
                names.push(post.put_document(document.into()).await?);
            }
            let devices = named(&devices)?;
            for devices in devices.chunks(AT_ONCE) {
                let mut with = Vec::new();
                for device in devices {
                    let expected = post.mailbox(device).await?.map(|it| it.revision);
                    let bytes = mailbox.clone().into_bytes().into();
                    with.push(Replacement { device: *device, expected, bytes, names: names.clone() });
                }
                let replaced = post.replace(with).await?;
                anyhow::ensure!(replaced.iter().all(Result::is_ok), "somebody else replaced a mailbox");
                post.ring(Whom::These(devices), WITHIN).await?;
            }
            Ok(Answered::Filled)
        }
    }
}

fn named(devices: &[String]) -> anyhow::Result<Vec<Device>> {
    let one = |text: &String| {
        let digest: Digest = format!("sha256:{text}").parse().map_err(|_| anyhow::anyhow!("{text} is no device"))?;
        Ok(Device::from(*digest.as_bytes()))
    };
    devices.iter().map(one).collect()
}
