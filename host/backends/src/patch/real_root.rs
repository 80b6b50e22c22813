//! A Debian system in a folder, with real updates pending from a repository of its own: made once, cached, and copied for
//! each test. Needs root, and the Debian packages mmdebstrap, dpkg-dev and apt-utils.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use model::SystemClock;
use sha2::{Digest, Sha256};
use store::Store;

use crate::{Policy, Shared};

use super::{Parts, real};

const CACHE: &str = "/var/cache/remit-tests";
/// Waits for the file `/go`, at most half a minute: an install that can be caught half-way.
const SLOW: &str = "#!/bin/sh\ni=0\nwhile [ ! -e /go ] && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done\n";
const BAD: &str = "#!/bin/sh\n[ -e /mended ] || exit 3\n";
const CHANGELOG: &str = "remit-sec (1.1) probe-security; urgency=high\n\n  * Fixes CVE-2026-1234 and CVE-2026-4321.\n\n \
    -- T <t@example.com>  Fri, 20 Nov 2026 10:00:00 +0000\n\nremit-sec (1.0) probe; urgency=low\n\n  * CVE-2020-0001\n\n \
    -- T <t@example.com>  Fri, 20 Nov 2020 10:00:00 +0000\n";

/// A package of the repository.
pub(super) struct Deb<'a> {
    pub(super) pool: &'a str,
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    /// More lines of its control file.
    pub(super) fields: &'a str,
    pub(super) postinst: &'a str,
}

/// What every package is at first, and what it could become.
const UPDATES: [Deb<'static>; 10] = [
    Deb { pool: "security", name: "remit-sec", version: "1.1", fields: "", postinst: "" },
    Deb { pool: "main", name: "remit-app", version: "2.0", fields: "", postinst: "" },
    Deb { pool: "main", name: "remit-held", version: "1.1", fields: "", postinst: "" },
    Deb { pool: "main", name: "remit-kept", version: "2.0", fields: "Depends: remit-new\n", postinst: "" },
    Deb { pool: "main", name: "remit-phased", version: "1.1", fields: "Phased-Update-Percentage: 0\n", postinst: "" },
    Deb { pool: "main", name: "remit-stuck", version: "1.1", fields: "Depends: remit-missing\n", postinst: "" },
    Deb { pool: "main", name: "remit-conf", version: "1.1", fields: "", postinst: "" },
    Deb { pool: "main", name: "remit-bad", version: "1.1", fields: "", postinst: BAD },
    Deb { pool: "main", name: "remit-slow", version: "1.1", fields: "", postinst: SLOW },
    Deb { pool: "main", name: "linux-image-remit", version: "1.1", fields: "", postinst: "" },
];

/// Runs a program, which must succeed.
#[expect(clippy::disallowed_methods, reason = "tests make the systems that they look at")]
pub(super) fn must(command: &[&str]) -> String {
    let output = std::process::Command::new(command[0])
        .args(&command[1..])
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}: is its Debian package installed?", command[0]));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A copy of the system, gone when it is dropped.
pub(super) struct Root {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Root {
    pub(super) fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "tests of apt change a system, and so need root");
        let folder = tempfile::tempdir().unwrap();
        let root = Self { folder, store: Arc::new(Store::in_memory().unwrap()) };
        std::fs::create_dir(root.path()).unwrap();
        must(&["tar", "-C", root.text(), "-xf", prepared().to_str().unwrap()]);
        root
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn text(&self) -> &'static str {
        // A few bytes a test: what a test calls takes plain strings.
        Box::leak(self.path().display().to_string().into_boxed_str())
    }

    /// The device, with this `[patch]` of policy. Every call gives another host over the same store.
    pub(super) fn device(&self, policy: &str) -> Parts {
        real(&self.shared(policy))
    }

    /// What its backends share.
    pub(super) fn shared(&self, policy: &str) -> Shared {
        let policy = Policy { patch: toml::from_str(policy).unwrap(), ..Policy::default() };
        let shared = Shared::in_memory(Arc::new(SystemClock)).unwrap();
        let (root, folder) = (self.path(), self.folder.path().join("state"));
        Shared { store: Arc::clone(&self.store), policy: Arc::new(policy), root, folder, ..shared }
    }

    /// Runs a program inside.
    pub(super) fn inside(&self, command: &[&str]) -> String {
        must(&[&["chroot", self.text()], command].concat())
    }

    pub(super) fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path().join(path), text).unwrap();
    }

    /// Makes a package for the repository, which is not in its index yet.
    pub(super) fn build(&self, deb: &Deb<'_>) {
        build(&self.path(), deb);
    }

    /// Adds a package to the repository.
    pub(super) fn publish(&self, deb: &Deb<'_>) {
        build(&self.path(), deb);
        index(&self.path());
        self.inside(&["apt-get", "-qq", "update"]);
    }

    /// The `Inst` lines of apt itself, each as an id.
    pub(super) fn inst(&self) -> Vec<String> {
        let output = self.inside(&["apt-get", "-s", "dist-upgrade"]);
        let id = |line: &str| {
            let mut words = line.strip_prefix("Inst ")?.split(' ');
            let product = words.next()?;
            let version = words.find_map(|word| word.strip_prefix('('))?;
            Some(format!("apt:{product}@{version}"))
        };
        let mut ids: Vec<String> = output.lines().filter_map(id).collect();
        ids.sort();
        ids
    }

    pub(super) fn version(&self, product: &str) -> String {
        self.inside(&["dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", product])
    }
}

/// The tar of the system with everything in place, made anew when this file changes.
fn prepared() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut name = String::new();
    let recipe = Sha256::digest(include_str!("real_root.rs"));
    recipe.iter().take(6).for_each(|byte| write!(name, "{byte:02x}").unwrap());
    let tar = Path::new(CACHE).join(format!("apt-{name}.tar"));
    if !tar.exists() {
        std::fs::create_dir_all(CACHE).unwrap();
        let folder = tempfile::tempdir_in(CACHE).unwrap();
        prepare(folder.path());
        let fresh = tar.with_extension(std::process::id().to_string());
        must(&["tar", "-C", folder.path().to_str().unwrap(), "-cf", fresh.to_str().unwrap(), "."]);
        let others = std::fs::read_dir(CACHE).unwrap().map(|entry| entry.unwrap().path());
        let is_old = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("apt-") && name.ends_with(".tar") && !name.contains("-base-")
        };
        others.filter(is_old).for_each(|path| std::fs::remove_file(path).unwrap());
        std::fs::rename(fresh, &tar).unwrap();
    }
    tar
}

/// Debian without anything that is not needed for apt; fetched once.
fn base() -> PathBuf {
    let tar = Path::new(CACHE).join("apt-base-bookworm.tar");
    if !tar.exists() {
        let fresh = tar.with_extension(format!("{}.tar", std::process::id()));
        let options = ["mmdebstrap", "--variant=apt", "--quiet", "--dpkgopt=path-exclude=/usr/share/locale/*"];
        must(&[&options[..], &["bookworm", fresh.to_str().unwrap()]].concat());
        std::fs::rename(fresh, &tar).unwrap();
    }
    tar
}

fn prepare(root: &Path) {
    let text = root.to_str().unwrap();
    must(&["tar", "-C", text, "-xf", base().to_str().unwrap()]);
    for update in &UPDATES {
        let first = Deb { pool: "main", version: "1.0", fields: "", postinst: "", ..*update };
        build(root, &first);
    }
    let pool = std::fs::read_dir(root.join("repository/pool/main")).unwrap();
    let first: Vec<String> =
        pool.map(|it| format!("/repository/pool/main/{}", it.unwrap().file_name().to_str().unwrap())).collect();
    let mut install = vec!["chroot", text, "dpkg", "-i"];
    install.extend(first.iter().map(String::as_str));
    must(&install);
    UPDATES.iter().for_each(|update| build(root, update));
    build(root, &Deb { pool: "main", name: "remit-new", version: "1.0", fields: "", postinst: "" });
    let changelogs = root.join("repository/changelogs/main/r/remit-sec");
    std::fs::create_dir_all(&changelogs).unwrap();
    std::fs::write(changelogs.join("remit-sec_1.1_changelog"), CHANGELOG).unwrap();
    index(root);
    let sources =
        "deb [trusted=yes] file:/repository probe main\ndeb [trusted=yes] file:/repository probe-security main\n";
    std::fs::write(root.join("etc/apt/sources.list"), sources).unwrap();
    std::fs::write(root.join("etc/apt/apt.conf.d/99phased"), "APT::Get::Never-Include-Phased-Updates \"true\";\n")
        .unwrap();
    must(&["chroot", text, "apt-mark", "hold", "remit-held"]);
    must(&["chroot", text, "apt-get", "-qq", "update"]);
}

fn build(root: &Path, deb: &Deb<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("DEBIAN");
    std::fs::create_dir_all(&control).unwrap();
    std::fs::create_dir_all(folder.path().join("etc")).unwrap();
    let Deb { name, version, fields, .. } = deb;
    let text = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.com>\n{fields}Description: a test\n"
    );
    std::fs::write(control.join("control"), text).unwrap();
    std::fs::write(folder.path().join(format!("etc/{name}.conf")), format!("{version}\n")).unwrap();
    std::fs::write(control.join("conffiles"), format!("/etc/{name}.conf\n")).unwrap();
    if !deb.postinst.is_empty() {
        std::fs::write(control.join("postinst"), deb.postinst).unwrap();
        must(&["chmod", "755", control.join("postinst").to_str().unwrap()]);
    }
    let pool = root.join("repository/pool").join(deb.pool);
    std::fs::create_dir_all(&pool).unwrap();
    must(&["chmod", "755", folder.path().to_str().unwrap()]);
    must(&["dpkg-deb", "--root-owner-group", "-b", folder.path().to_str().unwrap(), pool.to_str().unwrap()]);
}

fn index(root: &Path) {
    let repository = root.join("repository");
    for (pool, suite, label) in [("main", "probe", "Probe"), ("security", "probe-security", "Probe-Security")] {
        let folder = format!("dists/{suite}");
        std::fs::create_dir_all(repository.join(&folder).join("main/binary-amd64")).unwrap();
        let at = |arguments: &[&str]| {
            let options: Vec<String> = [("Origin", "Probe"), ("Label", label), ("Suite", suite), ("Codename", suite)]
                .iter()
                .map(|(name, value)| format!("APT::FTPArchive::Release::{name}={value}"))
                .collect();
            let mut command = vec!["env", "-C", repository.to_str().unwrap(), "apt-ftparchive"];
            options.iter().for_each(|option| command.extend(["-o", option.as_str()]));
            must(&[&command[..], arguments].concat())
        };
        let packages = at(&["packages", &format!("pool/{pool}")]);
        std::fs::write(repository.join(&folder).join("main/binary-amd64/Packages"), packages).unwrap();
        let _ = std::fs::remove_file(repository.join(&folder).join("Release"));
        let release = at(&["release", &folder]);
        let release = format!("Changelogs: file:///repository/changelogs/@CHANGEPATH@_changelog\n{release}");
        std::fs::write(repository.join(&folder).join("Release"), release).unwrap();
    }
}
