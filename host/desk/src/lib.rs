//! The technician's side of a fleet: asks the hub, composes what is signed, and verifies what devices signed.
//!
//! The hub is believed in nothing. What it says of devices makes a preview; who is meant, each device decides; what became of it
//! counts where a device signed it. Nothing here has a terminal, and nothing here runs a plugin.

mod again;
mod audit;
mod belief;
mod client;
mod compose;
mod error;
mod hand;
mod hub_file;
mod inventory;
mod kept;
mod outcome;
mod query;
mod secrets;
#[cfg(test)]
mod tests;
mod tickets;
mod token;

pub use again::{Again, all_at_once, pause, resigned};
pub use audit::{Entry, Seen as SeenAudit, Walk, Walked};
pub use belief::{Handed, Listed as ListedDocument, Synced};
pub use client::Client;
pub use compose::{Against, Composed, Composer, Plugin, Preview, PreviewedRing, PreviewedUndecided, Wanted};
pub use error::{Error, Wrong};
pub use hand::{Parcelled, Rollout};
pub use hub_file::{FILE as HUB_FILE, HubFile, authority};
pub use inventory::{Chosen, KeptKey, Listed, Row as DeviceRow, Seen, Undecided};
pub use outcome::{
    About, Claimed, Counted, Failures, OrderRow, Outcome, ResultRow, RingShown, RolloutShown, Shown, Verified,
};
pub use query::Answer;
pub use secrets::{SecretRow, Vouched};
pub use tickets::{TicketNote, TicketRow, TicketShown};
pub use token::{NewToken, Row as TokenRow, seed};
