//! `remit doctor` says what a machine lacks: each look, on a machine that lacks it, beside the same machine that does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::{Remit, built, need_root, remit};

/// What doctor said, by the name of each look.
struct Said {
    code: Option<i32>,
    checks: Vec<Value>,
}

impl Said {
    fn of(mut command: Command) -> Self {
        let ran = remit::Ran::from(command.output().unwrap());
        Self { code: ran.code, checks: ran.json().as_array().unwrap().clone() }
    }

    fn check(&self, name: &str) -> &Value {
        self.checks
            .iter()
            .find(|check| check["name"] == name)
            .unwrap_or_else(|| panic!("no {name}: {:#?}", self.checks))
    }

    #[track_caller]
    fn is_ok(&self, name: &str) {
        assert_eq!(self.check(name)["state"], "ok", "{}", self.check(name));
    }

    /// That this look ended so, said that, and names a next step.
    #[track_caller]
    fn complains(&self, name: &str, state: &str, said: &str) {
        let check = self.check(name);
        assert_eq!(check["state"], state, "{check}");
        assert!(check["detail"].as_str().unwrap().contains(said), "{check}");
        assert!(check["next"].as_str().is_some_and(|next| !next.is_empty()), "{check}");
        assert_eq!(
            self.code,
            Some(i32::from(state == "failed")),
            "what is missing and not needed is no failure: {check}"
        );
    }
}

fn command(remit: &Remit) -> Command {
    remit.command(&["--output", "json", "doctor"])
}

fn doctor(remit: &Remit) -> Said {
    Said::of(command(remit))
}

/// Doctor, started by a line of a shell that ends with `"$@"`.
fn doctor_in(remit: &Remit, line: &str) -> Said {
    let doctor = command(remit);
    let mut shell = Command::new("sh");
    shell.args(["-c", line, "sh"]).arg(doctor.get_program()).args(doctor.get_args()).env_clear();
    shell.envs(doctor.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Said::of(shell)
}

#[test]
fn a_machine_that_lacks_nothing_is_well() {
    let remit = Remit::new();
    let said = doctor(&remit);
    assert_eq!(said.code, Some(0));
    for name in ["cargo", "wasm32-wasip2", "address space", "engine", "store", "state folder", "cache folder", "clock"]
    {
        said.is_ok(name);
    }
    let text = remit.run(&["doctor"]).expect(0).stdout;
    assert_eq!(text.lines().filter(|line| !line.contains("next:")).count(), said.checks.len(), "{text}");
}

#[test]
fn a_toolchain_without_the_target_builds_no_plugins() {
    let remit = Remit::new();
    let tools = remit.folder("tools");
    let with = |libraries: &Path| {
        for (name, says) in [("cargo", "cargo 1.0.0"), ("rustc", libraries.to_str().unwrap())] {
            fs::write(tools.join(name), format!("#!/bin/sh\necho '{says}'\n")).unwrap();
            fs::set_permissions(tools.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut command = command(&remit);
        command.env("PATH", &tools);
        Said::of(command)
    };
    with(&tools).is_ok("wasm32-wasip2");
    let without = with(&remit.folder("home").join("no/such/target"));
    without.complains("wasm32-wasip2", "warning", "the target that plugins are built for is not installed");
    assert_eq!(without.check("wasm32-wasip2")["next"], "rustup target add wasm32-wasip2");
    without.is_ok("cargo");
    for name in ["cargo", "rustc"] {
        fs::remove_file(tools.join(name)).unwrap();
    }
    let mut nothing = command(&remit);
    nothing.env("PATH", &tools);
    Said::of(nothing).complains("cargo", "warning", "not found");
}

#[test]
fn a_folder_that_others_can_enter_is_not_trusted() {
    let remit = Remit::new();
    doctor(&remit);
    for (name, folder) in [("state folder", ""), ("cache folder", "compiled"), ("secrets folder", "secrets")] {
        let folder = remit.state().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let with_mode = |mode| {
            fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
            doctor(&remit)
        };
        let open = with_mode(0o755);
        open.complains(name, "failed", "has mode 755: others can enter it");
        assert!(open.check(name)["next"].as_str().unwrap().contains("chmod 700"));
        with_mode(0o700).is_ok(name);
    }
    let cache = remit.state().join("compiled");
    fs::remove_dir(&cache).unwrap();
    fs::write(&cache, "").unwrap();
    doctor(&remit).complains("cache folder", "failed", "is no folder");
}

#[test]
fn a_cache_that_takes_nothing_is_found() {
    need_root!();
    let remit = Remit::new();
    let cache = remit.state().join("compiled");
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(remit.state(), fs::Permissions::from_mode(0o700)).unwrap();
    let mounted = |options: &str| {
        let cache = cache.display();
        let inside = format!("mount -t tmpfs -o mode=700{options} tmpfs '{cache}' && exec \"$@\"");
        doctor_in(&remit, &format!("exec unshare --mount sh -c '{}' sh \"$@\"", inside.replace('\'', "'\\''")))
    };
    mounted(",ro").complains("cache folder", "failed", "cannot be written to");
    mounted("").is_ok("cache folder");
    // And one that is somebody else's.
    std::os::unix::fs::chown(&cache, Some(65_534), None).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).unwrap();
    doctor(&remit).complains("cache folder", "failed", "belongs to user 65534, and this is user 0");
}

#[test]
fn without_address_space_there_is_no_pool_and_plugins_run() {
    let remit = Remit::new();
    let tight = doctor_in(&remit, "ulimit -v 4000000; exec \"$@\"");
    tight.complains("address space", "warning", "no pool of instances");
    tight.is_ok("engine");
    doctor_in(&remit, "exec \"$@\"").is_ok("address space");
}

/// The engine compiles in a child, which is this program once more: where that is not what it is started as, nothing compiles.
#[test]
fn an_engine_that_cannot_compile_is_found() {
    let remit = Remit::new();
    let loader = loader();
    let broken = doctor_in(&remit, &format!("exec {} \"$@\"", loader.display()));
    broken.complains("engine", "failed", "it cannot be compiled");
    broken.is_ok("store");
    doctor(&remit).is_ok("engine");
}

/// The program that starts dynamic programs, and is itself what the kernel then runs.
fn loader() -> PathBuf {
    let folders = ["/lib64", "/lib"].into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let is_loader = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with("ld-linux-") && name.contains(".so.")
    };
    folders.map(|entry| entry.path()).find(is_loader).expect("a loader")
}

#[test]
fn a_memory_that_does_not_open_is_found() {
    let remit = Remit::new();
    doctor(&remit).is_ok("store");
    let (file, kept) = (remit.state().join("state.db"), remit.state().join("kept"));
    fs::rename(&file, &kept).unwrap();
    fs::create_dir(&file).unwrap();
    doctor(&remit).complains("store", "failed", "state.db");
    fs::remove_dir(&file).unwrap();
    fs::rename(&kept, &file).unwrap();
    doctor(&remit).is_ok("store");
    // One that is damaged is set aside, and there is a new one.
    for file in ["state.db", "state.db-wal"].map(|name| remit.state().join(name)) {
        fs::write(file, "this is no database, and was one before".repeat(100)).unwrap();
    }
    doctor(&remit).is_ok("store");
    let names = fs::read_dir(remit.state()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(names.into_iter().any(|name| name.starts_with("state.db.corrupt-")));
}

#[test]
fn a_policy_that_nobody_can_read_is_found() {
    let remit = Remit::new();
    doctor(&remit).is_ok("host policy");
    fs::write(remit.policy(), "[ticket]\nkeep-dais = 3\n").unwrap();
    doctor(&remit).complains("host policy", "failed", "keep-dais");
    fs::write(remit.policy(), "[ticket]\nkeep-days = 3\n").unwrap();
    doctor(&remit).is_ok("host policy");
    fs::remove_file(remit.policy()).unwrap();
    doctor(&remit).complains("host policy", "failed", "policy.toml");
}

#[test]
fn another_root_lacks_what_it_lacks() {
    let remit = Remit::new();
    let root = remit.folder("root");
    let look = || Said::of(remit.command(&["--output", "json", "--root", root.to_str().unwrap(), "doctor"]));
    let empty = look();
    empty.complains("apt and dpkg", "warning", "usr/bin/apt-get, usr/bin/dpkg is missing");
    empty.complains("services", "warning", "neither systemd nor /etc/init.d");
    fs::create_dir_all(root.join("usr/bin")).unwrap();
    fs::create_dir_all(root.join("run/systemd/system")).unwrap();
    for name in ["apt-get", "dpkg"] {
        fs::write(root.join("usr/bin").join(name), "").unwrap();
    }
    look().is_ok("apt and dpkg");
    look().is_ok("services");
}

/// A clock that is behind what it has seen is wrong: here behind the day on which the program was built.
#[test]
fn a_clock_that_is_behind_is_found() {
    let remit = Remit::new();
    let copy = remit.folder("bin").join("remit");
    fs::copy(built::remit(), &copy).unwrap();
    let built_in = |days: u64| {
        let at = std::time::SystemTime::now() + std::time::Duration::from_secs(days * 86_400);
        fs::File::options().append(true).open(&copy).unwrap().set_modified(at).unwrap();
        let mut command = Command::new(&copy);
        command.args(["--output", "json", "doctor"]).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        command.env("REMIT_STATE", remit.state()).env("REMIT_POLICY", remit.policy());
        Said::of(command)
    };
    built_in(0).is_ok("clock");
    built_in(2).complains("clock", "failed", "is before this program was built");
}
