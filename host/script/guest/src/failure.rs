//! What a script threw, as the contract's error.

use crate::node::{FromNode, Node, Wrong};
use crate::types::{Error, ErrorKind};

/// The longest value of an attribute.
const ATTRIBUTE_BYTES_MAX: usize = 4 << 10;
/// The longest message.
const MESSAGE_BYTES_MAX: usize = 1 << 10;

/// What a script threw and did not catch.
#[derive(Debug, Default)]
pub(crate) struct Thrown {
    /// The contract's error, where it was one: from the host, or the script's own.
    pub(crate) host: Option<Node>,
    /// `syntax`, `threw`, `answer`, `limit`.
    pub(crate) code: &'static str,
    /// What is said to a person: `TypeError: x is not a function`.
    pub(crate) message: String,
    /// The script's file.
    pub(crate) file: String,
    /// Line and column, from 1.
    pub(crate) position: Option<(u32, u32)>,
    /// The engine's own words.
    pub(crate) stack: String,
}

impl Thrown {
    pub(crate) fn answer(export: &str, wrong: &Wrong, file: &str) -> Self {
        Self { code: "answer", message: format!("what `{export}` answered: {wrong}"), file: file.to_owned(), ..Self::default() }
    }
}

impl From<Thrown> for Error {
    fn from(thrown: Thrown) -> Self {
        let place = match thrown.position {
            Some((line, column)) => format!("{}:{line}:{column}", thrown.file),
            None => thrown.file.clone(),
        };
        let host = thrown.host.and_then(|node| Error::from_node(node).ok());
        let mut error = host.unwrap_or_else(|| Error {
            kind: ErrorKind::Other,
            code: thrown.code.to_owned(),
            message: thrown.message,
            retry_after_ms: None,
            attributes: vec![],
        });
        let mut add = |name: &str, value: String| error.attributes.push((name.to_owned(), cut(value, ATTRIBUTE_BYTES_MAX)));
        add("file", thrown.file);
        if let Some((line, column)) = thrown.position {
            add("line", line.to_string());
            add("column", column.to_string());
        }
        if !thrown.stack.is_empty() {
            add("stack", thrown.stack);
        }
        // Who reads one line reads where.
        error.message = cut(format!("{place}: {}", error.message), MESSAGE_BYTES_MAX);
        error
    }
}

fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

/// The first `FILE:LINE:COLUMN` in a stack: the innermost place that is the script's.
pub(crate) fn position(stack: &str, file: &str) -> Option<(u32, u32)> {
    stack.match_indices(file).find_map(|(at, _)| {
        let rest = stack.get(at + file.len()..)?.strip_prefix(':')?;
        let (line, rest) = rest.split_once(':')?;
        let column = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((line.parse().ok()?, column.parse().ok()?))
    })
}
