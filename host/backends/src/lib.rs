//! What stands behind the interfaces: a folder an interface. Each holds the real backend, the overlay that a dry run sees
//! instead of it, the twin in memory, and the conformance suite that all of them pass.
//!
//! In goes a call, out comes what the machine says or did. A backend trusts its caller for grants, phases and plans: only
//! the gate calls it. It never sees a guest, and knows no wasmtime.

pub mod attributes;
pub mod command;
pub mod device;
pub mod device_people;
pub mod errors;
#[cfg(target_os = "linux")]
mod facts;
pub mod files;
pub mod fixture;
pub mod http;
pub mod kv;
mod memory;
pub mod notify;
pub mod patch;
pub mod policy;
pub mod process;
pub mod query;
pub mod secrets;
pub mod service;
pub mod software;
pub mod spawn;
#[cfg(test)]
mod testing;
pub mod ticket;
pub mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use contract::types::{Change, Error};
use contract::{Backends, Context, Undo};
use model::Clock;
use model::budget::Allowance;
use store::Store;

pub use memory::{Fixture, memory};
pub use policy::Policy;
use secrets::{Masker, Redeem, Secrets};

/// Takes an effect back. Each backend whose interface is of class L2 and acts on the device has one.
#[async_trait::async_trait]
pub trait Undoer: Send + Sync {
    /// Takes back what `undo` describes, unless somebody has changed it since: then `conflict`, and nothing is touched.
    async fn undo(&self, cx: &Context, undo: &Undo) -> Result<Change, Error>;
}

/// A device: what stands behind every interface, and who takes effects back, by interface.
#[derive(Clone)]
pub struct Device {
    /// Behind the interfaces.
    pub backends: Backends,
    /// Who takes back what, by the interface that did it.
    pub undoers: BTreeMap<&'static str, Arc<dyn Undoer>>,
    /// Masks what was redeemed, in every answer and every line of a log.
    pub masker: Arc<Masker>,
    /// What the host does about updates outside of any call: adopt an install, reboot.
    pub machine: Arc<dyn patch::Machine>,
    /// What goes wrong on it, where it is a fixture's; the gate asks before every call.
    pub trouble: Option<Arc<trouble::Trouble>>,
    /// What its owner lets all runs together use, where there is a limit to it; the gate charges it.
    pub allowance: Option<Arc<Allowance>>,
    /// What its backends share; its overlays read it.
    pub shared: Shared,
}

/// What the backends of a real device share.
#[derive(Clone)]
pub struct Shared {
    /// What the device remembers.
    pub store: Arc<Store>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What plugins open and backends redeem.
    pub secrets: Arc<Secrets>,
    /// What the machine's owner has decided.
    pub policy: Arc<Policy>,
    /// The root of the system that packages and services are managed on: `/`, unless another one is managed from here.
    pub root: PathBuf,
    /// Where backends keep files of their own, for the host's owner only.
    pub folder: PathBuf,
}

impl Shared {
    /// A device that remembers nothing yet and has no secrets: for tests, and for who needs backends without a machine.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Result<Self, store::Error> {
        let secrets = Arc::new(Secrets::in_memory(&BTreeMap::new(), Arc::clone(&clock)));
        let store = Arc::new(Store::in_memory()?);
        Ok(Self { store, clock, secrets, policy: Arc::default(), root: "/".into(), folder: "/var/lib/remit".into() })
    }
}

/// This machine.
pub fn real(shared: &Shared) -> Device {
    let command = Arc::new(command::real(shared));
    let files = Arc::new(files::Files::new(shared));
    let kv = Arc::new(kv::Documents::new(shared));
    let notify = Arc::new(notify::Outbox::new(shared));
    let patch = patch::real(shared);
    let http = Arc::new(http::Http::new(
        http::Roots::Native(shared.policy.http.trust.clone()),
        Arc::new(http::SystemResolver),
        shared.secrets.clone(),
        Arc::clone(&shared.clock),
    ));
    let ticket = Arc::new(ticket::Tickets::new(shared));
    let process = Arc::new(process::real());
    let service = Arc::new(service::real(shared));
    Device {
        backends: Backends {
            command: command.clone(),
            command_change: command,
            device: device::real(shared),
            device_people: device_people::real(shared),
            files: files.clone(),
            files_write: files.clone(),
            files_erase: files.clone(),
            http: http.clone(),
            http_write: http,
            kv: kv.clone(),
            kv_write: kv.clone(),
            notify: notify.clone(),
            patch: patch.reader,
            patch_control: patch.control,
            patch_install: patch.install,
            process: process.clone(),
            process_control: process,
            query: query::real(shared),
            secrets: shared.secrets.clone(),
            service: service.clone(),
            service_control: service.clone(),
            software: software::real(shared),
            ticket: ticket.clone(),
        },
        undoers: BTreeMap::from([
            ("files-write", files as Arc<dyn Undoer>),
            ("kv-write", kv),
            ("notify", notify),
            ("patch-control", patch.undoer),
            ("service-control", service),
            ("ticket", ticket),
        ]),
        masker: Arc::clone(shared.secrets.masker()),
        machine: patch.machine,
        trouble: None,
        allowance: None,
        shared: shared.clone(),
    }
}

impl Device {
    /// What a dry run sees instead: every read is real, and every change stays in what this gives.
    pub fn overlay(&self) -> Backends {
        let (real, shared) = (&self.backends, &self.shared);
        // The overlay of `patch` writes both: what it plans to install changes versions, and may need a reboot. That of
        // `service` takes back what a restart puts right.
        let planned_reboot = Arc::new(device::PlannedReboot::default());
        let device = Arc::new(device::Overlay::new(Arc::clone(&real.device), Arc::clone(&planned_reboot)));
        let files = Arc::new(files::Overlay::new(Arc::clone(&real.files), shared));
        let kv = Arc::new(kv::Overlay::new(Arc::clone(&real.kv), Arc::clone(&shared.clock)));
        let planned_software = Arc::new(software::PlannedSoftware::default());
        let software = software::Overlay::new(Arc::clone(&real.software), Arc::clone(&planned_software));
        let simulator = Arc::<dyn patch::Machine>::clone(&self.machine);
        let patch = Arc::new(
            patch::Overlay::new(Arc::clone(&real.patch), simulator, Arc::clone(&planned_reboot))
                .telling(planned_software),
        );
        let process = Arc::new(process::overlay(Arc::clone(&real.process)));
        let service = service::overlay(Arc::clone(&real.service), Arc::clone(&shared.clock), planned_reboot);
        let service = Arc::new(service);
        Backends {
            command: Arc::clone(&real.command),
            command_change: Arc::new(command::Overlay::new(shared)),
            device,
            device_people: Arc::clone(&real.device_people),
            files: files.clone(),
            files_write: files.clone(),
            files_erase: files,
            http: Arc::clone(&real.http),
            http_write: Arc::new(http::Overlay::new(Arc::clone(&real.secrets))),
            kv: kv.clone(),
            kv_write: kv,
            notify: Arc::new(notify::Overlay::new(notify::Look::new(shared))),
            patch: patch.clone(),
            patch_control: patch.clone(),
            patch_install: patch,
            process: process.clone(),
            process_control: process,
            query: Arc::clone(&real.query),
            secrets: Arc::clone(&real.secrets),
            service: service.clone(),
            service_control: service,
            software: Arc::new(software),
            ticket: Arc::new(ticket::Overlay::new(ticket::Look::new(shared))),
        }
    }
}
