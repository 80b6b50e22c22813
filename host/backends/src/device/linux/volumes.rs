use std::collections::BTreeMap;

use contract::device::Volume;
use contract::types::Error;
use procfs::process::MountInfo;
use rustix::fs::StatVfsMountFlags;

use crate::attributes;
use crate::facts::Root;
use crate::facts::mounts::{mounts, statvfs};

use super::super::ITEMS_MAX;

/// File systems without a block device that hold data all the same. Those in user space are `fuse.` and a name; an overlay
/// holds data where it is the root, as in a container.
const DATA_WITHOUT_DEVICE: [&str; 13] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "9p",
    "virtiofs",
    "zfs",
    "btrfs",
    "bcachefs",
    "glusterfs",
    "lustre",
];
/// User-space file systems that show something else of this machine, as the desktop and LXC mount them.
const FUSE_WITHOUT_DATA: [&str; 4] = ["fuse.portal", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.snapfuse"];

pub(super) fn read(root: &Root) -> Result<Vec<Volume>, Error> {
    let with_device = with_device(root);
    let mut by_device: BTreeMap<String, MountInfo> = BTreeMap::new();
    for mount in mounts(root)?.into_iter().filter(|mount| holds_data(mount, &with_device)) {
        let known = by_device.get(&mount.majmin);
        if known.is_none_or(|known| rank(&mount) < rank(known)) {
            by_device.insert(mount.majmin.clone(), mount);
        }
    }
    let mut mounts: Vec<MountInfo> = by_device.into_values().collect();
    mounts.sort_by(|a, b| a.mount_point.cmp(&b.mount_point));
    Ok(mounts.into_iter().take(ITEMS_MAX).map(|mount| volume(root, mount)).collect())
}

/// Where a file system is mounted as a whole comes before where a part of it shows, then the shorter path.
fn rank(mount: &MountInfo) -> (bool, usize) {
    (mount.root != "/", mount.mount_point.as_os_str().len())
}

fn holds_data(mount: &MountInfo, with_device: &[String]) -> bool {
    let kind = mount.fs_type.as_str();
    with_device.iter().any(|known| known == kind)
        || DATA_WITHOUT_DEVICE.contains(&kind)
        || (kind.starts_with("fuse") && !FUSE_WITHOUT_DATA.contains(&kind) && kind != "fusectl")
        || (kind == "overlay" && mount.mount_point.as_os_str() == "/")
}

/// The kinds that the kernel mounts from a block device: the lines without `nodev`.
fn with_device(root: &Root) -> Vec<String> {
    let text = root.text("proc/filesystems").unwrap_or_default();
    text.lines().filter_map(|line| line.strip_prefix('\t')).map(|kind| kind.trim().to_owned()).collect()
}

fn volume(root: &Root, mount: MountInfo) -> Volume {
    let stat = statvfs(root, &mount);
    let error = stat.as_ref().err().map(|error| format!("errno-{}", error.raw_os_error().unwrap_or_default()));
    let (size_bytes, free_bytes, free_inodes, is_read_only) = match &stat {
        Ok(stat) => (
            stat.f_blocks * stat.f_frsize,
            stat.f_bavail * stat.f_frsize,
            (stat.f_files > 0).then_some(stat.f_favail),
            stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        ),
        Err(_) => (0, 0, None, mount.mount_options.contains_key("ro")),
    };
    let device = mount.mount_source.unwrap_or_default();
    let block = format!("sys/dev/block/{}", mount.majmin);
    Volume {
        attributes: attributes::known([
            ("label", label(root, &device)),
            ("encrypted", encrypted(root, &block)),
            ("removable", removable(root, &block)),
            ("error", error),
        ]),
        mount: mount.mount_point.to_string_lossy().into_owned(),
        device,
        filesystem: mount.fs_type,
        size_bytes,
        free_bytes,
        free_inodes,
        read_only: is_read_only,
    }
}

/// udev links every labelled device by its label.
fn label(root: &Root, device: &str) -> Option<String> {
    let device = std::fs::canonicalize(root.path(device.strip_prefix('/')?)).ok()?;
    let labels = root.names("dev/disk/by-label");
    let found = labels.into_iter().find(|label| {
        std::fs::canonicalize(root.path(&format!("dev/disk/by-label/{label}"))).is_ok_and(|target| target == device)
    })?;
    Some(found.replace("\\x20", " "))
}

/// Whether the device, or one that it stands on, is a dm-crypt mapping.
fn encrypted(root: &Root, block: &str) -> Option<String> {
    if !root.has(block) {
        return None;
    }
    let is_crypt = |uuid: &str| root.line(uuid).is_some_and(|uuid| uuid.starts_with("CRYPT-"));
    let below = root.names(&format!("{block}/slaves"));
    let found = is_crypt(&format!("{block}/dm/uuid"))
        || below.iter().any(|slave| is_crypt(&format!("{block}/slaves/{slave}/dm/uuid")));
    Some(found.to_string())
}

/// A partition says it of its disk, which is the folder above.
fn removable(root: &Root, block: &str) -> Option<String> {
    let own = root.line(&format!("{block}/removable"));
    let flag = own.or_else(|| root.line(&format!("{block}/../removable")))?;
    Some((flag == "1").to_string())
}
