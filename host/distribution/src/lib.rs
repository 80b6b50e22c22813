//! How a plugin's bytes travel: to and from registries, as archives, files and addresses, and into the folder of what is installed.
//!
//! It trusts nobody, and decides nothing about trust. In goes what a person typed, out come bytes that match a digest, with the
//! statements and signatures that travel with them, or exactly why not. What those say, and whether a plugin may run, is for others.

mod archive;
mod credentials;
mod error;
mod fetch;
mod file;
mod installed;
mod layout;
mod lock;
mod network;
mod package;
mod partial;
mod proxy;
mod registry;
mod source;
#[cfg(test)]
mod tests;
mod tls;

pub use archive::{ARCHIVE_BYTES_MAX, BadArchive, read as read_archive, write as write_archive};
pub use credentials::{Credentials, DockerConfig};
pub use error::{Error, Redirect};
pub use fetch::{Fetched, Fetcher};
pub use file::{beside as read_beside, read as read_file, write as write_file};
pub use installed::{Entry, Freed, Installed, named};
pub use lock::{BadLock, LOCK_BYTES_MAX, Lock, Locked};
pub use network::{Limits, Network, Posted, Roots, Traffic};
pub use package::{
    ATTACHMENTS_MAX, Attachment, COMPONENT_BYTES_MAX, Label, Package, SIGNATURE_BYTES_MAX, SIGNATURES_MAX,
    STATEMENT_BYTES_MAX, tag_of, version_of,
};
pub use proxy::Proxy;
pub use registry::{Existing, Pushed, Registry, Resolved};
pub use source::{Address, Source};
