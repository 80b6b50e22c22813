//! The manifest: `plugin.toml` beside the source, a custom section inside the component.

use std::collections::BTreeMap;
use std::fmt;

use contract::{Interface, ScopeGrammar};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::capability::{self, Grants};
use crate::limits::Limits;

/// The component's custom section that holds the manifest, as JSON.
pub const SECTION: &str = "remit:manifest";

/// The most bytes of a manifest: a label that nobody can read in a minute is none.
pub const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// The most bytes of a changelog: what is longer has an address.
pub const CHANGELOG_BYTES_MAX: usize = 4 << 10;

/// What [`is_name`] takes, in words.
pub const NAME_SHAPE: &str = "1 to 64 lower-case letters, digits and hyphens";

/// The most bytes of the reason for a capability, and of where to ask: each is one line of the label.
const LINE_BYTES_MAX: usize = 255;

/// The most entries of a capability's scope: more of them nobody reads.
const SCOPE_ENTRIES_MAX: usize = 256;

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Manifest {
    /// Who it is.
    pub plugin: About,
    /// What it wants to use, by interface.
    #[serde(default)]
    pub capabilities: BTreeMap<String, Wish>,
    /// The JSON Schema of its parameters. The build fills it in from the plugin itself.
    #[serde(default = "no_parameters")]
    pub parameters: Value,
    /// What it may use of the host.
    #[serde(default)]
    pub limits: Limits,
    /// When its author thinks that it should run. Nothing runs because of it.
    #[serde(default, rename = "trigger")]
    pub triggers: Vec<SuggestedTrigger>,
}

fn no_parameters() -> Value {
    serde_json::json!({ "type": "object", "additionalProperties": false })
}

/// Who a plugin is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct About {
    /// As [`is_name`] has it.
    pub name: String,
    /// Semantic Versioning 2.0.
    pub version: Version,
    /// Whoever publishes it.
    pub publisher: String,
    /// One line for a person, at most 255 bytes.
    pub description: String,
    /// An SPDX expression.
    pub license: String,
    /// The oldest host that it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_host: Option<Version>,
    /// Where to ask: an address on the web, or a mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<String>,
    /// What changed: an address on the web, or the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog: Option<String>,
}

/// A capability that a plugin wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wish {
    /// Its scope. `{name}` stands for a parameter, a text or a list of texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// Why, for whoever grants it.
    pub reason: String,
}

/// When a plugin should run, by its author.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SuggestedTrigger {
    /// Cron, five fields, in the device's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// An event type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Why then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Everything that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadManifest(
    /// One line each.
    pub Vec<String>,
);

impl fmt::Display for BadManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Manifest {
    /// Reads `plugin.toml`, with the parameters' schema as the plugin itself tells it, where it does.
    pub fn from_toml(text: &str, schema: Option<Value>) -> Result<Self, BadManifest> {
        let mut manifest: Self = toml::from_str(text).map_err(|error| BadManifest(vec![error.to_string()]))?;
        manifest.parameters = schema.unwrap_or(manifest.parameters);
        manifest.checked()
    }

    /// Reads the custom section.
    pub fn from_section(bytes: &[u8]) -> Result<Self, BadManifest> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(BadManifest(vec![format!(
                "the manifest has {} bytes: at most {MANIFEST_BYTES_MAX} are read",
                bytes.len()
            )]));
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| BadManifest(vec![error.to_string()]))?;
        manifest.checked()
    }

    /// The bytes of the custom section.
    pub fn to_section(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    fn checked(self) -> Result<Self, BadManifest> {
        let mut problems = Vec::new();
        let name = &self.plugin.name;
        if !is_name(name) {
            problems.push(format!("plugin.name `{name}`: expected {NAME_SHAPE}"));
        }
        for (field, text, most) in [
            ("publisher", &self.plugin.publisher, 64),
            ("description", &self.plugin.description, 255),
            ("license", &self.plugin.license, 255),
        ] {
            if !fits(text, most) {
                problems.push(format!("plugin.{field}: expected 1 to {most} bytes, has {}", text.len()));
            }
        }
        problems.extend(self.plugin.support.as_deref().and_then(wrong_with_support));
        if let Some(text) = self.plugin.changelog.as_ref().filter(|it| !fits(it, CHANGELOG_BYTES_MAX)) {
            let most = CHANGELOG_BYTES_MAX;
            problems.push(format!(
                "plugin.changelog: expected 1 to {most} bytes, has {}; what is longer has an address",
                text.len()
            ));
        }
        for (interface, wish) in &self.capabilities {
            problems.extend(wrong_with(interface, wish, &self.parameters));
        }
        problems.extend(self.limits.out_of_range().iter().map(ToString::to_string));
        if let Err(error) = jsonschema::validator_for(&self.parameters) {
            problems.push(format!("parameters: not a JSON Schema: {error}"));
        }
        match problems.is_empty() {
            true => Ok(self),
            false => Err(BadManifest(problems)),
        }
    }

    /// The wishes with the parameters filled in: the most that a run of this plugin can be granted. A parameter stands for
    /// itself and for no pattern.
    pub fn wishes(&self, parameters: &Map<String, Value>) -> Result<Grants, BadManifest> {
        let mut grants = Grants::default();
        let mut problems = Vec::new();
        for (interface, wish) in &self.capabilities {
            let grammar = capability::interface(interface).map_or(ScopeGrammar::None, |row| row.scope);
            let mut scope = Vec::new();
            for entry in &wish.scope {
                match fill(entry, parameters, grammar) {
                    Ok(entries) => scope.extend(entries),
                    Err(problem) => problems.push(format!("capabilities.{interface}: {problem}")),
                }
            }
            grants.add(interface, scope);
        }
        match problems.is_empty() {
            true => Ok(grants),
            false => Err(BadManifest(problems)),
        }
    }
}

/// Whether a plugin can be called so. It may become the name of a file.
pub fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(is_plain)
}

fn fits(text: &str, bytes_max: usize) -> bool {
    !text.trim().is_empty() && text.len() <= bytes_max
}

fn wrong_with_support(text: &str) -> Option<String> {
    let is_mailbox = |text: &str| {
        let sides = text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
        sides && text.matches('@').count() == 1
    };
    let is_one_word = !text.contains(|it: char| it.is_whitespace() || it.is_control());
    let is_address = url::Url::parse(text).is_ok_and(|url| match url.scheme() {
        "https" | "http" => url.has_host(),
        scheme => scheme == "mailto" && is_mailbox(url.path()),
    });
    let is_fine = fits(text, LINE_BYTES_MAX) && is_one_word && (is_address || is_mailbox(text));
    (!is_fine).then(|| {
        format!(
            "plugin.support `{}`: expected an address such as `https://example.com/help` or `help@example.com`, at most \
             {LINE_BYTES_MAX} bytes",
            text.chars().take(80).flat_map(char::escape_debug).collect::<String>()
        )
    })
}

fn wrong_with(name: &str, wish: &Wish, schema: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let Some(row) = capability::interface(name) else {
        let known = contract::INTERFACES.iter().map(|row: &&Interface| row.name).collect::<Vec<_>>().join(", ");
        return vec![format!("capabilities.{name}: no such interface; this host has {known}")];
    };
    if !fits(&wish.reason, LINE_BYTES_MAX) {
        let has = wish.reason.len();
        problems.push(format!(
            "capabilities.{name}.reason: say why, for whoever grants it, in 1 to {LINE_BYTES_MAX} bytes; it has {has}"
        ));
    }
    if wish.scope.len() > SCOPE_ENTRIES_MAX {
        let has = wish.scope.len();
        problems.push(format!("capabilities.{name}.scope: it has {has} entries: at most {SCOPE_ENTRIES_MAX} are read"));
    }
    match (row.scope, wish.scope.is_empty()) {
        (ScopeGrammar::None, false) => problems.push(format!("capabilities.{name}.scope: `{name}` takes no scope")),
        (ScopeGrammar::None, true) | (_, false) => {}
        (_, true) => problems.push(format!("capabilities.{name}.scope: say what it is for: a list, such as `[\"…\"]`")),
    }
    for entry in &wish.scope {
        for name_of in placeholders(entry) {
            if schema.pointer(&format!("/properties/{name_of}")).is_none() {
                problems.push(format!("capabilities.{name}.scope: `{{{name_of}}}` is not a parameter"));
            }
        }
    }
    problems
}

/// The names in `{name}`.
fn placeholders(entry: &str) -> Vec<&str> {
    entry.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
}

fn fill(entry: &str, parameters: &Map<String, Value>, grammar: ScopeGrammar) -> Result<Vec<String>, String> {
    let mut filled = vec![entry.to_owned()];
    for name in placeholders(entry) {
        let values: Vec<&str> = match parameters.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(Value::as_str).collect()
            }
            _ => return Err(format!("parameter `{name}` must be a text or a list of texts to be a scope")),
        };
        // No international name and no address has a star: what has one would be a pattern.
        if matches!(grammar, ScopeGrammar::Origins | ScopeGrammar::Methods) && values.iter().any(|it| it.contains('*'))
        {
            return Err(format!("parameter `{name}` stands for itself: it may have no `*`"));
        }
        let values = values.into_iter().map(|value| match grammar {
            ScopeGrammar::Globs => globset::escape(value),
            _ => value.to_owned(),
        });
        filled = values
            .flat_map(|value| {
                filled.iter().map(|text| text.replace(&format!("{{{name}}}"), &value)).collect::<Vec<_>>()
            })
            .collect();
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const GOOD: &str = r#"
        [plugin]
        name = "disk-cleanup"
        version = "1.0.0"
        publisher = "remit"
        description = "Removes what nobody has used for long"
        license = "Apache-2.0"

        [capabilities.files]
        scope = ["{root}"]
        reason = "Looks for old files"

        [parameters.properties.root]
        type = "string"
    "#;

    fn problems(text: &str) -> Vec<String> {
        Manifest::from_toml(text, None).unwrap_err().0
    }

    #[test]
    fn a_manifest_survives_its_section() {
        let manifest = Manifest::from_toml(GOOD, None).unwrap();
        assert_eq!(Manifest::from_section(&manifest.to_section()).unwrap(), manifest);
    }

    #[test]
    fn a_name_is_short_and_plain() {
        let of_length = |length: usize| "a".repeat(length);
        for good in ["disk-cleanup", "7", &of_length(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", &of_length(65), "Disk", "a_b", "a/b", "..", "\u{e4}"] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn everything_wrong_is_listed_at_once() {
        let bad = GOOD
            .replace("disk-cleanup", "Disk Cleanup")
            .replace(
                "[capabilities.files]",
                "[capabilities.flies]\nreason = \"x\"\n[limits]\nwall-ms = 0\n[capabilities.files]",
            )
            .replace("{root}", "{rot}");
        let problems = problems(&bad);
        for word in ["plugin.name", "flies", "wall-ms", "{rot}"] {
            assert!(problems.iter().any(|line| line.contains(word)), "{word} is missing in {problems:?}");
        }
    }

    #[test]
    fn where_to_ask_and_what_changed_are_short_and_of_their_form() {
        let with = |line: &str| GOOD.replace("[capabilities.files]", &format!("{line}\n[capabilities.files]"));
        for support in ["https://example.com/help", "help@example.com", "mailto:help@example.com"] {
            let manifest = Manifest::from_toml(&with(&format!("support = \"{support}\"")), None).unwrap();
            assert_eq!(manifest.plugin.support.as_deref(), Some(support));
        }
        for support in [
            "",
            "ask me",
            "javascript:alert(1)",
            "a@b@c.d",
            "@example.com",
            "https://",
            "https://a.example/\\u001b[2J",
            &"a".repeat(256),
        ] {
            let problems = problems(&with(&format!("support = \"{support}\"")));
            assert!(matches!(&problems[..], [one] if one.starts_with("plugin.support `")), "{support}: {problems:?}");
        }
        let changelog = |bytes: usize| with(&format!("changelog = \"{}\"", "a".repeat(bytes)));
        assert!(Manifest::from_toml(&changelog(CHANGELOG_BYTES_MAX), None).is_ok());
        for bytes in [0, CHANGELOG_BYTES_MAX + 1] {
            assert!(problems(&changelog(bytes))[0].starts_with("plugin.changelog: expected 1 to 4096 bytes"));
        }
        let reason = |bytes: usize| GOOD.replace("Looks for old files", &"a".repeat(bytes));
        assert!(Manifest::from_toml(&reason(LINE_BYTES_MAX), None).is_ok());
        assert!(problems(&reason(LINE_BYTES_MAX + 1))[0].starts_with("capabilities.files.reason: "));
        let scope = |count: usize| GOOD.replace("\"{root}\"", &vec!["\"a\""; count].join(", "));
        assert!(Manifest::from_toml(&scope(SCOPE_ENTRIES_MAX), None).is_ok());
        assert!(problems(&scope(SCOPE_ENTRIES_MAX + 1))[0].starts_with("capabilities.files.scope: it has 257"));
    }

    #[test]
    fn a_parameter_fills_a_scope_and_is_no_pattern() {
        let one = json!({ "services": ["ngi*", "ssh"], "root": "logs" });
        let fill = |entry: &str, grammar| fill(entry, one.as_object().unwrap(), grammar);
        assert_eq!(fill("{root}", ScopeGrammar::Names), Ok(vec!["logs".into()]));
        assert_eq!(fill("{services}", ScopeGrammar::Globs), Ok(vec!["ngi[*]".into(), "ssh".into()]));
        assert!(fill("{nothing}", ScopeGrammar::Names).is_err());
        assert!(fill("https://{root}", ScopeGrammar::Origins).is_ok());
        assert!(fill("https://{services}", ScopeGrammar::Origins).is_err(), "a parameter is no wildcard");
    }
}
