//! Files that are being changed, until they no longer are.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::named::{Happenings, Named};
use crate::Error;

/// The longest that is waited for files to come to rest: the upgrade of a release takes longer, and is told of as it goes.
const CHANGING_MAX: Duration = Duration::from_mins(5);

/// Some files and folders, which are at rest for so long before anybody looks.
pub(super) struct Settling {
    named: Named,
    quiet: Duration,
    /// When the first and the last was that happened and that nobody has been told.
    happened: Option<(Instant, Instant)>,
}

impl Settling {
    /// These paths, from now on.
    pub(super) fn new(paths: &[&Path], quiet: Duration) -> Result<Self, Error> {
        let named = Named::any(paths.iter().map(|&path| path.to_owned()).collect())?;
        Ok(Self { named, quiet, happened: None })
    }

    /// Waits until something has happened to one of them and they are at rest again, and says when the last of it was. Nothing is
    /// lost where nobody waits to the end.
    pub(super) async fn changed(&mut self) -> Result<Instant, Error> {
        loop {
            match self.happened {
                None => self.named.wait().await?,
                Some((first, last)) => {
                    let at_rest = (last + self.quiet).min(first + CHANGING_MAX);
                    match tokio::time::timeout_at(at_rest, self.named.wait()).await {
                        Ok(woken) => woken?,
                        Err(_) => {
                            self.happened = None;
                            return Ok(last);
                        }
                    }
                }
            }
            let mut happened = Happenings::default();
            self.named.take(&mut happened)?;
            if !happened.is_empty() {
                let now = Instant::now();
                self.happened = Some((self.happened.map_or(now, |(first, _)| first), now));
            }
        }
    }
}
