use std::collections::BTreeMap;

use contract::device::{OsInfo, Platform};
use contract::types::Error;

use crate::root::Root;

pub(super) fn read(root: &Root) -> Result<OsInfo, Error> {
    let mut release = os_release(root);
    let uname = rustix::system::uname();
    let id = release.remove("ID").unwrap_or_else(|| "linux".to_owned());
    let version = release.remove("VERSION_ID").unwrap_or_default();
    Ok(OsInfo {
        platform: Platform::Linux,
        name: release.remove("NAME").unwrap_or_else(|| "Linux".to_owned()),
        version: point_release(root, &id).unwrap_or(version),
        build: release.remove("BUILD_ID").unwrap_or_default(),
        arch: uname.machine().to_string_lossy().into_owned(),
        kernel: root.line("proc/sys/kernel/osrelease").unwrap_or_default(),
        attributes: super::super::attributes([
            ("codename", release.remove("VERSION_CODENAME")),
            ("edition", release.remove("VARIANT")),
            ("id-like", release.remove("ID_LIKE")),
            ("end-of-life-ms", release.remove("SUPPORT_END").and_then(|day| day_ms(&day))),
            ("id", Some(id)),
        ]),
    })
}

/// os-release(5): assignments with the quotes of a shell, and without its expansions.
pub(super) fn os_release(root: &Root) -> BTreeMap<String, String> {
    let text = ["etc/os-release", "usr/lib/os-release"].iter().find_map(|path| root.text(path).ok());
    let text = text.unwrap_or_default();
    let assignments = text.lines().filter_map(|line| line.trim().split_once('='));
    assignments
        .filter(|(name, _)| !name.starts_with('#'))
        .map(|(name, value)| (name.to_owned(), unquote(value)))
        .collect()
}

fn unquote(value: &str) -> String {
    let quoted = ['"', '\''].iter().find_map(|&quote| value.strip_prefix(quote)?.strip_suffix(quote));
    let mut plain = String::new();
    let mut escaped = false;
    for character in quoted.unwrap_or(value).chars() {
        match character {
            '\\' if !escaped => escaped = true,
            character => {
                plain.push(character);
                escaped = false;
            }
        }
    }
    plain
}

/// Debian's os-release knows no point release; its own file does. Of testing it names two releases, which is no version.
fn point_release(root: &Root, id: &str) -> Option<String> {
    let version = root.line("etc/debian_version")?;
    (id == "debian" && version.starts_with(|first: char| first.is_ascii_digit())).then_some(version)
}

fn day_ms(day: &str) -> Option<String> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let zoned = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond().to_string())
}
