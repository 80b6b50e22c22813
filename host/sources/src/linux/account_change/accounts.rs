//! Accounts, as passwd(5), group(5), shadow(5) and gshadow(5) have them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Who is in one of these may administer, where nobody has changed what the distribution ships.
const ADMIN_GROUPS: [&str; 3] = ["admin", "sudo", "wheel"];

/// All accounts of the machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Accounts {
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Group>,
}

/// A user. One that only a group knows comes from a directory, and has no number here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct User {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) full_name: String,
    pub(super) home: String,
    pub(super) shell: String,
    /// Of the hash.
    pub(super) password: String,
    pub(super) is_locked: bool,
    /// When it, or its password, is no longer valid.
    pub(super) expiry: Vec<String>,
    pub(super) groups: BTreeSet<String>,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Group {
    pub(super) gid: Option<u32>,
    /// Of the hash.
    pub(super) password: String,
    /// Who may change its members.
    pub(super) administrators: BTreeSet<String>,
}

impl User {
    /// Whether it may administer: it is root or root's equal, or in a group of those who may.
    pub(super) fn is_admin(&self) -> bool {
        self.uid == Some(0) || self.groups.iter().any(|group| is_admin_group(group))
    }
}

pub(super) fn is_admin_group(name: &str) -> bool {
    ADMIN_GROUPS.contains(&name)
}

impl Accounts {
    /// What these files say; nothing, where the first two cannot be read.
    pub(super) fn read(etc: &Path) -> Option<Self> {
        let text = |name: &str| std::fs::read(etc.join(name)).map(|it| String::from_utf8_lossy(&it).into_owned());
        let (passwd, group) = (text("passwd").ok()?, text("group").ok()?);
        Some(Self::parse(&passwd, &group, &text("shadow").unwrap_or_default(), &text("gshadow").unwrap_or_default()))
    }

    fn parse(passwd: &str, group: &str, shadow: &str, gshadow: &str) -> Self {
        let mut all = Self::default();
        for [name, password, uid, gid, full_name, home, shell] in lines(passwd) {
            let (uid, gid) = (uid.parse().ok(), gid.parse().ok());
            let (full_name, home, shell) = (full_name.to_owned(), home.to_owned(), shell.to_owned());
            let (password, is_locked) = (digest(password), is_locked(password));
            let (expiry, groups) = (Vec::new(), BTreeSet::new());
            let user = User { uid, gid, full_name, home, shell, password, is_locked, expiry, groups };
            // Who logs in is the first of that name.
            all.users.entry(name.to_owned()).or_insert(user);
        }
        for [name, password, _, min, max, warn, inactive, expire] in lines(shadow) {
            if let Some(user) = all.users.get_mut(name) {
                user.password = digest(password);
                user.is_locked = is_locked(password);
                user.expiry = [min, max, warn, inactive, expire].map(str::to_owned).to_vec();
            }
        }
        for [name, password, gid, members] in lines(group) {
            let gid = gid.parse().ok();
            let group = Group { gid, password: digest(password), administrators: BTreeSet::new() };
            all.groups.insert(name.to_owned(), group);
            for member in list(members) {
                all.users.entry(member.to_owned()).or_default().groups.insert(name.to_owned());
            }
            for user in all.users.values_mut().filter(|user| gid.is_some() && user.gid == gid) {
                user.groups.insert(name.to_owned());
            }
        }
        for [name, password, administrators, _] in lines(gshadow) {
            if let Some(group) = all.groups.get_mut(name) {
                group.password = digest(password);
                group.administrators = list(administrators).map(str::to_owned).collect();
            }
        }
        all
    }
}

/// Lines with at least so many fields; what is no account (a comment, `+` of NIS) is left out.
fn lines<const N: usize>(text: &str) -> impl Iterator<Item = [&str; N]> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').take(N).collect();
        let fields: [&str; N] = fields.try_into().ok()?;
        let is_account = fields.first().is_some_and(|name| !name.is_empty() && !name.starts_with(['#', '+', '-']));
        is_account.then_some(fields)
    })
}

fn list(names: &str) -> impl Iterator<Item = &str> {
    names.split(',').map(str::trim).filter(|name| !name.is_empty())
}

/// Shows that a hash is another one, and not which.
fn digest(hash: &str) -> String {
    blake3::derive_key("remit 2026 what is kept of a password's hash", hash.trim_start_matches('!').as_bytes())
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn is_locked(hash: &str) -> bool {
    hash.starts_with(['!', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_administer_is_in_a_group_or_is_zero() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\nann:x:1000:27:Ann,,,:/home/ann:/bin/bash\n\
                      ben:x:1001:1001::/home/ben:/bin/sh\n# a comment\n+::::::\nhalf:x:3\n";
        let group = "root:x:0:\nsudo:x:27:carla\nusers:x:100:ben\n";
        let all = Accounts::parse(passwd, group, "ben:$y$hash:20000:0:99999:7:::\n", "sudo:!:ann:carla\n");
        let admins: Vec<_> = all.users.iter().filter(|(_, it)| it.is_admin()).map(|(name, _)| name.as_str()).collect();
        // ann by her own group, carla of some directory by name.
        assert_eq!(admins, ["ann", "carla", "root", "toor"]);
        assert_eq!(all.users.len(), 5);
        assert_eq!(all.groups["sudo"].administrators, BTreeSet::from(["ann".to_owned()]));
        assert!(!serde_json::to_string(&all).unwrap().contains("$y$"));
    }

    #[test]
    fn a_lock_is_not_another_password() {
        let of = |hash: &str| {
            let shadow = format!("ann:{hash}:20000:0:99999:7:::\n");
            Accounts::parse("ann:x:1000:1000::/home/ann:/bin/sh\n", "ann:x:1000:\n", &shadow, "").users["ann"].clone()
        };
        let (open, locked, other) = (of("$y$hash"), of("!$y$hash"), of("$y$other"));
        assert_eq!((open.password == locked.password, open.is_locked, locked.is_locked), (true, false, true));
        assert_ne!(open.password, other.password);
    }
}
