//! What each Cargo.toml says.

use crate::workspace::Workspace;

/// The project of a new plugin holds a copy of it, and there is no such workspace.
const STANDS_ALONE: &str = "sdk";

/// Every crate is linted like the others: by the workspace's table, or by one of its own that leaves nothing of that out.
pub(super) fn lints(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let top: toml::Table = std::fs::read_to_string(workspace.root.join("Cargo.toml"))?.parse()?;
    let all = names(top.get("workspace").and_then(|it| it.get("lints")));
    let mut complaints = Vec::new();
    for it in workspace.crates.iter().filter(|it| it.folder != STANDS_ALONE) {
        let manifest: toml::Table = it.manifest.parse()?;
        complaints.extend(unlinted(&all, &manifest).map(|what| format!("{}/Cargo.toml {what}", it.folder)));
    }
    Ok(complaints)
}

/// What is wrong with a crate's lints.
fn unlinted(all: &[String], manifest: &toml::Table) -> Option<String> {
    let lints = manifest.get("lints");
    if lints.and_then(|it| it.get("workspace")?.as_bool()) == Some(true) {
        return None;
    }
    let own = names(lints);
    if own.is_empty() {
        return Some("lacks `[lints]` with `workspace = true`".to_owned());
    }
    let missing: Vec<&str> = all.iter().filter(|name| !own.contains(name)).map(String::as_str).collect();
    (!missing.is_empty()).then(|| format!("has lints of its own, and leaves out {}", missing.join(", ")))
}

/// The lints of a table, such as `clippy.todo`.
fn names(lints: Option<&toml::Value>) -> Vec<String> {
    let tools = lints.and_then(toml::Value::as_table).into_iter().flatten();
    let of_tool = |(tool, lints): (&String, &toml::Value)| {
        let lints: Vec<String> =
            lints.as_table().into_iter().flatten().map(|(name, _)| format!("{tool}.{name}")).collect();
        lints
    };
    tools.flat_map(of_tool).collect()
}

/// Whoever reads Rust knows what these are for.
#[rustfmt::skip]
const OBVIOUS: &[&str] = &[
    "anyhow", "async-trait", "base64", "clap", "futures", "globset", "heck", "hex", "ipnet", "prettyplease",
    "proc-macro2", "quote", "regex", "rustix", "rustls", "rustls-native-certs", "semver", "serde", "serde_json",
    "sha2", "syn", "tempfile", "thiserror", "tokio", "tokio-util", "toml", "tracing", "ulid", "url", "wasmtime",
    "wat", "wit-parser",
];

/// Every other dependency says why it is there, in a comment directly above it or above the first of its family.
pub(super) fn reasons(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let complaints = workspace.crates.iter().flat_map(|it| {
        let in_workspace = |name: &str| workspace.crates.iter().any(|other| other.name == name);
        unexplained(&it.manifest)
            .into_iter()
            .filter(move |name| !OBVIOUS.contains(&name.as_str()) && !in_workspace(name))
            .map(|name| format!("{}/Cargo.toml: {name}", it.folder))
    });
    Ok(complaints.collect())
}

/// The dependencies that no comment explains.
fn unexplained(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut in_dependencies, mut comment, mut family) = (false, false, "");
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.trim_end_matches(']').ends_with("dependencies");
        } else if in_dependencies
            && let Some((name, _)) = line.split_once([' ', '=', '.']).filter(|_| !line.starts_with('#'))
        {
            let explained = comment || (!family.is_empty() && name.starts_with(family));
            if explained {
                family = name.split(['-', '_']).next().unwrap_or(name);
            } else {
                family = "";
                names.push(name.to_owned());
            }
        }
        comment = line.starts_with('#');
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::made_up;

    #[test]
    fn a_crate_without_lints_is_named() {
        let workspace = made_up(&[("host/a", "[lints]\nworkspace = true\n", &[]), ("host/b", "[lints]\n", &[])]);
        assert_eq!(lints(&workspace).unwrap(), ["host/b/Cargo.toml lacks `[lints]` with `workspace = true`"]);
    }

    #[test]
    fn lints_of_a_crate_leave_nothing_of_the_workspace_out() {
        let all = ["clippy.todo", "rust.unsafe_code"].map(str::to_owned);
        let of = |text: &str| unlinted(&all, &text.parse().unwrap());
        let both = "[lints.rust]\nunsafe_code = \"deny\"\n[lints.clippy]\ntodo = \"allow\"\npanic = \"warn\"\n";
        assert_eq!(of(both), None);
        let left_out = of(&both.replace("todo", "other")).unwrap();
        assert_eq!(left_out, "has lints of its own, and leaves out clippy.todo");
    }

    #[test]
    fn a_comment_explains_one_dependency_and_its_family() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\nserde = \"1\"\n\n# Files.\ncap-fs-ext = \"4\"\ncap-std = \"4\"\n\
            zbus = \"6\"\n[dev-dependencies]\ninsta.workspace = true\n";
        assert_eq!(unexplained(manifest), ["serde", "zbus", "insta"]);
        let workspace = made_up(&[("host/a", manifest, &[])]);
        assert_eq!(reasons(&workspace).unwrap(), ["host/a/Cargo.toml: zbus", "host/a/Cargo.toml: insta"]);
    }
}
