//! The agent: what runs plugins on a schedule and on events, unattended.
//!
//! It is two processes. The executor is root, holds the machine, and listens on one socket (decision 20). `network/` is the half that
//! speaks to the network, as a user that may do nothing, and may ask the executor for little
//! ([`protocol::Ask::is_for_anybody`]). Hand runs go to the executor over the same socket. `config.rs` is what both halves read, and
//! `install/` has the agent started with the machine.

mod alarm;
pub(crate) mod client;
pub(crate) mod config;
mod durable;
pub(crate) mod executor;
pub(crate) mod identity;
mod idle;
pub(crate) mod install;
pub(crate) mod joined;
pub(crate) mod log;
pub(crate) mod network;
mod orders;
pub(crate) mod protocol;
pub(crate) mod report;
mod runner;
pub(crate) mod socket;
pub(crate) mod supervisor;
pub(crate) mod upgrade;
mod watchers;
