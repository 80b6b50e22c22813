//! Orders on their way: which devices they go to, ring by ring, and how far they have come.
//!
//! What is counted of a ring is changed by each result in the transaction that keeps it, so it is a fold over the log at any time,
//! and costs a result the same however many devices there are.

use fleet::Comes;
use rusqlite::{OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stale::Whose;
use super::{Change, View, count, ms};
use crate::Error;

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RolloutState {
    /// Devices have it in their mailboxes.
    Running,
    /// All of its devices are done.
    Done,
    /// Its time is over.
    Expired,
    /// A technician took it back.
    Withdrawn,
    /// Another order was rolled out in its place.
    Superseded,
}

/// Whether a ring goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RingStands {
    /// The ring before has not met the gate yet.
    Waiting,
    /// It may go.
    Open,
    /// All of its devices have answered.
    Done,
}

/// An order on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Rollout {
    /// How far it has come.
    pub state: RolloutState,
    /// Goes up with every change.
    pub version: u64,
    /// The list of the plugin's parts, where it travels so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parcel: Option<String>,
    /// Since when, in milliseconds since 1970.
    pub begun_ms: u64,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Its rings; one, where the order has none.
    pub rings: Vec<RolloutRing>,
}

/// A ring, counted: each device once, by its latest answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RolloutRing {
    /// Its place, from 1 on.
    // In this program from 0 on, as in what is signed.
    #[serde(serialize_with = "super::as_people_count")]
    pub ring: u32,
    /// Whether it goes.
    pub state: RingStands,
    /// How many devices it has.
    pub devices: u64,
    /// For which it went well.
    pub completed: u64,
    /// For which it went badly.
    pub failed: u64,
    /// Which refused it, but for those that it does not mean.
    pub refused: u64,
    /// Which it does not mean, as they say.
    pub not_meant: u64,
    /// Which wait for a reboot.
    pub suspended: u64,
    /// Which have not answered.
    pub silent: u64,
    /// When it was opened, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_ms: Option<u64>,
    /// The certificate that opened it: of the results of the ring before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Why it is not open yet, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// The latest end that was counted.
    #[serde(skip)]
    pub(crate) last_ms: u64,
}

/// A rollout that begins.
#[derive(Clone, Debug)]
pub(crate) struct NewRollout {
    pub(crate) order: String,
    pub(crate) parcel: Option<String>,
    /// The list, and what it lists.
    pub(crate) parts: Vec<String>,
    pub(crate) expires_ms: u64,
    pub(crate) rings: Vec<Vec<NewSeat>>,
    /// Whether the order has rings: their devices are fixed.
    pub(crate) is_ringed: bool,
    pub(crate) replaces: Vec<String>,
}

/// A device's place in a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewSeat {
    pub(crate) device: String,
    pub(crate) client: String,
    /// From its leaf to the ring's root, hash by hash.
    pub(crate) path: Vec<u8>,
    /// Whether the ring is judged by it.
    pub(crate) is_drawn: bool,
}

/// What came of putting one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Began {
    /// It was not there.
    New,
    /// It goes to other devices now, or with another parcel.
    Changed,
    /// It was there just so.
    Same,
}

/// A rollout that may have something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) order: String,
    pub(crate) expires_ms: u64,
}

fn word(state: RolloutState) -> String {
    crate::word(&state)
}

/// As the tables have it. What is refused went badly too, and is counted apart.
fn comes_word(comes: Comes, is_refused: bool) -> &'static str {
    match comes {
        Comes::Well => "well",
        Comes::Badly if is_refused => "refused",
        Comes::Badly => "failed",
        Comes::Aside => "aside",
        Comes::NotYet => "suspended",
    }
}

/// The same out of the words of a result.
fn comes_of(outcome: &str, verdict: &str, refused: Option<&str>) -> Option<Comes> {
    let outcome = serde_json::from_value(outcome.into()).ok()?;
    let verdict = serde_json::from_value(verdict.into()).ok()?;
    Some(Comes::of(outcome, verdict, refused))
}

/// What is counted of a result.
pub(super) struct Tallied<'a> {
    pub(super) order: &'a str,
    pub(super) digest: &'a str,
    pub(super) sequence: u64,
    pub(super) ended_ms: u64,
    pub(super) outcome: &'a str,
    pub(super) verdict: &'a str,
    pub(super) refused: Option<&'a str>,
}

/// So many running orders of one device may need more room than a mailbox has: what is done then makes room for what is not.
const SEATS_MANY: u64 = 16;

impl View<'_> {
    /// How far an order has come; nothing where it is not on its way.
    pub(crate) fn rollout(&self, order: &str) -> Result<Option<Rollout>, Error> {
        let text = "SELECT state, version, parcel, begun_ms, ended_ms FROM rollout WHERE digest = ?1";
        let found = self.0.prepare_cached(text)?.query_row(params![order], |row| {
            let state: String = row.get(0)?;
            let ended: Option<i64> = row.get(4)?;
            let state = serde_json::from_value(state.into()).unwrap_or(RolloutState::Withdrawn);
            Ok(Rollout {
                state,
                version: count(row.get(1)?),
                parcel: row.get(2)?,
                begun_ms: count(row.get(3)?),
                ended_ms: ended.map(count),
                rings: Vec::new(),
            })
        });
        let Some(mut rollout) = found.optional()? else { return Ok(None) };
        let text = "SELECT ring, devices, well, failed, refused, aside, suspended, last_ms, opened_ms, certificate
            FROM rollout_ring WHERE digest = ?1 ORDER BY ring";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![order], |row| {
            let number = |at: usize| row.get(at).map(count);
            let (devices, opened): (u64, Option<i64>) = (number(1)?, row.get(8)?);
            let [completed, failed, refused, not_meant, suspended] =
                [number(2)?, number(3)?, number(4)?, number(5)?, number(6)?];
            let answered = completed + failed + refused + not_meant;
            Ok(RolloutRing {
                ring: row.get(0)?,
                state: match opened {
                    None => RingStands::Waiting,
                    Some(_) if answered >= devices => RingStands::Done,
                    Some(_) => RingStands::Open,
                },
                devices,
                completed,
                failed,
                refused,
                not_meant,
                suspended,
                silent: devices.saturating_sub(answered + suspended),
                opened_ms: opened.map(count),
                certificate: row.get(9)?,
                waits: None,
                last_ms: number(7)?,
            })
        })?;
        rollout.rings = rows.collect::<Result<_, _>>()?;
        Ok(Some(rollout))
    }

    /// The devices of each of its rings, in their order, and the list of the plugin's parts: all of that, or nothing. Who had which
    /// place is forgotten as the results are, some time after it is over.
    pub(crate) fn rollout_as_put(&self, order: &str) -> Result<(Vec<Vec<String>>, Option<String>), Error> {
        let missing = || Error::Missing { what: "rollout" };
        let rollout = self.rollout(order)?.ok_or_else(missing)?;
        let mut rings = Vec::with_capacity(rollout.rings.len());
        for ring in &rollout.rings {
            rings.push(self.ring_devices(order, ring.ring)?);
        }
        let is_whole =
            rollout.rings.iter().zip(&rings).all(|(ring, devices)| Ok(ring.devices) == devices.len().try_into());
        if is_whole { Ok((rings, rollout.parcel)) } else { Err(missing()) }
    }

    /// Which version of it is there now.
    pub(crate) fn rollout_version(&self, order: &str) -> Result<u64, Error> {
        let mut query = self.0.prepare_cached("SELECT version FROM rollout WHERE digest = ?1")?;
        Ok(query.query_row(params![order], |row| row.get(0)).optional()?.map_or(0, count))
    }

    /// Those that run.
    pub(crate) fn running(&self) -> Result<Vec<Running>, Error> {
        let text = "SELECT digest, expires_ms FROM rollout WHERE state = 'running' ORDER BY digest";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map([], |row| Ok(Running { order: row.get(0)?, expires_ms: count(row.get(1)?) }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Has an order go on its way. The same again changes nothing; one that is over stays over.
    pub(crate) fn put_rollout(&self, new: &NewRollout, now_ms: u64) -> Result<Began, Error> {
        let text = "SELECT state, parcel FROM rollout WHERE digest = ?1";
        let mut query = self.0.prepare_cached(text)?;
        let found: Option<(String, Option<String>)> =
            query.query_row(params![new.order], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let began = match found {
            None => {
                let text = "INSERT INTO rollout SELECT ?1, file, ?2, 'running', ?3, ?4, NULL, 1 FROM document WHERE digest = ?1";
                let row = params![new.order, new.parcel, ms(new.expires_ms), ms(now_ms)];
                if self.0.prepare_cached(text)?.execute(row)? == 0 {
                    return Err(Error::Missing { what: "order" });
                }
                self.seat_all(new, now_ms)?;
                Began::New
            }
            Some((state, _)) if state != "running" => {
                return Err(Error::Conflict(format!("its rollout is {state}: what is to run again is a new order")));
            }
            Some((_, parcel)) => {
                let is_same = parcel == new.parcel;
                let moved = if new.is_ringed { false } else { self.are_others(new)? };
                if moved {
                    self.stale(Whose::Rollout(&new.order))?;
                    self.0.execute("DELETE FROM seat WHERE digest = ?1", params![new.order])?;
                    self.0.execute("DELETE FROM rollout_ring WHERE digest = ?1", params![new.order])?;
                    self.seat_all(new, now_ms)?;
                }
                if is_same && !moved { Began::Same } else { Began::Changed }
            }
        };
        if began != Began::Same {
            let text = "UPDATE rollout SET parcel = ?2, version = version + 1 WHERE digest = ?1";
            self.0.prepare_cached(text)?.execute(params![new.order, new.parcel])?;
            self.0.execute("DELETE FROM rollout_part WHERE digest = ?1", params![new.order])?;
            let mut insert =
                self.0.prepare_cached("INSERT INTO rollout_part VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
            for part in &new.parts {
                insert.execute(params![new.order, part])?;
            }
            self.stale(Whose::Rollout(&new.order))?;
        }
        for replaced in &new.replaces {
            self.end_rollout(replaced, RolloutState::Superseded, now_ms)?;
        }
        Ok(began)
    }

    /// Whether it goes to other devices than it does.
    fn are_others(&self, new: &NewRollout) -> Result<bool, Error> {
        let devices: Vec<&str> = new.rings.iter().flatten().map(|it| it.device.as_str()).collect();
        let mut query = self.0.prepare_cached("SELECT device FROM seat WHERE digest = ?1 ORDER BY ring, leaf")?;
        let there = query.query_map(params![new.order], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        Ok(there != devices)
    }

    /// The rings and their devices, with what is in the log of them already.
    fn seat_all(&self, new: &NewRollout, now_ms: u64) -> Result<(), Error> {
        let text = "INSERT INTO rollout_ring VALUES (?1, ?2, ?3, ?4, NULL, 0, 0, 0, 0, 0, 0)";
        let mut insert_ring = self.0.prepare_cached(text)?;
        let text = "INSERT INTO seat VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, 0, '', 0)";
        let mut insert = self.0.prepare_cached(text)?;
        for (ring, seats) in (0_u32..).zip(&new.rings) {
            let opened = (ring == 0).then(|| ms(now_ms));
            let devices = i64::try_from(seats.len()).unwrap_or(i64::MAX);
            insert_ring.execute(params![new.order, ring, devices, opened])?;
            for (leaf, it) in (0_u32..).zip(seats) {
                insert.execute(params![new.order, it.device, it.client, ring, leaf, it.path, it.is_drawn])?;
            }
        }
        let text =
            "SELECT device, digest, sequence, ended_ms, outcome, verdict, refused FROM result WHERE ordered = ?1";
        let mut query = self.0.prepare_cached(text)?;
        let mut rows = query.query(params![new.order])?;
        while let Some(row) = rows.next()? {
            let [device, digest, outcome, verdict]: [String; 4] = [row.get(0)?, row.get(1)?, row.get(4)?, row.get(5)?];
            let refused: Option<String> = row.get(6)?;
            let tallied = Tallied {
                order: &new.order,
                digest: &digest,
                sequence: count(row.get(2)?),
                ended_ms: count(row.get(3)?),
                outcome: &outcome,
                verdict: &verdict,
                refused: refused.as_deref(),
            };
            self.tally(&device, &tallied)?;
        }
        Ok(())
    }

    /// Counts a result that was just kept: of each device the latest, which is the one that it gave the highest number.
    pub(super) fn tally(&self, device: &str, it: &Tallied<'_>) -> Result<(), Error> {
        let text = "SELECT ring, comes, sequence, result FROM seat WHERE digest = ?1 AND device = ?2";
        let mut query = self.0.prepare_cached(text)?;
        let found = query.query_row(params![it.order, device], |row| {
            let (comes, result): (Option<String>, String) = (row.get(1)?, row.get(3)?);
            Ok((row.get::<_, u32>(0)?, comes, (count(row.get(2)?), result)))
        });
        let Some((ring, before, latest)) = found.optional()? else { return Ok(()) };
        let Some(comes) = comes_of(it.outcome, it.verdict, it.refused) else { return Ok(()) };
        if before.is_some() && (it.sequence, it.digest) <= (latest.0, latest.1.as_str()) {
            return Ok(());
        }
        let after = comes_word(comes, it.refused.is_some());
        let text =
            "UPDATE seat SET comes = ?3, sequence = ?4, result = ?5, ended_ms = ?6 WHERE digest = ?1 AND device = ?2";
        let row = params![it.order, device, after, ms(it.sequence), it.digest, ms(it.ended_ms)];
        self.0.prepare_cached(text)?.execute(row)?;
        let text = "UPDATE rollout_ring SET
                well = well + (?4 = 'well') - (?3 = 'well'), failed = failed + (?4 = 'failed') - (?3 = 'failed'),
                refused = refused + (?4 = 'refused') - (?3 = 'refused'), aside = aside + (?4 = 'aside') - (?3 = 'aside'),
                suspended = suspended + (?4 = 'suspended') - (?3 = 'suspended'),
                last_ms = iif(?4 = 'suspended', last_ms, max(last_ms, ?5))
            WHERE digest = ?1 AND ring = ?2";
        let before = before.unwrap_or_default();
        self.0.prepare_cached(text)?.execute(params![it.order, ring, before, after, ms(it.ended_ms)])?;
        self.bump(it.order)?;
        let text = "SELECT count(*) FROM seat JOIN rollout USING (digest) WHERE seat.device = ?1 AND state = 'running'";
        let seats = self.0.prepare_cached(text)?.query_row(params![device], |row| row.get(0)).map(count)?;
        if seats > SEATS_MANY { self.stale(Whose::Device(device)) } else { Ok(()) }
    }

    /// The certificate that the ring before met its gate: this one goes.
    pub(crate) fn open_ring(&self, order: &str, ring: u32, certificate: &str, now_ms: u64) -> Result<bool, Error> {
        let text = "UPDATE rollout_ring SET opened_ms = ?3, certificate = ?4
            WHERE digest = ?1 AND ring = ?2 AND opened_ms IS NULL
            AND EXISTS (SELECT 1 FROM rollout WHERE rollout.digest = ?1 AND state = 'running')";
        let rows = self.0.prepare_cached(text)?.execute(params![order, ring, ms(now_ms), certificate])?;
        if rows > 0 {
            self.stale(Whose::Ring(order, ring))?;
            self.bump(order)?;
        }
        Ok(rows > 0)
    }

    /// Has it end: mailboxes name it no more. Its parts stay for who runs it again or takes it back. Whether it ran.
    pub(crate) fn end_rollout(&self, order: &str, state: RolloutState, now_ms: u64) -> Result<bool, Error> {
        let text = "UPDATE rollout SET state = ?2, ended_ms = ?3, version = version + 1 WHERE digest = ?1 AND state = 'running'";
        if self.0.prepare_cached(text)?.execute(params![order, word(state), ms(now_ms)])? == 0 {
            return Ok(false);
        }
        self.stale(Whose::Rollout(order))?;
        Ok(true)
    }

    /// Whether there is one, over or not.
    pub(crate) fn has_rollout(&self, order: &str) -> Result<bool, Error> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM rollout WHERE digest = ?1")?;
        Ok(query.query_row(params![order], |_| Ok(())).optional()?.is_some())
    }

    fn bump(&self, order: &str) -> Result<(), Error> {
        self.0.prepare_cached("UPDATE rollout SET version = version + 1 WHERE digest = ?1")?.execute(params![order])?;
        Ok(())
    }
}
