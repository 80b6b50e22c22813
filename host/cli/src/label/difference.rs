//! What changed between two labels of a plugin, and whether anything may do more than before.

use std::collections::{BTreeMap, BTreeSet};

use contract::ScopeGrammar;
use model::capability;
use serde::Serialize;
use serde_json::Value;

use super::{Asked, Label};
use crate::output::one_line;

/// Everything that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Difference {
    /// Whether anything may do more.
    pub(crate) grows: bool,
    /// What grows comes first.
    pub(crate) changes: Vec<Change>,
}

/// One thing that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Change {
    /// What it is: `capability`, `scope`, `functions`, `class`, `people`, `reason` and so on.
    pub(crate) what: &'static str,
    /// Of which: an interface, a parameter, a limit; empty where there is one.
    pub(crate) of: String,
    /// Absent where it was not there.
    pub(crate) before: Option<String>,
    /// Absent where it is no longer there.
    pub(crate) after: Option<String>,
    /// Whether it lets the plugin do more.
    pub(crate) grows: bool,
}

impl Difference {
    /// From the one that a person knows to the one that is offered.
    pub(crate) fn between(old: &Label, new: &Label) -> Self {
        let mut found = Changes(Vec::new());
        found.of_person(old, new);
        found.of_capabilities(old, new);
        found.of_parameters(old, new);
        for ((limit, before), (_, after)) in old.limits.rows().into_iter().zip(new.limits.rows()) {
            found.text("limit", limit.name, &before.to_string(), &after.to_string(), after > before);
        }
        let (before, after) = (old.licenses(), new.licenses());
        let all: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
        for license in all {
            let times = |of: &BTreeMap<&str, usize>| of.get(license).map(|count| format!("{count} packages"));
            found.add("licence", license, times(&before), times(&after), false);
        }
        let mut changes = found.0;
        changes.sort_by_key(|it| !it.grows);
        Self { grows: changes.iter().any(|it| it.grows), changes }
    }

    /// Whether anything may do more: such an upgrade needs a new approval.
    pub(crate) fn grows(&self) -> bool {
        self.grows
    }

    /// For a person, a line each; what grows is marked.
    pub(crate) fn shown(&self) -> String {
        if self.changes.is_empty() {
            return "nothing of its label changed".to_owned();
        }
        let lines = self.changes.iter().map(|it| {
            let (mark, of) = (if it.grows { "!" } else { " " }, one_line(&it.of));
            let of = if of.is_empty() { String::new() } else { format!(" `{of}`") };
            let text = match (&it.before, &it.after) {
                (None, Some(after)) => format!("new: {}", one_line(after)),
                (Some(before), None) => format!("gone: {}", one_line(before)),
                (Some(before), Some(after)) => format!("{} -> {}", one_line(before), one_line(after)),
                (None, None) => String::new(),
            };
            format!("{mark} {}{of}: {text}", it.what)
        });
        let lines: Vec<String> = lines.collect();
        let word = match self.grows() {
            true => "it may do more than before (!)",
            false => "it may do no more than before",
        };
        format!("{}\n{word}", lines.join("\n"))
    }
}

struct Changes(Vec<Change>);

impl Changes {
    fn add(&mut self, what: &'static str, of: &str, before: Option<String>, after: Option<String>, grows: bool) {
        if before != after {
            self.0.push(Change { what, of: of.to_owned(), before, after, grows });
        }
    }

    fn text(&mut self, what: &'static str, of: &str, before: &str, after: &str, grows: bool) {
        self.add(what, of, Some(before.to_owned()), Some(after.to_owned()), grows);
    }

    /// Who it is; and what it is all told.
    fn of_person(&mut self, old: &Label, new: &Label) {
        for (what, before, after) in [
            ("name", &old.name, &new.name),
            ("version", &old.version, &new.version),
            ("publisher", &old.publisher, &new.publisher),
            ("description", &old.description, &new.description),
            ("own licence", &old.license, &new.license),
        ] {
            self.text(what, "", before, after, false);
        }
        self.text("form", "", old.form, new.form, false);
        self.add("support", "", old.support.clone(), new.support.clone(), false);
        let class = |label: &Label| label.class.map(|it| it.to_string());
        self.add("class", "", class(old), class(new), new.class > old.class);
        let word = |is: bool, yes: &str, no: &str| if is { yes.to_owned() } else { no.to_owned() };
        let people = |label: &Label| word(label.reveals_people, "revealed", "not revealed");
        self.text("people", "", &people(old), &people(new), new.reveals_people);
        let remediates = |label: &Label| word(label.remediates, "it puts right", "it only looks");
        self.text("remediation", "", &remediates(old), &remediates(new), new.remediates);
    }

    fn of_capabilities(&mut self, old: &Label, new: &Label) {
        let find = |label: &Label, name: &str| label.capabilities.iter().find(|it| it.interface == name).cloned();
        let all: BTreeSet<&str> = old.capabilities.iter().chain(&new.capabilities).map(|it| it.interface).collect();
        for name in all {
            let (before, after) = (find(old, name), find(new, name));
            if let (Some(before), Some(after)) = (&before, &after) {
                self.of_capability(before, after);
            }
            let said = |asked: &Asked| format!("{} ({}): {}", asked.capability, asked.class, asked.reason);
            if before.is_none() || after.is_none() {
                let is_new = before.is_none();
                self.add("capability", name, before.as_ref().map(said), after.as_ref().map(said), is_new);
            }
        }
    }

    fn of_capability(&mut self, before: &Asked, after: &Asked) {
        let name = before.interface;
        let grammar = capability::interface(name).map_or(ScopeGrammar::None, |row| row.scope);
        // What a parameter fills is known of no entry but the same one.
        let covers = |it: &String, entry: &String| !it.contains('{') && capability::covers(grammar, it, entry);
        let covered = |entry: &String| before.scope.iter().any(|it| it == entry || covers(it, entry));
        let wider = !after.scope.iter().all(covered);
        let sorted = |scope: &[String]| {
            let scope: BTreeSet<&String> = scope.iter().collect();
            scope.into_iter().cloned().collect::<Vec<_>>().join(", ")
        };
        self.text("scope", name, &sorted(&before.scope), &sorted(&after.scope), wider);
        let more = after.functions.iter().any(|it| !before.functions.contains(it));
        self.text("functions", name, &sorted(&before.functions), &sorted(&after.functions), more);
        self.text("reason", name, &before.reason, &after.reason, false);
    }

    /// A parameter that fills a scope is a part of it: another default, or room for another value, is another scope.
    fn of_parameters(&mut self, old: &Label, new: &Label) {
        let of = |label: &Label, name: &str| {
            let schema = label.parameters.get("properties").and_then(|it| it.get(name));
            schema.map(Value::to_string)
        };
        let names = |label: &Label| {
            let properties = label.parameters.get("properties").and_then(Value::as_object);
            properties.into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        let all: BTreeSet<String> = [names(old), names(new)].concat().into_iter().collect();
        for name in all {
            let place = format!("{{{name}}}");
            let fills = new.capabilities.iter().any(|it| it.scope.iter().any(|entry| entry.contains(&place)));
            self.add("parameter", &name, of(old, &name), of(new, &name), fills);
        }
    }
}
