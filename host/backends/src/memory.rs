//! A device in memory, out of TOML: every interface's twin, one field each, on a clock that stands until it is moved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::kv_write::PutValue;
use contract::types::Error;
use contract::{Backends, Context, kv_write};
use model::{Clock, ManualClock};
use serde::{Deserialize, Deserializer};
use store::Store;

use crate::secrets::{FixtureSecret, Redeem, Secrets};
use crate::trouble::{Failure, Latency, Trouble};
use crate::{
    Device, Policy, Shared, Undoer, command, device, device_people, errors, files, http, kv, notify, patch, process,
    query, service, software, ticket,
};

/// A day after the machines of fixtures were started: 2026-01-02.
const NOW_MS: u64 = 1_767_312_000_000;
/// More than seeding takes.
const SEEDING_TIME_MAX: Duration = Duration::from_secs(60);

/// A device, as a file describes it. What is left out is a plain Debian server with nothing on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// What time it is, as a TOML date and time with its offset.
    #[serde(rename = "now", deserialize_with = "moment")]
    pub now_ms: u64,
    /// `[command]`.
    pub command: command::Fixture,
    /// `[device]`.
    pub device: device::Fixture,
    /// `[device-people]`.
    pub device_people: device_people::Fixture,
    /// `[files]`.
    pub files: files::Fixture,
    /// `[http]`.
    pub http: http::Fixture,
    /// `[kv]`: what the plugin has kept, by key.
    pub kv: BTreeMap<String, String>,
    /// `[notify]`.
    pub notify: notify::Fixture,
    /// `[patch]`.
    pub patch: patch::Fixture,
    /// `[[process]]`.
    pub process: Vec<process::Entry>,
    /// `[[query.TABLE]]`.
    pub query: query::Fixture,
    /// `[secrets.NAME]`.
    pub secrets: BTreeMap<String, FixtureSecret>,
    /// `[[service]]`.
    pub service: Vec<service::Entry>,
    /// `[software]`.
    pub software: software::Fixture,
    /// `[ticket]`.
    pub ticket: ticket::Fixture,
    /// `[[failures]]`.
    pub failures: Vec<Failure>,
    /// `[[latencies]]`.
    pub latencies: Vec<Latency>,
}

impl Default for Fixture {
    fn default() -> Self {
        Self {
            now_ms: NOW_MS,
            command: command::Fixture::default(),
            device: device::Fixture::default(),
            device_people: device_people::Fixture::default(),
            files: files::Fixture::default(),
            http: http::Fixture::default(),
            kv: BTreeMap::new(),
            notify: notify::Fixture::default(),
            patch: patch::Fixture::default(),
            process: Vec::new(),
            query: query::Fixture::default(),
            secrets: BTreeMap::new(),
            service: Vec::new(),
            software: software::Fixture::default(),
            ticket: ticket::Fixture::default(),
            failures: Vec::new(),
            latencies: Vec::new(),
        }
    }
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    use serde::de::Error as _;
    let text = toml::value::Datetime::deserialize(deserializer)?.to_string();
    let at: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
    u64::try_from(at.as_millisecond()).map_err(|_| D::Error::custom("before 1970"))
}

impl Fixture {
    /// The clock of the device: it moves when somebody waits.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(ManualClock::new(self.now_ms))
    }
}

/// The device that a fixture describes. What it remembers of earlier runs (keys, tickets, alerts) are those of this plugin.
pub async fn memory(fixture: &Fixture, plugin: &str, clock: Arc<dyn Clock>) -> Result<Device, Error> {
    let shared = shared(fixture, &clock)?;
    let deadline = Instant::now() + SEEDING_TIME_MAX;
    let device_id = &fixture.device.identity.device_id;
    let cx = Context::new("run_fixture", plugin, device_id, vec!["*".to_owned()], deadline);

    let kv = Arc::new(kv::Documents::new(&shared));
    for (key, value) in &fixture.kv {
        let call = PutValue { key: key.clone(), value: value.clone(), expected_revision: None, ttl_seconds: 0 };
        kv_write::Backend::put_value(&*kv, &cx, &call).await?;
    }
    let notify = notify::Memory::new(fixture.notify.clone(), &shared)
        .map_err(|error| errors::failed("fixture", error.to_string()))?;
    notify.begin(&cx)?;
    let ticket = ticket::Memory::new(fixture.ticket.clone(), &shared);
    ticket.begin(&cx)?;

    let command = Arc::new(command::Commands::in_memory(&fixture.command));
    let files = Arc::new(files::Memory::new(&fixture.files, &shared)?);
    let http = Arc::new(http::Http::in_memory(&fixture.http, shared.secrets.clone()));
    let patch = patch::memory(fixture.patch.clone(), Arc::clone(&clock));
    let process = Arc::new(process::memory(fixture.process.clone(), Arc::clone(&clock)));
    let service = Arc::new(service::memory(fixture.service.clone(), Arc::clone(&clock)));
    Ok(Device {
        backends: Backends {
            command: command.clone(),
            command_change: command,
            device: Arc::new(device::Memory::new(fixture.device.clone())),
            device_people: Arc::new(device_people::Memory::new(fixture.device_people.clone())),
            files: files.clone(),
            files_write: files.clone(),
            files_erase: files,
            http: http.clone(),
            http_write: http,
            kv: kv.clone(),
            kv_write: kv.clone(),
            notify: Arc::new(notify),
            patch: patch.reader,
            patch_control: patch.control,
            patch_install: patch.install,
            process: process.clone(),
            process_control: process,
            query: Arc::new(query::Memory::new(fixture.query.clone())),
            secrets: shared.secrets.clone(),
            service: service.clone(),
            service_control: service.clone(),
            software: Arc::new(software::Memory::new(fixture.software.clone())),
            ticket: Arc::new(ticket),
        },
        undoers: BTreeMap::from([
            ("kv-write", kv as Arc<dyn Undoer>),
            ("patch-control", patch.undoer),
            ("service-control", service),
        ]),
        masker: Arc::clone(shared.secrets.masker()),
        machine: patch.machine,
        trouble: (!fixture.failures.is_empty() || !fixture.latencies.is_empty())
            .then(|| Arc::new(Trouble::new(fixture.failures.clone(), fixture.latencies.clone(), clock))),
        allowance: None,
        shared,
    })
}

fn shared(fixture: &Fixture, clock: &Arc<dyn Clock>) -> Result<Shared, Error> {
    let policy =
        Policy { command: fixture.command.policy.clone(), patch: fixture.patch.policy.clone(), ..Policy::default() };
    Ok(Shared {
        store: Arc::new(Store::in_memory().map_err(|error| errors::store(&error))?),
        clock: Arc::clone(clock),
        secrets: Arc::new(Secrets::in_memory(&fixture.secrets, Arc::clone(clock))),
        policy: Arc::new(policy),
        root: PathBuf::from("/"),
        folder: PathBuf::from("/var/lib/remit"),
    })
}

#[cfg(test)]
mod tests {
    use contract::files::GetEntry;
    use contract::files_write::RemoveEntries;
    use contract::kv::GetValue;
    use contract::types::ErrorKind;

    use super::*;

    const TEXT: &str = r#"
        now = 2026-03-01T12:00:00Z
        [kv]
        seen = "1"
        [[files.entries]]
        root = "scratch"
        path = "a.log"
        [[failures]]
        call = "files.get-entry"
        nth = 2
        kind = "unavailable"
        code = "io"
        [[latencies]]
        call = "files.get-entry"
        ms = 1500
    "#;

    fn context() -> Context {
        let deadline = Instant::now() + Duration::from_secs(60);
        Context::new("run_01", "test", "dev_01", vec!["*".to_owned()], deadline)
    }

    #[tokio::test]
    async fn a_device_is_what_its_file_says() {
        let fixture: Fixture = toml::from_str(TEXT).unwrap();
        let clock = fixture.clock();
        assert_eq!(clock.now_ms(), 1_772_366_400_000);
        let device = memory(&fixture, "test", clock).await.unwrap();
        let cx = context();
        let kept = device.backends.kv.get_value(&cx, &GetValue { key: "seen".into() }).await.unwrap();
        assert_eq!(kept.unwrap().value, "1");
        let call = GetEntry { root: "scratch".into(), path: "a.log".into() };
        assert!(device.backends.files.get_entry(&cx, &call).await.unwrap().is_some());
        // A dry run plans over it, and leaves it alone.
        let overlay = device.overlay();
        let remove =
            RemoveEntries { root: "scratch".into(), paths: vec!["a.log".into()], unchanged_since_ms: u64::MAX };
        overlay.files_write.remove_entries(&cx, &remove).await.unwrap();
        assert!(overlay.files.get_entry(&cx, &call).await.unwrap().is_none());
        assert!(device.backends.files.get_entry(&cx, &call).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn trouble_comes_at_its_call_and_takes_its_time() {
        let fixture: Fixture = toml::from_str(TEXT).unwrap();
        let clock = fixture.clock();
        let trouble = memory(&fixture, "test", clock.clone()).await.unwrap().trouble.unwrap();
        let before = clock.now_ms();
        assert!(trouble.before("files", "get-entry", &context()).await.is_ok());
        assert_eq!(clock.now_ms() - before, 1_500);
        let error = trouble.before("files", "get-entry", &context()).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Unavailable, "io"));
        assert!(trouble.before("files", "get-entry", &context()).await.is_ok(), "the second alone");
        assert!(trouble.before("files", "read-file", &context()).await.is_ok());
        assert_eq!(clock.now_ms() - before, 4_500, "another function takes no time");
    }

    #[tokio::test]
    async fn a_call_that_takes_longer_than_it_may_times_out() {
        let fixture: Fixture = toml::from_str(&TEXT.replace("1500", "90000")).unwrap();
        let trouble = memory(&fixture, "test", fixture.clock()).await.unwrap().trouble.unwrap();
        let error = trouble.before("files", "get-entry", &context()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for (right, wrong) in [("[kv]", "[kw]"), ("path =", "way ="), ("files.get-entry", "files.get"), ("nth", "nht")]
        {
            assert!(toml::from_str::<Fixture>(&TEXT.replace(right, wrong)).is_err(), "{wrong}");
        }
        assert!(toml::from_str::<Fixture>(TEXT).is_ok());
    }
}
