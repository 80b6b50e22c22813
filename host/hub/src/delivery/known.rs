use std::sync::Arc;

use model::Digest;
use trust::Signed;
use trust::statement::{self, Order};

use super::Delivery;
use crate::{Error, Scope};

/// An order, read once.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) signed: Signed,
    pub(super) body: Order,
    /// Of its statement.
    pub(super) digest: Digest,
}

impl Delivery {
    pub(super) fn known(&mut self, order: &str) -> Result<Arc<Known>, Error> {
        if let Some(known) = self.known.get(order) {
            return Ok(Arc::clone(known));
        }
        let text = self.post.hub.db.read(&Scope::of_hub(), |view| view.document(order))?;
        let unreadable = Error::unreadable("an order");
        let signed = Signed::from_text(&text).map_err(|refusal| unreadable(&refusal))?.looked_at();
        let read = statement::read::<Order>(signed.statement()).map_err(|refusal| unreadable(&refusal))?;
        let known = Arc::new(Known { signed, body: read.body, digest: read.digest });
        self.known.insert(order.to_owned(), Arc::clone(&known));
        Ok(known)
    }
}
