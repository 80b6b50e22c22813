//! The process that a managed host lives in, and dies with.
//!
//! Everything that a host needs of this machine, its mounts included, is in namespaces of one process, which the kernel kills
//! when the test's process ends, however that ends. So nothing is left behind to clean up, or to trip over.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};

use crate::cgroups::Cgroups;

/// Arguments: base, folder, name, then the control groups to enter. A reboot ends nspawn with 133, and then it starts again; one that
/// has no power waits for it.
const SCRIPT: &str = r#"
set -eu
base=$1 folder=$2 name=$3
shift 3
for group; do echo 0 >"$group"; done
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755,size=2g tmpfs "$folder/disk"
mkdir "$folder/disk/upper" "$folder/disk/work"
mount -t overlay -o "lowerdir=$folder/seed:$base,upperdir=$folder/disk/upper,workdir=$folder/disk/work" overlay "$folder/root"
touch "$folder/ready"
while :; do
  code=0
  systemd-nspawn --directory="$folder/root" --machine="$name" --quiet --register=no --keep-unit --private-network \
    --link-journal=no --resolv-conf=off --timezone=off --console=pipe --boot </dev/null || code=$?
  [ "$code" = 133 ] || [ -e "$folder/dark" ] || exit "$code"
  while [ -e "$folder/dark" ]; do sleep 0.05; done
done
"#;

/// The process of one host.
pub(crate) struct Keeper {
    child: Child,
    folder: PathBuf,
    // Dropped after `drop` has killed what is in them.
    _cgroups: Cgroups,
}

impl Keeper {
    /// Starts a host named `name` over `base`. In `folder` lie `seed`, which covers the base, and then the host's console.
    pub(crate) fn start(base: &Path, folder: &Path, name: &str) -> Self {
        let cgroups = Cgroups::new(name);
        let console = std::fs::File::create(folder.join("console")).unwrap();
        let mut command = Command::new("/usr/bin/setpriv");
        command
            .args(["--pdeathsig", "KILL", "/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child=KILL"])
            .args(["--mount-proc", "/bin/sh", "-c", SCRIPT, "keeper"])
            .args([base, folder, Path::new(name)])
            .args(cgroups.entries())
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console);
        Self { child: spawn(command).unwrap(), folder: folder.to_owned(), _cgroups: cgroups }
    }

    /// The host's root as the keeper sees it: also between two boots, but without what the host mounts itself.
    pub(crate) fn root(&self) -> Option<PathBuf> {
        let shell = children(self.child.id()).next()?;
        let path = PathBuf::from(format!("/proc/{shell}/root{}", self.folder.join("root").display()));
        self.folder.join("ready").exists().then_some(path)
    }

    /// The host's first process, while it is up.
    pub(crate) fn leader(&self) -> Option<u32> {
        let shell = children(self.child.id()).next()?;
        let nspawn = children(shell).next()?;
        children(nspawn)
            .find(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "systemd\n"))
    }

    /// It ended by itself: the host was shut down, or did not start.
    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn children(pid: u32) -> impl Iterator<Item = u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>().into_iter()
}

type Order = (Command, mpsc::Sender<io::Result<Child>>);

/// Starts a command from a thread that lives as long as this process: the kernel takes the end of the thread that started a
/// process for the end of its parent, and a test is a thread.
fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (send, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(send)
    });
    let (answer, child) = mpsc::channel();
    spawner.lock().unwrap().send((command, answer)).unwrap();
    child.recv().unwrap()
}
