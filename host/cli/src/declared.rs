//! Where a plugin's manifest says what, as its author has it before them; and which line of it a refused call needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use artifact::Plugin;
use contract::types::ErrorKind;
use model::capability::{self, Scope};
use model::{Event, Grants, Recorded, event};
use toml::de::DeTable;

/// The places of a manifest.
pub(crate) struct Declared<'a> {
    pub(crate) plugin: &'a Plugin,
    /// The file; none where the plugin came built.
    file: Option<String>,
    is_script: bool,
    /// By path, such as `capabilities.service.scope`; the whole has the empty path.
    places: BTreeMap<String, (usize, usize)>,
}

impl<'a> Declared<'a> {
    /// The manifest of a plugin that was loaded from here.
    pub(crate) fn of(plugin: &'a Plugin, source: &Path) -> Self {
        if let Some(script) = plugin.script() {
            let places = script::places(script);
            return Self { plugin, file: Some(script.name.clone()), is_script: true, places };
        }
        let file = source.join("plugin.toml");
        let text = std::fs::read_to_string(&file).ok();
        let places = text.as_deref().map(places_of_toml).unwrap_or_default();
        Self { plugin, file: text.map(|_| file.display().to_string()), is_script: false, places }
    }

    /// `x.js:5:3`, of the innermost part of this path that there is.
    pub(crate) fn place(&self, path: &str) -> Option<String> {
        let mut path = path;
        loop {
            match (self.places.get(path), path.rsplit_once('.')) {
                (Some((line, column)), _) => return Some(format!("{}:{line}:{column}", self.file.as_deref()?)),
                (None, Some((above, _))) => path = above,
                (None, None) if path.is_empty() => return None,
                (None, None) => path = "",
            }
        }
    }

    /// `at x.js:5:3`, or whatever else is known.
    fn at(&self, path: &str) -> String {
        self.place(path).map_or_else(|| "in its manifest".to_owned(), |place| format!("at {place}"))
    }

    /// The line at which a script gave up.
    pub(crate) fn excerpt(&self, events: &[Recorded], source: &Path) -> Option<String> {
        let error = event::end(events)?.error.as_ref()?;
        let of = |name: &str| error.attributes.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
        let script = self.plugin.script().filter(|script| of("file") == Some(script.name.as_str()))?;
        // As it was written; packed, its types are blanks.
        let text = script::is_script(source).then(|| std::fs::read_to_string(source).ok()).flatten();
        let (line, column) = (of("line")?.parse().ok()?, of("column")?.parse().ok()?);
        script::excerpt(text.as_deref().unwrap_or(&script.text), line, column)
    }

    /// What each call that was denied for want of a grant would have needed, a text each.
    pub(crate) fn needed_by(&self, events: &[Recorded]) -> Vec<String> {
        let Some(Event::Started(started)) = events.first().map(|first| &first.event) else { return Vec::new() };
        let wishes = started.parameters.as_object().and_then(|it| self.plugin.manifest().wishes(it).ok());
        let denied = events.iter().filter_map(|recorded| match &recorded.event {
            Event::Called(called) => called
                .error
                .as_ref()
                .filter(|error| error.kind == ErrorKind::Denied && matches!(error.code.as_str(), "grant" | "scope")),
            _ => None,
        });
        let capabilities: BTreeSet<&str> = denied
            .filter_map(|error| error.attributes.iter().find(|(name, _)| name == "capability"))
            .map(|(_, value)| value.as_str())
            .collect();
        capabilities.into_iter().filter_map(|it| self.needed(it, wishes.as_ref())).collect()
    }

    /// A capability as the gate writes it: `service [cups]`.
    fn needed(&self, text: &str, wishes: Option<&Grants>) -> Option<String> {
        let (name, subjects) = text.split_once(" [").unwrap_or((text, ""));
        let row = capability::interface(name)?;
        let subjects = subjects.trim_end_matches(']').split(", ").filter(|it| !it.is_empty());
        let subjects: Vec<String> = subjects.map(str::to_owned).collect();
        let entries: Vec<String> = subjects.iter().map(|it| capability::entry_for(row.scope, it)).collect();
        let shown = capability::Capability { interface: row.name, scope: entries.clone() };
        let Some(wish) = self.plugin.manifest().capabilities.get(name) else {
            let line = match self.is_script {
                true => script::entry(row, &entries),
                false => toml_entry(row.name, row.scope, &entries),
            };
            return Some(format!("`{shown}` is not declared: add {}\n{line}", self.at("capabilities")));
        };
        let granted = wishes.and_then(|wishes| wishes.get(name)).unwrap_or_default();
        let is_wished = Scope::new(row.scope, granted.to_vec()).is_ok_and(|it| subjects.iter().all(|to| it.allows(to)));
        if is_wished {
            return Some(format!("`{shown}` is declared, and not granted: --allow '{shown}'"));
        }
        let missing: Vec<String> = entries.iter().map(|entry| format!("\"{entry}\"")).collect();
        let at = self.at(&format!("capabilities.{name}.scope"));
        let filled = match wish.scope.iter().any(|entry| entry.contains('{')) {
            true => ", or give it in the parameter that fills it",
            false => "",
        };
        Some(format!("`{shown}` is outside the declared scope: add {} to `scope` {at}{filled}", missing.join(", ")))
    }
}

/// A capability as `plugin.toml` has it.
pub(crate) fn toml_entry(name: &str, scope: contract::ScopeGrammar, entries: &[String]) -> String {
    let scope = match (scope, entries.is_empty()) {
        (contract::ScopeGrammar::None, _) => String::new(),
        (_, true) => "scope = [\"…\"]\n".to_owned(),
        (_, false) => format!("scope = {}\n", serde_json::json!(entries)),
    };
    format!("[capabilities.{name}]\n{scope}reason = \"…\"")
}

/// Where the capabilities of a `plugin.toml` stand, and their scopes. What is new goes to its end.
fn places_of_toml(text: &str) -> BTreeMap<String, (usize, usize)> {
    let place = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        let column = before.chars().rev().take_while(|it| *it != '\n').count();
        (before.matches('\n').count() + 1, column + 1)
    };
    let end = (text.lines().count() + 1, 1);
    let mut places = BTreeMap::from([(String::new(), end), ("capabilities".to_owned(), end)]);
    let table = DeTable::parse(text).ok();
    let wishes = table.as_ref().and_then(|table| table.get_ref().get("capabilities")?.get_ref().as_table());
    for (name, wish) in wishes.into_iter().flatten() {
        let path = format!("capabilities.{}", name.get_ref());
        let fields = wish.get_ref().as_table().into_iter().flatten();
        for (field, _) in fields {
            places.insert(format!("{path}.{}", field.get_ref()), place(field.span().start));
        }
        places.insert(path, place(name.span().start));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::places_of_toml;

    #[test]
    fn a_capability_of_a_plugin_toml_has_its_line() {
        let text = "[plugin]\nname = \"a\"\n\n[capabilities.service]\n  scope = [\"cups\"]\nreason = \"…\"\n";
        let places = places_of_toml(text);
        assert_eq!((places["capabilities.service"], places["capabilities.service.scope"]), ((4, 15), (5, 3)));
        assert_eq!(places["capabilities"], (7, 1), "what is new goes below");
    }
}
