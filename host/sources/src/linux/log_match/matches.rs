//! Lines that match, gathered until they are told.

use std::collections::VecDeque;

use agent::Notice;
use regex::bytes::Regex;
use serde_json::{Map, Value, json};

use crate::Error;
use crate::sink::happened;

/// Bytes of a line that are told. As JSON it may take six times as much.
const TOLD_BYTES_MAX: usize = 4 << 10;
/// Named groups of a pattern that are told.
const GROUPS_MAX: usize = 8;
/// Bytes of each.
const GROUP_BYTES_MAX: usize = 256;
/// The first lines of those that are told together.
const LINES_MAX: usize = 5;
/// Bytes of each.
const LINES_BYTES_MAX: usize = 512;

/// Looks for a pattern, and gathers what it found.
pub(super) struct Matches {
    pattern: Regex,
    found: u64,
    first: VecDeque<String>,
    last: Map<String, Value>,
}

impl Matches {
    pub(super) fn new(pattern: &str) -> Result<Self, Error> {
        let pattern = agent::log_pattern(pattern).map_err(|problem| Error::Bad(vec![problem]))?;
        Ok(Self { pattern, found: 0, first: VecDeque::new(), last: Map::new() })
    }

    /// Looks at a line. `more` is what else is known of it.
    pub(super) fn look(&mut self, line: &[u8], more: impl FnOnce() -> Map<String, Value>) {
        let Some(found) = self.pattern.captures(line) else { return };
        self.found += 1;
        let groups = self.pattern.capture_names().flatten().take(GROUPS_MAX);
        let groups: Map<String, Value> = groups
            .filter_map(|name| Some((name.to_owned(), json!(text(found.name(name)?.as_bytes(), GROUP_BYTES_MAX)))))
            .collect();
        if self.first.len() < LINES_MAX {
            self.first.push_back(text(line, LINES_BYTES_MAX));
        }
        self.last = more();
        self.last.insert("line".to_owned(), json!(text(line, TOLD_BYTES_MAX)));
        self.last.insert("groups".to_owned(), Value::Object(groups));
    }

    /// Whether there is something to tell.
    pub(super) fn is_any(&self) -> bool {
        self.found > 0
    }

    /// What there is to tell, and begins to gather anew.
    pub(super) fn take(&mut self, at_ms: i64, subject: &str) -> Notice {
        let found = std::mem::take(&mut self.found);
        let first: Vec<String> = std::mem::take(&mut self.first).into();
        let mut notice = happened(at_ms, subject, [("occurrences", json!(found)), ("first-lines", json!(first))]);
        notice.data.append(&mut self.last);
        notice
    }
}

/// What is no UTF-8 is shown as such; cut between two characters.
fn text(bytes: &[u8], bytes_max: usize) -> String {
    let mut text = String::from_utf8_lossy(bytes.get(..bytes_max).unwrap_or(bytes)).into_owned();
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_at_once_is_told_at_once() {
        let mut matches = Matches::new("user=(?<user>[a-z]+)").unwrap();
        for line in ["user=ann", "nobody", "user=ben \u{fffd}"] {
            matches.look(line.as_bytes(), Map::new);
        }
        matches.look(b"user=carl \xff\x1b[1m", Map::new);
        assert!(matches.is_any());
        let told = matches.take(0, "/var/log/it");
        assert_eq!((&told.data["occurrences"], &told.data["groups"]["user"]), (&json!(3), &json!("carl")));
        assert_eq!(told.data["line"], json!("user=carl \u{fffd}\u{1b}[1m"));
        assert_eq!(told.data["first-lines"].as_array().unwrap().len(), 3);
        assert!(!matches.is_any());
    }

    #[test]
    fn an_event_is_bounded_whatever_the_lines_are() {
        let mut matches = Matches::new("(?<a>.*)").unwrap();
        for _ in 0..10 {
            matches.look(&[1; 64 << 10], Map::new);
        }
        assert!(serde_json::to_vec(&matches.take(0, "").data).unwrap().len() <= 64 << 10);
    }
}
