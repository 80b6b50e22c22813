//! A file that is damaged is set aside, for a person to look at, and the device goes on with a new one.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use model::{Clock as _, SystemClock};

use crate::{Error, fail};

/// How many are kept: one is what a person looks at, and a disk that damages files must not be filled with them.
const KEPT_MAX: usize = 3;

/// SQLite has three files; what it keeps beside the first is part of it.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

/// Moves the file away with all that belongs to it, and gives where it is; none where somebody else has moved it since.
pub(crate) fn set_aside(file: &Path, is_there: impl Fn() -> bool) -> Result<Option<PathBuf>, Error> {
    let lock_path = with_suffix(file, ".aside-lock");
    // Of two processes that find the same damage, one moves it; the other would move what is new.
    let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let lock = lock.map_err(Error::io(&lock_path))?;
    lock.lock().map_err(Error::io(&lock_path))?;
    if !is_there() {
        return Ok(None);
    }
    let to = free_name(file);
    fail::point("aside.before-change");
    // The file first: a log without it is found and moved too, a file without its log would pass for a whole one.
    for part in PARTS {
        let (from, to) = (with_suffix(file, part), with_suffix(&to, part));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&from)(error)),
            _ => {}
        }
    }
    fail::point("aside.after-change");
    keep_latest(file);
    Ok(Some(to))
}

/// Before a file is opened: moves a log away whose file is gone, because whoever set it aside died in between; and keeps what stands
/// in the place of a log and is none, which SQLite would take for an empty one. Gives what it kept.
pub(crate) fn look_at_log(file: &Path) -> Option<PathBuf> {
    let log = with_suffix(file, "-wal");
    let is_whole = is_log(&log)?;
    if file.exists() && is_whole {
        return None;
    }
    let to = free_name(file);
    let kept = with_suffix(&to, "-wal");
    // Another process may have it open, so that it is copied where its file is there.
    let is_kept = match file.exists() {
        true => std::fs::copy(&log, &kept).is_ok(),
        false => std::fs::rename(&log, &kept).is_ok(),
    };
    keep_latest(file);
    is_kept.then_some(kept)
}

/// Whether a log begins as one does; none where there is nothing.
fn is_log(path: &Path) -> Option<bool> {
    let mut header = [0; 32];
    File::open(path).ok()?.read_exact(&mut header).ok()?;
    let words: Vec<u32> = header.chunks_exact(4).filter_map(|it| it.try_into().ok().map(u32::from_be_bytes)).collect();
    let [magic, _, _, _, _, _, first, second] = words[..] else {
        return None;
    };
    // Never written, such as after a power cut.
    if header.iter().all(|byte| *byte == 0) {
        return None;
    }
    let is_big_endian = magic & 1 == 1;
    let of_sum = |word: &u32| if is_big_endian { *word } else { word.swap_bytes() };
    let mut sum = (0_u32, 0_u32);
    for pair in words.chunks_exact(2).take(3) {
        let [left, right] = pair else { return None };
        sum.0 = sum.0.wrapping_add(of_sum(left)).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(of_sum(right)).wrapping_add(sum.0);
    }
    Some(magic & !1 == 0x377f_0682 && sum == (first, second))
}

/// A name that nothing has, nor any of its parts.
fn free_name(file: &Path) -> PathBuf {
    let mut at_ms = SystemClock.now_ms();
    loop {
        let name = with_suffix(file, &format!(".corrupt-{at_ms}"));
        if PARTS.iter().all(|part| !with_suffix(&name, part).exists()) {
            return name;
        }
        at_ms += 1;
    }
}

/// Takes away all but the latest. What cannot be taken away costs space, and the next one tries again.
fn keep_latest(file: &Path) {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(OsStr::to_str)) else {
        return;
    };
    let prefix = format!("{name}.corrupt-");
    let at_ms = |name: &str| name.strip_prefix(&prefix)?.split('-').next()?.parse::<u64>().ok();
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut kept: Vec<u64> = names.filter_map(|name| at_ms(name.to_str()?)).collect();
    kept.sort_unstable();
    kept.dedup();
    for at_ms in kept.iter().rev().skip(KEPT_MAX) {
        for part in PARTS {
            let _ = std::fs::remove_file(with_suffix(&folder.join(format!("{prefix}{at_ms}")), part));
        }
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
