//! `export const manifest`: a plugin's manifest in the form that suits one file.

use std::path::Path;

use model::Manifest;
use serde_json::{Map, Value, json};

use crate::Problem;
use crate::parse::{Literals, Parsed};

/// Who the plugin is, beside `capabilities`, `parameters`, `limits` and `triggers`: here and in `plugin.toml`.
const ABOUT: [(&str, &str); 7] = [
    ("name", "name"),
    ("version", "version"),
    ("publisher", "publisher"),
    ("description", "description"),
    ("license", "license"),
    ("minimumHost", "minimum-host"),
    ("support", "support"),
];
const TABLES: [(&str, &str); 4] =
    [("capabilities", "capabilities"), ("parameters", "parameters"), ("limits", "limits"), ("triggers", "trigger")];

/// The manifest, or what is wrong with it and where.
pub(crate) fn of(parsed: &Parsed, file: &str) -> Result<Manifest, Vec<Problem>> {
    let literals = parsed.manifest.as_ref().map_err(|problem| vec![problem.clone()])?;
    let Value::Object(given) = &literals.value else {
        return Err(vec![literals.problem("", "the manifest is an object: `{ description: \"…\" }`".to_owned())]);
    };
    let whole = whole(given, file).map_err(|name| {
        let known = ABOUT.iter().chain(&TABLES).map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        vec![literals.problem(&name, format!("a manifest has no `{name}`; it has {known}"))]
    })?;
    let section = serde_json::to_vec(&whole).unwrap_or_default();
    Manifest::from_section(&section).map_err(|bad| {
        let problem = |text: &String| {
            // Where in the section, which nobody wrote, is of no use.
            let text = text.split(" at line ").next().unwrap_or(text);
            literals.problem(text.strip_prefix("plugin.").unwrap_or(text), text.to_owned())
        };
        bad.0.iter().map(problem).collect()
    })
}

/// The manifest as a section has it, with defaults for what a file of one's own need not say; or a name that it does not have.
fn whole(given: &Map<String, Value>, file: &str) -> Result<Value, String> {
    let stem = Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let about = json!({ "name": stem, "version": "0.1.0", "publisher": "me", "license": "LicenseRef-none" });
    let (mut about, mut whole) = (about.as_object().cloned().unwrap_or_default(), Map::new());
    for (name, value) in given {
        let of = |table: &[(&str, &'static str)]| table.iter().find(|(it, _)| it == name).map(|(_, into)| *into);
        match (of(&ABOUT), of(&TABLES)) {
            (Some(into), _) => about.insert(into.to_owned(), value.clone()),
            (None, Some(into)) => whole.insert(into.to_owned(), value.clone()),
            (None, None) => return Err(name.clone()),
        };
    }
    whole.insert("plugin".to_owned(), about.into());
    Ok(whole.into())
}

impl Literals {
    /// At the innermost part that the text begins with the path of; otherwise where the manifest begins.
    fn problem(&self, path: &str, message: String) -> Problem {
        let is_at = |place: &&(String, usize, usize)| {
            path.strip_prefix(&*place.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', ' ']))
        };
        let at = self.places.iter().filter(is_at).max_by_key(|place| place.0.len()).or(self.places.first());
        let (line, column) = at.map_or((1, 1), |place| (place.1, place.2));
        Problem { line, column, message }
    }
}
