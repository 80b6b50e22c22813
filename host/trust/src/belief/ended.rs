use model::Digest;

use super::{Document, Role, Trust, authority};
use crate::statement::{End, Plugin, Revocation};
use crate::{Key, Name, Refusal, Time};

/// What no longer holds, by all revocations that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    keys: Vec<Row<Key>>,
    plugins: Vec<Row<Digest>>,
    statements: Vec<Row<Digest>>,
}

#[derive(Clone, Debug)]
struct Row<T> {
    what: T,
    end: End,
    since: Time,
    reason: String,
    /// The publisher that said so of its own; none where it was somebody who may say so of anything.
    by: Option<Name>,
}

impl Ended {
    pub(super) fn check_key(&self, key: &Key, created: Time) -> Result<(), Refusal> {
        self.check_compromised(key)?;
        let retired = self.keys.iter().find(|row| row.what == *key && row.since <= created);
        retired.map_or(Ok(()), |row| Err(Refusal::KeyRetired { key: key.fingerprint(), since: row.since, created }))
    }

    pub(super) fn check_compromised(&self, key: &Key) -> Result<(), Refusal> {
        let stolen = self.keys.iter().find(|row| row.what == *key && row.end == End::Compromised);
        stolen.map_or(Ok(()), |row| Err(Refusal::KeyCompromised { key: key.fingerprint(), reason: row.reason.clone() }))
    }

    /// Whether a plugin was ended for good.
    pub(super) fn check_plugin(&self, plugin: &Plugin) -> Result<(), Refusal> {
        let ended = self.of_plugin(plugin).find(|row| row.end == End::Compromised);
        ended.map_or(Ok(()), |row| {
            Err(Refusal::Revoked { what: format!("{} {}", plugin.name, plugin.version), reason: row.reason.clone() })
        })
    }

    /// Whether a statement was ended, whatever it says.
    pub(super) fn check_statement(&self, what: &str, digest: Digest) -> Result<(), Refusal> {
        let ended = self.statements.iter().find(|row| row.what == digest);
        ended.map_or(Ok(()), |row| Err(Refusal::Revoked { what: what.to_owned(), reason: row.reason.clone() }))
    }

    /// Whether an approval of a plugin was made before the plugin was retired, and was not revoked itself.
    pub(super) fn check_approval(
        &self,
        plugin: &Plugin,
        name: &Name,
        approval: Digest,
        created: Time,
    ) -> Result<(), Refusal> {
        self.check_statement(&format!("the approval `{name}`"), approval)?;
        self.retired(plugin, Some(created)).map_or(Ok(()), Err)
    }

    /// Whether a plugin was retired: until then, or ever.
    pub(super) fn retired(&self, plugin: &Plugin, until: Option<Time>) -> Option<Refusal> {
        let in_time = |row: &&Row<Digest>| until.is_none_or(|until| row.since <= until);
        let row = self.of_plugin(plugin).filter(in_time).find(|row| row.end == End::Retired)?;
        let what = format!("{} {}", plugin.name, plugin.version);
        Some(Refusal::Retired { what, since: row.since, reason: row.reason.clone() })
    }

    fn of_plugin(&self, plugin: &Plugin) -> impl Iterator<Item = &Row<Digest>> {
        let counts =
            |row: &&Row<Digest>| row.what == plugin.digest && row.by.as_ref().is_none_or(|by| *by == plugin.publisher);
        self.plugins.iter().filter(counts)
    }

    fn add(&mut self, revocation: &Document<Revocation>, by: Option<&Name>) {
        let body = &revocation.read.body;
        let (end, since) = (body.end, revocation.read.created);
        let row = |what: &Digest| Row { what: *what, end, since, reason: body.reason.clone(), by: by.cloned() };
        self.plugins.extend(body.plugins.iter().map(row));
        // A publisher has no statements but those of its plugins.
        if by.is_none() {
            self.statements.extend(body.statements.iter().map(row));
        }
        let row = |what: &Key| Row { what: what.clone(), end, since, reason: body.reason.clone(), by: by.cloned() };
        self.keys.extend(body.keys.iter().map(row));
    }
}

impl Trust {
    /// Works out what follows from all documents together: after each that was taken, or once after all were restored.
    ///
    /// The root's revocations first, then the reviewers' whose keys these left, then the publishers': else a stolen key would
    /// keep its word by taking away that of those who may end it.
    pub(crate) fn settle(&mut self) {
        self.ended = Ended::default();
        let revocations = std::mem::take(&mut self.revocations);
        let (by_root, others): (Vec<_>, Vec<_>) =
            revocations.values().partition(|it| authority::by_root(self.root(), it.signers()).is_ok());
        by_root.into_iter().for_each(|it| self.ended.add(it, None));
        let (by_reviewer, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|it| self.by_seat(Role::Reviewer, it, |_, _| Ok(())).is_ok());
        by_reviewer.into_iter().for_each(|it| self.ended.add(it, None));
        let by_publisher: Vec<(&Document<Revocation>, Name)> = others
            .into_iter()
            .filter(|it| self.by_revoker(it).is_ok())
            .filter_map(|it| Some((it, self.by_seat(Role::Publisher, it, |_, _| Ok(())).ok()?.holder.clone())))
            .collect();
        by_publisher.into_iter().for_each(|(it, by)| self.ended.add(it, Some(&by)));
        self.revocations = revocations;
    }
}
