//! The rows of a table on their way to the hub: whole once, then those that are new or gone, with a digest of all of them so that
//! drift is found.

use std::collections::{BTreeMap, BTreeSet};

use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::sync::NotTaken;

/// The most rows of a table: what a device is asked for at once.
pub const ROWS_MAX: usize = 10_000;

/// The most bytes of all of them, as JSON: 3,000 packages have 400 KiB.
pub const ROWS_BYTES_MAX: usize = 2 << 20;

/// The most bytes of a row. One that is longer is no package and no user.
const ROW_BYTES_MAX: usize = 4 << 10;

/// The most columns of a row: twice as many as there are, for those of other versions.
const CELLS_MAX: usize = 32;

/// The most bytes that one part of a change has: half of what a message of the bus may have.
const PART_BYTES_MAX: usize = 128 << 10;

/// The longest name of a table.
const NAME_BYTES_MAX: usize = 64;

/// The bytes of a row's digest by which it is named when it goes. The digest of all rows finds the mistake, should two be alike.
const SHORT_BYTES: usize = 8;

/// A row: text, whole numbers and truths by column. What is NULL is left out.
pub type Cells = BTreeMap<String, Value>;

/// The rows of a table, as a set of what they are as JSON: of two alike there is one, and their order says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows(BTreeSet<String>);

/// What changed of a table, or all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changed {
    /// Of which table.
    pub table: String,
    /// Digest of that to which it applies; none where there was nothing, or it does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// Digest of what comes out.
    pub after: Digest,
    /// Rows that are gone, by the first bytes of their digests, in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// Rows that are new.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub new: Vec<Cells>,
    /// Whether more of the same change follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// What a device has, told once a day: whoever has something else is to ask for all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Checked {
    /// The digest of each table.
    pub tables: BTreeMap<String, Digest>,
}

/// What a change did: rows as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Did {
    /// These went.
    pub gone: Vec<String>,
    /// These came.
    pub new: Vec<String>,
}

impl Rows {
    /// Of what a device found; none where it is more than anybody takes. What lacks a part would answer wrongly.
    pub fn of(rows: impl IntoIterator<Item = Cells>) -> Option<Self> {
        let rows: Option<BTreeSet<String>> = rows.into_iter().map(|cells| text(&cells).ok()).collect();
        rows.map(Self).filter(|it| it.check().is_ok())
    }

    /// As they were kept.
    pub fn kept(rows: impl IntoIterator<Item = String>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// Each as JSON, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of all of them.
    pub fn digest(&self) -> Digest {
        let mut lines = String::with_capacity(self.0.iter().map(|it| it.len() + 1).sum());
        for row in &self.0 {
            lines.push_str(row);
            lines.push('\n');
        }
        Digest::of(lines.as_bytes())
    }

    /// What changed since, in parts that each apply to what the one before brought forth; nothing where nothing did. All of it
    /// where nothing is known of before.
    pub fn since(&self, table: &str, before: Option<&Self>) -> Vec<Changed> {
        let nothing = Self::default();
        let known = before.unwrap_or(&nothing);
        let mut gone = known.0.difference(&self.0).map(|row| short(row)).peekable();
        let mut new = self.0.difference(&known.0).peekable();
        let (mut at, mut parts) = (known.clone(), Vec::new());
        let mut applies_to = before.map(Self::digest);
        let is_first_of_all = before.is_none();
        while gone.peek().is_some() || new.peek().is_some() || (is_first_of_all && parts.is_empty()) {
            let mut part = Changed {
                table: table.to_owned(),
                before: applies_to,
                after: at.digest(),
                gone: Vec::new(),
                new: Vec::new(),
                more: false,
            };
            let mut bytes = 0;
            // What goes is short: all of it is in the first part or two.
            while let Some(row) = gone.next_if(|_| bytes < PART_BYTES_MAX) {
                bytes += row.len() + 3;
                part.gone.push(row);
            }
            let names: BTreeSet<&str> = part.gone.iter().map(String::as_str).collect();
            at.0.retain(|row| names.is_empty() || !names.contains(short(row).as_str()));
            while let Some(row) = new.next_if(|row| bytes == 0 || bytes + row.len() < PART_BYTES_MAX) {
                bytes += row.len() + 1;
                part.new.extend(serde_json::from_str::<Cells>(row));
                at.0.insert(row.clone());
            }
            part.after = at.digest();
            part.more = gone.peek().is_some() || new.peek().is_some();
            applies_to = Some(part.after);
            parts.push(part);
        }
        parts
    }

    /// Takes what changed, and says which rows those were.
    pub fn take(&mut self, changed: &Changed) -> Result<Did, NotTaken> {
        let mut next = match changed.before {
            None => Self::default(),
            Some(before) => match self.digest() {
                known if known == before => self.clone(),
                known => return Err(NotTaken::Drifted { before, known }),
            },
        };
        let names: BTreeSet<&str> = changed.gone.iter().map(String::as_str).collect();
        next.0.retain(|row| names.is_empty() || !names.contains(short(row).as_str()));
        for cells in &changed.new {
            next.0.insert(text(cells)?);
        }
        next.check()?;
        let (found, said) = (next.digest(), changed.after);
        if found != said {
            return Err(NotTaken::Otherwise { found, said });
        }
        let did = Did {
            gone: self.0.difference(&next.0).cloned().collect(),
            new: next.0.difference(&self.0).cloned().collect(),
        };
        *self = next;
        Ok(did)
    }

    fn check(&self) -> Result<(), NotTaken> {
        let bytes = self.0.iter().map(String::len).sum();
        match () {
            () if bytes > ROWS_BYTES_MAX => Err(NotTaken::TooLarge { bytes, most: ROWS_BYTES_MAX }),
            () if self.0.len() > ROWS_MAX => Err(not_read(format!("more than {ROWS_MAX} rows"))),
            () => Ok(()),
        }
    }
}

impl Changed {
    /// Reads what a device sent.
    pub fn read(bytes: &[u8]) -> Result<Self, NotTaken> {
        let changed: Self = read(bytes)?;
        match changed.table.len() <= NAME_BYTES_MAX {
            true => Ok(changed),
            false => Err(not_read("the name of its table is too long".to_owned())),
        }
    }
}

impl Checked {
    /// Reads what a device sent.
    pub fn read(bytes: &[u8]) -> Result<Self, NotTaken> {
        let checked: Self = read(bytes)?;
        match checked.tables.len() <= CELLS_MAX {
            true => Ok(checked),
            false => Err(not_read(format!("more than {CELLS_MAX} tables"))),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, NotTaken> {
    // A part is filled up to its size, by a row that may be as long as any.
    let most = PART_BYTES_MAX + 2 * ROW_BYTES_MAX;
    if bytes.len() > most {
        return Err(NotTaken::TooLarge { bytes: bytes.len(), most });
    }
    serde_json::from_slice(bytes).map_err(|error| not_read(error.to_string()))
}

fn not_read(problem: String) -> NotTaken {
    NotTaken::NotRead { problem }
}

/// A row as JSON, by column.
fn text(cells: &Cells) -> Result<String, NotTaken> {
    let is_plain = |value: &Value| match value {
        Value::String(_) | Value::Bool(_) => true,
        Value::Number(number) => number.is_i64(),
        _ => false,
    };
    if cells.len() > CELLS_MAX || !cells.values().all(is_plain) {
        return Err(not_read("a row has too many columns, or one that is no text, whole number or truth".to_owned()));
    }
    let text = serde_json::to_string(cells).map_err(|error| not_read(error.to_string()))?;
    match text.len() <= ROW_BYTES_MAX {
        true => Ok(text),
        false => Err(NotTaken::TooLarge { bytes: text.len(), most: ROW_BYTES_MAX }),
    }
}

/// By what a row is named when it goes.
fn short(row: &str) -> String {
    Digest::of(row.as_bytes()).hex().get(..2 * SHORT_BYTES).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, version: &str) -> Cells {
        [("name", name), ("version", version), ("status", "install ok installed")]
            .map(|(column, value)| (column.to_owned(), json!(value)))
            .into()
    }

    fn packages(count: usize) -> Vec<Cells> {
        (0..count).map(|at| package(&format!("package-{at}"), "1.0-1")).collect()
    }

    fn sent(parts: &[Changed]) -> Vec<Vec<u8>> {
        parts.iter().map(|part| serde_json::to_vec(part).unwrap()).collect()
    }

    fn taken(hub: &mut Rows, parts: &[Changed]) {
        sent(parts).iter().for_each(|bytes| drop(hub.take(&Changed::read(bytes).unwrap()).unwrap()));
    }

    #[test]
    fn a_large_table_goes_whole_in_parts_and_then_by_row() {
        let before = Rows::of(packages(3_000)).unwrap();
        let whole = before.since("deb_packages", None);
        assert!(whole.len() > 1 && whole.iter().rev().skip(1).all(|part| part.more) && !whole.last().unwrap().more);
        assert!(sent(&whole).iter().all(|bytes| bytes.len() < PART_BYTES_MAX + (1 << 10)));
        let mut hub = Rows::default();
        taken(&mut hub, &whole);
        assert_eq!((hub.len(), hub.digest()), (3_000, before.digest()));

        let mut now = packages(3_000);
        now[7] = package("package-7", "1.0-2");
        now.push(package("vim", "9"));
        let now = Rows::of(now).unwrap();
        let parts = now.since("deb_packages", Some(&before));
        assert_eq!((parts.len(), parts[0].gone.len(), parts[0].new.len()), (1, 1, 2));
        let bytes = sent(&parts)[0].len();
        assert!(bytes < 600, "{bytes}");
        taken(&mut hub, &parts);
        assert_eq!(hub, now);
        assert_eq!(now.since("deb_packages", Some(&now)), []);
        // All of it goes, and comes back.
        let none = Rows::default();
        taken(&mut hub, &none.since("deb_packages", Some(&now)));
        assert!(hub.is_empty());
        taken(&mut hub, &now.since("deb_packages", Some(&none)));
        assert_eq!(hub, now);
        taken(&mut hub, &none.since("deb_packages", None));
        assert!(hub.is_empty(), "nothing is a whole table too");
    }

    #[test]
    fn who_lost_something_or_made_something_up_is_told_all_of_it() {
        let before = Rows::of(packages(10)).unwrap();
        let now = Rows::of(packages(11)).unwrap();
        let parts = now.since("deb_packages", Some(&before));
        let mut forged = before.clone();
        forged.0.insert(text(&package("made-up", "1")).unwrap());
        for (mut known, is_good) in [(before.clone(), true), (forged, false), (Rows::default(), false)] {
            let did = known.take(&parts[0]);
            assert_eq!(did.is_ok(), is_good, "{did:?}");
            if let Err(error) = did {
                assert!(error.wants_whole(), "{error}");
                taken(&mut known, &now.since("deb_packages", None));
            }
            assert_eq!(known, now);
        }
    }

    #[test]
    fn what_is_too_much_or_no_row_is_not_taken() {
        let check = |cells: Cells| {
            let mut part = Rows::default().since("t", None).remove(0);
            part.new.push(cells.clone());
            part.after = Rows::kept([serde_json::to_string(&cells).unwrap()]).digest();
            Changed::read(&serde_json::to_vec(&part).unwrap()).and_then(|part| Rows::default().take(&part))
        };
        let cell = |value: Value| Cells::from([("name".to_owned(), value)]);
        for good in [json!("bash"), json!(7), json!(-7), json!(true), json!("x".repeat(ROW_BYTES_MAX - 11))] {
            check(cell(good)).unwrap();
        }
        for bad in
            [json!(null), json!(1.5), json!([1]), json!({"a": 1}), json!(u64::MAX), json!("x".repeat(ROW_BYTES_MAX))]
        {
            check(cell(bad.clone())).unwrap_err();
            assert_eq!(Rows::of([cell(bad)]), None);
        }
        let wide = |count: usize| (0..count).map(|at| (at.to_string(), json!(1))).collect::<Cells>();
        assert!(check(wide(CELLS_MAX)).is_ok() && check(wide(CELLS_MAX + 1)).is_err());
        assert!(Rows::of(packages(ROWS_MAX)).is_some() && Rows::of(packages(ROWS_MAX + 1)).is_none());
        let long = |at: usize| cell(json!(format!("{at:06}{}", "x".repeat(3_900))));
        assert!(Rows::of((0..500).map(long)).is_some() && Rows::of((0..600).map(long)).is_none());
        assert!(Changed::read(&vec![b' '; PART_BYTES_MAX * 2]).is_err() && Changed::read(b"{}").is_err());
    }
}
