//! Facts on their way to the hub: whole once, then what changed, with a digest of the whole so that drift is found.

use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::facts::{FACTS_BYTES_MAX, Facts};

/// The most sections: twice as many as there are, for those of other versions.
const SECTIONS_MAX: usize = 32;

/// The deepest nesting: addresses in an interface in a list in a section, and as much again.
const DEPTH_MAX: usize = 8;

/// What is known of a device, section by section, as it was sent. What a newer agent says is kept and counts into the digest,
/// though nobody here can read it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory(Map<String, Value>);

/// What changed between two inventories, or all of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// Digest of that to which it applies; none where it is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// Digest of what comes out.
    pub after: Digest,
    /// Sections that are new or other than before.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub set: Map<String, Value>,
    /// Sections that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
}

/// Why a difference was not taken. What was there before is still there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It applies to something else: the device is to send all of it.
    #[error("it applies to {before}, and known is {known}: send all of it")]
    Drifted {
        /// That to which it applies.
        before: Digest,
        /// What is known.
        known: Digest,
    },
    /// It does not say what comes out.
    #[error("it comes to {found}, and says {said}: send all of it")]
    Otherwise {
        /// What comes out.
        found: Digest,
        /// What it says.
        said: Digest,
    },
    /// Larger than any device's.
    #[error("it has {bytes} bytes: at most {most} are taken")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What is taken at most.
        most: usize,
    },
    /// Not of this form.
    #[error("it is no difference: {problem}")]
    NotRead {
        /// Why.
        problem: String,
    },
}

impl NotTaken {
    /// Whether the device mends it by sending all of it.
    pub fn wants_whole(&self) -> bool {
        matches!(self, Self::Drifted { .. } | Self::Otherwise { .. })
    }
}

impl Inventory {
    /// Of what a device knows of itself.
    pub fn of(facts: &Facts) -> Self {
        match serde_json::to_value(facts.clone().bounded()) {
            Ok(Value::Object(sections)) => Self(sections),
            _ => Self::default(),
        }
    }

    /// Its facts, as far as this version reads them.
    pub fn facts(&self) -> Facts {
        Facts::read(&self.0)
    }

    /// As it is kept and queried.
    pub fn sections(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Of all of it.
    pub fn digest(&self) -> Digest {
        Digest::of_json(&Value::Object(self.0.clone()))
    }

    /// What changed since; nothing where nothing did.
    pub fn since(&self, before: &Self) -> Option<Difference> {
        let set: Map<String, Value> = self
            .0
            .iter()
            .filter(|(name, value)| before.0.get(*name) != Some(value))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let gone: Vec<String> = before.0.keys().filter(|name| !self.0.contains_key(*name)).cloned().collect();
        let difference = Difference { before: Some(before.digest()), after: self.digest(), set, gone };
        (!difference.set.is_empty() || !difference.gone.is_empty()).then_some(difference)
    }

    /// All of it.
    pub fn whole(&self) -> Difference {
        Difference { before: None, after: self.digest(), set: self.0.clone(), gone: Vec::new() }
    }

    /// Takes what changed.
    pub fn take(&mut self, difference: &Difference) -> Result<(), NotTaken> {
        let mut next = match difference.before {
            None => Map::new(),
            Some(before) if before == self.digest() => self.0.clone(),
            Some(before) => return Err(NotTaken::Drifted { before, known: self.digest() }),
        };
        next.retain(|name, _| !difference.gone.contains(name));
        next.extend(difference.set.iter().map(|(name, value)| (name.clone(), value.clone())));
        let next = Self(next);
        next.check()?;
        let (found, said) = (next.digest(), difference.after);
        if found != said {
            return Err(NotTaken::Otherwise { found, said });
        }
        *self = next;
        Ok(())
    }

    fn check(&self) -> Result<(), NotTaken> {
        let bytes = serde_json::to_vec(&self.0).map_or(usize::MAX, |it| it.len());
        if bytes > FACTS_BYTES_MAX {
            return Err(NotTaken::TooLarge { bytes, most: FACTS_BYTES_MAX });
        }
        let problem = match () {
            () if self.0.len() > SECTIONS_MAX => format!("more than {SECTIONS_MAX} sections"),
            () if self.0.values().any(|it| depth(it) > DEPTH_MAX) => format!("deeper than {DEPTH_MAX}"),
            () => return Ok(()),
        };
        Err(NotTaken::NotRead { problem })
    }
}

impl Difference {
    /// Reads what a device sent.
    pub fn read(bytes: &[u8]) -> Result<Self, NotTaken> {
        if bytes.len() > FACTS_BYTES_MAX {
            return Err(NotTaken::TooLarge { bytes: bytes.len(), most: FACTS_BYTES_MAX });
        }
        serde_json::from_slice(bytes).map_err(|error| NotTaken::NotRead { problem: error.to_string() })
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
        Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tests::facts;

    #[test]
    fn what_changed_is_sent_and_comes_out_the_same() {
        let before = Inventory::of(&facts());
        let mut now = facts();
        now.reboot = None;
        now.hostname = Some("web-2".to_owned());
        now.hardware = Some(crate::Hardware::default());
        let now = Inventory::of(&now);
        let difference = now.since(&before).unwrap();
        assert_eq!(difference.set.keys().collect::<Vec<_>>(), ["hardware", "hostname"]);
        assert_eq!(difference.gone, ["reboot"]);
        assert_eq!(now.since(&now), None);

        let sent = serde_json::to_vec(&difference).unwrap();
        let mut hub = before.clone();
        hub.take(&Difference::read(&sent).unwrap()).unwrap();
        assert_eq!((hub.digest(), hub.facts()), (now.digest(), now.facts()));
        let again = hub.take(&difference).unwrap_err();
        assert!(again.wants_whole() && hub.digest() == now.digest(), "{again}");
        let mut lost = Inventory::default();
        assert!(lost.take(&difference).unwrap_err().wants_whole());
        let sent = serde_json::to_vec(&now.whole()).unwrap();
        lost.take(&Difference::read(&sent).unwrap()).unwrap();
        assert_eq!((lost.digest(), lost.facts()), (now.digest(), now.facts()));
        hub.take(&before.whole()).unwrap();
        assert_eq!(hub.digest(), before.digest());
    }

    #[test]
    fn what_is_wrong_is_not_taken() {
        let good = Inventory::of(&facts()).whole();
        let changed = |change: fn(&mut Difference)| {
            let mut difference = good.clone();
            change(&mut difference);
            Inventory::default().take(&difference)
        };
        assert_eq!(changed(|_| ()), Ok(()));
        let outcome = changed(|it| drop(it.set.insert("hostname".to_owned(), json!("other"))));
        assert!(matches!(outcome, Err(NotTaken::Otherwise { .. })), "{outcome:?}");
        let nested = |depth| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        for (value, is_taken) in [
            (nested(DEPTH_MAX - 1), true),
            (nested(DEPTH_MAX), false),
            (json!("x".repeat(200 << 10)), true),
            (json!("x".repeat(256 << 10)), false),
            (json!([u64::MAX, 1.5, -3, 10.0]), true),
        ] {
            let mut one = Inventory::default();
            one.0.insert("new".to_owned(), value);
            let sent = serde_json::to_vec(&one.whole()).unwrap();
            let taken = Difference::read(&sent).and_then(|it| Inventory::default().take(&it));
            assert_eq!(taken.is_ok(), is_taken, "{taken:?}");
        }
        let many = |count: usize| {
            let sections = (0..count).map(|at| (format!("s{at}"), json!(at)));
            Inventory::default().take(&Inventory(sections.collect()).whole())
        };
        assert!(many(SECTIONS_MAX).is_ok() && many(SECTIONS_MAX + 1).is_err());
        assert!(Difference::read(b"{}").is_err() && Difference::read(&[b' '; FACTS_BYTES_MAX + 1]).is_err());
        assert!(Difference::read("[".repeat(100_000).as_bytes()).is_err());
    }
}
