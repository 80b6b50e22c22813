//! Builds the component that runs scripts. It is committed built: whoever builds `remit` needs neither clang nor its target.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

use crate::process::{cargo_command, run as run_command};
use crate::setup;
use crate::workspace::Workspace;

/// Build the component that runs scripts, and write it with its digest into host/script
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing, and fail where what is built is not what is committed
    #[arg(long)]
    check: bool,
}

const TARGET: &str = "wasm32-unknown-unknown";
/// The version stands in the name: another one gives other bytes.
const PACKAGES: [&str; 2] = ["clang-19", "llvm-19"];

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    setup::rust_targets(&[TARGET])?;
    setup::debian_packages(&PACKAGES)?;
    let folder = workspace.root.join("host/script");
    let target = workspace.target.join("script");
    let core = core_module(&folder.join("guest"), &workspace.root, &target)?;
    let built = component(&folder.join("guest"), &core, &target)?;
    let digest = format!("sha256:{}\n", hex::encode(Sha256::digest(&built)));
    let (component, kept) = (folder.join("runtime.wasm"), folder.join("runtime.digest"));
    if args.check {
        let committed = std::fs::read_to_string(&kept).with_context(|| format!("{}", kept.display()))?;
        if committed != digest {
            bail!(
                "host/script is stale: committed is {}, built is {}; `cargo xtask script-runtime` writes it anew",
                committed.trim(),
                digest.trim()
            );
        }
        println!("{} is what host/script/guest builds", digest.trim());
        return Ok(ExitCode::SUCCESS);
    }
    std::fs::write(component, &built)?;
    std::fs::write(kept, &digest)?;
    println!("host/script/runtime.wasm: {} bytes, {}", built.len(), digest.trim());
    Ok(ExitCode::SUCCESS)
}

/// QuickJS and its bindings. No folder of this machine is in it: the same sources are the same bytes everywhere.
fn core_module(guest: &Path, root: &Path, target: &Path) -> anyhow::Result<PathBuf> {
    // The last that fits is taken.
    let mut folders = vec![(root.to_owned(), "/remit".to_owned()), (target.to_owned(), "/target".to_owned())];
    let registries = std::fs::read_dir(cargo_home()?.join("registry/src")).into_iter().flatten().flatten();
    folders.extend(registries.map(|registry| (registry.path(), "/cargo".to_owned())));
    let rust: Vec<String> =
        folders.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).collect();
    let c: Vec<String> =
        folders.iter().map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display())).collect();
    let mut build = cargo_command();
    build.args(["build", "--locked", "--profile", "guest", "--package", "script-runtime", "--target", TARGET]);
    build.current_dir(guest).env("CARGO_TARGET_DIR", target);
    build.env("CC_wasm32_unknown_unknown", "clang-19").env("AR_wasm32_unknown_unknown", "llvm-ar-19");
    build.env("CFLAGS_wasm32_unknown_unknown", c.join(" "));
    // Separated by what no folder has in its name.
    run_command(build.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", rust.join("\x1f")))?;
    Ok(target.join(TARGET).join("guest/script_runtime.wasm"))
}

/// The component, with the engine started in it.
fn component(guest: &Path, core: &Path, target: &Path) -> anyhow::Result<Vec<u8>> {
    let out = target.join("runtime.wasm");
    let mut build = cargo_command();
    build.args(["build", "--locked", "--package", "script-snapshot"]);
    run_command(build.current_dir(guest).env("CARGO_TARGET_DIR", target))?;
    run_command(Command::new(target.join("debug/script-snapshot")).arg(core).arg(&out))?;
    std::fs::read(&out).with_context(|| format!("{}", out.display()))
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    Ok(std::env::home_dir().context("where is cargo's home?")?.join(".cargo"))
}
