//! A folder of a plugin in JavaScript or TypeScript: componentize-qjs makes its component.
//!
//! The author's modules are copied, without their types, beside a shim that gives them what a script has; each token stays at
//! its place, so that a position in a trace is one in the source.

mod modules;
mod npm;

use std::path::Path;

use model::Package;

use super::label::Label;
use super::stage::{self, Stage};
use super::{tool, world};
use crate::fault::Refused;
use crate::output::say;
use crate::shipped;
use modules::Project;

/// The component of a folder, and what is linked into it.
pub(super) fn build(folder: &Path, label: &Label) -> anyhow::Result<(Vec<u8>, Vec<Package>)> {
    let project = Project::read(folder, label)?;
    if !project.problems.is_empty() {
        return Err(Refused::because(project.problems).into());
    }
    if project.has_manifest {
        say("note: `export const manifest` is a script's: here plugin.toml is the label");
    }
    shipped::write(shipped::of_sdk("javascript/types")?, &folder.join(".remit/types"), &[], &str::to_owned)?;
    let compiler = npm::compiler(folder)?;

    let mut stage = Stage::default();
    world::add(&mut stage, &project.interfaces, project.remediates)?;
    stage.add_shipped(shipped::of_sdk("javascript/host")?, "host")?;
    stage.add("host/prelude.js", format!("export default {};\n", script::PRELUDE.trim_end()));
    for interface in project.denied() {
        stage.add(format!("host/interfaces/{interface}.js"), modules::denied(interface)?);
    }
    let mut packages = vec![super::shim(), npm::engine(folder)?];
    for package in &project.packages {
        let bundled = npm::bundled(folder, package)?;
        packages.extend(bundled.packages());
        stage.add(modules::bundle(package), bundled.text);
    }
    stage.add("entry.js", project.entry());
    for (path, text) in project.modules {
        stage.add(format!("plugin/{path}"), text);
    }
    let component = stage.component(folder, |built, component| {
        let (built, component) = (built.to_string_lossy(), component.to_string_lossy());
        let args = [
            &*compiler.to_string_lossy(),
            "--sync",
            "--opt-size",
            "--wit",
            &format!("{built}/wit"),
            "--world",
            world::NAME,
            "--js",
            &format!("{built}/entry.js"),
            "--module-root",
            ".",
            "--output",
            &component,
        ];
        let mut command = tool::command("node", &args, folder);
        let why = "the plugin does not build; componentize-qjs says why above";
        tool::output(&mut command, npm::NO_NODE, why, &format!("/{}/plugin/", stage::FOLDER)).map(|_| ())
    })?;
    Ok((component, packages))
}
