//! passwd(5), group(5) and shadow(5).

use std::collections::BTreeMap;

use super::Root;

/// The most lines of one of these files that are read: ten times the answer of `list-users`.
const LINES_MAX: usize = 50_000;
/// Where Debian's adduser starts to number people; what is below belongs to the system.
const FIRST_PERSON_UID: u32 = 1_000;
/// Nobody: what has no account.
const NOBODY_UID: u32 = 65_534;

/// A line of /etc/passwd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The whole of the field that holds the full name first.
    pub(crate) gecos: String,
    pub(crate) home: String,
    pub(crate) shell: String,
}

impl Account {
    /// Whether it belongs to the system and not to a person.
    pub(crate) fn is_system(&self) -> bool {
        self.uid < FIRST_PERSON_UID || self.uid == NOBODY_UID
    }
}

/// A line of /etc/group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// What /etc/shadow says of an account, without its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shadow {
    pub(crate) password: Password,
    pub(crate) changed_day: Option<u64>,
    pub(crate) expires_day: Option<u64>,
}

/// How a password stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Password {
    /// It works, or none is asked for.
    Set,
    /// None was ever set: only keys and root let it in.
    None,
    /// There is one, and somebody locked it (`usermod -L`).
    Locked,
}

/// Local accounts, in the file's order. Of lines with the same name the first counts, as for the C library.
pub(crate) fn accounts(root: &Root) -> Vec<Account> {
    lines(root, "etc/passwd", account)
}

/// Local groups, in the file's order.
pub(crate) fn groups(root: &Root) -> Vec<Group> {
    lines(root, "etc/group", group)
}

/// By account; empty where only root may read it.
pub(crate) fn shadows(root: &Root) -> BTreeMap<String, Shadow> {
    lines(root, "etc/shadow", shadow).into_iter().collect()
}

fn lines<T>(root: &Root, path: &str, parse: impl Fn(&[&str]) -> Option<T>) -> Vec<T> {
    let text = root.text(path).unwrap_or_default();
    let fields = text.lines().take(LINES_MAX).map(|line| line.split(':').collect::<Vec<_>>());
    fields.filter_map(|fields| parse(&fields)).collect()
}

fn account(fields: &[&str]) -> Option<Account> {
    let &[name, _, uid, gid, gecos, home, shell] = fields else { return None };
    is_name(name).then_some(())?;
    Some(Account {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        gecos: gecos.to_owned(),
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

fn group(fields: &[&str]) -> Option<Group> {
    let &[name, _, gid, members] = fields else { return None };
    is_name(name).then_some(())?;
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Some(Group { name: name.to_owned(), gid: gid.parse().ok()?, members })
}

fn shadow(fields: &[&str]) -> Option<(String, Shadow)> {
    let &[name, hash, changed, _, _, _, _, expires, _] = fields else { return None };
    let password = match hash {
        "*" | "!" | "!!" | "!*" | "*LK*" => Password::None,
        hash if hash.starts_with('!') => Password::Locked,
        _ => Password::Set,
    };
    let shadow = Shadow { password, changed_day: changed.parse().ok(), expires_day: expires.parse().ok() };
    Some((name.to_owned(), shadow))
}

/// A name, and no line of NIS (`+`, `-`) and no comment.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['+', '-', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Recorded;

    #[test]
    fn malformed_lines_are_left_out_and_the_rest_is_read() {
        let recorded = Recorded::new(&[("etc/group", "root:x:0:\nsudo:x:27:a,,b\nbroken\nx:y:z:\n")]);
        recorded.add(
            "etc/passwd",
            b"root:x:0:0:root:/root:/bin/bash\n\nno colon\nx:x:-1:0:::\nx:x:1:0::\n:x:1:1:::\n+::::::\n#c:x:1:1:::\n\
              big:x:99999999999:1:::\nm\xfcller:x:1000:1000:M\xfcller,,,:/home/m:/bin/sh\nextra:x:1:1:a:b:c:d\n",
        );
        let accounts = accounts(&recorded.root());
        let names: Vec<_> = accounts.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["root", "m\u{fffd}ller"]);
        assert_eq!(accounts.iter().map(Account::is_system).collect::<Vec<_>>(), [true, false]);
        let groups = groups(&recorded.root());
        assert_eq!(groups[1], Group { name: "sudo".into(), gid: 27, members: vec!["a".into(), "b".into()] });
        assert_eq!(groups.len(), 2);
    }

    #[test]
    fn a_shadow_tells_locked_from_never_set() {
        let recorded = Recorded::new(&[(
            "etc/shadow",
            "a:$y$x:20000:0:99999:7:::\nb:!$y$x:20000:0:99999:7::20100:\nc:*:20000:0:99999:7:::\nd::20000:0:99999:7:::\nshort:x\n",
        )]);
        let shadows = shadows(&recorded.root());
        let passwords: Vec<_> = shadows.values().map(|it| it.password).collect();
        assert_eq!(passwords, [Password::Set, Password::Locked, Password::None, Password::Set]);
        assert_eq!(shadows["b"].expires_day, Some(20_100));
    }

    #[test]
    fn a_file_without_end_is_cut() {
        let recorded = Recorded::new(&[("etc/passwd", &"u:x:1000:1000:::\n".repeat(LINES_MAX + 1))]);
        assert_eq!(accounts(&recorded.root()).len(), LINES_MAX);
    }
}
