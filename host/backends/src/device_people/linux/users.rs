use std::collections::{BTreeMap, BTreeSet, HashMap};

use contract::device_people::User;

use crate::attributes;
use crate::facts::accounts::{Account, Group, Password, Shadow};
use crate::facts::{Root, accounts, utmp};

use super::super::USERS_MAX;
use super::People;

/// Groups whose members may become root, as distributions call them.
const ADMINISTRATORS: [&str; 4] = ["root", "sudo", "wheel", "admin"];
const DAY_MS: u64 = 86_400_000;

/// What the answer is made of, read once.
struct Known {
    groups: Vec<Group>,
    shadows: BTreeMap<String, Shadow>,
    logins: HashMap<String, u64>,
}

pub(super) fn read(root: &Root, people: &People, now_ms: u64) -> Vec<User> {
    let known = Known {
        groups: accounts::groups(root),
        shadows: accounts::shadows(root),
        logins: utmp::records(root, "var/log/wtmp")
            .into_iter()
            .filter(|record| record.kind == utmp::USER_PROCESS)
            .map(|record| (record.user.clone(), record.at_ms()))
            .collect(),
    };
    let mut seen = BTreeSet::new();
    let accounts = accounts::accounts(root).into_iter().filter(|account| seen.insert(account.name.clone()));
    accounts.take(USERS_MAX).map(|account| user(root, people, &known, now_ms, account)).collect()
}

fn user(root: &Root, people: &People, known: &Known, now_ms: u64, account: Account) -> User {
    let shadow = known.shadows.get(&account.name);
    let groups = groups(known, &account);
    // lastlog remembers what wtmp, which is rotated, has forgotten; newer systems have no lastlog.
    let last_login_ms = utmp::last_login_ms(root, account.uid).max(known.logins.get(&account.name).copied());
    let is_shown = people.shows(&account.name);
    let full_name = account.gecos.split(',').next().unwrap_or_default().to_owned();
    User {
        enabled: is_enabled(root, &account, shadow, now_ms),
        administrator: account.uid == 0 || groups.iter().any(|group| ADMINISTRATORS.contains(&group.as_str())),
        groups: groups.iter().map(|group| people.group(group)).collect(),
        last_login_ms,
        attributes: attributes::known([
            ("full-name", is_shown.then_some(full_name)),
            ("home", is_shown.then(|| account.home.clone())),
            ("shell", Some(account.shell.clone())),
            ("password-changed-ms", shadow.and_then(|shadow| Some((shadow.changed_day? * DAY_MS).to_string()))),
            ("expires-ms", shadow.and_then(|shadow| Some((shadow.expires_day? * DAY_MS).to_string()))),
            ("system", Some(account.is_system().to_string())),
        ]),
        uid: account.uid.to_string(),
        name: people.user(&account.name),
    }
}

/// Groups by name, the primary one first; its number where it has no name.
fn groups(known: &Known, account: &Account) -> Vec<String> {
    let primary = known.groups.iter().find(|group| group.gid == account.gid);
    let primary = primary.map_or_else(|| account.gid.to_string(), |group| group.name.clone());
    let others = known.groups.iter().filter(|group| group.members.contains(&account.name) && group.name != primary);
    let others: Vec<String> = others.map(|group| group.name.clone()).collect();
    std::iter::once(primary).chain(others).collect()
}

/// A lock (`usermod -L`) counts even where there are keys: somebody wanted this account out. One that never had a password is
/// how machines in a cloud are set up, and lives by its keys.
fn is_enabled(root: &Root, account: &Account, shadow: Option<&Shadow>, now_ms: u64) -> bool {
    let has_shell = !account.shell.ends_with("/nologin") && !account.shell.ends_with("/false");
    let is_expired = shadow.and_then(|shadow| shadow.expires_day).is_some_and(|day| day * DAY_MS <= now_ms);
    let has_way_in = match shadow.map(|shadow| shadow.password) {
        // Only root may read it: what is known says nothing against.
        None | Some(Password::Set) => true,
        Some(Password::Locked) => false,
        Some(Password::None) => has_keys(root, account),
    };
    has_shell && !is_expired && has_way_in
}

fn has_keys(root: &Root, account: &Account) -> bool {
    let home = account.home.trim_start_matches('/');
    !home.contains("..") && root.line(&format!("{home}/.ssh/authorized_keys")).is_some()
}
