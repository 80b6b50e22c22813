use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use contract::Context;
use contract::patch_install::{InstallOutcome, InstallResult, RebootPolicy};
use contract::types::{Change, Effect, Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::errors;
use crate::patch::{RebootRequest, check_reason, decide, denied};

use super::Apt;

/// Where Debian's tools note which packages want a reboot.
const NOTED: &str = "run/reboot-required.pkgs";
/// The same for those that do not say which.
const FLAG: &str = "run/reboot-required";
const NEEDRESTART: &str = "/usr/sbin/needrestart";
const SHUTDOWN: &str = "/usr/sbin/shutdown";
/// The boot is another one when this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";
/// How long needrestart may look at the kernels.
const NEEDRESTART_TIMEOUT: Duration = Duration::from_secs(20);
/// Of util-linux, and essential: it writes to every terminal on which somebody is logged in, whatever init there is.
const WALL: &str = "/usr/bin/wall";
/// How long writing to all terminals may take.
const WALL_TIMEOUT: Duration = Duration::from_secs(20);
/// How long systemd may take to accept a shutdown.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(60);

/// What this host installed in this boot and takes hold with the next.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Installed {
    boot: String,
    products: BTreeSet<String>,
}

impl Apt {
    /// Packages that are installed and wait for a boot, from Debian's files and from what this host installed itself.
    pub(super) fn noted_reboots(&self) -> Result<BTreeSet<String>, Error> {
        let noted = std::fs::read_to_string(self.path(NOTED)).unwrap_or_default();
        let mut products: BTreeSet<String> = noted.lines().map(|line| line.trim().to_owned()).collect();
        products.remove("");
        let installed: Installed = self.remembered("reboot-required")?.unwrap_or_default();
        if installed.boot == boot() {
            products.extend(installed.products);
        }
        Ok(products)
    }

    /// Why a reboot is wanted, by package; also asks needrestart, where it is there, whether a newer kernel is.
    pub(super) async fn reboot_required(&self, cx: &Context) -> Result<Vec<String>, Error> {
        let mut reasons: Vec<String> = self.noted_reboots()?.into_iter().collect();
        if reasons.is_empty() && self.path(FLAG).exists() {
            reasons.push("unnamed".to_owned());
        }
        if self.path(NEEDRESTART.trim_start_matches('/')).exists() {
            let deadline = cx.deadline.min(Instant::now() + NEEDRESTART_TIMEOUT);
            // It is a second opinion: where it fails, the first one stands.
            let output = self.output(NEEDRESTART, &["-b", "-k"], deadline).await;
            let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            reasons.extend(expected_kernel(&output.unwrap_or_default()).filter(|kernel| !reasons.contains(kernel)));
        }
        Ok(reasons)
    }

    /// Keeps in mind which of these take hold with the next boot, and asks for it where the caller wished so.
    pub(super) fn note_reboots(
        &self,
        cx: &Context,
        results: &[InstallResult],
        wish: RebootPolicy,
    ) -> Result<(), Error> {
        let products: BTreeSet<String> = results
            .iter()
            .filter(|result| result.outcome == InstallOutcome::RebootRequired)
            .filter_map(|result| decide::parse(&result.id).ok().map(|(product, _)| product.to_owned()))
            .collect();
        if products.is_empty() {
            return Ok(());
        }
        let known: Installed = self.remembered("reboot-required")?.unwrap_or_default();
        let known = if known.boot == boot() { known.products } else { BTreeSet::new() };
        let names: Vec<&str> = products.iter().map(String::as_str).collect();
        let reason: String = format!("updates are installed: {}", names.join(", ")).chars().take(200).collect();
        let products = known.into_iter().chain(products.iter().cloned()).collect();
        self.remember("reboot-required", &Installed { boot: boot(), products })?;
        let is_wanted = match wish {
            RebootPolicy::Never => false,
            RebootPolicy::IfRequired => true,
            RebootPolicy::IfRequiredWhenIdle => self.is_idle(),
        };
        match is_wanted && self.policy.reboots {
            true => self.ask_for_reboot(cx, &reason),
            false => Ok(()),
        }
    }

    /// Whether nobody is logged in: logind keeps a file for each session.
    fn is_idle(&self) -> bool {
        let is_session = |name: &str| !name.ends_with(".ref");
        match std::fs::read_dir(self.path("run/systemd/sessions")) {
            Ok(entries) => !entries.flatten().any(|entry| is_session(&entry.file_name().to_string_lossy())),
            Err(_) => true,
        }
    }

    fn ask_for_reboot(&self, cx: &Context, reason: &str) -> Result<(), Error> {
        let request =
            RebootRequest { run: cx.run.clone(), reason: reason.to_owned(), at_ms: self.clock.now_ms(), boot: boot() };
        self.remember("reboot-request", &request)
    }

    pub(super) fn reboot_request(&self) -> Result<Option<RebootRequest>, Error> {
        let request: Option<RebootRequest> = self.remembered("reboot-request")?;
        Ok(request.filter(|request| request.boot == boot()))
    }

    /// `request-reboot`.
    pub(super) async fn accept_reboot(&self, cx: &Context, reason: &str) -> Result<Change, Error> {
        check_reason(reason)?;
        if !self.policy.reboots {
            return Err(denied("policy", "policy allows no reboot"));
        }
        let required = self.reboot_required(cx).await?;
        if required.is_empty() {
            return Err(errors::conflict("no-reboot-pending", "no installed update waits for a reboot"));
        }
        self.ask_for_reboot(cx, reason)?;
        Ok(Change::new(Effect::RebootPending, None, Some("requested".to_owned())))
    }

    /// Reboots, if that was accepted.
    pub(super) async fn do_reboot(&self) -> Result<(), Error> {
        let Some(request) = self.reboot_request()? else {
            return Err(errors::conflict("no-reboot-requested", "no run asked for a reboot in this boot"));
        };
        if self.root != Path::new("/") {
            let message = "only the system that this host runs in can be rebooted";
            return Err(Error::new(ErrorKind::Unsupported, "root", message));
        }
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        // What follows `--` is no option, and the reason is shown on every terminal.
        self.run(SHUTDOWN, &["-r", "--", "now", &request.reason], deadline).await.map(|_| ())
    }
}

impl Apt {
    /// Writes to the terminals of everybody who is logged in.
    pub(super) async fn tell_everybody(&self, message: &str) -> Result<(), Error> {
        if self.root != Path::new("/") {
            let message = "only people on the system that this host runs in can be told";
            return Err(Error::new(ErrorKind::Unsupported, "root", message));
        }
        self.run(WALL, &["--", message], Instant::now() + WALL_TIMEOUT).await.map(|_| ())
    }
}

/// Identifies this boot; empty where the platform does not say.
fn boot() -> String {
    std::fs::read_to_string(BOOT).unwrap_or_default().trim().to_owned()
}

/// The kernel that needrestart expects after a boot, where that is not the running one (`KSTA` 2 or 3).
fn expected_kernel(output: &str) -> Option<String> {
    let value = |name: &str| output.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let is_other = matches!(value("NEEDRESTART-KSTA:"), Some("2" | "3"));
    value("NEEDRESTART-KEXP:").filter(|_| is_other).map(|version| format!("linux-image-{version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The batch form of needrestart 3.6.
    #[test]
    fn needrestart_tells_a_newer_kernel() {
        let check = |state: u8| {
            expected_kernel(&format!(
                "NEEDRESTART-VER: 3.6\nNEEDRESTART-KCUR: 6.1.0-9-amd64\nNEEDRESTART-KEXP: 6.1.0-10-amd64\nNEEDRESTART-KSTA: {state}\n"
            ))
        };
        assert_eq!(check(3).as_deref(), Some("linux-image-6.1.0-10-amd64"));
        assert_eq!(check(1), None);
        assert_eq!(expected_kernel(""), None);
    }
}
