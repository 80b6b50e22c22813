//! The hub's chain of who did what, walked here, and held against what was seen of it before. A chain that was made anew is whole in
//! itself: only who kept an earlier end finds out.

use std::collections::BTreeMap;
use std::path::Path;

use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::client::Client;
use crate::error::Error;
use crate::hub_file::read_at_most;

/// What the file of what was seen is called.
const FILE: &str = "hub-audit.json";

/// Before the first entry.
const FIRST: &str = "none";

/// So many places of the chain are remembered, at 90 bytes each; where there are more, every other one is let go of.
const SEEN_MAX: usize = 4_096;

/// The most bytes of the file.
const BYTES_MAX: u64 = 4 << 20;

/// An entry of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// Its place, from 1 on.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was done.
    pub action: String,
    /// Of the details.
    pub detail: String,
    /// Of the entry before.
    pub previous: String,
    /// Of this entry.
    pub digest: String,
    /// Who did it; left out where that is not shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What exactly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What keeps the details' digest from being guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// What was seen of a hub's chain: the digest at some of its places, the last one among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Seen {
    /// By place.
    places: BTreeMap<u64, String>,
}

/// What a walk over the chain came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Walked {
    /// How many entries hold.
    pub entries: u64,
    /// The digest of the last of these.
    pub head: String,
    /// So many details were shown, and are what was written down.
    pub details: u64,
    /// So many places were seen before and are still the same.
    pub known: u64,
    /// Where it is not whole, and how; none where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

impl Seen {
    /// What was seen before, by what is in this folder; nothing where there is none.
    pub fn read(state: &Path) -> Result<Self, Error> {
        let path = state.join(FILE);
        let bytes = match read_at_most(&path, BYTES_MAX) {
            Err(Error::Io(_, error)) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            bytes => bytes?,
        };
        // What cannot be read is told: a lost memory is what a thief of the hub needs.
        serde_json::from_slice(&bytes).map_err(|error| Error::File { path, problem: error.to_string() })
    }

    /// Keeps it.
    pub fn write(&self, state: &Path) -> Result<(), Error> {
        let path = state.join(FILE);
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        store::whole::write(&path, &bytes).map_err(|error| Error::Io(path, error))
    }

    /// The last place that was seen.
    pub fn last(&self) -> Option<u64> {
        self.places.last_key_value().map(|(number, _)| *number)
    }

    fn remember(&mut self, number: u64, digest: &str) {
        self.places.insert(number, digest.to_owned());
        if self.places.len() > SEEN_MAX {
            let mut keep = false;
            self.places.retain(|at, _| {
                keep = !keep;
                keep || *at == number
            });
        }
    }
}

/// Walks a chain as it is read, entry by entry.
#[derive(Debug)]
pub struct Walk<'a> {
    before: &'a Seen,
    seen: Seen,
    walked: Walked,
}

impl<'a> Walk<'a> {
    /// From the beginning on, by who saw this of it before.
    pub fn new(before: &'a Seen) -> Self {
        let walked = Walked { entries: 0, head: FIRST.to_owned(), details: 0, known: 0, broken: None };
        Self { before, seen: before.clone(), walked }
    }

    /// The next entry; whether the chain is whole up to it.
    pub fn step(&mut self, entry: &Entry) -> bool {
        if self.walked.broken.is_none() {
            self.walked.broken = self.wrong(entry);
        }
        if self.walked.broken.is_some() {
            return false;
        }
        self.walked.details += u64::from(entry.actor.is_some());
        self.walked.known += u64::from(self.before.places.contains_key(&entry.number));
        (self.walked.entries, self.walked.head) = (entry.number, entry.digest.clone());
        self.seen.remember(entry.number, &entry.digest);
        true
    }

    fn wrong(&self, entry: &Entry) -> Option<String> {
        let (number, expected) = (entry.number, self.walked.entries + 1);
        let is_detail = match (&entry.actor, &entry.salt, &entry.body) {
            (Some(actor), Some(salt), Some(body)) => entry.detail == detail_of(actor, salt, body),
            (None, _, None) => true,
            _ => return Some(format!("the details of entry {number} are not whole")),
        };
        if let Some(seen) = self.before.places.get(&number).filter(|seen| **seen != entry.digest) {
            let last = self.before.places.range(..number).next_back().map_or(0, |(at, _)| *at);
            let between = format!("what was seen holds up to entry {last}");
            return Some(format!(
                "entry {number} is not the one that was seen before ({seen}): it was made anew; {between}"
            ));
        }
        Some(match () {
            () if number > expected => format!("entries {expected} to {} are missing", number - 1),
            () if number < expected => format!("entry {number} is there twice"),
            () if entry.previous != self.walked.head => format!("entry {number} does not follow the one before it"),
            () if entry.digest != digest_of(entry) => format!("entry {number} was altered"),
            () if !is_detail => format!("the details of entry {number} were altered"),
            () => return None,
        })
    }

    /// What came of it, and what was seen by now: kept only where it is whole.
    pub fn end(mut self) -> (Walked, Seen) {
        let last = self.before.last().filter(|last| *last > self.walked.entries);
        if let Some(last) = last.filter(|_| self.walked.broken.is_none()) {
            self.walked.broken = Some(format!(
                "it ends with entry {}, and entry {last} was seen before: it was cut off",
                self.walked.entries
            ));
        }
        let seen = if self.walked.broken.is_none() { self.seen } else { self.before.clone() };
        (self.walked, seen)
    }
}

fn digest_of(entry: &Entry) -> String {
    let Entry { number, at_ms, action, detail, previous, .. } = entry;
    let value = json!({ "number": number, "at-ms": at_ms, "action": action, "detail": detail, "previous": previous });
    Digest::of_json(&value).to_string()
}

fn detail_of(actor: &str, salt: &str, body: &Value) -> String {
    Digest::of_json(&json!({ "actor": actor, "salt": salt, "body": body.to_string() })).to_string()
}

impl Client {
    /// The hub's chain, walked.
    pub async fn walk_audit(&self, before: &Seen) -> Result<(Walked, Seen), Error> {
        let entries: Vec<Entry> = self.list("/v1/audit", &[]).await?;
        let mut walk = Walk::new(before);
        let _ = entries.iter().all(|entry| walk.step(entry));
        Ok(walk.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of so many entries about this.
    fn chain(of: &str, entries: u64) -> Vec<Entry> {
        let mut previous = FIRST.to_owned();
        let make = |number: u64| {
            let (actor, salt, body) = (of.to_owned(), "00".to_owned(), json!({ "number": number }));
            let detail = detail_of(&actor, &salt, &body);
            let mut entry = Entry {
                number,
                at_ms: number,
                action: "document-put".to_owned(),
                detail,
                previous: previous.clone(),
                digest: String::new(),
                actor: Some(actor),
                body: Some(body),
                salt: Some(salt),
            };
            entry.digest = digest_of(&entry);
            previous.clone_from(&entry.digest);
            entry
        };
        (1..=entries).map(make).collect()
    }

    fn walk(before: &Seen, entries: &[Entry]) -> (Walked, Seen) {
        let mut walk = Walk::new(before);
        let _ = entries.iter().all(|entry| walk.step(entry));
        walk.end()
    }

    fn seen(entries: &[Entry]) -> Seen {
        let (walked, seen) = walk(&Seen::default(), entries);
        assert_eq!(walked.broken, None);
        seen
    }

    #[test]
    fn what_was_altered_removed_or_inserted_is_found_and_where() {
        let whole = chain("tess", 10);
        let (walked, _) = walk(&Seen::default(), &whole);
        assert_eq!((walked.entries, walked.details, walked.broken), (10, 10, None), "the control");
        let broken = |change: fn(&mut Vec<Entry>)| {
            let mut entries = whole.clone();
            change(&mut entries);
            walk(&Seen::default(), &entries).0.broken.unwrap()
        };
        for (change, expected) in [
            ((|it| it[3].action = "other".to_owned()) as fn(&mut Vec<Entry>), "entry 4 was altered"),
            (|it| it[3].body = Some(json!({})), "the details of entry 4 were altered"),
            (|it| it[3].salt = None, "the details of entry 4 are not whole"),
            (|it| drop(it.remove(3)), "entries 4 to 4 are missing"),
            (|it| it.insert(3, it[2].clone()), "entry 3 is there twice"),
            (|it| it[3].previous = FIRST.to_owned(), "entry 4 does not follow"),
        ] {
            let found = broken(change);
            assert!(found.contains(expected), "{found}");
        }
        let hidden = |mut entry: Entry| {
            (entry.actor, entry.body, entry.salt) = (None, None, None);
            entry
        };
        let others: Vec<Entry> = whole.iter().cloned().map(hidden).collect();
        assert_eq!(walk(&Seen::default(), &others).0.broken, None, "another client's details are not shown");
    }

    #[test]
    fn what_was_cut_off_or_made_anew_is_found_by_who_saw_it_before() {
        let whole = chain("tess", 10);
        let before = seen(&whole);
        let (walked, after) = walk(&before, &chain("tess", 12));
        assert_eq!((walked.broken, walked.known, after.last()), (None, 10, Some(12)), "it grew");
        let (cut, kept) = walk(&before, &chain("tess", 8));
        assert!(cut.broken.unwrap().contains("ends with entry 8, and entry 10 was seen"));
        assert_eq!(kept, before, "what does not hold replaces no memory");
        // The same first entries, and others from the fifth on, with a chain that is whole in itself.
        let mut other = chain("mallory", 12);
        let mut previous = whole[3].digest.clone();
        for (at, entry) in other.iter_mut().enumerate() {
            if at < 4 {
                *entry = whole[at].clone();
            } else {
                entry.previous = previous;
                entry.digest = digest_of(entry);
                previous = entry.digest.clone();
            }
        }
        assert_eq!(walk(&Seen::default(), &other).0.broken, None, "nobody else finds out");
        let found = walk(&before, &other).0.broken.unwrap();
        assert!(found.starts_with("entry 5 is not the one") && found.contains("up to entry 4"), "{found}");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Seen::read(folder.path()).unwrap(), Seen::default());
        let mut seen = Seen::default();
        (1..=20_000).for_each(|number| seen.remember(number, &format!("digest {number}")));
        assert!(seen.places.len() <= SEEN_MAX && seen.last() == Some(20_000));
        seen.write(folder.path()).unwrap();
        assert_eq!(Seen::read(folder.path()).unwrap(), seen);
        std::fs::write(folder.path().join(FILE), "{}}").unwrap();
        assert!(Seen::read(folder.path()).is_err(), "a lost memory is not a new one");
    }
}
