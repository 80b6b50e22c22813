//! A folder of a plugin in Python: componentize-py makes its component.
//!
//! The author's modules are copied beside the contract's, which have in a component what they declare.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use contract::Interface;
use heck::ToSnakeCase as _;
use model::Package;
use serde::Deserialize;

use super::label::Label;
use super::stage::Stage;
use super::{dist_info, tool, world};
use crate::fault::Refused;
use crate::output::say;
use crate::shipped;

/// The compiler's version that this program was tested with.
const COMPILER: &str = "componentize-py==0.25.1";
/// Where it is installed, in the project.
const TOOLS: &str = ".remit/tools/python";
/// Where packages of others are installed, in the project.
const PACKAGES: &str = ".remit/tools/packages";
/// What the contract's modules are imported from.
const PACKAGE: &str = "msp.automation";
/// Linked for every plugin, or the plugin's own: never declared.
const AMBIENT: [&str; 4] = ["types", "run", "detection", "remediation"];
/// Where no module of a plugin lies.
const NOT_SOURCE: [&str; 7] = ["tests", "fixtures", "dist", "build", "venv", "node_modules", "msp"];

/// `pyproject.toml`, as far as it matters here.
#[derive(Deserialize)]
struct PyProject {
    project: About,
}

#[derive(Deserialize)]
struct About {
    name: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// What Python itself says of a file.
#[derive(Deserialize)]
struct Read {
    file: String,
    #[serde(default)]
    imports: Vec<Imported>,
    #[serde(default)]
    functions: Vec<Function>,
    /// Names that it has from other modules.
    #[serde(default)]
    names: Vec<String>,
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Imported {
    module: String,
    name: Option<String>,
    line: usize,
    column: usize,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    r#async: bool,
    line: usize,
    column: usize,
}

#[derive(Deserialize)]
struct Problem {
    line: usize,
    column: usize,
    message: String,
}

/// The component of a folder, and what is linked into it.
pub(super) fn build(folder: &Path, label: &Label) -> anyhow::Result<(Vec<u8>, Vec<Package>)> {
    let path = folder.join("pyproject.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let about = toml::from_str::<PyProject>(&text).with_context(|| format!("{}", path.display()))?.project;
    let (root, main) = main(folder, &about.name)?;
    let python = python(folder);
    let files = modules(folder, &root)?;
    let project = Project::read(folder, &python, label, &files, &main)?;
    shipped::write(shipped::of_sdk("python/msp")?, &folder.join("msp"), &[], &str::to_owned)?;
    install(folder, &python, TOOLS, &["--no-deps".to_owned(), COMPILER.to_owned()])?;
    if !about.dependencies.is_empty() {
        install(folder, &python, PACKAGES, &about.dependencies)?;
    }

    let mut stage = Stage::default();
    world::add(&mut stage, &project.interfaces, project.remediates)?;
    stage.add_shipped(shipped::of_sdk("python/msp")?, "host/msp")?;
    stage.add("host/remit_entry.py", entry(&root, &main));
    stage.add("dependencies", about.dependencies.join("\n"));
    for file in &files {
        let text = std::fs::read_to_string(folder.join(file)).with_context(|| file.clone())?;
        stage.add(format!("plugin/{file}"), text);
    }
    let component = stage.component(folder, |built, component| compile(folder, &python, built, &root, component))?;
    let mut packages = dist_info::packages(&folder.join(TOOLS))?;
    if !about.dependencies.is_empty() {
        packages.extend(dist_info::packages(&folder.join(PACKAGES))?);
    }
    packages.push(super::shim());
    Ok((component, packages))
}

/// What calls the author's functions.
fn entry(root: &str, main: &str) -> String {
    let module = main.trim_start_matches(root).trim_start_matches('/');
    let module = module.trim_end_matches("/__init__.py").trim_end_matches(".py").replace('/', ".");
    format!(
        "import {module} as author\nfrom msp.automation._plugin import exports\n\n\
         Detection, Remediation = exports(author, \"{main}\", \"{root}\")\n"
    )
}

fn compile(folder: &Path, python: &str, built: &Path, root: &str, component: &Path) -> anyhow::Result<()> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    let mut args = vec![
        "-c".to_owned(),
        "import sys; from componentize_py import script; sys.exit(script())".to_owned(),
        "--quiet".to_owned(),
        "--wit-path".to_owned(),
        text(built.join("wit")),
        "--world".to_owned(),
        world::NAME.to_owned(),
        "componentize".to_owned(),
        "remit_entry".to_owned(),
        "--output".to_owned(),
        text(component.to_owned()),
    ];
    let packages = folder.join(PACKAGES).is_dir().then(|| PathBuf::from(PACKAGES));
    let paths = [Some(built.join("host")), Some(built.join("plugin").join(root)), packages];
    args.extend(paths.into_iter().flatten().flat_map(|path| ["--python-path".to_owned(), text(path)]));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut command = tool::command(python, &args, folder);
    // What is installed elsewhere is not the plugin's.
    command.env("PYTHONPATH", absolute(&folder.join(TOOLS))?).env("VIRTUAL_ENV", built);
    tool::output(&mut command, NO_PYTHON, "the plugin does not build; componentize-py says why above", "").map(|_| ())
}

const NO_PYTHON: &str = "python3 could not be started: a plugin in Python is built with Python 3.11 or newer and pip";

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("{}", path.display()))
}

/// The project's own Python, or the machine's.
fn python(folder: &Path) -> String {
    let own = if cfg!(windows) { ".venv/Scripts/python.exe" } else { ".venv/bin/python" };
    match absolute(&folder.join(own)) {
        Ok(own) if own.is_file() => own.to_string_lossy().into_owned(),
        _ => if cfg!(windows) { "python" } else { "python3" }.to_owned(),
    }
}

/// Installs packages into a folder of the project, unless just these are there.
fn install(folder: &Path, python: &str, target: &str, packages: &[String]) -> anyhow::Result<()> {
    let path = folder.join(target);
    let (mark, wanted) = (path.join("installed"), packages.join("\n"));
    if std::fs::read_to_string(&mark).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    say(&format!("installing {} into {}", packages.join(" "), path.display()));
    if path.exists() {
        std::fs::remove_dir_all(&path).with_context(|| format!("{}", path.display()))?;
    }
    let mut args = vec!["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", target];
    args.extend(packages.iter().map(String::as_str));
    let why = format!("pip could not install {}; it says why above", packages.join(" "));
    tool::output(&mut tool::command(python, &args, folder), NO_PYTHON, &why, "")?;
    std::fs::write(&mark, wanted).with_context(|| format!("{}", mark.display()))
}

/// The folder that modules are imported from, and the plugin's own module, which is called as the project is.
fn main(folder: &Path, name: &str) -> anyhow::Result<(String, String)> {
    let module = name.to_lowercase().replace(['-', '.'], "_");
    let mut tried = Vec::new();
    for root in ["", "src/"] {
        for file in [format!("{root}{module}/__init__.py"), format!("{root}{module}.py")] {
            if folder.join(&file).is_file() {
                return Ok((root.to_owned(), file));
            }
            tried.push(file);
        }
    }
    bail!("{}: the project is called `{name}`, and there is none of {}", folder.display(), tried.join(", "))
}

/// Every module of the project, relative to its folder.
fn modules(folder: &Path, root: &str) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![root.trim_end_matches('/').to_owned()];
    while let Some(below) = open.pop() {
        let path = folder.join(&below);
        for entry in std::fs::read_dir(&path).with_context(|| format!("{}", path.display()))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let file = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
            let kind = entry.file_type()?;
            let is_source = !name.starts_with('.') && name != "__pycache__" && !NOT_SOURCE.contains(&file.as_str());
            if kind.is_dir() && is_source {
                open.push(file);
            } else if kind.is_file() && name.ends_with(".py") {
                found.push(file);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What a project imports and exports.
struct Project<'a> {
    label: &'a Label,
    interfaces: BTreeSet<String>,
    remediates: bool,
    problems: Vec<String>,
}

impl<'a> Project<'a> {
    /// As Python itself reads its modules; nothing of them runs.
    fn read(folder: &Path, python: &str, label: &'a Label, files: &[String], main: &str) -> anyhow::Result<Self> {
        let script = shipped::SDK.get_file("python/imports.py").and_then(include_dir::File::contents_utf8);
        let script = script.context("this program was built without sdk/python/imports.py")?;
        let args: Vec<&str> = ["-c", script].into_iter().chain(files.iter().map(String::as_str)).collect();
        let why = "Python could not read the plugin; it says why above";
        let said = tool::output(&mut tool::command(python, &args, folder), NO_PYTHON, why, "")?;
        let read: Vec<Read> = serde_json::from_slice(&said).context("what Python says of the plugin")?;
        let mut project = Self { label, interfaces: BTreeSet::new(), remediates: false, problems: Vec::new() };
        for file in &read {
            project.file(file);
            if file.file == main {
                project.exports(file);
            }
        }
        project.problems.sort();
        match project.problems.is_empty() {
            true => Ok(project),
            false => Err(Refused::because(project.problems).into()),
        }
    }

    fn file(&mut self, read: &Read) {
        if let Some(Problem { line, column, message }) = &read.problem {
            self.problems.push(format!("{}:{line}:{column}: {message}", read.file));
        }
        for import in &read.imports {
            let place = format!("{}:{}:{}", read.file, import.line, import.column);
            let of_package = match (import.module.strip_prefix(PACKAGE), &import.name) {
                (Some(""), Some(name)) => interface(name).map(|row| (row, None)),
                (Some(module), name) => match module.strip_prefix('.') {
                    Some(module) if AMBIENT.contains(&module) || module.starts_with('_') => None,
                    Some(module) => match interface(module) {
                        Some(row) => Some((row, name.as_deref())),
                        None => {
                            self.problems.push(format!("{place}: this host has no interface `{module}`"));
                            None
                        }
                    },
                    None => None,
                },
                _ => None,
            };
            if let Some((row, name)) = of_package {
                self.interface(&place, row, name);
            }
        }
    }

    fn interface(&mut self, place: &str, row: &Interface, name: Option<&str>) {
        let is_function = |name: &&str| name.starts_with(|first: char| first.is_ascii_lowercase());
        let known: Vec<String> = row.functions.iter().map(|it| it.to_snake_case()).collect();
        if let Some(name) = name.filter(is_function)
            && !known.iter().any(|it| it == name)
        {
            let known = known.join(", ");
            self.problems.push(format!("{place}: `{}` has no function `{name}`; it has {known}", row.name));
        }
        if !self.label.declares(row.name) {
            let names: Vec<String> = name.into_iter().map(str::to_owned).collect();
            self.problems.push(self.label.undeclared(place, row.name, &names));
        }
        self.interfaces.insert(row.name.to_owned());
    }

    fn exports(&mut self, read: &Read) {
        let has =
            |name: &str| read.functions.iter().any(|it| it.name == name) || read.names.iter().any(|it| it == name);
        self.remediates = has("remediate");
        if !has("detect") && read.problem.is_none() {
            let what = "it has no function `detect`: what looks, and reports what it found";
            self.problems.push(format!("{}:1:1: {what}", read.file));
        }
        let waits =
            read.functions.iter().filter(|it| it.r#async && ["detect", "remediate"].contains(&it.name.as_str()));
        self.problems.extend(waits.map(|it| {
            let why = "answers a coroutine, which nobody waits for: the host answers at once, so leave out `async` and `await`";
            format!("{}:{}:{}: `{}` {why}", read.file, it.line, it.column, it.name)
        }));
    }
}

/// The interface of a module of the contract.
fn interface(module: &str) -> Option<&'static Interface> {
    contract::INTERFACES.iter().copied().find(|row| row.name.to_snake_case() == module)
}
