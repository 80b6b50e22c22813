//! `[device]`, read by hand: everything that is wrong is told at once, each with its line.

use std::fmt;

use agent::{Allowed, BadPolicy, Calendars, DevicePolicy};
use anyhow::bail;
use model::budget::{Budget, Budgets};
use serde::de::{DeserializeOwned, IntoDeserializer as _};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of `[device]`.
const KEYS: &str = "`class-max`, `plugins`, `publishers`, `windows`, `budgets` or `reboots`";

/// What is wrong, in the order in which it was found.
struct Problems<'a> {
    text: &'a str,
    found: Vec<(usize, String)>,
}

impl Problems<'_> {
    fn add(&mut self, at: usize, problem: impl fmt::Display) {
        self.found.push((line(self.text, at), one_line(&problem.to_string())));
    }

    /// The value, as what it should be.
    fn keep<T: DeserializeOwned>(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<T> {
        let read = T::deserialize(value.clone().into_deserializer());
        read.map_err(|error| self.add(value.span().start, format!("`{key}`: {}", error.message()))).ok()
    }
}

fn line(text: &str, at: usize) -> usize {
    text.get(..at).unwrap_or(text).matches('\n').count() + 1
}

/// What a parser says over several lines.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `[device]` of a policy whose text is TOML.
pub(super) fn parse(text: &str) -> anyhow::Result<Allowed> {
    let document = DeTable::parse(text)?;
    let mut problems = Problems { text, found: Vec::new() };
    let mut windows_at = Vec::new();
    let mut policy = DevicePolicy::default();
    let device = document.get_ref().get("device");
    match device.map(|device| (device.span().start, device.get_ref())) {
        None => {}
        Some((_, DeValue::Table(device))) => policy = read(device, &mut windows_at, &mut problems),
        Some((at, _)) => problems.add(at, "`device`: expected a table"),
    }
    let allowed = Allowed::new(&policy);
    if let Err(BadPolicy(wrong)) = &allowed {
        let device_at = device.map_or(0, |device| device.span().start);
        for problem in wrong {
            problems.add(place(problem, &windows_at).unwrap_or(device_at), problem);
        }
    }
    problems.found.sort();
    match (allowed, problems.found.as_slice()) {
        (Ok(allowed), []) => Ok(allowed),
        (_, found) => bail!(
            "{}",
            found.iter().map(|(line, problem)| format!("line {line}: {problem}")).collect::<Vec<_>>().join("\n")
        ),
    }
}

fn read(device: &DeTable<'_>, windows_at: &mut Vec<usize>, problems: &mut Problems<'_>) -> DevicePolicy {
    let mut policy = DevicePolicy::default();
    for (key, value) in device {
        match key.get_ref().as_ref() {
            "class-max" => policy.class_max = problems.keep("class-max", value),
            "plugins" => policy.plugins = problems.keep("plugins", value),
            "publishers" => policy.publishers = problems.keep("publishers", value),
            "windows" => policy.windows = windows(value, windows_at, problems),
            "budgets" => policy.budgets = budgets(value, problems),
            "reboots" => policy.reboots = problems.keep("reboots", value).unwrap_or_default(),
            unknown => problems.add(key.span().start, format!("`{unknown}` is unknown: expected {KEYS}")),
        }
    }
    policy
}

fn windows(value: &Spanned<DeValue<'_>>, windows_at: &mut Vec<usize>, problems: &mut Problems<'_>) -> Vec<Calendars> {
    let DeValue::Array(all) = value.get_ref() else {
        problems.add(value.span().start, "`windows`: expected `[[device.windows]]`");
        return Vec::new();
    };
    let mut windows = Vec::new();
    for one in all.iter() {
        if let Some(calendars) = problems.keep("windows", one) {
            windows.push(calendars);
            windows_at.push(one.span().start);
        }
    }
    windows
}

fn budgets(value: &Spanned<DeValue<'_>>, problems: &mut Problems<'_>) -> Budgets {
    let DeValue::Table(all) = value.get_ref() else {
        problems.add(value.span().start, "`budgets`: expected a table");
        return Budgets::default();
    };
    let mut budgets = Budgets::default();
    for (key, value) in all {
        let name = key.get_ref().as_ref();
        let Some(budget) = Budget::ALL.into_iter().find(|budget| budget.name() == name) else {
            let names = Budget::ALL.map(|budget| format!("`{budget}`")).join(", ");
            problems.add(key.span().start, format!("`{name}` is unknown: expected one of {names}"));
            continue;
        };
        if let Some(limit) = problems.keep(name, value) {
            budgets = budgets.with(budget, limit);
        }
    }
    budgets
}

/// Where `windows[1].zone: …` is.
fn place(problem: &str, windows_at: &[usize]) -> Option<usize> {
    let (number, _) = problem.strip_prefix("windows[")?.split_once(']')?;
    windows_at.get(number.parse::<usize>().ok()?).copied()
}
