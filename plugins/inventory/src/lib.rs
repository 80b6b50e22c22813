//! Notes what a machine is. It finds nothing wrong: what it has to say are facts.

use std::collections::BTreeMap;

use remit_sdk::device::{self, HardwareInfo, Identity, NetworkInterface, OsInfo, Volume};
use remit_sdk::prelude::*;
use remit_sdk::software;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Facts have at most 256 KiB; this much is for the programs.
const PROGRAMS_BYTES_MAX: usize = 192 << 10;

/// Notes what a machine is: system, hardware, volumes, network, software.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Inventory {
    /// Whether programs are listed.
    #[serde(default = "yes")]
    software: bool,
    /// Which programs, as a glob over their names.
    #[serde(default = "all")]
    software_names: String,
}

fn yes() -> bool {
    true
}

fn all() -> String {
    "*".to_owned()
}

/// What is kept of a machine. What this platform cannot say is left out, and named in `missing`.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Facts {
    identity: Option<Identity>,
    os: Option<OsInfo>,
    hardware: Option<HardwareInfo>,
    volumes: Option<Vec<Volume>>,
    network: Option<Vec<NetworkInterface>>,
    /// Versions by id, such as `apt:openssl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    software: Option<BTreeMap<String, String>>,
    /// Programs that found no place.
    #[serde(skip_serializing_if = "is_zero")]
    software_left_out: usize,
    missing: Vec<String>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Detect for Inventory {
    fn detect(&self) -> Result<Report> {
        let mut facts = Facts::default();
        facts.identity = facts.have("identity", device::get_identity())?;
        facts.os = facts.have("os", device::get_os())?;
        facts.hardware = facts.have("hardware", device::get_hardware())?;
        facts.volumes = facts.have("volumes", device::list_volumes())?;
        facts.network = facts.have("network", device::list_network_interfaces())?;
        if self.software {
            facts.list_software(&self.software_names)?;
        }
        let programs = facts.software.as_ref().map_or(0, BTreeMap::len) + facts.software_left_out;
        run::metric("programs", programs as f64, "1", &[]);
        Report::compliant(facts.summary(programs)).facts(&facts)
    }
}

impl Facts {
    /// A part of the facts; one that this platform lacks is named, and everything else is an error.
    fn have<T>(&mut self, part: &str, answer: Result<T>) -> Result<Option<T>> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.kind == ErrorKind::Unsupported => {
                self.missing.push(part.to_owned());
                Ok(None)
            }
            Err(error) => Err(error.context(part)),
        }
    }

    fn list_software(&mut self, names: &str) -> Result<()> {
        let Some(found) = self.have("software", software::find_programs(names))? else { return Ok(()) };
        if found.truncated {
            warn!("there are more programs than one answer holds");
        }
        let mut kept = BTreeMap::new();
        let mut bytes = 0;
        for program in found.items {
            // As JSON: two texts in quotes, a colon and a comma.
            bytes += program.id.len() + program.version.len() + 6;
            match bytes <= PROGRAMS_BYTES_MAX {
                true => drop(kept.insert(program.id, program.version)),
                false => self.software_left_out += 1,
            }
        }
        self.software = Some(kept);
        Ok(())
    }

    fn summary(&self, programs: usize) -> String {
        let host = self.identity.as_ref().map_or("a machine", |it| it.hostname.as_str());
        let os = self.os.as_ref().map_or_else(String::new, |os| format!(", {} {}", os.name, os.version));
        let volumes = self.volumes.as_ref().map_or(0, Vec::len);
        format!("{host}{os}, {volumes} volumes, {programs} programs")
    }
}

remit_sdk::plugin!(Inventory: Detect);

#[cfg(test)]
mod tests;
