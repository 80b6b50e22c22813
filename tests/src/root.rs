//! Tests that need root say so, and never pass without it unseen.

use crate::harness;

/// This process may make managed hosts: it is root, and everything is installed.
#[derive(Clone, Copy)]
pub struct Root(());

/// Answers [`Root`]. Without it the test fails with what is missing; `cargo xtask test --no-root` leaves it out, named and
/// counted.
#[macro_export]
macro_rules! need_root {
    () => {{
        fn here() {}
        match $crate::required(std::any::type_name_of_val(&here)) {
            Some(root) => root,
            None => return,
        }
    }};
}

/// What managed hosts are made with, and the Debian package that has it.
const PROGRAMS: [(&str, &str); 11] = [
    ("/usr/bin/apt-ftparchive", "apt-utils"),
    ("/usr/bin/dpkg-deb", "dpkg"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/bin/nbdfuse", "libnbd-bin"),
    ("/usr/bin/nbdkit", "nbdkit"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/usr/bin/setpriv", "util-linux"),
    ("/usr/bin/systemd-nspawn", "systemd-container"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/sbin/losetup", "mount"),
    ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
];

/// Behind [`need_root!`]: `here` is the path of a function inside the test.
pub fn required(here: &str) -> Option<Root> {
    let name = harness::name(here);
    if std::env::var_os("REMIT_TESTS_WITHOUT_ROOT").is_some() {
        harness::tell(&format!("skipped: {name}"));
        return None;
    }
    let missing = missing();
    assert!(
        missing.is_empty(),
        "{name} needs {}; `cargo xtask test` as root installs what it can, `cargo xtask test --no-root` leaves it out",
        missing.join(", ")
    );
    Some(Root(()))
}

fn missing() -> Vec<String> {
    let mut missing = Vec::new();
    if !rustix::process::geteuid().is_root() {
        missing.push("root".to_owned());
    }
    for (program, package) in PROGRAMS {
        if !std::path::Path::new(program).exists() {
            missing.push(format!("{program} (Debian package {package})"));
        }
    }
    missing
}
