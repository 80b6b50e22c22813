//! `software`: what is installed. On Debian that is what dpkg's status file says, with what apt remembers of why.

#[cfg(target_os = "linux")]
mod linux;
mod memory;
mod overlay;

use std::sync::Arc;

use contract::Footprint;
use contract::software::{Backend, Program, Programs};
use contract::types::Error;
use globset::{GlobBuilder, GlobMatcher};

#[cfg(target_os = "linux")]
use crate::facts::Root;
use crate::{Shared, errors};

pub use memory::{Fixture, Memory};
pub use overlay::{Overlay, PlannedSoftware};

/// The most programs in one answer, by the contract.
const PROGRAMS_MAX: usize = 10_000;
/// The most bytes of an answer: half of what a call may carry by default.
const PROGRAMS_BYTES_MAX: usize = 4 << 20;
/// The most bytes of a pattern; no package's name is longer.
const PATTERN_BYTES_MAX: usize = 255;

/// The software of this machine, or of the system under `shared.root`.
pub fn real(shared: &Shared) -> Arc<dyn Backend> {
    #[cfg(target_os = "linux")]
    return Arc::new(linux::Linux::at(Root::new(&shared.root)));
    #[cfg(not(target_os = "linux"))]
    {
        let _ = shared;
        Arc::new(contract::software::Unsupported)
    }
}

/// The pattern, where names have no parts that `*` would stop at.
fn pattern(name: &str) -> Result<GlobMatcher, Error> {
    if name.is_empty() || name.len() > PATTERN_BYTES_MAX {
        return Err(errors::invalid("glob", format!("a pattern has 1 to {PATTERN_BYTES_MAX} bytes")));
    }
    let glob = GlobBuilder::new(name).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| errors::invalid("glob", format!("`{name}`: {}", error.kind())))
}

/// As far as they fit, by id.
fn page(mut items: Vec<Program>) -> Programs {
    items.sort_by(|a, b| a.id.cmp(&b.id));
    let mut bytes = 0;
    let fits = items.iter().take_while(|program| {
        bytes += program.footprint();
        bytes <= PROGRAMS_BYTES_MAX
    });
    let count = fits.count().min(PROGRAMS_MAX);
    let truncated = count < items.len();
    items.truncate(count);
    Programs { items, truncated }
}

#[cfg(test)]
mod conformance;
