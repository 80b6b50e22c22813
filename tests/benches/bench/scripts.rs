//! What a script costs, and beside it the same plugin as a component of its own: `tests/scenarios/site-guard`, which does the
//! same in every form.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use artifact::Cache;
use model::RunId;
use runtime::{Compiler, Engine, MemoryRecorder, Options};
use serde_json::{Map, json};
use tests::built;
use tests::site_guard::Form;

use crate::Bench;
use crate::host::{self, Host};
use crate::process::PYTHON;
use crate::row::{Bar, Row, Unit};
use crate::sample::{Sample, in_turns, timed};
use crate::warm::run;

/// A device on which all is well: what is behind the calls costs next to nothing.
const DEVICE: &str =
    "now = 2026-01-01T00:00:00Z\n[files]\nroots = [\"logs\"]\n[[service]]\nname = \"nginx\"\nstate = \"running\"\n";

/// The most microseconds of a warm run of a script.
const WARM_MAX: f64 = 2_000.0;

fn on_device(tokio: &tokio::runtime::Runtime, plugin: &Path) -> Host {
    let parameters = Map::from_iter([("service".to_owned(), json!("nginx"))]);
    tokio.block_on(Host::on(plugin, DEVICE, parameters))
}

fn warm_run(tokio: &tokio::runtime::Runtime, host: &Host) -> f64 {
    timed(|| tokio.block_on(host.run_by_default(RunId::new(), Box::new(MemoryRecorder::default()))))
}

/// A whole warm run: instantiated, evaluated, `detect` called, its record in memory.
pub(crate) fn warm(bench: &Bench) -> Row {
    let tokio = host::tokio();
    let host = on_device(&tokio, &Form::Script.plugin(&bench.remit));
    let (baseline, subject) =
        in_turns(200, || timed(|| run(Command::new(PYTHON).args(["-c", "pass"]))), || warm_run(&tokio, &host));
    Row {
        work: "a whole warm run of a script, record in memory",
        peer: "python3 -c pass",
        bar: Some(Bar::TimesWithin { times: 1.0, most: WARM_MAX }),
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// How often a host compiles for the first run of a second script, beside the first script's: counted, and not timed.
pub(crate) fn second(bench: &Bench) -> Row {
    let (tokio, folder) = (host::tokio(), bench.on_tmpfs());
    let (counts, compiler) = (folder.path().join("counts"), folder.path().join("compiler"));
    let counting = format!("#!/bin/sh\necho >> {}\nexec {} \"$@\"\n", counts.display(), bench.remit.display());
    std::fs::write(&compiler, counting).unwrap();
    std::fs::set_permissions(&compiler, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (compiler, engine) = (Compiler::child(compiler), Engine::new(Options::default()).unwrap());
    let cache = Cache::open(folder.path().join("compiled")).unwrap();
    let mut counted = 0;
    let mut first_run = |name: &str| {
        let text = format!(
            "export const manifest = {{ name: \"{name}\", description: \"A script\" }};\n\
             export function detect() {{ return {{ verdict: \"compliant\", summary: \"{name}\" }}; }}\n"
        );
        let script = folder.path().join(format!("{name}.js"));
        std::fs::write(&script, text).unwrap();
        let plugin = std::fs::read(built::with(&bench.remit, &script)).unwrap();
        let plugin = artifact::verify_local(plugin, None).unwrap();
        let grants = plugin.manifest().wishes(&Map::new()).unwrap();
        tokio.block_on(runtime::prepare(&engine, &plugin, &grants, Some(&cache), &compiler)).unwrap();
        let before = std::mem::replace(&mut counted, std::fs::read(&counts).unwrap_or_default().len());
        Sample::of(vec![(counted - before) as f64])
    };
    let (baseline, subject) = (first_run("first"), first_run("second"));
    assert!(baseline.median > 0.0, "the first one is compiled for, and that is counted");
    Row {
        work: "compiled for the first run of a second script",
        peer: "the first script",
        bar: Some(Bar::Times(0.0)),
        ..Row::new(Unit::Count, baseline, subject)
    }
}

/// What is shipped.
pub(crate) fn size(bench: &Bench, form: Form) -> Row {
    let bytes = |plugin: PathBuf| Sample::of(vec![plugin.metadata().unwrap().len() as f64]);
    let (baseline, subject) = (bytes(Form::Rust.plugin(&bench.remit)), bytes(form.plugin(&bench.remit)));
    Row { work: "size of a plugin", peer: "the same in Rust", ..Row::new(Unit::Bytes, baseline, subject) }
}

/// What a host that runs such plugins does before the first run of another one: a script's runtime is there by then.
pub(crate) fn compile(bench: &Bench, form: Form) -> Row {
    let (tokio, folder) = (host::tokio(), bench.on_tmpfs());
    let engine = Engine::new(Options::default()).unwrap();
    let cache = Cache::open(folder.path().join("compiled")).unwrap();
    let prepare = |plugin: &Path, cache: Option<&Cache>| {
        let plugin = artifact::verify_local(std::fs::read(plugin).unwrap(), None).unwrap();
        let parameters = Map::from_iter([("service".to_owned(), json!("nginx"))]);
        let grants = plugin.manifest().wishes(&parameters).unwrap();
        timed(|| {
            drop(tokio.block_on(runtime::prepare(&engine, &plugin, &grants, cache, &Compiler::InProcess)).unwrap())
        })
    };
    let (of_rust, of_form) = (Form::Rust.plugin(&bench.remit), form.plugin(&bench.remit));
    let cache = matches!(form, Form::Script).then_some(&cache);
    prepare(&of_form, cache);
    let (baseline, subject) = in_turns(3, || prepare(&of_rust, None), || prepare(&of_form, cache));
    Row {
        work: "compiling it, before its first run",
        peer: "the same in Rust",
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// What a host compiles once, for all scripts that will ever run there.
pub(crate) fn compile_runtime(bench: &Bench) -> Row {
    let tokio = host::tokio();
    let engine = Engine::new(Options::default()).unwrap();
    let prepare = |plugin: &Path| {
        let plugin = artifact::verify_local(std::fs::read(plugin).unwrap(), None).unwrap();
        let parameters = Map::from_iter([("service".to_owned(), json!("nginx"))]);
        let grants = plugin.manifest().wishes(&parameters).unwrap();
        timed(|| drop(tokio.block_on(runtime::prepare(&engine, &plugin, &grants, None, &Compiler::InProcess)).unwrap()))
    };
    let (of_rust, of_script) = (Form::Rust.plugin(&bench.remit), Form::Script.plugin(&bench.remit));
    let (baseline, subject) = in_turns(3, || prepare(&of_rust), || prepare(&of_script));
    Row {
        work: "compiling the script runtime, once a host",
        peer: "one plugin in Rust",
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// `remit run`, compiled before, its state on tmpfs.
pub(crate) fn cold(bench: &Bench, form: Form) -> Row {
    let folder = bench.on_tmpfs();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, "").unwrap();
    let started = |plugin: &Path| {
        let mut remit = Command::new(&bench.remit);
        remit.arg("--state").arg(folder.path().join("state")).arg("--policy").arg(&policy);
        let remit = remit.args(["--output", "json", "run"]).arg(plugin).args(["--param", "service=nginx"]);
        let mut code = None;
        let took = timed(|| code = remit.output().unwrap().status.code());
        (took, code)
    };
    let (of_rust, of_form) = (Form::Rust.plugin(&bench.remit), form.plugin(&bench.remit));
    // However that ends on this machine, it ends so in both forms.
    assert_eq!(started(&of_rust).1, started(&of_form).1);
    let (baseline, subject) = in_turns(50, || started(&of_rust).0, || started(&of_form).0);
    Row {
        work: "`remit run`, compiled before",
        peer: "the same in Rust",
        ..Row::new(Unit::Microseconds, baseline, subject)
    }
}

/// A warm run, as above.
pub(crate) fn warm_form(bench: &Bench, form: Form) -> Row {
    let tokio = host::tokio();
    let of_rust = on_device(&tokio, &Form::Rust.plugin(&bench.remit));
    let of_form = on_device(&tokio, &form.plugin(&bench.remit));
    let (baseline, subject) = in_turns(300, || warm_run(&tokio, &of_rust), || warm_run(&tokio, &of_form));
    Row { work: "a whole warm run", peer: "the same in Rust", ..Row::new(Unit::Microseconds, baseline, subject) }
}
