//! Into a registry.

use model::Digest;
use oci_spec::distribution::Reference;
use oci_spec::image::Descriptor;
use reqwest::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use reqwest::{Method, StatusCode};

use super::authorization::Rights;
use super::{Registry, Resolved, is_untagged, plain};
use crate::error::Redirect;
use crate::layout::{self, INDEX, Image, MANIFEST};
use crate::network::shown;
use crate::package::check_digest;
use crate::{Attachment, Error, Label, Package};

/// How often the list of what refers to a plugin is written when others write to it too.
const LIST_TRIES: usize = 5;

/// What to do where the tag is taken by something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Say so.
    Refuse,
    /// Take it over.
    Replace,
}

/// What is in the registry now.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Under which tag.
    pub reference: Reference,
    /// The manifest's digest.
    pub manifest: Digest,
    /// The component's digest.
    pub component: Digest,
    /// Whether the registry itself lists what refers to the plugin; where it does not, a tag does.
    pub has_referrers: bool,
}

impl Registry {
    /// Puts a plugin there, under the reference's tag or its version's. The tag comes last: nobody finds it without its statements.
    pub async fn push(
        &self,
        reference: &Reference,
        package: &Package,
        label: &Label,
        existing: Existing,
    ) -> Result<Pushed, Error> {
        let package = package.clone().checked()?;
        let config = layout::config(&package, label)?;
        let image = layout::plugin(&package, label, &config)?;
        let tag = reference.tag().filter(|_| !is_untagged(reference)).map_or_else(|| label.tag(), ToOwned::to_owned);
        let reference = Reference::with_tag(reference.registry().to_owned(), reference.repository().to_owned(), tag);
        let (tag, digest) = (reference.tag().unwrap_or_default(), Digest::of(&image.manifest));
        if existing == Existing::Refuse
            && let Some(there) = self.manifest(reference.repository(), tag, Rights::Push).await?
            && Digest::of(&there) != digest
        {
            return Err(Error::TagTaken { reference: reference.to_string(), found: Digest::of(&there) });
        }
        self.image(reference.repository(), &image).await?;
        let subject = &image.descriptor;
        let has_referrers = self.attach_to(reference.repository(), digest, subject, &package.attachments).await?;
        self.put_manifest(reference.repository(), tag, MANIFEST, &image.manifest).await?;
        Ok(Pushed { reference, manifest: digest, component: Digest::of(&package.component), has_referrers })
    }

    /// Puts more statements beside a plugin that is there. Says whether the registry itself lists them.
    pub async fn attach(&self, to: &Resolved, attachments: &[Attachment]) -> Result<bool, Error> {
        attachments.iter().try_for_each(Attachment::check)?;
        self.attach_to(to.reference.repository(), to.manifest, &to.descriptor, attachments).await
    }

    async fn attach_to(
        &self,
        repository: &str,
        to: Digest,
        subject: &Descriptor,
        attachments: &[Attachment],
    ) -> Result<bool, Error> {
        let mut missing = Vec::new();
        for attachment in attachments {
            let image = layout::attachment(attachment, subject)?;
            if !self.image(repository, &image).await? {
                missing.push(image.descriptor);
            }
        }
        if missing.is_empty() {
            return Ok(!attachments.is_empty());
        }
        for _ in 0..LIST_TRIES {
            // Read back, because there is no lock: whoever wrote in between may have done so without ours.
            let mut list = self.fallback(repository, to, Rights::Push).await?;
            missing.retain(|ours| !list.iter().any(|theirs| theirs.digest() == ours.digest()));
            if missing.is_empty() {
                return Ok(false);
            }
            list.extend(missing.iter().cloned());
            self.put_manifest(repository, &layout::fallback_tag(to), INDEX, &layout::index(list)?).await?;
        }
        let url = self.url(repository, &format!("manifests/{}", layout::fallback_tag(to)))?;
        Err(Error::Answer { url: shown(&url), why: "does not keep what is written to it".to_owned() })
    }

    /// A manifest with its blobs. Whether the registry has taken note of what it refers to.
    async fn image(&self, repository: &str, image: &Image<'_>) -> Result<bool, Error> {
        for blob in &image.blobs {
            self.put_blob(repository, blob).await?;
        }
        self.put_manifest(repository, &Digest::of(&image.manifest).to_string(), MANIFEST, &image.manifest).await
    }

    async fn put_blob(&self, repository: &str, blob: &[u8]) -> Result<(), Error> {
        let digest = Digest::of(blob).to_string();
        let there = plain(Method::HEAD, self.url(repository, &format!("blobs/{digest}"))?);
        let there = self.ask(repository, Rights::Push, there).await?;
        match there.status() {
            StatusCode::OK => return Ok(()),
            StatusCode::NOT_FOUND => {}
            _ => return Err(there.refused().await),
        }
        let mut begin = plain(Method::POST, self.url(repository, "blobs/uploads/")?);
        begin.body = Some(&[]);
        let began = self.ask(repository, Rights::Push, begin).await?;
        if began.status() != StatusCode::ACCEPTED {
            return Err(began.refused().await);
        }
        let mut to = self.home.join(began.header(LOCATION.as_str()).unwrap_or_default())?;
        if !self.home.is_at(&to) {
            return Err(Error::Redirect { from: began.url(), to: shown(&to), why: Redirect::Upload });
        }
        to.query_pairs_mut().append_pair("digest", &digest);
        let mut put = plain(Method::PUT, to);
        put.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        put.body = Some(blob);
        let answer = self.ask(repository, Rights::Push, put).await?;
        match answer.status() {
            StatusCode::CREATED => Ok(()),
            _ => Err(answer.refused().await),
        }
    }

    async fn put_manifest(
        &self,
        repository: &str,
        name: &str,
        kind: &'static str,
        bytes: &[u8],
    ) -> Result<bool, Error> {
        let mut put = plain(Method::PUT, self.url(repository, &format!("manifests/{name}"))?);
        put.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        put.body = Some(bytes);
        let answer = self.ask(repository, Rights::Push, put).await?;
        if answer.status() != StatusCode::CREATED {
            return Err(answer.refused().await);
        }
        let said = answer.header("docker-content-digest").and_then(|said| said.parse().ok());
        check_digest(
            &format!("{}/{repository} {name}", self.name),
            Digest::of(bytes),
            said.unwrap_or(Digest::of(bytes)),
        )?;
        Ok(answer.header("oci-subject").is_some())
    }
}
