use contract::types::Error;
use procfs::process::{Process, all_processes_with_root};
use procfs::{ProcResult, page_size, ticks_per_second};

use crate::errors;

use super::{Row, Source};

/// The most processes: four times what a default Linux allows.
const PROCESSES_MAX: usize = 131_072;

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let processes =
        all_processes_with_root(source.root.path("proc")).map_err(|error| errors::failed("proc", error.to_string()))?;
    let booted = booted_seconds(source)?;
    let mut rows = Vec::new();
    for process in processes.flatten().take(PROCESSES_MAX) {
        source.check_time()?;
        // One that ended since it was listed is left out.
        rows.extend(row(&process, booted).ok());
    }
    Ok(rows)
}

fn booted_seconds(source: &Source) -> Result<u64, Error> {
    let text = source.text("proc/stat")?;
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
    seconds.ok_or_else(|| errors::failed("proc", "/proc/stat does not say when it booted"))
}

fn row(process: &Process, booted: u64) -> ProcResult<Row> {
    let (stat, status) = (process.stat()?, process.status()?);
    let ticks = ticks_per_second().max(1);
    let text = |path: ProcResult<std::path::PathBuf>| path.ok().map(|path| path.to_string_lossy().into_owned());
    let exe = process.exe().ok();
    let io = process.io().ok();
    // Threads of the kernel have no file; those of others are not ours to see.
    let on_disk = exe.as_ref().map_or(-1, |path| i64::from(path.exists()));
    Ok(Row::default()
        .number("pid", stat.pid)
        .text("name", status.name)
        .text("path", exe.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default())
        .text("state", stat.state.to_string())
        .some_text("cwd", text(process.cwd()))
        .some_text("root", text(process.root()))
        .number("uid", status.ruid)
        .number("gid", status.rgid)
        .number("euid", status.euid)
        .number("egid", status.egid)
        .number("suid", status.suid)
        .number("sgid", status.sgid)
        .number("on_disk", on_disk)
        .number("wired_size", 0)
        .number("resident_size", stat.rss.saturating_mul(page_size()))
        .number("total_size", stat.vsize)
        .number("user_time", stat.utime * 1_000 / ticks)
        .number("system_time", stat.stime * 1_000 / ticks)
        .some_number("disk_bytes_read", io.as_ref().map(|io| io.read_bytes))
        .some_number("disk_bytes_written", io.map(|io| io.write_bytes.saturating_sub(io.cancelled_write_bytes)))
        .number("start_time", booted + stat.starttime / ticks)
        .number("parent", stat.ppid)
        .number("pgroup", stat.pgrp)
        .number("threads", stat.num_threads)
        .number("nice", stat.nice))
}
