//! Debian's own forms: stanzas of fields, versions, and what dpkg knows of each package.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The fields of each stanza; continuation lines are left out, because nothing here asks for a field that has them.
pub(super) fn stanzas(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    text.split("\n\n").map(fields).filter(|fields| !fields.is_empty())
}

fn fields(stanza: &str) -> BTreeMap<&str, &str> {
    stanza
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect()
}

/// The source package and its version: `Source: openssl (3.0.1)` where they differ from the package's own.
pub(super) fn source(fields: &BTreeMap<&str, &str>) -> Option<(String, String)> {
    let (package, version) = (*fields.get("Package")?, *fields.get("Version")?);
    let Some(source) = fields.get("Source") else { return Some((package.to_owned(), version.to_owned())) };
    let (name, rest) = source.split_once(' ').unwrap_or((source, ""));
    let version = rest.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(version);
    Some((name.to_owned(), version.to_owned()))
}

/// What dpkg knows of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// Its version, where any of it is there.
    pub(super) version: Option<String>,
    /// The source version that it was built from.
    pub(super) source_version: Option<String>,
    pub(super) is_held: bool,
    /// dpkg's word: `installed`, `half-configured`.
    pub(super) state: String,
    needs_reinstall: bool,
}

impl Package {
    pub(super) fn is_installed(&self) -> bool {
        self.state == "installed"
    }

    /// Whether dpkg began something and did not end it.
    pub(super) fn is_broken(&self) -> bool {
        !matches!(self.state.as_str(), "installed" | "config-files" | "not-installed") || self.needs_reinstall
    }
}

/// The packages of `/var/lib/dpkg/status`, named as apt names them: `libc6`, and `libc6:i386` where that is not the native
/// architecture.
#[derive(Clone, Debug, Default)]
pub(super) struct Packages {
    by_name: BTreeMap<String, Package>,
    native: String,
}

impl Packages {
    pub(super) fn parse(status: &str) -> Self {
        let stanzas: Vec<_> = stanzas(status).collect();
        let native = stanzas
            .iter()
            .find(|fields| fields.get("Package") == Some(&"dpkg"))
            .and_then(|fields| fields.get("Architecture"))
            .copied()
            .unwrap_or_default();
        let by_name = stanzas.iter().filter_map(|fields| package(fields, native)).collect();
        Self { by_name, native: native.to_owned() }
    }

    /// The architecture of this machine.
    pub(super) fn native(&self) -> &str {
        &self.native
    }

    pub(super) fn get(&self, name: &str) -> Option<&Package> {
        self.by_name.get(name)
    }

    /// The version of a package that is there, whole.
    pub(super) fn installed(&self, name: &str) -> Option<String> {
        self.by_name.get(name).filter(|package| package.is_installed())?.version.clone()
    }

    pub(super) fn broken(&self) -> Vec<String> {
        self.by_name.iter().filter(|(_, package)| package.is_broken()).map(|(name, _)| name.clone()).collect()
    }
}

/// A package's name as apt writes it.
pub(super) fn name(fields: &BTreeMap<&str, &str>, native: &str) -> Option<String> {
    let (name, arch) = (*fields.get("Package")?, *fields.get("Architecture")?);
    Some(match arch == native || arch == "all" {
        true => name.to_owned(),
        false => format!("{name}:{arch}"),
    })
}

fn package(fields: &BTreeMap<&str, &str>, native: &str) -> Option<(String, Package)> {
    let name = name(fields, native)?;
    let mut status = fields.get("Status")?.split_ascii_whitespace();
    let (want, flag, state) = (status.next()?, status.next()?, status.next()?);
    let is_there = !matches!(state, "config-files" | "not-installed");
    let package = Package {
        version: fields.get("Version").filter(|_| is_there).map(|&version| version.to_owned()),
        source_version: source(fields).map(|(_, version)| version),
        is_held: want == "hold",
        state: state.to_owned(),
        needs_reinstall: flag != "ok",
    };
    Some((name, package))
}

/// Compares two versions as dpkg does.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let ((epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b)) = (parts(a), parts(b));
    epoch_a
        .cmp(&epoch_b)
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

fn parts(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch.parse().unwrap_or_default(), upstream, revision)
}

/// Text and numbers by turns, beginning with text, until one differs.
fn compare_part(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b) = (take(&mut a, |it| !it.is_ascii_digit()), take(&mut b, |it| !it.is_ascii_digit()));
        let (number_a, number_b) = (take(&mut a, |it| it.is_ascii_digit()), take(&mut b, |it| it.is_ascii_digit()));
        let order = compare_text(text_a, text_b).then_with(|| compare_number(number_a, number_b));
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

fn take<'a>(text: &mut &'a str, is_in: impl Fn(char) -> bool) -> &'a str {
    let length = text.find(|it| !is_in(it)).unwrap_or(text.len());
    let (taken, rest) = text.split_at(length);
    *text = rest;
    taken
}

/// A tilde sorts before the end, the end before letters, letters before all else.
fn compare_text(a: &str, b: &str) -> Ordering {
    let weight = |it: Option<u8>| match it {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(letter),
        Some(other) => i32::from(other) + 256,
    };
    (0..=a.len().max(b.len()))
        .map(|at| weight(a.as_bytes().get(at).copied()).cmp(&weight(b.as_bytes().get(at).copied())))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// By value, however many digits.
fn compare_number(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from `dpkg --compare-versions`, each with `lt`.
    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        for (less, more) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0~~", "1.0~"),
            ("1.0", "1.0a"),
            ("1.0a", "1.0+b"),
            ("9", "1:1"),
            ("3.0.15-1~deb12u1", "3.0.15-1"),
            ("1.0-1", "1.0-1+b1"),
            ("1.0-1", "1.0.1-1"),
            ("1.0", "1.0-1"),
            ("99999999999999999999998", "99999999999999999999999"),
        ] {
            assert_eq!(
                (compare(less, more), compare(more, less)),
                (Ordering::Less, Ordering::Greater),
                "{less} {more}"
            );
        }
        for (a, b) in [("1.0", "1.00"), ("0:1", "1"), ("1.0-0", "1.0")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn status_tells_held_broken_and_foreign() {
        let packages = Packages::parse(
            "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21.22\n\n\
             Package: libc6\nStatus: hold ok installed\nArchitecture: i386\nSource: glibc (2.36)\nVersion: 2.36-9\n\
             Description: x\n Package: no\n\n\
             Package: bad\nStatus: install ok half-configured\nArchitecture: all\nVersion: 1.1\n\n\
             Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1.1\n",
        );
        assert!(packages.get("libc6:i386").unwrap().is_held && !packages.get("dpkg").unwrap().is_held);
        assert_eq!(packages.get("libc6:i386").unwrap().source_version.as_deref(), Some("2.36"));
        assert_eq!(packages.broken(), ["bad"]);
        assert_eq!(packages.installed("dpkg").as_deref(), Some("1.21.22"));
        assert_eq!((packages.installed("bad"), packages.installed("gone"), packages.get("no")), (None, None, None));
    }
}
