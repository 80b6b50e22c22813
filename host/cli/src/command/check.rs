mod needs;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use artifact::Plugin;
use model::outcome::exit;
use script::Problem;
use semver::Version;
use serde::Serialize;

use crate::context::Context;
use crate::fault::Refused;
use crate::output::{self, Format};
use crate::source;
use needs::Fit;

/// Check a plugin: manifest, imports, contract version and host version
///
/// Everything that is wrong is told at once, each with its place and what would be right. What is right and asks for more than it
/// uses is a note.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, the folder with its source, or a script
    #[arg(default_value = ".")]
    plugin: PathBuf,

    /// Say what it needs that hosts of this version lack: of remit, or of the contract
    #[arg(long, value_name = "VERSION")]
    host: Option<Version>,
}

/// What a program is told. Of what has no places there are only reasons.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Checked {
    fit: bool,
    reasons: Vec<String>,
    problems: Vec<Problem>,
    notes: Vec<Problem>,
    /// Where another host was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Fit>,
}

pub(crate) async fn run(args: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plugin = match source::load(&args.plugin, None).await {
        Ok(plugin) => plugin,
        Err(error) => return unfit(error, context.output),
    };
    let notes = Notes::of(&args.plugin, &plugin)?;
    let known: Vec<_> = contract::versions::known().collect();
    let host = args.host.as_ref().map(|host| needs::fit(&plugin, host, &known)).transpose()?;
    let reasons = host.as_ref().map(|host| host.lacks.clone()).unwrap_or_default();
    if context.output == Format::Json {
        let fit = reasons.is_empty();
        output::json(&Checked { fit, reasons, problems: Vec::new(), notes: notes.found, host })?;
        return Ok(if fit { ExitCode::SUCCESS } else { ExitCode::from(exit::REFUSED) });
    }
    for note in notes.shown() {
        output::say(&format!("note: {note}"));
    }
    if !reasons.is_empty() {
        return Err(Refused::because(reasons).into());
    }
    let about = &plugin.manifest().plugin;
    output::text(&format!("{} {} is fit for this host", about.name, about.version));
    if let Some(host) = host {
        output::text(&host.shown());
    }
    Ok(ExitCode::SUCCESS)
}

/// A refusal is what a check is for: a program reads it where it reads everything else.
fn unfit(error: anyhow::Error, format: Format) -> anyhow::Result<ExitCode> {
    let (Format::Json, Some(refused)) = (format, error.downcast_ref::<Refused>()) else { return Err(error) };
    let problems = refused.script.as_ref().map(|wrong| wrong.problems.clone()).unwrap_or_default();
    output::json(&Checked { fit: false, reasons: refused.reasons.clone(), problems, notes: Vec::new(), host: None })?;
    Ok(ExitCode::from(exit::REFUSED))
}

/// What is right as it is, and could be better.
struct Notes {
    found: Vec<Problem>,
    file: String,
    text: String,
}

impl Notes {
    fn of(path: &Path, plugin: &Plugin) -> anyhow::Result<Self> {
        let manifest = path.join("plugin.toml");
        let (is_script, has_manifest) = (script::is_script(path), manifest.is_file());
        let file = if is_script { path } else { &manifest };
        let text = match is_script || has_manifest {
            true => std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?,
            false => String::new(),
        };
        let name = match is_script {
            true => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            false => file.display().to_string(),
        };
        let found = match is_script {
            true => script::warnings(&name, &text).map_err(Refused::from)?,
            false => unused(plugin, &text),
        };
        Ok(Self { found, file: name, text })
    }

    fn shown(&self) -> impl Iterator<Item = String> {
        self.found.iter().map(|note| match self.text.is_empty() {
            true => note.message.clone(),
            false => note.shown(&self.file, &self.text),
        })
    }
}

/// What a manifest declares and the component never imports, where its text says so.
fn unused(plugin: &Plugin, manifest: &str) -> Vec<Problem> {
    let declared = plugin.manifest().capabilities.keys();
    let unused = declared.filter(|name| !plugin.imports().iter().any(|import| import.interface == **name));
    let note = |name: &String| {
        let header = format!("[capabilities.{name}]");
        let line = manifest.lines().position(|line| line.trim() == header).map_or(1, |at| at + 1);
        let message = format!("`{name}` is declared and never used: ask for less, and more will grant it");
        Problem { line, column: 1, message, advice: None }
    };
    unused.map(note).collect()
}
