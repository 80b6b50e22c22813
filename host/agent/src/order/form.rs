//! An order as it is written, in TOML by hand or in JSON.

use std::collections::BTreeSet;

use contract::Class;
use contract::run::Mode;
use model::Digest;
use model::capability::Capability;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{BadOrder, NAME_BYTES_MAX, Occasion, Order, Priority, Retry, is_name};
use crate::written::Problems;
use crate::{Device, EventTrigger, Rule, Schedule, Trigger, text};

/// The form of what is written.
const FORMAT: u32 = 1;

/// The most bytes of a comment.
const COMMENT_BYTES_MAX: usize = 1_024;

/// The most runs a day: one a minute, as a pattern has them.
const RUNS_PER_DAY_MAX: u32 = 1_440;

/// The most entries of a list.
const ENTRIES_MAX: usize = 64;

/// What must be there is told all at once, so nothing here must.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    parameters: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Box<Trigger>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Box<EventTrigger>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    once: bool,
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Budget>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<Capability>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Budget {
    runs_per_day: u32,
}

/// Where problems go: with a place in a file, or without.
pub(super) trait Report {
    fn add(&mut self, path: &str, problem: &str);
    /// Whether a key is there that could not be read, so that it is not said to be missing.
    fn was_written(&self, key: &str) -> bool;
}

impl Report for Problems {
    fn add(&mut self, path: &str, problem: &str) {
        Problems::add(self, path, problem);
    }

    fn was_written(&self, key: &str) -> bool {
        self.has(key)
    }
}

impl Report for Vec<String> {
    fn add(&mut self, path: &str, problem: &str) {
        self.push(format!("{path}: {problem}"));
    }

    fn was_written(&self, _: &str) -> bool {
        false
    }
}

impl Form {
    /// The order, where nothing that it needs is missing. It is one only if nothing was reported.
    pub(super) fn checked(mut self, problems: &mut impl Report) -> Option<Order> {
        needed("format", self.format, "`format = 1`", problems).filter(|format| *format != FORMAT).inspect(|format| {
            problems
                .add("format", &format!("this remit reads {FORMAT}, and not {format}: update remit, or write it so"));
        });
        let plugin = needed("plugin", self.plugin.take(), "the plugin's name", problems);
        let is_plugin = |name: &String| {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !name.is_empty() && name.len() <= 64 && name.bytes().all(is_plain)
        };
        if let Some(name) = plugin.as_ref().filter(|name| !is_plugin(name)) {
            problems.add("plugin", &format!("`{name}`: expected 1 to 64 lower-case letters, digits and hyphens"));
        }
        let digest = needed("digest", self.digest, "which plugin: `sha256:…`, as `remit inspect` tells it", problems);
        let mode = needed("mode", self.mode, "`detect`, `dry-run` or `enforce`", problems);
        let expires_ms = text::moment(self.expires.as_deref()).unwrap_or_else(|problem| {
            problems.add("expires", &problem);
            None
        });
        self.check_rest(problems);
        let occasion = self.occasion(problems);
        Some(Order {
            plugin: plugin?,
            digest: digest?,
            parameters: self.parameters,
            mode: mode?,
            occasion: occasion?,
            priority: self.priority,
            retry: self.retry,
            runs_per_day: self.budget.map(|budget| budget.runs_per_day),
            allow: self.allow,
            client: self.client,
            tags: self.tags,
            expires_ms,
            comment: self.comment,
        })
    }

    fn check_rest(&self, problems: &mut impl Report) {
        if let Some(retry) = &self.retry {
            retry.problems().iter().for_each(|(field, problem)| problems.add(&format!("retry.{field}"), problem));
        }
        if self.budget.as_ref().is_some_and(|budget| !(1..=RUNS_PER_DAY_MAX).contains(&budget.runs_per_day)) {
            problems.add("budget.runs-per-day", &format!("expected 1 to {RUNS_PER_DAY_MAX}"));
        }
        let names = self.client.iter().map(|name| ("client", name)).chain(self.tags.iter().map(|name| ("tags", name)));
        for (field, name) in names.filter(|(_, name)| !is_name(name)) {
            problems.add(
                field,
                &format!(
                    "`{name}`: expected 1 to {NAME_BYTES_MAX} of `a-z`, `0-9`, `-`, `.`, `_`, the first a letter or digit"
                ),
            );
        }
        for (field, count) in [("allow", self.allow.len()), ("tags", self.tags.len())] {
            if count > ENTRIES_MAX {
                problems.add(field, &format!("it has {count} entries: at most {ENTRIES_MAX} are read"));
            }
        }
        if self.comment.len() > COMMENT_BYTES_MAX {
            problems.add("comment", &format!("it has {} bytes: at most {COMMENT_BYTES_MAX}", self.comment.len()));
        }
    }

    fn occasion(&mut self, problems: &mut impl Report) -> Option<Occasion> {
        let occasion = match (self.schedule.take(), self.event.take(), self.once) {
            (None, None, true) => return Some(Occasion::Once),
            (_, _, true) => {
                problems.add("once", "the order has another occasion too: write one order for each");
                return None;
            }
            (Some(trigger), None, false) => Occasion::Schedule(trigger),
            (None, Some(trigger), false) => Occasion::Event(trigger),
            (Some(_), Some(_), false) => {
                problems.add("event", "the order has `[schedule]` too: write one order for each");
                return None;
            }
            (None, None, false) => {
                if !problems.was_written("schedule") && !problems.was_written("event") {
                    problems.add("schedule", "it is missing: when the order runs, either `[schedule]` or `[event]`");
                }
                return None;
            }
        };
        // What the device adds, its windows and the plugin's class, is no part of what is written.
        let (table, expires, bad) = match &occasion {
            Occasion::Schedule(trigger) => {
                let bad = Schedule::new(trigger, "", Class::L0, &Device::default()).err().map(|bad| bad.0);
                ("schedule", &trigger.expires, bad.unwrap_or_default())
            }
            Occasion::Event(trigger) => {
                let bad = Rule::new(trigger, "", Class::L0, &Device::default()).err().map(|bad| bad.0);
                ("event", &trigger.expires, bad.unwrap_or_default())
            }
            Occasion::Once => return Some(occasion),
        };
        if self.expires.is_some() && expires.is_some() {
            problems.add(&format!("{table}.expires"), "the order has `expires` too: one of them is enough");
        }
        for line in bad {
            match line.split_once(": ") {
                Some((field, problem)) => problems.add(&format!("{table}.{field}"), problem),
                None => problems.add(table, &line),
            }
        }
        Some(occasion)
    }
}

fn needed<T>(key: &str, value: Option<T>, expected: &str, problems: &mut impl Report) -> Option<T> {
    if value.is_none() && !problems.was_written(key) {
        problems.add(key, &format!("it is missing: expected {expected}"));
    }
    value
}

impl TryFrom<Form> for Order {
    type Error = BadOrder;

    fn try_from(form: Form) -> Result<Self, BadOrder> {
        let mut problems = Vec::new();
        let order = form.checked(&mut problems);
        order.filter(|_| problems.is_empty()).ok_or(BadOrder(problems))
    }
}

impl From<Order> for Form {
    fn from(order: Order) -> Self {
        let (schedule, event, once) = match order.occasion {
            Occasion::Schedule(trigger) => (Some(trigger), None, false),
            Occasion::Event(trigger) => (None, Some(trigger), false),
            Occasion::Once => (None, None, true),
        };
        Self {
            format: Some(FORMAT),
            plugin: Some(order.plugin),
            digest: Some(order.digest),
            parameters: order.parameters,
            mode: Some(order.mode),
            schedule,
            event,
            once,
            priority: order.priority,
            retry: order.retry,
            budget: order.runs_per_day.map(|runs_per_day| Budget { runs_per_day }),
            allow: order.allow,
            client: order.client,
            tags: order.tags,
            expires: order.expires_ms.map(text::moment_text),
            comment: order.comment,
        }
    }
}
