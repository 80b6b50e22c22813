//! Managed hosts: a real Debian with systemd, D-Bus, journald and apt, booted in about a second, thrown away after the test.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::keeper::Keeper;
use crate::{Root, base, names, processes};

/// A boot takes 1.5 s alone, and many times that when every core compiles.
const BOOT_S_MAX: u64 = 90;
/// One command inside a host.
const COMMAND_S_MAX: u64 = 120;

/// A managed host that is up. It ends with this value, and with this process, whatever happens; its disk goes too.
pub struct Host {
    keeper: Keeper,
    folder: TempDir,
}

/// A managed host that is not up yet: what is on its disk beside Debian.
pub struct Prepared {
    root: Root,
    name: String,
    folder: TempDir,
}

impl Prepared {
    /// With a file there, its folders made.
    #[must_use]
    pub fn with_file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let target = self.seed(path);
        fs::write(&target, content).unwrap();
        set_mode(&target, 0o644);
        self
    }

    /// With a program of this machine. What lies in the seed the host never writes to: where it can be it is the same file, as a
    /// program takes hundreds of megabytes, and a scenario several hosts.
    #[must_use]
    pub fn with_program(self, path: &str, from: &Path) -> Self {
        let target = self.seed(path);
        let is_as_it_should = fs::metadata(from).unwrap().permissions().mode() & 0o7777 == 0o755;
        if !(is_as_it_should && fs::hard_link(from, &target).is_ok()) {
            fs::copy(from, &target).unwrap();
            set_mode(&target, 0o755);
        }
        self
    }

    /// With this unit started at boot.
    #[must_use]
    pub fn with_unit(self, name: &str, content: &str) -> Self {
        let prepared = self.with_file(&format!("/etc/systemd/system/{name}"), content);
        let wanted = prepared.seed(&format!("/etc/systemd/system/multi-user.target.wants/{name}"));
        std::os::unix::fs::symlink(format!("../{name}"), wanted).unwrap();
        prepared
    }

    /// With this unit out of the way.
    #[must_use]
    pub fn with_masked(self, unit: &str) -> Self {
        let path = self.seed(&format!("/etc/systemd/system/{unit}"));
        std::os::unix::fs::symlink("/dev/null", path).unwrap();
        self
    }

    /// Boots, and waits until systemd says `running`: a host with a failed unit is no host to test on.
    pub fn boot(self) -> Host {
        let keeper = Keeper::start(&base::folder(self.root), self.folder.path(), &self.name);
        let mut host = Host { keeper, folder: self.folder };
        host.wait_until_running();
        host
    }

    /// Where this path of the host lies before it boots.
    fn seed(&self, path: &str) -> PathBuf {
        let mut target = self.folder.path().join("seed");
        let mut names = path.trim_start_matches('/').split('/').peekable();
        while let Some(name) = names.next() {
            target.push(name);
            if names.peek().is_some() && !target.exists() {
                make_folder(&target);
            }
        }
        target
    }
}

impl Host {
    /// A host to be, with no network and no apt repository.
    pub fn prepare(root: Root) -> Prepared {
        names::left_behind(&std::env::temp_dir()).iter().for_each(|it| drop(fs::remove_dir_all(it)));
        let name = names::new();
        let folder = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir().unwrap();
        for name in ["seed", "disk", "root"] {
            make_folder(&folder.path().join(name));
        }
        Prepared { root, name, folder }
            .with_file("/etc/hostname", "managed\n")
            .with_file("/etc/hosts", "127.0.0.1 localhost managed\n")
            .with_file("/etc/apt/sources.list", "")
            // What does not stop by itself is killed in good time: systemd's own 90 s are as long as a boot may take here.
            .with_file("/etc/systemd/system.conf.d/stop.conf", "[Manager]\nDefaultTimeoutStopSec=15s\n")
            .with_masked("systemd-networkd-wait-online.service")
    }

    /// Boots one as it is.
    pub fn boot(root: Root) -> Self {
        Self::prepare(root).boot()
    }

    /// Runs a command inside, which must succeed, and answers what it wrote to stdout.
    pub fn run(&self, command: &[&str]) -> String {
        let output = self.output(command);
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
        stdout.into_owned()
    }

    /// Runs a command inside, and answers all of it.
    pub fn output(&self, command: &[&str]) -> Output {
        self.command(command).output().unwrap()
    }

    /// A command that will run inside: as root, in `/`, with a clean environment, and not for ever.
    pub fn command(&self, command: &[&str]) -> Command {
        inside(self.leader().expect("the host is up"), command)
    }

    /// Its first process, as this machine counts processes. Another one after a reboot.
    pub fn leader(&self) -> Option<u32> {
        self.keeper.leader()
    }

    /// Where its disk lies for this process, also between two boots. What it mounts itself (`/run`, `/tmp`) is not there.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.keeper.root().expect("the disk is there from the boot on").join(inside.trim_start_matches('/'))
    }

    /// The socket of its system bus, for this process to connect to. Another one after a reboot.
    pub fn system_bus(&self) -> PathBuf {
        system_bus(self.leader().expect("the host is up"))
    }

    /// What the kernel calls this boot.
    pub fn boot_id(&self) -> String {
        boot_id(self.leader().expect("the host is up")).expect("systemd runs")
    }

    /// Waits until somebody's reboot is over and it runs again.
    pub fn wait_for_reboot_after(&mut self, before: &str) {
        self.wait(|host| boot_id(host.leader()?).filter(|now| now != before));
        self.wait_until_running();
    }

    /// Its power goes: nothing of it runs on, and what is on its disk stays.
    pub fn power_off(&mut self) {
        fs::write(self.dark(), "").unwrap();
        let leader = self.leader().and_then(|leader| rustix::process::Pid::from_raw(i32::try_from(leader).unwrap()));
        rustix::process::kill_process(leader.expect("the host is up"), rustix::process::Signal::KILL).unwrap();
        self.wait(|host| host.leader().is_none().then_some(()));
    }

    /// Its power is there again, and it boots.
    pub fn power_on(&mut self) {
        fs::remove_file(self.dark()).unwrap();
        self.wait_until_running();
    }

    fn dark(&self) -> PathBuf {
        self.folder.path().join("dark")
    }

    /// What it wrote to its console.
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.path().join("console")).unwrap()).into_owned()
    }

    /// Why it is not up: what it says, and what its processes do, which tell it also when it has no first process.
    fn evidence(&self) -> String {
        let jobs = self.leader().and_then(|it| inside(it, &["systemctl", "list-jobs", "--no-pager"]).output().ok());
        let jobs = jobs.map(|it| String::from_utf8_lossy(&it.stdout).into_owned()).unwrap_or_default();
        // All of this process, because a command that was put into the host is no child of it.
        format!("{}\n{jobs}\n{}", self.console(), processes::below(std::process::id()))
    }

    fn wait_until_running(&mut self) {
        let state = self.wait(|host| {
            let leader = host.leader().filter(|&leader| system_bus(leader).exists())?;
            let output = inside(leader, &["systemctl", "is-system-running", "--wait"]).output().unwrap();
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (!["", "offline", "initializing", "starting"].contains(&state.as_str())).then_some(state)
        });
        if state != "running" {
            panic!("the host is {state}\n{}\n{}", self.run(&["systemctl", "--failed", "--no-pager"]), self.console());
        }
    }

    fn wait<T>(&mut self, mut ready: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(BOOT_S_MAX);
        loop {
            if let Some(it) = ready(self) {
                return it;
            }
            assert!(!self.keeper.is_over(), "the host ended:\n{}", self.console());
            assert!(Instant::now() < deadline, "the host is not up after {BOOT_S_MAX} s:\n{}", self.evidence());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn system_bus(leader: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{leader}/root/run/dbus/system_bus_socket"))
}

/// Read without a command inside, which a shutdown would have to kill: systemd hears nothing of the death of a process that is
/// not its child, and looks again only after 10 s.
fn boot_id(leader: u32) -> Option<String> {
    let id = fs::read_to_string(format!("/proc/{leader}/root/proc/sys/kernel/random/boot_id")).ok()?;
    Some(id.trim().to_owned())
}

/// A command that will run where `leader` does.
///
/// Two nsenter, and neither waits for the command: one that does stops itself when its child is stopped, which a shutdown does to
/// every process, and then the dead child, which nobody takes note of, keeps the host from going down. `timeout` takes note.
fn inside(leader: u32, command: &[&str]) -> Command {
    let leader = leader.to_string();
    let mut inside = Command::new("/usr/bin/nsenter");
    inside
        .args(["--pid", "--no-fork", "--target", &leader, "--"])
        .args(["/usr/bin/timeout", "--signal=KILL", &COMMAND_S_MAX.to_string()])
        .args(["/usr/bin/nsenter", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--wdns=/"])
        .args(["--target", &leader, "--"])
        .args(command)
        .env_clear()
        .envs([("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), ("LC_ALL", "C.UTF-8"), ("HOME", "/root")])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    inside
}

/// What is on top of an overlay gives a folder its mode.
fn make_folder(path: &Path) {
    fs::create_dir(path).unwrap();
    set_mode(path, 0o755);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
