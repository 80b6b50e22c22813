//! What the database keeps, from whom, and what it forgets.

mod chain;
mod forgets;
mod keeps;
mod queries;
mod schema;
mod scoped;
mod tickets;

use serde_json::json;
use tempfile::TempDir;

use super::{
    Actor, Change, Db, Document, NewEntry, NewMessage, NewOrder, NewPart, NewResult, NewRollout, NewSeat, NewSecret,
    NewToken, Page, Stated, StatedKey, StatedNote, Told,
};
use crate::scope::Held;
use crate::{Error, Scope};

/// A hub's database on a disk.
pub(super) struct OnDisk {
    pub(super) folder: TempDir,
    pub(super) db: Db,
}

impl OnDisk {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { db: Db::open(folder.path()).unwrap(), folder }
    }

    /// With two clients who have one of everything.
    pub(super) fn with_two_clients() -> Self {
        let it = Self::new();
        for client in ["acme", "globex"] {
            it.db.write_now(move |change| one_of_everything(change, client)).unwrap();
        }
        it
    }
}

pub(super) fn scope(clients: &[&str]) -> Scope {
    let names = clients.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
    Scope::of_seat(&trust::Names::try_from(names).unwrap())
}

pub(super) fn held(client: &str) -> Held {
    Scope::of_hub().hold(&client.parse().unwrap()).unwrap()
}

pub(super) fn page(limit: u32, after: Option<String>) -> Page {
    Page { after, limit: Some(limit) }
}

/// A device's name, the same for the same word.
pub(crate) fn device(word: &str) -> String {
    model::Digest::of(word.as_bytes()).hex()
}

/// What a device says of a ticket.
pub(super) fn a_ticket() -> Stated<'static> {
    Stated {
        origin: "tkt_1",
        key: "disks/full",
        revision: 1,
        is_open: true,
        severity: "warning",
        priority: 3,
        title: "disk full",
        body: "9 % left",
        times: 1,
        resolution: None,
    }
}

/// Whatever a client can have: the marker is in each, as what only this client may read.
pub(crate) fn one_of_everything(change: &Change<'_>, client: &str) -> Result<(), Error> {
    let (held, device) = (held(client), device(client));
    let secret = format!("secret-of-{client}");
    let key = format!("key {secret}");
    change.assign(&held, (&device, &key), (&secret, std::slice::from_ref(&secret)), &secret, 1_000)?;
    let token = NewToken {
        token: format!("token-{client}"),
        key: key.clone(),
        site: "berlin".to_owned(),
        tags: vec![secret.clone()],
        uses_max: 2,
        needs_accept: false,
        made_by: "tess".to_owned(),
        expires_ms: 10_000,
    };
    change.put_token(&held, &token, 1_000)?;
    let document = |kind: &str, subject: &str, clients: &[&str]| Document {
        digest: format!("digest-{kind}-{client}"),
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        clients: clients.iter().map(|&it| it.to_owned()).collect(),
        bytes: format!("{{\"client\":\"{client}\",\"text\":\"{secret}\"}}").into_bytes(),
    };
    change.keep(&document("policy", client, &[client]), 1_000)?;
    change.keep(&document("order", "", &[client]), 1_000)?;
    change.replace_mailbox(&held, &device, 0, (secret.as_bytes(), std::slice::from_ref(&secret)), 1_000)?.unwrap();
    let order = NewOrder {
        digest: format!("digest-order-{client}"),
        id: format!("order-{client}"),
        signer: secret.clone(),
        plugin: secret.clone(),
        mode: "enforce".to_owned(),
        signed_ms: 1_000,
        from_ms: 1_000,
        expires_ms: 50_000,
        rings: vec![(1, secret.clone()), (1, secret.clone())],
    };
    assert!(change.put_order(&order, 1_000)?);
    let part = model::Digest::of(secret.as_bytes()).to_string();
    let bytes = secret.clone().into_bytes();
    change.keep_part(&NewPart { digest: part.clone(), clients: vec![client.to_owned()], bytes }, 1_000)?;
    let seat = NewSeat { device: device.clone(), client: client.to_owned(), path: b"path".to_vec(), is_drawn: true };
    let rollout = NewRollout {
        order: order.digest.clone(),
        parcel: Some(part.clone()),
        parts: vec![part],
        expires_ms: 50_000,
        rings: vec![vec![seat]],
        is_ringed: true,
        replaces: Vec::new(),
    };
    change.put_rollout(&rollout, 1_000)?;
    change.reach(&held, &rollout.order, &device, 1_000)?;
    let result = NewResult {
        digest: format!("digest-result-{client}"),
        order: order.digest,
        run: Some(secret.clone()),
        attempt: 1,
        outcome: "completed".to_owned(),
        verdict: "fixed".to_owned(),
        refused: None,
        mode: "enforce".to_owned(),
        sequence: 1,
        record: secret.clone(),
        ended_ms: 2_000,
    };
    let message = |sequence: u64, kind: &str, result: Option<NewResult>| NewMessage {
        spool: "00000000000000aa".to_owned(),
        sequence,
        kind: kind.to_owned(),
        body: secret.clone().into_bytes(),
        result,
    };
    change.append(&held, &device, &message(1, "result", Some(result)), 2_000)?;
    change.append(&held, &device, &message(2, "record", None), 2_000)?;
    change.put_facts(&held, &device, &[("os".to_owned(), Some(json!(secret)))], 2_000)?;
    change.put_facts(&held, &device, &[("os".to_owned(), Some(json!([secret])))], 3_000)?;
    let package = [("name".to_owned(), json!(secret))].into();
    let rows = fleet::Rows::of([package]).unwrap();
    for part in rows.since("deb_packages", None) {
        assert!(change.take_rows(&held, &device, &part, 3_000)?);
    }
    let said = [StatedNote { entry: 2, by: &secret, visibility: "internal", body: &secret, at_ms: 3_000 }];
    change.ticket_stated(&held, &device, &Stated { title: &secret, body: &secret, ..a_ticket() }, &said, 3_000)?;
    let told = Told { key: "told", body: &secret, audience: "on-call", source: &secret, to_tell: Some(secret.clone()) };
    assert!(change.notify(&held, &device, &told, 3_000)?);
    let kept = StatedKey {
        plugin: "disks",
        key: &secret,
        bytes: Some(1),
        value: Some(&secret),
        written_ms: 3_000,
        expires_ms: None,
    };
    change.keep_key(&held, &device, &kept)?;
    change.identify(&held, &device, (&secret, &secret), 3_000)?;
    let sealed = NewSecret {
        device: device.clone(),
        name: "halo-token".to_owned(),
        serial: 1,
        places: vec![secret.clone()],
        by: secret.clone(),
        expires_ms: u64::MAX >> 1,
        is_gone: false,
        document: document("secret", &device, &[client]),
    };
    assert!(change.put_secret(&held, &sealed, 3_000)?);
    let actor = Actor::Technician(secret.clone(), secret.clone());
    let body = json!({ "text": secret });
    change.audit(&NewEntry { at_ms: 3_000, actor, client: Some(held), action: "tested", body })
}
