//! What was signed, by its digest. Nothing here is believed: whoever reads it looks at its signatures.

use model::Digest;
use rusqlite::{OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Change, Page, Paged, View, count, ms};
use crate::Error;

/// Something signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    /// Of the statement.
    pub(crate) digest: String,
    pub(crate) kind: String,
    /// Which one of its kind: the newest of these is the one that counts.
    pub(crate) subject: String,
    /// Whom it is about: nobody means that everybody may read it.
    pub(crate) clients: Vec<String>,
    /// The statement and its signatures in one file.
    pub(crate) bytes: Vec<u8>,
}

/// Something signed, without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// Of the statement.
    pub digest: String,
    /// What it is.
    pub kind: String,
    /// Which one of its kind.
    pub subject: String,
    /// When it came, in milliseconds since 1970.
    pub kept_ms: u64,
}

/// What counts for devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counting {
    /// The digest of all its bytes.
    pub(crate) file: String,
    pub(crate) kind: String,
    /// Of approvals and pauses alone: what they say decides whether they are named.
    pub(crate) bytes: Vec<u8>,
}

impl View<'_> {
    /// The documents that count now, in the order they came in; of one kind where one is named, else all but what is sealed.
    pub(crate) fn documents(&self, kind: Option<&str>, page: &Page) -> Result<Paged<Listed>, Error> {
        let text = "SELECT digest, kind, subject, kept_ms, number FROM document
            WHERE number > ?1 AND is_current AND iif(?3 IS NULL, kind <> 'secret', kind = ?3) ORDER BY number LIMIT ?2";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![page.after_number()?, page.rows()?, kind], |row| {
            let listed =
                Listed { digest: row.get(0)?, kind: row.get(1)?, subject: row.get(2)?, kept_ms: count(row.get(3)?) };
            Ok((row.get::<_, i64>(4)?, listed))
        })?;
        let paged = page.cut(rows.collect::<Result<Vec<_>, _>>()?, |(number, _)| number.to_string())?;
        Ok(Paged { items: paged.items.into_iter().map(|(_, listed)| listed).collect(), next: paged.next })
    }

    /// The statement and its signatures, if the scope shows it.
    pub(crate) fn document(&self, digest: &str) -> Result<Vec<u8>, Error> {
        let mut query = self.0.prepare_cached("SELECT bytes FROM document WHERE digest = ?1")?;
        let found = query.query_row(params![digest], |row| row.get(0)).optional()?;
        found.ok_or(Error::Missing { what: "document" })
    }

    /// All that count and that decide about others, in the order they came in.
    pub(crate) fn standing(&self, mut each: impl FnMut(&str, Vec<u8>)) -> Result<(), Error> {
        let text = "SELECT kind, bytes FROM document WHERE is_current AND kind NOT IN ('order', 'file', 'certificate', 'secret')
            ORDER BY number";
        let mut query = self.0.prepare(text)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            each(&row.get::<_, String>(0)?, row.get(1)?);
        }
        Ok(())
    }

    /// What counts for devices of a client, but for what says whose each of them is, in the order it came in; without a client, what
    /// counts for everybody.
    pub(crate) fn counting(&self, client: Option<&str>) -> Result<Vec<Counting>, Error> {
        let text = "SELECT file, kind, iif(kind IN ('approval', 'pause'), bytes, x'') FROM document WHERE is_current
            AND kind IN ('root', 'roster', 'key', 'revocation', 'hub', 'policy', 'approval', 'index', 'pause')
            AND (NOT EXISTS (SELECT 1 FROM document_client AS of WHERE of.digest = document.digest)
                OR ?1 IS NOT NULL AND EXISTS (SELECT 1 FROM document_client AS of
                    WHERE of.digest = document.digest AND of.client IN (?1, '*')))
            ORDER BY number";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![client], |row| {
            Ok(Counting { file: row.get(0)?, kind: row.get(1)?, bytes: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The document of a kind that counts for a subject: the digest of all its bytes, and these.
    pub(crate) fn current(&self, kind: &str, subject: &str) -> Result<Option<(String, Vec<u8>)>, Error> {
        let text = "SELECT file, bytes FROM document WHERE kind = ?1 AND subject = ?2 AND is_current";
        let mut query = self.0.prepare_cached(text)?;
        Ok(query.query_row(params![kind, subject], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
    }

    /// What a device's mailbox names, but for what plugins are made of.
    pub(crate) fn named_by(&self, device: &str) -> Result<Vec<String>, Error> {
        let mut query = self.0.prepare_cached("SELECT file FROM named WHERE device = ?1")?;
        let rows = query.query_map(params![device], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// A file by the digest of all its bytes, for whoever asked whether it is named.
    pub(crate) fn file(&self, file: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut query = self.0.prepare_cached("SELECT bytes FROM document WHERE file = ?1")?;
        Ok(query.query_row(params![file], |row| row.get(0)).optional()?)
    }

    /// Files by the digest of all their bytes, if this device's mailbox names them. What it names, the hub put there: a device reads
    /// what it is to follow, also where that is about other clients too.
    pub(crate) fn named(&self, device: &str, file: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut query = self.0.prepare_cached("SELECT 1 FROM named WHERE device = ?1 AND file = ?2")?;
        let is_named = query.query_row(params![device, file], |_| Ok(())).optional()?.is_some();
        if is_named {
            return self.file(file);
        }
        // What plugins are made of is named by the orders that the mailbox has: it is the same for thousands of devices. The plus
        // keeps SQLite from looking through all seats of the client.
        let text = "SELECT 1 FROM rollout_part JOIN seat ON seat.digest = rollout_part.digest
            JOIN rollout ON rollout.digest = seat.digest AND rollout.state = 'running'
            JOIN device ON device.device = seat.device AND device.client = +seat.client AND device.state = 'member'
            WHERE rollout_part.part = ?2 AND seat.device = ?1 LIMIT 1";
        let mut query = self.0.prepare_cached(text)?;
        match query.query_row(params![device, file], |_| Ok(())).optional()? {
            Some(()) => self.part(file),
            None => Ok(None),
        }
    }
}

impl Change<'_> {
    /// Whether it is there, just so, and counts.
    pub(crate) fn has_document(&self, document: &Document) -> Result<bool, Error> {
        let text = "SELECT 1 FROM document WHERE digest = ?1 AND bytes = ?2 AND is_current";
        let mut query = self.0.prepare_cached(text)?;
        Ok(query.query_row(params![document.digest, document.bytes], |_| Ok(())).optional()?.is_some())
    }

    /// Keeps a document in the place of the last one of its subject. Of roots all are kept: each is believed for the one before. An
    /// order that is on its way stays as it is, signature by signature: with another one it would be another document to a device.
    pub(crate) fn keep(&self, document: &Document, now_ms: u64) -> Result<(), Error> {
        let (digest, kind, subject) = (&document.digest, &document.kind, &document.subject);
        if kind != "root" && !subject.is_empty() {
            let text =
                "UPDATE document SET is_current = 0 WHERE kind = ?1 AND subject = ?2 AND is_current AND digest <> ?3";
            self.0.prepare_cached(text)?.execute(params![kind, subject, digest])?;
        }
        let file = Digest::of(&document.bytes).to_string();
        let text = "INSERT INTO document (digest, kind, subject, is_current, kept_ms, bytes, file) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6)
            ON CONFLICT (digest) DO UPDATE SET bytes = ?5, file = ?6, is_current = 1
            WHERE NOT EXISTS (SELECT 1 FROM rollout WHERE rollout.digest = document.digest)";
        self.0.prepare_cached(text)?.execute(params![digest, kind, subject, ms(now_ms), document.bytes, file])?;
        let mut insert = self.0.prepare_cached("INSERT INTO document_client VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
        for client in &document.clients {
            insert.execute(params![digest, client])?;
        }
        Ok(())
    }
}
