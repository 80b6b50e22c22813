//! What a source keeps over restarts of the agent: a small file a rule.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::Watch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;

/// Hexadecimal digits of a file's name: enough that no two rules of a device share one.
const NAME_DIGITS: usize = 32;

/// Where one rule keeps what must outlive the agent.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    path: PathBuf,
    /// Held while it is written, also when nobody waits for that any more.
    writing: Arc<Mutex<()>>,
}

impl Kept {
    /// Of this order, as long as it watches the same: a rule that is changed starts anew.
    pub(crate) fn new(folder: &Path, order: &str, watch: &Watch) -> Self {
        Self { path: folder.join(name(order, watch)), writing: Arc::default() }
    }

    /// What was kept; nothing, where it cannot be read: then the source looks as if for the first time.
    pub(crate) fn load<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&std::fs::read(&self.path).ok()?).ok()
    }

    /// Keeps it, durably. A full disk is no reason to stop watching: what was not kept is told again after a restart.
    pub(crate) async fn save<T: Serialize>(&self, what: &T) {
        let Ok(bytes) = serde_json::to_vec(what) else { return };
        let path = self.path.clone();
        let writing = Arc::clone(&self.writing).lock_owned().await;
        // A disk may take its time, and other sources do not wait for it.
        let written = tokio::task::spawn_blocking(move || {
            let _writing = writing;
            store::whole::write(&path, &bytes)
        });
        let _ = written.await;
    }

    /// Waits until what was begun to be written is: who starts next reads it.
    pub(crate) async fn settled(&self) {
        drop(self.writing.lock().await);
    }
}

/// Takes away what was kept for rules that are no more.
pub fn sweep<'a>(folder: &Path, rules: impl IntoIterator<Item = (&'a str, &'a Watch)>) -> std::io::Result<()> {
    let names: Vec<String> = rules.into_iter().map(|(order, watch)| name(order, watch)).collect();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if !names.iter().any(|name| entry.file_name() == name.as_str()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn name(order: &str, watch: &Watch) -> String {
    let mut hasher = blake3::Hasher::new();
    // The length tells where one ends and the other begins.
    hasher.update(&(order.len() as u64).to_le_bytes()).update(order.as_bytes());
    hasher.update(&serde_json::to_vec(watch).unwrap_or_default());
    let digest = hasher.finalize().to_hex();
    format!("{}-{}.json", watch.event_type(), digest.get(..NAME_DIGITS).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_of_one_rule_and_swept_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (here, boot, resume) = (folder.path(), Watch::Boot, Watch::Resume);
        let mine = Kept::new(here, "nightly", &boot);
        assert_eq!(mine.load::<u64>(), None);
        mine.save(&7_u64).await;
        assert_eq!(Kept::new(here, "nightly", &boot).load::<u64>(), Some(7));
        assert_eq!(Kept::new(here, "other", &boot).load::<u64>(), None, "another order");
        assert_eq!(Kept::new(here, "nightly", &resume).load::<u64>(), None, "another watch");
        Kept::new(here, "other", &boot).save(&8_u64).await;
        sweep(here, [("nightly", &boot)]).unwrap();
        assert_eq!(mine.load::<u64>(), Some(7));
        assert_eq!(Kept::new(here, "other", &boot).load::<u64>(), None);
        // What is damaged is as if it were not there.
        std::fs::write(&mine.path, "{").unwrap();
        assert_eq!(mine.load::<u64>(), None);
    }
}
