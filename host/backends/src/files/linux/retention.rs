use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use contract::Context;
use contract::types::Error;
use store::{Expected, Store};

use crate::files::QUARANTINE;
use crate::{Shared, errors};

use super::quarantine::Quarantine;
use super::root::{Root, Stat};
use super::walk::Patience;
use super::{Files, Job};

/// Folders with a quarantine, by their path: also those that were a root of one run alone.
const ROOTS: &str = "quarantine-root";
/// The most roots that are looked at in one go.
const ROOTS_MAX: u32 = 100;
/// How long one go may take; what has not gone by then goes with the next.
const TIME_MAX: Duration = Duration::from_secs(2);

/// Lets go what every root has kept for long enough, also where nothing is removed any more. Gives what could not be looked at.
pub fn let_go_expired(shared: &Shared) -> Result<Vec<Error>, Error> {
    let (store, now_ms) = (&*shared.store, shared.clock.now_ms());
    for path in shared.policy.files.roots.values() {
        remember(store, path, now_ms)?;
    }
    let files = Files::new(shared);
    let cx = Context::new("", "", "", Vec::new(), Instant::now() + TIME_MAX);
    let job = Job {
        policy: Arc::clone(&files.policy),
        changing: Arc::clone(&files.changing),
        now_ms,
        run: String::new(),
        patience: Patience::of(&cx),
    };
    let _changing = files.changing.lock().unwrap_or_else(PoisonError::into_inner);
    let mut problems = Vec::new();
    for known in store.list(ROOTS, "", "", ROOTS_MAX, now_ms).map_err(|error| errors::store(&error))? {
        if job.patience.is_over() {
            break;
        }
        match keeps_something(&job, &PathBuf::from(&known.key)) {
            Ok(true) => {}
            Ok(false) => {
                let removed = store.remove(ROOTS, &known.key, Expected::Any, now_ms);
                removed.map_err(|error| errors::store(&error))?.ok();
            }
            Err(problem) => problems.push(problem),
        }
    }
    Ok(problems)
}

fn remember(store: &Store, path: &Path, now_ms: u64) -> Result<(), Error> {
    let Some(name) = path.to_str().filter(|_| path.join(QUARANTINE).is_dir()) else { return Ok(()) };
    let written = store.put(ROOTS, name, "kept", Expected::Absent, None, now_ms);
    written.map_err(|error| errors::store(&error))?.map(drop).or(Ok(()))
}

/// Whether there is still something in a folder's quarantine, after what had its time went.
fn keeps_something(job: &Job, path: &PathBuf) -> Result<bool, Error> {
    if !path.is_dir() {
        return Ok(false);
    }
    let root = Root::open(&path.display().to_string(), Some(path))?;
    if Stat::of(&root.dir, QUARANTINE)?.is_none() {
        return Ok(false);
    }
    let quarantine = Quarantine::open(&root, job)?;
    let keeps = !quarantine.is_empty();
    quarantine.close();
    Ok(keeps)
}
