use contract::types::Error;
use procfs::process::MountInfo;

use crate::facts::mounts::{mounts, statvfs};

use super::{Row, Source};

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for mount in mounts(&source.root)? {
        source.check_time()?;
        rows.push(row(source, &mount));
    }
    Ok(rows)
}

fn row(source: &Source, mount: &MountInfo) -> Row {
    let device = mount.mount_source.clone().unwrap_or_else(|| "none".to_owned());
    let alias = device.strip_prefix('/').and_then(|path| std::fs::canonicalize(source.root.path(path)).ok());
    let row = Row::default()
        .text("device_alias", alias.map_or_else(|| device.clone(), |path| path.to_string_lossy().into_owned()))
        .text("device", device)
        .text("path", mount.mount_point.to_string_lossy())
        .text("type", mount.fs_type.as_str())
        .text("flags", flags(mount));
    // What is unreachable has no sizes, and is mounted all the same.
    match statvfs(&source.root, mount) {
        Err(_) => row,
        Ok(stat) => row
            .number("blocks_size", stat.f_frsize)
            .number("blocks", stat.f_blocks)
            .number("blocks_free", stat.f_bfree)
            .number("blocks_available", stat.f_bavail)
            .number("inodes", stat.f_files)
            .number("inodes_free", stat.f_ffree),
    }
}

/// Options of the mount, then those of the file system, each once.
fn flags(mount: &MountInfo) -> String {
    let options = mount.mount_options.iter().chain(&mount.super_options);
    let mut flags: Vec<String> = options
        .map(|(name, value)| value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}")))
        .collect();
    // `ro` and `rw` come first, as in /proc/mounts; the rest by name, because the parser keeps no order.
    flags.sort_by_key(|flag| (flag != "ro", flag != "rw", flag.clone()));
    flags.dedup();
    flags.join(",")
}
