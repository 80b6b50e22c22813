//! What this device says of itself, out of its own backends.

use std::time::{Duration, Instant};

use ::fleet::{Agent, Facts, Hardware, Interface, Inventory, Memory, Os, Reboot, Volume};
use backends::attributes::find;
use contract::device::{GetHardware, GetIdentity, GetLoad, GetOs, GetRebootState, ListNetworkInterfaces, ListVolumes};

use super::super::{Executor, Happened};
use crate::machine::Machine;

/// How long the device may be asked.
const TIME_MAX: Duration = Duration::from_secs(30);

/// How often it is looked whether something is other than it was.
const LOOK_EVERY_MS: u64 = 3_600_000;

/// How often all of it is told, whatever the hub has by then; and with each start.
const WHOLE_EVERY_MS: u64 = 86_400_000;

/// When facts were looked at, and told.
#[derive(Clone, Debug, Default)]
pub(in crate::agent::executor) struct Asked {
    looked_ms: u64,
    whole_ms: u64,
    is_under_way: bool,
}

/// What it says now. What it cannot say is left out.
pub(in crate::agent::executor) async fn facts(machine: &Machine) -> Facts {
    let device = &machine.device.backends.device;
    let cx = contract::Context::new("", "agent", "", Vec::new(), Instant::now() + TIME_MAX);
    let os = device.get_os(&cx, &GetOs {}).await.ok();
    let hardware = device.get_hardware(&cx, &GetHardware {}).await.ok();
    let load = device.get_load(&cx, &GetLoad {}).await.ok();
    let volumes = device.list_volumes(&cx, &ListVolumes {}).await.ok();
    let interfaces = device.list_network_interfaces(&cx, &ListNetworkInterfaces {}).await.ok();
    let reboot = device.get_reboot_state(&cx, &GetRebootState {}).await.ok();
    let identity = device.get_identity(&cx, &GetIdentity {}).await.ok();
    let swap = load.as_ref().and_then(|it| find(&it.attributes, "swap-total-bytes")?.parse().ok());
    let facts = Facts {
        hostname: identity.map(|it| it.hostname),
        memory: hardware.as_ref().map(|it| Memory { total_bytes: it.memory_bytes, swap_bytes: swap.unwrap_or(0) }),
        os: os.map(|it| Os {
            family: family(&it),
            name: it.name,
            version: it.version,
            arch: it.arch,
            kernel: Some(it.kernel).filter(|kernel| !kernel.is_empty()),
        }),
        agent: Some(Agent { version: crate::stamp::version().to_owned() }),
        hardware: hardware.map(|it| Hardware {
            vendor: it.vendor,
            model: it.model,
            cpu_brand: it.cpu_brand,
            cpu_logical_cores: it.logical_cores,
            is_virtual: it.is_virtual,
        }),
        volumes: volumes.map(|all| {
            let volume = |it: contract::device::Volume| {
                Volume::new(it.mount, it.filesystem, it.size_bytes, it.free_bytes, it.read_only)
            };
            all.into_iter().map(volume).collect()
        }),
        interfaces: interfaces.map(|all| {
            let interface = |it: contract::device::NetworkInterface| Interface {
                name: it.name,
                mac: it.mac,
                addresses: it.addresses,
                up: it.up,
            };
            all.into_iter().map(interface).collect()
        }),
        packages: None,
        reboot: reboot.map(|it| Reboot { pending: it.pending, reasons: it.reasons }),
        people: None,
    };
    facts.bounded()
}

/// osquery's `platform`: of a system that is like a larger one, that.
fn family(os: &contract::device::OsInfo) -> String {
    use contract::device::Platform;
    match os.platform {
        Platform::Windows => return "windows".to_owned(),
        Platform::Macos => return "darwin".to_owned(),
        Platform::Linux | Platform::Other => {}
    }
    let word = |name| find(&os.attributes, name).map(str::to_owned);
    let id = word("id").unwrap_or_default();
    let like = word("id-like").unwrap_or_default();
    let known = ["debian", "ubuntu", "rhel", "fedora", "suse", "arch", "alpine"];
    let found = [id.as_str()].into_iter().chain(like.split(' ')).find(|it| known.contains(it));
    found.map_or(id.clone(), str::to_owned)
}

impl Executor {
    /// Asks the device again where it is time, or something of ours changed it.
    pub(in crate::agent::executor) fn look_at_facts(&mut self, is_due: bool) {
        let now_ms = self.context.clock.now_ms();
        let asked = &mut self.facts_asked;
        if self.fleet.is_none() || asked.is_under_way || (!is_due && now_ms < asked.looked_ms + LOOK_EVERY_MS) {
            return;
        }
        (asked.looked_ms, asked.is_under_way) = (now_ms, true);
        let (machine, happened) = (self.machine.clone(), self.happened.clone());
        tokio::spawn(async move {
            let found = facts(&machine).await;
            let _ = happened.send(Happened::Facts(Box::new(found))).await;
        });
    }

    /// What changed is told; once a day all of it.
    pub(in crate::agent::executor) fn facts_found(&mut self, mut facts: Facts) {
        self.facts_asked.is_under_way = false;
        facts.packages = self.tables.packages();
        let Some(fleet) = &mut self.fleet else { return };
        let is_other = fleet.facts != facts;
        fleet.facts = facts;
        self.tell_facts();
        if is_other {
            self.look_at_fleet();
        }
    }

    /// Tells the hub what it does not know yet.
    pub(in crate::agent::executor) fn tell_facts(&mut self) {
        let now_ms = self.context.clock.now_ms();
        let Some(fleet) = &mut self.fleet else { return };
        let now = Inventory::of(&fleet.facts);
        let is_whole = now_ms >= self.facts_asked.whole_ms + WHOLE_EVERY_MS;
        let before = fleet.told_facts.as_ref().filter(|_| !is_whole);
        let difference = match before {
            Some(before) => now.since(before),
            None => Some(now.whole()),
        };
        let Some(difference) = difference else { return };
        if is_whole {
            self.facts_asked.whole_ms = now_ms;
        }
        let (Ok(body), Ok(kind)) = (serde_json::to_string(&difference), "facts".parse()) else { return };
        fleet.outbox.push(kind, body, true, &mut self.rows);
        fleet.told_facts = Some(now);
    }
}
