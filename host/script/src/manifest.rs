//! `export const manifest`: a plugin's manifest in the form that suits one file.

use std::path::Path;

use model::manifest::{About, SuggestedTrigger, Wish};
use model::{Limits, Manifest};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::Problem;
use crate::literals::Literals;

/// Who the plugin is, beside `capabilities`, `parameters`, `limits` and `triggers`: here and in `plugin.toml`.
const ABOUT: [(&str, &str); 8] = [
    ("name", "name"),
    ("version", "version"),
    ("publisher", "publisher"),
    ("description", "description"),
    ("license", "license"),
    ("minimumHost", "minimum-host"),
    ("support", "support"),
    ("changelog", "changelog"),
];
const TABLES: [(&str, &str); 4] =
    [("capabilities", "capabilities"), ("parameters", "parameters"), ("limits", "limits"), ("triggers", "trigger")];

/// The manifest, or all that is wrong with it and where.
pub(crate) fn of(literals: &Literals, file: &str) -> Result<Manifest, Vec<Problem>> {
    let problem = |path: &str, message: String| Problem::at(literals.nearest(path), message);
    let Value::Object(given) = &literals.value else {
        return Err(vec![problem("", "the manifest is an object: `{ description: \"…\" }`".to_owned())]);
    };
    let (whole, unknown) = whole(given, file);
    let mut problems: Vec<Problem> = unknown
        .iter()
        .map(|name| {
            let known = ABOUT.iter().chain(&TABLES).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            problem(name, format!("a manifest has no `{name}`; it has {known}"))
        })
        .collect();
    problems.extend(misshapen(&whole).into_iter().map(|(path, message)| problem(&path, message)));
    if !problems.is_empty() {
        return Err(problems);
    }
    let section = serde_json::to_vec(&whole).unwrap_or_default();
    Manifest::from_section(&section)
        .map_err(|bad| bad.0.iter().map(|text| problem(&path_of(text), text.to_owned())).collect())
}

/// The path that a problem's text begins with, as a script has it.
fn path_of(text: &str) -> String {
    let limit = text.strip_prefix("limit `").and_then(|rest| rest.split('`').next());
    match limit {
        Some(name) => format!("limits.{name}"),
        None => text.strip_prefix("plugin.").unwrap_or(text).to_owned(),
    }
}

/// The manifest as a section has it, with defaults for what a file of one's own need not say; and names that it does not have.
fn whole(given: &Map<String, Value>, file: &str) -> (Value, Vec<String>) {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let about = json!({ "name": stem, "version": "0.1.0", "publisher": "me", "license": "LicenseRef-none" });
    let (mut about, mut whole) = (about.as_object().cloned().unwrap_or_default(), Map::new());
    let mut unknown = Vec::new();
    for (name, value) in given {
        let of = |table: &[(&str, &'static str)]| table.iter().find(|(it, _)| it == name).map(|(_, into)| *into);
        match (of(&ABOUT), of(&TABLES)) {
            (Some(into), _) => drop(about.insert(into.to_owned(), value.clone())),
            (None, Some(into)) => drop(whole.insert(into.to_owned(), value.clone())),
            (None, None) => unknown.push(name.clone()),
        }
    }
    whole.insert("plugin".to_owned(), about.into());
    (whole.into(), unknown)
}

/// Each part by its own type: one that has another shape does not hide the next.
fn misshapen(whole: &Value) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for (key, part) in whole.as_object().into_iter().flatten() {
        let name = TABLES.iter().find(|(_, into)| into == key).map_or("", |(name, _)| *name);
        match (key.as_str(), part) {
            ("plugin", part) => check::<About>("", part, &mut wrong),
            ("capabilities", Value::Object(wishes)) => {
                wishes.iter().for_each(|(it, wish)| check::<Wish>(&format!("capabilities.{it}"), wish, &mut wrong));
            }
            ("capabilities", _) => {
                wrong.push((name.to_owned(), "`capabilities` is an object: a name and a wish each".to_owned()));
            }
            ("limits", part) => check::<Limits>(name, part, &mut wrong),
            ("trigger", part) => check::<Vec<SuggestedTrigger>>(name, part, &mut wrong),
            _ => {}
        }
    }
    wrong
}

fn check<T: DeserializeOwned>(path: &str, part: &Value, wrong: &mut Vec<(String, String)>) {
    let Err(error) = serde_path_to_error::deserialize::<_, T>(part) else { return };
    let within = error.path().to_string();
    let path: Vec<&str> = [path, &within].into_iter().filter(|it| !it.is_empty() && *it != ".").collect();
    let path = path.join(".");
    let name = if path.is_empty() { "the manifest" } else { &path };
    wrong.push((path.clone(), format!("{name}: {}", error.inner())));
}
