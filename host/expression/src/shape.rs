//! What may be asked of facts, so that a slip of the pen is found where an expression is read.

/// What a value looks like, as far as that is known beforehand.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Nobody knows.
    Any,
    /// Text.
    Text,
    /// A number, whole or not.
    Number,
    /// Yes or no.
    Bool,
    /// A list of such.
    List(&'static Shape),
    /// These members, and no others.
    Record(&'static [(&'static str, Shape)]),
}

impl Shape {
    /// What a person calls it; nothing where nobody knows.
    pub(crate) fn word(&self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Text => Some("a text"),
            Self::Number => Some("a number"),
            Self::Bool => Some("a bool"),
            Self::List(_) => Some("a list"),
            Self::Record(_) => Some("a record"),
        }
    }

    /// That of a member, or why it has none of this name.
    pub(crate) fn member(&self, name: &str) -> Result<&'static Shape, String> {
        match self {
            Self::Any => Ok(&Self::Any),
            Self::Record(members) => {
                let found = members.iter().find(|(it, _)| *it == name).map(|(_, shape)| shape);
                found.ok_or_else(|| format!("`{name}` is unknown: expected {}", one_of(members)))
            }
            other => Err(format!("`{name}` is asked of {}", other.word().unwrap_or_default())),
        }
    }

    /// That of any member, of what a loop may go over.
    pub(crate) fn any_member(&self) -> Result<&'static Shape, String> {
        match self {
            Self::List(member) => Ok(member),
            Self::Any | Self::Record(_) => Ok(&Self::Any),
            other => Err(format!("{} has no members", other.word().unwrap_or_default())),
        }
    }
}

fn one_of(members: &[(&str, Shape)]) -> String {
    let names: Vec<String> = members.iter().map(|(name, _)| format!("`{name}`")).collect();
    match names.as_slice() {
        [one, other] => format!("{one} or {other}"),
        [one] => one.clone(),
        _ => format!("one of {}", names.join(", ")),
    }
}
