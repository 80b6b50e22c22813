//! What this machine and the twin do alike, and what is refused, each beside a control.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::command::{self, ListTemplates, RunCommand};
use contract::types::{Attributes, Effect, Error, ErrorKind};
use contract::{Context, command_change};
use model::Digest;

use crate::spawn::Spawn;
use crate::testing::{context, shared};

use super::binary::Binary;
use super::{Commands, Fixture, Overlay, Pin, Policy, Template};

const TEMPLATES: &str = r#"
    shipped = false
    [templates.say]
    description = "Says a word"
    class = "L1"
    binary = "/usr/bin/echo"
    digest = "any-root-owned"
    arguments = ["said", "{word}"]
    parameters.word = { pattern = ".*" }
    [templates.fail]
    description = "Fails"
    class = "L1"
    binary = "/usr/bin/false"
    digest = "any-root-owned"
    [templates.count]
    description = "Counts"
    class = "L1"
    binary = "/usr/bin/seq"
    digest = "any-root-owned"
    arguments = ["{to}"]
    parameters.to = { integer = { min = 1, max = 99999 } }
    output-bytes = 10
    [templates.wait]
    description = "Waits"
    class = "L1"
    binary = "/usr/bin/sleep"
    digest = "any-root-owned"
    arguments = ["{how-long}"]
    parameters.how-long = { one-of = ["0", "30", "-x"] }
    timeout-ms = 1000
    [templates.change]
    description = "Changes nothing, but could"
    class = "L3"
    binary = "/usr/bin/true"
    digest = "any-root-owned"
    [templates.destroy]
    description = "Destroys nothing, but could"
    class = "L4"
    binary = "/usr/bin/true"
    digest = "any-root-owned"
    [templates.missing]
    description = "Is not there"
    class = "L1"
    binary = "/usr/bin/no-such-program"
    digest = "any-root-owned"
"#;

fn policy() -> Policy {
    toml::from_str(TEMPLATES).unwrap()
}

fn local(policy: &Policy) -> Commands {
    let mut shared = shared();
    shared.policy = Arc::new(crate::Policy { command: policy.clone(), ..crate::Policy::default() });
    super::real(&shared)
}

fn twin() -> Commands {
    let outputs = r#"
        [[outputs]]
        template = "say"
        arguments = { word = "hello; $(id) `id` > x" }
        stdout = "said hello; $(id) `id` > x\n"
        [[outputs]]
        template = "fail"
        exit-code = 1
        [[outputs]]
        template = "count"
        arguments = { to = "9" }
        stdout = "1\n2\n3\n4\n5\n6\n7\n8\n9\n"
        [[outputs]]
        template = "change"
        [[outputs]]
        template = "destroy"
    "#;
    let mut fixture: Fixture = toml::from_str(outputs).unwrap();
    fixture.policy = policy();
    Commands::in_memory(&fixture)
}

fn arguments(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn read(
    commands: &impl command::Backend,
    template: &str,
    pairs: &[(&str, &str)],
) -> Result<contract::types::CommandOutput, Error> {
    let call = RunCommand { template: template.into(), arguments: arguments(pairs), timeout_ms: 0 };
    commands.run_command(&context(), &call).await
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind, error.code)
}

fn scoped(entry: &str) -> Context {
    let mut cx = context();
    cx.scope = vec![entry.to_owned()].into();
    cx
}

async fn reads(commands: &Commands) {
    let said = read(commands, "say", &[("word", "hello; $(id) `id` > x")]).await.unwrap();
    assert_eq!((said.exit_code, said.stdout.as_str()), (0, "said hello; $(id) `id` > x\n"), "one argument, as it is");
    assert_eq!(read(commands, "fail", &[]).await.unwrap().exit_code, 1);
    let cut = read(commands, "count", &[("to", "9")]).await.unwrap();
    assert_eq!((cut.stdout.as_str(), cut.truncated), ("1\n2\n3\n4\n5\n", true));

    let invalid = (ErrorKind::Invalid, "argument".to_owned());
    for (template, pairs) in [
        ("say", &[("word", "--version")][..]),
        ("say", &[("word", "-n")]),
        ("say", &[("word", "a\nb")]),
        ("say", &[("word", "a\0b")]),
        ("say", &[("word", "")]),
        ("say", &[("word", "a"), ("word", "b")]),
        ("say", &[("word", "a"), ("more", "b")]),
        ("say", &[]),
        ("count", &[("to", "0")]),
        ("count", &[("to", "+9")]),
        ("count", &[("to", "9 9")]),
        ("count", &[("to", "100000")]),
        ("wait", &[("how-long", "31")]),
    ] {
        assert_eq!(refused(read(commands, template, pairs).await), invalid, "{template} {pairs:?}");
    }
    assert_eq!(refused(read(commands, "nothing", &[]).await).0, ErrorKind::NotFound);
    assert_eq!(refused(read(commands, "missing", &[]).await).0, ErrorKind::NotFound);
    let changes = (ErrorKind::Denied, "template-changes".to_owned());
    assert_eq!(refused(read(commands, "change", &[]).await), changes);
    let call = RunCommand { template: "fail".into(), arguments: Vec::new(), timeout_ms: 600_001 };
    let error = command::Backend::run_command(commands, &context(), &call).await;
    assert_eq!(refused(error), (ErrorKind::Invalid, "timeout".to_owned()));

    let listed = command::Backend::list_templates(commands, &scoped("say"), &ListTemplates {}).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), &listed[0].arguments[..]), ("say", &["word".to_owned()][..]));
    let all = command::Backend::list_templates(commands, &context(), &ListTemplates {}).await.unwrap();
    assert!(all.iter().any(|it| it.name == "fail") && all.iter().all(|it| it.name != "missing"));
}

async fn changes(commands: &impl command_change::Backend, is_planned: bool) {
    let call =
        |template: &str| command_change::RunCommand { template: template.into(), arguments: Vec::new(), timeout_ms: 0 };
    let ran = commands.run_command(&context(), &call("change")).await.unwrap();
    assert_eq!(
        (ran.change.effect, ran.change.before, ran.change.after.as_deref()),
        (Effect::Changed, None, Some("ran"))
    );
    assert_eq!(ran.output.map(|output| output.exit_code), (!is_planned).then_some(0));
    let denied = (ErrorKind::Denied, "class".to_owned());
    assert_eq!(refused(commands.run_command(&context(), &call("destroy")).await), denied, "`*` does not name it");
    assert!(commands.run_command(&scoped("destroy"), &call("destroy")).await.is_ok());
    let odd = command_change::RunCommand { arguments: arguments(&[("x", "y")]), ..call("change") };
    assert_eq!(refused(commands.run_command(&context(), &odd).await).0, ErrorKind::Invalid);
}

#[tokio::test]
async fn this_machine_conforms() {
    let commands = local(&policy());
    reads(&commands).await;
    changes(&commands, false).await;
}

#[tokio::test]
async fn the_twin_conforms() {
    let commands = twin();
    reads(&commands).await;
    changes(&commands, false).await;
}

#[tokio::test]
async fn the_overlay_refuses_alike_and_runs_nothing() {
    let mut shared = shared();
    shared.policy = Arc::new(crate::Policy { command: policy(), ..crate::Policy::default() });
    changes(&Overlay::new(&shared), true).await;
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed() {
    let commands = local(&policy());
    assert_eq!(read(&commands, "wait", &[("how-long", "0")]).await.unwrap().exit_code, 0);
    let started = Instant::now();
    assert_eq!(refused(read(&commands, "wait", &[("how-long", "30")]).await).0, ErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_ne!(read(&commands, "wait", &[("how-long", "-x")]).await.unwrap().exit_code, 0, "a list may name options");
}

#[tokio::test]
async fn what_ships_runs_here() {
    let commands = local(&Policy::default());
    let disks = read(&commands, "disk-usage", &[]).await.unwrap();
    assert_eq!(disks.exit_code, 0, "{}", disks.stderr);
    assert!(disks.stdout.contains("1B-blocks") && disks.attributes[0].1.len() == 64, "{}", disks.stdout);
    let held = read(&commands, "held-packages", &[]).await.unwrap();
    assert_eq!(held.exit_code, 0, "{}", held.stderr);
    for (name, template) in Policy::default().templates() {
        let is_here = template.binary().is_file();
        assert_eq!(open(template.binary(), template.digest()).is_ok(), is_here, "{name}");
    }
}

/// A program of ours, in a folder of ours.
struct Program {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Program {
    fn new(source: &str, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::copy(source, &path).unwrap();
        Self { _folder: folder, path }
    }

    fn chmod(&self, mode: u32) {
        std::fs::set_permissions(&self.path, PermissionsExt::from_mode(mode)).unwrap();
    }

    fn exactly(&self) -> Pin {
        Pin::Exactly(Digest::of(&std::fs::read(&self.path).unwrap()))
    }
}

fn open(path: &Path, pin: &Pin) -> Result<Binary, (ErrorKind, String)> {
    Binary::open(path, pin).map_err(|error| (error.kind, error.code))
}

fn failed(code: &str) -> (ErrorKind, String) {
    (ErrorKind::Failed, code.to_owned())
}

#[tokio::test]
async fn what_runs_is_what_was_looked_at() {
    let program = Program::new("/usr/bin/echo", "say");
    let pin = program.exactly();
    let binary = open(&program.path, &pin).unwrap();
    // Another one takes its place after it was looked at.
    let other = program.path.with_extension("new");
    std::fs::copy("/usr/bin/false", &other).unwrap();
    std::fs::rename(&other, &program.path).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    let output = Spawn::new(binary.program(), deadline).arg0("say").arg("still me").run().await.unwrap();
    assert_eq!((output.code, &output.stdout[..]), (0, &b"still me\n"[..]));
    assert_eq!(open(&program.path, &pin).unwrap_err(), failed("digest"), "and the next time it is noticed");
    assert!(open(&program.path, &program.exactly()).is_ok());
}

#[test]
fn what_others_may_change_is_no_command() {
    let program = Program::new("/usr/bin/echo", "say");
    let pin = program.exactly();
    for (mode, is_fine) in [(0o755, true), (0o775, false), (0o757, false), (0o644, false), (0o700, true)] {
        program.chmod(mode);
        assert_eq!(open(&program.path, &pin).is_ok(), is_fine, "{mode:o}");
    }
    program.chmod(0o755);
    let folder = program.path.parent().unwrap();
    let any = |mode| {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(mode)).unwrap();
        open(&program.path, &Pin::AnyRootOwned)
    };
    assert_eq!(any(0o777).unwrap_err(), failed("binary"));
    assert_eq!(any(0o755).is_ok(), rustix::process::geteuid().is_root(), "only root's own is root's");
}

#[test]
fn scripts_and_interpreters_are_no_commands() {
    let script = Program::new("/usr/bin/echo", "nice-report");
    std::fs::write(&script.path, "#!/bin/sh\necho hello\n").unwrap();
    assert_eq!(open(&script.path, &script.exactly()).unwrap_err(), failed("binary"));
    let text = Program::new("/usr/bin/echo", "report");
    std::fs::write(&text.path, "echo hello\n").unwrap();
    assert_eq!(open(&text.path, &text.exactly()).unwrap_err(), failed("binary"));
    let debian = Path::new("/usr/sbin/update-ca-certificates");
    assert_eq!(open(debian, &Pin::AnyRootOwned).unwrap_err(), failed("binary"), "a script of Debian's own");
    assert!(open(Path::new("/usr/bin/df"), &Pin::AnyRootOwned).is_ok());

    for shell in ["/bin/sh", "/bin/bash", "/usr/bin/perl", "/usr/bin/env", "/usr/bin/find"] {
        assert_eq!(open(Path::new(shell), &Pin::AnyRootOwned).unwrap_err(), failed("binary"), "{shell}");
    }
    for source in ["/bin/dash", "/bin/bash", "/usr/bin/perl"] {
        let renamed = Program::new(source, "harmless");
        assert_eq!(
            open(&renamed.path, &renamed.exactly()).unwrap_err(),
            failed("binary"),
            "{source} under another name"
        );
    }
    let link = Program::new("/usr/bin/echo", "unused");
    let behind = link.path.with_file_name("harmless");
    symlink("/bin/dash", &behind).unwrap();
    assert_eq!(open(&behind, &Pin::AnyRootOwned).unwrap_err(), failed("binary"), "what counts is where it leads");
}

#[test]
fn a_wrong_template_says_what_is_wrong() {
    let problem = |changes: &[(&str, &str)]| {
        let mut text = "description = \"x\"\nclass = \"L1\"\nbinary = \"/usr/bin/df\"\ndigest = \"any-root-owned\"\n\
                        arguments = [\"{a}\"]\nparameters.a = { pattern = \"x\" }\n"
            .to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        toml::from_str::<Template>(&text).err().map(|error| error.message().to_owned())
    };
    assert_eq!(problem(&[]), None);
    for (from, to, word) in [
        ("\"L1\"", "\"L2\"", "class L2"),
        ("/usr/bin/df", "df", "absolute path"),
        ("/usr/bin/df", "/usr/bin/../bin/df", "absolute path"),
        ("/usr/bin/df", "/bin/bash", "one program that does one thing"),
        ("/usr/bin/df", "/usr/bin/python3.11", "one program that does one thing"),
        ("digest = \"any-root-owned\"\n", "", "digest"),
        ("any-root-owned", "sha256:0", "is no digest"),
        ("[\"{a}\"]", "[\"--size={a}\"]", "stands alone"),
        ("[\"{a}\"]", "[\"{b}\"]", "has no `parameters.b`"),
        ("[\"{a}\"]", "[]", "is used by no"),
        ("pattern = \"x\"", "pattern = \"(\"", "pattern `(`"),
        ("pattern = \"x\"", "one-of = []", "empty"),
        ("class", "timeout-ms = 0\nclass", "timeout-ms"),
        ("class", "shell = true\nclass", "unknown field"),
    ] {
        let problem = problem(&[(from, to)]).unwrap_or_default();
        assert!(problem.contains(word), "{to}: {problem}");
    }
}
