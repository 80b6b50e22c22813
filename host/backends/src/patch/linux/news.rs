//! Which changelogs are fetched, and where what they say is kept.
//!
//! A list is answered from what is here, without the network. The changelog of a version that is not installed is not here,
//! so `refresh-index` fetches it from where the repository says (`Changelogs` in its Release file), as `apt-get changelog`
//! does, and keeps what it says.

use std::collections::BTreeMap;
use std::io::Read;
use std::time::{Duration, Instant};

use contract::Context;
use contract::types::Error;
use store::Expected;

use crate::errors;

use super::changelog::{self, News};
use super::deb::Packages;
use super::reader::Pending;
use super::{APT_GET, Apt, blocking, simulation};

const COLLECTION: &str = "patch-news";
/// The most changelogs that one refresh fetches: the rest comes with the next.
const FETCHED_MAX: usize = 100;
/// The longest that one of them may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// What apt waits for a server that says nothing; it asks twice.
const SILENCE: [&str; 6] =
    ["-o", "Acquire::http::Timeout=3", "-o", "Acquire::https::Timeout=3", "-o", "Acquire::Retries=0"];
/// A changelog that is not there is refused at once. What takes longer than this is a server that does not answer.
const STALLED: Duration = Duration::from_secs(5);
/// After so many a refresh asks for no more: the updates are what it is for.
const STALLS_MAX: usize = 2;
/// What a refresh leaves of its own time for ending.
const SPARE: Duration = Duration::from_secs(2);
/// The most bytes that are read of a changelog: the newest entries are at its top.
const CHANGELOG_BYTES_MAX: u64 = 4 << 20;
/// How long news is kept: an update that is pending for longer has been read about.
const KEPT_MS: u64 = 180 * 24 * 60 * 60 * 1_000;

/// A changelog to fetch, and the news that it is for.
struct Wanted {
    key: String,
    package: String,
    installed: Option<String>,
}

/// What the news is about: it says what is new against the version that is installed.
fn key(pending: &Pending, packages: &Packages) -> Option<(String, Option<String>)> {
    let (source, version) = pending.details.source.as_ref()?;
    let installed = packages.get(&pending.step.product).filter(|package| package.version.is_some());
    let installed = installed.and_then(|package| package.source_version.clone());
    let since = installed.as_deref().unwrap_or("none");
    Some((format!("{source} {version} since {since}"), installed))
}

impl Apt {
    /// What was read of an update's changelog.
    pub(super) fn news(&self, pending: &Pending, packages: &Packages) -> Result<Option<News>, Error> {
        let Some((key, _)) = key(pending, packages) else { return Ok(None) };
        let found = self.store.get(COLLECTION, &key, self.clock.now_ms()).map_err(|error| errors::store(&error))?;
        Ok(found.and_then(|document| serde_json::from_str(&document.value).ok()))
    }

    /// Fetches the changelogs of what is pending and unread, security first. One that cannot be had is no failure: the update
    /// says that its changelog was not read.
    pub(super) async fn read_news(&self, cx: &Context) -> Result<(), Error> {
        let packages = self.packages().await?;
        let mut pending = self.pending(cx, &packages).await?;
        pending.sort_by_key(|it| !simulation::is_security(&it.step.origins));
        let mut wanted: BTreeMap<String, ()> = BTreeMap::new();
        let mut list = Vec::new();
        for it in &pending {
            let Some((key, installed)) = key(it, &packages) else { continue };
            if self.news(it, &packages)?.is_none() && wanted.insert(key.clone(), ()).is_none() {
                list.push(Wanted { key, package: format!("{}={}", it.step.product, it.step.to), installed });
            }
        }
        let mut stalls = 0;
        for wanted in list.iter().take(FETCHED_MAX) {
            let ends = cx.deadline.checked_sub(SPARE).unwrap_or(cx.deadline).min(Instant::now() + FETCH_TIMEOUT);
            if cx.is_over() || Instant::now() >= ends || stalls >= STALLS_MAX {
                break;
            }
            let asked = Instant::now();
            match self.changelog(&wanted.package, ends).await {
                Ok(text) => self.keep(&wanted.key, &changelog::read(&text, wanted.installed.as_deref()))?,
                Err(_) => stalls += usize::from(asked.elapsed() >= STALLED),
            }
        }
        Ok(())
    }

    fn keep(&self, key: &str, news: &News) -> Result<(), Error> {
        let value = serde_json::to_string(news).map_err(|error| errors::failed("store", error.to_string()))?;
        let now_ms = self.clock.now_ms();
        let written = self.store.put(COLLECTION, key, &value, Expected::Any, Some(now_ms + KEPT_MS), now_ms);
        written.map(|_| ()).map_err(|error| errors::store(&error))
    }

    /// The changelog of a version. apt shows one from the network, but not one of a repository in a folder.
    async fn changelog(&self, package: &str, deadline: Instant) -> Result<String, Error> {
        let uri = self.run(APT_GET, &["-qq", "--print-uris", "changelog", package], deadline).await?;
        let uri = uri.split('\'').nth(1).unwrap_or_default();
        let Some(path) = uri.strip_prefix("file:").map(|path| path.trim_start_matches('/')) else {
            return self.run(APT_GET, &[&["-qq"], &SILENCE[..], &["changelog", package]].concat(), deadline).await;
        };
        if path.split('/').any(|part| part == "..") {
            return Err(errors::invalid("changelog", format!("`{uri}` leaves its folder")));
        }
        let path = self.path(path);
        let read = move || {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?.take(CHANGELOG_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        blocking(read).await?.map_err(|error| errors::io("cannot read a changelog", &error))
    }
}
