//! Out of a registry.

use std::path::Path;

use oci_spec::distribution::Reference;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, RANGE};

use super::authorization::Rights;
use super::{Registry, Resolved, plain};
use crate::layout;
use crate::network::Answer;
use crate::package::Expected;
use crate::partial::Partial;
use crate::{Attachment, Error, Package};

/// How often a connection that ended too soon is taken up again.
const TRIES: usize = 3;

impl Registry {
    /// What was resolved, whatever its tag stands for by now. What comes of the component is kept in `partial` until it is whole.
    pub async fn pull(&self, resolved: &Resolved, partial: Option<&Path>) -> Result<Package, Error> {
        let component = Expected { digest: resolved.component, size: resolved.size_bytes };
        let component = self.blob(&resolved.reference, component, partial).await?;
        let attachments = self.attachments(resolved).await?;
        Package { component, attachments }.checked()
    }

    /// The statements that refer to what was resolved.
    pub async fn attachments(&self, resolved: &Resolved) -> Result<Vec<Attachment>, Error> {
        let (reference, repository) = (&resolved.reference, resolved.reference.repository());
        let (referrers, _) = self.referrers(repository, resolved.manifest, Rights::Pull).await?;
        let mut attachments = Vec::new();
        for referrer in layout::statements(&reference.to_string(), &referrers)? {
            let manifest = self.described_manifest(repository, referrer).await?;
            let what = format!("{}/{repository} {}", self.name, referrer.digest);
            let (statement, expected) = layout::read_attachment(&what, &manifest, resolved.manifest)?;
            let statement = self.blob(reference, statement, None).await?;
            let mut signatures = Vec::new();
            for signature in expected {
                signatures.push(self.blob(reference, signature, None).await?);
            }
            attachments.push(Attachment { statement, signatures });
        }
        Ok(attachments)
    }

    /// A blob, checked as it comes.
    async fn blob(&self, reference: &Reference, expected: Expected, partial: Option<&Path>) -> Result<Vec<u8>, Error> {
        let what = format!("{}/{} {}", self.name, reference.repository(), expected.digest);
        let mut blob = Partial::open(partial, &what, expected)?;
        let was_begun = blob.length() > 0;
        let url = self.blob_to_its_end(reference.repository(), &mut blob).await?;
        if !blob.is_whole() {
            return Err(Error::Truncated { url, expected: expected.size, found: blob.length() });
        }
        match blob.finish() {
            // What was kept may be what is wrong: it is gone now.
            Err(Error::WrongDigest { .. }) if was_begun => {
                let mut blob = Partial::open(partial, &what, expected)?;
                self.blob_to_its_end(reference.repository(), &mut blob).await?;
                blob.finish()
            }
            other => other,
        }
    }

    async fn blob_to_its_end(&self, repository: &str, blob: &mut Partial) -> Result<String, Error> {
        let mut url = String::new();
        for _ in 0..TRIES {
            if blob.is_whole() {
                break;
            }
            let mut answer = self.ask_for_rest(repository, blob).await?;
            url = answer.url();
            if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
                blob.start_over()?;
                continue;
            }
            check_announced(&answer, blob)?;
            loop {
                match answer.piece().await {
                    Ok(Some(piece)) => blob.add(piece.as_ref())?,
                    // The connection ended, whole answer or not: the rest is asked for.
                    Ok(None) | Err(Error::Unreachable { .. }) => break,
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(url)
    }

    /// From where the last try ended.
    async fn ask_for_rest(&self, repository: &str, blob: &mut Partial) -> Result<Answer, Error> {
        let url = self.url(repository, &format!("blobs/{}", blob.expected().digest))?;
        let mut ask = plain(reqwest::Method::GET, url);
        let from = blob.length();
        if let Ok(range) = HeaderValue::from_str(&format!("bytes={from}-"))
            && from > 0
        {
            ask.headers.insert(RANGE, range);
        }
        let answer = self.ask(repository, Rights::Pull, ask).await?;
        match answer.status() {
            StatusCode::OK => {
                // It knows no ranges, and begins anew.
                blob.start_over()?;
                Ok(answer)
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = answer.header(CONTENT_RANGE.as_str()).unwrap_or_default();
                match range.starts_with(&format!("bytes {from}-")) {
                    true => Ok(answer),
                    false => Err(Error::Answer {
                        url: answer.url(),
                        why: format!("goes on at `{range}`, and was asked to at {from}"),
                    }),
                }
            }
            StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => Ok(answer),
            _ => Err(answer.refused().await),
        }
    }
}

/// What is too long or too short already says so before it is read.
fn check_announced(answer: &Answer, blob: &Partial) -> Result<(), Error> {
    let length = answer.header(CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    let (expected, already) = (blob.expected().size, blob.length());
    match length {
        Some(length) if already.saturating_add(length) != expected => {
            Err(Error::WrongSize { what: answer.url(), expected, found: already.saturating_add(length) })
        }
        _ => Ok(()),
    }
}
