//! The orders that this technician handed over last: who was in which ring, and the plugin. Whoever asks what came of one, runs it
//! again or takes it back needs no hub to say so.

use std::path::{Path, PathBuf};

use model::Digest;

use crate::error::Error;
use crate::hand::Parcelled;

/// The folder, in that of state.
const FOLDER: &str = "ordered";

/// So many are kept, the latest: each has its plugin beside it.
const ORDERS_MAX: usize = 32;

impl Parcelled {
    /// Keeps it in a folder of state, and lets go of those before the last few.
    pub fn keep(&self, state: &Path) -> Result<(), Error> {
        let folder = state.join(FOLDER);
        std::fs::create_dir_all(&folder).map_err(|error| Error::Io(folder.clone(), error))?;
        self.write(&file(state, Digest::of(self.signed.statement())))?;
        let mut kept: Vec<(std::time::SystemTime, PathBuf)> = orders(&folder)?;
        kept.sort();
        let old = kept.len().saturating_sub(ORDERS_MAX);
        kept.iter().take(old).for_each(|(_, path)| Self::forget(path));
        Ok(())
    }

    /// One that was kept here; none where it was not, or cannot be read any more.
    pub fn kept(state: &Path, order: Digest) -> Option<Self> {
        let kept = Self::read(&file(state, order)).ok()?;
        (Digest::of(kept.signed.statement()) == order).then_some(kept)
    }
}

fn file(state: &Path, order: Digest) -> PathBuf {
    state.join(FOLDER).join(format!("{}.order", order.hex()))
}

fn orders(folder: &Path) -> Result<Vec<(std::time::SystemTime, PathBuf)>, Error> {
    let io = |error| Error::Io(folder.to_owned(), error);
    let mut orders = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension() == Some("order".as_ref()) {
            let changed = path.metadata().and_then(|it| it.modified()).map_err(io)?;
            orders.push((changed, path));
        }
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_orders_are_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let parcelled = |at: usize| Parcelled {
            signed: trust::Signed::new(format!("{{\"order\":{at}}}").into_bytes(), Vec::new()),
            rings: vec![Vec::new()],
            plugin: b"the plugin".to_vec(),
            attachments: Vec::new(),
        };
        let order = |at: usize| Digest::of(parcelled(at).signed.statement());
        parcelled(0).keep(folder.path()).unwrap();
        assert_eq!(Parcelled::kept(folder.path(), order(0)).unwrap().plugin, b"the plugin");
        assert!(Parcelled::kept(folder.path(), order(1)).is_none());
        // By the time of their files, which is to the millisecond and better.
        for at in 1..=ORDERS_MAX {
            std::thread::sleep(std::time::Duration::from_millis(5));
            parcelled(at).keep(folder.path()).unwrap();
        }
        assert!(Parcelled::kept(folder.path(), order(0)).is_none(), "the oldest is let go of");
        assert!((1..=ORDERS_MAX).all(|at| Parcelled::kept(folder.path(), order(at)).is_some()));
        let files = std::fs::read_dir(folder.path().join(FOLDER)).unwrap().count();
        assert_eq!(files, ORDERS_MAX * 4, "nothing of it is left");
        // One that somebody put in its place is none.
        let other = file(folder.path(), order(5));
        std::fs::write(&other, "{}").unwrap();
        assert!(Parcelled::kept(folder.path(), order(5)).is_none());
    }
}
