//! What hub, devices and technicians agree on: which devices an order means, who goes first, when the next may follow, what came
//! of it, and what a device makes of its mailbox.
//!
//! Nothing here reads a clock, a file or the network: bytes, facts and the time are handed in, decisions come out. Whoever carries
//! the bytes is believed in nothing: what counts was signed, or is worked out again.

mod facts;
mod gate;
mod inbox;
mod mailbox;
mod member;
mod parcel;
mod reach;
mod ring;
mod rows;
mod sync;
pub mod tables;
mod tally;
mod target;

pub use facts::{
    Agent, Asked, FACTS_BYTES_MAX, Facts, Hardware, Interface, Memory, Os, Packages, People, Reboot, Volume,
};
pub use gate::{CERTIFICATE_BYTES_MAX, Certificate, Judged, Question, SAMPLE_MAX, Shown, Shut, judge};
pub use inbox::{Against, Begun, Damaged, Inbox, Input, Look, Refused, Step, Wait, Waiting};
pub use mailbox::{BadMailbox, MAILBOX_BYTES_MAX, Mailbox, ORDERS_MAX, Posted, Seat};
pub use member::{Came, Member, NotTold, Signing, Told};
pub use parcel::{BadParcel, PARCEL_BYTES_MAX, PART_BYTES_MAX, Parcel};
pub use reach::{Reach, WATCHED_MS};
pub use ring::{BadRings, Drawn, Proof, RING_DEVICES_MAX, RINGS_MAX, Rings, Tree, sample};
pub use rows::{Cells, Changed, Checked, Did, ROWS_BYTES_MAX, ROWS_MAX, Rows};
pub use sync::{Difference, Inventory, NotTaken};
pub use tally::{Comes, Counters, Ended, NOT_MEANT, Tally};
pub use target::{Answer, Target};

/// A device, in trees and tallies.
pub use trust::Device;

#[cfg(test)]
mod tests;
