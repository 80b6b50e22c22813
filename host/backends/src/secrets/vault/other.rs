//! Where access is not by owner and mode, a vault needs the platform's own protection, which has not been built.

use std::path::Path;

use super::VaultError;

pub(super) struct Folder;

impl Folder {
    pub(super) fn open(_: &Path) -> Result<Option<Self>, VaultError> {
        Err(VaultError::Unsupported)
    }

    pub(super) fn create(_: &Path) -> Result<Self, VaultError> {
        Err(VaultError::Unsupported)
    }

    pub(super) fn names(&self) -> Result<Vec<String>, VaultError> {
        Err(VaultError::Unsupported)
    }

    pub(super) fn read(&self, _: &str, _: usize) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, VaultError> {
        Err(VaultError::Unsupported)
    }

    pub(super) fn write(&self, _: &str, _: &[u8]) -> Result<(), VaultError> {
        Err(VaultError::Unsupported)
    }

    pub(super) fn remove(&self, _: &str) -> Result<bool, VaultError> {
        Err(VaultError::Unsupported)
    }
}
