//! Has the agent started with the machine: its user, its folders, its configuration, and what starts it.
//!
//! What there should be is a list of [`Step`]s, made in one place. To install is to take those that are not taken; to look, to
//! tell them; to uninstall, to take them back in reverse.

mod accounts;
mod step;
mod sysv;
mod units;

use std::path::{Path, PathBuf};

use anyhow::bail;

pub(crate) use self::accounts::ids;
pub(crate) use self::step::Step;
pub(crate) use self::units::NAMES as UNITS;
use super::config::{self, Config, Listen};
use super::upgrade::LINK;

/// Where systemd's processes have their mark while it is the first of them.
const BOOTED: &str = "run/systemd/system";

/// What starts the agent with the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Init {
    /// Units of systemd
    Systemd,
    /// Scripts in /etc/init.d
    Sysv,
}

/// Where it is installed, and as what.
pub(crate) struct Plan {
    /// The root of the system.
    pub(crate) root: PathBuf,
    pub(crate) init: Init,
    /// The program that is started, as the system sees it.
    pub(crate) program: PathBuf,
    /// Where that is copied from, where it is not there already.
    pub(crate) copy_from: Option<PathBuf>,
    pub(crate) config: Config,
    /// Whether it is started now, and not only with the machine.
    pub(crate) is_started: bool,
    /// Whether a package brings program, units and configuration: they are its, and only the rest is made.
    pub(crate) is_packaged: bool,
}

impl Init {
    /// What the system under this root is started by.
    pub(crate) fn of(root: &Path) -> anyhow::Result<Self> {
        if root.join(BOOTED).is_dir() {
            return Ok(Self::Systemd);
        }
        match root.join("etc/init.d").is_dir() {
            true => Ok(Self::Sysv),
            false => bail!("neither systemd nor /etc/init.d starts services here; `--init` says which will"),
        }
    }
}

impl Plan {
    /// All that there should be, in the order in which it is made.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let user = &self.config.user;
        let mut steps = vec![Step::User { name: user.clone() }];
        if let Some(from) = &self.copy_from {
            steps.push(Step::Program { path: self.program.clone(), from: from.clone() });
        }
        let folder = |path: &str, mode| Step::Folder { path: path.into(), mode, is_state: false };
        steps.push(folder("/etc/remit", 0o755));
        // Parameters of an order may be nobody else's business.
        steps.push(Step::Folder { path: self.config.orders.clone(), mode: 0o700, is_state: true });
        steps.push(Step::Folder { path: "/var/lib/remit".into(), mode: 0o700, is_state: true });
        if self.is_packaged {
            steps.push(Step::Link { path: LINK.into(), program: self.program.clone() });
            steps.push(Step::Systemd { units: units::NAMES, is_started: self.is_started });
            return steps;
        }
        let kept = |path: &str, text: String| Step::Kept { path: path.into(), text };
        steps.push(kept(config::FILE, config::sample()));
        let file = |path: String, text: String, mode| Step::File { path: path.into(), text, mode };
        match self.init {
            Init::Systemd => {
                steps.push(Step::Link { path: LINK.into(), program: self.program.clone() });
                for unit in units::all(self) {
                    steps.push(file(format!("/etc/systemd/system/{}", unit.name), unit.text, 0o644));
                }
                steps.push(Step::Systemd { units: units::NAMES, is_started: self.is_started });
            }
            Init::Sysv => {
                for script in sysv::all(self) {
                    steps.push(file(format!("/etc/init.d/{}", script.name), script.text, 0o755));
                }
                steps.push(file("/etc/logrotate.d/remit".to_owned(), sysv::ROTATION.to_owned(), 0o644));
                steps.push(Step::Sysv { scripts: sysv::NAMES, is_started: self.is_started });
            }
        }
        steps
    }

    /// The folder of the socket of metrics, where the network half has to be able to make one.
    fn metrics_folder(&self) -> Option<&Path> {
        match &self.config.metrics {
            Some(Listen::Unix(path)) => path.parent(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
