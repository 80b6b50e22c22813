use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use super::Template;

/// The templates that come with the host.
const SHIPPED: &str = include_str!("shipped.toml");

/// `[command]` in host policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// Whether the templates that come with the host are there too.
    pub shipped: bool,
    /// By name: `[command.templates.smart-health]`. One with the name of a shipped one takes its place.
    pub templates: BTreeMap<String, Template>,
    /// All of them. Most runs ask for none, and reading those that ship takes longer than starting a guest.
    #[serde(skip)]
    all: OnceLock<BTreeMap<String, Template>>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { shipped: true, templates: BTreeMap::new(), all: OnceLock::new() }
    }
}

impl Policy {
    /// All templates, by name.
    pub(crate) fn templates(&self) -> &BTreeMap<String, Template> {
        self.all.get_or_init(|| {
            let mut all = if self.shipped { shipped() } else { BTreeMap::new() };
            all.extend(self.templates.clone());
            all
        })
    }
}

/// A test reads them all, so none is lost here.
fn shipped() -> BTreeMap<String, Template> {
    toml::from_str(SHIPPED).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use contract::Class;

    use super::*;

    #[test]
    fn ten_templates_ship() {
        let read: Result<BTreeMap<String, Template>, _> = toml::from_str(SHIPPED);
        let templates = read.unwrap();
        let names: Vec<&str> = templates.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "block-devices",
                "disk-usage",
                "filesystem-check",
                "held-packages",
                "journal-size",
                "journal-vacuum",
                "routes",
                "smart-health",
                "socket-summary",
                "trim"
            ]
        );
        let changing: Vec<&str> =
            templates.iter().filter(|(_, it)| it.class() > Class::L1).map(|(name, _)| name.as_str()).collect();
        assert_eq!(changing, ["journal-vacuum", "trim"]);
    }

    #[test]
    fn policy_adds_replaces_and_leaves_out() {
        let policy = |text: &str| toml::from_str::<Policy>(text).unwrap().templates().clone();
        let own = r#"
            [templates.disk-usage]
            description = "Free space"
            class = "L1"
            binary = "/usr/bin/df"
            digest = "any-root-owned"
            arguments = ["--human-readable"]
        "#;
        let templates = policy(own);
        assert_eq!((templates.len(), templates["disk-usage"].description()), (10, "Free space"));
        assert_eq!(policy(&format!("shipped = false\n{own}")).len(), 1);
        assert!(toml::from_str::<Policy>("unknown = 1").is_err());
    }
}
