//! What the hub does without being asked, and what its owner does with it: backup, restore, and looking whether all is well.

use std::path::Path;
use std::sync::Arc;

use model::Clock;
use serde_json::json;
use trust::{Name, Time};

use crate::ca::{self, Ca, write_private};
use crate::config::{self, Config, Moved};
use crate::db::{self, Actor, NewEntry};
use crate::hub::make_private;
use crate::{Error, Hub, Scope, fail, fold, notify};

/// The files that go along in a backup, and what each is called in it.
const FILES: [(&str, &str); 4] = [
    ("backup.config", config::FILE),
    ("backup.notify", notify::FILE),
    ("backup.ca", ca::CERTIFICATE),
    ("backup.ca-key", ca::KEY),
];

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// What is wrong with it, and what to do; nothing where it is as it must be.
    pub wrong: Option<String>,
}

impl Hub {
    /// Renews what runs out, deletes what is too old: once an hour, say. It is done a part at a time, so that nobody waits for it.
    pub async fn do_chores(&self) {
        let _ = self.ca.renew(self.now());
        let now_ms = self.clock.now_ms();
        while let Ok(true) = self.db.write(move |change| change.purge(now_ms)).await {}
        while let Ok(true) = self.db.write(move |change| change.tidy_parts(now_ms)).await {}
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.db.write(|change| change.ping()).await
    }

    /// All there is of a client, a line of JSON a row. It blocks.
    pub fn export(
        &self,
        client: &Name,
        line: impl FnMut(&serde_json::Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // What a client has of years takes longer than somebody who waits.
        self.db.read_long(&Scope::of_client(client), |view| {
            view.client(client.as_str())?;
            view.export(line)
        })
    }

    /// Has the hub of a folder to oneself, for as long as this file is held: who serves it, and who erases, cannot do so at once.
    pub fn alone(folder: &Path) -> Result<std::fs::File, Error> {
        let path = folder.join("hub.lock");
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(Error::Conflict(format!("the hub in {} runs: stop it first", folder.display())))
            }
            Err(std::fs::TryLockError::Error(error)) => Err(Error::io(&path)(error)),
        }
    }

    /// Erases a client. What holds for others too and names it has to be replaced before; nothing is left in the file. It
    /// blocks.
    pub fn erase(&self, client: &Name) -> Result<(), Error> {
        let held = Scope::of_hub().hold(client)?;
        let at_ms = self.clock.now_ms();
        // The entry does not say which: its name would be what is left.
        let entry = NewEntry { at_ms, actor: Actor::Hub, client: None, action: "client-erased", body: json!({}) };
        self.db.erase(held, entry)?;
        self.believe_again()
    }

    /// Writes the database, the authority with its key and the configuration, all of one moment, into one new file that only its
    /// owner may read. Whoever works meanwhile waits for nothing. It blocks.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        if to.exists() {
            return Err(Error::Conflict(format!("{} is there already", to.display())));
        }
        // The file is private before there is anything in it: SQLite takes an empty one.
        write_private(to, b"")?;
        let done = self.db.copy_into(to).and_then(|()| {
            let files = FILES.iter().map(|(name, file)| {
                let path = self.folder.join(file);
                // Its owner may have taken away whom it tells.
                let is_none = *file == notify::FILE && !path.exists();
                Ok((*name, if is_none { Vec::new() } else { ca::read_bounded(&path)? }))
            });
            db::put_files(to, &files.collect::<Result<Vec<_>, Error>>()?)
        });
        if done.is_err() {
            let _ = std::fs::remove_file(to);
        }
        done
    }

    /// Puts a backup into a folder that has no hub, to listen where it did or elsewhere. The file stays as it is. Devices tell again
    /// what they told since the backup was made, as far as they keep it.
    pub fn restore(from: &Path, folder: &Path, moved: &Moved) -> Result<(), Error> {
        db::check(from)?;
        let mut files = db::files_of(from, &FILES.map(|(name, _)| name))?;
        make_private(folder)?;
        let file = folder.join(db::FILE);
        if file.exists() {
            return Err(Error::Conflict(format!("there is a hub in {} already", folder.display())));
        }
        if let Some(config) = files.first_mut() {
            *config = Config::parse(from, config)?.moved(moved).text().into_bytes();
        }
        for ((_, name), bytes) in FILES.iter().zip(&files) {
            let path = folder.join(name);
            // A restore that was cut off is called again.
            if !ca::read_bounded(&path).is_ok_and(|there| there == *bytes) {
                write_private(&path, bytes)?;
            }
        }
        // The database comes last, and whole: a folder without it is no hub.
        let unfinished = folder.join("hub.db.new");
        let _ = std::fs::remove_file(&unfinished);
        write_private(&unfinished, b"")?;
        let restored = model::Digest::of(&rand::random::<[u8; 32]>()).to_string();
        db::copy_without_files(from, &unfinished, &FILES.map(|(name, _)| name), &restored)?;
        fail::point("restore.before-change");
        std::fs::rename(&unfinished, &file).map_err(Error::io(&file))?;
        fail::point("restore.after-change");
        let folder = std::fs::File::open(folder).and_then(|it| it.sync_all());
        folder.map_err(Error::io(&file))
    }

    /// Looks at all that a hub needs, and says everything that is wrong with it. The hub need not run, and may.
    pub fn doctor(folder: &Path, clock: &Arc<dyn Clock>) -> Vec<Finding> {
        let now = Time::from_ms(clock.now_ms());
        let config = Config::read(folder);
        let ca = match &config {
            Ok(config) => Ca::open(folder, config, now).and_then(|ca| ca.tls().map(|_| ())),
            Err(_) => Ok(()),
        };
        let hub = Hub::open(folder, Arc::clone(clock));
        let chain = hub.as_ref().map_or(Ok(()), |hub| {
            let verified = hub.db.read(&Scope::of_hub(), |view| view.verify_audit(None))?;
            verified.broken.map_or(Ok(()), |broken| Err(Error::Corrupt { why: format!("its audit chain: {broken}") }))
        });
        // What devices numbered, and what is counted of it, however long it takes to read all of it.
        let all = |look: &dyn Fn(&db::View<'_>) -> Result<Vec<String>, Error>| {
            let wrong =
                hub.as_ref().map_or(Ok(Vec::new()), |hub| hub.db.read_long(&Scope::of_hub(), |view| look(view)))?;
            if wrong.is_empty() { Ok(()) } else { Err(Error::Invalid(wrong)) }
        };
        let now_ms = clock.now_ms();
        let pin = hub.as_ref().map(|hub| hub.trust().pin()).unwrap_or(model::Digest::of(b""));
        let counted = all(&|view| fold::differences(view, pin, now_ms));
        let missing = all(&|view| fold::missing(view, now_ms));
        vec![
            finding("the configuration", config.map(|_| ())),
            finding("the authority and the certificate", ca),
            finding("who may read the authority's key", private(&folder.join(ca::KEY))),
            finding("the database", db::check(&folder.join(db::FILE))),
            finding("what is believed", hub.as_ref().map(|_| ()).map_err(|error| Error::Conflict(told(error)))),
            finding("the audit chain", chain),
            finding("what is counted", counted),
            finding("results that devices told", missing),
        ]
    }
}

fn finding(what: &'static str, found: Result<(), Error>) -> Finding {
    Finding { what, wrong: found.err().map(|error| told(&error)) }
}

/// An error, with what is below it.
fn told(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(unix)]
fn private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = path.metadata().map_err(Error::io(path))?.mode();
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(Error::Denied(format!("others may read {}: `chmod 600` it", path.display()))),
    }
}

#[cfg(not(unix))]
fn private(_: &Path) -> Result<(), Error> {
    Ok(())
}
