//! One run, from what is asked to its end; whoever asks: a person at this terminal, or the agent for a person or an order.

mod asked;
mod device;
mod grant;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::bail;
use contract::Class;
use contract::run::{Mode, Trigger};
use model::capability::Capability;
use model::{Digest, Ended, Grants, Outcome, RunId};
use runtime::{Observer, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::declared::Declared;
use crate::fault::Refused;
use crate::machine::Machine;
use crate::meant::Found;
use crate::suspended;
use crate::vouched::Device;

pub(crate) use asked::limits;
#[cfg(target_os = "linux")]
pub(crate) use device::{Against, Asked, refusal};
pub(crate) use device::{budgets_left, check_resumed};

/// What is asked of a plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Job {
    pub(crate) run: RunId,
    pub(crate) mode: Mode,
    pub(crate) trigger: Trigger,
    /// Parameters, as they were given.
    pub(crate) given: Map<String, Value>,
    /// Capabilities that a person grants for this run.
    pub(crate) allow: Vec<Capability>,
    /// What an order lets it use of what was approved; all of that, where nothing is listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) only: Vec<Capability>,
    /// What named roots stand for, beside those of host policy.
    pub(crate) roots: BTreeMap<String, PathBuf>,
    /// Limits by name, in the place of the manifest's.
    pub(crate) limits: Vec<(String, String)>,
    /// The dry run whose plan it is tied to.
    pub(crate) plan: Option<RunId>,
    /// The same by the digest of its plan, as an order has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) plan_digest: Option<Digest>,
    /// What a run may risk at most, where an order says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) class_max: Option<Class>,
    /// Whether the record keeps all that a replay needs.
    pub(crate) recording: bool,
    pub(crate) device: Device,
    /// Where the record is written, if the run is suspended and goes on without whoever asked.
    pub(crate) record: Option<PathBuf>,
}

impl Job {
    /// Runs what was found, on a machine that is this process's for so long. What is refused has a record too.
    pub(crate) async fn perform(
        &self,
        found: Found,
        machine: &Machine,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
        context: &Context,
    ) -> anyhow::Result<Ended> {
        let Found { plugin, statements, path, origin } = found;
        let request = Request { cancel, ..self.request(&plugin, machine)? };
        let (plugin, granted) = match statements.is_empty() && !origin.is_installed() {
            true => (plugin, None),
            false => grant::by_approval(self, (plugin, &statements), origin, &request, machine, context)?,
        };
        if let Some(most) = self.class_max
            && let Some(grants) = &granted
        {
            device::check_class(&plugin, grants, (self.mode, most), machine)
                .map_err(|refused| grant::record_refusal(refused, &plugin, &request, machine, context))?;
        }
        let declared = Declared::of(&plugin, &path);
        let ended = execute(&self.allow, &declared, granted, &request, machine, observer, context).await?;
        if ended.outcome == Outcome::Suspended {
            suspended::leave(context, self.run, (&plugin, &statements, &self.device), self.record.as_deref())?;
        }
        Ok(ended)
    }
}

/// Grants by hand what no approval granted, compiles and runs. What is refused on the way has a record too.
pub(crate) async fn execute(
    allow: &[Capability],
    declared: &Declared<'_>,
    granted: Option<Grants>,
    request: &Request,
    machine: &Machine,
    observer: Arc<dyn Observer>,
    context: &Context,
) -> anyhow::Result<Ended> {
    let plugin = declared.plugin;
    let refused = |refused: Refused| grant::record_refusal(refused, plugin, request, machine, context);
    let grants = match granted {
        Some(grants) => grants,
        None => grant::by_hand(allow, declared, &machine.policy, request).map_err(refused)?,
    };
    device::check(plugin, &grants, request, machine, context)?.map_err(refused)?;
    let prepared = tokio::select! {
        biased;
        () = request.cancel.cancelled() => bail!("it was stopped before anything ran"),
        prepared = context.prepare(plugin, &grants) => prepared,
    };
    let recorded = |error: anyhow::Error| match error.downcast() {
        Ok(runtime::Error::Refused(reasons)) => {
            refused(Refused::because(reasons.iter().map(ToString::to_string).collect()))
        }
        Ok(other) => other.into(),
        Err(other) => other,
    };
    let prepared = prepared.map_err(recorded)?;
    // Somebody else may have used up meanwhile what there was room for.
    machine.execute(&prepared, request.clone(), observer, context).await.map_err(recorded)
}
