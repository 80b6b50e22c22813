//! Many devices in one process, each with its own key.
//!
//! A simulated device is the agent's own code: [`fleet::Member`] decides, [`bus::dial::Dial`] and [`bus::courier`] carry,
//! [`trust::Trust`] verifies, and what a run may use is asked of `trust` when it starts. What is simulated is the machine below
//! ([`machine`]: a run counts a mutation, and nothing else does), what it is like ([`inventory`]) and how it behaves ([`nature`]).
//!
//! What devices of one process share is the code, the runtime, and the bytes of plugins that each of them fetched and compared for
//! itself ([`plugin::Shelf`]). No decision, no verified document, no connection and no session is shared.

pub mod bench;
pub mod crew;
pub mod device;
pub mod files;
pub mod inventory;
pub mod machine;
pub mod msp;
pub mod nature;
pub mod plugin;
mod range;
pub mod redteam;
mod standing;
pub mod technician;
pub mod weeks;
