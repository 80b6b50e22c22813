//! The words that every crate uses: manifest, capability and grant, limits, plan, the events of a run, verdict and outcome.
//!
//! In go bytes and strings that somebody wrote, out come values that hold what they promise, or a list of everything that is
//! wrong with them. It does no I/O; the one clock is here so that nobody needs another.

pub mod address;
pub mod budget;
pub mod capability;
pub mod digest;
pub mod event;
pub mod id;
pub mod limits;
pub mod manifest;
pub mod origin;
pub mod outcome;
pub mod packages;
pub mod parameters;
pub mod plan;
pub mod policy;
pub mod time;

pub use capability::{Capability, Grants, Scope};
pub use digest::Digest;
pub use event::{Called, EffectRecord, Ended, Event, Phase, Recorded, Resources, Started};
pub use id::{DeviceId, OrderId, RunId, TicketId};
pub use limits::Limits;
pub use manifest::Manifest;
pub use outcome::{Outcome, Verdict};
pub use packages::Package;
pub use plan::{Mutation, Plan};
pub use time::{Clock, ManualClock, SystemClock, Uptime};

pub use contract::run::Mode;
