//! What `DISPATCH.md` says, row by row.

mod bench;
mod ends;
mod line;
mod orders;
mod restarts;
mod rows;
