use contract::device::{OsInfo, Platform};
use contract::types::Error;

use crate::attributes;
use crate::facts::{Root, os_release};

pub(super) fn read(root: &Root) -> Result<OsInfo, Error> {
    let mut release = os_release::read(root);
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
        attributes: attributes::known([
            ("codename", release.remove("VERSION_CODENAME")),
            ("edition", release.remove("VARIANT")),
            ("id-like", release.remove("ID_LIKE")),
            ("end-of-life-ms", release.remove("SUPPORT_END").and_then(|day| day_ms(&day))),
            ("id", Some(id)),
        ]),
    })
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
