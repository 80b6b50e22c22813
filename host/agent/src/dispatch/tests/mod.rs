//! What `DISPATCH.md` says, row by row.

mod bench;
mod ends;
mod events;
mod line;
mod orders;
mod restarts;
mod rows;
