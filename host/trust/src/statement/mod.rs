//! What is signed: one JSON object each, of a kind, in a format, made at a time.
//!
//! What was received is what is verified; nothing is written anew for it. A statement has one form: what would be written from
//! what was understood must be what was read, so whatever is not understood is found, and one meaning has one spelling.

mod admission;
mod approval;
mod assignment;
mod enrolment;
mod hub;
mod index;
mod key;
mod order;
mod pause;
mod plugin;
mod policy;
mod release;
mod result;
mod revocation;
mod root;
mod roster;
mod secret;
mod session;

use std::fmt;

use model::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Refusal, Time, json};

pub use admission::Admission;
pub use approval::Approval;
pub use assignment::Assignment;
pub use enrolment::Enrolment;
pub use hub::Hub;
pub use index::{Index, Listed, Release};
pub use key::Rotation;
pub use order::{Gate, Order, OrderedPlugin, Ring, Upgrade};
pub use pause::Pause;
pub use plugin::{Form, Plugin};
pub use policy::{People, Policy};
pub use release::{AgentRelease, PROGRAM_BYTES_MAX};
pub use result::Report;
pub use revocation::{End, Revocation};
pub use root::{Root, RootKey};
pub use roster::{Roster, Seat};
pub use secret::{SECRET_BYTES_MAX, Secret};
pub use session::Session;

pub(crate) use assignment::file_name_of;
pub(crate) use session::SECONDS_MAX as SESSION_SECONDS_MAX;

/// The most bytes of any statement: what is larger is not even asked for its kind.
pub const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// The most bytes of a sentence in a statement.
const SENTENCE_BYTES_MAX: usize = 255;

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Whose keys the root is.
    Root,
    /// Who may sign what.
    Roster,
    /// What a client allows.
    Policy,
    /// Whose a device is.
    Assignment,
    /// One key in place of another.
    Key,
    /// What a plugin may do.
    Approval,
    /// What a plugin is.
    Plugin,
    /// What no longer holds.
    Revocation,
    /// What there is to install.
    Index,
    /// What devices are to do.
    Order,
    /// What they are not to begin.
    Pause,
    /// Whose devices are that join with a token.
    Admission,
    /// A device that joins.
    Enrolment,
    /// Who asks for a while.
    Session,
    /// What became of an order.
    Result,
    /// Where the hub is.
    Hub,
    /// What the agent's next version is.
    Release,
    /// What a device may use, and nobody else may read.
    Secret,
}

/// What there is to know of a kind.
struct Row {
    kind: Kind,
    word: &'static str,
    /// A signature is made for one of these, so that one made for another kind, or for another program, is worth nothing. No
    /// domain belongs to this project: behind the `@` stands what its media types begin with, which ends no domain's name.
    namespace: &'static str,
    bytes_max: usize,
    /// Whether a host keeps it, and believes it again. The others are looked at when they come, and are somebody else's to keep.
    is_kept: bool,
}

/// A kind of statement is a file beside this one, and a row.
#[rustfmt::skip]
const ROWS: [Row; 18] = [
    Row { kind: Kind::Root, word: "root", namespace: "remit-root@vnd.remit", bytes_max: 32 << 10, is_kept: true },
    Row { kind: Kind::Roster, word: "roster", namespace: "remit-roster@vnd.remit", bytes_max: 256 << 10, is_kept: true },
    Row { kind: Kind::Policy, word: "policy", namespace: "remit-policy@vnd.remit", bytes_max: 32 << 10, is_kept: true },
    Row { kind: Kind::Assignment, word: "assignment", namespace: "remit-assignment@vnd.remit", bytes_max: 8 << 10, is_kept: true },
    Row { kind: Kind::Key, word: "key", namespace: "remit-key@vnd.remit", bytes_max: 4 << 10, is_kept: true },
    Row { kind: Kind::Approval, word: "approval", namespace: "remit-approval@vnd.remit", bytes_max: 64 << 10, is_kept: true },
    Row { kind: Kind::Plugin, word: "plugin", namespace: "remit-plugin@vnd.remit", bytes_max: 4 << 10, is_kept: false },
    Row { kind: Kind::Revocation, word: "revocation", namespace: "remit-revocation@vnd.remit", bytes_max: 64 << 10, is_kept: true },
    Row { kind: Kind::Index, word: "index", namespace: "remit-index@vnd.remit", bytes_max: STATEMENT_BYTES_MAX, is_kept: true },
    Row { kind: Kind::Order, word: "order", namespace: "remit-order@vnd.remit", bytes_max: 64 << 10, is_kept: false },
    Row { kind: Kind::Pause, word: "pause", namespace: "remit-pause@vnd.remit", bytes_max: 32 << 10, is_kept: true },
    Row { kind: Kind::Admission, word: "admission", namespace: "remit-admission@vnd.remit", bytes_max: 8 << 10, is_kept: true },
    Row { kind: Kind::Enrolment, word: "enrolment", namespace: "remit-enrolment@vnd.remit", bytes_max: 4 << 10, is_kept: true },
    Row { kind: Kind::Session, word: "session", namespace: "remit-session@vnd.remit", bytes_max: 4 << 10, is_kept: false },
    Row { kind: Kind::Result, word: "result", namespace: "remit-result@vnd.remit", bytes_max: 4 << 10, is_kept: false },
    Row { kind: Kind::Hub, word: "hub", namespace: "remit-hub@vnd.remit", bytes_max: 8 << 10, is_kept: true },
    Row { kind: Kind::Release, word: "release", namespace: "remit-release@vnd.remit", bytes_max: 4 << 10, is_kept: false },
    Row { kind: Kind::Secret, word: "secret", namespace: "remit-secret@vnd.remit", bytes_max: 48 << 10, is_kept: true },
];

impl Kind {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| row.kind)
    }

    fn row(self) -> &'static Row {
        #[expect(clippy::expect_used, reason = "a test finds every kind")]
        ROWS.iter().find(|row| row.kind == self).expect("every kind has its row")
    }

    /// As it stands in the statement.
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// What a signature of it is made for: `ssh-keygen -Y sign -n NAMESPACE`.
    pub fn namespace(self) -> &'static str {
        self.row().namespace
    }

    /// The most bytes.
    pub fn bytes_max(self) -> usize {
        self.row().bytes_max
    }

    /// Whether a host keeps it in its folder.
    pub(crate) fn is_kept(self) -> bool {
        self.row().is_kept
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A kind's content.
pub trait Statement: Serialize + DeserializeOwned {
    /// Which kind.
    const KIND: Kind;

    /// The newest format that is understood, and the one that is written.
    const FORMAT: u64 = 1;

    /// What no type says.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A statement of which the newest counts.
pub trait Standing: Statement {
    /// Among all of its kind, the one that a newer one replaces.
    fn subject(&self) -> String;

    /// Goes up with each that replaces another.
    fn serial(&self) -> u64;

    /// Until when it can be relied on.
    fn expires(&self) -> Time;
}

/// A statement that was read, with nothing said yet about who signed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Read<T> {
    /// When it was made, as its maker says.
    pub created: Time,
    /// What it says.
    pub body: T,
    /// Of the very bytes that were read.
    pub digest: Digest,
}

/// Reads a statement of one kind.
pub fn read<T: Statement>(bytes: &[u8]) -> Result<Read<T>, Refusal> {
    let (found, mut map) = envelope(bytes, T::KIND.bytes_max())?;
    if found != T::KIND.word() {
        return Err(Refusal::OtherKind { wanted: T::KIND, found });
    }
    let format = map.remove("format").as_ref().and_then(Value::as_u64).unwrap_or_default();
    if format > T::FORMAT {
        return Err(Refusal::UnsupportedVersion { kind: T::KIND, found: format, known: T::FORMAT });
    }
    let wrong = |problem: String| Refusal::WrongContent { problem };
    if format == 0 {
        return Err(wrong("`format` is missing, or is no number from 1 on".to_owned()));
    }
    let created = map.remove("created").ok_or_else(|| wrong("`created` is missing".to_owned()))?;
    let created = serde_json::from_value(created).map_err(|error| wrong(format!("created: {error}")))?;
    let rest = Value::Object(map);
    let body: T = serde_json::from_value(rest.clone()).map_err(|error| wrong(error.to_string()))?;
    let again = serde_json::to_value(&body).map_err(|error| wrong(error.to_string()))?;
    if let Some((path, is_unknown)) = difference(&rest, &again, "") {
        return Err(match is_unknown {
            true => Refusal::UnknownField { kind: T::KIND, field: path },
            false => wrong(format!("`{path}` is not in its one form")),
        });
    }
    body.check().map_err(wrong)?;
    Ok(Read { created, body, digest: Digest::of(bytes) })
}

/// Reads what was read before, in this version of this program: it is in its one form, and all of it was understood.
pub(crate) fn read_again<T: Statement>(bytes: &[u8]) -> Result<Read<T>, Refusal> {
    let wrong = |error: serde_json::Error| Refusal::WrongContent { problem: error.to_string() };
    let mut map: Map<String, Value> = serde_json::from_slice(bytes).map_err(wrong)?;
    ["kind", "format"].iter().for_each(|name| drop(map.remove(*name)));
    let created = serde_json::from_value(map.remove("created").unwrap_or_default()).map_err(wrong)?;
    let body = serde_json::from_value(Value::Object(map)).map_err(wrong)?;
    Ok(Read { created, body, digest: Digest::of(bytes) })
}

/// The kind of a statement. Nothing else about it is known to be right.
pub fn kind_of(bytes: &[u8]) -> Result<Kind, Refusal> {
    let (found, _) = envelope(bytes, STATEMENT_BYTES_MAX)?;
    let row = ROWS.iter().find(|row| row.word == found);
    row.map(|row| row.kind).ok_or_else(|| Refusal::WrongContent { problem: format!("no kind is called `{found}`") })
}

/// The bytes of a new statement: these are what is signed.
pub fn write<T: Statement>(created: Time, body: &T) -> Result<Vec<u8>, Refusal> {
    let wrong = |problem: String| Refusal::WrongContent { problem };
    let mut map = match serde_json::to_value(body) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return Err(wrong("it is no object".to_owned())),
        Err(error) => return Err(wrong(error.to_string())),
    };
    map.insert("kind".to_owned(), T::KIND.word().into());
    map.insert("format".to_owned(), T::FORMAT.into());
    map.insert("created".to_owned(), created.to_string().into());
    let bytes = json::write(&Value::Object(map));
    // What could not be read back is not handed out to be signed.
    read::<T>(&bytes)?;
    Ok(bytes)
}

/// The word of its kind, and all its other fields.
fn envelope(bytes: &[u8], most: usize) -> Result<(String, Map<String, Value>), Refusal> {
    if bytes.len() > most {
        return Err(Refusal::TooLarge { bytes: bytes.len(), most });
    }
    let Value::Object(mut map) = json::read(bytes)? else {
        return Err(Refusal::WrongContent { problem: "it is no object".to_owned() });
    };
    match map.remove("kind") {
        Some(Value::String(kind)) => Ok((kind, map)),
        _ => Err(Refusal::WrongContent { problem: "`kind` is missing, or no text".to_owned() }),
    }
}

/// Where what was read is not what was understood of it, and whether that is a field which nobody knows.
fn difference(read: &Value, understood: &Value, path: &str) -> Option<(String, bool)> {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (read, understood) {
        (Value::Object(read), Value::Object(understood)) => {
            let of_field = |(name, value): (&String, &Value)| match understood.get(name) {
                Some(other) => difference(value, other, &inner(name)),
                // An empty or null field is one that is left out.
                None => Some((inner(name), !is_nothing(value))),
            };
            let left_out = || understood.keys().find(|name| !read.contains_key(*name)).map(|name| (inner(name), false));
            read.iter().find_map(of_field).or_else(left_out)
        }
        (Value::Array(read), Value::Array(understood)) if read.len() == understood.len() => {
            let mut pairs = read.iter().zip(understood).enumerate();
            pairs.find_map(|(at, (one, other))| difference(one, other, &inner(&at.to_string())))
        }
        _ => (read != understood).then(|| (path.to_owned(), false)),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}

/// A sentence for people: short, and nothing in it steers a terminal.
fn check_sentence(field: &str, text: &str) -> Result<(), String> {
    match text.is_empty() || text.len() > SENTENCE_BYTES_MAX || text.contains(char::is_control) {
        true => Err(format!("`{field}`: expected one line of 1 to {SENTENCE_BYTES_MAX} bytes")),
        false => Ok(()),
    }
}

/// A list with something in it, nothing twice, and not too much.
fn check_list<T: PartialEq>(field: &str, list: &[T], most: usize) -> Result<(), String> {
    let is_twice = list.iter().enumerate().any(|(at, item)| list.iter().take(at).any(|other| other == item));
    match list.is_empty() || list.len() > most || is_twice {
        true => Err(format!("`{field}`: expected 1 to {most} entries, each once")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_row_and_a_namespace_of_its_own() {
        let mut namespaces: Vec<&str> = Kind::all().map(Kind::namespace).collect();
        assert!(Kind::all().all(|kind| kind.namespace() == format!("remit-{kind}@vnd.remit")));
        assert!(Kind::all().all(|kind| kind.bytes_max() <= STATEMENT_BYTES_MAX));
        namespaces.sort_unstable();
        namespaces.dedup();
        assert_eq!(namespaces.len(), ROWS.len());
    }
}
