//! Names for the numbers of users and groups, from this machine's own lists.

use std::collections::BTreeMap;

/// The names that this machine gives to numbers.
#[derive(Default)]
pub(super) struct Owners {
    users: BTreeMap<u32, String>,
    groups: BTreeMap<u32, String>,
}

impl Owners {
    /// What the lists say now. Where a list cannot be read, numbers stay numbers.
    pub(super) fn read() -> Self {
        let names = |path: &str| parse(&std::fs::read_to_string(path).unwrap_or_default());
        Self { users: names("/etc/passwd"), groups: names("/etc/group") }
    }

    pub(super) fn user(&self, uid: u32) -> String {
        self.users.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    pub(super) fn group(&self, gid: u32) -> String {
        self.groups.get(&gid).cloned().unwrap_or_else(|| gid.to_string())
    }
}

/// `name:password:number:…`; the first name of a number counts.
fn parse(text: &str) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(number)) = (fields.next(), fields.nth(1).and_then(|number| number.parse().ok())) {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_first_name_or_stays_a_number() {
        let owners =
            Owners { users: parse("root:x:0:0::/root:/bin/sh\ntoor:x:0:0\nbroken\n"), groups: parse("adm:x:4:") };
        assert_eq!((owners.user(0), owners.user(7), owners.group(4)), ("root".into(), "7".into(), "adm".into()));
    }
}
