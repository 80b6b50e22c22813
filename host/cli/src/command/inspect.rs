use std::path::PathBuf;
use std::process::ExitCode;

use contract::Class;
use model::capability;
use serde::Serialize;
use tabled::Tabled;

use crate::context::Context;
use crate::output::{self, Format};
use crate::source;

/// Show what a plugin is, what it may touch and why
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A built plugin, the folder with its source, or a script
    #[arg(default_value = ".")]
    plugin: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Label {
    name: String,
    version: String,
    publisher: String,
    description: String,
    license: String,
    digest: String,
    trust: String,
    remediates: bool,
    capabilities: Vec<Row>,
    parameters: serde_json::Value,
    limits: model::Limits,
}

#[derive(Serialize, Tabled)]
#[serde(rename_all = "kebab-case")]
struct Row {
    capability: String,
    class: Class,
    #[tabled(format("{}", if self.reveals_people { "people" } else { "" }), rename = "reveals")]
    reveals_people: bool,
    #[tabled(rename = "functions used", format("{}", self.functions.join(", ")))]
    functions: Vec<String>,
    reason: String,
}

pub(crate) async fn run(args: Args, context: &Context) -> anyhow::Result<ExitCode> {
    let plugin = source::load(&args.plugin, None).await?;
    let label = label(&plugin);
    match context.output {
        Format::Json => output::json(&label)?,
        Format::Table => print(&label),
    }
    Ok(ExitCode::SUCCESS)
}

fn label(plugin: &artifact::Plugin) -> Label {
    let manifest = plugin.manifest();
    let rows = manifest.capabilities.iter().filter_map(|(name, wish)| {
        let row = capability::interface(name)?;
        let import = plugin.imports().iter().find(|import| import.interface == *name);
        Some(Row {
            capability: capability::Capability { interface: row.name, scope: wish.scope.clone() }.to_string(),
            class: row.class,
            reveals_people: row.people,
            functions: import.map(|import| import.functions.clone()).unwrap_or_default(),
            reason: wish.reason.clone(),
        })
    });
    Label {
        name: manifest.plugin.name.clone(),
        version: manifest.plugin.version.to_string(),
        publisher: manifest.plugin.publisher.clone(),
        description: manifest.plugin.description.clone(),
        license: manifest.plugin.license.clone(),
        digest: plugin.digest().to_string(),
        trust: plugin.trust().to_string(),
        remediates: plugin.has_remediation(),
        capabilities: rows.collect(),
        parameters: manifest.parameters.clone(),
        limits: manifest.limits.clone(),
    }
}

fn print(label: &Label) {
    output::text(&format!("{} {} by {} ({})", label.name, label.version, label.publisher, label.trust));
    output::text(&label.description);
    output::text(&format!("{}, licence {}\n", label.digest, label.license));
    output::table(&label.capabilities);
}
