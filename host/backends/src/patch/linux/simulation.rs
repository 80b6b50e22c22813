//! What apt says that it would do: the `Inst` lines of a simulation, and `apt list --upgradable`.

use std::sync::LazyLock;

use regex::Regex;

/// A package that apt would install or upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) product: String,
    pub(super) from: Option<String>,
    pub(super) to: String,
    /// Where it would come from, as apt writes it: `Debian-Security:12/stable-security`.
    pub(super) origins: Vec<String>,
}

#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static INST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^Inst (\S+)(?: \[([^\]]+)\])? \((\S+)(?: (.*?))? \[[^\]\s]+\]\)").expect("the pattern is valid")
});

#[expect(clippy::expect_used, reason = "the pattern is a constant, and the tests use it")]
static LISTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([^/\s]+)/(\S*) (\S+) (\S+) \[upgradable from: (\S+)\]").expect("the pattern is valid")
});

/// The `Inst` lines.
pub(super) fn steps(output: &str) -> Vec<Step> {
    output.lines().filter_map(step).collect()
}

fn step(line: &str) -> Option<Step> {
    let found = INST.captures(line)?;
    let text = |group| found.get(group).map(|it| it.as_str().to_owned());
    let origins = found.get(4).map(|it| it.as_str().split(", ").map(str::to_owned).collect()).unwrap_or_default();
    Some(Step { product: text(1)?, from: text(2), to: text(3)?, origins })
}

/// The lines of `apt list --upgradable`: every package with a newer candidate, also where apt would not install it. It tells
/// suites, no labels.
pub(super) fn listed(output: &str, native: &str) -> Vec<Step> {
    let line = |line: &str| {
        let found = LISTED.captures(line)?;
        let text = |group| found.get(group).map(|it| it.as_str());
        let (name, arch) = (text(1)?, text(4)?);
        let product = if arch == native || arch == "all" { name.to_owned() } else { format!("{name}:{arch}") };
        let origins = text(2)?.split(',').filter(|suite| *suite != "now").map(|suite| format!(":{suite}")).collect();
        Some(Step { product, from: Some(text(5)?.to_owned()), to: text(3)?.to_owned(), origins })
    };
    output.lines().filter_map(line).collect()
}

/// Whether one of the origins, by label or suite, is for security.
pub(super) fn is_security(origins: &[String]) -> bool {
    origins
        .iter()
        .flat_map(|origin| origin.split([':', '/']))
        .any(|word| word.to_ascii_lowercase().ends_with("-security"))
}

/// The suites of the origins.
pub(super) fn suites(origins: &[String]) -> String {
    let suites: Vec<&str> = origins
        .iter()
        .filter_map(|origin| origin.rsplit([':', '/']).next())
        .filter(|suite| !suite.is_empty())
        .collect();
    suites.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captured from apt 2.6.1 on Debian 12.
    const SIMULATED: &str = "\
Reading package lists...
Inst remit-app [1.0] (2.0 Probe:probe [all])
Inst remit-new (1.0 Probe:probe [all])
Inst libc6:i386 [2.36-9+deb12u9] (2.36-9+deb12u10 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [i386]) []
Inst local [1] (2 [all])
Conf remit-app (2.0 Probe:probe [all])
";

    #[test]
    fn inst_lines_are_read_whole() {
        let steps = steps(SIMULATED);
        let short: Vec<_> = steps
            .iter()
            .map(|it| (it.product.as_str(), it.from.as_deref(), it.to.as_str(), it.origins.len()))
            .collect();
        assert_eq!(
            short,
            [
                ("remit-app", Some("1.0"), "2.0", 1),
                ("remit-new", None, "1.0", 1),
                ("libc6:i386", Some("2.36-9+deb12u9"), "2.36-9+deb12u10", 2),
                ("local", Some("1"), "2", 0),
            ]
        );
        assert_eq!(suites(&steps[2].origins), "oldstable, oldstable-security");
        assert!(is_security(&steps[2].origins) && !is_security(&steps[0].origins));
    }

    #[test]
    fn the_list_names_foreign_packages_as_simulations_do() {
        let output = "Listing...\nremit-held/probe-security,now 1.1 all [upgradable from: 1.0]\n\
                      libc6/stable 2 i386 [upgradable from: 1]\nfirst/stable 1 amd64 [installed]\n";
        let steps = listed(output, "amd64");
        assert_eq!(steps.iter().map(|it| it.product.as_str()).collect::<Vec<_>>(), ["remit-held", "libc6:i386"]);
        assert_eq!((suites(&steps[0].origins).as_str(), is_security(&steps[0].origins)), ("probe-security", true));
    }
}
