//! Apt repositories, made on the spot from packages that exist nowhere else.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Host;

/// A package to be built.
#[derive(Clone)]
pub struct Package {
    name: String,
    version: String,
    fields: String,
    files: Vec<(String, String)>,
    postinst: Option<String>,
}

impl Package {
    /// A package that holds nothing.
    pub fn new(name: &str, version: &str) -> Self {
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { name, version, fields: String::new(), files: Vec::new(), postinst: None }
    }

    /// With one more field of control: `with("Depends", "libc6")`.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Self {
        writeln!(self.fields, "{field}: {value}").unwrap();
        self
    }

    /// With a file. Below `/etc` it is a configuration file, which dpkg asks about when both sides changed it.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.to_owned()));
        self
    }

    /// With a script that runs when it is configured.
    #[must_use]
    pub fn with_postinst(mut self, script: &str) -> Self {
        self.postinst = Some(format!("#!/bin/sh\nset -e\n{script}\n"));
        self
    }

    /// Asks for a reboot when it is configured, as a kernel does.
    #[must_use]
    pub fn wants_reboot(self) -> Self {
        let script = format!("touch /run/reboot-required\necho {} >>/run/reboot-required.pkgs", self.name);
        self.with_postinst(&script)
    }

    /// Builds it into `folder`.
    fn build(&self, folder: &Path) {
        let tree = tempfile::tempdir().unwrap();
        let write = |path: &str, content: &str, mode: u32| {
            let file = tree.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, content).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        };
        write("DEBIAN/control", &self.control(), 0o644);
        for (path, content) in &self.files {
            write(path, content, 0o644);
        }
        let conffiles: String = self
            .files
            .iter()
            .filter(|(path, _)| path.starts_with("/etc/"))
            .flat_map(|(path, _)| [path, "\n"])
            .collect();
        if !conffiles.is_empty() {
            write("DEBIAN/conffiles", &conffiles, 0o644);
        }
        if let Some(script) = &self.postinst {
            write("DEBIAN/postinst", script, 0o755);
        }
        fs::set_permissions(tree.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let target = folder.join(format!("{}_{}_all.deb", self.name, self.version));
        let mut command = Command::new("/usr/bin/dpkg-deb");
        // Compressing nothing takes longer than building it.
        tool(command.args(["--root-owner-group", "-Znone", "--build"]).arg(tree.path()).arg(target));
    }

    fn control(&self) -> String {
        let Self { name, version, fields, .. } = self;
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Nobody <nobody@example.com>\n\
             Description: a package for tests\n{fields}"
        )
    }
}

/// Where packages come from, as apt shows it.
#[derive(Clone, Copy)]
pub struct Origin {
    /// `stable`: what a preference may name.
    pub suite: &'static str,
    /// `bookworm`: what sources.list names here.
    pub codename: &'static str,
    /// `Debian`.
    pub origin: &'static str,
    /// `Debian`, or `Debian-Security`: apt's simulation shows it.
    pub label: &'static str,
}

/// As Debian's own archive calls itself.
pub const MAIN: Origin = Origin { suite: "stable", codename: "bookworm", origin: "Debian", label: "Debian" };
/// As Debian's security archive calls itself.
pub const SECURITY: Origin =
    Origin { suite: "stable-security", codename: "bookworm-security", origin: "Debian", label: "Debian-Security" };

/// A repository on a host's own disk, which the host trusts.
pub struct Repository<'a> {
    host: &'a Host,
    /// Where it is made: apt's tools find their way in an ordinary folder only.
    folder: TempDir,
}

/// Where the repository lies inside.
const FOLDER: &str = "/srv/apt";

impl<'a> Repository<'a> {
    /// An empty repository on this host, which knows no other.
    pub fn new(host: &'a Host) -> Self {
        fs::write(host.path("/etc/apt/sources.list"), "").unwrap();
        Self { host, folder: tempfile::tempdir().unwrap() }
    }

    /// Adds packages to what this origin offers. The host sees them after `apt-get update`.
    pub fn publish(&self, origin: &Origin, packages: &[Package]) {
        let Origin { suite, codename, origin, label } = origin;
        let top = self.folder.path();
        let (pool, dist) = (format!("pool/{codename}"), format!("dists/{codename}"));
        let index = top.join(&dist).join("main/binary-amd64");
        let is_new = !index.exists();
        fs::create_dir_all(top.join(&pool)).unwrap();
        fs::create_dir_all(&index).unwrap();
        for package in packages {
            package.build(&top.join(&pool));
        }
        let archive =
            |arguments: &[&str]| tool(Command::new("/usr/bin/apt-ftparchive").current_dir(top).args(arguments));
        fs::write(index.join("Packages"), archive(&["packages", &pool])).unwrap();
        let options = [("Suite", *suite), ("Codename", codename), ("Origin", origin), ("Label", label)]
            .map(|(name, value)| format!("APT::FTPArchive::Release::{name}={value}"));
        let options: Vec<&str> = options.iter().flat_map(|option| ["-o", option]).collect();
        let release = archive(&[&options[..], &["release", &dist]].concat());
        fs::write(top.join(&dist).join("Release"), release).unwrap();
        let inside = self.host.path(FOLDER);
        fs::create_dir_all(&inside).unwrap();
        tool(Command::new("/usr/bin/cp").args(["-r", "pool", "dists"]).arg(inside).current_dir(top));
        if is_new {
            let sources = self.host.path("/etc/apt/sources.list");
            let listed = fs::read_to_string(&sources).unwrap();
            fs::write(sources, format!("{listed}deb [trusted=yes] file:{FOLDER} {codename} main\n")).unwrap();
        }
    }

    /// Installs packages as they are, from no origin: what was there before.
    pub fn install(&self, packages: &[Package]) {
        let folder = self.host.path("/var/tmp");
        for package in packages {
            package.build(&folder);
        }
        self.host.run(&["sh", "-c", "dpkg --install /var/tmp/*.deb && rm /var/tmp/*.deb"]);
    }
}

/// Gives a host every kind of pending update: `probe-plain`, `probe-library`, `probe-tool` (which asks for a reboot),
/// `probe-conf` (with a configuration file that both sides changed), `probe-security` from the security origin, `probe-held`
/// on hold, and `probe-kept`, kept back because its new version needs what cannot be had.
pub fn pending_updates(host: &Host) -> Repository<'_> {
    let repository = Repository::new(host);
    let conf =
        |version: &str| Package::new("probe-conf", version).with_file("/etc/probe.conf", &format!("{version}\n"));
    let names = ["plain", "library", "tool", "security", "held", "kept"].map(|name| format!("probe-{name}"));
    let mut old: Vec<Package> = names.iter().map(|name| Package::new(name, "1.0")).collect();
    old.push(conf("1.0"));
    repository.install(&old);
    fs::write(host.path("/etc/probe.conf"), "changed by hand\n").unwrap();
    repository.publish(
        &MAIN,
        &[
            Package::new("probe-plain", "2.0"),
            Package::new("probe-library", "2.0"),
            Package::new("probe-tool", "2.0").wants_reboot(),
            conf("2.0"),
            Package::new("probe-held", "2.0"),
            Package::new("probe-kept", "2.0").with("Depends", "probe-nowhere"),
        ],
    );
    repository.publish(&SECURITY, &[Package::new("probe-security", "2.0")]);
    host.run(&["apt-mark", "hold", "probe-held"]);
    host.run(&["apt-get", "update"]);
    repository
}

fn tool(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
