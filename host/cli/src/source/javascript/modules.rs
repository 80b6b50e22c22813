//! The modules of a project, from its first one on: what they import, and their text as it is built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use anyhow::Context as _;
use script::{Module, Reference};
use serde_json::Value;

use super::super::label::Label;
use crate::shipped;

/// What interfaces are imported by, before their name.
const PREFIX: &str = "msp:automation";
/// What is imported for `fetch`, and the interfaces behind it.
const FETCH: (&str, [&str; 2]) = ("remit:fetch", ["http", "http-write"]);
/// Linked for every plugin, and never declared.
const AMBIENT: [&str; 2] = ["types", "run"];
/// Where a project's first module may lie, if package.json does not say.
const MAIN: [&str; 4] = ["src/index.js", "src/index.ts", "index.js", "index.ts"];

/// A project, read.
pub(super) struct Project<'a> {
    label: &'a Label,
    folder: &'a Path,
    main: String,
    /// What is built, by its path in the project.
    pub(super) modules: BTreeMap<String, String>,
    /// What it really imports of what is granted.
    pub(super) interfaces: BTreeSet<String>,
    /// What it imports of others.
    pub(super) packages: BTreeSet<String>,
    /// Each with its place.
    pub(super) problems: Vec<String>,
    pub(super) remediates: bool,
    /// Whether it has a script's manifest.
    pub(super) has_manifest: bool,
    fetches: bool,
}

impl<'a> Project<'a> {
    pub(super) fn read(folder: &'a Path, label: &'a Label) -> anyhow::Result<Self> {
        let main = main(folder)?;
        let mut project = Self {
            label,
            folder,
            main: main.clone(),
            modules: BTreeMap::new(),
            interfaces: BTreeSet::new(),
            packages: BTreeSet::new(),
            problems: Vec::new(),
            remediates: false,
            has_manifest: false,
            fetches: false,
        };
        let mut open = vec![main];
        while let Some(path) = open.pop() {
            if !project.modules.contains_key(&path) {
                open.extend(project.module(&path)?);
            }
        }
        project.problems.sort();
        Ok(project)
    }

    /// The module that is built: it gives the exports of the first one the form that the host calls.
    pub(super) fn entry(&self) -> String {
        let main = &self.main;
        format!(
            "import \"./host/globals.js\";\nimport * as author from \"./plugin/{main}\";\n\
             import {{ plugin }} from \"./host/plugin.js\";\n\
             export const {{ detection, remediation }} = plugin(author, \"{main}\");\n"
        )
    }

    /// Interfaces that stand behind `fetch` and are not declared: a call of them is denied, as the host would.
    pub(super) fn denied(&self) -> impl Iterator<Item = &'static str> {
        let names = if self.fetches { FETCH.1.as_slice() } else { &[] };
        names.iter().copied().filter(|name| !self.interfaces.contains(*name))
    }

    /// Reads a module, and gives the modules of the project that it imports.
    fn module(&mut self, path: &str) -> anyhow::Result<Vec<String>> {
        let file = self.folder.join(path);
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        let module = match script::module(path, &text) {
            Ok(module) => module,
            Err(wrong) => {
                self.problems.push(wrong.to_string().replace('\n', "\n  "));
                self.modules.insert(path.to_owned(), String::new());
                return Ok(Vec::new());
            }
        };
        if path == self.main {
            self.exports(&module);
        }
        let (mut next, mut text) = (Vec::new(), module.text.clone());
        // From the end, so that what is before stays where it is.
        for import in module.imports.iter().rev() {
            if let Some(target) = self.target(path, import, &mut next) {
                let up = "../".repeat(path.matches('/').count() + 1);
                text.replace_range(import.at.clone(), &format!("\"{up}{target}\""));
            }
        }
        self.modules.insert(path.to_owned(), text);
        Ok(next)
    }

    fn exports(&mut self, module: &Module) {
        let has = |name: &str| module.exports.iter().any(|it| it.name == name);
        (self.remediates, self.has_manifest) = (has("remediate"), has("manifest"));
        if !has("detect") {
            self.problems.push(format!(
                "{}:1:1: it exports no function `detect`: what looks, and reports what it found",
                self.main
            ));
        }
        let waits =
            module.exports.iter().filter(|it| it.is_async && ["detect", "remediate"].contains(&it.name.as_str()));
        self.problems.extend(waits.map(|it| {
            let why =
                "answers a promise, which nobody waits for: the host answers at once, so leave out `async` and `await`";
            format!("{}:{}:{}: `{}` {why}", self.main, it.line, it.column, it.name)
        }));
    }

    /// Where an import leads in what is built; none where that is wrong.
    fn target(&mut self, from: &str, import: &Reference, next: &mut Vec<String>) -> Option<String> {
        let specifier = import.specifier.as_str();
        let place = format!("{from}:{}:{}", import.line, import.column);
        if specifier == FETCH.0 {
            return self.fetch(&place);
        }
        if let Some(rest) = specifier.strip_prefix(PREFIX) {
            let interface = rest.strip_prefix('/').unwrap_or("types");
            return self.interface(from, &place, interface, import);
        }
        if specifier.starts_with('.') {
            return match resolved(self.folder, from, specifier) {
                Some(path) => {
                    next.push(path.clone());
                    Some(format!("plugin/{path}"))
                }
                None => self.wrong(&place, &format!("there is no `{specifier}` in this project")),
            };
        }
        if specifier.contains(':') || specifier.starts_with('/') {
            let there = format!(
                "a plugin imports interfaces of the host (`{PREFIX}/…`), modules of its own (`./…`) and packages"
            );
            return self.wrong(&place, &format!("`{specifier}` is not there: {there}"));
        }
        self.packages.insert(specifier.to_owned());
        Some(bundle(specifier))
    }

    fn wrong(&mut self, place: &str, what: &str) -> Option<String> {
        self.problems.push(format!("{place}: {what}"));
        None
    }

    fn fetch(&mut self, place: &str) -> Option<String> {
        self.fetches = true;
        let declared: Vec<&str> = FETCH.1.into_iter().filter(|name| self.label.declares(name)).collect();
        if declared.is_empty() {
            self.problems.push(self.label.undeclared(place, FETCH.1[0], &["fetch".to_owned()]));
        }
        self.interfaces.extend(declared.into_iter().map(str::to_owned));
        Some("host/fetch.js".to_owned())
    }

    fn interface(&mut self, from: &str, place: &str, interface: &str, import: &Reference) -> Option<String> {
        let is_known = AMBIENT.contains(&interface) || model::capability::interface(interface).is_some();
        if !is_known {
            // Types alone, of which nothing is left, may be of what a plugin exports.
            if import.names.is_empty() {
                return Some("host/interfaces/types.js".to_owned());
            }
            return self.wrong(place, &format!("this host has no interface `{interface}`"));
        }
        let known = functions(interface).unwrap_or_default();
        for (name, line, column) in &import.names {
            if !known.contains(name) {
                let has = if known.is_empty() { "no functions".to_owned() } else { known.join(", ") };
                let what = format!(
                    "`{interface}` has no function `{name}`; it has {has}, and a type is imported with `import type`"
                );
                self.problems.push(format!("{from}:{line}:{column}: {what}"));
            }
        }
        if !AMBIENT.contains(&interface) {
            if !self.label.declares(interface) {
                let names: Vec<String> = import.names.iter().map(|it| it.0.clone()).collect();
                self.problems.push(self.label.undeclared(place, interface, &names));
            }
            self.interfaces.insert(interface.to_owned());
        }
        Some(format!("host/interfaces/{interface}.js"))
    }
}

/// The functions of an interface, as an author calls them.
fn functions(interface: &str) -> anyhow::Result<Vec<String>> {
    let path = format!("javascript/host/interfaces/{interface}.js");
    let file = shipped::SDK.get_file(&path).with_context(|| format!("this program was built without sdk/{path}"))?;
    let lines = file.contents_utf8().unwrap_or_default().lines();
    let exported = lines.filter_map(|line| line.strip_prefix("export const ")?.split_once(" = bind("));
    Ok(exported.map(|(name, _)| name.to_owned()).collect())
}

/// In the place of an interface that the plugin does not have.
pub(super) fn denied(interface: &str) -> anyhow::Result<String> {
    let exports = functions(interface)?.into_iter().map(|name| format!("export const {name} = denied;\n"));
    Ok(format!(
        "import {{ refuse }} from \"../globals.js\";\nconst denied = () => {{\n  throw refuse({{ kind: \"denied\", \
         code: \"grant\", message: \"`{interface}` is not granted\", attributes: [[\"capability\", \"{interface}\"]] }});\n}};\n{}",
        exports.collect::<String>()
    ))
}

/// Where a package of somebody else lies in what is built: no two in one place, whatever a file may be called.
pub(super) fn bundle(package: &str) -> String {
    let spelt = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:x}_", u32::from(c)) };
    format!("npm/{}.js", package.chars().map(spelt).collect::<String>())
}

/// The first module of a project.
fn main(folder: &Path) -> anyhow::Result<String> {
    let path = folder.join("package.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let json: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let named = json.get("main").and_then(Value::as_str);
    if let Some(main) = named {
        let found = resolved(folder, "package.json", &format!("./{}", main.trim_start_matches("./")));
        return found.with_context(|| format!("{}: `main` is `{main}`, and there is no such file", path.display()));
    }
    let found = MAIN.into_iter().find(|main| folder.join(main).is_file()).map(str::to_owned);
    found.with_context(|| format!("{}: `main` says nothing, and there is none of {}", path.display(), MAIN.join(", ")))
}

/// The file of a project that a relative specifier means, as bundlers and TypeScript find it.
fn resolved(folder: &Path, from: &str, specifier: &str) -> Option<String> {
    let above = Path::new(from).parent()?;
    let mut parts: Vec<String> = Vec::new();
    for part in above.join(specifier).components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str()?.to_owned()),
            Component::CurDir => {}
            // What lies above the project is not the project's.
            Component::ParentDir => {
                parts.pop()?;
            }
            _ => return None,
        }
    }
    let path = parts.join("/");
    // TypeScript is often imported by the name of what it becomes.
    let typed = path.strip_suffix(".js").map(|stem| format!("{stem}.ts"));
    let tried = [Some(path.clone()), typed].into_iter().flatten();
    let ends = ["", ".js", ".ts", ".mjs", ".mts", "/index.js", "/index.ts"];
    let mut tried = tried.chain(ends.iter().map(|end| format!("{path}{end}")));
    tried.find(|path| script::is_script(Path::new(path)) && folder.join(path).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_found_as_its_author_names_it() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["src/a.ts", "src/b.js", "src/c/index.ts"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |specifier: &str| resolved(folder.path(), "src/index.ts", specifier);
        for (specifier, file) in
            [("./a.ts", "src/a.ts"), ("./a.js", "src/a.ts"), ("./b", "src/b.js"), ("./c", "src/c/index.ts")]
        {
            assert_eq!(found(specifier).as_deref(), Some(file), "{specifier}");
        }
        assert_eq!(found("../src/b.js").as_deref(), Some("src/b.js"));
        for none in ["./d", "../../b.js", "./c/none"] {
            assert_eq!(found(none), None, "{none}");
        }
    }

    #[test]
    fn packages_lie_apart() {
        let places: BTreeSet<String> = ["a-b", "a_b", "a/b", "@a/b", "a.b", "ab"].map(bundle).into();
        assert_eq!(places.len(), 6, "{places:?}");
        assert!(places.iter().all(|it| it.matches('/').count() == 1), "{places:?}");
    }

    #[test]
    fn every_interface_has_the_functions_of_its_contract() {
        use heck::ToLowerCamelCase as _;
        for row in contract::INTERFACES {
            let mut contract: Vec<String> = row.functions.iter().map(|it| it.to_lower_camel_case()).collect();
            let mut here = functions(row.name).unwrap();
            contract.sort();
            here.sort();
            assert_eq!(here, contract, "{}: `cargo xtask declarations`", row.name);
        }
    }
}
