//! Looks after a web site on this machine: its service, what it answers, and its logs.

use remit_sdk::files::{self, Selection};
use remit_sdk::http::{self, HttpRequest};
use remit_sdk::notify::{self, Notification};
use remit_sdk::prelude::*;
use remit_sdk::service::{self, ServiceState};
use remit_sdk::ticket::{self, Draft, Kind, Level};
use remit_sdk::{device, files_write, kv, kv_write, secrets, service_control};
use schemars::JsonSchema;
use serde::Deserialize;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Starts within an hour after which a person is asked instead.
const STARTS_MAX: u32 = 3;

/// Looks after a web site on this machine.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SiteGuard {
    /// The site's service.
    service: String,
    /// Where the site says how it is; not asked where it is left out.
    #[serde(default)]
    url: Option<String>,
    /// Days that logs are kept.
    #[serde(default = "month")]
    keep_days: u64,
}

fn month() -> u64 {
    30
}

/// What the site says of itself.
#[derive(Deserialize)]
struct Health {
    status: String,
    queue: u32,
}

impl Detect for SiteGuard {
    fn detect(&self) -> Result<Report> {
        let identity = device::get_identity()?;
        let info = match service::get_service(&self.service) {
            Err(error) if error.kind == ErrorKind::NotFound => {
                return Ok(Report::not_applicable(format!("there is no {} here", self.service)));
            }
            info => info?,
        };
        let mut findings = Vec::new();
        if info.state != ServiceState::Running {
            findings.push(self.down(info.state)?);
        }
        findings.extend(self.ill()?);
        findings.extend(self.old()?);
        run::metric("findings", findings.len() as f64, "1", &[("service", &self.service)]);
        info!(service = self.service; "looked");
        let report = match findings.is_empty() {
            true => Report::compliant(format!("{} is well", self.service)),
            false => Report::non_compliant(format!("{} things are wrong with {}", findings.len(), self.service)),
        };
        report.findings(findings).facts(serde_json::json!({ "hostname": identity.hostname, "tags": identity.tags }))
    }
}

impl Remediate for SiteGuard {
    fn remediate(&self, findings: &[Finding]) -> Result<Remedy> {
        let mut done = Vec::new();
        for finding in findings {
            done.push(match finding.attribute("about") {
                Some("start") => self.start(finding)?,
                Some("give-up") => self.give_up(finding)?,
                _ => self.clean()?,
            });
        }
        Ok(Remedy::new(done.join(", ")))
    }
}

impl SiteGuard {
    fn down(&self, state: ServiceState) -> Result<Finding> {
        let starts = self.starts()?;
        let about = if starts < STARTS_MAX { "start" } else { "give-up" };
        let severity = if starts < STARTS_MAX { Severity::Error } else { Severity::Critical };
        Ok(Finding::new(format!("service:{}", self.service), format!("{} is {state}", self.service))
            .severity(severity)
            .target(&self.service)
            .evidence(format!("{starts} starts in the last hour"))
            .with("about", about)
            .remediable())
    }

    /// What the site says is wrong, or that it does not answer.
    fn ill(&self) -> Result<Option<Finding>> {
        let Some(url) = &self.url else { return Ok(None) };
        let token = secrets::open_bearer("site-token")?;
        let request = HttpRequest { url: url.clone(), timeout_ms: 5_000, ..HttpRequest::default() };
        let finding =
            |what: String| Finding::new(format!("health:{url}"), what).target(url).severity(Severity::Warning);
        let response = match http::get(&request, Some(&token)) {
            Err(error) if matches!(error.kind, ErrorKind::Timeout | ErrorKind::Unavailable) => {
                return Ok(Some(finding("the site does not answer".to_owned()).evidence(error.code.clone())));
            }
            response => response?,
        };
        let health: Health = serde_json::from_slice(&response.body)?;
        let title = format!("the site is {}, with {} waiting", health.status, health.queue);
        Ok((health.status != "ok").then(|| finding(title).evidence(format!("HTTP {}", response.status))))
    }

    fn old(&self) -> Result<Option<Finding>> {
        let old = self.old_logs()?;
        let bytes: u64 = old.iter().map(|(_, bytes)| bytes).sum();
        let finding = Finding::new("old-logs", format!("{} logs are older than {} days", old.len(), self.keep_days))
            .target("logs")
            .severity(Severity::Info)
            .evidence(old.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>().join("\n"))
            .with("about", "clean")
            .with("bytes", bytes)
            .remediable();
        Ok((!old.is_empty()).then_some(finding))
    }

    /// Paths and sizes of the logs that are old enough.
    fn old_logs(&self) -> Result<Vec<(String, u64)>> {
        let selection = Selection {
            max_depth: 4,
            pattern: Some("**/*.log".to_owned()),
            modified_before_ms: Some(run::now() - self.keep_days * DAY_MS),
            limit: 1_000,
            attributes: vec![("kind".into(), "file".into())],
            ..Selection::default()
        };
        let found = files::find_entries("logs", "", &selection)?;
        Ok(found.items.into_iter().map(|entry| (entry.path, entry.size_bytes)).collect())
    }

    fn starts(&self) -> Result<u32> {
        let kept = kv::get_value(&format!("starts/{}", self.service))?;
        Ok(kept.and_then(|kept| kept.value.parse().ok()).unwrap_or_default())
    }

    fn start(&self, finding: &Finding) -> Result<String> {
        let count = self.starts()? + 1;
        kv_write::put_value(&format!("starts/{}", self.service), &count.to_string(), None, 3_600)?;
        match service_control::start_service(&self.service, 10_000) {
            Ok(change) => {
                ticket::resolve_if_mine(&finding.fingerprint, "it was started")?;
                Ok(format!("{}: {}", self.service, change.effect))
            }
            Err(error) => {
                self.raise(finding, &format!("it does not start: {}", error.code))?;
                Ok(format!("{} does not start", self.service))
            }
        }
    }

    fn give_up(&self, finding: &Finding) -> Result<String> {
        self.raise(finding, "it was started again and again")?;
        let told = notify::trigger_event(&Notification {
            dedup_key: finding.fingerprint.clone(),
            audience: "on-call".to_owned(),
            severity: finding.severity,
            summary: finding.title.clone(),
            component: self.service.clone(),
            ..Notification::default()
        })?;
        Ok(format!("left to a person: {}", told.outcome))
    }

    fn raise(&self, finding: &Finding, body: &str) -> Result<()> {
        ticket::raise_ticket(&Draft {
            fingerprint: finding.fingerprint.clone(),
            kind: Kind::Incident,
            title: finding.title.clone(),
            body: body.to_owned(),
            impact: Level::Medium,
            urgency: Level::High,
            severity: finding.severity,
            attributes: vec![("service".to_owned(), self.service.clone())],
        })?;
        Ok(())
    }

    fn clean(&self) -> Result<String> {
        let listed_ms = run::now();
        let paths: Vec<String> = self.old_logs()?.into_iter().map(|(path, _)| path).collect();
        let removed = files_write::remove_entries("logs", &paths, listed_ms)?;
        let bytes: u64 = removed.iter().filter(|it| it.error.is_none()).map(|it| it.quarantined_bytes).sum();
        Ok(format!("{} logs, {bytes} bytes", removed.len()))
    }
}

remit_sdk::plugin!(SiteGuard: Detect + Remediate);
