//! The hub, built in one place; and what is believed here.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use bus::proof::Sessions;
use bus::{Device, Presence, Roll};
use model::{Clock, Digest};
use serde_json::json;
use trust::{Given, Kind, Names, Signed, Statement, Time, Trust, statement};

use crate::ca::{Ca, write_private};
use crate::config::{self, Config};
use crate::db::{self, Actor, Change, Db, Document, NewEntry, NewOrder, Whose};
use crate::stir::Stirs;
use crate::{Error, Scope, device_id, notify};

/// The control plane of one MSP.
pub struct Hub {
    pub(crate) folder: PathBuf,
    pub(crate) db: Db,
    pub(crate) ca: Ca,
    pub(crate) clock: Arc<dyn Clock>,
    sessions: RwLock<Sessions<Asker>>,
    config: Config,
    trust: RwLock<Trust>,
    /// The root that was pinned, with its signatures, as one text: whoever joins compares its digest.
    pub(crate) first_root: String,
    /// Who beat, since this process listens.
    pub(crate) roll: Roll,
    pub(crate) began: Instant,
    pub(crate) stirs: Stirs,
    /// There is something to tell somebody.
    pub(crate) to_tell: tokio::sync::Notify,
    leaving: RwLock<Vec<Leaving>>,
    /// Which restore it came out of, if it did: devices tell again what they told since the backup.
    pub(crate) restored: Option<Digest>,
}

/// Who hears that a device gets nothing any more.
type Leaving = Box<dyn Fn(&Device) + Send + Sync>;

/// What was made of a document that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Of the statement.
    pub digest: Digest,
    /// What it is.
    pub kind: Kind,
    /// Whether it was not there before.
    pub is_new: bool,
}

impl Hub {
    /// Makes a hub in a folder: its authority, its database, and the MSP's root, which is pinned for good. Nothing that is there
    /// already is replaced.
    pub fn init(folder: &Path, config: &Config, root: &Signed, clock: &dyn Clock) -> Result<Digest, Error> {
        let pin = Digest::of(root.statement());
        Trust::pinned(pin, root)?;
        make_private(folder)?;
        write_private(&folder.join(config::FILE), config.text().as_bytes())?;
        write_private(&folder.join(notify::FILE), notify::SAMPLE.as_bytes())?;
        Ca::make(folder, Time::from_ms(clock.now_ms()))?;
        let (now_ms, document) = (clock.now_ms(), described(Kind::Root, root)?);
        Db::open(folder)?.write_now(move |change| {
            change.set("pin", &pin.to_string())?;
            change.keep(&document, now_ms)?;
            let body = json!({ "pin": pin });
            change.audit(&NewEntry { at_ms: now_ms, actor: Actor::Hub, client: None, action: "hub-made", body })
        })?;
        Ok(pin)
    }

    /// Opens the hub of a folder. What it believes is read again, signature by signature.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let config = Config::read(folder)?;
        let now = Time::from_ms(clock.now_ms());
        let ca = Ca::open(folder, &config, now)?;
        let db = Db::open(folder)?;
        let trust = believe(&db)?;
        let first_root = db.read(&Scope::of_hub(), |view| view.document(&trust.pin().to_string()))?;
        let restored = db.write_now(|change| change.setting(db::RESTORED))?;
        let restored = restored.map(|it| it.parse()).transpose();
        let restored = restored.map_err(|error| Error::unreadable("the restore that it came out of")(&error))?;
        Ok(Self {
            folder: folder.to_owned(),
            db,
            ca,
            clock,
            sessions: RwLock::default(),
            config,
            trust: RwLock::new(trust),
            first_root: String::from_utf8_lossy(&first_root).into_owned(),
            roll: Roll::default(),
            began: Instant::now(),
            stirs: Stirs::default(),
            to_tell: tokio::sync::Notify::new(),
            leaving: RwLock::default(),
            restored,
        })
    }

    /// What it was told.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its authority.
    pub fn ca(&self) -> &Ca {
        &self.ca
    }

    /// Has somebody hear of each device that is retired, as soon as it is: whoever holds its session ends it.
    pub fn when_retired(&self, tell: impl Fn(&Device) + Send + Sync + 'static) {
        self.leaving.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(tell));
    }

    pub(crate) fn tell_retired(&self, device: &Device) {
        self.leaving.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|tell| tell(device));
    }

    /// What is believed here: what every device can work out for itself.
    pub fn trust(&self) -> RwLockReadGuard<'_, Trust> {
        self.trust.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn trust_mut(&self) -> RwLockWriteGuard<'_, Trust> {
        self.trust.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a device is there, by what it is called here.
    pub(crate) fn presence(&self, device: &str) -> Presence {
        let mut bytes = [0; 32];
        match hex::decode_to_slice(device, &mut bytes) {
            Ok(()) => self.roll.presence(&Device::from(bytes), self.began.elapsed()),
            Err(_) => Presence::Unknown,
        }
    }

    pub(crate) fn now(&self) -> Time {
        Time::from_ms(self.clock.now_ms())
    }

    /// Begins a technician's session: who signed it has a seat now, and it is for this hub and short. Gives its id, and when it ends.
    pub(crate) fn begin_session(&self, signed: &Signed) -> Result<(String, u64), Error> {
        let now = self.now();
        let opened = self.trust().session(signed, self.ca.digest(), |_| false, now)?;
        let seat = opened.technician().ok_or_else(|| Error::Denied("it is no technician's".to_owned()))?;
        let actor = Actor::Technician(seat.holder.to_string(), opened.key().fingerprint());
        let (owner, until_ms) = (*opened.key().digest().as_bytes(), crate::ms(opened.session().until));
        let asker = Asker { scope: Scope::of_seat(&seat.clients), actor, key: owner };
        let key = opened.session().key.clone();
        let begun = self.sessions().begin(owner, asker, key, until_ms, self.clock.now_ms());
        Ok((begun.ok_or(Error::Busy { after_s: 60 })?, until_ms))
    }

    /// The technicians' sessions of now.
    pub(crate) fn sessions(&self) -> RwLockReadGuard<'_, Sessions<Asker>> {
        self.sessions.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all of them.
    pub(crate) fn end_sessions(&self) {
        *self.sessions.write().unwrap_or_else(PoisonError::into_inner) = Sessions::default();
    }

    /// Reads again what is believed, when something of it was deleted.
    pub(crate) fn believe_again(&self) -> Result<(), Error> {
        let trust = believe(&self.db)?;
        *self.trust_mut() = trust;
        Ok(())
    }

    /// Takes a signed document from whoever has the hub's own folder: the first roster, before which nobody has a seat to ask from.
    /// It verifies as any other does.
    pub async fn put_own(&self, signed: Signed) -> Result<Put, Error> {
        self.put_document(signed, &Asker::own()).await
    }

    /// Takes a signed document: one that verifies against the pinned root, or none. What follows from it for queries is written in
    /// the same transaction.
    pub async fn put_document(&self, signed: Signed, actor: &Asker) -> Result<Put, Error> {
        let kind = signed.kind().map_err(|refusal| vec![refusal])?;
        let document = described(kind, &signed)?;
        let about = document.clients.clone().into_iter();
        let about =
            Names::try_from(about.collect::<Vec<_>>()).map_err(|error| Error::Invalid(vec![error.to_string()]))?;
        if !actor.scope.covers(&about) {
            return Err(Error::Denied("it is about clients that your seat is not for".to_owned()));
        }
        let assigned = (kind == Kind::Assignment).then(|| statement::read::<statement::Assignment>(signed.statement()));
        let assigned = assigned.transpose().map_err(|refusal| vec![refusal])?;
        let (is_new, ordered) = match kind {
            // An order changes nothing of what is believed; it is held against it.
            Kind::Order => {
                let given = self.trust().given(&signed, self.now())?;
                check_where(&given)?;
                (true, Some(new_order(&given)))
            }
            _ => (self.trust_mut().take(&signed, self.now())?.is_new, None),
        };
        let (digest, now_ms, actor) = (Digest::of(signed.statement()), self.clock.now_ms(), actor.actor.clone());
        // Written also where it was believed already: who could not keep it the last time sends it again.
        let is_new = self
            .db
            .write(move |change| {
                // The same again changes nobody's mailbox.
                if !change.has_document(&document)? {
                    change.keep(&document, now_ms)?;
                    fill_for(change, kind, &document)?;
                }
                let is_new = match &ordered {
                    Some(ordered) => change.put_order(ordered, now_ms)?,
                    None => is_new,
                };
                let mut client = None;
                if let Some(read) = &assigned {
                    let (body, assignment) = (&read.body, read.digest.to_string());
                    let held = Scope::of_hub().hold(&body.client)?;
                    let tags: Vec<String> = body.tags.iter().map(ToString::to_string).collect();
                    let key = body.device.to_string();
                    let place = (body.site.as_str(), tags.as_slice());
                    change.assign(&held, (&device_id(&body.device), &key), place, &assignment, now_ms)?;
                    client = Some(held);
                }
                if !is_new {
                    return Ok(false);
                }
                let body = json!({ "kind": kind.word(), "digest": digest, "clients": document.clients });
                change.audit(&NewEntry {
                    at_ms: now_ms,
                    actor: actor.clone(),
                    client,
                    action: "document-put",
                    body,
                })?;
                Ok(true)
            })
            .await?;
        if matches!(kind, Kind::Root | Kind::Roster | Kind::Key | Kind::Revocation) && is_new {
            // Whose seat changed shows anew what it is for.
            self.end_sessions();
        }
        // Also where nothing is new: a mailbox may have been left as it was by a hub that died.
        self.stirs.mailboxes();
        if matches!(kind, Kind::Root | Kind::Roster | Kind::Key | Kind::Revocation) {
            self.stirs.all_orders();
        }
        Ok(Put { digest, kind, is_new })
    }
}

/// Whose mailboxes name another document now.
fn fill_for(change: &Change<'_>, kind: Kind, document: &Document) -> Result<(), Error> {
    match kind {
        // One that is on its way has its mailboxes from there; an assignment says so where it is written down.
        Kind::Order | Kind::Assignment => Ok(()),
        Kind::Policy | Kind::Approval | Kind::Pause | Kind::Admission if !document.clients.is_empty() => {
            change.stale(Whose::Clients(&document.clients))
        }
        _ => change.stale(Whose::All),
    }
}

/// Every device would refuse an expression that cannot be read, or might take too long: it is not sent there.
fn check_where(given: &Given) -> Result<(), Error> {
    let wrong = |problems: Vec<_>| Error::Invalid(problems.iter().map(|it| format!("`where`: {it}")).collect());
    fleet::Target::read(&given.order().r#where).map(drop).map_err(wrong)
}

/// What queries need of an order.
fn new_order(given: &Given) -> NewOrder {
    let order = given.order();
    NewOrder {
        digest: given.digest().to_string(),
        id: order.id.to_string(),
        signer: order.by.fingerprint(),
        plugin: format!("{} {}", order.plugin.name, order.plugin.version),
        mode: crate::word(&order.mode),
        signed_ms: crate::ms(given.created()),
        from_ms: crate::ms(order.from),
        expires_ms: crate::ms(order.expires),
        rings: order.rings.iter().map(|ring| (ring.devices, ring.root.to_string())).collect(),
    }
}

/// Who asks, and what they may see. Only a session makes one.
#[derive(Clone, Debug)]
pub struct Asker {
    pub(crate) scope: Scope,
    pub(crate) actor: Actor,
    /// The fingerprint of the key that signed the session.
    pub(crate) key: [u8; 32],
}

impl Asker {
    /// Whoever has the hub's own folder.
    pub(crate) fn own() -> Self {
        Self { scope: Scope::of_hub(), actor: Actor::Hub, key: [0; 32] }
    }
}

/// What of a document queries need.
pub(crate) fn described(kind: Kind, signed: &Signed) -> Result<Document, Error> {
    use trust::statement::{
        Admission, Approval, Assignment, Index, Order, Pause, Policy, Revocation, Root, Roster, Rotation,
    };
    let bytes = signed.statement();
    let (subject, about) = match kind {
        Kind::Root => (standing::<Root>(bytes)?.0, Names::These(Vec::new())),
        Kind::Roster => (standing::<Roster>(bytes)?.0, Names::These(Vec::new())),
        Kind::Key => (standing::<Rotation>(bytes)?.0, Names::These(Vec::new())),
        Kind::Index => (standing::<Index>(bytes)?.0, Names::These(Vec::new())),
        Kind::Hub => (standing::<statement::Hub>(bytes)?.0, Names::These(Vec::new())),
        Kind::Revocation => {
            read::<Revocation>(bytes)?;
            (String::new(), Names::These(Vec::new()))
        }
        Kind::Policy => {
            let (subject, body) = standing::<Policy>(bytes)?;
            (subject, Names::These(vec![body.client]))
        }
        Kind::Assignment => {
            let (subject, body) = standing::<Assignment>(bytes)?;
            (subject, Names::These(vec![body.client]))
        }
        Kind::Admission => {
            let (subject, body) = standing::<Admission>(bytes)?;
            (subject, Names::These(vec![body.client]))
        }
        Kind::Pause => {
            let (subject, body) = standing::<Pause>(bytes)?;
            (subject, body.clients)
        }
        Kind::Approval => {
            let (subject, body) = standing::<Approval>(bytes)?;
            // One for all clients says nothing of any of them.
            let about = if body.clients == Names::All { Names::These(Vec::new()) } else { body.clients };
            (subject, about)
        }
        Kind::Order => (String::new(), read::<Order>(bytes)?.clients),
        // One changes nothing of what is believed: it goes another way, many at once.
        Kind::Plugin | Kind::Session | Kind::Enrolment | Kind::Result | Kind::Release | Kind::Secret => {
            return Err(Error::Invalid(vec![format!("a statement of the kind `{kind}` is not kept here")]));
        }
    };
    let digest = Digest::of(bytes).to_string();
    Ok(Document { digest, kind: kind.word().to_owned(), subject, clients: about.into(), bytes: signed.to_text() })
}

fn read<T: Statement>(bytes: &[u8]) -> Result<T, Error> {
    Ok(statement::read::<T>(bytes).map_err(|refusal| vec![refusal])?.body)
}

fn standing<T: statement::Standing>(bytes: &[u8]) -> Result<(String, T), Error> {
    let body = read::<T>(bytes)?;
    Ok((body.subject(), body))
}

/// What is believed, out of what was kept.
fn believe(db: &Db) -> Result<Trust, Error> {
    let pin = db.write_now(|change| change.setting("pin"))?;
    let pin: Digest = pin
        .ok_or_else(|| Error::Missing { what: "pinned root: `remit hub init` makes a hub" })?
        .parse()
        .map_err(|error| Error::unreadable("the pin")(&error))?;
    let mut kept = Vec::new();
    db.read(&Scope::of_hub(), |view| {
        view.standing(|kind, bytes| {
            kept.extend(Signed::from_text(&bytes).map(|signed| (rank(kind), signed)));
        })
    })?;
    // Who may sign comes before what they signed, whatever came first.
    kept.sort_by_key(|(rank, _)| *rank);
    let kept: Vec<Signed> = kept.into_iter().map(|(_, signed)| signed).collect();
    let first = kept.iter().find(|signed| Digest::of(signed.statement()) == pin);
    let first = first.ok_or_else(|| Error::unreadable("the root")(&"the one that is pinned is gone"))?;
    let mut trust = Trust::pinned(pin, first)?;
    // They were taken once: a stop outlives the seat of who signed it, and that the others still hold is asked each time.
    trust.take_back(&kept);
    Ok(trust)
}

fn rank(kind: &str) -> u8 {
    match kind {
        "root" => 0,
        "roster" => 1,
        "key" => 2,
        "revocation" => 3,
        "enrolment" => 5,
        _ => 4,
    }
}

/// A folder that only its owner may enter.
pub(crate) fn make_private(folder: &Path) -> Result<(), Error> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(Error::io(folder))
}
