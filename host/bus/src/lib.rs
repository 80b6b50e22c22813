//! Messages between agent and hub.
//!
//! Four things travel. A **doorbell** says "look": it may be lost, come twice or come late. A **mailbox** is one document a
//! device, replaced whole. **Documents** are fetched by digest. What a device has to say goes into an append-only **log**, at
//! least once, each under a key that has it counted once; and it **beats**, from which its presence follows.
//!
//! [`Exchange`] is the hub's side and [`Line`] the device's. Nobody here decides anything, and whatever comes off a line is what
//! somebody says: it may be lost, repeated, delayed, withheld or forged, and the worst that may come of that is delay.

mod backoff;
mod bells;
pub mod conformance;
pub mod courier;
pub mod dial;
mod direct;
mod exchange;
mod hostile;
mod line;
mod memory;
mod message;
mod presence;
pub mod proof;
pub mod server;
mod wire;

pub use backoff::Backoff;
pub use bells::{Bells, Ears, Ring};
pub use direct::Direct;
pub use exchange::{Beside, Conflict, Exchange, Fault, Has, Replacement, Whom};
pub use hostile::{Hostile, Mischief};
pub use line::{Line, Pulled, Retry, Trouble, Woken};
pub use memory::Memory;
pub use message::{
    Ack, BATCH_BYTES_MAX, Beat, DOCUMENT_BYTES_MAX, DOCUMENTS_MAX, Found, Logged, MAILBOX_BYTES_MAX, MESSAGE_BYTES_MAX,
    MESSAGES_MAX, Mailbox, Message, NAMED_MAX, Position, Revision, Spool, Taken, TooMuch, WAIT_MAX,
};
pub use presence::{BEAT, Presence, Roll};
/// Who is at the other end of a line.
pub use trust::Device;
