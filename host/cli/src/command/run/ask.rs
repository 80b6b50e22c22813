//! What a person asks for on the command line: parameters, limits, roots.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use model::RunId;
use model::capability::Capability;
use serde_json::{Map, Value};

use super::RunMode;
use crate::job::Job;
use crate::machine;
use crate::vouched::Device;

/// What a run by hand takes, whoever starts it.
#[derive(clap::Args)]
pub(in crate::command) struct Asks {
    #[command(flatten)]
    given: Given,

    /// Grant a capability of class L2 or above, such as `files-write` or `service-control [nginx]`, or addresses that are not
    /// public: `http [10.0.0.0/8]`
    #[arg(long, value_name = "CAPABILITY")]
    allow: Vec<Capability>,

    /// Let a named root stand for a folder
    #[arg(long = "bind", value_name = "NAME=DIR", value_parser = name_and_value)]
    binds: Vec<(String, String)>,

    /// Set a limit for this run, up to its ceiling, such as `wall-ms=60000`
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = name_and_value)]
    limits: Vec<(String, String)>,
}

/// Parameters.
#[derive(clap::Args)]
pub(in crate::command) struct Given {
    /// Set a parameter; what is not JSON is text
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    parameters: Vec<(String, String)>,

    /// Read parameters from a JSON file; `--param` goes before it
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// How it is run.
pub(in crate::command) struct How {
    pub(in crate::command) mode: RunMode,
    pub(in crate::command) plan: Option<RunId>,
    pub(in crate::command) record: Option<PathBuf>,
}

impl Asks {
    /// All of it, asked by whoever types it.
    pub(in crate::command) fn job(&self, how: How, device: &Device) -> anyhow::Result<Job> {
        Ok(Job {
            run: RunId::new(),
            mode: how.mode.into(),
            trigger: machine::by_hand(),
            given: self.given.read()?,
            allow: self.allow.clone(),
            only: Vec::new(),
            roots: self.roots()?,
            limits: self.limits.clone(),
            plan: how.plan,
            plan_digest: None,
            class_max: None,
            recording: how.record.is_some(),
            device: device.clone(),
            // Whoever goes on with it may be elsewhere.
            record: how.record.as_deref().map(std::path::absolute).transpose()?,
        })
    }

    /// Where named roots are.
    pub(in crate::command) fn roots(&self) -> anyhow::Result<BTreeMap<String, PathBuf>> {
        let bound = self.binds.iter().map(|(name, folder)| {
            let folder = std::fs::canonicalize(folder).with_context(|| format!("--bind {name}={folder}"))?;
            Ok((name.clone(), folder))
        });
        bound.collect()
    }
}

impl Given {
    /// As given: the file's, then those of the command line.
    pub(in crate::command) fn read(&self) -> anyhow::Result<Map<String, Value>> {
        let mut given = match &self.params {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
                serde_json::from_str(&text).with_context(|| format!("{}: expected a JSON object", path.display()))?
            }
            None => Map::new(),
        };
        for (name, value) in &self.parameters {
            let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.clone()));
            given.insert(name.clone(), value);
        }
        Ok(given)
    }
}
