use contract::notify::Notification;
use contract::types::{Severity, TimestampMs};
use serde::{Deserialize, Serialize};

use crate::attributes;

/// What somebody was told, or is about to be, and is not over yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Alert {
    /// Whether somebody works on it.
    pub acknowledged: bool,
    /// The worst that was told.
    pub severity: Severity,
    /// How often it was triggered.
    pub times: u32,
    /// When it was last told.
    pub told_ms: TimestampMs,
    /// The message that opened it.
    pub message: u64,
    /// As it was last triggered.
    pub event: Event,
}

impl Alert {
    /// As a change says it.
    pub(super) fn state(&self) -> String {
        let word = if self.acknowledged { "acknowledged" } else { "open" };
        let times = if self.times == 1 { "time" } else { "times" };
        format!("{word}, {}, {} {times}", self.severity.word(), self.times)
    }
}

/// One event of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// The device that it is about.
    pub device: String,
    /// The plugin that says it.
    pub plugin: String,
    /// The run that said it.
    pub run: String,
    /// When.
    pub at_ms: TimestampMs,
    /// What.
    pub stated: Notification,
}

impl Event {
    /// Which alert it belongs to; the audience is the route's.
    pub(super) fn alert(&self) -> String {
        format!("{}/{}/{}", self.device, self.plugin, self.stated.dedup_key)
    }

    pub(super) fn is_expired(&self, now_ms: u64) -> bool {
        let expires = attributes::number(&self.stated.attributes, "expires-ms");
        expires.ok().flatten().is_some_and(|expires_ms| expires_ms <= now_ms)
    }
}

/// What a message says of its alerts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// They are there.
    Trigger,
    /// Somebody works on it.
    Acknowledge,
    /// It is over.
    Resolve,
}

impl Action {
    /// PagerDuty's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Acknowledge => "acknowledge",
            Self::Resolve => "resolve",
        }
    }
}

/// What waits to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Message {
    /// Its place in its route's order.
    pub number: u64,
    /// What it says.
    pub action: Action,
    /// Of what; more than one only where alerts were grouped.
    pub events: Vec<Event>,
    /// When it was made.
    pub queued_ms: TimestampMs,
    /// Not before then: quiet hours, or the pause before another try.
    pub not_before_ms: TimestampMs,
    /// Whether quiet hours hold it back.
    pub held: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// Until when somebody is sending it; whoever died doing so loses it then.
    pub claimed_until_ms: TimestampMs,
    /// Why the last try failed; empty if there was none.
    pub problem: String,
}

impl Message {
    /// Whether it can still be changed: nobody has begun to send it.
    pub(super) fn is_untouched(&self) -> bool {
        self.attempts == 0
    }
}

/// A route's own memory: the next number, when its latest messages were made, and which of them others may join.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Lane {
    pub(super) next: u64,
    pub(super) lately_ms: Vec<u64>,
    pub(super) joinable: Option<u64>,
}
