//! The recipes of `sdk/recipes/`: each runs on this machine with nothing but `remit`, each finds on a managed host what it is
//! there to find, and nothing where that is not so.

mod files;
mod machine;
mod managed;
mod network;
mod people;
mod services;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use managed::Managed;
use serde_json::Value;
use tests::{Remit, built, need_root};

/// A recipe, and how it is tried.
struct Recipe {
    name: &'static str,
    /// What it is given on this machine.
    here: &'static [&'static str],
    /// Which host it shares with others.
    on: Group,
    /// Prepares what it should find there, and what it should not.
    on_a_host: fn(&Managed),
}

#[derive(Clone, Copy, PartialEq)]
enum Group {
    Files,
    Services,
    Network,
    People,
    Machine,
}

const LOOPBACK: &str = "http [127.0.0.0/8, ::1/128]";
const NETWORKS: &str = r#"networks=["127.0.0.0/8", "::1/128"]"#;

/// Nothing of what is asked for on this machine leaves it.
const RECIPES: [Recipe; 20] = [
    recipe("backup-age", &["--bind", "backups={here}"], Group::Files, files::backup_age),
    recipe(
        "certificate-expiry",
        &["--param", r#"urls=["https://localhost:1"]"#, "--param", NETWORKS, "--allow", LOOPBACK],
        Group::Network,
        network::certificates,
    ),
    recipe("clear-caches", &["--bind", "cache={here}"], Group::Files, files::clear_caches),
    recipe("crash-loop", &["--param", r#"services=["none"]"#], Group::Services, services::crash_loop),
    recipe("cron-listing", &[], Group::Machine, machine::cron_listing),
    recipe("custom-field", &["--param", "value=ann"], Group::Machine, machine::custom_field),
    recipe("disk-forecast", &[], Group::Machine, machine::disk_forecast),
    recipe("dns-resolution", &["--param", r#"names=["localhost"]"#], Group::Network, network::names),
    recipe("failed-logins", &[], Group::People, people::failed_logins),
    recipe("listening-ports", &[], Group::Network, network::ports),
    recipe("local-administrators", &[], Group::People, people::administrators),
    recipe("log-search", &["--bind", "logs={here}"], Group::Files, files::log_search),
    recipe("mount-missing", &[], Group::Services, services::mount_missing),
    recipe("package-presence", &["--param", r#"present=["dpkg"]"#], Group::Services, services::packages),
    recipe("reboot-reminder", &[], Group::Machine, machine::reboot_reminder),
    recipe(
        "restart-hung-service",
        &["--param", "service=none", "--param", "url=http://localhost:1/", "--allow", LOOPBACK],
        Group::Services,
        services::hung,
    ),
    recipe("stale-sessions", &[], Group::People, people::stale_sessions),
    recipe(
        "time-drift",
        &["--param", "url=http://localhost:1/", "--param", NETWORKS, "--allow", LOOPBACK],
        Group::Network,
        network::clock,
    ),
    recipe("top-memory", &[], Group::Machine, machine::top_memory),
    recipe("uptime-report", &[], Group::Machine, machine::uptime),
];

const fn recipe(name: &'static str, here: &'static [&'static str], on: Group, on_a_host: fn(&Managed)) -> Recipe {
    Recipe { name, here, on, on_a_host }
}

impl Recipe {
    fn script(&self) -> PathBuf {
        folder().join(format!("{}.js", self.name))
    }

    fn text(&self) -> String {
        fs::read_to_string(self.script()).unwrap()
    }

    /// Its line in the table of README.md, made of its first comment and its manifest.
    fn row(&self, remit: &Remit) -> String {
        let label = remit.run(&["--output", "json", "inspect", self.script().to_str().unwrap()]).expect(0).json();
        let text = self.text();
        let comment: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("// ")).collect();
        let comment = comment.join(" ");
        let (what, instead) = comment.split_once(" Replaces ").expect("the first comment says what it replaces");
        let capabilities = label["capabilities"].as_array().unwrap().iter().map(|it| {
            let interface = it["capability"].as_str().unwrap().split(' ').next().unwrap();
            let people = if it["reveals-people"] == true { "*" } else { "" };
            format!("`{interface}`{people} {}", it["class"].as_str().unwrap())
        });
        let required = label["parameters"]["required"].as_array().cloned().unwrap_or_default();
        // In the order in which its author wrote them.
        let mut names: Vec<&String> = label["parameters"]["properties"].as_object().unwrap().keys().collect();
        names.sort_by_key(|name| text.find(&format!("\n      {name}: {{")));
        let names = names.iter().map(|name| match required.iter().any(|it| it == name.as_str()) {
            true => format!("**`{name}`**"),
            false => format!("`{name}`"),
        });
        let cells = [
            format!("[`{0}`]({0}.js)", self.name),
            what.to_owned(),
            instead.trim_end_matches('.').to_owned(),
            capabilities.collect::<Vec<_>>().join(", "),
            names.collect::<Vec<_>>().join(", "),
        ];
        format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
    }
}

fn folder() -> PathBuf {
    built::repository().join("sdk/recipes")
}

/// The names of what lies in a folder and ends so.
fn stems(folder: &PathBuf, ending: &str) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter_map(|name| name.strip_suffix(ending).map(str::to_owned)).collect()
}

#[test]
fn every_recipe_has_a_row() {
    let rows: BTreeSet<String> = RECIPES.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(stems(&folder(), ".js"), rows);
    assert_eq!(stems(&folder(), ".fixtures"), rows);
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    let remit = Remit::new();
    for recipe in RECIPES {
        let row = recipe.row(&remit);
        assert!(readme.contains(&row), "sdk/recipes/README.md has not the line\n{row}");
    }
}

#[test]
fn every_recipe_runs_here_without_a_toolchain() {
    let remit = managed::compiled();
    let here = remit.folder("here");
    fs::write(here.join("app.log"), "all is well\n").unwrap();
    for recipe in RECIPES {
        let mut arguments = vec!["--output", "json", "run"];
        let script = recipe.script();
        let given: Vec<String> = recipe.here.iter().map(|it| it.replace("{here}", here.to_str().unwrap())).collect();
        arguments.extend([script.to_str().unwrap(), "--mode", "dry-run"]);
        arguments.extend(given.iter().map(String::as_str));
        let output = remit.command(&arguments).env("PATH", "/nonexistent").output().unwrap();
        let ran: Value = tests::remit::Ran::from(output).json();
        assert_eq!(ran["outcome"], "completed", "{}: {ran}", recipe.name);
        let effects = ran["effects"].as_array().unwrap();
        assert!(effects.iter().all(|effect| effect["effect"] == "planned"), "{}: {ran}", recipe.name);
    }
}

#[test]
fn every_recipe_passes_its_fixtures() {
    let remit = managed::compiled();
    for recipe in RECIPES {
        let fixtures = fs::read_dir(recipe.script().with_extension("fixtures")).unwrap();
        let verdicts = fixtures.map(|entry| {
            let fixture: toml::Value = toml::from_str(&fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
            fixture["expect"]["verdict"].as_str().unwrap().to_owned()
        });
        let verdicts: BTreeSet<String> = verdicts.collect();
        for verdict in ["compliant", "non-compliant"] {
            assert!(verdicts.contains(verdict), "{}: no fixture is {verdict}", recipe.name);
        }
        remit.run(&["test", recipe.script().to_str().unwrap()]).expect(0);
    }
}

#[test]
fn every_recipe_is_strictly_typed() {
    assert_eq!(tests::tsc::complaints(&folder()), "");
    // The control: the same folder, and one recipe that reads what is not there.
    let remit = Remit::new();
    let copy = remit.folder("sdk/recipes");
    let types = built::repository().join("sdk/javascript");
    std::os::unix::fs::symlink(types, remit.folder("sdk").join("javascript")).unwrap();
    fs::copy(folder().join("tsconfig.json"), copy.join("tsconfig.json")).unwrap();
    let wrong = RECIPES[0].text().replace("sizeBytes", "size");
    fs::write(copy.join("wrong.js"), wrong).unwrap();
    let complaints = tests::tsc::complaints(&copy);
    assert!(complaints.contains("wrong.js(") && complaints.contains("Property 'size' does not exist"), "{complaints}");
}

/// Every recipe of a group, on one host.
fn on_a_host(group: Group, root: tests::Root) {
    let host = Managed::boot(root);
    for recipe in RECIPES.iter().filter(|recipe| recipe.on == group) {
        (recipe.on_a_host)(&host);
        assert!(host.has_run(recipe.name), "{} never ran", recipe.name);
    }
}

#[test]
fn files_on_a_host() {
    on_a_host(Group::Files, need_root!());
}

#[test]
fn services_on_a_host() {
    on_a_host(Group::Services, need_root!());
}

#[test]
fn the_network_of_a_host() {
    on_a_host(Group::Network, need_root!());
}

#[test]
fn people_on_a_host() {
    on_a_host(Group::People, need_root!());
}

#[test]
fn the_machine_of_a_host() {
    on_a_host(Group::Machine, need_root!());
}
