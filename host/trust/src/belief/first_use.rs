use model::Digest;

use super::Trust;
use crate::statement::Root;
use crate::{Refusal, Signed};

/// A root that nobody pinned yet, for one technician on one machine: the fingerprint is shown, and a person says that it is the
/// right one. An agent has nobody to ask; it gets the fingerprint with its token, and goes by [`Trust::pinned`].
#[derive(Clone, Debug)]
pub struct FirstUse {
    signed: Signed,
    trust: Trust,
}

impl FirstUse {
    /// Of a root statement that holds by itself.
    pub fn of(root: &Signed) -> Result<Self, Vec<Refusal>> {
        let trust = Trust::pinned(Digest::of(root.statement()), root)?;
        Ok(Self { signed: root.clone(), trust })
    }

    /// What a person compares with what the MSP told them another way.
    pub fn fingerprint(&self) -> Digest {
        self.trust.pin()
    }

    /// Whose root it says to be.
    pub fn root(&self) -> &Root {
        self.trust.root()
    }

    /// The person said that this is the fingerprint. It is pinned from now on.
    pub fn confirm(self, said: Digest) -> Result<(Trust, Signed), Refusal> {
        match said == self.trust.pin() {
            true => Ok((self.trust, self.signed)),
            false => Err(Refusal::NotTheRoot { found: self.trust.pin(), pinned: said }),
        }
    }
}
