//! Runs the long form of every test that has one.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::bail;

use crate::long_forms::{self, Binary, LongForm};
use crate::setup;
use crate::suite;
use crate::tally::Tally;
use crate::workspace::Workspace;

/// Run the long form of every test that has one, on a machine that does nothing else
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Leave out the tests that need root: they are named, and counted as skipped
    #[arg(long)]
    no_root: bool,

    /// Only tests whose name contains one of these
    names: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::load()?;
    let all = long_forms::find(&workspace)?;
    let chosen: Vec<LongForm> = all.tests.iter().filter(|it| is_chosen(it, &args.names)).cloned().collect();
    if !all.astray.is_empty() {
        bail!("{}", all.astray.join("\n"));
    }
    if chosen.is_empty() {
        let names: Vec<String> = all.tests.iter().map(ToString::to_string).collect();
        bail!("no such test has a long form; these have:\n  {}", names.join("\n  "));
    }
    suite::set_up(&workspace, args.no_root)?;
    if !args.no_root {
        setup::debian_packages(setup::TO_SOAK)?;
    }
    let mut command = suite::command(args.no_root);
    command.env(::tests::SOAK, "1").arg("--workspace").args(arguments(&chosen));
    suite::run(&mut command, |tally| never_asked(&chosen, tally))
}

fn is_chosen(test: &LongForm, names: &[String]) -> bool {
    names.is_empty() || names.iter().any(|name| test.to_string().contains(name))
}

/// What of `cargo test` runs these, one after the other: they measure, and take the whole machine.
fn arguments(chosen: &[LongForm]) -> Vec<&str> {
    // Of a workspace `--lib` is those of all its crates; what they do not have, they do not run.
    let flags = chosen.iter().map(|it| match &it.binary {
        Binary::Lib(_) => vec!["--lib"],
        Binary::Test(name) => vec!["--test", name.as_str()],
    });
    let targets = flags.collect::<BTreeSet<_>>().into_iter().flatten();
    let tests = chosen.iter().map(|it| it.test.as_str());
    targets.chain(["--", "--exact", "--nocapture", "--test-threads=1"]).chain(tests).collect()
}

/// Those that ran in their short form, or not at all.
fn never_asked(chosen: &[LongForm], tally: &Tally) -> Vec<String> {
    let names = chosen.iter().map(ToString::to_string);
    let missing = names.filter(|name| !tally.soaked.contains(name) && !tally.skipped.contains(name));
    missing.map(|name| format!("{name} did not take its long form")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen() -> Vec<LongForm> {
        [("crash", "random"), ("limits_memory", "passes"), ("crash", "managed")]
            .map(|(target, test)| LongForm { binary: Binary::Test(target.to_owned()), test: test.to_owned() })
            .into()
    }

    #[test]
    fn each_binary_is_named_once() {
        let arguments = arguments(&chosen()).join(" ");
        let targets = "--test crash --test limits_memory";
        assert_eq!(arguments, format!("{targets} -- --exact --nocapture --test-threads=1 random passes managed"));
    }

    #[test]
    fn a_test_that_took_its_short_form_is_named() {
        let mut tally = Tally::default();
        tally.read("soaked: crash::random");
        tally.read("skipped: crash::managed");
        assert_eq!(never_asked(&chosen(), &tally), ["limits_memory::passes did not take its long form"]);
        tally.read("soaked: limits_memory::passes");
        assert_eq!(never_asked(&chosen(), &tally), [""; 0]);
    }

    #[test]
    fn a_name_chooses_by_a_part_of_it() {
        let of = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            chosen().iter().filter(|it| is_chosen(it, &names)).count()
        };
        assert_eq!([of(&[]), of(&["crash"]), of(&["memory", "random"]), of(&["nothing"])], [3, 2, 2, 0]);
    }
}
