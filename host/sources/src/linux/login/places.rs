//! The places that know of logins.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes of a record of utmp(5), as glibc writes it on 64-bit Linux.
const RECORD_BYTES: u64 = 384;
/// The most bytes read from the end: more logins than this at once are more than anybody looks at.
const READ_BYTES_MAX: u64 = RECORD_BYTES * 256;
/// A person who logged in.
const USER_PROCESS: i16 = 7;
/// The most sessions looked at.
const SESSIONS_MAX: usize = 1_024;

/// Where logins are written.
pub(in crate::linux) struct Places {
    /// Who is logged in.
    pub(in crate::linux) utmp: PathBuf,
    /// Who was.
    pub(in crate::linux) wtmp: PathBuf,
    /// logind's sessions, a file each.
    pub(in crate::linux) sessions: PathBuf,
}

/// What says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Utmp,
    Wtmp,
    Logind,
}

/// A login, as one place has it.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) place: Place,
    pub(super) user: String,
    pub(super) tty: Option<String>,
    /// A host or its address, where it came over a network.
    pub(super) from: Option<String>,
    pub(super) pid: i32,
    /// PAM's name of what let it in: `login`, `sshd`.
    pub(super) service: Option<String>,
    pub(super) at_ms: i64,
}

impl PartialEq for Login {
    /// What does not change while the login lasts.
    fn eq(&self, other: &Self) -> bool {
        (self.place, &self.user, self.pid, self.at_ms) == (other.place, &other.user, other.pid, other.at_ms)
    }
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Utmp => "utmp",
            Self::Wtmp => "wtmp",
            Self::Logind => "logind",
        }
    }
}

impl Places {
    /// Logins that are known there, the oldest first.
    pub(super) fn logins(&self) -> Vec<Login> {
        let records = records(Place::Utmp, &self.utmp).into_iter().chain(records(Place::Wtmp, &self.wtmp));
        let mut logins: Vec<Login> = records.chain(sessions(&self.sessions)).collect();
        logins.sort_by_key(|login| login.at_ms);
        logins
    }
}

/// Logins at the end of the file; none, where there is no such file.
fn records(place: Place, path: &Path) -> Vec<Login> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        // Half a record at its end is being written.
        let end = length - length % RECORD_BYTES;
        file.seek(SeekFrom::Start(end.saturating_sub(READ_BYTES_MAX)))?;
        let mut bytes = Vec::new();
        file.take(end.min(READ_BYTES_MAX)).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let Ok(size) = usize::try_from(RECORD_BYTES) else { return Vec::new() };
    bytes.chunks_exact(size).filter_map(|bytes| record(place, bytes)).collect()
}

fn record(place: Place, bytes: &[u8]) -> Option<Login> {
    let number = |at: usize| Some(i32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let text = |at: usize, length: usize| {
        let field = bytes.get(at..at + length)?.split(|&byte| byte == 0).next()?;
        Some(String::from_utf8_lossy(field).into_owned())
    };
    let kind = i16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
    let user = text(44, 32)?;
    let some = |text: String| (!text.is_empty()).then_some(text);
    (kind == USER_PROCESS && !user.is_empty()).then_some(Login {
        place,
        user,
        tty: text(8, 32).and_then(some),
        from: text(76, 256).and_then(some),
        pid: number(4)?,
        service: None,
        at_ms: i64::from(number(340)?) * 1_000 + i64::from(number(344)?) / 1_000,
    })
}

/// Sessions of people: neither greeters nor what cron opens for its own use.
fn sessions(folder: &Path) -> Vec<Login> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(SESSIONS_MAX);
    // Beside each session lies a pipe that ends with it: reading it would wait for that.
    let files = entries.filter(|it| it.file_type().is_ok_and(|kind| kind.is_file()));
    files.filter_map(|entry| session(&std::fs::read_to_string(entry.path()).ok()?)).collect()
}

fn session(text: &str) -> Option<Login> {
    let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    let field = |name: &str| fields.get(name).map(|it| (*it).to_owned()).filter(|it| !it.is_empty());
    if !field("CLASS").is_some_and(|class| class.starts_with("user")) {
        return None;
    }
    Some(Login {
        place: Place::Logind,
        user: field("USER")?,
        tty: field("TTY").or_else(|| field("DISPLAY")),
        from: field("REMOTE_HOST"),
        pid: field("LEADER").and_then(|it| it.parse().ok()).unwrap_or_default(),
        service: field("SERVICE"),
        at_ms: field("REALTIME")?.parse::<i64>().ok()? / 1_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_people_are_logins() {
        let text = "UID=1000\nUSER=ann\nCLASS=user\nTTY=pts/0\nREMOTE_HOST=192.0.2.1\nSERVICE=sshd\nLEADER=42\n\
                    REALTIME=1700000000123456\n";
        let login = session(text).unwrap();
        assert_eq!((login.user.as_str(), login.tty.as_deref(), login.pid), ("ann", Some("pts/0"), 42));
        assert_eq!((login.from.as_deref(), login.at_ms), (Some("192.0.2.1"), 1_700_000_000_123));
        for class in ["greeter", "background", "manager", "lock-screen"] {
            assert!(session(&text.replace("CLASS=user", &format!("CLASS={class}"))).is_none(), "{class}");
        }
    }
}
