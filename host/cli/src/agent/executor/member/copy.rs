//! A machine that was copied from a device of a fleet, disk and key: it does nothing for the hub, and has the hub hear of it.

use model::Digest;
use store::{Expected, Store, Value, Write};
use trust::{Refusal, Signed, Signer};

use super::{KEPT, OWN, all, outbox};
use crate::agent::identity::Identity;
use crate::agent::joined::Joined;
use crate::agent::protocol::HubIs;
use crate::context::Context;
use crate::keys;

/// What whoever looks after the machine reads.
pub(super) const WHY: &str = "another machine joined the hub with the key that is here: this one was copied from it, and does nothing \
    for the hub before `remit agent join` makes it a device of its own";

/// So many rows go at once.
const AT_ONCE: usize = 500;

/// What it takes to be refused by the hub.
pub(in crate::agent::executor) struct Copy {
    ways: HubIs,
    signer: Signer,
    machine: Digest,
    process: Digest,
}

impl Copy {
    /// What technicians sealed is for the machine that joined: a copy of it goes.
    pub(super) fn new(joined: Joined, signer: Signer, machine: Identity, context: &Context) -> anyhow::Result<Self> {
        let vault = context.vault_of_hub();
        for secret in vault.list()? {
            vault.remove(&secret.name)?;
        }
        let trust = keys::root(context)?;
        let (addresses, authorities) = joined.ways(&trust);
        let process = Digest::from(rand::random::<[u8; 32]>());
        Ok(Self { ways: HubIs { addresses, authorities }, signer, machine: machine.digest(), process })
    }

    pub(super) fn hub(&self) -> HubIs {
        self.ways.clone()
    }

    /// Signs a session of this machine.
    pub(super) fn sign(
        &mut self,
        session: impl FnOnce(Digest, Digest) -> Result<Vec<u8>, Refusal>,
    ) -> anyhow::Result<Signed> {
        let mut signed = Signed::new(session(self.machine, self.process)?, Vec::new());
        signed.sign(&mut self.signer)?;
        Ok(signed)
    }
}

/// Forgets what a device did and said: what joins next begins with its first result.
pub(crate) fn forget(store: &Store, now_ms: u64) -> anyhow::Result<()> {
    for collection in [KEPT, OWN, outbox::OUTBOX] {
        let gone = |(key, _): (String, String)| Write {
            collection,
            key,
            value: Value::Gone,
            expected: Expected::Any,
            expires_ms: None,
        };
        let writes: Vec<Write> = all(collection, store, now_ms)?.into_iter().map(gone).collect();
        for some in writes.chunks(AT_ONCE) {
            // Nothing is expected, so nothing is in the way.
            let _ = store.write(some, now_ms)?;
        }
    }
    Ok(())
}
