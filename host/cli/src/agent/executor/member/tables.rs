//! The tables that this device tells the hub row by row: what changed, and once a day what all of it comes to. What it told is kept
//! beside the outbox, in the same transaction, so that a start tells nothing twice.

mod look;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::fleet::tables::{TABLES, Told};
use ::fleet::{Checked, Packages, Rows};
use model::Digest;
use trust::Name;
use trust::statement::People;

use super::super::{Executor, Happened};
use crate::keys;

use look::{Look, Marks};

pub(in crate::agent::executor) use look::Found;

/// What was told: the rows of a table, and what they come to.
const TOLD: &str = "fleet-tables";

/// How often it is looked whether something is other than it was: files are looked at, and only what changed is read.
const LOOK_EVERY_MS: u64 = 900_000;

/// How often the hub is told what all of it comes to; and with each start.
const CHECK_EVERY_MS: u64 = 86_400_000;

/// How often at most a hub that says that it knows nothing is told everything: whoever owns it makes this device do no more.
const WHOLE_EVERY_MS: u64 = 3_600_000;

/// So long after a start a package manager is not asked: a machine that boots has other things to do.
const UPDATES_AFTER_MS: u64 = 120_000;

/// What was looked at, and told.
#[derive(Debug, Default)]
pub(in crate::agent::executor) struct Tables {
    began_ms: Option<u64>,
    looked_ms: u64,
    checked_ms: u64,
    whole_ms: u64,
    is_under_way: bool,
    /// The hub said that what it knows is something else.
    is_whole_wanted: bool,
    /// What was signed when it was looked last.
    signed: Option<Signed>,
    seen: BTreeMap<&'static str, Seen>,
    packages: Option<u64>,
    updates: Option<(u64, u64)>,
}

/// Whose device it is, where that is signed, and what its client has told of people.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signed {
    client: Option<Name>,
    people: People,
}

/// A table, as it was seen last.
#[derive(Clone, Debug, Default)]
struct Seen {
    marks: Option<Marks>,
    digest: Option<Digest>,
    /// What was told of it counts no more; that it is gone may not be durable yet.
    is_forgotten: bool,
}

impl Tables {
    /// What is installed, counted, as far as it was looked at.
    pub(in crate::agent::executor) fn packages(&self) -> Option<Packages> {
        let (updates, security_updates) = self.updates.unzip();
        Some(Packages { count: self.packages?, updates, security_updates })
    }

    fn count(&mut self, found: &Found) {
        let all = |text: &str| found.rows.iter().filter(|row| row.contains(text)).count() as u64;
        match found.table.name {
            "deb_packages" => self.packages = Some(all("\"status\":\"install ok installed\"")),
            "updates" => self.updates = Some((found.rows.len() as u64, all("\"classification\":\"security\""))),
            _ => {}
        }
    }
}

impl Executor {
    /// Looks at the tables where it is time, or something of ours changed the device.
    pub(in crate::agent::executor) fn look_at_tables(&mut self, is_due: bool) {
        let now_ms = self.context.clock.now_ms();
        let asked = &mut self.tables;
        let began_ms = *asked.began_ms.get_or_insert(now_ms);
        let is_whole = asked.is_whole_wanted && now_ms >= asked.whole_ms + WHOLE_EVERY_MS;
        let is_time = is_due || is_whole || now_ms >= asked.looked_ms + LOOK_EVERY_MS;
        if self.fleet.is_none() || asked.is_under_way || !is_time {
            return;
        }
        (asked.looked_ms, asked.is_under_way) = (now_ms, true);
        if is_whole {
            asked.whole_ms = now_ms;
            self.forget_tables();
            self.tell_facts();
        }
        let Some(signed) = self.signed() else { return };
        let people = signed.people;
        match self.tables.signed.replace(signed.clone()) {
            Some(Signed { client: Some(before), .. }) if signed.client.as_ref() != Some(&before) => {
                // What one client's device told, the hub has not for the next.
                self.forget_tables();
                self.tell_facts();
            }
            Some(before) if before.client != signed.client => self.tables.checked_ms = 0,
            _ => {}
        }
        let look = Look {
            machine: Arc::clone(&self.machine),
            people,
            wants_updates: now_ms >= began_ms + UPDATES_AFTER_MS,
            before: self.tables.seen.iter().map(|(table, seen)| (*table, seen.marks.clone())).collect(),
        };
        let happened = self.happened.clone();
        tokio::spawn(async move {
            let found = look.all().await;
            let _ = happened.send(Happened::Tables(found)).await;
        });
    }

    fn signed(&self) -> Option<Signed> {
        let (fleet, now) = (self.fleet.as_ref()?, keys::now(&self.context));
        let client = fleet.place(now).map(|place| place.client);
        let people = fleet.member.trust().people(client.as_ref(), now);
        Some(Signed { client, people })
    }

    /// Something else is believed than before: it is looked at once where that is about the tables.
    pub(in crate::agent::executor) fn look_at_signed(&mut self) {
        if self.tables.signed.is_some() && self.tables.signed != self.signed() {
            self.tables.looked_ms = 0;
            self.look_at_tables(false);
        }
    }

    /// Whoever is the hub knows nothing of them.
    pub(in crate::agent::executor) fn forget_tables(&mut self) {
        for table in TABLES.iter().filter(|table| table.is_told()) {
            self.rows.gone(TOLD, format!("rows/{}", table.name));
            self.rows.gone(TOLD, format!("digest/{}", table.name));
            self.tables.seen.insert(table.name, Seen { is_forgotten: true, ..Seen::default() });
        }
        self.tables.is_whole_wanted = false;
        if let Some(fleet) = &mut self.fleet {
            fleet.told_facts = None;
        }
    }

    /// The hub knows something else than what was changed.
    pub(in crate::agent::executor) fn whole_wanted(&mut self) {
        self.tables.is_whole_wanted = true;
        self.look_at_tables(false);
    }

    /// What changed is told; once a day what all of it comes to.
    pub(in crate::agent::executor) fn tables_found(&mut self, found: Vec<Found>) {
        self.tables.is_under_way = false;
        let people = self.signed().map(|signed| signed.people);
        for found in found {
            if found.table.told == Told::People && Some(found.people) != people {
                // Somebody signed otherwise while it was read.
                self.tables.looked_ms = 0;
                continue;
            }
            self.tables.count(&found);
            let name = found.table.name;
            if let Err(error) = self.tell_table(found) {
                tracing::error!(table = name, error = format!("{error:#}"), "what the hub was told cannot be read");
            }
        }
        self.check_tables();
        let packages = self.tables.packages();
        if let Some(fleet) = &mut self.fleet
            && fleet.facts.packages != packages
        {
            fleet.facts.packages = packages;
            self.tell_facts();
            self.look_at_fleet();
        }
    }

    fn tell_table(&mut self, found: Found) -> anyhow::Result<()> {
        let Found { table, marks, rows, .. } = found;
        let (digest, now_ms) = (rows.digest(), self.context.clock.now_ms());
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let store = &self.machine.store;
        let seen = self.tables.seen.entry(table.name).or_default();
        let kept = |what: &str| store.get(TOLD, &format!("{what}/{}", table.name), now_ms);
        if seen.digest.is_none() && !seen.is_forgotten {
            seen.digest = kept("digest")?.and_then(|row| row.value.parse().ok());
        }
        seen.marks = marks;
        if seen.digest == Some(digest) {
            return Ok(());
        }
        let before = match seen.digest {
            Some(told) => {
                let rows = kept("rows")?.and_then(|row| serde_json::from_str::<Vec<String>>(&row.value).ok());
                // What was told last may not be durable yet: then all of it is told.
                rows.map(Rows::kept).filter(|rows| rows.digest() == told)
            }
            None => None,
        };
        // A table that never had a row is told when it has.
        if before.is_none() && seen.digest.is_none() && rows.is_empty() {
            return Ok(());
        }
        let mut bytes = 0;
        for part in rows.since(table.name, before.as_ref()) {
            let (body, kind) = (serde_json::to_string(&part)?, "inventory".parse()?);
            bytes += body.len();
            fleet.outbox.push(kind, body, true, &mut self.rows);
        }
        tracing::info!(table = table.name, rows = rows.len(), bytes, "what changed of a table is told");
        let all: Vec<&str> = rows.iter().collect();
        self.rows.put(TOLD, format!("rows/{}", table.name), serde_json::to_string(&all)?);
        self.rows.put(TOLD, format!("digest/{}", table.name), digest.to_string());
        (seen.digest, seen.is_forgotten) = (Some(digest), false);
        Ok(())
    }

    fn check_tables(&mut self) {
        let now_ms = self.context.clock.now_ms();
        let asked = &mut self.tables;
        let Some(fleet) = &mut self.fleet else { return };
        if asked.checked_ms != 0 && now_ms < asked.checked_ms + CHECK_EVERY_MS {
            return;
        }
        let nothing = Rows::default().digest();
        let told = asked.seen.iter().filter_map(|(table, seen)| Some(((*table).to_owned(), seen.digest?)));
        let tables = told.filter(|(_, digest)| *digest != nothing).collect();
        if let (Ok(body), Ok(kind)) = (serde_json::to_string(&Checked { tables }), "inventory-check".parse()) {
            fleet.outbox.push(kind, body, true, &mut self.rows);
            asked.checked_ms = now_ms;
        }
    }
}
