use std::collections::BTreeSet;

use contract::Class;
use model::{Capability, Digest, Mode, OrderId};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Kind, Statement, check_sentence};
use crate::{Key, Name, Names, Time};

/// The most rings: each waits for the one before it, so that more would be a rollout without end.
const RINGS_MAX: usize = 16;
/// The most devices of a ring: a proof that a device is of it has 20 digests at most.
const DEVICES_MAX: u32 = 1 << 20;
/// The most bytes of an expression; crate `fleet` bounds what it may cost.
const WHERE_BYTES_MAX: usize = 4 << 10;
/// The most entries of `allow`.
const ALLOW_MAX: usize = 64;
/// The longest that an order may hold: a standing one of a year, and a month to make the next one. A device remembers what it
/// was ordered for as long.
const DAYS_MAX: u32 = 400;
/// The longest wait of a gate: beyond 30 days an order is better made anew.
const WAIT_SECONDS_MAX: u32 = 30 * 86_400;
/// All of a sample.
const PPM_MAX: u32 = 1_000_000;

/// What a standing order's own text says nothing of: the order says it, or the device's place.
const SAID_ELSEWHERE: [&str; 10] =
    ["format", "plugin", "digest", "parameters", "mode", "allow", "client", "tags", "expires", "comment"];

/// This plugin, on these devices, in this mode. A technician signs it on their own machine; two of them, where it may be of
/// class L4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Order {
    /// The root whose technicians are meant: its first statement.
    pub tenant: Digest,
    /// Which order.
    pub id: OrderId,
    /// Who orders: one of those who sign it. It is their counter.
    pub by: Key,
    /// Goes up with each order of that key.
    pub counter: u64,
    /// Nothing runs before.
    pub from: Time,
    /// Nothing begins from then on.
    pub expires: Time,
    /// On devices of these clients.
    pub clients: Names,
    /// What each device must find true of itself, in CEL; anything, where it is empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub r#where: String,
    /// The devices that are meant, one ring after the other. None: any device of these clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rings: Vec<Ring>,
    /// What the next ring waits for. It is there where there is a next ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// What runs.
    pub plugin: OrderedPlugin,
    /// What it is handed: a JSON object as text, because statements have no floats.
    pub parameters: String,
    /// What it may do.
    pub mode: Mode,
    /// The plan that it does, and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// What it is granted of its approval; all of that, where nothing is listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<Capability>,
    /// And nothing above this class.
    pub class_max: Class,
    /// When it may start, beside the device's own windows: the agent's calendars, a JSON object as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<String>,
    /// On which occasions it runs: the agent's order, a JSON object as text, without what is said here. None: it runs once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<String>,
    /// The order whose run on a device is taken back there, in place of another run of the plugin: its statement's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<Digest>,
    /// The agent that takes the place of the one that runs. `plugin` is then its program, packed as it travels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade: Option<Upgrade>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// The plugin of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OrderedPlugin {
    /// Its name.
    pub name: Name,
    /// Its version.
    pub version: Version,
    /// Of the whole file: these bytes and no others.
    pub digest: Digest,
}

/// Another agent in the place of the one that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Upgrade {
    /// What says what it is: the statement of the release.
    pub release: Digest,
    /// Whether it may be an older one than the one that runs: of class L4, so two people say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub downgrade: bool,
}

/// Devices that go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ring {
    /// How many.
    pub devices: u32,
    /// The root of the tree of their keys' fingerprints.
    pub root: Digest,
}

/// What is asked of a ring before the next one goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Gate {
    /// So long after the last result of the sample.
    pub soak_seconds: u32,
    /// At most so many failures in a million.
    pub failures_max_ppm: u32,
    /// So long after `from`, devices that said nothing no longer count as failed.
    pub absent_after_seconds: u32,
}

impl Statement for Order {
    const KIND: Kind = Kind::Order;

    fn check(&self) -> Result<(), String> {
        if self.from >= self.expires || self.expires > self.from.plus_days(DAYS_MAX) {
            return Err(format!("`expires`: expected a time after `from`, and at most {DAYS_MAX} days later"));
        }
        if self.clients == Names::These(Vec::new()) {
            return Err("`clients`: nobody's devices are meant".to_owned());
        }
        if self.r#where.len() > WHERE_BYTES_MAX {
            return Err(format!("`where`: expected at most {WHERE_BYTES_MAX} bytes"));
        }
        self.check_rings()?;
        object("parameters", &self.parameters)?;
        if self.plan.is_some() && (self.mode != Mode::Enforce || self.standing.is_some()) {
            return Err("`plan`: only an `enforce` order that runs once does a plan".to_owned());
        }
        if self.undoes.is_some() && (self.mode != Mode::Enforce || self.standing.is_some() || self.plan.is_some()) {
            return Err(
                "`undoes`: only an `enforce` order that runs once, without a plan, takes something back".to_owned()
            );
        }
        self.check_upgrade()?;
        if self.allow.len() > ALLOW_MAX {
            return Err(format!("`allow`: expected at most {ALLOW_MAX} entries"));
        }
        if let Some(beyond) = self.allow.iter().find(|it| it.row().class > self.class_max) {
            let (class, most) = (beyond.row().class, self.class_max);
            return Err(format!("`allow`: `{beyond}` is {class}, and `class-max` is {most}"));
        }
        if let Some(windows) = &self.windows {
            object("windows", windows)?;
        }
        if let Some(standing) = &self.standing {
            let standing = object("standing", standing)?;
            if let Some(twice) = SAID_ELSEWHERE.into_iter().find(|it| standing.contains_key(*it)) {
                return Err(format!("`standing`: `{twice}` is said elsewhere, and once"));
            }
        }
        match self.comment.is_empty() {
            true => Ok(()),
            false => check_sentence("comment", &self.comment),
        }
    }
}

impl Order {
    /// Whoever replaces the agent can do what the agent can: that is L3 at least, and L4 where a later agent knew better.
    fn check_upgrade(&self) -> Result<(), String> {
        let Some(upgrade) = &self.upgrade else { return Ok(()) };
        let is_plain = self.plan.is_none() && self.standing.is_none() && self.undoes.is_none() && self.allow.is_empty();
        if self.mode != Mode::Enforce || !is_plain || self.parameters != "{}" {
            return Err(
                "`upgrade`: only an `enforce` order that runs once, of nothing else, replaces the agent".to_owned()
            );
        }
        let least = if upgrade.downgrade { Class::L4 } else { Class::L3 };
        match self.class_max < least {
            true => Err(format!("`class-max`: it is {}, and replacing the agent so is {least}", self.class_max)),
            false => Ok(()),
        }
    }

    fn check_rings(&self) -> Result<(), String> {
        let roots: BTreeSet<Digest> = self.rings.iter().map(|ring| ring.root).collect();
        if self.rings.len() > RINGS_MAX || roots.len() < self.rings.len() {
            return Err(format!("`rings`: expected at most {RINGS_MAX}, each once"));
        }
        if self.rings.iter().any(|ring| ring.devices == 0 || ring.devices > DEVICES_MAX) {
            return Err(format!("`rings`: expected 1 to {DEVICES_MAX} devices in each"));
        }
        match &self.gate {
            Some(_) if self.rings.len() < 2 => Err("`gate`: there is no ring that waits".to_owned()),
            None if self.rings.len() > 1 => Err("`gate` is missing, and the second ring waits for it".to_owned()),
            Some(gate) if gate.failures_max_ppm > PPM_MAX => {
                Err(format!("`gate.failures-max-ppm`: expected at most {PPM_MAX}"))
            }
            Some(gate) if gate.soak_seconds.max(gate.absent_after_seconds) > WAIT_SECONDS_MAX => {
                Err(format!("`gate`: expected waits of at most {WAIT_SECONDS_MAX} seconds"))
            }
            _ => Ok(()),
        }
    }

    /// What it risks: the class of what it may really do. Where nothing is enforced, a mutator can only plan.
    pub fn risks(&self) -> Class {
        match self.mode {
            Mode::Enforce => self.class_max,
            Mode::Detect | Mode::DryRun => self.class_max.min(Class::L1),
        }
    }

    /// A standing order as the agent reads it: one JSON object. None for an order that runs once.
    pub fn standing_form(&self) -> Option<String> {
        let mut form = object("standing", self.standing.as_ref()?).ok()?;
        let allow: Vec<String> = self.allow.iter().map(ToString::to_string).collect();
        let said = [
            ("format", json!(1)),
            ("plugin", json!(self.plugin.name)),
            ("digest", json!(self.plugin.digest)),
            ("parameters", Value::Object(object("parameters", &self.parameters).ok()?)),
            ("mode", json!(self.mode)),
            ("allow", json!(allow)),
            ("expires", json!(self.expires)),
            ("comment", json!(self.comment)),
        ];
        form.extend(said.map(|(name, value)| (name.to_owned(), value)));
        Some(Value::Object(form).to_string())
    }
}

/// The object that a text holds. What is in it, its reader checks.
fn object(field: &str, text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("`{field}`: expected a JSON object as text: {error}"))
}
