//! What is known of a rule from before.

use std::collections::VecDeque;

use model::RunId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cause::CHAIN_MAX;
use crate::{Change, Notice, Reason, Tripped};

/// The form of what is written.
const FORMAT: u32 = 1;

/// The most levels that are held at once: more services or certificates than a device should have in trouble.
pub(super) const SUBJECTS_MAX: usize = 128;

/// The most bytes of all that levels told, as JSON.
pub(super) const LEVELS_BYTES_MAX: usize = 256 << 10;

/// The most bytes of what one notice told, as JSON: what a plugin is handed.
const DATA_BYTES_MAX: usize = 64 << 10;

/// The most bytes of a subject, as JSON. Of a longer one, its hash tells it apart.
const SUBJECT_BYTES_MAX: usize = 1 << 10;

/// The most firings that are counted back.
pub(super) const FIRED_MAX: usize = 101;

/// The most reasons that are counted: more than there are.
const TALLIES_MAX: usize = 24;

/// The bytes of a hash.
pub(super) const WATCHED_BYTES: usize = 64;

/// What an order's rule must remember. It is bounded, whatever comes, and belongs to the order's name: a changed order goes on with
/// it.
///
/// It is to be made durable after each call that decided something, and before its runs start; then nothing fires twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct RuleState {
    /// When the last look was, by the clock on the wall.
    pub(super) looked_ms: i64,
    /// Time that went by since the rule came, however clocks were set. What passed while the agent was not there is what the wall
    /// says, and never less than nothing.
    pub(super) real_ms: i64,
    /// Of that, time in which somebody looked.
    pub(super) awake_ms: i64,
    /// The same clock, when the agent started last.
    pub(super) started_ms: i64,
    /// A hash of what is watched: what was told of something else is nothing to this rule.
    pub(super) watched: String,
    /// The oldest first.
    pub(super) levels: VecDeque<Level>,
    pub(super) burst: Option<Burst>,
    /// When the windows open for which levels wait, by the clock on the wall.
    pub(super) opens_ms: Option<i64>,
    /// When it fired last, in real time; the oldest first.
    pub(super) fired_ms: VecDeque<i64>,
    /// How often it fired, ever.
    pub(super) firings: u64,
    pub(super) tripped: Option<Tripped>,
    /// How often it tripped, ever.
    pub(super) trips: u64,
    pub(super) tallies: Vec<Tally>,
}

/// Something that was raised, and not cleared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Level {
    pub(super) subject: String,
    pub(super) stage: Stage,
    /// From when on it is seen to hold, by the clock of looks.
    pub(super) since_ms: i64,
    /// How long the agent was not there while it may have held.
    #[serde(default)]
    pub(super) unseen_ms: i64,
    /// Whether it was raised since the agent started.
    pub(super) is_confirmed: bool,
    /// What was told of it; nothing, where nobody needs it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kept: Option<Kept>,
    /// Why it waits, where that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<String>,
}

/// How far a level has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stage {
    /// It must hold longer.
    Holding,
    /// It is one of a burst.
    InBurst,
    /// It fires when it may.
    Due,
    /// It fired, or never will. Only a clear and another raise begin anew.
    Done,
}

/// A notice, as it is kept: never more than so many bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Kept {
    pub(super) at_ms: i64,
    pub(super) subject: String,
    pub(super) change: Change,
    pub(super) data: Map<String, Value>,
    pub(super) chain: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<RunId>,
    /// As JSON.
    pub(super) bytes: usize,
}

/// What happened, of which only the last counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Burst {
    pub(super) count: u64,
    /// When the first was noticed, by the clock on the wall.
    pub(super) first_at_ms: i64,
    /// When the first and the last came, in real time.
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) last: Kept,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) told: Option<String>,
}

/// How often something did not fire since that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Tally {
    pub(super) reason: Reason,
    pub(super) count: u64,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// In real time.
    pub(super) told_ms: i64,
}

impl RuleState {
    /// That of an order that is new.
    pub fn new(now_ms: i64) -> Self {
        Self {
            looked_ms: now_ms,
            real_ms: 0,
            awake_ms: 0,
            started_ms: 0,
            watched: String::new(),
            levels: VecDeque::new(),
            burst: None,
            opens_ms: None,
            fired_ms: VecDeque::new(),
            firings: 0,
            tripped: None,
            trips: 0,
            tallies: Vec::new(),
        }
    }

    /// When the last look was; milliseconds since 1970.
    pub fn looked_ms(&self) -> i64 {
        self.looked_ms
    }

    /// Why the rule is off, where its breaker has tripped.
    pub fn tripped(&self) -> Option<&Tripped> {
        self.tripped.as_ref()
    }

    /// Switches the rule on again, because somebody has looked: it counts its firings from nothing. Look at it then: what still
    /// holds may fire.
    pub fn reset(&mut self) {
        self.tripped = None;
        self.fired_ms.clear();
    }

    /// Something else is watched from now on. How often it fired still counts.
    pub(crate) fn forget_noticed(&mut self) {
        self.levels.clear();
        self.burst = None;
    }

    /// The source was stopped, and watches anew: it raises what holds, and nothing tells what was cleared meanwhile. After a start
    /// of the agent that goes without saying.
    pub fn watch_anew(&mut self) {
        self.started_ms = self.awake_ms;
        self.levels.iter_mut().for_each(|level| level.is_confirmed = false);
    }

    /// The bytes of all that levels told.
    pub(super) fn levels_bytes(&self) -> usize {
        self.levels.iter().filter_map(|level| level.kept.as_ref()).map(|kept| kept.bytes).sum()
    }
}

impl Kept {
    pub(super) fn of(notice: &Notice, mut chain: Vec<String>, cause: Option<RunId>) -> Self {
        chain.truncate(CHAIN_MAX);
        let mut data = notice.data.clone();
        let mut bytes = json_bytes(&data);
        if bytes > DATA_BYTES_MAX {
            // A source never tells so much; and if one does, the event is better than none.
            data = Map::from_iter([("dropped-bytes".to_owned(), Value::from(bytes))]);
            bytes = 32;
        }
        Self {
            at_ms: notice.at_ms,
            subject: subject(&notice.subject),
            change: notice.change,
            data,
            chain,
            cause,
            bytes,
        }
    }
}

/// A subject that is not too long, and still another than others.
pub(super) fn subject(text: &str) -> String {
    if json_bytes(text) <= SUBJECT_BYTES_MAX {
        return text.to_owned();
    }
    // A character has at most six bytes as JSON.
    let most = text.floor_char_boundary(SUBJECT_BYTES_MAX / 8);
    format!(
        "{}…{}",
        text.get(..most).unwrap_or_default(),
        blake3::hash(text.as_bytes()).to_hex().get(..32).unwrap_or_default()
    )
}

pub(super) fn json_bytes<T: Serialize + ?Sized>(value: &T) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// As it is written. Fields that a later version adds are skipped by this one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Form {
    format: u32,
    looked_ms: i64,
    real_ms: i64,
    awake_ms: i64,
    started_ms: i64,
    #[serde(default)]
    watched: String,
    #[serde(default)]
    levels: VecDeque<Level>,
    #[serde(default)]
    burst: Option<Burst>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opens_ms: Option<i64>,
    #[serde(default)]
    fired_ms: VecDeque<i64>,
    #[serde(default)]
    firings: u64,
    #[serde(default)]
    tripped: Option<Tripped>,
    #[serde(default)]
    trips: u64,
    #[serde(default)]
    tallies: Vec<Tally>,
}

impl TryFrom<Form> for RuleState {
    type Error = String;

    /// Whatever a file says becomes a state that holds what it promises.
    fn try_from(mut form: Form) -> Result<Self, String> {
        if form.format > FORMAT {
            return Err(format!("it has format {}, this remit reads up to {FORMAT}: update remit", form.format));
        }
        for level in form.levels.iter_mut().filter(|it| it.stage == Stage::InBurst && form.burst.is_none()) {
            level.stage = Stage::Due;
        }
        form.levels.truncate(SUBJECTS_MAX);
        form.fired_ms.retain(|&fired_ms| fired_ms <= form.real_ms);
        form.fired_ms.truncate(FIRED_MAX);
        form.tallies.truncate(TALLIES_MAX);
        if form.watched.len() > WATCHED_BYTES {
            form.watched.clear();
        }
        let Form { looked_ms, real_ms, awake_ms, started_ms, watched, levels, burst, opens_ms, .. } = form;
        let Form { fired_ms, firings, tripped, trips, tallies, .. } = form;
        Ok(Self {
            looked_ms,
            real_ms,
            awake_ms,
            started_ms,
            watched,
            levels,
            burst,
            opens_ms,
            fired_ms,
            firings,
            tripped,
            trips,
            tallies,
        })
    }
}

impl From<RuleState> for Form {
    fn from(state: RuleState) -> Self {
        let RuleState { looked_ms, real_ms, awake_ms, started_ms, watched, levels, burst, opens_ms, .. } = state;
        let RuleState { fired_ms, firings, tripped, trips, tallies, .. } = state;
        Self {
            format: FORMAT,
            looked_ms,
            real_ms,
            awake_ms,
            started_ms,
            watched,
            levels,
            burst,
            opens_ms,
            fired_ms,
            firings,
            tripped,
            trips,
            tallies,
        }
    }
}
