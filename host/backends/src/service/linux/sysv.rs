use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use contract::Context;
use contract::service::{ServiceInfo, ServiceState};
use contract::types::{Error, ErrorKind, StartType};
use model::Scope;
use regex::Regex;

use crate::errors;
use crate::process::started_ms;
use crate::spawn::Spawn;

use super::super::manager::{Job, Manager, Progress};
use super::super::{RELATED_MAX, SERVICES_MAX, check_name, joined};
use super::word;

/// How long a script may take to tell its status.
const STATUS: Duration = Duration::from_secs(10);
/// How long a script may take to start or stop its service, whether it is waited for or not.
const SCRIPT: Duration = Duration::from_secs(120);
/// How often the status is asked until the daemon has written its pid file, or is gone.
const POLL: Duration = Duration::from_millis(100);
/// The most of a script that is read.
const SCRIPT_BYTES_MAX: u64 = 256 << 10;
/// Not services: steps of booting and of shutting down. `reboot stop` would do just that.
const STEPS: [&str; 10] =
    ["halt", "killprocs", "rc", "rcS", "reboot", "sendsigs", "single", "skeleton", "umountfs", "umountroot"];

/// SysV scripts.
pub(super) struct Sysv {
    root: PathBuf,
}

/// A script, and what its text says.
struct Script {
    name: String,
    path: PathBuf,
    text: String,
}

impl Sysv {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn script(&self, name: &str) -> Result<Script, Error> {
        let path = self.root.join("etc/init.d").join(name);
        let none = || errors::not_found(format!("there is no service `{name}`"));
        check_name(name)?;
        let metadata = std::fs::metadata(&path).map_err(|_| none())?;
        let is_executable = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o111 != 0;
        if !metadata.is_file() || !is_executable || metadata.len() > SCRIPT_BYTES_MAX || STEPS.contains(&name) {
            return Err(none());
        }
        let text = std::fs::read(&path).map_err(|_| none())?;
        let script = Script { name: name.to_owned(), path, text: String::from_utf8_lossy(&text).into_owned() };
        let levels = script.header("Default-Start");
        match levels.iter().any(|level| matches!(level.as_str(), "0" | "1" | "6")) {
            true => Err(none()),
            false => Ok(script),
        }
    }

    fn scripts(&self) -> Vec<Script> {
        let entries = std::fs::read_dir(self.root.join("etc/init.d")).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut scripts: Vec<Script> = names.filter_map(|name| self.script(&name).ok()).collect();
        scripts.sort_by(|a, b| a.name.cmp(&b.name));
        scripts
    }

    /// It starts with the machine where a link says so in a level in which services run.
    fn start_type(&self, name: &str) -> StartType {
        let starts = |level: char| {
            let links = std::fs::read_dir(self.root.join(format!("etc/rc{level}.d"))).into_iter().flatten().flatten();
            links.filter_map(|link| link.file_name().into_string().ok()).any(|link| {
                let order = link.strip_prefix('S').and_then(|rest| rest.strip_suffix(name));
                order.is_some_and(|order| order.len() == 2 && order.bytes().all(|byte| byte.is_ascii_digit()))
            })
        };
        match ['2', '3', '4', '5', 'S'].into_iter().any(starts) {
            true => StartType::Automatic,
            false => StartType::Manual,
        }
    }

    async fn info(&self, script: &Script) -> Result<ServiceInfo, Error> {
        let state = script.state().await?;
        let pid = script.pid(&self.root).filter(|_| state == ServiceState::Running);
        let mut attributes = vec![("manager".to_owned(), "sysv".to_owned())];
        if script.can("reload") {
            attributes.push(("reload".into(), "true".into()));
        }
        let display_name = script.header_line("Short-Description").unwrap_or(&script.name);
        Ok(ServiceInfo {
            name: script.name.clone(),
            display_name: display_name.to_owned(),
            state,
            start_type: self.start_type(&script.name),
            pid,
            since_ms: pid.and_then(started_ms),
            attributes,
        })
    }

    /// The running services that need one, directly or not.
    async fn needed_by(&self, name: &str) -> Result<Vec<String>, Error> {
        let scripts = self.scripts();
        let mut found = vec![name.to_owned()];
        let mut next = 0;
        while let Some(needed) = found.get(next).and_then(|name| scripts.iter().find(|script| script.name == *name)) {
            let provided = needed.provides();
            for script in &scripts {
                let needs = script.header("Required-Start").iter().any(|need| provided.contains(need));
                let is_new = needs && !found.contains(&script.name) && found.len() < RELATED_MAX;
                if is_new && script.state().await? == ServiceState::Running {
                    found.push(script.name.clone());
                }
            }
            next += 1;
        }
        Ok(found.split_off(1))
    }

    /// Runs a script's action. It is not killed when it is no longer waited for: half a start is worse than a late one.
    async fn act(&self, script: Script, job: &Job, wait: Duration) -> Result<Progress, Error> {
        let until = Instant::now() + wait;
        let action = word(job);
        let spawn = Spawn::new(&script.path, Instant::now() + SCRIPT).arg(action).without_output();
        let running = tokio::spawn(spawn.run());
        let output = match tokio::time::timeout(wait, running).await {
            Err(_) => return Ok(Progress::Underway),
            Ok(Err(error)) => return Err(errors::failed("script", error.to_string())),
            Ok(Ok(output)) => output?,
        };
        match (output.code, job) {
            (0, Job::Reload) => Ok(Progress::Done),
            (0, _) => script.settle(!matches!(job, Job::Stop { .. }), until).await,
            // LSB: 3 is an action that the script does not have.
            (3, Job::Reload) => Err(errors::unsupported("reload", format!("`{}` cannot reload", script.name))),
            (code, _) => {
                let message = format!("`{} {action}` ended with {code}", script.path.display());
                Err(errors::failed("service-failed", message).with("exit-code", code.to_string()))
            }
        }
    }
}

impl Script {
    /// The words of a line of the LSB header.
    fn header(&self, name: &str) -> Vec<String> {
        self.header_line(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    fn header_line(&self, name: &str) -> Option<&str> {
        let header = self.text.split_once("### BEGIN INIT INFO")?.1.split_once("### END INIT INFO")?.0;
        header
            .lines()
            .find_map(|line| line.strip_prefix('#')?.trim().strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    }

    /// What others may need it as.
    fn provides(&self) -> Vec<String> {
        let mut names = self.header("Provides");
        names.push(self.name.clone());
        names
    }

    /// Whether the script seems to have an action.
    fn can(&self, action: &str) -> bool {
        if action == "status" && self.text.starts_with("#!/lib/init/init-d-script") {
            return true;
        }
        self.text.match_indices(action).any(|(at, _)| {
            let before = self.text.get(..at).unwrap_or_default().chars().next_back();
            let after = self.text.get(at + action.len()..).unwrap_or_default().chars().next();
            // `force-reload` is another action, and so is what comes after a dash.
            let is_apart = |it: Option<char>| it.is_none_or(|it| !it.is_alphanumeric() && it != '-' && it != '_');
            is_apart(before) && is_apart(after)
        })
    }

    /// LSB's exit status of `status`.
    async fn state(&self) -> Result<ServiceState, Error> {
        if !self.can("status") {
            return Ok(ServiceState::Other);
        }
        let output = Spawn::new(&self.path, Instant::now() + STATUS).arg("status").without_output().run().await?;
        Ok(match output.code {
            0 => ServiceState::Running,
            1 | 2 => ServiceState::Failed,
            3 => ServiceState::Stopped,
            _ => ServiceState::Other,
        })
    }

    /// Waits until the service is as the script says: daemons write their pid files, and end, after their script did.
    async fn settle(&self, goes_up: bool, until: Instant) -> Result<Progress, Error> {
        loop {
            let state = self.state().await?;
            if state == ServiceState::Other || (state == ServiceState::Running) == goes_up {
                return Ok(Progress::Done);
            }
            if Instant::now() >= until {
                let message = format!("`{}` ended well, and the service is {}", self.path.display(), state.word());
                return Err(errors::failed("service-failed", message));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The main process, by the pid file that the script or its name says.
    fn pid(&self, root: &Path) -> Option<u32> {
        let file = self.pid_file().unwrap_or_else(|| format!("/run/{}.pid", self.name));
        let text = std::fs::read_to_string(root.join(file.trim_start_matches('/'))).ok()?;
        text.split_whitespace().next()?.parse().ok()
    }

    fn pid_file(&self) -> Option<String> {
        static PID_FILE: OnceLock<Option<Regex>> = OnceLock::new();
        let pattern = r#"(?m)^\s*(?:PIDFILE=|# pidfile:\s*)["']?(/[^\s"']+)"#;
        let found = PID_FILE.get_or_init(|| Regex::new(pattern).ok()).as_ref()?.captures(&self.text)?;
        let file = found.get(1)?.as_str().replace("${NAME}", &self.name).replace("$NAME", &self.name);
        (!file.contains('$')).then_some(file)
    }
}

#[async_trait::async_trait]
impl Manager for Sysv {
    async fn list(&self, cx: &Context, scope: &Scope) -> Result<Vec<ServiceInfo>, Error> {
        let mut services = Vec::new();
        for script in self.scripts().iter().filter(|script| scope.allows(&script.name)).take(SERVICES_MAX) {
            if cx.is_over() {
                return Err(Error::new(ErrorKind::Timeout, "timeout", "the services took too long to list"));
            }
            services.push(self.info(script).await?);
        }
        Ok(services)
    }

    async fn get(&self, _: &Context, name: &str) -> Result<ServiceInfo, Error> {
        let mut info = self.info(&self.script(name)?).await?;
        let needed_by = self.needed_by(name).await?;
        if !needed_by.is_empty() {
            info.attributes.push(("needed-by".into(), joined(&needed_by)));
        }
        Ok(info)
    }

    /// What the header requires, as far as it is a script here: `$network` and its like are none.
    async fn dependencies(&self, _: &Context, name: &str) -> Result<Vec<String>, Error> {
        let needed = self.script(name)?.header("Required-Start");
        let scripts = self.scripts();
        let provides = |need: &String| scripts.iter().find(|script| script.provides().contains(need));
        Ok(needed.iter().filter_map(provides).map(|script| script.name.clone()).filter(|it| it != name).collect())
    }

    async fn perform(&self, _: &Context, service: &ServiceInfo, job: &Job, wait: Duration) -> Result<Progress, Error> {
        let until = Instant::now() + wait;
        // Scripts know nothing of who needs them: those are stopped first, the farthest first.
        for name in job.also().iter().rev() {
            self.act(self.script(name)?, job, wait.max(POLL)).await?;
        }
        self.act(self.script(&service.name)?, job, until.saturating_duration_since(Instant::now())).await
    }

    async fn set_start_type(&self, _: &Context, service: &ServiceInfo, start_type: StartType) -> Result<(), Error> {
        if self.root != Path::new("/") {
            return Err(errors::unsupported("root", "update-rc.d knows only the links of the host that it runs on"));
        }
        let action = if start_type == StartType::Automatic { "enable" } else { "disable" };
        // `enable` only turns links that are there.
        for action in ["defaults", action] {
            let spawn = Spawn::new("/usr/sbin/update-rc.d", Instant::now() + SCRIPT).arg(&service.name).arg(action);
            let output = spawn.run().await?;
            if output.code != 0 {
                let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                return Err(errors::failed("update-rc.d", message).with("exit-code", output.code.to_string()));
            }
        }
        Ok(())
    }
}
