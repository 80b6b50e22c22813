//! How a program becomes what machines install: a package of Debian, and an archive for where there is none. `cargo xtask dist` has
//! it made of a release, and tests of what they run anyway.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::built;

/// The units, as `remit agent install` writes them: a test of theirs holds these against the code.
const UNITS: [&str; 3] = ["remit-executor.service", "remit-agent.service", "remit-upgrade.service"];
const KEPT: &str = "host/cli/src/agent/install/kept";

/// Where the package's own program lies. What is started is `/usr/lib/remit/remit`, a link to it, or to what came by order.
const PROGRAM: &str = "usr/lib/remit/base/remit";

/// The machine types of ELF, in Debian's words and in Rust's.
const MACHINES: [(u16, &str, &str); 2] = [(62, "amd64", "x86_64"), (183, "arm64", "aarch64")];

/// It runs where systemd runs, and where it does not somebody starts it.
const POSTINST: &str = r#"#!/bin/sh
set -e
if [ "$1" = configure ]; then
    if [ -d /run/systemd/system ]; then
        /usr/lib/remit/base/remit agent install --packaged >/dev/null
    else
        /usr/lib/remit/base/remit agent install --packaged --init systemd --no-start >/dev/null
    fi
fi
"#;

/// What it remembers stays, and so do its orders and its configuration.
const PRERM: &str = r#"#!/bin/sh
set -e
if [ "$1" = remove ]; then
    /usr/lib/remit/base/remit agent uninstall --packaged --init systemd >/dev/null
fi
"#;

const POSTRM: &str = r#"#!/bin/sh
set -e
if [ "$1" = purge ]; then
    rm -rf /var/lib/remit /etc/remit/orders.d /usr/lib/remit
    if [ -d /etc/remit ]; then rmdir --ignore-fail-on-non-empty /etc/remit; fi
    if getent passwd remit >/dev/null; then userdel remit; fi
fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
"#;

/// For whoever unpacks the archive.
const INSTALL: &str = "./remit agent install --binary      # as root: copies it to /usr/local/bin, and has it started with the machine\n\
    remit agent join URL TOKEN\n";

/// What was made.
#[derive(Clone, Debug)]
pub struct Made {
    /// The version that the program tells.
    pub version: String,
    /// The package.
    pub deb: PathBuf,
    /// The archive.
    pub tarball: PathBuf,
    /// The program, as both have it: what is signed for `remit fleet upgrade`.
    pub program: PathBuf,
}

/// How small it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As small as it goes, which takes a minute.
    Small,
    /// Soon.
    Soon,
}

/// Makes both of a program, with symbols or without, into a folder. The same program and the same time, in seconds since 1970, make the
/// same bytes.
pub fn make(program: &Path, into: &Path, epoch_s: u64, size: Size) -> Made {
    let stage = TempDir::with_prefix("remit-dist-").unwrap();
    let stripped = stage.path().join("remit");
    strip(program, &stripped);
    let version = version_of(&stripped);
    let (debian, rust) = machine_of(&stripped);
    let made = Made {
        deb: into.join(format!("remit_{version}_{debian}.deb")),
        tarball: into.join(format!("remit-{version}-{rust}-linux.tar.gz")),
        program: into.join(format!("remit-{version}-{rust}-linux")),
        version,
    };
    fs::create_dir_all(into).unwrap();
    fs::copy(&stripped, &made.program).unwrap();
    package(&stripped, &made, debian, stage.path(), (epoch_s, size));
    archive(&stripped, &made, stage.path(), epoch_s);
    made
}

/// A copy without symbols.
pub fn strip(program: &Path, to: &Path) {
    run(Command::new("strip").arg("--strip-all").arg("-o").arg(to).arg(program));
    set_mode(to, 0o755);
}

fn package(program: &Path, made: &Made, machine: &str, stage: &Path, (epoch_s, size): (u64, Size)) {
    let root = stage.join("package");
    let put = |path: &str, content: &[u8], mode| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        set_mode(&path, mode);
    };
    put(PROGRAM, &fs::read(program).unwrap(), 0o755);
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    symlink("../lib/remit/remit", root.join("usr/bin/remit")).unwrap();
    for unit in UNITS {
        let text = fs::read_to_string(built::repository().join(KEPT).join(unit)).unwrap();
        // Its first line says who wrote it.
        let (_, text) = text.split_once('\n').unwrap();
        let text = format!("# Of the package `remit`: what is to differ goes into a drop-in.\n{text}");
        put(&format!("usr/lib/systemd/system/{unit}"), text.as_bytes(), 0o644);
    }
    put("etc/remit/agent.toml", said(Command::new(program).args(["agent", "config"])).as_bytes(), 0o644);
    let repository = |name: &str| fs::read(built::repository().join(name)).unwrap();
    put("usr/share/doc/remit/copyright", &repository("LICENSE"), 0o644);
    put("usr/share/doc/remit/changelog", &repository("CHANGELOG.md"), 0o644);
    run(Command::new("gzip").args(["-9n"]).arg(root.join("usr/share/doc/remit/changelog")));
    let sums = said(
        Command::new("sh").current_dir(&root).args(["-c", "find etc usr -type f -print0 | sort -z | xargs -0 md5sum"]),
    );
    put("DEBIAN/md5sums", sums.as_bytes(), 0o644);
    put("DEBIAN/conffiles", b"/etc/remit/agent.toml\n", 0o644);
    for (name, script) in [("postinst", POSTINST), ("prerm", PRERM), ("postrm", POSTRM)] {
        put(&format!("DEBIAN/{name}"), script.as_bytes(), 0o755);
    }
    let kib =
        said(Command::new("du").args(["--summarize", "--apparent-size", "--block-size=1024"]).arg(root.join("usr")));
    let (version, kib) = (&made.version, kib.split_whitespace().next().unwrap().to_owned());
    let libc = libc_of(&fs::read(program).unwrap());
    let control = format!(
        "Package: remit\nVersion: {version}\nArchitecture: {machine}\nMaintainer: The Remit authors <remit@invalid>\n\
         Installed-Size: {kib}\nDepends: libc6 (>= {libc}), libgcc-s1, passwd, systemd\nRecommends: ca-certificates\n\
         Section: admin\nPriority: optional\n\
         Description: runs automation plugins on managed machines, within what they were granted\n \
         A plugin is a WebAssembly component that can touch a machine only through typed\n \
         host interfaces. This package has the agent, the hub and the command line.\n"
    );
    put("DEBIAN/control", control.as_bytes(), 0o644);
    let small: &[&str] = if size == Size::Small { &["-Zxz"] } else { &["-Zgzip", "-z1"] };
    let mut build = Command::new("dpkg-deb");
    build.args(["--root-owner-group"]).args(small).arg("--build").arg(&root).arg(&made.deb);
    run(build.env("SOURCE_DATE_EPOCH", epoch_s.to_string()));
}

fn archive(program: &Path, made: &Made, stage: &Path, epoch_s: u64) {
    let name = format!("remit-{}", made.version);
    let root = stage.join(&name);
    fs::create_dir(&root).unwrap();
    fs::copy(program, root.join("remit")).unwrap();
    for file in ["LICENSE", "CHANGELOG.md"] {
        fs::copy(built::repository().join(file), root.join(file)).unwrap();
        set_mode(&root.join(file), 0o644);
    }
    fs::write(root.join("INSTALL"), INSTALL).unwrap();
    set_mode(&root.join("INSTALL"), 0o644);
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu", "-I", "gzip -n"]);
    tar.arg(format!("--mtime=@{epoch_s}")).arg("-C").arg(stage).arg("-cf").arg(&made.tarball);
    run(tar.arg(&name));
}

/// What a program says that it is.
pub fn version_of(program: &Path) -> String {
    let told = said(Command::new(program).arg("--version"));
    told.trim().strip_prefix("remit ").expect("it is `remit`").to_owned()
}

fn machine_of(program: &Path) -> (&'static str, &'static str) {
    let bytes = fs::read(program).unwrap();
    let machine = u16::from_le_bytes([bytes[18], bytes[19]]);
    let (_, debian, rust) = MACHINES.iter().find(|(number, ..)| *number == machine).expect("a machine that is known");
    (debian, rust)
}

/// The newest version of libc of which it needs something.
fn libc_of(program: &[u8]) -> String {
    let mark = b"GLIBC_2.";
    let minor = |at: usize| {
        let digits: Vec<u8> = program[at + mark.len()..].iter().copied().take_while(u8::is_ascii_digit).collect();
        String::from_utf8(digits).unwrap().parse::<u32>().ok()
    };
    let starts = program.iter().enumerate().filter(|(_, it)| **it == b'G').map(|(at, _)| at);
    let found = starts.filter(|at| program[*at..].starts_with(mark)).filter_map(minor).max();
    format!("2.{}", found.expect("it is dynamic against libc"))
}

/// The digest of a file, as `sha256sum` writes it.
pub fn digest_of(path: &Path) -> String {
    hex::encode(Sha256::digest(fs::read(path).unwrap()))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn run(command: &mut Command) {
    drop(said(command));
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let wrong = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{wrong}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
