use contract::ticket::{Draft, Status, TicketView, Visibility};
use contract::types::TimestampMs;
use serde::{Deserialize, Serialize};

use crate::attributes;

use super::policy::Priority;

/// A ticket with all that happened to it. What a newer host adds, an older one ignores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ticket {
    /// `tkt_` and a ULID.
    pub id: String,
    /// What people call it: `T-000042`.
    pub number: String,
    /// The device that it is about.
    pub device: String,
    /// The plugin that raised it.
    pub plugin: String,
    /// Where it stands. `resolved` becomes `closed` when the reopen window has passed: told when read, not written.
    pub status: Status,
    /// 1 (highest) to 4.
    pub priority: Priority,
    /// How often it was raised.
    pub occurrences: u32,
    /// When it was opened.
    pub opened_ms: TimestampMs,
    /// When it last changed.
    pub updated_ms: TimestampMs,
    /// When a person first answered.
    pub first_response_ms: Option<TimestampMs>,
    /// Whether a person has answered since it was last opened.
    pub person_replied: bool,
    /// Who looks after it.
    pub assignee: Option<String>,
    /// How it was resolved, while it is.
    pub resolution: Option<Resolution>,
    /// What the plugin stated when it last raised it.
    pub stated: Draft,
    /// What was said, in order.
    pub notes: Vec<Note>,
    /// What is attached, in order.
    pub attachments: Vec<Attachment>,
    /// What happened, in order.
    pub history: Vec<Entry>,
}

/// How a ticket was resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Resolution {
    /// What was done, CommonMark.
    pub text: String,
    /// When.
    pub at_ms: TimestampMs,
    /// Until when the same problem reopens the ticket.
    pub reopens_until_ms: TimestampMs,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Actor {
    /// A plugin, by name.
    Plugin(String),
    /// A person, as the command line knows them.
    Person(String),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plugin(name) => write!(f, "plugin {name}"),
            Self::Person(name) => f.write_str(name),
        }
    }
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// The number of its entry in the history.
    pub entry: u64,
    /// When.
    pub at_ms: TimestampMs,
    /// Who.
    pub by: Actor,
    /// Who may read it.
    pub visibility: Visibility,
    /// CommonMark.
    pub body: String,
    /// Whether it was taken back.
    #[serde(default)]
    pub withdrawn: bool,
}

/// A file; its content is beside the ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Attachment {
    /// The number of its entry in the history.
    pub entry: u64,
    /// When.
    pub at_ms: TimestampMs,
    /// Who.
    pub by: Actor,
    /// Its name, without a path.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// How long it is.
    pub bytes: u64,
    /// What is in it.
    pub sha256: model::Digest,
    /// Whether it was taken back.
    #[serde(default)]
    pub withdrawn: bool,
}

/// One line of a ticket's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// From 1; a gap is where mere repetitions made room.
    pub number: u64,
    /// When.
    pub at_ms: TimestampMs,
    /// Who.
    pub by: Actor,
    /// In which run; none where a person did it.
    pub run: Option<String>,
    /// What: `opened`, `raised-again`, `reopened`, `noted`, `attached`, `assigned`, `resolved`, `kept-open`, `undone`.
    pub what: String,
    /// In more words; may be empty.
    pub detail: String,
}

impl Ticket {
    /// Whether it waits for somebody.
    pub fn is_open(&self) -> bool {
        matches!(self.status, Status::New | Status::InProgress | Status::Pending)
    }

    /// The queue it was raised into, where the plugin named one.
    pub fn queue(&self) -> Option<&str> {
        attributes::find(&self.stated.attributes, "queue")
    }

    /// What a `change` says of it: nothing that a dry run could not know, such as the number.
    pub(super) fn state(&self) -> String {
        let times = if self.occurrences == 1 { "occurrence" } else { "occurrences" };
        format!("{}, priority {}, {} {times}", self.status.word(), u8::from(self.priority), self.occurrences)
    }

    /// What the plugin that raised it may see.
    pub(super) fn view(&self) -> TicketView {
        let known = [
            ("queue", self.queue().map(str::to_owned)),
            ("assignee", self.assignee.clone()),
            ("first-response-ms", self.first_response_ms.map(|at_ms| at_ms.to_string())),
            ("resolved-ms", self.resolution.as_ref().map(|it| it.at_ms.to_string())),
            ("person-replied", self.person_replied.then(|| "true".to_owned())),
        ];
        TicketView {
            id: self.id.clone(),
            number: self.number.clone(),
            status: self.status,
            priority: self.priority.into(),
            occurrences: self.occurrences,
            opened_ms: self.opened_ms,
            updated_ms: self.updated_ms,
            attributes: known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        }
    }
}
