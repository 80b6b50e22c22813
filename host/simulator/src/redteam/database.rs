//! Whoever writes into the hub's database, and an honest hub with somebody who has a technician's key.

use std::path::Path;
use std::sync::Arc;

use bus::Direct;
use contract::Class;
use fleet::{Mailbox, Posted};
use hub::{Config, Delivery, Hub, Limits, Post};
use model::{Clock, Digest, ManualClock};
use rusqlite::{Connection, params};
use tokio::task::JoinSet;
use trust::{Device as Name, Names, Signed};

use super::Try;
use crate::msp;
use crate::range::Range;

/// The file that the hub keeps everything in.
const FILE: &str = "hub.db";

const MINUTE_MS: u64 = 60_000;

/// A hub of this range's MSP, in a folder of its own, at the range's time.
async fn hub(range: &Range, folder: &Path) -> anyhow::Result<(Arc<Hub>, Arc<ManualClock>)> {
    let clock = Arc::new(ManualClock::new(range.now_ms));
    let (root, its_clock, at) = (range.msp.root.clone(), Arc::clone(&clock), folder.to_owned());
    let names = vec!["localhost".to_owned()];
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), names, certificate: None, limits: Limits::default() };
    let open = move || -> anyhow::Result<Hub> {
        Hub::init(&at, &config, &root, &*its_clock)?;
        Ok(Hub::open(&at, its_clock as Arc<dyn Clock>)?)
    };
    Ok((Arc::new(tokio::task::spawn_blocking(open).await??), clock))
}

/// Everybody looks into the mailbox that is theirs there.
async fn look(range: &mut Range, post: &Arc<Post>) -> anyhow::Result<()> {
    for device in &mut range.devices {
        let line = Direct::new(Arc::clone(post) as Arc<dyn bus::Exchange>, device.name());
        device.visit(&line, range.now_ms).await?;
    }
    Ok(())
}

/// A real hub, whose file somebody else writes into: all that its devices are shown was written so.
pub(super) async fn written(range: &mut Range, what: Try) -> anyhow::Result<usize> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("hub");
    let (hub, clock) = hub(range, &path).await?;
    let shown = if what.is_attack() { forged(range)? } else { in_order(range) };
    write(&path, range, &shown)?;
    let post = Arc::new(Post::new(hub));
    for minute in [0, 30, 30] {
        range.now_ms += minute * MINUTE_MS;
        clock.advance(minute * MINUTE_MS);
        look(range, &post).await?;
    }
    Ok(range.mutated())
}

/// What a mailbox has, with the bytes that it names.
struct Shown {
    mailbox: Mailbox,
    documents: Vec<Vec<u8>>,
}

fn shown(range: &Range, believed: &[Signed], orders: &[Signed]) -> Shown {
    let (mut mailbox, mut documents) = (Mailbox::default(), range.approved.documents.clone());
    for signed in believed {
        mailbox.trust.push(Digest::of(&signed.to_text()));
        documents.push(signed.to_text());
    }
    for order in orders {
        let (order, parcel) = (order.to_text(), Some(range.approved.list));
        mailbox.orders.push(Posted { order: Digest::of(&order), ring: None, gate: None, parcel });
        documents.push(order);
    }
    Shown { mailbox, documents }
}

/// An order of the first client's, as the hub itself would have written it.
fn in_order(range: &mut Range) -> Shown {
    let plugin = range.approved.clone();
    let order = range.msp.order("tess", "acme", &plugin, Class::L2);
    let order = range.sign(&order, &["tess", "tom"]);
    shown(range, &[], &[order])
}

/// Everything that can be written and was not signed by who may.
fn forged(range: &mut Range) -> anyhow::Result<Shown> {
    let plugin = range.approved.clone();
    let mut orders = Vec::new();
    for by in [&[][..], &["eve"], &["remit"], &["rob"], &["boss"]] {
        let order = range.msp.order("boss", "*", &plugin, Class::L2);
        let mut signed = range.sign(&order, by);
        if by == ["boss"] {
            // What was signed for one client is written to be for all.
            let other = trust::statement::Order { clients: Names::All, class_max: Class::L4, ..order };
            let other = range.sign(&other, &["eve"]);
            signed = Signed::new(other.statement().to_vec(), signed.signatures().to_vec());
        }
        orders.push(signed);
    }
    let roster = range.msp.roster(9, range.msp.now.plus_days(100));
    // As it stands there, without those who signed it.
    let roster = Signed::new(roster.statement().to_vec(), roster.signatures().first().cloned().into_iter().collect());
    let policy = range.msp.policy("acme", 5, Class::L4);
    anyhow::ensure!(!policy.signatures().is_empty(), "a policy is signed");
    Ok(shown(range, &[roster, policy], &orders))
}

/// Writes the rows of all devices, of their mailboxes, of what these name, and of results that nobody told.
fn write(folder: &Path, range: &Range, shown: &Shown) -> anyhow::Result<()> {
    let mut file = Connection::open(folder.join(FILE))?;
    let rows = file.transaction()?;
    for client in msp::CLIENTS {
        rows.execute("INSERT INTO client (client, created_ms, retention_days) VALUES (?1, 1, 365)", [client])?;
    }
    for document in &shown.documents {
        rows.execute(
            "INSERT OR IGNORE INTO document (digest, kind, subject, file, is_current, kept_ms, bytes)
                VALUES (?1, 'file', '', ?1, 0, 1, ?2)",
            params![Digest::of(document).to_string(), document],
        )?;
    }
    let mailbox = shown.mailbox.write()?;
    for (name, at) in range.names().iter().zip(0_u32..) {
        let client = if at % 5 < 3 { "acme" } else { "globex" };
        device(&rows, *name, client)?;
        rows.execute(
            "INSERT INTO mailbox (device, client, revision, changed_ms, bytes) VALUES (?1, ?2, 1, 1, ?3)",
            params![name.hex(), client, mailbox],
        )?;
        for document in &shown.documents {
            let digest = Digest::of(document).to_string();
            rows.execute(
                "INSERT OR IGNORE INTO named (device, file, client) VALUES (?1, ?2, ?3)",
                params![name.hex(), digest, client],
            )?;
        }
    }
    rows.commit()?;
    Ok(())
}

fn device(rows: &Connection, name: Name, client: &str) -> anyhow::Result<()> {
    rows.execute(
        "INSERT INTO device (device, client, site, key, state, joined_ms) VALUES (?1, ?2, 'hq', 'unknown', 'member', 1)",
        params![name.hex(), client],
    )?;
    Ok(())
}

/// Orders of one technician's key, at a real hub that carries them as it does any: it keeps what verifies, and shows it as far as
/// one technician reaches alone.
pub(super) async fn alone(range: &mut Range, what: Try, class: Class) -> anyhow::Result<usize> {
    let folder = tempfile::tempdir()?;
    let (hub, clock) = hub(range, &folder.path().join("hub")).await?;
    let plugin = if class == Class::L4 { range.destroys.clone() } else { range.approved.clone() };
    hub.put_own(range.msp.roster(1, range.msp.now.plus_days(200))).await?;
    for client in msp::CLIENTS {
        hub.put_own(range.msp.policy(client, 1, Class::L4)).await?;
    }
    hub.put_own(range.msp.approval(&[&range.approved, &range.destroys])).await?;
    let mut assigned = JoinSet::new();
    for (device, at) in range.devices.iter().zip(0..) {
        let client = if at % 5 < 3 { "acme" } else { "globex" };
        let (hub, signed) = (Arc::clone(&hub), range.msp.assignment(device.member().device(), client));
        assigned.spawn(async move { hub.put_own(signed).await.map(drop) });
    }
    while let Some(done) = assigned.join_next().await {
        done??;
    }
    for document in &plugin.documents {
        hub.put_own_part(document.clone()).await?;
    }
    let meant: Vec<Name> =
        range.names().into_iter().zip(0..).filter(|(_, at)| at % 5 < 3).map(|(name, _)| name).collect();
    for _ in 0..5 {
        let mut order = range.msp.order("tess", "acme", &plugin, class);
        if class == Class::L4 {
            order.from = range.msp.now.plus_seconds(1_800);
        }
        let signed = range.sign(&order, if what.is_attack() { &["tess"] } else { &["tess", "tom"] });
        let digest = Digest::of(signed.statement());
        // What it refuses goes on no way.
        if hub.put_own(signed).await.is_ok() {
            hub.put_own_rollout(&digest, std::slice::from_ref(&meant), &plugin.list).await?;
        }
    }
    let post = Arc::new(Post::new(Arc::clone(&hub)));
    let mut delivery = Delivery::new(Arc::clone(&post));
    // With the end of the hour everybody had the time to see it, and the hub shows it to all.
    for minutes in [0, 10, 10, 10, 10, 10, 9] {
        range.now_ms += minutes * MINUTE_MS;
        clock.advance(minutes * MINUTE_MS);
        let now_ms = range.now_ms;
        let step = move || delivery.step(now_ms).map(|_| delivery);
        delivery = tokio::task::spawn_blocking(step).await??;
        look(range, &post).await?;
    }
    Ok(if class == Class::L4 { range.destroyed() } else { range.mutated() })
}
