//! `patch`, `patch-control`, `patch-install`: the updates of a device, through its own package manager. Linux has apt; the
//! twin in memory is made from a fixture.
//!
//! An install is not a child of this process: it goes on when its caller dies, and whoever asks next takes its result over
//! (`jobs`). What a dry run needs beyond the readers is [`Simulator`]; what the host does outside of any run is [`Machine`].

mod decide;
#[cfg(target_os = "linux")]
mod linux;
mod memory;
#[cfg(not(target_os = "linux"))]
mod other;
mod overlay;
mod policy;

#[cfg(target_os = "linux")]
pub use linux::Apt;
pub use memory::{Fixture, Memory};
pub use overlay::Overlay;
pub use policy::{Age, Globs, Policy, Rule};

use std::collections::BTreeMap;
use std::sync::Arc;

use contract::Context;
use contract::patch::{PolicyView, RebootBehavior, Update};
use contract::patch_install::{InstallOptions, InstallResult, InstallUpdates};
use contract::types::{Error, ErrorKind};
use model::{Clock, Scope};
use serde::{Deserialize, Serialize};

use crate::{Shared, Undoer, errors};

/// The one source of this backend.
const SOURCE: &str = "apt";
/// The most updates, and the most entries of history, in one answer.
const LISTED_MAX: usize = 5_000;
/// The most updates of one install: what a person can still review.
const IDS_MAX: usize = 500;
/// How long fetching may take where nobody says.
const FETCH_SECONDS_DEFAULT: u32 = 60 * 60;
/// The longest that fetching may take: a maintenance window is no longer.
const FETCH_SECONDS_MAX: u32 = 6 * 60 * 60;
/// The most bytes of a reboot's reason: it is shown on terminals.
const REASON_BYTES_MAX: usize = 255;
/// When to try again where the package manager is locked: most of its work is done in half a minute.
const RETRY_AFTER_LOCKED_MS: u32 = 30_000;

/// What stands behind the three interfaces, and what the host itself needs of it.
#[derive(Clone)]
pub struct Parts {
    /// Behind `patch`.
    pub reader: Arc<dyn contract::patch::Backend>,
    /// Behind `patch-control`.
    pub control: Arc<dyn contract::patch_control::Backend>,
    /// Behind `patch-install`.
    pub install: Arc<dyn contract::patch_install::Backend>,
    /// Takes holds and releases back.
    pub undoer: Arc<dyn Undoer>,
    /// For the host.
    pub machine: Arc<dyn Machine>,
}

impl Parts {
    fn of<B>(all: Arc<B>) -> Self
    where
        B: contract::patch::Backend
            + contract::patch_control::Backend
            + contract::patch_install::Backend
            + Undoer
            + Machine
            + 'static,
    {
        Self { reader: all.clone(), control: all.clone(), install: all.clone(), undoer: all.clone(), machine: all }
    }
}

/// The package manager of this machine, or of the system under `shared.root`.
pub fn real(shared: &Shared) -> Parts {
    #[cfg(target_os = "linux")]
    return Parts::of(Arc::new(Apt::new(shared)));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = shared;
        Parts {
            reader: Arc::new(contract::patch::Unsupported),
            control: Arc::new(contract::patch_control::Unsupported),
            install: Arc::new(contract::patch_install::Unsupported),
            undoer: Arc::new(other::Nothing),
            machine: Arc::new(other::Nothing),
        }
    }
}

/// A package manager as a fixture describes it.
pub fn memory(fixture: Fixture, clock: Arc<dyn Clock>) -> Parts {
    Parts::of(Arc::new(Memory::new(fixture, clock)))
}

/// What a dry run planned before it asks what an install would do.
#[derive(Clone, Debug, Default)]
pub struct Assumed {
    /// Products that would by then be held (true) or free.
    pub holds: BTreeMap<String, bool>,
    /// Whether the package manager would by then be repaired.
    pub repaired: bool,
}

/// How `also-changed` ends where it is cut.
const MORE: &str = ", …";

/// Says what an install would do, and does nothing.
#[async_trait::async_trait]
pub trait Simulator: Send + Sync {
    /// The results that the install is expected to have, with the effects that it would have.
    async fn simulate(
        &self,
        cx: &Context,
        call: &InstallUpdates,
        assumed: &Assumed,
    ) -> Result<Vec<InstallResult>, Error>;

    /// Whether an installed product is held, and whether policy wants it so.
    async fn hold_state(&self, product: &str) -> Result<HoldState, Error>;
}

/// What is known of a product's hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldState {
    /// Whether it is held.
    pub is_held: bool,
    /// Whether no plugin may release it.
    pub is_policys: bool,
}

/// What the host does to a device outside of any call: after a run that asked for a reboot, and when it starts again.
#[async_trait::async_trait]
pub trait Machine: Simulator {
    /// Waits for every install that nobody has taken the result of, and takes it. What is still running when the time of `cx`
    /// is up has no results, and is left for the next time.
    async fn adopt(&self, cx: &Context) -> Result<Vec<Adopted>, Error>;

    /// The reboot that was accepted, if this boot still is the one that it was asked in.
    async fn pending_reboot(&self) -> Result<Option<RebootRequest>, Error>;

    /// Reboots the machine as accepted; `conflict` where nothing was. The host calls this when the run is suspended.
    async fn reboot(&self) -> Result<(), Error>;

    /// Tells everybody who is logged in.
    async fn warn(&self, message: &str) -> Result<(), Error>;
}

/// An install that outlived its caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Adopted {
    /// The run that began it.
    pub run: String,
    /// What became of each update; none while it is running.
    pub results: Option<Vec<InstallResult>>,
    /// What the package manager last said of its progress, in per cent.
    pub progress: Option<f64>,
}

/// A reboot that was asked for and accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RebootRequest {
    /// The run that asked.
    pub run: String,
    /// Shown to people at the machine.
    pub reason: String,
    /// When.
    pub at_ms: u64,
    /// The boot that it was asked in: by another one it has happened.
    pub boot: String,
}

/// What hides behind `hold`, as `before` and `after` have it.
fn hold_word(is_held: bool) -> Option<String> {
    Some(if is_held { "held" } else { "free" }.to_owned())
}

/// What hides behind `repair`.
fn repair_word(broken: &[String]) -> Option<String> {
    Some(if broken.is_empty() { "ok" } else { "broken" }.to_owned())
}

fn id(product: &str, version: &str) -> String {
    format!("{SOURCE}:{product}@{version}")
}

fn check_source(source: &str) -> Result<(), Error> {
    match source == SOURCE {
        true => Ok(()),
        false => Err(errors::not_found(format!("this device has no update source `{source}`, only `{SOURCE}`"))),
    }
}

/// Debian's names, with an architecture where it is foreign. Nothing else reaches an argument of a program.
fn check_product(product: &str) -> Result<(), Error> {
    let (name, arch) = product.split_once(':').unwrap_or((product, "all"));
    let is_in = |text: &str, more: &str| {
        text.starts_with(|it: char| it.is_ascii_lowercase() || it.is_ascii_digit())
            && text.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || more.contains(it))
    };
    match product.len() <= 255 && is_in(name, "+-.") && is_in(arch, "-") {
        true => Ok(()),
        false => Err(errors::invalid("product", format!("`{product}` is not the name of a package"))),
    }
}

fn check_reason(reason: &str) -> Result<(), Error> {
    match reason.len() {
        1..=REASON_BYTES_MAX if !reason.chars().any(char::is_control) => Ok(()),
        _ => Err(errors::invalid("reason", format!("a reason is one line of 1 to {REASON_BYTES_MAX} bytes"))),
    }
}

/// Whether the scope that was granted has this source.
fn is_in_scope(cx: &Context) -> Result<bool, Error> {
    let scope = Scope::new(contract::PATCH.scope, cx.scope.clone());
    Ok(scope.map_err(|error| errors::invalid("scope", error.to_string()))?.allows(SOURCE))
}

fn locked(holder: &str) -> Error {
    let message = format!("the package manager is locked by {holder}");
    let error = Error::new(ErrorKind::Busy, "dpkg-locked", message).with("locked-by", holder);
    Error { retry_after_ms: Some(RETRY_AFTER_LOCKED_MS), ..error }
}

fn broken(packages: &[String]) -> Error {
    let list = packages.join(", ");
    errors::conflict("dpkg-broken", format!("the package manager was interrupted, `repair` finishes its work: {list}"))
        .with("broken", list)
}

fn denied(code: &str, message: &str) -> Error {
    Error::new(ErrorKind::Denied, code, message)
}

/// Until there are maintenance windows, whoever runs a plugin is at the machine, and that is the window.
fn policy_view(policy: &Policy) -> PolicyView {
    PolicyView {
        window_open: true,
        window_changes_ms: None,
        reboot_allowed: policy.reboots,
        attributes: vec![("repairs-allowed".to_owned(), if policy.repairs { "yes" } else { "no" }.to_owned())],
    }
}

/// Whether a package's update takes hold with the next boot only. A kernel always does; the libraries and daemons that
/// cannot be restarted under a running system may.
fn reboot_behavior(product: &str) -> RebootBehavior {
    let name = product.split(':').next().unwrap_or(product);
    let is_always = name.starts_with("linux-image") || name.ends_with("-microcode");
    match name {
        _ if is_always => RebootBehavior::Always,
        "libc6" | "systemd" | "udev" | "dbus" | "dbus-daemon" | "dbus-broker" | "init" => RebootBehavior::CanRequest,
        _ if name.starts_with("firmware-") => RebootBehavior::CanRequest,
        _ => RebootBehavior::Never,
    }
}

/// What an install was asked for, checked.
#[derive(Clone, Copy, Debug)]
struct Options {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only apt fetches"))]
    fetch_seconds: u32,
    is_download_only: bool,
    replaces_conffiles: bool,
}

fn options(options: &InstallOptions) -> Result<Options, Error> {
    let fetch_seconds = match options.timeout_seconds {
        0 => FETCH_SECONDS_DEFAULT,
        seconds @ 1..=FETCH_SECONDS_MAX => seconds,
        more => return Err(errors::invalid("timeout", format!("{more} s is more than {FETCH_SECONDS_MAX} s"))),
    };
    let mut checked = Options { fetch_seconds, is_download_only: false, replaces_conffiles: false };
    for (name, value) in &options.attributes {
        match (name.as_str(), value.as_str()) {
            ("download-only", "yes") => checked.is_download_only = true,
            ("download-only", "no") | ("conffiles", "keep") | ("restore-point", "no") => {}
            ("conffiles", "replace") => checked.replaces_conffiles = true,
            ("restore-point", "yes") => {
                let message = "this platform makes no restore points";
                return Err(Error::new(ErrorKind::Unsupported, "restore-point", message));
            }
            ("download-only" | "conffiles" | "restore-point", _) => {
                return Err(errors::invalid("attribute", format!("`{value}` is no value of `{name}`")));
            }
            _ => return Err(errors::invalid("unknown-attribute", format!("`{name}` is no option of an install"))),
        }
    }
    Ok(checked)
}

fn check_ids(ids: &[String]) -> Result<(), Error> {
    let distinct: std::collections::BTreeSet<&String> = ids.iter().collect();
    if ids.is_empty() || ids.len() > IDS_MAX || distinct.len() < ids.len() {
        return Err(errors::invalid("ids", format!("an install takes 1 to {IDS_MAX} ids, each once")));
    }
    ids.iter().try_for_each(|id| decide::parse(id).map(|_| ()))
}

fn by_id(mut updates: Vec<Update>) -> Vec<Update> {
    updates.sort_by(|a, b| a.id.cmp(&b.id));
    updates.truncate(LISTED_MAX);
    updates
}

#[cfg(test)]
mod conformance;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod real_root;
