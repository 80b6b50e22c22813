//! When a standing order runs, and why it did not.
//!
//! In go an order's `schedule` trigger, what is known of it from before, and the time; out comes a list of [`Decision`]s:
//! firings, and firings that do not happen, with the reason. `SCHEDULES.md` beside this crate says what happens when a run is
//! missed, clocks are changed or hours happen twice; each of its rows has a test.
//!
//! Nothing here reads a clock, a file or the environment, but for the system's time zone database, through `jiff`.

mod calendar;
mod cron;
mod decision;
mod due;
mod jitter;
mod nominal;
mod policy;
mod schedule;
mod spans;
mod state;
mod text;
mod trigger;

pub use decision::{Cause, Decision, Firing, Manner, NotFired, Reason};
pub use due::{Elapsed, Look, Occupancy, Seen};
pub use policy::{Misfire, Overlap};
pub use schedule::{Coming, Device, Schedule};
pub use state::State;
pub use trigger::{BadSchedule, Calendars, Trigger, Window};

/// A firing that is decided less than so long after its time counts as on time; later, it was missed. Quartz and Rundeck draw
/// the line there too, and no pattern has two firings that near each other.
pub const GRACE_MS: i64 = 60_000;

#[cfg(test)]
mod tests;
