use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use contract::Context;
use contract::software::{Backend, FindPrograms, Programs};
use contract::types::Error;

/// Versions that programs would have after what a dry run has planned, by id (`apt:openssl`). Overlays of interfaces that
/// install write it, the overlay of `software` reads it.
#[derive(Debug, Default)]
pub struct PlannedSoftware(Mutex<BTreeMap<String, String>>);

impl PlannedSoftware {
    /// A planned change would leave the program with this version.
    pub fn plan(&self, id: &str, version: &str) {
        let mut versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert(id.to_owned(), version.to_owned());
    }
}

/// The software, with the versions that planned changes would bring. Programs that an update would add are not shown.
pub struct Overlay {
    base: Arc<dyn Backend>,
    planned: Arc<PlannedSoftware>,
}

impl Overlay {
    /// Over a backend, and what other overlays plan.
    pub fn new(base: Arc<dyn Backend>, planned: Arc<PlannedSoftware>) -> Self {
        Self { base, planned }
    }
}

#[async_trait::async_trait]
impl Backend for Overlay {
    async fn find_programs(&self, cx: &Context, call: &FindPrograms) -> Result<Programs, Error> {
        let mut programs = self.base.find_programs(cx, call).await?;
        let planned = self.planned.0.lock().unwrap_or_else(PoisonError::into_inner);
        for program in &mut programs.items {
            if let Some(version) = planned.get(&program.id) {
                program.version.clone_from(version);
            }
        }
        Ok(programs)
    }
}
