//! What a plugin needs of hosts that speak another version of the contract.

use std::collections::BTreeSet;

use anyhow::bail;
use artifact::{Need, Plugin};
use contract::versions::Spoken;
use semver::Version;
use serde::Serialize;

/// What stands between a plugin and the hosts of one version.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Fit {
    /// The version of the contract that these hosts speak.
    contract: String,
    /// The versions of remit that do.
    remit: Vec<String>,
    pub(super) fit: bool,
    /// All that they lack, a sentence each.
    pub(super) lacks: Vec<String>,
    /// The versions of the contract, of those that are known, whose hosts run it.
    runs_on: Vec<String>,
}

/// Holds a plugin against the hosts of a version: of the contract, or of remit.
pub(super) fn fit(plugin: &Plugin, asked: &Version, known: &[Spoken<'_>]) -> anyhow::Result<Fit> {
    let (needs, minimum) = (plugin.needs(), plugin.manifest().plugin.minimum_host.as_ref());
    let text = asked.to_string();
    let is_asked = |it: &&Spoken<'_>| it.version == text || remits(it).contains(&text);
    let Some(host) = known.iter().find(is_asked) else {
        let all: Vec<String> = known.iter().map(named).collect();
        bail!(
            "{asked} is no version of remit or of its contract that this remit knows: expected one of {}",
            all.join("; ")
        );
    };
    // Who names a version of remit means that one, and not the newest that speaks the same.
    let mean = remits(host).contains(&text).then_some(asked);
    let lacks = lacking(&needs, minimum, host, mean);
    let runs_on = known.iter().filter(|it| lacking(&needs, minimum, it, None).is_empty());
    Ok(Fit {
        contract: host.version.to_owned(),
        remit: remits(host),
        fit: lacks.is_empty(),
        lacks,
        runs_on: runs_on.map(|it| it.version.to_owned()).collect(),
    })
}

impl Fit {
    /// For a person, where nothing is lacking.
    pub(super) fn shown(&self) -> String {
        let remit = if self.remit.is_empty() { String::new() } else { format!(" (remit {})", self.remit.join(", ")) };
        format!("hosts of contract {}{remit} have all that it needs", self.contract)
    }
}

/// The versions of remit that speak it; of the present one also this remit, which may not be released yet.
fn remits(spoken: &Spoken<'_>) -> Vec<String> {
    let this = env!("CARGO_PKG_VERSION");
    let mut all: Vec<String> = spoken.released_with.iter().map(|it| (*it).to_owned()).collect();
    if spoken.version == contract::VERSION && !all.iter().any(|it| it == this) {
        all.push(this.to_owned());
    }
    all
}

fn named(spoken: &Spoken<'_>) -> String {
    format!("contract {} (remit {})", spoken.version, remits(spoken).join(", "))
}

/// All that hosts of a version lack: interfaces, functions, the version itself, and their own age.
fn lacking(needs: &[Need], minimum: Option<&Version>, host: &Spoken<'_>, mean: Option<&Version>) -> Vec<String> {
    let speaks = Version::parse(host.version).unwrap_or_else(|_| Version::new(0, 0, 0));
    let mut lacks = Vec::new();
    let newer: BTreeSet<&Version> = needs
        .iter()
        .filter_map(|need| need.version.as_ref())
        .filter(|it| (it.major, it.minor) > (speaks.major, speaks.minor))
        .collect();
    lacks.extend(newer.into_iter().map(|it| {
        format!("it imports msp:automation@{it}, and they speak {}: build it against that version", host.version)
    }));
    for need in needs {
        let name = &need.import.interface;
        let Some(has) = host.interfaces.get(name.as_str()) else {
            let functions = need.import.functions.join(", ");
            lacks.push(format!("msp:automation@{} has no `{name}` ({functions})", host.version));
            continue;
        };
        let missing: Vec<String> =
            need.import.functions.iter().filter(|it| !has.contains(&it.as_str())).map(|it| format!("`{it}`")).collect();
        if !missing.is_empty() {
            lacks.push(format!("`{name}` of msp:automation@{} has no {}", host.version, missing.join(", ")));
        }
    }
    let newest = remits(host).iter().filter_map(|it| Version::parse(it).ok()).max();
    if let (Some(minimum), Some(remit)) = (minimum, mean.cloned().or(newest))
        && *minimum > remit
    {
        lacks.push(format!("it wants at least remit {minimum}, and that is {remit}"));
    }
    lacks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made up for this test: there was no such release.
    const OLDER: &str = "released with: 0.0.1 0.0.2\nrun: log\ntypes:\nservice: get-service\n";

    fn plugin(imports: &str, capabilities: &str, more: &str) -> Plugin {
        let text = format!(
            "{imports}\nexport const manifest = {{ name: \"a\", description: \"Looks\", capabilities: {{ {capabilities} }}, {more} }};\n\
             export function detect() {{}}\n"
        );
        artifact::verify_local(script::pack("a.js", &text).unwrap_or_else(|it| panic!("{it}")), None).unwrap()
    }

    fn service(functions: &str) -> Plugin {
        let import = format!("import {{ {functions} }} from \"msp:automation/service\";");
        plugin(&import, "service: { scope: [\"cups\"], reason: \"Looks\" }", "")
    }

    fn known() -> Vec<Spoken<'static>> {
        [Spoken::read("0.9.0", OLDER)].into_iter().chain(contract::versions::known()).collect()
    }

    fn on(plugin: &Plugin, version: &str) -> Fit {
        fit(plugin, &Version::parse(version).unwrap(), &known()).unwrap()
    }

    #[test]
    fn what_an_older_host_lacks_is_named() {
        let fits = on(&service("getService"), "0.9.0");
        assert_eq!((fits.fit, fits.runs_on), (true, vec!["0.9.0".to_owned(), contract::VERSION.to_owned()]));
        let unfit = on(&service("getService, listServices"), "0.9.0");
        assert_eq!(unfit.lacks, ["`service` of msp:automation@0.9.0 has no `list-services`"]);
        assert_eq!(unfit.runs_on, [contract::VERSION]);
        assert!(on(&service("getService, listServices"), contract::VERSION).fit);
        let import = "import { findPrograms } from \"msp:automation/software\";";
        let unfit = on(&plugin(import, "software: { reason: \"Looks\" }", ""), "0.9.0");
        assert_eq!(unfit.lacks, ["msp:automation@0.9.0 has no `software` (find-programs)"]);
    }

    #[test]
    fn a_component_names_its_version_and_a_plugin_its_oldest_host() {
        let need = |version: &str| {
            let import =
                artifact::Import { interface: "service".to_owned(), functions: vec!["get-service".to_owned()] };
            vec![Need { import, version: Some(Version::parse(version).unwrap()) }]
        };
        let older = Spoken::read("0.9.0", OLDER);
        let lacks = |version: &str| lacking(&need(version), None, &older, None);
        assert_eq!(
            lacks("1.0.0"),
            ["it imports msp:automation@1.0.0, and they speak 0.9.0: build it against that version"]
        );
        assert!(lacks("0.9.7").is_empty() && lacks("0.8.0").is_empty());

        let wants = |version: &str| plugin("", "", &format!("minimumHost: \"{version}\""));
        assert_eq!(on(&wants("0.0.2"), "0.0.1").lacks, ["it wants at least remit 0.0.2, and that is 0.0.1"]);
        assert!(on(&wants("0.0.2"), "0.0.2").fit && on(&wants("0.0.2"), "0.9.0").fit);
        assert!(!on(&wants("0.0.3"), "0.9.0").fit);
    }

    #[test]
    fn an_unknown_version_says_which_are_known() {
        let error = fit(&service("getService"), &Version::new(7, 0, 0), &known()).unwrap_err().to_string();
        let all = format!(
            "contract 0.9.0 (remit 0.0.1, 0.0.2); contract {} (remit {})",
            contract::VERSION,
            env!("CARGO_PKG_VERSION")
        );
        assert!(error.starts_with("7.0.0 is no version") && error.ends_with(&all), "{error}");
    }
}
