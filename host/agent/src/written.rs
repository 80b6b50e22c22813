//! What a person writes in TOML, with everything that is wrong with it, and where.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// After so many problems nobody reads on.
const PROBLEMS_MAX: usize = 20;

/// What was read of a text.
pub(crate) struct Written<T> {
    /// All that could be read; nothing, where the text is no TOML or says nothing that is understood.
    pub(crate) value: Option<T>,
    /// What could not.
    pub(crate) problems: Problems,
}

/// What is wrong with a text, each at its place.
pub(crate) struct Problems {
    file: String,
    text: String,
    /// Where each key stands, by its path, such as `schedule.allowed[0].weekly`.
    places: BTreeMap<String, usize>,
    found: Vec<(usize, String)>,
}

impl Problems {
    /// Adds one, about a key or what is in it. A key that is not there stands where its table does.
    pub(crate) fn add(&mut self, path: &str, problem: &str) {
        self.found.push((self.place(path), format!("{path}: {problem}")));
    }

    /// Whether the key is there, also where its value could not be read.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.places.contains_key(path)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A line each, in the order of the text: `FILE:LINE:COLUMN: PROBLEM`.
    pub(crate) fn into_lines(mut self) -> Vec<String> {
        self.found.sort();
        self.found.dedup();
        let line = |(at, problem): &(usize, String)| {
            let before = self.text.get(..*at).unwrap_or_default();
            let column = before.chars().rev().take_while(|it| *it != '\n').count() + 1;
            format!("{}:{}:{column}: {problem}", self.file, before.matches('\n').count() + 1)
        };
        self.found.iter().map(line).collect()
    }

    /// Where the innermost part of a path stands.
    fn place(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            match (self.places.get(path), path.rfind(['.', '['])) {
                (Some(at), _) => return *at,
                (None, Some(end)) => path = path.get(..end).unwrap_or_default(),
                (None, None) => return 0,
            }
        }
    }

    fn note_places(&mut self, above: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = if above.is_empty() { key.get_ref().to_string() } else { format!("{above}.{}", key.get_ref()) };
            self.places.insert(path.clone(), key.span().start);
            match value.get_ref() {
                DeValue::Table(inner) => self.note_places(&path, inner),
                DeValue::Array(items) => {
                    for (at, item) in items.iter().enumerate() {
                        let path = format!("{path}[{at}]");
                        self.places.insert(path.clone(), item.span().start);
                        if let DeValue::Table(inner) = item.get_ref() {
                            self.note_places(&path, inner);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Reads a text. Where something in it cannot be read it is told and left out, and the rest is read: so all is told at once.
pub(crate) fn read<T: DeserializeOwned>(file: &str, text: &str) -> Written<T> {
    let mut problems =
        Problems { file: file.to_owned(), text: text.to_owned(), places: BTreeMap::new(), found: Vec::new() };
    let (whole, errors) = DeTable::parse_recoverable(text);
    let span = whole.span();
    let mut table = whole.into_inner();
    problems.note_places("", &table);
    let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    problems.found.extend(errors.iter().take(PROBLEMS_MAX).map(|error| (start(error), error.message().to_owned())));
    if !problems.is_empty() {
        return Written { value: None, problems };
    }
    let mut left_out = Vec::new();
    loop {
        let error = match T::deserialize(Deserializer::from(Spanned::new(span.clone(), table.clone()))) {
            Ok(value) => return Written { value: Some(value), problems },
            Err(error) => error,
        };
        // What is missing because it was left out here was told already.
        let is_told = left_out.iter().any(|key| error.message() == format!("missing field `{key}`"));
        let removed = error.span().and_then(|span| remove(&mut table, &span));
        if !is_told {
            let path = removed.as_ref().map(|(path, _)| format!("{path}: ")).unwrap_or_default();
            problems.found.push((start(&error), format!("{path}{}", one_line(error.message()))));
        }
        match removed {
            Some((_, key)) if problems.found.len() < PROBLEMS_MAX => left_out.push(key),
            _ => return Written { value: None, problems },
        }
    }
}

/// Takes out the innermost key that stands at, or whose value has, this place; and tells its path and itself.
fn remove(table: &mut DeTable<'_>, at: &Range<usize>) -> Option<(String, String)> {
    let has = |span: Range<usize>| span.start <= at.start && at.end <= span.end;
    // What is in a `[table]` stands outside of its own span.
    let within = table.iter_mut().find_map(|(key, value)| {
        let name = key.get_ref();
        match value.get_mut() {
            DeValue::Table(inner) => remove(inner, at).map(|(path, key)| (format!("{name}.{path}"), key)),
            DeValue::Array(items) => items.iter_mut().enumerate().find_map(|(place, item)| match item.get_mut() {
                DeValue::Table(inner) => remove(inner, at).map(|(path, key)| (format!("{name}[{place}].{path}"), key)),
                _ => None,
            }),
            _ => None,
        }
    });
    within.or_else(|| {
        let key = table.iter().find(|(key, value)| has(key.span()) || has(value.span())).map(|(key, _)| key.clone())?;
        let name = key.get_ref().to_string();
        table.remove(&key).map(|_| (name.clone(), name))
    })
}

fn one_line(message: &str) -> String {
    message.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}
