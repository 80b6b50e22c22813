//! Parts of plugins that technicians hand over: bytes by their digest, which mean nothing here.

use fleet::PART_BYTES_MAX;
use model::Digest;

use crate::db::NewPart;
use crate::{Asker, Error, Hub};

impl Hub {
    /// Keeps a part for whoever has the hub's own folder.
    pub async fn put_own_part(&self, bytes: Vec<u8>) -> Result<Digest, Error> {
        self.put_part(bytes, &Asker::own()).await
    }

    /// Keeps a part for the clients of whoever hands it over. The same again is the same.
    pub(crate) async fn put_part(&self, bytes: Vec<u8>, asker: &Asker) -> Result<Digest, Error> {
        if bytes.is_empty() || bytes.len() > PART_BYTES_MAX {
            return Err(Error::Invalid(vec![format!("a part has 1 to {PART_BYTES_MAX} bytes")]));
        }
        let (digest, now_ms) = (Digest::of(&bytes), self.clock.now_ms());
        let new = NewPart { digest: digest.to_string(), clients: asker.scope.names(), bytes };
        self.db.write(move |change| change.keep_part(&new, now_ms)).await?;
        Ok(digest)
    }
}
