//! The control plane: who is there, what was signed, what came back.
//!
//! It can run nothing and decide nobody's rights: it has no key that signs an order, an approval or an assignment, and what it says
//! about keys, clients or tags is believed by nobody. What it keeps from whom is its own to keep: every read goes through a
//! [`Scope`], which shows the rows of some clients and no others.

pub mod api;
mod ca;
mod config;
mod db;
mod delivery;
mod error;
mod exchange;
pub mod fail;
mod fold;
mod hub;
mod join;
mod notify;
mod parts;
mod rollout;
mod said;
mod scope;
mod secrets;
mod serve;
mod stir;
#[cfg(test)]
mod tests;
mod upkeep;

pub use ca::Ca;
pub use config::{Config, Given, Limits, Moved};
pub use db::{
    Client, Counted, Device, Entry, Fact, FactChange, KeptKey, Listed, Notification, NotificationState, Order, Page,
    Paged, ResultRow, RingStands, RingState, Rollout, RolloutRing, RolloutState, Secret, State, Telling, Ticket,
    TicketNote, TicketState, Token, Verified,
};
pub use delivery::{Delivery, Stepped};
pub use error::Error;
pub use exchange::Post;
pub use hub::{Asker, Hub, Put};
pub use join::Joined;
pub use notify::{Budgets, Notifier, Sent, Ways};
pub use scope::{Scope, device_id};
pub use upkeep::Finding;

/// A time of a statement, in milliseconds since 1970.
fn ms(time: trust::Time) -> u64 {
    let parsed = time.to_string().parse::<jiff::Timestamp>();
    parsed.ok().and_then(|it| u64::try_from(it.as_millisecond()).ok()).unwrap_or_default()
}

/// A word as statements have it.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}
