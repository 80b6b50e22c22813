//! Starts services that should run. Where that does not help, it gives up with a ticket, and leaves the rest to a person.

use remit_sdk::prelude::*;
use remit_sdk::service::{self, ServiceInfo, ServiceState};
use remit_sdk::ticket::{self, Draft, Kind, Level};
use remit_sdk::types::StartType;
use remit_sdk::{kv, kv_write, service_control};
use schemars::JsonSchema;
use serde::Deserialize;

/// Starts services that should run, and gives up with a ticket where that does not help.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ServiceWatchdog {
    /// The services that should run, by name, without `.service`.
    #[schemars(length(min = 1, max = 100))]
    services: Vec<String>,
    /// Seconds until a service that was started must run.
    #[serde(default = "thirty")]
    #[schemars(range(max = 120))]
    wait_seconds: u32,
    /// Starts in a row, each within the window of the one before, until a person is asked instead.
    #[serde(default = "three")]
    #[schemars(range(min = 1))]
    max_restarts: u32,
    /// Minutes after which a start is forgotten.
    #[serde(default = "sixty")]
    #[schemars(range(min = 1, max = 10080))]
    window_minutes: u32,
}

fn thirty() -> u32 {
    30
}

fn three() -> u32 {
    3
}

fn sixty() -> u32 {
    60
}

/// Says that this finding is no longer for starting, but for a ticket.
const GIVEN_UP: &str = "given-up";
/// The state that it was found in.
const STATE: &str = "state";

impl Detect for ServiceWatchdog {
    fn detect(&self) -> Result<Report> {
        let mut findings = Vec::new();
        for name in &self.services {
            findings.extend(self.look_at(name)?);
        }
        Ok(match findings.is_empty() {
            true => Report::compliant(format!("{} services run", self.services.len())),
            false => Report::non_compliant(""),
        }
        .findings(findings))
    }
}

impl Remediate for ServiceWatchdog {
    fn remediate(&self, findings: &[Finding]) -> Result<Remedy> {
        let (mut started, mut given_up) = (0, 0);
        for finding in findings {
            run::check_cancelled()?;
            let outcome = match finding.attribute(GIVEN_UP) {
                Some(_) => Err("it was started again and again, and did not stay".to_owned()),
                None => self.start(finding).map_err(|error| error.to_string()),
            };
            match outcome {
                Ok(()) => {
                    started += 1;
                    told(ticket::resolve_if_mine(&finding.fingerprint, "the watchdog has started it").map(|_| ()));
                }
                Err(why) => {
                    given_up += 1;
                    told(ticket::raise_ticket(&draft(finding, &why)).map(|_| ()));
                }
            }
        }
        Ok(Remedy::new(format!("{started} started, {given_up} left to a person")))
    }
}

impl ServiceWatchdog {
    fn look_at(&self, name: &str) -> Result<Option<Finding>> {
        let finding = |severity, what: &str| {
            Finding::new(format!("service:{name}"), format!("{name} {what}")).target(name).severity(severity)
        };
        let info = match service::get_service(name) {
            Err(error) if error.kind == ErrorKind::NotFound => {
                return Ok(Some(finding(Severity::Error, "is not installed")));
            }
            info => info.context(name)?,
        };
        let switched_off = matches!(info.start_type, StartType::Disabled | StartType::Masked);
        let what = match info.state {
            ServiceState::Running | ServiceState::StartPending => return Ok(None),
            ServiceState::Stopped if remit_sdk::attribute(&info.attributes, "runs-once") == Some("true") => {
                return Ok(None);
            }
            // Somebody is at it, or the platform does not tell: not ours to start.
            ServiceState::StopPending | ServiceState::Other => {
                return Ok(Some(finding(
                    Severity::Warning,
                    &format!("is neither running nor stopped: {}", info.state),
                )));
            }
            // Whoever switched it off wants it so, whatever the list of services says.
            ServiceState::Stopped | ServiceState::Failed | ServiceState::Paused if switched_off => {
                return Ok(Some(finding(Severity::Info, "is switched off, and should run")));
            }
            ServiceState::Stopped => "is stopped",
            ServiceState::Failed => "has failed",
            ServiceState::Paused => "is paused",
        };
        self.down(&info, finding(Severity::Error, what)).map(Some)
    }

    /// A service that is down and may be started, unless that was done too often.
    fn down(&self, info: &ServiceInfo, finding: Finding) -> Result<Finding> {
        let details = ["sub-state", "result", "exit-code"]
            .into_iter()
            .filter_map(|name| Some(format!("{name}: {}", remit_sdk::attribute(&info.attributes, name)?)))
            .collect::<Vec<_>>();
        let finding = finding.evidence(details.join("\n")).with(STATE, info.state).remediable();
        let restarts = self.restarts(&finding.target)?;
        Ok(match restarts >= self.max_restarts {
            true => finding.severity(Severity::Critical).with(GIVEN_UP, format!("{restarts} starts")),
            false => finding,
        })
    }

    fn start(&self, finding: &Finding) -> Result<()> {
        let name = &finding.target;
        // Counted first: a start that takes the machine down with it must count too.
        let count = self.restarts(name)? + 1;
        kv_write::put_value(&key(name), &count.to_string(), None, self.window_minutes * 60)?;
        let wait_ms = self.wait_seconds * 1_000;
        let change = match finding.attribute(STATE) {
            Some("paused") => service_control::restart_service(name, wait_ms)?,
            _ => service_control::start_service(name, wait_ms)?,
        };
        info!(service = name, effect = change.effect, starts = count; "started");
        Ok(())
    }

    fn restarts(&self, name: &str) -> Result<u32> {
        Ok(kv::get_value(&key(name))?.and_then(|entry| entry.value.parse().ok()).unwrap_or_default())
    }
}

fn key(service: &str) -> String {
    format!("restarts/{service}")
}

fn draft(finding: &Finding, why: &str) -> Draft {
    Draft {
        fingerprint: finding.fingerprint.clone(),
        kind: Kind::Incident,
        title: finding.title.clone(),
        body: format!("{}\n\n{why}\n\n{}", finding.title, finding.evidence),
        impact: Level::Medium,
        urgency: Level::High,
        severity: finding.severity,
        attributes: Vec::new(),
    }
}

/// A ticket that cannot be written does not undo what was done for the service: the record says so.
fn told(outcome: Result<()>) {
    if let Err(error) = outcome {
        warn!(code = error.code; "the ticket: {}", error.message);
    }
}

remit_sdk::plugin!(ServiceWatchdog: Detect + Remediate);

#[cfg(test)]
mod tests;
