//! Says which volumes are nearly full.

use remit_sdk::device;
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

/// Says which volumes are nearly full.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct NewPlugin {
    /// A volume with less free space than this, in percent of its size, is a finding.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 100))]
    min_free_percent: u32,
}

fn ten() -> u32 {
    10
}

impl Detect for NewPlugin {
    fn detect(&self) -> Result<Report> {
        let volumes = device::list_volumes()?;
        let mut report = Report::compliant(format!("{} volumes looked at", volumes.len()));
        for volume in volumes.iter().filter(|volume| !volume.read_only && volume.size_bytes > 0) {
            let free = volume.free_bytes as f64 / volume.size_bytes as f64 * 100.0;
            run::metric("volume-free", free, "%", &[("mount", &volume.mount)]);
            if free < f64::from(self.min_free_percent) {
                let title = format!("{} has {free:.0} % free", volume.mount);
                report.verdict = Verdict::NonCompliant;
                report = report.finding(Finding::new(format!("volume:{}", volume.mount), title).target(&volume.mount));
            }
        }
        Ok(report)
    }
}

remit_sdk::plugin!(NewPlugin: Detect);

#[cfg(test)]
mod tests {
    use super::*;
    use remit_sdk::device::{ListVolumes, Volume};
    use remit_sdk::testing::Host;
    use serde_json::json;

    fn volume(mount: &str, free_bytes: u64) -> Volume {
        Volume { mount: mount.into(), size_bytes: 1_000, free_bytes, ..Volume::default() }
    }

    #[test]
    fn only_the_full_volume_is_found() {
        let host = Host::new()
            .parameters(json!({ "min-free-percent": 20 }))
            .answer(|_: &ListVolumes| Ok(vec![volume("/", 500), volume("/var", 199)]));
        let report = host.detect::<NewPlugin>().unwrap();
        assert_eq!(report.verdict, Verdict::NonCompliant);
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings[0].title, "/var has 20 % free");
    }
}
