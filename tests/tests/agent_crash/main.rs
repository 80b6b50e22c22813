//! The agent as a program, when it dies: `kill -9` under load and at every durable write, a disk without a byte, and power that
//! goes. Afterwards each run has one `started` and one end, each firing and each event has its account, and budgets are what was used.

mod beside;
mod books;
mod cleanup;
mod disk;
mod full;
mod kill;
mod load;
mod points;
mod power;
mod site;
