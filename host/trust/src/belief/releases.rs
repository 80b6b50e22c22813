//! Who says what the agent's next version is, and whether a device may put it in the place of its own.

use model::Digest;
use semver::Version;

use super::authority::{Role, for_client, out_of_scope};
use super::{Document, Trust, in_time};
use crate::statement::{AgentRelease, Order, Seat};
use crate::{Name, Refusal, Signed, Time};

/// A release that somebody signed who may. Only [`Trust::released`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    release: AgentRelease,
    digest: Digest,
    seat: Seat,
}

/// The agent whose place a release would take.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// Its version.
    pub version: &'a Version,
    /// The machine that it is built for, as a release says it.
    pub target: &'a str,
    /// The newest form of its memory that it reads.
    pub state: u32,
    /// Whose device it is on.
    pub client: &'a Name,
}

impl Released {
    /// What it says.
    pub fn release(&self) -> &AgentRelease {
        &self.release
    }

    /// Which statement that is.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who signed it.
    pub fn by(&self) -> &Name {
        &self.seat.holder
    }

    /// Everything that speaks against this release in the place of what runs, as it was ordered; nothing, where it may be.
    pub fn against(&self, order: &Order, running: &Running) -> Vec<Refusal> {
        let release = &self.release;
        let mut refusals = Vec::new();
        let mut compare = |field, found: String, wanted: String| {
            if found != wanted {
                refusals.push(Refusal::NotAsOrdered { field, found, wanted });
            }
        };
        let wanted = order.upgrade.as_ref().map(|it| it.release.to_string());
        compare("upgrade.release", self.digest.to_string(), wanted.unwrap_or_default());
        compare("version", release.version.to_string(), order.plugin.version.to_string());
        refusals.extend(for_client(&self.seat, running.client).err());
        if order.class_max > self.seat.class_max {
            let most = self.seat.class_max;
            let problem = format!("the order is up to {}, and the seat ends at {most}", order.class_max);
            refusals.push(out_of_scope(&self.seat, problem));
        }
        if release.target.as_str() != running.target {
            let (found, wanted) = (release.target.clone(), running.target.to_owned());
            refusals.push(Refusal::OtherTarget { found, wanted });
        }
        let is_downgrade_meant = order.upgrade.as_ref().is_some_and(|it| it.downgrade);
        if release.version <= *running.version && !(is_downgrade_meant && release.version < *running.version) {
            let (found, runs) = (release.version.clone(), running.version.clone());
            refusals.push(Refusal::NotNewer { found, runs });
        }
        if *running.version < release.from {
            refusals.push(Refusal::TooFar { from: release.from.clone(), runs: running.version.clone() });
        }
        if release.state > running.state {
            refusals.push(Refusal::OtherState { found: release.state, reads: running.state });
        }
        refusals
    }

    /// Whether these bytes are the program.
    pub fn is(&self, program: &[u8]) -> Result<(), Refusal> {
        let (found, wanted) = (Digest::of(program), self.release.digest);
        match found == wanted {
            true => Ok(()),
            false => Err(Refusal::OtherBytes { found, wanted }),
        }
    }
}

impl Trust {
    /// What anybody makes of a release that came from anywhere. A release states a fact, as a plugin's statement does: its signer's
    /// seat counts when it was signed, and not any more if the key was stolen.
    pub fn released(&self, signed: &Signed, now: Time) -> Result<Released, Vec<Refusal>> {
        let document = Document::<AgentRelease>::open(signed).map_err(|refusal| vec![refusal])?;
        let now = self.time(now);
        let (release, digest) = (&document.read.body, document.read.digest);
        let what = format!("the release {}", release.version);
        let mut refusals: Vec<Refusal> = in_time(&what, &document, now).err().into_iter().collect();
        refusals.extend(self.ended.check_statement(&what, digest).err());
        if now >= release.expires {
            refusals.push(Refusal::TooLate { what, until: release.expires });
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        self.roster_counts()?;
        let seat = self.by_seat(Role::Releaser, &document, |_, _| Ok(()))?.clone();
        Ok(Released { release: document.read.body, digest, seat })
    }
}
