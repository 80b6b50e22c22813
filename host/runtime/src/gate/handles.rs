use std::collections::BTreeMap;

use contract::types::{Error, ErrorKind};
use contract::{Handles, SecretUse};
use model::Limits;

/// The secrets that a guest has opened. It holds numbers; what they stand for stays here, and the bytes elsewhere.
pub(super) struct OpenSecrets {
    open: BTreeMap<u32, SecretUse>,
    open_max: u64,
    opened: u64,
    opened_max: u64,
}

impl OpenSecrets {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { open: BTreeMap::new(), open_max: limits.handles, opened: 0, opened_max: limits.handles_opened }
    }

    pub(super) fn close(&mut self, handle: u32) {
        self.open.remove(&handle);
    }

    pub(super) fn close_all(&mut self) {
        self.open.clear();
    }
}

impl Handles for OpenSecrets {
    fn open(&mut self, secret: SecretUse) -> Result<u32, Error> {
        if u64::try_from(self.open.len()).is_ok_and(|open| open >= self.open_max) {
            return Err(Error::new(ErrorKind::Limit, "handles", format!("{} secrets are open already", self.open_max)));
        }
        if self.opened >= self.opened_max {
            let message = format!("this run has opened {} secrets already", self.opened_max);
            return Err(Error::new(ErrorKind::Limit, "handles-opened", message));
        }
        let handle = u32::try_from(self.opened).unwrap_or(u32::MAX);
        self.opened += 1;
        self.open.insert(handle, secret);
        Ok(handle)
    }

    fn resolve(&mut self, handle: u32) -> Result<SecretUse, Error> {
        let missing = || Error::new(ErrorKind::Invalid, "handle", "this secret is not open");
        self.open.get(&handle).cloned().ok_or_else(missing)
    }
}
