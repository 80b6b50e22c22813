use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bus::dial::{Request, Way};
use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use trust::statement::{self, Enrolment};
use trust::{Signed, Token, Trust};
use url::Url;

use crate::agent::executor;
use crate::agent::identity::Identity;
use crate::agent::joined::{self, Joined};
use crate::agent::protocol::Ask;
use crate::agent::{client, config, network};
use crate::context::Context;
use crate::fault::Refused;
use crate::keys;
use crate::output::{self, Format};

/// The most bytes of an answer: the largest root.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// The longest token that is read, and more.
const TOKEN_BYTES_MAX: u64 = 4_096;

/// Join a hub with a token that its technicians handed over; again, to renew that
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where the hub is: `https://HOST` or `https://HOST:PORT`
    url: Url,

    /// The token; `-` reads it from standard input, where no list of processes shows it
    token: String,

    /// As a new device, with a new key: on a copy of another machine that looks like it, or where somebody may have the key. The
    /// device that this was is retired with `remit device retire`
    #[arg(long)]
    as_new: bool,
}

/// What the hub answers.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Answered {
    state: String,
    root: String,
}

/// What is wrong, as the hub says it.
#[derive(Deserialize)]
struct Problem {
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told<'a> {
    hub: &'a str,
    device: String,
    root: Digest,
    /// `member`; `pending`, where somebody still has to say whose the device is.
    state: String,
    /// Whether an agent listened, and knows it.
    agent: bool,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let token = token(&args.token)?;
    let folder = keys::folder(context)?;
    if let Some(pinned) = folder.pinned()?.filter(|pinned| *pinned != token.root) {
        let reason = format!("this machine pins the root {pinned}, and the token is of {}", token.root);
        let next = "a token of the same MSP; a machine that changes hands is set up anew".to_owned();
        return Err(Refused { next: Some(next), ..Refused::because(vec![reason]) }.into());
    }
    let config = config::read(None)?;
    let proxy = network::proxy(&config)?;
    let way = Way::new(&args.url, &[token.authority], proxy.as_ref())?;
    if args.as_new || is_copy(context)? {
        begin_anew(context).await?;
    }
    let mut signer = joined::make_device_key(context)?;
    let device = signer.key()?;
    let enrolment = Enrolment { tenant: token.root, token: token.key(), device: device.clone() };
    let mut signed = Signed::new(statement::write(keys::now(context), &enrolment)?, Vec::new());
    signed.sign(&mut token.signer())?;
    signed.sign(&mut signer)?;
    let answered = post(&way, &signed).await?;
    let root = Signed::from_text(answered.root.as_bytes()).context("the hub hands over no root")?;
    // It is what the token names, or nothing: the hub has no say in it.
    let trust = Trust::pinned(token.root, &root).map_err(|refusals| keys::refused(&refusals))?;
    folder.pin(&trust, &root)?;
    let machine = Identity::read(context.root(), &device);
    Joined::new(&args.url, token.authority, token.root, machine).keep(context)?;
    let agent = client::ask(context, &Ask::Joined).await.is_ok();
    let told = Told {
        hub: args.url.as_str(),
        device: device.fingerprint(),
        root: token.root,
        state: answered.state.chars().filter(|it| !it.is_control()).take(32).collect(),
        agent,
    };
    match context.output {
        Format::Json => output::json(&told)?,
        Format::Table => {
            output::text(&format!("{} joined {}", told.device, told.hub));
            if told.state == "pending" {
                output::text("a technician still has to say whose it is; until then it gets no orders");
            }
            if !told.agent {
                output::say("no agent listens here: `remit agent install` starts one, which then calls the hub");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whether another machine joined with the key that is here.
fn is_copy(context: &Context) -> anyhow::Result<bool> {
    let (Some(joined), Some(signer)) = (Joined::read(context)?, joined::device_key(context)?) else { return Ok(false) };
    Ok(Identity::read(context.root(), &signer.key()?).is_other(&joined.machine))
}

/// Forgets the device that this was, what it was told and what was sealed to it. Whoever dies in between joins nothing, and does it again.
async fn begin_anew(context: &Context) -> anyhow::Result<()> {
    Joined::forget(context)?;
    // An agent that listens lets go of it first; where none listens there is nobody to.
    let _ = client::ask(context, &Ask::Joined).await;
    let vault = context.vault_of_hub();
    for secret in vault.list()? {
        vault.remove(&secret.name)?;
    }
    let store = context.store()?;
    executor::forget_fleet(&store, context.clock.now_ms())?;
    joined::forget_device_key(context)?;
    output::say(
        "it joins as a new device; `remit device retire` is for the one that this was, unless that goes on elsewhere",
    );
    Ok(())
}

fn token(text: &str) -> anyhow::Result<Token> {
    if text != "-" {
        return Ok(text.parse()?);
    }
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().take(TOKEN_BYTES_MAX).read_to_string(&mut text).context("the token")?;
    Ok(text.parse()?)
}

async fn post(way: &Way, signed: &Signed) -> anyhow::Result<Answered> {
    let text = String::from_utf8(signed.to_text()).context("a statement is text")?;
    let request = Request {
        method: hyper::Method::POST,
        target: "/v1/enrolments",
        body: serde_json::to_vec(&json!({ "signed": text }))?.into(),
        answer_bytes_max: ANSWER_BYTES_MAX,
        patience: Duration::ZERO,
    };
    let reply = way.ask(request, None).await?;
    if !(200..300).contains(&reply.status) {
        let said = serde_json::from_slice::<Problem>(&reply.body);
        let said = said.map_or_else(|_| String::new(), |it| format!(": {} {}", it.title, it.detail));
        let said: String = said.chars().filter(|it| !it.is_control()).take(300).collect();
        let reason = format!("the hub does not let it in ({}){}", reply.status, said.trim_end());
        let next = "a technician makes another token, or tells why".to_owned();
        match reply.status {
            429 | 500.. => bail!("{reason}; try again later"),
            _ => return Err(Refused { next: Some(next), ..Refused::because(vec![reason]) }.into()),
        }
    }
    serde_json::from_slice(&reply.body).context("the hub's answer")
}
