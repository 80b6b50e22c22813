//! No durable write without a fail point beside it: or a crash at it is never tried.

use std::fs;
use std::path::{Path, PathBuf};

use tests::built;

/// What makes something last, or takes it away.
const WRITES: [&str; 16] = [
    ".commit()",
    "COMMIT;",
    "::rename(",
    "::symlink(",
    "symlinkat(",
    "renameat(",
    "renameat_with(",
    "sync_all(",
    "sync_data(",
    "fsync(",
    "ftruncate(",
    "set_len(",
    "mkdirat(",
    "unlinkat(",
    "fs::write(",
    "remove_file(",
];

/// Where a person's words, or a name that says nothing by itself, are written: by file and function, and why nothing is lost.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("host/artifact/src/cache.rs", "new_private_file", "takes away what is unfinished, which nobody reads"),
    ("host/backends/src/files/linux/quarantine.rs", "sync", "has the disk know what its callers did beside a point"),
    ("host/backends/src/files/linux/remove.rs", "erase_level", "`erase` calls it between two points"),
    ("host/backends/src/patch/linux/jobs.rs", "take", "for a person to read: the job's document is what counts"),
    (
        "host/cli/src/agent/executor/member/parcels.rs",
        "read_list",
        "is of no plugin that is fetched: it is taken away again",
    ),
    ("host/cli/src/agent/install/step.rs", "remove", "done again by the next `uninstall`"),
    ("host/cli/src/agent/joined.rs", "forget", "done again by the next `leave`"),
    ("host/cli/src/agent/joined.rs", "forget_device_key", "done again by the next `join --as-new`"),
    ("host/cli/src/agent/network/serve.rs", "listen", "a socket that nobody listens at any more"),
    ("host/cli/src/agent/upgrade/attempt.rs", "forget", "was told, and is told again where it stays"),
    ("host/cli/src/agent/upgrade/place.rs", "remove", "done again by the next `uninstall`"),
    ("host/cli/src/agent/socket.rs", "listen", "a socket that nobody listens at any more"),
    ("host/cli/src/agent/socket.rs", "drop", "a socket that nobody listens at any more"),
    ("host/cli/src/command/doctor.rs", "try_to_write", "nothing is in it, and nobody reads it"),
    ("host/cli/src/main.rs", "write_touched", "for whoever asked, when all is over"),
    ("host/cli/src/shipped.rs", "text_file", "part of a project, which is written again by the next build"),
    (
        "host/cli/src/source/python.rs",
        "install",
        "says what was installed: where it says less, that is installed again",
    ),
    ("host/cli/src/source/stage.rs", "component", "says of what it was built: where it says less, it is built again"),
    ("host/cli/src/suspended/mod.rs", "forget", "what is left of a run that is over is swept by the next command"),
    ("host/cli/src/suspended/unit.rs", "remove", "what is left of a run that is over is swept by the next command"),
    ("host/cli/src/command/hub/export.rs", "run", "a copy for somebody: what was cut short is made again, beside it"),
    ("host/desk/src/hand.rs", "forget", "what is left of an order is none, and goes with a later one"),
    ("host/distribution/src/file.rs", "remove", "what goes is named by nobody any more, and is taken away again"),
    ("host/distribution/src/partial.rs", "start_over", "a download's digest is looked at before it is used"),
    ("host/distribution/src/partial.rs", "finish", "a download's digest is looked at before it is used"),
    (
        "host/hub/src/ca.rs",
        "write_private",
        "a new file; of `init`, `backup` and `restore` nothing counts before the last one",
    ),
    ("host/hub/src/db/backup.rs", "last", "has the disk know a copy that nobody uses yet"),
    ("host/hub/src/db/backup.rs", "put_files", "the last part of a backup: one without it is refused"),
    ("host/hub/src/db/readers.rs", "see", "a table of the connection, in memory"),
    ("host/hub/src/db/writer.rs", "each", "its savepoints are of the transaction that `commit` commits"),
    (
        "host/hub/src/upkeep.rs",
        "backup",
        "a copy for somebody: what was cut short is taken away, or refused where it is restored",
    ),
    ("host/sources/src/kept.rs", "sweep", "was kept for rules that are no more"),
    ("host/store/src/aside.rs", "look_at_log", "what it moves is no log any more"),
    ("host/store/src/aside.rs", "keep_latest", "the next one takes away what is left"),
    ("host/store/src/commit.rs", "together", "its savepoints are of the transaction that `finish` commits"),
    ("host/store/src/holder.rs", "drop", "a lock's name says nothing"),
    ("host/store/src/reserve.rs", "release", "nothing is in it"),
    ("host/store/src/reserve.rs", "take", "nothing is in it"),
    ("host/durable/src/whole.rs", "sync_folder", "`replace` calls it after its last point"),
];

/// Crates that run on a device, and the hub.
#[rustfmt::skip]
const CRATES: [&str; 12] = [
    "artifact", "backends", "cli", "desk", "distribution", "durable", "hub", "model", "runtime", "sources", "store", "trust",
];

/// Modules that only tests have.
fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let name_is = ["conformance", "hostile", "real_root", "server", "testing", "tests", "undoing"].contains(&name)
        || name.ends_with("_tests");
    name_is
        || path.components().any(|it| ["conformance", "levels", "tests"].contains(&it.as_os_str().to_str().unwrap()))
}

fn sources() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        CRATES.iter().map(|name| built::repository().join("host").join(name).join("src")).collect();
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false if !is_test(&path) => sources.push(path),
                false => {}
            }
        }
    }
    sources.sort();
    sources
}

/// Functions, by name, with their lines. rustfmt wrote them: one ends where a brace stands as far in as its `fn`.
fn functions(source: &str) -> Vec<(String, Vec<&str>)> {
    let source = source.split("mod tests {\n").next().unwrap();
    let lines: Vec<&str> = source.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut functions = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let words = line.trim_start();
        let Some((before, rest)) = words.split_once("fn ") else { continue };
        let is_function =
            before.split(' ').all(|it| ["", "pub", "pub(crate)", "pub(super)", "async", "const"].contains(&it));
        if !is_function {
            continue;
        }
        let name = rest.split(['(', '<']).next().unwrap().to_owned();
        let body = lines[at..]
            .iter()
            .skip(1)
            .take_while(|it| it.trim().is_empty() || it.trim() != "}" || depth(it) != depth(line));
        functions.push((name, std::iter::once(line).chain(body).copied().collect()));
    }
    functions
}

/// Functions that make something last and do not pass a fail point.
fn without_a_point(source: &str) -> Vec<String> {
    let writes = |line: &&str| !line.trim_start().starts_with("//") && WRITES.iter().any(|write| line.contains(write));
    let is_open = |body: &[&str]| body.iter().any(writes) && !body.iter().any(|it| it.contains("fail::point(\""));
    functions(source).into_iter().filter(|(_, body)| is_open(body)).map(|(name, _)| name).collect()
}

#[test]
fn every_durable_write_has_a_fail_point() {
    let mut found = Vec::new();
    for path in sources() {
        let name = path.strip_prefix(built::repository()).unwrap().to_str().unwrap().to_owned();
        let open = without_a_point(&fs::read_to_string(&path).unwrap());
        found.extend(open.into_iter().map(|function| format!("{name}: {function}")));
    }
    let mut known: Vec<String> = WITHOUT.iter().map(|(file, function, _)| format!("{file}: {function}")).collect();
    known.sort();
    found.sort();
    assert_eq!(found, known, "each needs `store::fail::point(…)` before it and after it, or its reason in WITHOUT");
}

#[test]
fn a_write_without_a_point_is_found() {
    let with = "fn one() {\n    fail::point(\"a\");\n    transaction.commit()?;\n}\n";
    let without =
        "impl It {\n    pub(super) fn two(\n        &self,\n    ) -> T {\n        fs::rename(a, b)\n    }\n}\n";
    assert_eq!(without_a_point(with), [""; 0]);
    assert_eq!(without_a_point(without), ["two"]);
    assert_eq!(without_a_point(&format!("{with}{without}")), ["two"]);
}

/// A point that nobody passes would be listed in vain.
#[test]
fn every_point_is_passed_somewhere() {
    let all: String = sources().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let points = store::fail::POINTS.iter().chain(&hub::fail::POINTS).chain(&hub::fail::OF_RESTORE);
    let unused: Vec<_> = points.filter(|point| !all.contains(&format!("fail::point(\"{point}\")"))).collect();
    assert_eq!(unused, [&""; 0]);
}
