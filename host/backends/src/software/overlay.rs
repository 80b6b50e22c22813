use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use contract::Context;
use contract::software::{Backend, FindPrograms, Program, Programs};
use contract::types::Error;

/// Versions that programs would have after what a dry run has planned, by id (`apt:openssl`). Overlays of interfaces that
/// install write it, the overlay of `software` reads it.
#[derive(Debug, Default)]
pub struct PlannedSoftware(Mutex<BTreeMap<String, String>>);

impl PlannedSoftware {
    /// A planned change would leave the program with this version, whether it is there now or not.
    pub fn plan(&self, id: &str, version: &str) {
        let mut versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        versions.insert(id.to_owned(), version.to_owned());
    }
}

/// The software, with the versions that planned changes would bring, and with the programs that they would add.
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

/// What is known of a program before it is there; none for an id that is none.
fn added(id: &str, version: &str) -> Option<Program> {
    let (manager, rest) = id.split_once(':')?;
    let (name, arch) = match rest.split_once(':') {
        Some((name, arch)) => (name, Some(arch)),
        None => (rest, None),
    };
    Some(Program {
        id: id.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        publisher: String::new(),
        manager: manager.to_owned(),
        installed_ms: None,
        attributes: arch.map(|arch| ("arch".to_owned(), arch.to_owned())).into_iter().collect(),
    })
}

#[async_trait::async_trait]
impl Backend for Overlay {
    async fn find_programs(&self, cx: &Context, call: &FindPrograms) -> Result<Programs, Error> {
        let Programs { mut items, truncated } = self.base.find_programs(cx, call).await?;
        let pattern = super::pattern(&call.name)?;
        let planned = self.planned.0.lock().unwrap_or_else(PoisonError::into_inner);
        for program in &mut items {
            if let Some(version) = planned.get(&program.id) {
                program.version.clone_from(version);
            }
        }
        let there: BTreeSet<&str> = items.iter().map(|program| program.id.as_str()).collect();
        // Behind the end of a page that was cut nobody can say what is there already.
        let last = items.last().filter(|_| truncated).map(|program| program.id.as_str());
        let is_new = |id: &str| !there.contains(id) && last.is_none_or(|last| id < last);
        let new = planned.iter().filter(|(id, _)| is_new(id)).filter_map(|(id, version)| added(id, version));
        let new: Vec<Program> = new.filter(|program| pattern.is_match(&program.name)).collect();
        items.extend(new);
        let page = super::page(items);
        Ok(Programs { truncated: truncated || page.truncated, ..page })
    }
}
