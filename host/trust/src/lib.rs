//! Statements, signatures, and what a host believes.
//!
//! In go bytes from anywhere, out comes an [`Approved`] plugin, which nothing else can make, or every reason why not. All of it
//! works offline, and nobody who stores or carries the bytes is trusted. Time is handed in; files are touched by [`file`] and
//! [`Folder`] alone, and an agent is asked by [`Signer`] alone.

mod belief;
mod device;
pub mod file;
mod folder;
mod json;
mod key;
mod known;
mod name;
mod refusal;
mod sealed;
mod signature;
mod signed;
mod signer;
pub mod statement;
mod time;
mod token;

pub use belief::{
    Approved, Asked, Chain, Check, Decision, FirstUse, Given, Opened, Ordered, Place, Released, Replays, Reported,
    Request, Running, Taken, Trust,
};
pub use device::{Device, NotADevice};
pub use folder::{Folder, Loaded};
pub use key::{Key, NotAKey, SessionKey};
pub use name::{Name, Names, NotAName};
pub use refusal::Refusal;
pub use sealed::NotOpened;
pub use signature::{SIGNATURE_BYTES_MAX, SIGNATURES_MAX};
pub use signed::{SIGNED_BYTES_MAX, Signed, Signers};
pub use signer::{Error as SignError, Signer};
pub use statement::{Kind, Read, Statement};
pub use time::{NotATime, Time};
pub use token::{NotAToken, Token};

#[cfg(test)]
mod tests;
