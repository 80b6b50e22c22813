use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Instant, SystemTime};

use console::{Style, style};
use contract::Class;
use model::budget::Left;
use model::outcome::exit;
use serde::Serialize;

use crate::context::Context;
use crate::job;
use crate::output::{self, Format};

/// Say whether this machine has what Remit stands on, and what to do where it has not
#[derive(clap::Args)]
pub(crate) struct Args {}

/// How a look ended.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Ok,
    /// Something is not to be had; all else works.
    Warning,
    /// Remit does not work here.
    Failed,
}

/// One thing that was looked at.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
    next: Option<String>,
    /// What is left of each budget.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    budgets: Vec<Left>,
}

impl Check {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, state: State::Ok, detail: detail.into(), next: None, budgets: Vec::new() }
    }

    fn warning(name: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, state: State::Warning, detail: detail.into(), next: Some(next.into()), budgets: Vec::new() }
    }

    fn failed(name: &'static str, detail: impl Into<String>, next: impl Into<String>) -> Self {
        Self { name, state: State::Failed, detail: detail.into(), next: Some(next.into()), budgets: Vec::new() }
    }
}

pub(crate) async fn run(_: &Args, context: &Context) -> anyhow::Result<ExitCode> {
    let checks = vec![
        cargo(),
        target(),
        pool(),
        engine(context).await,
        // Opened first: whoever never ran anything has no folders yet, and they are made as they should be.
        store(context),
        folder("state folder", &context.state),
        folder("cache folder", &context.state.join("compiled")),
        folder("secrets folder", &context.state.join("secrets")),
        policy(context),
        device(context),
        budgets(context),
        packages(context),
        services(context),
        clock(context),
    ];
    match context.output {
        Format::Json => output::json(&checks)?,
        Format::Table => checks.iter().for_each(print),
    }
    let is_failed = checks.iter().any(|check| check.state == State::Failed);
    Ok(if is_failed { ExitCode::from(exit::FAILURE) } else { ExitCode::SUCCESS })
}

fn print(check: &Check) {
    let (word, look) = match check.state {
        State::Ok => ("ok", Style::new().green()),
        State::Warning => ("warning", Style::new().yellow()),
        State::Failed => ("failed", Style::new().red()),
    };
    let word = look.apply_to(format!("{word:<8}"));
    output::text_marked(word, &format!("{:<16} {}", check.name, check.detail.replace('\n', " ")));
    if let Some(next) = &check.next {
        output::text_marked(format!("         {}", style("next:").cyan()), next);
    }
}

fn cargo() -> Check {
    match said("cargo", &["--version"]) {
        Some(version) => Check::ok("cargo", version),
        None => Check::warning(
            "cargo",
            "not found: built plugins run, sources are not built here",
            "install the Rust toolchain to build plugins on this machine",
        ),
    }
}

fn target() -> Check {
    let libraries = said("rustc", &["--print", "target-libdir", "--target", "wasm32-wasip2"]).map(PathBuf::from);
    match libraries {
        Some(folder) if folder.is_dir() => Check::ok("wasm32-wasip2", folder.display().to_string()),
        _ => Check::warning(
            "wasm32-wasip2",
            "the target that plugins are built for is not installed",
            "rustup target add wasm32-wasip2",
        ),
    }
}

/// What a program of the toolchain says in one line.
#[expect(clippy::disallowed_methods, reason = "a person's own toolchain, started with their environment")]
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    Some(text.trim().to_owned())
}

fn pool() -> Check {
    match runtime::can_pool() {
        Ok(()) => Check::ok("address space", "enough for a pool of instances"),
        Err(error) => Check::warning(
            "address space",
            format!("no pool of instances, each is made on demand: {}", chain(&error)),
            "raise the limit of virtual memory (`ulimit -v`), if many runs a second matter here",
        ),
    }
}

async fn engine(context: &Context) -> Check {
    let start = Instant::now();
    let smoke = async { Ok::<_, anyhow::Error>(runtime::smoke_test(&context.engine()?, &context.compiler()?).await?) };
    match smoke.await {
        Ok(()) => {
            let detail = format!("a component was compiled in a child and run, in {} ms", start.elapsed().as_millis());
            Check::ok("engine", detail)
        }
        Err(error) => Check::failed("engine", format!("{error:#}"), "no plugin runs here until this is mended"),
    }
}

fn store(context: &Context) -> Check {
    match context.store().and_then(|store| Ok(store.runs(1)?.len())) {
        Ok(0) => Check::ok("store", "opens, and knows no run yet"),
        Ok(_) => Check::ok("store", "opens, and knows runs"),
        Err(error) => Check::failed(
            "store",
            format!("{error:#}"),
            "without a record nothing runs: mend it, or take `--state DIR`",
        ),
    }
}

/// A folder that belongs to who runs this, and to nobody else.
fn folder(name: &'static str, path: &Path) -> Check {
    let shown = path.display();
    let metadata = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::ok(name, format!("{shown} is made when it is needed"));
        }
        Err(error) => return Check::failed(name, format!("{shown}: {error}"), "run as the one whose folder it is"),
        Ok(metadata) if !metadata.is_dir() => {
            return Check::failed(name, format!("{shown} is no folder"), "move it away");
        }
        Ok(metadata) => metadata,
    };
    if let Some(why) = trespass(&metadata) {
        return Check::failed(name, format!("{shown} {why}"), format!("chown $(id -u) {shown}; chmod 700 {shown}"));
    }
    match try_to_write(path) {
        Ok(()) => Check::ok(name, format!("{shown} is its owner's alone")),
        Err(error) => {
            let detail = format!("{shown} cannot be written to: {error}");
            Check::failed(name, detail, "mount it writable, or take `--state DIR`")
        }
    }
}

/// Modes do not tell whether a file system takes anything, so it is tried.
fn try_to_write(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".doctor-{}", std::process::id()));
    std::fs::File::create(&probe)?;
    std::fs::remove_file(&probe)
}

#[cfg(unix)]
fn trespass(metadata: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let me = std::fs::metadata("/proc/self").map(|it| it.uid()).ok()?;
    let mode = metadata.mode() & 0o777;
    if metadata.uid() != me {
        return Some(format!("belongs to user {}, and this is user {me}", metadata.uid()));
    }
    (mode & 0o077 != 0).then(|| format!("has mode {mode:o}: others can enter it"))
}

/// Elsewhere access lists say it, and a new folder takes those of the one that it is in.
#[cfg(not(unix))]
fn trespass(_: &std::fs::Metadata) -> Option<String> {
    None
}

fn policy(context: &Context) -> Check {
    match context.host_policy() {
        Ok(policy) if policy.lines == 0 => {
            Check::ok("host policy", format!("{} is not there: class L2 and up by `--allow`", policy.path.display()))
        }
        Ok(policy) => Check::ok("host policy", format!("{} allows {}", policy.path.display(), policy.allow.len())),
        Err(error) => Check::failed("host policy", format!("{error:#}"), "mend the line that it names"),
    }
}

/// What runs at all, by the machine's owner.
fn device(context: &Context) -> Check {
    let Ok(policy) = context.host_policy() else {
        return Check::failed("device policy", "it is part of host policy, which cannot be read", "mend that");
    };
    let (device, now_ms) = (&policy.device, i64::try_from(context.clock.now_ms()).unwrap_or(i64::MAX));
    let written = device.written();
    let list = |names: &Option<Vec<String>>| names.as_ref().map(|names| format!("[{}]", names.join(", ")));
    let named = [
        ("up to", written.class_max.map(|class| class.to_string())),
        ("plugins", list(&written.plugins)),
        ("publishers", list(&written.publishers)),
    ];
    let mut said: Vec<String> =
        named.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect();
    for class in [Class::L2, Class::L3, Class::L4].into_iter().filter(|_| !written.windows.is_empty()) {
        said.push(match (device.is_open(class, now_ms), device.opens_ms(class, now_ms)) {
            (true, _) => format!("{class} may start now"),
            (false, Some(at_ms)) => {
                format!("{class} may start from {}", output::time(u64::try_from(at_ms).unwrap_or_default()))
            }
            (false, None) => format!("{class} may not start within a year"),
        });
    }
    match said.is_empty() {
        true => Check::ok("device policy", "limits nothing"),
        false => Check::ok("device policy", said.join("; ")),
    }
}

/// What is left of what all runs together may use in a day.
fn budgets(context: &Context) -> Check {
    const NAME: &str = "device budgets";
    let left = context.host_policy().and_then(|policy| {
        let Some(allowance) = context.allowance(&policy) else { return Ok(Vec::new()) };
        job::budgets_left(Some(&allowance), &*context.store()?, context.clock.now_ms())
    });
    let left = match left {
        Ok(left) => left,
        Err(error) => return Check::failed(NAME, format!("{error:#}"), "until they can be read nothing is charged"),
    };
    let detail: Vec<String> =
        left.iter().map(|it| format!("{}: {} of {} left", it.budget, it.left, it.limit)).collect();
    let spent: Vec<String> = left
        .iter()
        .filter(|it| it.left == 0)
        .map(|it| match it.more_at_ms {
            Some(at_ms) => format!("`{}` has room again from {}", it.budget, output::time(at_ms)),
            None => format!("`{}` is 0: host policy never lets any of it be used", it.budget),
        })
        .collect();
    let check = match (left.is_empty(), spent.is_empty()) {
        (true, _) => Check::ok(NAME, "limit nothing"),
        (false, true) => Check::ok(NAME, detail.join("; ")),
        (false, false) => Check::warning(NAME, detail.join("; "), spent.join("; ")),
    };
    Check { budgets: left, ..check }
}

fn packages(context: &Context) -> Check {
    let missing: Vec<&str> =
        ["usr/bin/apt-get", "usr/bin/dpkg"].into_iter().filter(|path| !context.root().join(path).exists()).collect();
    match missing.is_empty() {
        true => Check::ok("apt and dpkg", "updates and packages can be looked at"),
        false => Check::warning(
            "apt and dpkg",
            format!("{} is missing: `patch` answers `unsupported`", missing.join(", ")),
            "on a system with another package manager there is nothing to do",
        ),
    }
}

fn services(context: &Context) -> Check {
    if context.root().join("run/systemd/system").is_dir() {
        return Check::ok("services", "systemd runs the services");
    }
    match context.root().join("etc/init.d").is_dir() {
        true => Check::warning(
            "services",
            "systemd does not run here: services are those of /etc/init.d",
            "boot with systemd where an install must outlive its host, or services have states of their own",
        ),
        false => Check::warning("services", "neither systemd nor /etc/init.d", "`service` answers `unsupported` here"),
    }
}

/// A clock that is behind what it has already seen is wrong; records and expiries stand on it.
fn clock(context: &Context) -> Check {
    let now_ms = context.clock.now_ms();
    let of_program = std::env::current_exe().and_then(|path| path.metadata()?.modified()).ok();
    let of_program = of_program.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    let built_ms = of_program.and_then(|since| u64::try_from(since.as_millis()).ok()).unwrap_or_default();
    let last_run = context.store().ok().and_then(|store| store.runs(1).ok()?.first().map(|run| run.started_ms));
    let seen = [(built_ms, "this program was built"), (last_run.unwrap_or_default(), "the last run began")];
    let next = "set the clock (`timedatectl set-ntp true`): records, expiries and certificates stand on it";
    match seen.into_iter().max().filter(|(at_ms, _)| *at_ms > now_ms) {
        Some((at_ms, what)) => {
            let detail = format!("{} is before {what}, {}", output::time(now_ms), output::time(at_ms));
            Check::failed("clock", detail, next)
        }
        None => Check::ok("clock", output::time(now_ms)),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
