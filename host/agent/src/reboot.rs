//! When the reboot comes that a run was granted: in a window of the machine's owner, after those who are logged in were warned,
//! and put off for them as often as the owner lets it be. The table is in `DISPATCH.md`.

use serde::{Deserialize, Serialize};

use crate::Reason;

const MINUTE_MS: i64 = 60_000;

/// How often a reboot that waits for a window is looked at.
const LOOK_MS: i64 = 60_000;

/// How often it is asked whether people are still logged in for whom it waits.
const PEOPLE_LOOK_MS: i64 = 10_000;

/// After a reboot that did not come, how long until it is tried again.
const AGAIN_MS: i64 = 3_600_000;

/// How long the machine may take to go down.
const DOWN_MS: i64 = 600_000;

/// A day: who warns or puts off for longer wants a window.
const MINUTES_MAX: u32 = 1_440;

const DEFERRALS_MAX: u32 = 100;

/// `[device.reboots]` of host policy: what the owner wants for whoever is logged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RebootPolicy {
    /// How long before it they are warned.
    pub warn_minutes: u32,
    /// For how long it is put off for them each time.
    pub defer_minutes: u32,
    /// How often it is put off at most.
    pub defer_max: u32,
}

impl Default for RebootPolicy {
    fn default() -> Self {
        Self { warn_minutes: 5, defer_minutes: 60, defer_max: 3 }
    }
}

impl RebootPolicy {
    /// All that is wrong with it, a line each.
    pub(crate) fn check(&self) -> Vec<String> {
        let limits = [
            ("warn-minutes", self.warn_minutes, 0, MINUTES_MAX),
            ("defer-minutes", self.defer_minutes, 1, MINUTES_MAX),
            ("defer-max", self.defer_max, 0, DEFERRALS_MAX),
        ];
        let wrong = limits.iter().filter(|(_, is, least, most)| !(*least..=*most).contains(is));
        wrong.map(|(key, is, least, most)| format!("reboots.{key}: {is}: expected {least} to {most}")).collect()
    }
}

/// A reboot that a run was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reboot {
    /// How often it was put off: over restarts of the agent too.
    deferrals: u32,
    #[serde(skip)]
    stage: Stage,
    #[serde(skip)]
    told: Option<RebootTold>,
}

/// How far it is. Times are of a clock that nobody sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It is asked whether it may come.
    #[default]
    Asked,
    /// It is put off, for whoever is logged in.
    Deferred { until_ms: i64 },
    /// People were warned.
    Warned { until_ms: i64 },
    /// What is under way comes to its end first.
    Draining,
    /// The machine is told to go down.
    Begun { until_ms: i64 },
    /// It did not go down.
    Failed { until_ms: i64 },
}

/// What is handed in with each look.
pub struct RebootLook<'a> {
    /// A clock that nobody sets.
    pub steady_ms: i64,
    /// Whether windows allow it so many milliseconds from now.
    pub admits: &'a dyn Fn(i64) -> Result<(), Reason>,
    /// How many people are logged in.
    pub people: u32,
    /// Whether nothing is under way, and nothing will be.
    pub is_drained: bool,
    /// What the owner wants.
    pub policy: RebootPolicy,
}

/// What became of a reboot, for whoever asks why it came or did not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RebootTold {
    /// It waits for a window.
    Waits(Reason),
    /// It is put off, because people are logged in.
    Deferred {
        /// How many.
        people: u32,
        /// For how long.
        minutes: u32,
        /// For the how manieth time.
        count: u32,
        /// How often it may be at most.
        most: u32,
    },
    /// People were warned.
    Warned {
        /// How many.
        people: u32,
        /// How long before it.
        minutes: u32,
    },
    /// The machine goes down.
    Begun,
    /// It did not.
    Failed(String),
}

/// What follows from a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RebootStep {
    /// What is to be recorded, and whoever is logged in is to be told.
    pub told: Option<RebootTold>,
    /// When to look again.
    pub in_ms: i64,
}

impl Reboot {
    /// Whether nothing may start, so that it can come.
    pub fn is_draining(&self) -> bool {
        matches!(self.stage, Stage::Draining | Stage::Begun { .. })
    }

    /// What was told of it last.
    pub fn told(&self) -> Option<&RebootTold> {
        self.told.as_ref()
    }

    /// The machine did not go down.
    pub fn fail(&mut self, steady_ms: i64, why: String) -> RebootStep {
        self.stage = Stage::Failed { until_ms: steady_ms.saturating_add(AGAIN_MS) };
        self.tell(RebootTold::Failed(why), AGAIN_MS)
    }

    /// What becomes of it now. It is to be called when the last step said so, and when what was under way has come to its end.
    pub fn look(&mut self, look: &RebootLook<'_>) -> RebootStep {
        let RebootLook { steady_ms, admits, people, is_drained, policy } = look;
        let left_ms = |until_ms: i64| until_ms.saturating_sub(*steady_ms);
        let quiet = |in_ms: i64| RebootStep { told: None, in_ms: in_ms.clamp(1, LOOK_MS) };
        let attended = |in_ms: i64| quiet(in_ms.min(PEOPLE_LOOK_MS));
        match self.stage {
            // Those for whom it was put off, or who were warned, may have gone.
            Stage::Deferred { until_ms } | Stage::Warned { until_ms } if left_ms(until_ms) > 0 && *people > 0 => {
                return attended(left_ms(until_ms));
            }
            Stage::Failed { until_ms } if left_ms(until_ms) > 0 => return quiet(left_ms(until_ms)),
            Stage::Begun { until_ms } if left_ms(until_ms) > 0 => return quiet(left_ms(until_ms)),
            Stage::Begun { .. } => return self.fail(*steady_ms, "the machine did not go down".to_owned()),
            Stage::Asked | Stage::Deferred { .. } | Stage::Warned { .. } | Stage::Failed { .. } | Stage::Draining => {}
        }
        if let Err(reason) = admits(0) {
            return self.wait(reason);
        }
        match self.stage {
            Stage::Draining if *is_drained => {
                self.stage = Stage::Begun { until_ms: steady_ms.saturating_add(DOWN_MS) };
                return self.tell(RebootTold::Begun, DOWN_MS);
            }
            Stage::Draining => return quiet(LOOK_MS),
            // They had their time.
            Stage::Warned { .. } => {}
            _ if *people > 0 && self.deferrals < policy.defer_max => {
                self.deferrals = self.deferrals.saturating_add(1);
                let for_ms = i64::from(policy.defer_minutes).saturating_mul(MINUTE_MS);
                self.stage = Stage::Deferred { until_ms: steady_ms.saturating_add(for_ms) };
                let (minutes, count, most) = (policy.defer_minutes, self.deferrals, policy.defer_max);
                return self.tell(RebootTold::Deferred { people: *people, minutes, count, most }, PEOPLE_LOOK_MS);
            }
            _ if *people > 0 && policy.warn_minutes > 0 => {
                let for_ms = i64::from(policy.warn_minutes).saturating_mul(MINUTE_MS);
                // Nobody is warned of what cannot come.
                if let Err(reason) = admits(for_ms) {
                    return self.wait(reason);
                }
                self.stage = Stage::Warned { until_ms: steady_ms.saturating_add(for_ms) };
                return self.tell(RebootTold::Warned { people: *people, minutes: policy.warn_minutes }, PEOPLE_LOOK_MS);
            }
            _ => {}
        }
        self.stage = Stage::Draining;
        quiet(1)
    }

    fn wait(&mut self, reason: Reason) -> RebootStep {
        self.stage = Stage::Asked;
        let told = RebootTold::Waits(reason);
        match self.told.as_ref() == Some(&told) {
            true => RebootStep { told: None, in_ms: LOOK_MS },
            false => self.tell(told, LOOK_MS),
        }
    }

    fn tell(&mut self, told: RebootTold, in_ms: i64) -> RebootStep {
        self.told = Some(told.clone());
        RebootStep { told: Some(told), in_ms: in_ms.clamp(1, LOOK_MS) }
    }
}

#[cfg(test)]
mod tests;
