use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, OnceLock};

/// What the kernel keeps of a program's name.
const COMM_BYTES_MAX: usize = 15;
/// A process is read at so many looks before it counts as what it seems: it may still become another program.
const NEW_LOOKS: u8 = 3;
/// Afterwards it is read at every so manieth look, because it still may: one in so many of all processes at each look.
const OLD_LOOKS: u32 = 16;

/// All processes, as they were seen.
#[derive(Debug, Default)]
pub(in super::super) struct Table {
    look: u32,
    entries: HashMap<u32, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    started: u64,
    name: Arc<[u8]>,
    /// What its program is called in full; read once where somebody asks.
    program: Arc<OnceLock<Option<Vec<u8>>>>,
    looks: u8,
}

/// One process, which no other ever is: its number and when it was started, in ticks since the boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Process {
    started: u64,
    pub(super) pid: u32,
}

impl Process {
    /// Whether it still is what has its number, and lives.
    pub(super) fn is_there(&self) -> bool {
        stat(self.pid).is_some_and(|(_, started)| started == self.started)
    }
}

impl Table {
    /// Looks; what was seen before is looked at less.
    pub(in super::super) fn look(before: Option<&Self>) -> Self {
        let look = before.map_or(0, |before| before.look.wrapping_add(1));
        let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut entries = HashMap::with_capacity(before.map_or(256, |before| before.entries.len() + 8));
        for pid in pids {
            let known = before.and_then(|before| before.entries.get(&pid));
            let is_due = pid.wrapping_add(look).is_multiple_of(OLD_LOOKS);
            let entry = match known {
                Some(known) if known.looks >= NEW_LOOKS && !is_due => Some(known.clone()),
                known => Entry::read(pid, known),
            };
            entries.extend(entry.map(|entry| (pid, entry)));
        }
        Self { look, entries }
    }

    /// Those of this name, the oldest first.
    pub(super) fn named(&self, name: &str) -> Vec<Process> {
        let all = self.entries.iter().filter(|(pid, entry)| entry.is_called(**pid, name.as_bytes()));
        let mut found: Vec<Process> = all.map(|(&pid, entry)| Process { started: entry.started, pid }).collect();
        found.sort_unstable();
        found
    }
}

impl Entry {
    fn read(pid: u32, known: Option<&Self>) -> Option<Self> {
        let (name, started) = stat(pid)?;
        match known.filter(|known| known.started == started && *known.name == *name) {
            Some(known) => Some(Self { looks: known.looks.saturating_add(1), ..known.clone() }),
            None => Some(Self { started, name: name.into(), program: Arc::default(), looks: 0 }),
        }
    }

    fn is_called(&self, pid: u32, name: &[u8]) -> bool {
        if name.len() <= COMM_BYTES_MAX {
            return *self.name == *name;
        }
        name.starts_with(&self.name)
            && self.name.len() == COMM_BYTES_MAX
            && self.program.get_or_init(|| program(pid)).as_deref() == Some(name)
    }
}

/// The name and the start of a process that lives: the second field, in brackets, which may hold brackets, and the 22nd.
fn stat(pid: u32) -> Option<(Vec<u8>, u64)> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (first, last) = (text.iter().position(|&it| it == b'(')?, text.iter().rposition(|&it| it == b')')?);
    let name = text.get(first + 1..last)?.to_vec();
    let mut fields = std::str::from_utf8(text.get(last + 2..)?).ok()?.split(' ');
    let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
    let started = fields.nth(18)?.parse().ok()?;
    (!is_dead).then_some((name, started))
}

/// What the kernel's name is the beginning of: the last part of its program's path, or of what it was started as; a script is an
/// argument of its interpreter.
fn program(pid: u32) -> Option<Vec<u8>> {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = command.split(|&byte| byte == 0).take(2);
    let last = |path: &[u8]| path.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec);
    let comm = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    let comm = comm.strip_suffix(b"\n").unwrap_or(&comm).to_vec();
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let exe = exe.as_deref().and_then(std::path::Path::file_name).map(OsStr::as_bytes).map(<[u8]>::to_vec);
    // A program may call itself anything: then it is only what the kernel has.
    let called = words.find_map(|word| last(word).filter(|name| name.starts_with(&comm)));
    exe.filter(|name| name.starts_with(&comm)).or(called)
}
