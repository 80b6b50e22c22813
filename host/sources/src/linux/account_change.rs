//! Users and groups that are added, removed or changed.
//!
//! The files of accounts are compared with what was kept of them, so that it does not matter which program wrote them, and a change
//! while the agent was off is told when it starts. Of a password only a digest is kept, and nothing of it is told.

mod accounts;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use self::accounts::{Accounts, Group, User};
use super::named::{Happenings, Named};
use crate::kept::Kept;
use crate::sink::happened;
use crate::{Error, Sink, Surroundings};

/// Where accounts are.
pub(super) const ETC: &str = "/etc";
const FILES: [&str; 4] = ["passwd", "group", "shadow", "gshadow"];
/// What adds a user writes four files one after the other: it is over when nothing happened for so long.
const QUIET: Duration = Duration::from_secs(1);
/// A change is told after this, whatever else happens.
const WAIT_MAX: Duration = Duration::from_secs(10);

pub(super) async fn watch(
    etc: &Path,
    only_admins: bool,
    around: &Surroundings,
    sink: &Sink,
    kept: &Kept,
) -> Result<(), Error> {
    let mut named = Named::new(etc)?;
    let mut known: Option<Accounts> = kept.load();
    let mut is_away = known.is_some();
    loop {
        // Files that cannot be read now say nothing of accounts.
        if let Some(now) = Accounts::read(etc) {
            if let Some(known) = &known {
                for (subject, data) in changes(known, &now, only_admins) {
                    let mut notice = happened(around.now_ms(), &subject, data);
                    if is_away {
                        notice.data.insert("while-away".to_owned(), json!(true));
                    }
                    sink.room().await.send(notice);
                }
            }
            if known.as_ref() != Some(&now) {
                kept.save(&now).await;
                known = Some(now);
            }
            is_away = false;
        }
        until_changed(&mut named).await?;
    }
}

/// Waits until accounts may have changed, and nobody is about it any more.
async fn until_changed(named: &mut Named) -> Result<(), Error> {
    let mut until = None;
    loop {
        match until {
            None => named.wait().await?,
            Some(until) => {
                if timeout_at(until, named.wait()).await.is_err() {
                    return Ok(());
                }
            }
        }
        let mut happened = Happenings::default();
        named.take(&mut happened)?;
        let is_file = |name: &std::ffi::OsString| FILES.iter().any(|file| name == file);
        let is_changed = happened.is_perhaps
            || happened.is_overflowed
            || happened.more > 0
            || happened.names.keys().chain(&happened.closed).any(is_file);
        if is_changed {
            let over = *until.get_or_insert_with(|| Instant::now() + WAIT_MAX);
            sleep(QUIET.min(over.saturating_duration_since(Instant::now()))).await;
            let mut more = Happenings::default();
            named.take(&mut more)?;
            let is_quiet = !more.is_overflowed && !more.names.keys().chain(&more.closed).any(is_file);
            if is_quiet || Instant::now() >= over {
                return Ok(());
            }
            until = Some(over);
        }
    }
}

type Told = (String, [(&'static str, Value); 11]);

/// What is not as it was.
fn changes(before: &Accounts, after: &Accounts, only_admins: bool) -> Vec<Told> {
    let users = both(&before.users, &after.users).filter_map(|(name, before, after)| user(name, before, after));
    if only_admins {
        return users
            .filter(|(_, data)| data.iter().any(|(key, value)| key.ends_with("-admin") && *value == json!(true)))
            .collect();
    }
    users
        .chain(both(&before.groups, &after.groups).filter_map(|(name, before, after)| group(name, before, after)))
        .collect()
}

/// Names of either, with what each has of it.
fn both<'a, T>(
    before: &'a BTreeMap<String, T>,
    after: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, Option<&'a T>, Option<&'a T>)> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names.into_iter().map(|name| (name, before.get(name), after.get(name)))
}

fn what<T>(before: Option<&T>, after: Option<&T>) -> &'static str {
    match (before, after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    }
}

fn user(name: &str, before: Option<&User>, after: Option<&User>) -> Option<Told> {
    if before == after {
        return None;
    }
    let nobody = User::default();
    let (old, new) = (before.unwrap_or(&nobody), after.unwrap_or(&nobody));
    let facts = [
        ("uid", old.uid != new.uid),
        ("group", old.gid != new.gid),
        ("full-name", old.full_name != new.full_name),
        ("home", old.home != new.home),
        ("shell", old.shell != new.shell),
        ("password", old.password != new.password),
        ("locked", old.is_locked != new.is_locked),
        ("expiry", old.expiry != new.expiry),
        ("groups", old.groups != new.groups),
    ];
    let changed: Vec<&str> = facts.iter().filter(|(_, is_other)| *is_other).map(|(fact, _)| *fact).collect();
    let last = after.or(before).unwrap_or(&nobody);
    let data = [
        ("kind", json!("user")),
        ("name", json!(name)),
        ("what", json!(what(before, after))),
        ("changed", json!(changed)),
        ("uid", json!(last.uid)),
        ("shell", json!(last.shell)),
        ("is-locked", json!(last.is_locked)),
        ("groups-added", json!(new.groups.difference(&old.groups).collect::<Vec<_>>())),
        ("groups-removed", json!(old.groups.difference(&new.groups).collect::<Vec<_>>())),
        ("is-admin", json!(new.is_admin())),
        ("was-admin", json!(old.is_admin())),
    ];
    Some((format!("user/{name}"), data))
}

/// That members came or went is told of them.
fn group(name: &str, before: Option<&Group>, after: Option<&Group>) -> Option<Told> {
    if before == after {
        return None;
    }
    let nothing = Group::default();
    let (old, new) = (before.unwrap_or(&nothing), after.unwrap_or(&nothing));
    let facts = [
        ("gid", old.gid != new.gid),
        ("password", old.password != new.password),
        ("administrators", old.administrators != new.administrators),
    ];
    let changed: Vec<&str> = facts.iter().filter(|(_, is_other)| *is_other).map(|(fact, _)| *fact).collect();
    let data = [
        ("kind", json!("group")),
        ("name", json!(name)),
        ("what", json!(what(before, after))),
        ("changed", json!(changed)),
        ("gid", json!(after.or(before).map(|it| it.gid))),
        ("administrators-added", json!(new.administrators.difference(&old.administrators).collect::<Vec<_>>())),
        ("administrators-removed", json!(old.administrators.difference(&new.administrators).collect::<Vec<_>>())),
        ("is-admin", json!(after.is_some() && accounts::is_admin_group(name))),
        ("was-admin", json!(before.is_some() && accounts::is_admin_group(name))),
        ("groups-added", json!([])),
        ("groups-removed", json!([])),
    ];
    Some((format!("group/{name}"), data))
}
