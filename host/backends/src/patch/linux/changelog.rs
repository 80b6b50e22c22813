//! What a Debian changelog says of an update: which CVEs it fixes, and when it was published.

use std::cmp::Ordering;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::deb;

/// The most CVEs kept of one update: a kernel's whole history is no news.
const CVES_MAX: usize = 200;

/// What was read of a changelog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct News {
    pub(super) cves: Vec<String>,
    pub(super) released_ms: Option<u64>,
}

#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static HEADER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[a-z0-9][a-z0-9+.-]* \(([^)\s]+)\) [^;]*;").expect("the pattern is valid"));

#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static CVE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"CVE-\d{4}-\d{4,}").expect("the pattern is valid"));

/// Reads the entries that are newer than the installed source version; where none is installed, the first.
pub(super) fn read(changelog: &str, installed: Option<&str>) -> News {
    let mut news = News::default();
    let mut entries = 0;
    for line in changelog.lines() {
        if let Some(version) = HEADER.captures(line).and_then(|found| found.get(1)) {
            let is_old = match installed {
                Some(installed) => deb::compare(version.as_str(), installed) != Ordering::Greater,
                None => entries > 0,
            };
            if is_old {
                break;
            }
            entries += 1;
        } else if let Some((_, date)) = line.strip_prefix(" -- ").and_then(|rest| rest.rsplit_once(">  ")) {
            news.released_ms = news.released_ms.or_else(|| parse_date(date));
        }
        news.cves.extend(CVE.find_iter(line).map(|cve| cve.as_str().to_owned()));
    }
    news.cves.sort();
    news.cves.dedup();
    news.cves.truncate(CVES_MAX);
    news
}

fn parse_date(date: &str) -> Option<u64> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date.trim()).ok()?;
    u64::try_from(at.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form of Debian's openssl, shortened.
    const CHANGELOG: &str = "\
openssl (3.0.15-1~deb12u2) bookworm-security; urgency=high

  * CVE-2026-1111 (heap overflow), CVE-2026-22222. See also CVE-2026-1111.

 -- A Person <a@example.com>  Fri, 20 Nov 2026 10:00:00 +0100

openssl (3.0.15-1~deb12u1) bookworm; urgency=medium

  * New upstream version, fixes CVE-2025-3333.

 -- A Person <a@example.com>  Thu, 20 Nov 2025 10:00:00 +0000

openssl (3.0.14-1) bookworm; urgency=medium

  * CVE-2024-4444

 -- A Person <a@example.com>  Wed, 20 Nov 2024 10:00:00 +0000
";

    #[test]
    fn only_what_is_newer_than_installed_is_news() {
        let check = |installed: Option<&str>| read(CHANGELOG, installed);
        let released_ms = Some(1_795_165_200_000);
        let two = ["CVE-2026-1111".to_owned(), "CVE-2026-22222".to_owned()];
        assert_eq!(check(Some("3.0.15-1~deb12u1")), News { cves: two.to_vec(), released_ms });
        assert_eq!(check(None).cves, two);
        assert_eq!(check(Some("3.0.14-1")).cves[0], "CVE-2025-3333");
        assert_eq!(check(Some("3.0.15-1~deb12u2")), News::default());
    }
}
