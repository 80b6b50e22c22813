//! Whether those whom this machine believes vouch for a plugin.

use std::io::ErrorKind;
use std::path::Path;

use artifact::Plugin;
use model::{Grants, Mode};
use trust::{Decision, Name, Request, Signed, Trust, file};

use crate::context::Context;
use crate::fault::Refused;
use crate::keys;

/// Whose device this is, and what is meant.
#[derive(clap::Args)]
pub(crate) struct Device {
    /// Whose device this is: an approval may be for some clients only
    #[arg(long, value_name = "NAME")]
    client: Option<Name>,

    /// What this device is counted among; repeat for more
    #[arg(long = "tag", value_name = "NAME")]
    tags: Vec<Name>,

    /// A version is meant that is older than one that ran here; its approval must say so too
    #[arg(long)]
    downgrade: bool,
}

/// The statement beside a plugin's file; none where there is none. One that cannot be read is no reason to run without.
pub(crate) fn beside(plugin: &Path) -> anyhow::Result<Option<Signed>> {
    match file::read(&file::statement_of(plugin)) {
        Ok(signed) => Ok(Some(signed)),
        Err(file::Error::Io(_, error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(file::Error::Refused(path, refusal)) => {
            let reason = format!("{}: {refusal} ({})", path.display(), refusal.code());
            Err(Refused::because(vec![reason]).into())
        }
        Err(other) => Err(other.into()),
    }
}

impl Device {
    /// Every check of a plugin and its statement.
    pub(crate) fn decide(
        &self,
        (plugin, statement): (&Plugin, &Signed),
        wishes: &Grants,
        mode: Mode,
        trust: &Trust,
        context: &Context,
    ) -> anyhow::Result<Decision> {
        Ok(trust.decide(&Request {
            plugin: &plugin.statement()?,
            statement,
            client: self.client.as_ref(),
            tags: &self.tags,
            mode,
            wishes,
            is_downgrade_meant: self.downgrade,
            now: keys::now(context),
        }))
    }
}
