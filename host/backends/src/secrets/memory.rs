use std::collections::BTreeMap;
use std::sync::Arc;

use model::Clock;
use serde::{Deserialize, Serialize};

use super::{Keep, Kept, Place, Secret, Secrets, VaultError};

/// A secret of a device in memory: `[secrets.halo-token]`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FixtureSecret {
    /// Its text.
    pub value: String,
    /// Where it may be redeemed: `http:api.example.com`.
    #[serde(default)]
    pub places: Vec<Place>,
    /// When it was set.
    #[serde(default)]
    pub set_ms: u64,
    /// When it expires; never if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_ms: Option<u64>,
}

impl std::fmt::Debug for FixtureSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FixtureSecret").field("places", &self.places).finish_non_exhaustive()
    }
}

struct Memory(BTreeMap<String, Kept>);

impl Keep for Memory {
    fn get(&self, name: &str) -> Result<Option<Kept>, VaultError> {
        Ok(self.0.get(name).cloned())
    }
}

impl Secrets {
    /// The twin: these secrets, by name.
    pub fn in_memory(fixture: &BTreeMap<String, FixtureSecret>, clock: Arc<dyn Clock>) -> Self {
        let kept = |fixture: &FixtureSecret| Kept {
            set_ms: fixture.set_ms,
            expires_ms: fixture.expires_ms,
            places: fixture.places.clone(),
            secret: Arc::new(Secret::new(fixture.value.clone().into_bytes())),
        };
        let memory = fixture.iter().map(|(name, fixture)| (name.clone(), kept(fixture))).collect();
        Self::over(Box::new(Memory(memory)), clock)
    }
}
