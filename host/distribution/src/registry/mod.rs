//! One registry, as the OCI distribution specification has it: what it says is checked against digests, and nothing of it is
//! believed.

mod authorization;
mod pull;
mod push;

use std::collections::HashMap;
use std::sync::Mutex;

use model::Digest;
use oci_spec::distribution::Reference;
use oci_spec::image::Descriptor;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::Error;
use crate::credentials::Credentials;
use crate::layout::{self, INDEX, INDEX_BYTES_MAX, MANIFEST, MANIFEST_BYTES_MAX};
use crate::network::{Answer, Ask, Home, Network};
use crate::package::{Expected, check_digest, version_of};

pub use push::{Existing, Pushed};

use authorization::{Granted, Rights};

/// The most bytes of one page of tags.
const TAGS_BYTES_MAX: u64 = 1 << 20;
/// The most pages of a list.
const PAGES_MAX: usize = 20;

/// One registry.
pub struct Registry {
    network: Network,
    home: Home,
    name: String,
    credentials: Credentials,
    granted: Mutex<HashMap<(String, Rights), Granted>>,
}

/// What a name stood for when it was looked up: from here on the digest counts, and the name no more.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What was asked for.
    pub reference: Reference,
    /// The manifest's digest.
    pub manifest: Digest,
    /// The component's digest, as the manifest has it.
    pub component: Digest,
    /// The component's size.
    pub size_bytes: u64,
    descriptor: Descriptor,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl Registry {
    /// The registry of a reference. `plain_http` is a person's word that TLS is not needed.
    pub fn new(network: Network, of: &Reference, plain_http: bool, credentials: Credentials) -> Result<Self, Error> {
        let home = Home::registry(of.resolve_registry(), plain_http)?;
        Ok(Self { network, home, name: of.registry().to_owned(), credentials, granted: Mutex::default() })
    }

    /// What a tag or digest stands for now; without either, the newest version that is no preview.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, Error> {
        let reference = &match is_untagged(reference) {
            true => self.newest(reference).await?,
            false => reference.clone(),
        };
        let name = reference.digest().or(reference.tag()).unwrap_or_default();
        let manifest = self.manifest(reference.repository(), name, Rights::Pull).await?;
        let manifest = manifest.ok_or_else(|| Error::NotFound { url: reference.to_string() })?;
        let component = layout::read_plugin(&reference.to_string(), &manifest)?;
        Ok(Resolved {
            reference: reference.clone(),
            manifest: Digest::of(&manifest),
            component: component.digest,
            size_bytes: component.size,
            descriptor: layout::describe(&manifest)?,
        })
    }

    async fn newest(&self, of: &Reference) -> Result<Reference, Error> {
        let tags = self.tags(of.repository()).await?;
        let versions = tags.iter().filter_map(|tag| Some((version_of(tag)?, tag)));
        let newest = versions.filter(|(version, _)| version.pre.is_empty()).max();
        let (_, tag) =
            newest.ok_or_else(|| Error::NotFound { url: format!("a version of {}/{}", self.name, of.repository()) })?;
        Ok(Reference::with_tag(of.registry().to_owned(), of.repository().to_owned(), tag.clone()))
    }

    /// All tags of a repository.
    pub async fn tags(&self, repository: &str) -> Result<Vec<String>, Error> {
        let mut url = self.url(repository, "tags/list")?;
        let mut tags = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut answer = self.get(repository, Rights::Pull, url, "application/json").await?;
            let what = format!("the tags of {}/{repository}", self.name);
            let page = answer.body(&what, TAGS_BYTES_MAX).await?;
            let page: Tags = serde_json::from_slice(&page)
                .map_err(|error| Error::Answer { url: answer.url(), why: format!("has no tags: {error}") })?;
            tags.extend(page.tags.unwrap_or_default());
            match self.next(&answer)? {
                Some(next) => url = next,
                None => return Ok(tags),
            }
        }
        Err(Error::TooMany { what: format!("pages of tags of {}/{repository}", self.name), most: PAGES_MAX })
    }

    /// A manifest by tag or digest; none where there is none. Asked for by digest, it has it.
    async fn manifest(&self, repository: &str, name: &str, rights: Rights) -> Result<Option<Vec<u8>>, Error> {
        let what = format!("{}/{repository} {name}", self.name);
        let url = self.url(repository, &format!("manifests/{name}"))?;
        // An index is asked for too, so that one in a plugin's place is named as what it is.
        let answer = self.get(repository, rights, url, &format!("{MANIFEST}, {INDEX}")).await;
        let mut answer = match answer {
            Err(Error::NotFound { .. }) => return Ok(None),
            other => other?,
        };
        let manifest = answer.body(&what, INDEX_BYTES_MAX).await?;
        let found = Digest::of(&manifest);
        if let Ok(expected) = name.parse() {
            check_digest(&what, expected, found)?;
        }
        // A registry that does not know what it sends is not to be built on.
        if let Some(said) = answer.header("docker-content-digest").and_then(|said| said.parse().ok()) {
            check_digest(&what, said, found)?;
        }
        Ok(Some(manifest))
    }

    /// A manifest that is described elsewhere.
    async fn described_manifest(&self, repository: &str, expected: Expected) -> Result<Vec<u8>, Error> {
        let name = expected.digest.to_string();
        let what = format!("{}/{repository} {name}", self.name);
        expected.at_most(&what, MANIFEST_BYTES_MAX)?;
        let manifest = self.manifest(repository, &name, Rights::Pull).await?;
        let manifest = manifest.ok_or_else(|| Error::NotFound { url: what.clone() })?;
        expected.check(&what, &manifest)?;
        Ok(manifest)
    }

    /// Everything that refers to a manifest, and whether the registry keeps that list itself.
    async fn referrers(&self, repository: &str, of: Digest, rights: Rights) -> Result<(Vec<Descriptor>, bool), Error> {
        let what = format!("what refers to {}/{repository} {of}", self.name);
        let mut url = self.url(repository, &format!("referrers/{of}"))?;
        let mut all = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut answer = match self.get(repository, rights, url, INDEX).await {
                // Registries of before the API say so in one of these ways.
                Err(Error::NotFound { .. } | Error::Status { status: 400 | 405, .. }) => {
                    return Ok((self.fallback(repository, of, rights).await?, false));
                }
                other => other?,
            };
            all.extend(layout::read_index(&what, &answer.body(&what, INDEX_BYTES_MAX).await?)?);
            match self.next(&answer)? {
                Some(next) => url = next,
                None => return Ok((all, true)),
            }
        }
        Err(Error::TooMany { what: format!("pages of {what}"), most: PAGES_MAX })
    }

    /// The list that clients keep for a registry that keeps none.
    async fn fallback(&self, repository: &str, of: Digest, rights: Rights) -> Result<Vec<Descriptor>, Error> {
        let tag = layout::fallback_tag(of);
        match self.manifest(repository, &tag, rights).await? {
            Some(index) => layout::read_index(&format!("{}/{repository}:{tag}", self.name), &index),
            None => Ok(Vec::new()),
        }
    }

    fn url(&self, repository: &str, path: &str) -> Result<Url, Error> {
        self.home.join(&format!("/v2/{repository}/{path}"))
    }

    async fn get(&self, repository: &str, rights: Rights, url: Url, accept: &str) -> Result<Answer, Error> {
        let mut ask = Ask::get(url);
        if let Ok(accept) = HeaderValue::from_str(accept) {
            ask.headers.insert(ACCEPT, accept);
        }
        let answer = self.ask(repository, rights, ask).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            _ => Err(answer.refused().await),
        }
    }

    /// Where a list goes on.
    fn next(&self, answer: &Answer) -> Result<Option<Url>, Error> {
        let Some(link) = answer.header("link").filter(|link| link.contains("rel=\"next\"")) else { return Ok(None) };
        let target = link.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(target, _)| target);
        let next = self.home.join(target)?;
        match self.home.is_at(&next) {
            true => Ok(Some(next)),
            false => Err(Error::Answer { url: answer.url(), why: "its list goes on at another server".to_owned() }),
        }
    }
}

/// Whether only a repository was named: then the parser fills in `latest`, a tag that nobody of us pushes.
pub(crate) fn is_untagged(reference: &Reference) -> bool {
    reference.digest().is_none() && reference.tag().is_none_or(|tag| tag == "latest")
}

/// A request without a body or headers.
fn plain(method: Method, url: Url) -> Ask<'static> {
    Ask { method, url, headers: HeaderMap::new(), body: None }
}
