//! Whatever a plugin comes from, it comes this way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Digest;
use oci_spec::distribution::Reference;
use reqwest::StatusCode;
use semver::Version;
use url::Url;

use crate::network::{Ask, Home, Network};
use crate::package::{ATTACHMENTS_MAX, COMPONENT_BYTES_MAX, STATEMENT_BYTES_MAX, check_digest, version_of};
use crate::registry::{Registry, Resolved};
use crate::{ARCHIVE_BYTES_MAX, Address, Attachment, DockerConfig, Error, Package, Source, archive, file};

/// Fetches from everywhere.
pub struct Fetcher {
    network: Network,
    docker: Arc<DockerConfig>,
    plain_http: bool,
    partial: Option<PathBuf>,
}

/// What came, and what it is called where it came from.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The plugin. Nobody vouches for it yet.
    pub package: Package,
    /// The component's digest.
    pub component: Digest,
    /// The manifest's digest, where it came from a registry.
    pub manifest: Option<Digest>,
}

impl Fetcher {
    /// Over this network, as whoever logged in. `plain_http` is a person's word that TLS is not needed; in `partial` is kept what
    /// came of a component until it is whole.
    pub fn new(network: Network, docker: DockerConfig, plain_http: bool, partial: Option<PathBuf>) -> Self {
        Self { network, docker: Arc::new(docker), plain_http, partial }
    }

    /// The registry of a reference.
    pub async fn registry(&self, of: &Reference) -> Result<Registry, Error> {
        let (docker, name) = (Arc::clone(&self.docker), of.registry().to_owned());
        // A helper may ask its person, and that takes a while.
        let credentials = tokio::task::spawn_blocking(move || docker.of(&name)).await;
        let credentials = credentials
            .map_err(|error| Error::Credentials { registry: of.registry().to_owned(), why: error.to_string() })??;
        Registry::new(self.network.clone(), of, self.plain_http, credentials)
    }

    /// A plugin, with everything that travels with it.
    pub async fn fetch(&self, source: &Source) -> Result<Fetched, Error> {
        match source {
            Source::Oci(reference) => {
                let registry = self.registry(reference).await?;
                let resolved = registry.resolve(reference).await?;
                self.pull(&registry, &resolved).await
            }
            Source::Url(address) => self.fetch_from(address).await,
            Source::File(path) => file::read(path).map(Fetched::without_manifest),
            Source::Archive(path) => read_archive_file(path).map(Fetched::without_manifest),
        }
    }

    /// The versions that a registry has of a plugin, newest first.
    pub async fn versions(&self, of: &Reference) -> Result<Vec<(Version, Source)>, Error> {
        let registry = self.registry(of).await?;
        let tags = registry.tags(of.repository()).await?;
        let reference = |tag| Reference::with_tag(of.registry().to_owned(), of.repository().to_owned(), tag);
        let versions = tags.into_iter().filter_map(|tag| Some((version_of(&tag)?, Source::Oci(reference(tag)))));
        let mut versions: Vec<(Version, Source)> = versions.collect();
        versions.sort_by(|(one, _), (other, _)| other.cmp(one));
        Ok(versions)
    }

    /// What is signed about a plugin in a registry, without its bytes.
    pub async fn statements(&self, of: &Reference) -> Result<(Resolved, Vec<Attachment>), Error> {
        let registry = self.registry(of).await?;
        let resolved = registry.resolve(of).await?;
        let attachments = registry.attachments(&resolved).await?;
        Ok((resolved, attachments))
    }

    /// Puts more statements beside a plugin in a registry: beside this manifest, whatever the tag stands for by now.
    pub async fn attach(&self, to: &Reference, manifest: Digest, attachments: &[Attachment]) -> Result<(), Error> {
        let (registry, repository) = (to.registry().to_owned(), to.repository().to_owned());
        let held = Reference::with_digest(registry, repository, manifest.to_string());
        let registry = self.registry(&held).await?;
        let resolved = registry.resolve(&held).await?;
        registry.attach(&resolved, attachments).await.map(drop)
    }

    /// What a registry was asked about before.
    pub async fn pull(&self, registry: &Registry, resolved: &Resolved) -> Result<Fetched, Error> {
        let package = registry.pull(resolved, self.partial.as_deref()).await?;
        Ok(Fetched { manifest: Some(resolved.manifest), ..Fetched::without_manifest(package) })
    }

    /// A document at an address, such as an index.
    pub async fn document(&self, url: &Url, what: &str, bytes_max: u64) -> Result<Vec<u8>, Error> {
        let found = self.optional(url, what, bytes_max).await?;
        found.ok_or_else(|| Error::NotFound { url: url.to_string() })
    }

    async fn fetch_from(&self, address: &Address) -> Result<Fetched, Error> {
        let what = address.url.path().rsplit('/').next().unwrap_or_default();
        let package = match address.is_archive() {
            true => {
                let bytes = self.document(&address.url, what, ARCHIVE_BYTES_MAX).await?;
                let refused = |source| Error::Archive { path: address.url.to_string(), source };
                archive::read(bytes.as_slice()).map_err(refused)?
            }
            false => {
                let component = self.document(&address.url, what, COMPONENT_BYTES_MAX).await?;
                Package { component, attachments: self.beside(&address.url).await? }.checked()?
            }
        };
        let fetched = Fetched::without_manifest(package);
        if let Some(expected) = address.expected {
            check_digest(address.url.as_str(), expected, fetched.component)?;
        }
        Ok(fetched)
    }

    /// The statements beside a component, under the names that files have.
    async fn beside(&self, component: &Url) -> Result<Vec<Attachment>, Error> {
        let mut attachments = Vec::new();
        // One more than there may be, so that it is told.
        for at in 1..=ATTACHMENTS_MAX + 1 {
            let url = with(component, &file::statement(at));
            let Some(statement) = self.optional(&url, "a statement", STATEMENT_BYTES_MAX).await? else { break };
            let url = with(&url, file::SIGNATURES);
            let signatures = self.optional(&url, "signatures", file::ALL_SIGNATURES_BYTES_MAX).await?;
            attachments.push(Attachment { statement, signatures: file::split(&signatures.unwrap_or_default()) });
        }
        Ok(attachments)
    }

    async fn optional(&self, url: &Url, what: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
        let home = Home::of(url, self.plain_http)?;
        let mut answer = self.network.ask(&home, Ask::get(url.clone())).await?;
        match answer.status() {
            StatusCode::OK => answer.body(what, bytes_max).await.map(Some),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            _ => Err(answer.refused().await),
        }
    }
}

impl Fetched {
    fn without_manifest(package: Package) -> Self {
        Self { component: Digest::of(&package.component), manifest: None, package }
    }
}

fn with(url: &Url, ending: &str) -> Url {
    let mut url = url.clone();
    url.set_path(&format!("{}{ending}", url.path()));
    url
}

fn read_archive_file(path: &Path) -> Result<Package, Error> {
    let file = std::fs::File::open(path).map_err(Error::io(path))?;
    archive::read(file).map_err(|source| Error::Archive { path: path.display().to_string(), source })
}
