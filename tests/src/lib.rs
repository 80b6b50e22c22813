//! What tests of the whole system stand on: managed hosts, booted from a real Debian with systemd as its first process, and
//! apt repositories and a registry made on the spot.
//!
//! A test that needs root starts with `let root = tests::need_root!();`, and one that mounts goes on with `tests::apart!();`. One that has a long form asks `tests::soak!()`.

mod apart;
pub mod apt;
mod base;
pub mod built;
mod cgroups;
pub mod echo;
pub mod files;
pub mod fleet;
pub mod fuzz;
mod harness;
pub mod hosts;
pub mod hub;
mod keeper;
pub mod msp;
mod names;
pub mod network;
pub mod package;
mod processes;
pub mod registry;
pub mod registry_between;
mod relabel;
pub mod releases;
pub mod remit;
mod root;
pub mod scripts;
pub mod site_guard;
mod soak;
pub mod toolchains;
pub mod tsc;
pub mod wasm_tools;

#[doc(hidden)]
pub use apart::is_done_apart;
pub use hosts::Host;
pub use msp::Msp;
pub use relabel::relabelled;
pub use remit::Remit;
pub use root::Root;
#[doc(hidden)]
pub use root::required;
#[doc(hidden)]
pub use soak::is_soak;
pub use soak::{Chance, SOAK, seed};
