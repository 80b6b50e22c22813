//! What `EVENTS.md` says, row by row.

mod bench;
mod bursts;
mod causes;
mod clocks;
mod levels;
mod permits;
mod written;
