//! A dry run cannot lie: it touches nothing, and what it planned is what the run that is tied to it does.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use serde_json::{Value, json};
use tests::{Remit, built, remit};

const DAYS_60: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// Everything that `lstat` says of one name, and what a file holds.
#[derive(Debug, PartialEq)]
struct Seen {
    path: String,
    content: Option<Vec<u8>>,
    numbers: Vec<i64>,
}

/// All that is below a folder, without touching any of it: contents are read with `O_NOATIME`.
fn look(folder: &Path) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut folders = vec![folder.to_owned()];
    seen.push(look_at(folder));
    while let Some(next) = folders.pop() {
        let entries = list_unseen(&next);
        for path in entries {
            let one = look_at(&path);
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                folders.push(path);
            }
            seen.push(one);
        }
    }
    seen.sort_by(|a, b| a.path.cmp(&b.path));
    seen
}

fn look_at(path: &Path) -> Seen {
    let stat = fs::symlink_metadata(path).unwrap();
    let numbers = vec![
        i64::from(stat.mode()),
        i64::from(stat.uid()),
        i64::from(stat.gid()),
        stat.size().cast_signed(),
        stat.ino().cast_signed(),
        stat.nlink().cast_signed(),
        stat.mtime(),
        stat.mtime_nsec(),
        stat.ctime(),
        stat.ctime_nsec(),
        stat.atime(),
        stat.atime_nsec(),
    ];
    let content = stat.is_file().then(|| read_unseen(path));
    Seen { path: path.display().to_string(), content, numbers }
}

/// Opens a file or folder so that reading it does not move its access time.
fn open_unseen(path: &Path) -> fs::File {
    let flags = OFlags::RDONLY | OFlags::NOATIME | OFlags::CLOEXEC;
    fs::File::from(openat(CWD, path, flags, Mode::empty()).unwrap())
}

fn read_unseen(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    open_unseen(path).read_to_end(&mut content).unwrap();
    content
}

fn list_unseen(folder: &Path) -> Vec<PathBuf> {
    let names =
        Dir::new(open_unseen(folder)).unwrap().map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
    names.filter(|name| name != "." && name != "..").map(|name| folder.join(name)).collect()
}

fn age(path: &Path) {
    // An access time before the last change is what the kernel moves first (`relatime`).
    let old = SystemTime::now() - DAYS_60;
    let times = fs::FileTimes::new().set_modified(old).set_accessed(old - DAYS_60);
    fs::File::open(path).unwrap().set_times(times).unwrap();
}

/// Old files and new ones, deep and shallow, with modes of their own, and a link.
fn scratch(remit: &Remit) -> PathBuf {
    let scratch = remit.folder("scratch");
    fs::create_dir_all(scratch.join("deep/deeper")).unwrap();
    for (path, mode, is_old) in [
        ("one.log", 0o640, true),
        ("deep/two.log", 0o600, true),
        ("deep/deeper/three.bin", 0o755, true),
        ("new.log", 0o644, false),
    ] {
        let path = scratch.join(path);
        fs::write(&path, format!("what {} holds\n", path.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        if is_old {
            age(&path);
        }
    }
    symlink("one.log", scratch.join("link")).unwrap();
    scratch
}

/// Interface, function, target, before and after of each effect, and the words for what was done.
fn effects(run: &Value) -> (Vec<Value>, Vec<String>) {
    let effects = run["effects"].as_array().unwrap();
    let what = |it: &Value| json!([it["interface"], it["function"], it["target"], it["before"], it["after"]]);
    let word = |it: &Value| it["effect"].as_str().unwrap().to_owned();
    (effects.iter().map(what).collect(), effects.iter().map(word).collect())
}

#[test]
fn a_dry_run_touches_nothing_its_plan_is_done_and_undone() {
    let remit = Remit::new();
    let (scratch, plugin) = (scratch(&remit), built::plugin("disk-cleanup"));
    let bind = format!("scratch={}", scratch.display());
    let before = look(&scratch);

    let dry = remit.run_plugin(&plugin, &["--mode", "dry-run", "--bind", &bind]).expect(0).json();
    assert_eq!(look(&scratch), before, "not a byte, not a time");
    // The control for `look`: a read that is not careful is seen.
    fs::read(scratch.join("one.log")).unwrap();
    assert_ne!(look(&scratch), before);
    assert_eq!(dry["verdict"], "planned");
    let run = dry["run"].as_str().unwrap();

    let tied = ["--mode", "enforce", "--plan", run, "--allow", "files-write", "--bind", &bind];
    let enforced = remit.run_plugin(&plugin, &tied).expect(0).json();
    assert_eq!(enforced["verdict"], "fixed");
    let ((planned, planned_words), (changed, changed_words)) = (effects(&dry), effects(&enforced));
    assert_eq!(planned, changed);
    assert_eq!(
        (planned.len(), &planned_words[..], &changed_words[..]),
        (3, &["planned"; 3].map(str::to_owned)[..], &["changed"; 3].map(str::to_owned)[..])
    );
    assert!(!scratch.join("one.log").exists() && scratch.join("new.log").exists());

    let undone = remit.run(&["--output", "json", "undo", enforced["run"].as_str().unwrap()]).expect(0).json();
    assert_eq!(undone["effects"].as_array().unwrap().len(), 3);
    // Names, contents, owners, modes, sizes, inodes and when they were written; that they were moved shows in the change times.
    let lasting = |seen: Vec<Seen>| -> Vec<_> {
        let numbers = |it: &Seen| it.numbers[..8].to_vec();
        seen.iter().map(|it| (it.path.clone(), it.content.clone(), numbers(it))).collect()
    };
    assert_eq!(lasting(look(&scratch)), lasting(before));
}

#[test]
fn whoever_does_more_than_planned_is_stopped() {
    let remit = Remit::new();
    let (scratch, plugin) = (remit.folder("scratch"), remit::guest("two-faced"));
    let bind = format!("scratch={}", scratch.display());
    let run = |args: &[&str]| remit.run_plugin(&plugin, &[&["--bind", &bind], args].concat());
    let lay_out = || ["old", "precious"].map(|name| fs::write(scratch.join(name), name).unwrap());
    let enforce = ["--mode", "enforce", "--allow", "files-write"];
    let plan = |args: &[&str]| {
        let dry = run(&[&["--mode", "dry-run"], args].concat()).expect(0).json();
        dry["run"].as_str().unwrap().to_owned()
    };

    lay_out();
    let planned = plan(&[]);
    let stopped = run(&[&enforce[..], &["--plan", &planned]].concat()).expect(21).json();
    assert_eq!(stopped["outcome"], "denied");
    assert!(stopped["detail"].as_str().unwrap().contains("precious"), "{stopped}");
    assert!(scratch.join("precious").exists() && !scratch.join("old").exists());

    // The control: whoever keeps to the plan gets through.
    lay_out();
    let planned = plan(&["--param", "honest=true"]);
    let honest = run(&[&enforce[..], &["--plan", &planned, "--param", "honest=true"]].concat()).expect(0).json();
    assert_eq!(honest["verdict"], "fixed");

    // Without a plan nothing stops it, and everything is shown.
    lay_out();
    let shown = run(&enforce).expect(0).json();
    let (what, words) = effects(&shown);
    assert_eq!(words, ["changed", "changed"]);
    assert!(what.iter().any(|it| it[2].as_str().unwrap().contains("precious")), "{shown}");
    assert!(!scratch.join("precious").exists());
}

#[test]
fn a_plan_is_of_one_plugin_and_its_parameters() {
    let remit = Remit::new();
    let (scratch, plugin) = (scratch(&remit), built::plugin("disk-cleanup"));
    let bind = format!("scratch={}", scratch.display());
    let dry = remit.run_plugin(&plugin, &["--mode", "dry-run", "--bind", &bind]).expect(0).json();
    let run = dry["run"].as_str().unwrap();
    let before = look(&scratch);
    let tied = ["--mode", "enforce", "--plan", run, "--allow", "files-write", "--bind", &bind];
    let other = remit.run_plugin(&plugin, &[&tied[..], &["--param", "older-than-days=1"]].concat()).expect(20);
    assert!(other.stderr.contains("older-than-days"), "{other}");
    let other = remit.run_plugin(&remit::guest("two-faced"), &tied).expect(20);
    assert!(other.stderr.contains("planned for disk-cleanup"), "{other}");
    assert_eq!(look(&scratch), before);
}
