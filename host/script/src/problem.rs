//! What is wrong with a script, and where: for a person, with the line that they wrote.

use std::fmt;

use serde::Serialize;

/// The most characters of a source line that are shown: a script may be one line.
const EXCERPT_CHARS_MAX: usize = 100;

/// What is wrong at a place in a script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// What would be right: where to write, and what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Problem {
    /// Without advice.
    pub(crate) fn at((line, column): (usize, usize), message: impl Into<String>) -> Self {
        Self { line, column, message: message.into(), advice: None }
    }

    /// For a person: place, words, the line with a caret below, and advice.
    pub fn shown(&self, file: &str, text: &str) -> String {
        let Self { line, column, message, advice } = self;
        let mut shown = format!("{file}:{line}:{column}: {message}");
        if let Some(excerpt) = excerpt(text, *line, *column) {
            shown += "\n";
            shown += &excerpt;
        }
        if let Some(advice) = advice {
            shown += "\n    ";
            shown += &advice.replace('\n', "\n    ");
        }
        shown
    }
}

/// Everything that is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Wrong {
    /// The script's file.
    pub file: String,
    /// As its author wrote it.
    pub text: String,
    /// At least one, in the order of the text.
    pub problems: Vec<Problem>,
}

impl Wrong {
    pub(crate) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort();
        problems.dedup();
        Self { file: file.to_owned(), text: text.to_owned(), problems }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |it: &Problem| it.shown(&self.file, &self.text);
        f.write_str(&self.problems.iter().map(shown).collect::<Vec<_>>().join("\n"))
    }
}

/// A line of a text, and a caret below a column of it; none where the text has no such line.
pub fn excerpt(text: &str, line: usize, column: usize) -> Option<String> {
    let source = text.lines().nth(line.checked_sub(1)?)?;
    let before = column.saturating_sub(1);
    // Of a long line what stands around the place.
    let is_long = source.chars().nth(EXCERPT_CHARS_MAX).is_some();
    let from = if is_long { before.saturating_sub(EXCERPT_CHARS_MAX / 2) } else { 0 };
    let shown: String = source.chars().skip(from).take(EXCERPT_CHARS_MAX).collect();
    // A tab is as wide here as it is above.
    let space = |it: char| if it == '\t' { '\t' } else { ' ' };
    let indent: String =
        source.chars().skip(from).chain(std::iter::repeat(' ')).take(before - from).map(space).collect();
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    Some(format!("    {number} | {}\n    {gutter} | {indent}^", shown.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_below_the_column() {
        assert_eq!(excerpt("a\n  bc\n", 2, 4).unwrap(), "    2 |   bc\n      |    ^");
        assert_eq!(excerpt("\tif", 1, 2).unwrap(), "    1 | \tif\n      | \t^");
        assert_eq!(excerpt("a", 1, 5).unwrap(), "    1 | a\n      |     ^", "behind its end");
        assert_eq!((excerpt("a", 2, 1), excerpt("a", 0, 1)), (None, None));
    }

    #[test]
    fn of_a_long_line_what_stands_around_the_place_is_shown() {
        let line = format!("{}HERE{}", "a".repeat(5_000), "b".repeat(5_000));
        let shown = excerpt(&line, 1, 5_001).unwrap();
        let (above, below) = shown.split_once('\n').unwrap();
        assert_eq!(above.find("HERE"), below.find('^'));
        assert!(above.len() < 200, "{above}");
    }
}
