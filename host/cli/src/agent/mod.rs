//! The agent: what runs plugins on a schedule and on events, unattended.
//!
//! `network/` is the half that speaks to the network, as a user that may do nothing; `config.rs` is what both halves read, and
//! `install/` has the agent started with the machine.

pub(crate) mod config;
pub(crate) mod install;
pub(crate) mod log;
pub(crate) mod network;
pub(crate) mod supervisor;
