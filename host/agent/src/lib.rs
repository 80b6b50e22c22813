//! What the agent decides: when a standing order runs, why it did not, and what runs next.
//!
//! In go orders, what is known of them from before, what a device noticed, and the time; out come firings, and firings that do
//! not happen, each with its reason. Beside this crate, `SCHEDULES.md` is the table of schedules and
//! `EVENTS.md` that of event rules.
//!
//! Nothing here reads a clock, a file or the environment, but for the system's time zone database, through `jiff`.

mod dispatch;
mod notice;
mod order;
mod policy;
mod queue;
mod reason;
mod reboot;
#[cfg(test)]
mod rows;
mod rule;
mod schedule;
mod text;
mod threshold;
mod watch;
mod written;

pub use dispatch::{
    Dispatcher, Explained, HandRun, Input, Now, Placed, Restored, Scope, SetAside, Shell, Step, Ticket, Told, What,
};
pub use notice::{Change, Content, Found, Notice};
pub use order::{BadOrder, ORDER_BYTES_MAX, Occasion, Order, Priority, Retry, Retryable, order_name};
pub use policy::{Allowed, BadPolicy, DevicePolicy, Wanted};
pub use queue::{Limits, NotRun, Origin, Run, Stage};
pub use reason::{Against, Cause, Reason};
pub use reboot::{Reboot, RebootLook, RebootPolicy, RebootStep, RebootTold};
pub use rule::{
    Attribution, EventTrigger, RecentRun, Rule, RuleDecision, RuleEvent, RuleFiring, RuleLook, RuleState, Touched,
    TripReason, Tripped, Unfired, attribute,
};
pub use schedule::{
    BadSchedule, Calendars, Coming, Decision, Device, Elapsed, Firing, GRACE_MS, Look, Manner, Misfire, NotFired,
    Occupancy, Overlap, Schedule, Seen, State, Trigger, Window,
};
pub use text::duration_ms;
pub use threshold::{Rising, Threshold};
pub use watch::{Log, Resource, ServiceState, Watch, log_pattern};
