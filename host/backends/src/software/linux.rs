use std::collections::BTreeSet;

use contract::Context;
use contract::software::{Backend, FindPrograms, Program, Programs};
use contract::types::Error;

use crate::attributes;
use crate::errors;
use crate::facts::Root;
use crate::facts::dpkg::{self, Package};

/// States in which nothing of the program is there to run.
const ABSENT: [&str; 2] = ["config-files", "not-installed"];

/// This machine, or the recorded files of one.
pub(super) struct Linux {
    root: Root,
}

impl Linux {
    /// The system whose root this is.
    pub(super) fn at(root: Root) -> Self {
        Self { root }
    }
}

#[async_trait::async_trait]
impl Backend for Linux {
    async fn find_programs(&self, _: &Context, call: &FindPrograms) -> Result<Programs, Error> {
        let pattern = super::pattern(&call.name)?;
        let root = self.root.clone();
        let work = move || {
            let packages = dpkg::packages(&root).map_err(|error| errors::io("/var/lib/dpkg/status", &error))?;
            let (automatic, native) = (dpkg::automatic(&root), native_architecture(&root));
            let wanted = packages.into_iter().filter(|package| pattern.is_match(&package.name));
            let there = wanted.filter(|package| !ABSENT.contains(&package.state()));
            Ok(super::page(there.map(|package| program(&root, &automatic, &native, package)).collect()))
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| errors::failed("panic", format!("reading packages: {error}")))?
    }
}

fn program(root: &Root, automatic: &BTreeSet<(String, String)>, native: &str, package: Package) -> Program {
    // apt notes what runs everywhere under its own architecture.
    let arch = if package.arch == "all" { native } else { &package.arch };
    let is_automatic = automatic.contains(&(package.name.clone(), arch.to_owned()));
    Program {
        // As apt writes it: the architecture is named where it is not dpkg's own.
        id: match arch == native || arch.is_empty() {
            true => format!("apt:{}", package.name),
            false => format!("apt:{}:{arch}", package.name),
        },
        installed_ms: dpkg::unpacked_ms(root, &package),
        manager: "apt".to_owned(),
        attributes: attributes::known([
            ("source", Some(package.source)),
            ("section", Some(package.section)),
            ("size-bytes", package.size_kib.map(|size| size.saturating_mul(1_024).to_string())),
            ("status", Some(package.status)),
            ("automatic", Some(is_automatic.to_string())),
            ("arch", Some(package.arch)),
        ]),
        name: package.name,
        version: package.version,
        publisher: package.maintainer,
    }
}

/// The first that dpkg was told of; where it was told of none, Debian's word for what this program was built for.
fn native_architecture(root: &Root) -> String {
    let told = root.line("var/lib/dpkg/arch").and_then(|text| text.lines().next().map(str::to_owned));
    told.unwrap_or_else(|| {
        let built = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "i386",
            "arm" => "armhf",
            other => other,
        };
        built.to_owned()
    })
}
