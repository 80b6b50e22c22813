//! Every limit has a guest that runs into it: it ends with its own outcome, and completes where the limit is higher.

mod hostile;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostile::bounds::BOUNDS;
use hostile::table::{self, Guest, STACK_BYTES};
use hostile::{LAB, Ran};
use model::limits::LIMITS;
use model::{Event, Grants, Mode, Outcome, Verdict};
use runtime::{Compiler, Engine, Error, Options, Refusal};

#[test]
fn every_limit_has_a_guest() {
    let rows = table::rows();
    for limit in LIMITS {
        assert!(
            rows.iter().any(|row| row.limit == limit.name),
            "`{}` has no guest in tests/tests/hostile/table.rs",
            limit.name
        );
    }
    for row in &rows {
        let limit = LIMITS.iter().find(|limit| limit.name == row.limit);
        let is_bound = BOUNDS.iter().any(|bound| bound.name == row.limit);
        assert!(limit.is_some() || is_bound || row.limit == STACK_BYTES, "there is no limit `{}`", row.limit);
        // What a test raises a limit to, a manifest can ask for.
        let ceiling = limit.map_or(u64::MAX, |limit| limit.ceiling);
        assert!(row.raised.is_none_or(|raised| raised <= ceiling), "`{}` cannot be raised so far", row.limit);
    }
}

#[test]
fn every_bound_of_the_runtime_has_a_guest_or_a_test() {
    let sources = rust_files(&tests::built::repository().join("host/runtime/src"));
    let found = bounds_of(&sources);
    let known: BTreeMap<String, u64> = BOUNDS.iter().map(|bound| (bound.constant.to_owned(), bound.value)).collect();
    assert_eq!(found, known, "what the source has, and what tests/tests/hostile/bounds.rs has");
    let tests = rust_files(&tests::built::repository().join("tests/tests"));
    for bound in BOUNDS {
        let is_row = table::rows().iter().any(|row| row.limit == bound.name);
        let test = format!("fn {}()", bound.name);
        let has_test = sources.iter().chain(&tests).any(|(_, text)| text.contains(&test));
        assert!(is_row || has_test, "`{}` has neither a guest nor a test `{}`", bound.constant, bound.name);
    }
}

/// Every Rust file below a folder: its path from there without its ending, and its text.
fn rust_files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "rs" => {
                    let name = path.strip_prefix(folder).unwrap().with_extension("").display().to_string();
                    files.push((name, std::fs::read_to_string(&path).unwrap()));
                }
                _ => {}
            }
        }
    }
    files
}

/// The constants called `…_MAX`, by file and name, with their values.
fn bounds_of(sources: &[(String, String)]) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for (file, text) in sources {
        let mut local: BTreeMap<&str, u64> = BTreeMap::new();
        for line in text.lines().filter(|line| line.trim_start() == *line) {
            let Some((_, constant)) = line.trim_end_matches(';').split_once("const ") else { continue };
            let Some((name, value)) = constant.split_once(": ") else { continue };
            if let (true, Some((_, value))) = (name.ends_with("_MAX"), value.split_once(" = ")) {
                let value = evaluate(value, &local);
                local.insert(name, value);
            }
        }
        found.extend(local.iter().map(|(name, value)| (format!("{file}::{name}"), *value)));
    }
    found
}

/// Numbers, `*`, `<<`, seconds, and constants before it: what bounds are written with.
fn evaluate(text: &str, known: &BTreeMap<&str, u64>) -> u64 {
    let text = text.strip_prefix("Duration::from_secs(").map_or(text, |rest| rest.trim_end_matches(')'));
    let factor = |factor: &str| match factor.split_once(" << ") {
        Some((base, shift)) => base.parse::<u64>().unwrap() << shift.parse::<u32>().unwrap(),
        None => known.get(factor).copied().unwrap_or_else(|| factor.replace('_', "").parse().unwrap()),
    };
    text.split(" * ").map(factor).product()
}

#[test]
fn every_guest_ends_at_its_limit_and_completes_above_it() {
    let mut wrong = Vec::new();
    hostile::runtime().block_on(async {
        for row in table::rows() {
            let name = format!("{} at {} ({})", row.guest.name(), row.limit, row.amount);
            let stopped = LAB.stopped(&row).await;
            if !stopped.ended_as(row.ends) {
                wrong.push(format!("{name}: expected {:?}, ended {}", row.ends, told(&stopped)));
            }
            let raised = LAB.raised(&row).await;
            if !raised.is_whole() {
                wrong.push(format!("{name}, raised: ended {}", told(&raised)));
            }
            eprintln!("{name}: {} ms, raised {} ms", stopped.ended.resources.wall_ms, raised.ended.resources.wall_ms);
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn told(ran: &Ran) -> String {
    let ended = &ran.ended;
    format!("{} `{}` after {:?}", ended.outcome, ended.detail, ended.resources)
}

#[test]
fn what_no_limit_helps_ends_in_its_own_outcome() {
    let mut wrong = Vec::new();
    hostile::runtime().block_on(async {
        for (guest, ends) in table::WRONG {
            let ran = LAB.run_guest(*guest, 0, None).await;
            if !ran.ended_as(*ends) {
                wrong.push(format!("{}: expected {ends:?}, ended {}", guest.name(), told(&ran)));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mutator_is_for_remediate() {
    let ran = hostile::runtime().block_on(LAB.run_guest(Guest::Act("write-in-remediate", Mode::Enforce), 0, None));
    assert_eq!(ran.ended.outcome, Outcome::Completed, "{}", told(&ran));
    assert_eq!(written(&ran), ["key"]);
}

#[test]
fn a_guest_that_behaves_only_while_watched_is_shown_and_with_a_plan_stopped() {
    let hypocrite = |mode| Guest::Act("hypocrite", mode);
    hostile::runtime().block_on(async {
        let dry = LAB.run_guest(hypocrite(Mode::DryRun), 0, None).await;
        assert_eq!((dry.ended.outcome, dry.ended.verdict), (Outcome::Completed, Verdict::Planned), "{}", told(&dry));
        let plan = dry.ended.plan.clone().unwrap();

        let free = LAB.run_guest(hypocrite(Mode::Enforce), 0, None).await;
        assert_eq!(free.ended.outcome, Outcome::Completed, "{}", told(&free));
        assert_eq!(written(&free), ["promised", "not-promised"]);

        let tied = LAB.run_guest(hypocrite(Mode::Enforce), 0, Some(plan.clone())).await;
        assert_eq!(tied.ended.outcome, Outcome::Denied, "{}", told(&tied));
        assert!(
            tied.ended.detail.contains("the plan does not have kv-write.put-value not-promised"),
            "{}",
            told(&tied)
        );
        assert_eq!(written(&tied), ["promised"]);
    });
}

/// The keys that were really written.
fn written(ran: &Ran) -> Vec<&str> {
    let effects = ran.events.iter().filter_map(|event| match event {
        Event::Called(called) if called.interface == "kv-write" => Some(&called.effects),
        _ => None,
    });
    effects.flatten().map(|effect| effect.target.as_str()).collect()
}

#[test]
fn a_flood_of_lines_is_counted_to_the_last() {
    hostile::runtime().block_on(async {
        for row in table::rows().into_iter().filter(|row| row.limit == "log-lines-per-second") {
            let stopped = LAB.stopped(&row).await;
            assert_eq!(stopped.lines() + stopped.ended.resources.log_lines_dropped, row.amount, "{}", told(&stopped));
            assert_eq!(LAB.raised(&row).await.lines(), row.amount);
        }
    });
}

#[test]
fn the_architecture_has_this_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/ARCHITECTURE.md");
    let (text, table) = (std::fs::read_to_string(path).unwrap_or_default(), table::markdown());
    assert!(text.contains(&table), "host/ARCHITECTURE.md, `## Limits`, should hold:\n\n{table}");
}

#[test]
fn a_huge_module_is_compiled_by_a_child_that_has_limits() {
    let program = tests::built::remit().to_owned();
    let Compiler::Child { seconds_max, memory_bytes_max, .. } = Compiler::child(program.clone()) else {
        panic!("a child is no child");
    };
    hostile::runtime().block_on(async {
        let refused = compile(&program, 1, memory_bytes_max).await.unwrap_err();
        assert_eq!(refused, "compiling took more than 1 s");
        let refused = compile(&program, seconds_max, 24 << 20).await.unwrap_err();
        assert_eq!(refused, "compiling took more than 24 MiB of memory");
        compile(&program, seconds_max, memory_bytes_max).await.unwrap();
    });
    assert_eq!((seconds_max, memory_bytes_max), (120, 2 << 30), "the table in table.rs says so");
}

/// Compiles the huge module; an error is why it was refused.
async fn compile(program: &Path, seconds_max: u64, memory_bytes_max: u64) -> Result<(), String> {
    let engine = Engine::new(Options { pooled: false, ..Options::default() }).unwrap();
    let program = PathBuf::from(program);
    let compiler = Compiler::Child { program, seconds_max, memory_bytes_max };
    let plugin = hostile::plugin_of("huge-module");
    let started = std::time::Instant::now();
    let prepared = runtime::prepare(&engine, &plugin, &Grants::default(), None, &compiler).await;
    eprintln!("{} bytes, {seconds_max} s, {memory_bytes_max} bytes: {:?}", plugin.bytes().len(), started.elapsed());
    match prepared {
        Ok(_) => Ok(()),
        Err(Error::Refused(reasons)) => match reasons.as_slice() {
            [Refusal::NotCompiled { reason }] => Err(reason.clone()),
            other => panic!("{other:?}"),
        },
        Err(other) => panic!("{other:?}"),
    }
}
