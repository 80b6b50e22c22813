//! What `DISPATCH.md` says, row by row.

mod bench;
mod ends;
mod events;
mod line;
mod once;
mod orders;
mod restarts;
mod rows;
