//! What `SCHEDULES.md` says, row by row.

mod bench;
mod changes;
mod clocks;
mod missed;
mod open;
mod rows;
mod written;
