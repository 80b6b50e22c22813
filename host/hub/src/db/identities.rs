//! Which machine a device is, by what it says of itself with each session: so that two with one key are noticed.

use rusqlite::{OptionalExtension as _, params};

use super::{Change, View, count, ms};
use crate::Error;
use crate::scope::Held;

/// So many starts of an agent are remembered: two that take turns show within as many.
const EARLIER_MAX: usize = 16;

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    machine: String,
    process: String,
    earlier: Vec<String>,
    pub(crate) cloned_ms: Option<u64>,
}

/// What a session says, held against that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// The same as before.
    Same,
    /// The agent was started anew, or says this for the first time.
    New,
    /// One that was started before asks again, after another one: both are alive.
    Both,
    /// Another machine than the one that joined.
    OtherMachine,
}

impl Identity {
    pub(crate) fn meets(&self, machine: &str, process: &str) -> Met {
        match () {
            () if self.machine != machine => Met::OtherMachine,
            () if self.process == process => Met::Same,
            () if self.earlier.iter().any(|it| it == process) => Met::Both,
            () => Met::New,
        }
    }
}

impl View<'_> {
    /// What is known of a device.
    pub(crate) fn identity(&self, device: &str) -> Result<Option<Identity>, Error> {
        let text = "SELECT machine, process, earlier, cloned_ms FROM identity WHERE device = ?1";
        Ok(self.0.prepare_cached(text)?.query_row(params![device], read).optional()?)
    }
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Identity> {
    let earlier: String = row.get(2)?;
    Ok(Identity {
        machine: row.get(0)?,
        process: row.get(1)?,
        earlier: serde_json::from_str(&earlier).unwrap_or_default(),
        cloned_ms: row.get::<_, Option<i64>>(3)?.map(count),
    })
}

impl Change<'_> {
    /// Notes what a session says; whether it is news that two machines have the key.
    pub(crate) fn identify(
        &self,
        held: &Held,
        device: &str,
        (machine, process): (&str, &str),
        now_ms: u64,
    ) -> Result<bool, Error> {
        let text = "SELECT machine, process, earlier, cloned_ms FROM identity WHERE device = ?1";
        let found = self.0.prepare_cached(text)?.query_row(params![device], read).optional()?;
        let Some(mut found) = found else {
            let text = "INSERT INTO identity (device, client, machine, process, earlier) VALUES (?1, ?2, ?3, ?4, '[]')";
            self.0.prepare_cached(text)?.execute(params![device, held.client(), machine, process])?;
            return Ok(false);
        };
        let met = found.meets(machine, process);
        let is_cloned = matches!(met, Met::Both | Met::OtherMachine);
        let is_news = is_cloned && found.cloned_ms.is_none();
        if matches!(met, Met::New | Met::Both) {
            let before = std::mem::replace(&mut found.process, process.to_owned());
            found.earlier.retain(|it| it != process && *it != before);
            found.earlier.push(before);
            let over = found.earlier.len().saturating_sub(EARLIER_MAX);
            found.earlier.drain(..over);
        }
        let cloned_ms = found.cloned_ms.or_else(|| is_cloned.then_some(now_ms)).map(ms);
        let earlier = serde_json::to_string(&found.earlier).unwrap_or_default();
        let text = "UPDATE identity SET process = ?2, earlier = ?3, cloned_ms = ?4 WHERE device = ?1 AND client = ?5";
        self.0.prepare_cached(text)?.execute(params![device, found.process, earlier, cloned_ms, held.client()])?;
        Ok(is_news)
    }

    /// A device joins again: what was known of its machine counts no more.
    pub(crate) fn forget_identity(&self, device: &str) -> Result<(), Error> {
        self.0.prepare_cached("DELETE FROM identity WHERE device = ?1")?.execute(params![device])?;
        Ok(())
    }
}
