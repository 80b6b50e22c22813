use trust::{Refusal, Time};

use crate::{NOT_MEANT, Shut};

/// Why a device does not do what an order says. Each has a code, which the device signs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the sentence above them says")]
pub enum Against {
    /// It is not believed; all that was found.
    #[error("{}", all(refusals))]
    NotBelieved { refusals: Vec<Refusal> },
    /// It is for others.
    #[error("this device is in no ring of it")]
    NotInRing,
    /// No room for another one that stands.
    #[error("{most} orders stand here already, which is the most")]
    TooManyStanding { most: usize },
    /// The expression cannot be read here.
    #[error("`where` {problem}")]
    BadWhere { problem: String },
    /// The expression is false of this device.
    #[error("this device is not among those that are meant")]
    NotMeant,
    /// Nobody can say whether it is true.
    #[error("it cannot be said whether this device is meant: {}{why}", lacks(absent))]
    Undecided { absent: Vec<String>, why: String },
    /// Somebody made up that the ring before went well.
    #[error("the certificate of the ring before is none: {shut}")]
    ForgedGate { shut: Shut },
}

/// Why an order has not begun.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Wait {
    /// It is not due, or it was stopped.
    #[error("{0}")]
    Said(Refusal),
    /// It stands, and is not believed any more: what made it so may come again.
    #[error("{0}")]
    Against(Against),
    /// Nothing shows yet that the ring before went well.
    #[error("nothing shows that the ring before went well")]
    Gate,
    /// What shows it does not do so yet.
    #[error("{0}")]
    Shut(Shut),
}

impl Against {
    /// What a program reads, and what the device signs: it never changes. Of several, the first that was found.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotBelieved { refusals } => refusals.first().map_or("not-believed", Refusal::code),
            Self::NotInRing => "not-in-ring",
            Self::TooManyStanding { .. } => "too-many-standing",
            Self::BadWhere { .. } => "bad-where",
            Self::NotMeant => NOT_MEANT,
            Self::Undecided { .. } => "undecided",
            Self::ForgedGate { .. } => "forged-gate",
        }
    }
}

impl Wait {
    /// When to look again, where that is known.
    pub fn until(&self) -> Option<Time> {
        match self {
            Self::Said(Refusal::NotYetDue { due: until }) | Self::Shut(Shut::TooEarly { until }) => Some(*until),
            Self::Shut(Shut::TooFew { absent, .. }) => Some(*absent),
            _ => None,
        }
    }
}

fn all(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn lacks(paths: &[String]) -> String {
    if paths.is_empty() { String::new() } else { format!("it has no {}; ", paths.join(", ")) }
}
