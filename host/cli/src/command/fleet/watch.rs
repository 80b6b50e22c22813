use std::process::ExitCode;

use desk::{About, Client, Outcome, Parcelled, Shown};
use fleet::Device;
use model::Digest;
use model::outcome::exit;
use serde::Serialize;
use trust::statement::Order;

use super::show::{self, Ring};
use crate::context::Context;
use crate::output::{self, Format};
use crate::technician::Desk;

/// Look on while an order is carried out, until it is over
///
/// What is counted is what devices signed: each signature is verified here. What the hub says beyond that is said, and counted by nobody.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  remit fleet watch order_01KB3P3M00E5V8CXJ6ZV8Y4R5T\n  remit fleet watch order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --output json"
)]
pub(crate) struct Args {
    /// Its id, or its digest
    order: String,
}

/// An order, and what is known of it by now.
pub(super) struct Looked {
    pub(super) digest: Digest,
    pub(super) order: Order,
    pub(super) rings: Option<Vec<Vec<Device>>>,
    pub(super) shown: Shown,
    pub(super) outcome: Outcome,
    after: u64,
}

/// What a program is told, a line each time that something changed.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Told<'a> {
    order: Digest,
    id: String,
    state: &'a str,
    rings: Vec<Ring>,
    failures: Vec<desk::Failures>,
    claimed: &'a [desk::Claimed],
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let digest = desk.client.find_order(&args.order).await?;
    look_on(&desk, digest, context).await
}

/// Until nothing more comes of it.
pub(super) async fn look_on(desk: &Desk, digest: Digest, context: &Context) -> anyhow::Result<ExitCode> {
    let mut looked = Looked::at(desk, digest, context).await?;
    let mut last = String::new();
    loop {
        looked.catch_up(desk).await?;
        let told = looked.told();
        let text = match context.output {
            Format::Json => serde_json::to_string(&told)?,
            Format::Table => told_to_people(&told),
        };
        if text != last {
            output::text(&text);
            last = text;
        }
        let Some(rollout) = &looked.shown.rollout else { break };
        if rollout.is_over() {
            break;
        }
        looked.shown = desk.client.watched(digest, rollout.version).await?;
    }
    looked.finish(context)
}

fn told_to_people(told: &Told<'_>) -> String {
    let lines = told.rings.iter().map(|it| {
        let claimed = if it.claimed > 0 {
            format!(", {} that no device was found to have signed", it.claimed)
        } else {
            String::new()
        };
        let waits = if it.waits.is_empty() { String::new() } else { format!(": {}", it.waits) };
        let Ring { ring, state, devices, well, badly, aside, .. } = it;
        format!("ring {ring} {state}, {devices} devices: {well} well, {badly} badly, {aside} not meant{claimed}{waits}")
    });
    [told.state.to_owned()].into_iter().chain(lines).collect::<Vec<_>>().join("\n")
}

impl Looked {
    /// At an order, with nothing counted yet.
    pub(super) async fn at(desk: &Desk, digest: Digest, context: &Context) -> anyhow::Result<Self> {
        let (_, order) = desk.client.order(digest).await?;
        let rings = match Parcelled::kept(&context.state, digest) {
            Some(kept) => Some(kept.rings),
            None => desk.client.rings(&order, digest).await?,
        };
        let shown = desk.client.shown(digest).await?;
        Ok(Self { digest, order, rings, shown, outcome: Outcome::default(), after: 0 })
    }

    /// With all that came by now.
    pub(super) async fn counted(desk: &Desk, named: &str, context: &Context) -> anyhow::Result<Self> {
        let digest = desk.client.find_order(named).await?;
        let mut looked = Self::at(desk, digest, context).await?;
        looked.catch_up(desk).await?;
        Ok(looked)
    }

    async fn catch_up(&mut self, desk: &Desk) -> anyhow::Result<()> {
        let client: &Client = &desk.client;
        let (rows, after) = client.told(self.digest, self.after).await?;
        self.after = after;
        let about = About {
            trust: &desk.trust,
            digest: self.digest,
            order: &self.order,
            rings: self.rings.as_deref(),
            now: client.now(),
        };
        self.outcome.count(&about, &rows);
        Ok(())
    }

    /// What a program is told.
    pub(super) fn told(&self) -> Told<'_> {
        Told {
            order: self.digest,
            id: self.order.id.to_string(),
            state: self.shown.rollout.as_ref().map_or("not handed out", |it| it.state.as_str()),
            rings: show::rings(&self.shown, &self.outcome, self.rings.as_deref()),
            failures: self.outcome.failures(Device::hex),
            claimed: &self.outcome.claimed,
        }
    }

    /// What failed and what was only claimed, at the end; and whether all is well.
    pub(super) fn finish(&self, context: &Context) -> anyhow::Result<ExitCode> {
        if context.output == Format::Table {
            for it in self.outcome.failures(|device| device.hex().chars().take(12).collect()) {
                let more = if it.which.len() > 10 { ", …" } else { "" };
                let which: Vec<&str> = it.which.iter().take(10).map(String::as_str).collect();
                output::say(&format!("{} devices {}: {}{more}", it.devices, it.reason, which.join(", ")));
            }
            for it in &self.outcome.claimed {
                output::say(&format!("not counted: what the hub says of {}: {}", it.device, it.why));
            }
            if !self.outcome.failed().is_empty() {
                output::say(&format!("next: `remit fleet rerun --failed {}`", self.order.id));
            }
        }
        let is_well = self.outcome.failed().is_empty() && self.outcome.claimed.is_empty();
        Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::from(exit::FAILURE) })
    }
}
