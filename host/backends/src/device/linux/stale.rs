//! Services that still run what an upgrade has replaced: what needrestart looks for, read where it reads it.
//!
//! A file that is mapped as code and is no longer where it was is in memory only; the kernel marks it ` (deleted)`. Whose
//! process that is, says its control group.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use procfs::process::{MMPermissions, MMapPath, MemoryMaps};
use procfs::{FromBufRead, ProcessCGroups};

use crate::facts::Root;
use crate::service::service_of;

/// The most bytes that are read of one process's mappings: the kernel allows 65,530, of about a hundred bytes.
const MAPS_BYTES_MAX: u64 = 16 << 20;
/// The most processes that are looked at.
const PROCESSES_MAX: usize = 131_072;
/// Where programs and libraries come from that an upgrade replaces. What is deleted elsewhere was often never meant to stay:
/// what a compiler at run time writes, and shared memory.
const INSTALLED: [&str; 6] = ["/usr/", "/lib", "/bin/", "/sbin/", "/opt/", "/snap/"];
const DELETED: &str = " (deleted)";

/// Their names as `service` has them, sorted. What this process may not look at is left out.
pub(super) fn services(root: &Root) -> Vec<String> {
    let (own, base) = (namespace(root, "self"), base(root));
    let pids = root.names("proc").into_iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let stale = pids.take(PROCESSES_MAX).filter(|pid| namespace(root, pid) == own).filter_map(|pid| {
        let group = group(root, &pid)?;
        let service = service(group.strip_prefix(&base)?)?;
        runs_deleted(root, &pid).then_some(service)
    });
    stale.collect::<BTreeSet<String>>().into_iter().collect()
}

/// The processes of a container are its own affair: what is deleted there is no file of this system.
fn namespace(root: &Root, pid: &str) -> Option<PathBuf> {
    root.path(&format!("proc/{pid}/ns/pid")).read_link().ok()
}

/// Where systemd's own tree begins: of a host that is itself in a container that is not `/`.
fn base(root: &Root) -> String {
    let first = group(root, "1").unwrap_or_default();
    first.trim_end_matches("/init.scope").trim_end_matches('/').to_owned()
}

/// The group in systemd's own hierarchy, of the first version or the second.
fn group(root: &Root, pid: &str) -> Option<String> {
    let (bytes, _) = root.read(&format!("proc/{pid}/cgroup"), 64 << 10).ok()?;
    let groups = ProcessCGroups::from_buf_read(String::from_utf8_lossy(&bytes).as_bytes()).ok()?;
    let named = groups.0.iter().find(|group| group.controllers.iter().any(|name| name == "name=systemd"));
    named.or_else(|| groups.0.iter().find(|group| group.hierarchy == 0)).map(|group| group.pathname.clone())
}

/// What a person who is logged in runs is no service.
fn service(group: &str) -> Option<String> {
    (!group.starts_with("/user.slice/")).then(|| service_of(&format!("0::{group}")))?
}

fn runs_deleted(root: &Root, pid: &str) -> bool {
    let Ok((bytes, _)) = root.read(&format!("proc/{pid}/maps"), MAPS_BYTES_MAX) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let Ok(maps) = MemoryMaps::from_buf_read(text.as_bytes()) else { return false };
    maps.0.iter().filter(|map| map.perms.contains(MMPermissions::EXECUTE)).any(|map| match &map.pathname {
        MMapPath::Path(path) => is_deleted(path),
        _ => false,
    })
}

fn is_deleted(path: &Path) -> bool {
    let path = path.to_string_lossy();
    path.ends_with(DELETED) && INSTALLED.iter().any(|folder| path.starts_with(folder))
}
