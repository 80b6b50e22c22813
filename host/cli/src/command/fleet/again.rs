use std::process::ExitCode;

use anyhow::{Context as _, bail};
use desk::{Again, Parcelled, Wanted};

use super::run::{End, How, Ordered, ordered};
use super::watch::Looked;
use crate::context::Context;
use crate::technician::{self, Desk};
use crate::vouched::Statements;

/// Run an order once more, on exactly the devices for which it went badly: a new order
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit fleet rerun --failed order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --watch")]
pub(crate) struct Rerun {
    /// Its id, or its digest
    order: String,

    /// Those that failed or refused: there is nothing else to run again
    #[arg(long, required = true)]
    failed: bool,

    #[command(flatten)]
    how: Once,
}

/// Take back what an order did, on the devices that ran it: a new order
///
/// Each of them takes back what its own run of that order changed, as `remit undo` does there.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  remit fleet undo order_01KB3P3M00E5V8CXJ6ZV8Y4R5T --rings 1,100% --watch")]
pub(crate) struct Undo {
    /// Its id, or its digest
    order: String,

    #[command(flatten)]
    how: Once,
}

/// How an order about an order goes.
#[derive(clap::Args)]
struct Once {
    #[command(flatten)]
    how: How,

    /// Until it begins on no further device
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = technician::seconds)]
    deadline: u32,

    #[command(flatten)]
    end: End,
}

pub(crate) async fn rerun(args: &Rerun, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let looked = Looked::counted(&desk, &args.order, context).await?;
    let failed = looked.outcome.failed();
    if failed.is_empty() {
        bail!("no device signed that it went badly: there is nothing to run again");
    }
    let wanted = args.how.again().rerun(&looked.order, failed);
    args.how.run(desk, looked, wanted, context).await
}

pub(crate) async fn undo(args: &Undo, context: &Context) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(context).await?;
    let looked = Looked::counted(&desk, &args.order, context).await?;
    if looked.order.upgrade.is_some() {
        bail!("it replaced the agent: `remit fleet upgrade` with an older release and `--downgrade` takes that back");
    }
    if looked.order.mode != model::Mode::Enforce {
        bail!("it was of the mode `{}`, and changed nothing", looked.order.mode.word());
    }
    let done = looked.outcome.done();
    if done.is_empty() {
        bail!("no device signed that it ran it: there is nothing to take back");
    }
    let wanted = args.how.again().undo(&looked.order, looked.digest, done);
    args.how.run(desk, looked, wanted, context).await
}

impl Once {
    fn again(&self) -> Again {
        Again {
            rings: self.how.rings.clone(),
            gate: self.how.rings.is_some().then(|| self.how.gate()),
            deadline_seconds: i64::from(self.deadline),
            comment: self.end.comment.clone(),
        }
    }

    async fn run(&self, desk: Desk, looked: Looked, wanted: Wanted, context: &Context) -> anyhow::Result<ExitCode> {
        let ordered = of_order(&desk, &looked, context).await?;
        self.end.order(desk, &wanted, ordered, context).await
    }
}

/// The plugin of an order, as it was handed over from here, or as the hub has it in parts: its bytes are those that were ordered, or nothing is.
async fn of_order(desk: &Desk, looked: &Looked, context: &Context) -> anyhow::Result<Ordered> {
    let wanted = &looked.order.plugin;
    let found = match Parcelled::kept(&context.state, looked.digest) {
        Some(kept) => Ok((kept.plugin, kept.attachments)),
        None => desk.client.plugin_of(looked.digest).await,
    };
    let (bytes, signed) =
        found.with_context(|| format!("{} {} is neither kept here nor at the hub", wanted.name, wanted.version))?;
    if model::Digest::of(&bytes) != wanted.digest {
        bail!("what the hub has is not {} {}", wanted.name, wanted.version);
    }
    if let Some(upgrade) = looked.order.upgrade {
        return super::upgrade::of_order(upgrade, bytes, &signed, desk, context);
    }
    let plugin = artifact::verify_local(bytes, None)?;
    let attachments: Vec<distribution::Attachment> = signed.iter().map(crate::vouched::attachment).collect();
    let statements = Statements::of(&attachments);
    let given = serde_json::from_str(&looked.order.parameters).context("its parameters")?;
    let wishes = plugin.manifest().wishes(&plugin.parameters(given)?)?;
    ordered(&plugin, &statements, wishes, desk, context)
}
