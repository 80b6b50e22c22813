//! What a standing order waits for: what was noticed goes in, what fires comes out.

mod decision;
mod filter;
mod trigger;

pub use self::decision::{RuleDecision, RuleEvent, RuleFiring, TripReason, Tripped, Unfired};
pub use self::trigger::EventTrigger;
