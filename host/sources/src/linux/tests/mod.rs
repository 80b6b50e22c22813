//! Each source on the real machine: what it tells, what is near it and is not told, and what a restart makes of it.

mod accounts;
mod files;
mod logins;
mod logs;
mod network;
mod ports;
