//! What every command stands on: where state and policy are, the store, the device, the engine. The one place that reads the
//! environment.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
use artifact::{Cache, Plugin};
use backends::secrets::{Secrets, Vault};
use backends::{Device, Shared};
use distribution::Installed;
use model::budget::Allowance;
use model::{Clock, Digest, Grants, SystemClock};
use runtime::{Compiler, Engine, Options, Prepared};
use store::Store;
use trust::{Folder, Time, Trust};

use crate::host_policy::HostPolicy;
use crate::installed::Shelf;
use crate::output::{self, Format};
use crate::unchanged::Unchanged;

/// Where root keeps a machine's state.
const MACHINE_STATE: &str = "/var/lib/remit";

/// What an agent keeps prepared: as many plugins as most machines have orders, each some 100 KiB.
const PREPARED_MAX: usize = 32;

/// Flags that every command takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write data for a person or for a program
    #[arg(long, global = true, value_enum, default_value = "table", value_name = "FORMAT")]
    output: Written,

    /// Keep state in this folder instead of /var/lib/remit (root) or ~/.local/state/remit
    #[arg(long, global = true, env = "REMIT_STATE", value_name = "DIR")]
    state: Option<PathBuf>,

    /// Read host policy from this file instead of /etc/remit/policy.toml
    #[arg(long, global = true, env = "REMIT_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Manage the system under this folder instead of this machine's own: packages, services and facts are its
    #[arg(long, global = true, default_value = "/", value_name = "DIR")]
    root: PathBuf,

    /// Where `ssh-agent` listens, for keys that a file of the technician names
    #[cfg(target_os = "linux")]
    #[arg(long, global = true, hide = true, env = "SSH_AUTH_SOCK", hide_env_values = true, value_name = "SOCKET")]
    ssh_agent: Option<PathBuf>,

    /// Write into this file, at the end, how many components were compiled and how many mapped as code
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) touched: Option<PathBuf>,
}

/// How data is written, as the command line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Written {
    /// For a person
    Table,
    /// For a program: one JSON value, or one a line
    Json,
    /// For a spreadsheet: what a fleet's lists come to
    Csv,
}

/// Where things are.
pub(crate) struct Context {
    pub(crate) output: Format,
    /// Whether rows are written as CSV, by what has rows of a fleet.
    pub(crate) is_csv: bool,
    /// Where `ssh-agent` listens.
    #[cfg(target_os = "linux")]
    pub(crate) ssh_agent: Option<PathBuf>,
    pub(crate) state: PathBuf,
    policy: PathBuf,
    /// Whether the policy was named: then it must be there.
    is_policy_named: bool,
    root: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    /// Made when it is first needed, and then the only one of this process.
    engine: OnceLock<Engine>,
    /// Where many runs share this process.
    kept: Option<Kept>,
}

/// What an agent keeps from run to run.
#[derive(Default)]
struct Kept {
    /// What it has prepared, the latest last.
    prepared: Mutex<VecDeque<Prepared>>,
    believed: Unchanged<Option<Arc<Trust>>>,
    shelf: Unchanged<Arc<Shelf>>,
}

impl Context {
    pub(crate) fn new(args: Args) -> Self {
        let is_policy_named = args.policy.is_some();
        Self {
            output: if args.output == Written::Json { Format::Json } else { Format::Table },
            is_csv: args.output == Written::Csv,
            #[cfg(target_os = "linux")]
            ssh_agent: args.ssh_agent,
            state: args.state.unwrap_or_else(default_state),
            policy: args.policy.unwrap_or_else(|| PathBuf::from("/etc/remit/policy.toml")),
            is_policy_named,
            root: args.root,
            clock: Arc::new(SystemClock),
            engine: OnceLock::new(),
            kept: None,
        }
    }

    /// The same, for many runs one beside the other.
    #[cfg(target_os = "linux")]
    pub(crate) fn for_agent(&self) -> Self {
        Self {
            output: self.output,
            is_csv: self.is_csv,
            ssh_agent: self.ssh_agent.clone(),
            state: self.state.clone(),
            policy: self.policy.clone(),
            is_policy_named: self.is_policy_named,
            root: self.root.clone(),
            clock: Arc::clone(&self.clock),
            engine: OnceLock::new(),
            kept: Some(Kept::default()),
        }
    }

    /// Where host policy is, or would be.
    pub(crate) fn policy_file(&self) -> &Path {
        &self.policy
    }

    /// Where the agent listens that has this folder of state; nothing, where it is the machine's own, which says that itself.
    #[cfg(target_os = "linux")]
    pub(crate) fn own_agent_socket(&self) -> Option<PathBuf> {
        (self.state != Path::new(MACHINE_STATE)).then(|| self.state.join("agent.sock"))
    }

    pub(crate) fn store(&self) -> anyhow::Result<Arc<Store>> {
        let store =
            Store::open(&self.state).context("the device's memory cannot be opened; `--state DIR` takes another")?;
        for aside in store.set_aside() {
            output::say(&format!(
                "note: the device's memory was damaged: it is set aside as {}, and what it held is not known any more",
                aside.display()
            ));
        }
        Ok(Arc::new(store))
    }

    pub(crate) fn host_policy(&self) -> anyhow::Result<HostPolicy> {
        HostPolicy::read(&self.policy, self.is_policy_named)
    }

    /// This machine, with these folders for named roots beside those of its policy.
    pub(crate) fn device(&self, store: &Arc<Store>, policy: &HostPolicy, roots: &BTreeMap<String, PathBuf>) -> Device {
        let mut of_backends = policy.backends.clone();
        of_backends.files.roots.extend(roots.clone());
        let device = backends::real(&Shared { policy: Arc::new(of_backends), ..self.shared(store, policy) });
        Device { allowance: self.allowance(policy), ..device }
    }

    /// What all runs together may use; none where nothing is limited.
    pub(crate) fn allowance(&self, policy: &HostPolicy) -> Option<Arc<Allowance>> {
        let budgets = &policy.device.written().budgets;
        (!budgets.is_empty()).then(|| Arc::new(Allowance::new(budgets.clone(), Arc::clone(&self.clock))))
    }

    /// What backends stand on.
    pub(crate) fn shared(&self, store: &Arc<Store>, policy: &HostPolicy) -> Shared {
        Shared {
            store: Arc::clone(store),
            clock: Arc::clone(&self.clock),
            secrets: Arc::new(Secrets::of_vaults(vec![self.vault(), self.vault_of_hub()], Arc::clone(&self.clock))),
            policy: Arc::new(policy.backends.clone()),
            root: self.root.clone(),
            folder: self.state.clone(),
        }
    }

    /// The root of the managed system.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn vault(&self) -> Vault {
        Vault::new(&self.state.join("secrets"))
    }

    /// What technicians sealed to this device. What was set here by hand comes first.
    pub(crate) fn vault_of_hub(&self) -> Vault {
        Vault::new(&self.state.join("secrets-of-hub"))
    }

    pub(crate) fn engine(&self) -> anyhow::Result<Engine> {
        if let Some(engine) = self.engine.get() {
            return Ok(engine.clone());
        }
        // A hand run has one instance at a time: reserving a pool would cost more than it saves.
        let engine = Engine::new(Options { pooled: self.kept.is_some(), ..Options::default() })?;
        Ok(self.engine.get_or_init(|| engine).clone())
    }

    pub(crate) fn cache(&self) -> anyhow::Result<Cache> {
        Ok(Cache::open(self.state.join("compiled"))?)
    }

    pub(crate) fn compiler(&self) -> anyhow::Result<Compiler> {
        Ok(Compiler::child(std::env::current_exe().context("where is this program?")?))
    }

    /// The same, a script on this runtime instead of the host's own.
    pub(crate) async fn prepare_on(
        &self,
        plugin: &Plugin,
        grants: &Grants,
        script_runtime: &[u8],
        digest: Digest,
    ) -> anyhow::Result<Prepared> {
        let (engine, cache, compiler) = (self.engine()?, self.cache()?, self.compiler()?);
        let prepared =
            runtime::prepare_on(&engine, plugin, grants, Some(&cache), &compiler, script_runtime, digest).await;
        Ok(prepared?)
    }

    /// A plugin, compiled or out of the cache, and linked with what it was granted.
    pub(crate) async fn prepare(&self, plugin: &Plugin, grants: &Grants) -> anyhow::Result<Prepared> {
        if let Some(prepared) = self.prepared(plugin, grants) {
            return Ok(prepared);
        }
        let (engine, cache, compiler) = (self.engine()?, self.cache()?, self.compiler()?);
        let prepared = runtime::prepare(&engine, plugin, grants, Some(&cache), &compiler).await?;
        if let Some(kept) = &self.kept {
            let mut all = kept.prepared.lock().unwrap_or_else(PoisonError::into_inner);
            if all.len() >= PREPARED_MAX {
                all.pop_front();
            }
            all.push_back(prepared.clone());
        }
        Ok(prepared)
    }

    /// What was prepared before, for the same plugin that the same people vouch for, with the same grants.
    fn prepared(&self, plugin: &Plugin, grants: &Grants) -> Option<Prepared> {
        let all = self.kept.as_ref()?.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().find(|it| it.is_of(plugin, grants)).cloned()
    }

    /// What this machine believes. An agent reads it again when the folder has changed, or the latest time is to be kept.
    pub(crate) fn believed(
        &self,
        folder: &Folder,
        read: impl FnOnce() -> anyhow::Result<Option<Arc<Trust>>>,
    ) -> anyhow::Result<Option<Arc<Trust>>> {
        let Some(kept) = &self.kept else { return read() };
        let now_ms = self.clock.now_ms();
        let is_news = |trust: &Arc<Trust>| trust.is_news(Time::from_ms(now_ms));
        kept.believed.read(&folder.folders(), now_ms, |trust| !trust.as_ref().is_some_and(is_news), read)
    }

    /// What was read of this folder of what is installed. An agent reads it again when it has changed.
    pub(crate) fn shelf(&self, folder: &Installed) -> Arc<Shelf> {
        let Some(kept) = &self.kept else { return Arc::default() };
        let Ok(shelf) =
            kept.shelf.read(&folder.folders(), self.clock.now_ms(), |_| true, || Ok::<_, Infallible>(Arc::default()));
        shelf
    }
}

fn default_state() -> PathBuf {
    if is_root() {
        return PathBuf::from(MACHINE_STATE);
    }
    std::env::home_dir().map_or_else(|| PathBuf::from(".remit-state"), |home| home.join(".local/state/remit"))
}

/// Root keeps state where a machine does, everybody else where they do.
#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(Path::new("/proc/self")).is_ok_and(|me| me.uid() == 0)
}

#[cfg(not(unix))]
pub(crate) fn is_root() -> bool {
    false
}
