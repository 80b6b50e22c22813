//! Packages that have updates, by the index that the system has.
//!
//! It is worked out when what it follows from has changed: the index, or what is installed. Working it out takes a second of a
//! processor, so it waits until the package manager has come to rest, and happens only so often whatever happens.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use contract::patch::{Classification, ListUpdates, Update, UpdateState};
use contract::types::ErrorKind;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::sink::{Level, data};
use crate::{Asked, Error, Sink, Surroundings};

use super::settle::Settling;

/// What apt knows of packages elsewhere.
const LISTS: &str = "/var/lib/apt/lists";
/// What is installed.
pub(super) const STATUS: &str = "/var/lib/dpkg/status";
/// How long both must be at rest: between two steps of the package manager there is less.
pub(super) const QUIET: Duration = Duration::from_secs(5);
/// The most questions in any [`WINDOW`].
const ASKED_MAX: usize = 8;
const WINDOW: Duration = Duration::from_mins(10);
/// How often it is asked where nothing that is watched changed: a phased update comes by itself, and so does a policy.
const ASK: Duration = Duration::from_hours(12);
/// When to ask again where the answer was an error, such as that the package manager is locked.
const AGAIN: Duration = Duration::from_mins(1);
/// The most products that a notice names.
const NAMED_MAX: usize = 100;

/// What the package manager said.
pub(super) type Answer = Result<Vec<Pending>, contract::types::Error>;

/// An update that could be installed.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    id: String,
    product: String,
    is_security: bool,
}

pub(super) async fn watch(only_security: bool, around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let mut watched = Settling::new(&[LISTS, STATUS].map(Path::new), QUIET)?;
    let (mut level, mut known) = (Level::default(), BTreeSet::new());
    let (mut since, mut asked) = (Instant::now(), VecDeque::new());
    loop {
        asked.push_back(Instant::now());
        let answer = around.shared.updates.since(since, async |_| ask(&around.asked).await).await;
        let again = match &*answer {
            Ok(updates) => {
                let now: Vec<&Pending> = updates.iter().filter(|it| it.is_security || !only_security).collect();
                let ids: BTreeSet<String> = now.iter().map(|it| it.id.clone()).collect();
                // One that cannot be installed must not hide those that come after it.
                if !ids.is_subset(&known) {
                    level.tell(sink, false, around, "", || said(&[])).await;
                }
                level.tell(sink, !now.is_empty(), around, "", || said(&now)).await;
                known = ids;
                ASK
            }
            Err(error) if error.kind == ErrorKind::Unsupported => {
                return Err(Error::Unsupported { what: format!("updates that can be listed: {}", error.message) });
            }
            // What was raised stays until it is known.
            Err(_) => AGAIN,
        };
        since = tokio::time::timeout(again, watched.changed()).await.unwrap_or_else(|_| Ok(Instant::now()))?;
        if asked.len() >= ASKED_MAX
            && let Some(oldest) = asked.pop_front()
        {
            tokio::time::sleep_until(oldest + WINDOW).await;
        }
    }
}

async fn ask(asked: &Asked) -> Answer {
    let updates = asked.patch.list_updates(&Asked::context(&["*"]), &ListUpdates {}).await?;
    Ok(updates.into_iter().filter_map(pending).collect())
}

/// Somebody holds a package for a reason, and what waits for a boot is installed.
fn pending(update: Update) -> Option<Pending> {
    let is_pending = match update.state {
        UpdateState::Held | UpdateState::PendingReboot => false,
        UpdateState::Available
        | UpdateState::Downloaded
        | UpdateState::KeptBack
        | UpdateState::Failed
        | UpdateState::Other => true,
    };
    let is_security = matches!(update.classification, Classification::Security | Classification::Critical);
    is_pending.then_some(Pending { id: update.id, product: update.product, is_security })
}

fn said(updates: &[&Pending]) -> Map<String, Value> {
    let products: Vec<&str> = updates.iter().take(NAMED_MAX).map(|it| it.product.as_str()).collect();
    let security = updates.iter().filter(|it| it.is_security).count();
    data([("count", json!(updates.len())), ("security-count", json!(security)), ("products", json!(products))])
}
