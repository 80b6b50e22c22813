use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use contract::Context;
use contract::process::ProcessInfo;
use contract::types::{Error, ErrorKind};
use model::{Digest, Scope};
use procfs::process::{Process, Stat, StatFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::errors;

use super::Table;

/// Accounts of people begin here (Debian's `FIRST_UID`, and everybody's).
const PERSON_UID_MIN: u32 = 1_000;
/// `nobody` is none of them.
const NOBODY_UID: u32 = 65_534;
/// How long a killed process may take to be gone: it waits in the kernel for a disk, at most.
const KILLED: Duration = Duration::from_secs(5);
/// How often an ending process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// `kthreadd`, and the parent of every thread of the kernel.
const KERNEL_PID: i32 = 2;

/// The processes that the kernel shows.
pub(super) struct Procfs;

/// The accounts of this machine by uid, and who may see them.
struct Accounts {
    by_uid: BTreeMap<u32, (String, String)>,
    device: String,
    shows_people: bool,
}

impl Accounts {
    fn read(cx: &Context) -> Self {
        let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let account = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            let uid = fields.nth(1)?.parse().ok()?;
            Some((uid, (name, fields.nth(2)?.to_owned())))
        };
        Self { by_uid: text.lines().filter_map(account).collect(), device: cx.device.clone(), shows_people: cx.people }
    }

    fn is_hidden(&self, uid: u32) -> bool {
        uid >= PERSON_UID_MIN && uid != NOBODY_UID && !self.shows_people
    }

    /// The account's name; a person's is the same on this device as long as their uid is, and says nothing about them.
    fn name(&self, uid: u32) -> String {
        if self.is_hidden(uid) {
            let digest = Digest::of(format!("{}/{uid}", self.device).as_bytes()).hex();
            return format!("person-{}", digest.get(..8).unwrap_or_default());
        }
        self.by_uid.get(&uid).map_or_else(|| uid.to_string(), |(name, _)| name.clone())
    }

    /// The path with a person's home as `~` and their name.
    fn path(&self, path: &str) -> String {
        let hidden = self.by_uid.iter().filter(|(uid, _)| self.is_hidden(**uid));
        for (uid, (_, home)) in hidden {
            if let Some(rest) = path.strip_prefix(home.as_str()).filter(|rest| home.len() > 1 && rest.starts_with('/'))
            {
                return format!("~{}{rest}", self.name(*uid));
            }
        }
        path.to_owned()
    }
}

/// When a process started, as both interfaces have it: from the time of booting, which the kernel keeps to the second, so that it
/// is the same at every look.
pub(crate) fn started_ms(pid: u32) -> Option<u64> {
    let stat = Process::new(i32::try_from(pid).ok()?).ok()?.stat().ok()?;
    started(&stat).ok()
}

fn started(stat: &Stat) -> Result<u64, Error> {
    let boot = procfs::boot_time_secs().map_err(|error| errors::failed("procfs", error.to_string()))?;
    Ok(boot * 1_000 + ticks_ms(stat.starttime))
}

fn ticks_ms(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000) / procfs::ticks_per_second().max(1)
}

/// This process and those above it: who ends one of them ends the run.
fn own_line() -> Vec<i32> {
    let mut line = Vec::new();
    let mut next = i32::try_from(std::process::id()).ok();
    while let Some(pid) = next.filter(|&pid| pid > 1 && !line.contains(&pid)) {
        line.push(pid);
        next = Process::new(pid).and_then(|process| process.stat()).map(|stat| stat.ppid).ok();
    }
    line
}

fn protected(stat: &Stat, own_line: &[i32]) -> Option<&'static str> {
    let is_kernel = || stat.flags().is_ok_and(|flags| flags.contains(StatFlags::PF_KTHREAD));
    match stat.pid {
        1 => Some("init"),
        pid if own_line.contains(&pid) => Some("agent"),
        KERNEL_PID if is_kernel() => Some("kernel"),
        _ => is_kernel().then_some("kernel"),
    }
}

/// A dead process that nobody has asked after is no process any more.
fn is_dead(stat: &Stat) -> bool {
    matches!(stat.state, 'Z' | 'X' | 'x')
}

fn info(process: &Process, stat: &Stat, accounts: &Accounts, own_line: &[i32]) -> Option<ProcessInfo> {
    let uid = process.uid().ok()?;
    let path = process.exe().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    let cgroup = std::fs::read_to_string(format!("/proc/{}/cgroup", stat.pid)).unwrap_or_default();
    let mut attributes = vec![
        ("state".to_owned(), stat.state.to_string()),
        ("threads".to_owned(), stat.num_threads.to_string()),
        ("nice".to_owned(), stat.nice.to_string()),
    ];
    if let Some(path) = cgroup.lines().filter_map(|line| line.splitn(3, ':').nth(2)).find(|path| *path != "/") {
        attributes.push(("cgroup".into(), path.chars().take(1_024).collect()));
    }
    if let Some(service) = crate::service::service_of(&cgroup) {
        attributes.push(("service".into(), service));
    }
    if let Some(reason) = protected(stat, own_line) {
        attributes.push(("protected".into(), reason.into()));
    }
    Some(ProcessInfo {
        pid: u32::try_from(stat.pid).ok()?,
        parent_pid: u32::try_from(stat.ppid).unwrap_or_default(),
        name: stat.comm.clone(),
        path: accounts.path(path.strip_suffix(" (deleted)").unwrap_or(&path)),
        user: accounts.name(uid),
        started_ms: started(stat).ok()?,
        cpu_ms: ticks_ms(stat.utime + stat.stime),
        resident_bytes: stat.rss.saturating_mul(procfs::page_size()),
        attributes,
    })
}

fn list(cx: &Context, scope: &Scope) -> Result<Vec<ProcessInfo>, Error> {
    let accounts = Accounts::read(cx);
    let own_line = own_line();
    let all = procfs::process::all_processes().map_err(|error| errors::failed("procfs", error.to_string()))?;
    let mut processes = Vec::new();
    // A process that ends while it is looked at is left out.
    for process in all.flatten() {
        if cx.is_over() {
            return Err(Error::new(ErrorKind::Timeout, "timeout", "the processes took too long to list"));
        }
        if let Ok(stat) = process.stat()
            && !is_dead(&stat)
            && scope.allows(&stat.comm)
        {
            processes.extend(info(&process, &stat, &accounts, &own_line));
        }
    }
    Ok(processes)
}

fn get(cx: &Context, pid: u32) -> Option<ProcessInfo> {
    let process = Process::new(i32::try_from(pid).ok().filter(|&pid| pid > 0)?).ok()?;
    let stat = process.stat().ok().filter(|stat| !is_dead(stat))?;
    info(&process, &stat, &Accounts::read(cx), &own_line())
}

/// What is read and written through it stays with the process, whoever has its pid by now.
fn open(pid: u32) -> Result<Option<OwnedFd>, Error> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let Some(pid) = pid else { return Ok(None) };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(fd) => Ok(Some(fd)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(errors::io(&format!("cannot open process {}", pid.as_raw_nonzero()), &error.into())),
    }
}

/// Whether the process got the signal; not if it is gone.
fn send(process: &OwnedFd, signal: Signal) -> Result<bool, Error> {
    match pidfd_send_signal(process, signal) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(errors::io("cannot send a signal", &error.into())),
    }
}

/// Whether the pid is that process still, and it lives.
fn is_there(process: &ProcessInfo) -> bool {
    let pid = i32::try_from(process.pid).unwrap_or_default();
    let stat = Process::new(pid).and_then(|process| process.stat());
    stat.is_ok_and(|stat| !is_dead(&stat) && started(&stat).is_ok_and(|it| it == process.started_ms))
}

async fn ends_within(process: &ProcessInfo, time: Duration) -> bool {
    let until = Instant::now() + time;
    while is_there(process) {
        if Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

#[async_trait::async_trait]
impl Table for Procfs {
    async fn list(&self, cx: &Context, scope: &Scope) -> Result<Vec<ProcessInfo>, Error> {
        let (cx, scope) = (cx.with_scope(Vec::new()), scope.clone());
        let listed = tokio::task::spawn_blocking(move || list(&cx, &scope)).await;
        listed.map_err(|error| errors::failed("procfs", error.to_string()))?
    }

    async fn get(&self, cx: &Context, pid: u32) -> Result<Option<ProcessInfo>, Error> {
        Ok(get(cx, pid))
    }

    async fn end(&self, _: &Context, process: &ProcessInfo, grace: Duration) -> Result<Option<&'static str>, Error> {
        let Some(fd) = open(process.pid)? else { return Ok(None) };
        // Opened first, looked at then: if it is the right one now, it was when it was opened.
        if !is_there(process) || !send(&fd, Signal::TERM)? {
            return Ok(None);
        }
        if ends_within(process, grace).await {
            return Ok(Some("SIGTERM"));
        }
        send(&fd, Signal::KILL)?;
        match ends_within(process, KILLED).await {
            true => Ok(Some("SIGKILL")),
            false => {
                Err(errors::failed("still-running", format!("process {} was killed and is not gone", process.pid)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(device: &str, shows_people: bool) -> Accounts {
        let account = |name: &str, home: &str| (name.to_owned(), home.to_owned());
        let by_uid =
            [(0, account("root", "/root")), (1_000, account("alice", "/home/alice")), (1_001, account("al", "/"))];
        Accounts { by_uid: by_uid.into(), device: device.to_owned(), shows_people }
    }

    #[test]
    fn a_person_is_masked_unless_people_may_be_seen() {
        let (hidden, shown) = (accounts("dev_1", false), accounts("dev_1", true));
        assert_eq!((shown.name(1_000), shown.path("/home/alice/x")), ("alice".into(), "/home/alice/x".into()));
        let name = hidden.name(1_000);
        assert!(name.starts_with("person-") && name.len() == 15, "{name}");
        assert_eq!(hidden.path("/home/alice/x"), format!("~{name}/x"));
        assert_eq!(hidden.name(1_000), name, "the same at every look");
        assert_ne!(hidden.name(1_001), name);
        assert_ne!(accounts("dev_2", false).name(1_000), name);
    }

    #[test]
    fn what_is_no_person_is_not_masked() {
        let hidden = accounts("dev_1", false);
        assert_eq!(
            (hidden.name(0), hidden.name(65_534), hidden.name(33)),
            ("root".into(), "65534".into(), "33".into())
        );
        for path in ["/usr/bin/x", "/home/alicex/x", "/root/x"] {
            assert_eq!(hidden.path(path), path);
        }
    }
}
