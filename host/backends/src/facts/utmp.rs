//! utmp(5): who is logged in (/run/utmp), who was (/var/log/wtmp), who failed to (/var/log/btmp). The record of glibc on
//! 64-bit Linux is the same on every processor but for the order of bytes. Crates that read it give up at the first record
//! with a name that is no UTF-8, which is what an attacker's failed login leaves.

use super::Root;

/// Bytes of a record.
const RECORD_BYTES: usize = 384;
/// The most bytes read, from the end: 174,000 records. A server under attack has gigabytes of failed logins.
const READ_BYTES_MAX: u64 = 64 << 20;

/// When the machine started.
pub(crate) const BOOT_TIME: i16 = 2;
/// A person who logged in.
pub(crate) const USER_PROCESS: i16 = 7;
/// A session that ended.
pub(crate) const DEAD_PROCESS: i16 = 8;

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: i16,
    pub(crate) pid: i32,
    /// The terminal, without `/dev/`.
    pub(crate) line: String,
    pub(crate) user: String,
    pub(crate) host: String,
    pub(crate) at_seconds: i64,
    pub(crate) at_micros: i64,
}

impl Record {
    /// When, in milliseconds since 1970.
    pub(crate) fn at_ms(&self) -> u64 {
        u64::try_from(self.at_seconds * 1_000 + self.at_micros / 1_000).unwrap_or_default()
    }

    /// osquery's and utmp.h's word for the kind.
    pub(crate) fn kind_name(&self) -> Option<&'static str> {
        let names =
            ["empty", "run-lvl", "boot-time", "new-time", "old-time", "init", "login", "normal", "dead", "accounting"];
        names.get(usize::try_from(self.kind).ok()?).copied()
    }
}

/// The file's records, oldest first; none where there is no such file, as where nobody may log in.
pub(crate) fn records(root: &Root, path: &str) -> Vec<Record> {
    let limit = READ_BYTES_MAX.next_multiple_of(RECORD_BYTES as u64);
    let bytes = root.tail(path, limit, RECORD_BYTES as u64).unwrap_or_default();
    bytes.chunks_exact(RECORD_BYTES).filter_map(record).collect()
}

fn record(bytes: &[u8]) -> Option<Record> {
    Some(Record {
        kind: i16::from_ne_bytes(array(bytes, 0)?),
        pid: i32::from_ne_bytes(array(bytes, 4)?),
        line: text(bytes, 8, 32)?,
        user: text(bytes, 44, 32)?,
        host: text(bytes, 76, 256)?,
        at_seconds: i32::from_ne_bytes(array(bytes, 340)?).into(),
        at_micros: i32::from_ne_bytes(array(bytes, 344)?).into(),
    })
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Up to the first zero.
fn text(bytes: &[u8], at: usize, length: usize) -> Option<String> {
    let field = bytes.get(at..at + length)?;
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(length);
    Some(String::from_utf8_lossy(field.get(..end)?).into_owned())
}

/// lastlog(5): when and from where an account last logged in, at its number's place in a file that is mostly holes.
pub(crate) fn last_login_ms(root: &Root, uid: u32) -> Option<u64> {
    const LASTLOG_BYTES: u64 = 292;
    let bytes = root.part("var/log/lastlog", u64::from(uid) * LASTLOG_BYTES, LASTLOG_BYTES).ok()?;
    let seconds = u64::try_from(i32::from_ne_bytes(array(&bytes, 0)?)).ok()?;
    (seconds > 0).then_some(seconds * 1_000)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::Recorded;

    /// A record as glibc writes it.
    pub(crate) fn bytes(kind: i16, pid: i32, line: &[u8], user: &[u8], host: &[u8], at_seconds: i32) -> Vec<u8> {
        let mut bytes = vec![0; RECORD_BYTES];
        bytes[0..2].copy_from_slice(&kind.to_ne_bytes());
        bytes[4..8].copy_from_slice(&pid.to_ne_bytes());
        for (at, field) in [(8, line), (44, user), (76, host)] {
            bytes[at..at + field.len()].copy_from_slice(field);
        }
        bytes[340..344].copy_from_slice(&at_seconds.to_ne_bytes());
        bytes
    }

    #[test]
    fn records_are_read_whatever_is_in_them() {
        let recorded = Recorded::new(&[]);
        let mut file = bytes(USER_PROCESS, 42, b"pts/0", b"ann", b"192.0.2.1", 1_700_000_000);
        file.extend(bytes(-5, -1, &[b'x'; 32], b"m\xfcller", &[0xff; 256], -1));
        file.extend([1, 2, 3]);
        recorded.add("var/log/wtmp", &file);
        let records = records(&recorded.root(), "var/log/wtmp");
        assert_eq!(records.len(), 2, "half a record at the end is none");
        assert_eq!((records[0].user.as_str(), records[0].at_ms()), ("ann", 1_700_000_000_000));
        assert_eq!((records[1].user.as_str(), records[1].at_ms()), ("m\u{fffd}ller", 0));
        assert_eq!((records[1].line.len(), records[1].kind_name()), (32, None));
        assert_eq!(super::records(&recorded.root(), "var/log/btmp"), []);
    }

    #[test]
    fn a_log_without_end_is_read_from_its_end() {
        let recorded = Recorded::new(&[]);
        let file = std::fs::File::create(recorded.root().path("btmp")).unwrap();
        file.set_len(READ_BYTES_MAX * 3 + 7 * RECORD_BYTES as u64).unwrap();
        use std::os::unix::fs::FileExt;
        let last = bytes(USER_PROCESS, 1, b"", b"last", b"", 1);
        file.write_all_at(&last, READ_BYTES_MAX * 3 + 6 * RECORD_BYTES as u64).unwrap();
        let whole = file.metadata().unwrap().len() / RECORD_BYTES as u64 * RECORD_BYTES as u64;
        file.set_len(whole).unwrap();
        let records = records(&recorded.root(), "btmp");
        assert!(records.len() as u64 <= READ_BYTES_MAX / RECORD_BYTES as u64 + 1);
        assert!(records.len() > 100_000);
    }
}
