//! Plugins that an order names and that are not here: fetched over the line in parts, put together, compared with what was signed,
//! and installed. What a plugin may do is asked where it runs, as of any other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ::fleet::{PART_BYTES_MAX, Parcel};
use anyhow::{Context as _, bail};
use distribution::{Entry, Package};
use model::Digest;
use trust::Signed;
use trust::statement::{Order, OrderedPlugin};

use super::super::Executor;
use crate::agent::upgrade;
use crate::context::Context;
use crate::installed::Plugins;
use crate::keys;
use crate::vouched::{Statements, attachment};

/// How many parts are asked for at once: as many as one answer has room for.
const AT_ONCE: usize = 4;

/// Where they lie until all are there. One plugin at a time, so its bytes are bounded as a parcel's are.
const FOLDER: &str = "parcel";

/// The plugin that is fetched.
pub(super) struct Parcels {
    folder: PathBuf,
    now: Option<Fetching>,
}

struct Fetching {
    list: Digest,
    parcel: Option<Parcel>,
    /// What is there of it.
    there: BTreeSet<Digest>,
}

impl Parcels {
    /// What was fetched before an end of the agent is still there.
    pub(super) fn open(state: &Path) -> Self {
        Self { folder: state.join(FOLDER), now: None }
    }

    /// What to fetch next.
    pub(super) fn wanted(&self) -> Vec<Digest> {
        let Some(now) = &self.now else { return Vec::new() };
        match &now.parcel {
            None => vec![now.list],
            Some(parcel) => parcel.documents().into_iter().filter(|it| !now.there.contains(it)).take(AT_ONCE).collect(),
        }
    }

    pub(super) fn wants(&self, digest: &Digest) -> bool {
        self.now.as_ref().is_some_and(|now| match &now.parcel {
            None => now.list == *digest,
            Some(parcel) => parcel.documents().contains(digest) && !now.there.contains(digest),
        })
    }

    fn is_whole(&self) -> bool {
        self.now.as_ref().is_some_and(|now| now.parcel.is_some()) && self.wanted().is_empty()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    /// Begins with another one; what is there of it is not fetched again.
    fn begin(&mut self, list: Digest) -> anyhow::Result<()> {
        if self.now.as_ref().is_some_and(|now| now.list == list) {
            return Ok(());
        }
        store::make_private_folder(&self.folder).with_context(|| format!("{}", self.folder.display()))?;
        self.now = Some(Fetching { list, parcel: None, there: BTreeSet::new() });
        match std::fs::read(self.path(list)) {
            Ok(bytes) if Digest::of(&bytes) == list => self.read_list(&bytes),
            _ => Ok(()),
        }
    }

    fn read_list(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let parcel = Parcel::read(bytes)?;
        let wanted = parcel.documents();
        let mut there = BTreeSet::new();
        let entries = std::fs::read_dir(&self.folder).with_context(|| format!("{}", self.folder.display()))?;
        for entry in entries.flatten() {
            let digest = entry.file_name().to_str().and_then(|name| format!("sha256:{name}").parse::<Digest>().ok());
            let is_it = |digest: &Digest| std::fs::read(entry.path()).is_ok_and(|bytes| Digest::of(&bytes) == *digest);
            match digest.filter(|digest| wanted.contains(digest) && is_it(digest)) {
                Some(digest) => drop(there.insert(digest)),
                None if self.now.as_ref().is_some_and(|now| digest == Some(now.list)) => {}
                // Of another plugin, or half of something.
                None => drop(std::fs::remove_file(entry.path())),
            }
        }
        if let Some(now) = &mut self.now {
            (now.parcel, now.there) = (Some(parcel), there);
        }
        Ok(())
    }

    /// Keeps a part, if that is what it is.
    fn keep(&mut self, digest: Digest, bytes: &[u8]) -> anyhow::Result<()> {
        if Digest::of(bytes) != digest || bytes.len() > PART_BYTES_MAX {
            return Ok(());
        }
        let path = self.path(digest);
        store::whole::write(&path, bytes).with_context(|| format!("{}", path.display()))?;
        match &mut self.now {
            Some(now) if now.parcel.is_none() => self.read_list(bytes),
            Some(now) => {
                now.there.insert(digest);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The plugin and what was signed about it, out of their parts.
    fn join(&self) -> anyhow::Result<(Vec<u8>, Vec<Signed>)> {
        let parcel = self.now.as_ref().and_then(|now| now.parcel.as_ref()).context("nothing was fetched")?;
        let read = |digest: &Digest| {
            let path = self.path(*digest);
            std::fs::read(&path).with_context(|| format!("{}", path.display()))
        };
        let parts: Vec<Vec<u8>> = parcel.parts.iter().map(read).collect::<anyhow::Result<_>>()?;
        let plugin = parcel.join(parts.iter().map(Vec::as_slice))?;
        let signed = parcel.attachments.iter().map(|it| anyhow::Ok(Signed::from_text(&read(it)?)?));
        Ok((plugin, signed.collect::<anyhow::Result<_>>()?))
    }

    /// It is done with, whatever came of it.
    fn over(&mut self) {
        self.now = None;
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Executor {
    /// Which plugins of orders are here by now; of those that are not, the first is fetched.
    pub(super) fn look_for_plugins(&mut self) {
        let Some(fleet) = &mut self.fleet else { return };
        let orders = fleet.without_plugin();
        if orders.is_empty() {
            if fleet.parcels.now.is_some() {
                fleet.parcels.over();
            }
            return;
        }
        let plugins = Plugins::open(None, &self.context);
        let mut missing = BTreeMap::new();
        for order in orders {
            if self.look_for_release(order).is_some_and(|it| it.is_over()) {
                continue;
            }
            let Some(fleet) = &mut self.fleet else { return };
            let Some(in_force) = fleet.in_force(order) else { continue };
            let about = &in_force.body.plugin;
            let found = plugins
                .as_ref()
                .ok()
                .and_then(|it| it.of_digest(about.name.as_str(), about.digest, &self.context).ok());
            if found.flatten().is_some() && in_force.body.upgrade.is_none() {
                in_force.is_here = true;
                fleet.is_stale = true;
            } else if let Some(list) = in_force.list {
                missing.insert(order, (list, in_force.body.expires));
            }
        }
        let now = keys::now(&self.context);
        for (order, (_, expires)) in &missing {
            if now >= *expires {
                self.tell_refusal(*order, "no-plugin", "its plugin did not come in time");
            }
        }
        let lists: BTreeSet<Digest> =
            missing.values().filter(|(_, expires)| now < *expires).map(|(list, _)| *list).collect();
        let Some(fleet) = &mut self.fleet else { return };
        let under_way = fleet.parcels.now.as_ref().map(|it| it.list).filter(|list| lists.contains(list));
        let Some(list) = under_way.or_else(|| lists.first().copied()) else { return fleet.parcels.over() };
        if under_way.is_none() {
            fleet.has_news = true;
            if let Err(error) = fleet.parcels.begin(list) {
                tracing::error!(error = format!("{error:#}"), "a plugin cannot be fetched");
            }
        }
        // It is looked for again when the first of them would be too late.
        let first = missing.values().map(|(_, expires)| *expires).min();
        fleet.wake = fleet.wake.into_iter().chain(first).min();
    }

    pub(super) fn part_came(&mut self, digest: Digest, bytes: &[u8]) -> anyhow::Result<()> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        if let Err(error) = fleet.parcels.keep(digest, bytes) {
            let list = fleet.parcels.now.as_ref().map(|it| it.list);
            fleet.parcels.over();
            return self.without(list, &error);
        }
        if !fleet.parcels.is_whole() {
            return Ok(());
        }
        let (list, now) = (fleet.parcels.now.as_ref().map(|it| it.list), keys::now(&self.context));
        let joined = fleet.parcels.join();
        fleet.parcels.over();
        let wanted: Vec<Order> = fleet.orders.values().filter(|it| it.list == list).map(|it| it.body.clone()).collect();
        let believed = fleet.place(now).map(|place| (place.client, fleet.member.trust().clone()));
        let installed = joined.and_then(|(plugin, signed)| {
            let digest = Digest::of(&plugin);
            let about = wanted.iter().find(|it| it.plugin.digest == digest);
            let about = about.with_context(|| format!("{digest} is what no order names"))?;
            tokio::task::block_in_place(|| match (about.upgrade, &believed) {
                (None, _) => install(&about.plugin, plugin, &signed, &self.context),
                (Some(_), Some((client, trust))) => upgrade::stage(about, &plugin, &signed, client, trust, now),
                (Some(_), None) => bail!("nobody says whose device this is"),
            })
        });
        if let Err(error) = installed {
            self.without(list, &error)?;
        }
        self.look_for_plugins();
        Ok(())
    }

    /// Nothing comes of a parcel: orders that wait for it are told so.
    fn without(&mut self, list: Option<Digest>, error: &anyhow::Error) -> anyhow::Result<()> {
        let why = format!("{error:#}");
        let refusals = error.downcast_ref::<upgrade::Refusals>().and_then(|it| it.0.first());
        let code = refusals.map_or("bad-plugin", trust::Refusal::code);
        tracing::error!(why, "the plugin of an order could not be installed");
        let Some(fleet) = &self.fleet else { return Ok(()) };
        let orders = fleet.orders.iter().filter(|(_, it)| it.list == list && !it.is_here).map(|(digest, _)| *digest);
        let orders: Vec<Digest> = orders.collect();
        for order in orders {
            self.tell_refusal(order, code, &why);
            if let Some(in_force) = self.fleet.as_mut().and_then(|fleet| fleet.in_force(order)) {
                // One that stands is placed, and says itself that its plugin is not here.
                in_force.list = None;
            }
        }
        Ok(())
    }
}

/// Installs what an order names, and nothing else. Approvals and revocations that came with it count as far as they were signed by
/// who may.
fn install(about: &OrderedPlugin, component: Vec<u8>, signed: &[Signed], context: &Context) -> anyhow::Result<()> {
    let plugin = artifact::verify_local(component.clone(), context.cache().ok().as_ref())?;
    let manifest = plugin.manifest().plugin.clone();
    if plugin.digest() != about.digest || manifest.name != about.name.as_str() || manifest.version != about.version {
        bail!("{} {} is not what was ordered: {} {}", manifest.name, manifest.version, about.name, about.version);
    }
    let plugins = Plugins::open(keys::believed(context)?, context)?;
    for there in plugins.folder.find_all(&manifest.name)? {
        if there.publisher != manifest.publisher {
            bail!("{} is installed by `{}`, and this is by `{}`", there.name, there.publisher, manifest.publisher);
        }
    }
    let attachments: Vec<_> = signed.iter().map(attachment).collect();
    if let Some(trust) = &plugins.trust {
        Statements::of(&attachments).take(&plugin, &mut (**trust).clone(), true, context)?;
    }
    let package = Package { component, attachments };
    let entry =
        Entry::new(&manifest.name, &manifest.version, &manifest.publisher, "hub", &package, context.clock.now_ms());
    plugins.folder.add(entry, &package)?;
    tracing::info!(plugin = manifest.name, version = %manifest.version, "a plugin came over the line, and is installed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plugin of three parts, as a hub has it.
    struct Travels {
        list: Vec<u8>,
        plugin: Vec<u8>,
        parts: Vec<Vec<u8>>,
    }

    fn travels() -> Travels {
        let plugin: Vec<u8> = (0..PART_BYTES_MAX * 2 + 7).map(|at| (at % 251) as u8).collect();
        let (parcel, parts) = Parcel::of(&plugin, Vec::new()).unwrap();
        let parts = parts.into_iter().map(<[u8]>::to_vec).collect();
        Travels { list: parcel.write(), plugin, parts }
    }

    fn keep(parcels: &mut Parcels, bytes: &[u8]) {
        parcels.keep(Digest::of(bytes), bytes).unwrap();
    }

    #[test]
    fn a_parcel_that_was_cut_is_gone_on_with_and_nothing_is_fetched_twice() {
        let folder = tempfile::tempdir().unwrap();
        let it = travels();
        let list = Digest::of(&it.list);
        let mut parcels = Parcels::open(folder.path());
        parcels.begin(list).unwrap();
        assert_eq!(parcels.wanted(), [list]);
        keep(&mut parcels, &it.list);
        assert_eq!(parcels.wanted().len(), 3);
        keep(&mut parcels, &it.parts[1]);
        // The agent dies; somebody left half of a part, and something else.
        std::fs::write(folder.path().join(FOLDER).join(Digest::of(&it.parts[0]).hex()), &it.parts[0][..100]).unwrap();
        std::fs::write(folder.path().join(FOLDER).join("rubbish"), "rubbish").unwrap();
        let mut parcels = Parcels::open(folder.path());
        parcels.begin(list).unwrap();
        let wanted = parcels.wanted();
        assert!(wanted.len() == 2 && !wanted.contains(&Digest::of(&it.parts[1])), "{wanted:?}");
        assert!(!folder.path().join(FOLDER).join("rubbish").exists());
        [&it.parts[0], &it.parts[2]].into_iter().for_each(|bytes| keep(&mut parcels, bytes));
        assert!(parcels.is_whole());
        let (plugin, signed) = parcels.join().unwrap();
        assert!(plugin == it.plugin && signed.is_empty());
        parcels.over();
        assert!(!folder.path().join(FOLDER).exists(), "nothing is left of it");
    }

    #[test]
    fn a_part_that_is_forged_or_too_large_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let it = travels();
        let mut parcels = Parcels::open(folder.path());
        parcels.begin(Digest::of(&it.list)).unwrap();
        // Another list under its name, and one that is none.
        parcels.keep(Digest::of(&it.list), b"{}").unwrap();
        assert_eq!(parcels.wanted(), [Digest::of(&it.list)]);
        keep(&mut parcels, &it.list);
        let digest = Digest::of(&it.parts[0]);
        parcels.keep(digest, &it.parts[1]).unwrap();
        parcels.keep(digest, &it.parts[0][1..]).unwrap();
        assert!(parcels.wanted().contains(&digest) && !parcels.path(digest).exists());
        let large = vec![0; PART_BYTES_MAX + 1];
        parcels.keep(Digest::of(&large), &large).unwrap();
        assert!(!parcels.path(Digest::of(&large)).exists());
        it.parts.iter().for_each(|bytes| keep(&mut parcels, bytes));
        assert!(parcels.join().is_ok(), "the control");
        // What lies on the disk is compared once more.
        std::fs::write(parcels.path(digest), &it.parts[1]).unwrap();
        assert!(parcels.join().is_err());
    }
}
