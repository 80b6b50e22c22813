//! What is granted: the manifest's wishes, cut down to what this machine's policy and this command line allow.

use contract::run::Mode;
use contract::{Class, Interface, ScopeGrammar};
use serde::{Deserialize, Serialize};

use crate::Manifest;
use crate::capability::{self, Capability, Grants};

/// An entry of `[[allow]]` in host policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Allow {
    /// The plugin's name; all plugins if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// The capability; without a scope, all that the manifest asks for.
    pub capability: Capability,
}

/// A capability that a run needs and does not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Missing {
    /// What is needed, as it would be written.
    pub capability: Capability,
    /// Its class.
    pub class: Class,
    /// The publisher's reason.
    pub reason: String,
}

/// By hand: L0 and L1 are granted, but for address ranges that are not public; these, and L2 and above, where policy or the
/// command line allows it. In a dry run every mutator is granted, because it can only answer `planned`; `secrets` never is,
/// because what reads can use one.
pub fn grant_by_hand(
    manifest: &Manifest,
    wishes: &Grants,
    mode: Mode,
    allowed: &[Allow],
) -> Result<Grants, Vec<Missing>> {
    let mut grants = Grants::default();
    let mut missing = Vec::new();
    for (interface, scope) in wishes.iter() {
        let Some(row) = capability::interface(interface) else { continue };
        let is_planned_only = row.changes && mode != Mode::Enforce;
        let is_free = |entry: &String| is_planned_only || needs_no_word(row, entry);
        let (mut granted, guarded): (Vec<String>, Vec<String>) = scope.iter().cloned().partition(is_free);
        if guarded.is_empty() && (row.class <= Class::L1 || is_planned_only) {
            grants.add(interface, granted);
            continue;
        }
        let entries: Vec<&[String]> = allowed
            .iter()
            .filter(|allow| allow.plugin.as_deref().is_none_or(|name| name == manifest.plugin.name))
            .filter(|allow| allow.capability.interface == interface)
            .map(|allow| allow.capability.scope.as_slice())
            .collect();
        let both = intersect(row.scope, &guarded, &entries);
        if entries.is_empty() || (row.scope != ScopeGrammar::None && both.is_empty() && !guarded.is_empty()) {
            let reason = manifest.capabilities.get(interface).map(|wish| wish.reason.clone()).unwrap_or_default();
            let capability = Capability { interface: row.name, scope: guarded };
            missing.push(Missing { capability, class: row.class, reason });
        } else {
            granted.extend(both);
            grants.add(interface, granted);
        }
    }
    match missing.is_empty() {
        true => Ok(grants),
        false => Err(missing),
    }
}

/// The wishes, cut down to what an approval grants, and what it grants nothing of. An empty scope grants all that is wished.
pub fn cut_down(wishes: &Grants, allowed: &Grants) -> (Grants, Vec<Capability>) {
    let mut grants = Grants::default();
    let mut missing = Vec::new();
    for (interface, scope) in wishes.iter() {
        let Some(row) = capability::interface(interface) else { continue };
        let both = allowed.get(interface).map(|entries| intersect(row.scope, scope, &[entries]));
        match both {
            Some(both) if scope.is_empty() || !both.is_empty() => grants.add(interface, both),
            _ => missing.push(Capability { interface: row.name, scope: scope.to_vec() }),
        }
    }
    (grants, missing)
}

/// What was granted, narrowed to what an order lists; or what it lists that was not granted. Where it lists nothing, that is all.
/// Else what nobody needs a word for needs no line either, and of what has one its lines count.
pub fn narrow(granted: &Grants, listed: &[Capability]) -> Result<Grants, Vec<Capability>> {
    if listed.is_empty() {
        return Ok(granted.clone());
    }
    let grammar = |name: &str| capability::interface(name).map_or(ScopeGrammar::None, |row| row.scope);
    let is_granted = |interface: &str, scope: &[String]| {
        let has = |granted: &[String]| scope.is_empty() || !intersect(grammar(interface), granted, &[scope]).is_empty();
        granted.get(interface).is_some_and(has)
    };
    let one = |it: &Capability, entry: &String| Capability { interface: it.interface, scope: vec![entry.clone()] };
    let entries = |it: &Capability| match it.scope.is_empty() {
        true => vec![it.clone()],
        false => it.scope.iter().map(|entry| one(it, entry)).collect(),
    };
    let missing = listed.iter().flat_map(entries).filter(|it| !is_granted(it.interface, &it.scope));
    let missing: Vec<Capability> = missing.collect();
    if !missing.is_empty() {
        return Err(missing);
    }
    let mut grants = Grants::default();
    for (interface, scope) in granted.iter() {
        let Some(row) = capability::interface(interface) else { continue };
        let lines: Vec<&[String]> =
            listed.iter().filter(|it| it.interface == interface).map(|it| it.scope.as_slice()).collect();
        let free = || scope.iter().filter(|entry| needs_no_word(row, entry)).cloned().collect::<Vec<_>>();
        let kept = match lines.is_empty() {
            false => Some(intersect(row.scope, scope, &lines)),
            true => Some(free()).filter(|free| row.class <= Class::L1 && (scope.is_empty() || !free.is_empty())),
        };
        if let Some(kept) = kept {
            grants.add(interface, kept);
        }
    }
    Ok(grants)
}

/// Whether it is granted to whoever asks for it by hand.
fn needs_no_word(row: &Interface, entry: &str) -> bool {
    row.class <= Class::L1 && !capability::reaches_inside(row.scope, entry)
}

/// What both sides say: an entry counts where it stands on both, or where the other side's pattern covers it. A side without
/// entries means all that is wished.
fn intersect(grammar: ScopeGrammar, wished: &[String], allowed: &[&[String]]) -> Vec<String> {
    if allowed.iter().any(|scope| scope.is_empty()) {
        return wished.to_vec();
    }
    let covers = |pattern: &str, entry: &str| pattern == entry || capability::covers(grammar, pattern, entry);
    let mut both = Vec::new();
    for entry in allowed.iter().copied().flatten() {
        both.extend(wished.iter().filter(|wish| covers(entry, wish)).cloned());
        if wished.iter().any(|wish| covers(wish, entry)) {
            both.push(entry.clone());
        }
    }
    both.sort();
    both.dedup();
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest::from_toml(
            r#"
            plugin = { name = "p", version = "1.0.0", publisher = "x", description = "x", license = "MIT" }
            [capabilities.files]
            scope = ["scratch", "logs"]
            reason = "reads"
            [capabilities.files-write]
            scope = ["scratch", "logs"]
            reason = "removes"
            "#,
            None,
        )
        .unwrap()
    }

    fn grant(mode: Mode, allowed: &[&str]) -> Result<Grants, Vec<String>> {
        let manifest = manifest();
        let wishes = manifest.wishes(&serde_json::Map::new()).unwrap();
        let allowed: Vec<Allow> =
            allowed.iter().map(|text| Allow { plugin: None, capability: text.parse().unwrap() }).collect();
        grant_by_hand(&manifest, &wishes, mode, &allowed)
            .map_err(|missing| missing.iter().map(|it| it.capability.to_string()).collect())
    }

    #[test]
    fn an_address_range_inside_needs_a_word_of_the_operator() {
        let manifest = Manifest::from_toml(
            r#"
            plugin = { name = "p", version = "1.0.0", publisher = "x", description = "x", license = "MIT" }
            [capabilities.http]
            scope = ["{origins}"]
            reason = "asks"
            "#,
            Some(serde_json::json!({ "properties": { "origins": { "type": "array" } } })),
        )
        .unwrap();
        let grant = |origins: &[&str], allowed: &[&str]| {
            let parameters = serde_json::json!({ "origins": origins });
            let wishes = manifest.wishes(parameters.as_object().unwrap()).unwrap();
            let allowed: Vec<Allow> =
                allowed.iter().map(|text| Allow { plugin: None, capability: text.parse().unwrap() }).collect();
            grant_by_hand(&manifest, &wishes, Mode::Detect, &allowed)
                .map(|grants| grants.get("http").unwrap().to_vec())
                .map_err(|missing| missing.iter().map(|it| it.capability.to_string()).collect::<Vec<_>>())
        };
        let public = ["https://api.example.com", "1.1.1.0/24"];
        assert_eq!(grant(&public, &[]).unwrap(), public);
        for inside in ["127.0.0.0/8", "169.254.169.254/32", "10.0.0.0/8", "fe80::/10"] {
            let wish = ["https://api.example.com", inside];
            assert_eq!(grant(&wish, &[]), Err(vec![format!("http [{inside}]")]));
            assert_eq!(grant(&wish, &[&format!("http [{inside}]")]).unwrap(), wish, "with exactly what was missing");
            assert_eq!(grant(&wish, &["http"]).unwrap(), wish);
            assert!(grant(&wish, &["http [192.168.0.0/16]"]).is_err());
        }
        let narrower = grant(&["https://api.example.com", "10.0.0.0/8"], &["http [10.1.0.0/16]"]).unwrap();
        assert_eq!(narrower, ["https://api.example.com", "10.1.0.0/16"]);
    }

    #[test]
    fn an_approval_cuts_wishes_down() {
        let grants = |entries: &[(&str, &[&str])]| {
            let mut grants = Grants::default();
            for (interface, scope) in entries {
                grants.add(interface, scope.iter().map(|&entry| entry.to_owned()).collect());
            }
            grants
        };
        let wishes = grants(&[("device", &[]), ("files", &["logs", "scratch"])]);
        let check = |allowed: &Grants| cut_down(&wishes, allowed);
        assert_eq!(check(&wishes), (wishes.clone(), vec![]));
        assert_eq!(check(&grants(&[("device", &[]), ("files", &[])])).0, wishes, "all that is wished");
        assert_eq!(check(&grants(&[("device", &[]), ("files", &["logs", "other"])])).0.get("files").unwrap(), ["logs"]);
        let missing = |allowed: &Grants| check(allowed).1.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(missing(&grants(&[("device", &[])])), ["files [logs, scratch]"]);
        assert_eq!(missing(&grants(&[("files", &["other"])])), ["device", "files [logs, scratch]"]);
        let any_service = grants(&[("service-control", &["*"])]);
        let short = grants(&[("service-control", &["?"])]);
        assert_eq!(cut_down(&any_service, &short).0, short, "a pattern is not what it matches");
    }

    #[test]
    fn an_order_narrows_what_was_granted() {
        let mut granted = Grants::default();
        granted.add("device", vec![]);
        granted.add("files", vec!["logs".into(), "scratch".into()]);
        granted.add("files-write", vec!["logs".into(), "scratch".into()]);
        granted.add("service-control", vec!["nginx".into()]);
        let narrow = |listed: &[&str]| {
            let listed: Vec<Capability> = listed.iter().map(|text| text.parse().unwrap()).collect();
            match super::narrow(&granted, &listed) {
                Ok(grants) => grants
                    .iter()
                    .map(|(name, scope)| format!("{name} [{}]", scope.join(", ")))
                    .map(|text| text.replace(" []", ""))
                    .collect::<Vec<_>>(),
                Err(missing) => missing.iter().map(|it| format!("missing {it}")).collect(),
            }
        };
        let looks = ["device", "files [logs, scratch]"];
        let all = ["device", "files [logs, scratch]", "files-write [logs, scratch]", "service-control [nginx]"];
        assert_eq!(narrow(&[]), all, "nothing listed is nothing narrowed");
        assert_eq!(narrow(&["files-write", "service-control"]), all, "an interface without a scope is all of it");
        assert_eq!(narrow(&["files-write [scratch]"]), [&looks[..], &["files-write [scratch]"]].concat());
        assert_eq!(narrow(&["files [logs]"]), ["device", "files [logs]"], "what looks is narrowed where it is listed");
        assert_eq!(narrow(&["service-control [*]"]), [&looks[..], &["service-control [nginx]"]].concat());
        assert_eq!(narrow(&["files-write [other, logs]"]), ["missing files-write [other]"]);
        assert_eq!(
            narrow(&["files-erase [scratch]", "service-control [mysql]", "device"]),
            ["missing files-erase [scratch]", "missing service-control [mysql]"],
            "all that is missing"
        );
    }

    #[test]
    fn what_changes_needs_a_word_of_the_operator() {
        assert!(grant(Mode::DryRun, &[]).is_ok());
        assert_eq!(grant(Mode::Enforce, &[]), Err(vec!["files-write [scratch, logs]".into()]));
        let all = grant(Mode::Enforce, &["files-write"]).unwrap();
        assert_eq!(all.get("files-write"), Some(&["scratch".to_owned(), "logs".to_owned()][..]));
        let one = grant(Mode::Enforce, &["files-write [scratch, other]"]).unwrap();
        assert_eq!(one.get("files-write"), Some(&["scratch".to_owned()][..]));
        assert!(grant(Mode::Enforce, &["files-write [other]"]).is_err());
    }
}
