//! Ids: a prefix that says of what, and a ULID, so that they sort by time of making.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Ulid);

        impl $name {
            /// A new one, that nobody else has.
            #[expect(clippy::new_without_default, reason = "each call gives another one")]
            pub fn new() -> Self {
                Self(Ulid::generate())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|ulid| Ulid::from_string(ulid).ok())
                    .map(Self)
                    .ok_or_else(|| NotAnId { text: text.to_owned(), prefix: $prefix })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAnId;

            fn try_from(text: String) -> Result<Self, NotAnId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id! {
    /// One execution of one plugin on one device.
    RunId, "run"
}

id! {
    /// One order of a technician, to however many devices.
    OrderId, "order"
}

impl RunId {
    /// The lowest that one made at that time can be: those of before sort before it.
    pub fn lowest_at(at_ms: u64) -> Self {
        Self(Ulid::from_parts(at_ms, 0))
    }
}

id! {
    /// A device. Never derived from a host name: two machines may share one.
    DeviceId, "dev"
}

id! {
    /// A ticket. People use its number.
    TicketId, "tkt"
}

/// The text is no id of this kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: expected `{prefix}_` and a ULID of 26 characters")]
pub struct NotAnId {
    text: String,
    prefix: &'static str,
}
