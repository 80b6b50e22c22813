//! Tells a person when a volume runs full, with a ticket and an alert, and takes both back when there is room again.

use remit_sdk::device::{self, Volume};
use remit_sdk::notify::{self, Notification};
use remit_sdk::prelude::*;
use remit_sdk::ticket::{self, Draft, Kind, Level};
use remit_sdk::{human, kv, kv_write};
use schemars::JsonSchema;
use serde::Deserialize;

/// Tells a person when a volume runs full, and takes it back when there is room again.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DiskSpace {
    /// A volume with less free space than this, in percent of its size, is a finding.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 99))]
    min_free_percent: u32,
    /// Only these mount points; without it, all volumes that can be written to.
    #[serde(default)]
    mounts: Vec<String>,
    /// Who is told, as host policy names them.
    #[serde(default = "technician")]
    audience: String,
    /// Told again when so much less is free, in percent of the volume's size.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 99))]
    step_percent: u32,
    /// Told again after so many hours.
    #[serde(default = "day")]
    #[schemars(range(min = 1, max = 8760))]
    repeat_hours: u32,
}

fn ten() -> u32 {
    10
}

fn technician() -> String {
    "technician".to_owned()
}

fn five() -> u32 {
    5
}

fn day() -> u32 {
    24
}

/// What a finding is about, and so what `remediate` does with it.
const ABOUT: &str = "about";
/// How much was free when it was found, in percent.
const FREE: &str = "free-percent";
/// Before the mount point in a key.
const TOLD: &str = "told/";

impl Detect for DiskSpace {
    fn detect(&self) -> Result<Report> {
        let mut findings = Vec::new();
        let volumes = self.volumes()?;
        for volume in &volumes {
            let free = free_percent(volume);
            run::metric("volume-free", free, "%", &[("mount", &volume.mount)]);
            if free < f64::from(self.min_free_percent) {
                findings.push(full(volume));
                findings.extend(self.untold(volume)?);
            } else if told(&volume.mount)?.is_some() {
                let title = format!("{} has room again: {free:.0} % free", volume.mount);
                let finding = Finding::new(format!("room:{}", volume.mount), title).severity(Severity::Info);
                findings.push(finding.target(&volume.mount).with(ABOUT, "room").remediable());
            }
        }
        Ok(match findings.is_empty() {
            true => Report::compliant(format!("{} volumes have room", volumes.len())),
            false => Report::non_compliant(""),
        }
        .findings(findings))
    }
}

impl Remediate for DiskSpace {
    fn remediate(&self, findings: &[Finding]) -> Result<Remedy> {
        let (mut raised, mut resolved) = (0, 0);
        for finding in findings {
            run::check_cancelled()?;
            match finding.attribute(ABOUT) {
                Some("room") => {
                    self.take_back(finding)?;
                    resolved += 1;
                }
                _ => {
                    self.tell(finding)?;
                    raised += 1;
                }
            }
        }
        Ok(Remedy::new(format!("{raised} volumes told, {resolved} taken back")))
    }
}

impl DiskSpace {
    fn volumes(&self) -> Result<Vec<Volume>> {
        let mut volumes = device::list_volumes()?;
        volumes.retain(|volume| !volume.read_only && volume.size_bytes > 0);
        volumes.retain(|volume| self.mounts.is_empty() || self.mounts.contains(&volume.mount));
        Ok(volumes)
    }

    /// Where nobody was told, or it has become worse since.
    fn untold(&self, volume: &Volume) -> Result<Option<Finding>> {
        // Whole percents: a write between a dry run and the run that is tied to it must not make another plan.
        let free = free_percent(volume) as u32;
        let title = match told(&volume.mount)? {
            None => format!("nobody was told that {} runs full", volume.mount),
            Some(then) if free + self.step_percent <= then => {
                format!("{} is fuller than when it was told: {then} % free, now {free} %", volume.mount)
            }
            Some(_) => return Ok(None),
        };
        let finding = Finding::new(format!("untold:{}", volume.mount), title).target(&volume.mount);
        Ok(Some(finding.evidence(full(volume).title).with(ABOUT, "untold").with(FREE, free).remediable()))
    }

    fn tell(&self, finding: &Finding) -> Result<()> {
        let mount = &finding.target;
        ticket::raise_ticket(&draft(finding))?;
        notify::trigger_event(&Notification {
            dedup_key: fingerprint(mount),
            audience: self.audience.clone(),
            severity: Severity::Error,
            summary: finding.evidence.clone(),
            component: mount.clone(),
            event_class: "disk full".to_owned(),
            ..Notification::default()
        })?;
        // Last: whatever fails before is tried again by the next run, and both are upserts.
        let free = finding.attribute(FREE).unwrap_or("0");
        kv_write::put_value(&key(mount), free, None, self.repeat_hours * 3_600)?;
        Ok(())
    }

    fn take_back(&self, finding: &Finding) -> Result<()> {
        let mount = &finding.target;
        match ticket::resolve_if_mine(&fingerprint(mount), "There is room again.") {
            Err(error) if error.code == "person-replied" => info!("a person looks after the ticket: it stays open"),
            other => other.map(|_| ())?,
        }
        notify::resolve_event(&self.audience, &fingerprint(mount))?;
        kv_write::remove_value(&key(mount), None)?;
        Ok(())
    }
}

fn free_percent(volume: &Volume) -> f64 {
    volume.free_bytes as f64 / volume.size_bytes as f64 * 100.0
}

fn full(volume: &Volume) -> Finding {
    let free = free_percent(volume);
    let title = format!("{} has {free:.0} % free: {}", volume.mount, human::bytes(volume.free_bytes));
    Finding::new(fingerprint(&volume.mount), title).target(&volume.mount).severity(Severity::Error)
}

/// How much was free when it was told of, in percent.
fn told(mount: &str) -> Result<Option<u32>> {
    Ok(kv::get_value(&key(mount))?.map(|entry| entry.value.parse().unwrap_or_default()))
}

/// One ticket and one alert a volume.
fn fingerprint(mount: &str) -> String {
    format!("volume:{mount}")
}

/// A mount point has slashes, and one star of the scope stands for what has none.
fn key(mount: &str) -> String {
    format!("{TOLD}{}", mount.replace('/', ":"))
}

fn draft(finding: &Finding) -> Draft {
    Draft {
        fingerprint: fingerprint(&finding.target),
        kind: Kind::Incident,
        title: format!("{} runs full", finding.target),
        body: format!("{}.\n\n{}.", finding.evidence, finding.title),
        impact: Level::Medium,
        urgency: Level::High,
        severity: Severity::Error,
        attributes: Vec::new(),
    }
}

remit_sdk::plugin!(DiskSpace: Detect + Remediate);

#[cfg(test)]
mod tests;
