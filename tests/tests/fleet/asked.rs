//! What a real device has, asked in SQL at a real hub.

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use tests::hub::{Hub, init};

use super::*;

/// What dpkg itself says.
fn dpkg(package: &str) -> String {
    let ran = Command::new("/usr/bin/dpkg-query").args(["-W", "-f", "${Version}", package]).output().unwrap();
    assert!(ran.status.success());
    String::from_utf8(ran.stdout).unwrap()
}

/// A technician's own machine, which asks this hub.
struct Desk<'a> {
    site: &'a Site,
    remit: Remit,
}

impl Desk<'_> {
    fn run(&self, args: &[&str]) -> Ran {
        self.site.msp.run_on(&self.remit, args)
    }

    #[track_caller]
    fn rows(&self, sql: &str) -> Value {
        self.run(&["query", sql, "--output", "json"]).expect(0).json()["rows"].take()
    }
}

/// How many bytes each message had that told rows of packages, as the executor wrote it down.
fn told(site: &Site) -> Vec<usize> {
    let of_packages = |line: &&str| line.contains("what changed of a table is told") && line.contains("deb_packages");
    let bytes = |line: &str| serde_json::from_str::<Value>(line).ok()?["fields"]["bytes"].as_u64()?.try_into().ok();
    site.log().lines().filter(of_packages).filter_map(bytes).collect()
}

/// What each of these tests begins with: a hub that serves, a device that joins it, and a technician who asks.
struct World {
    site: Site,
    folder: PathBuf,
    status: PathBuf,
    hub: Hub,
    authority: String,
}

impl World {
    /// The client's policy says this of people, or there is none.
    fn new(people: Option<&str>) -> Self {
        let mut site = Site::new();
        let msp = &site.msp;
        let folder = msp.folder.join("hub");
        let folder_text = folder.to_str().unwrap();
        let made = msp.ok(&[&init(folder_text, "root.statement")[..], &["--output", "json"]].concat()).json();
        msp.ok(&["hub", "take", "--folder", folder_text, "seats.statement"]);
        if let Some(people) = people {
            let text = "serial = 1\nexpires = \"2050-01-01T00:00:00Z\"\nclient = \"acme\"\nclass-max = \"L2\"\n";
            let allows = "modes = [\"detect\"]\npublishers = [\"*\"]\n";
            msp.write("policy.toml", &format!("{text}{allows}people = \"{people}\"\n"));
            msp.ok(&["policy", "make", "policy.toml", "--key", "ann"]);
            msp.ok(&["sign", "policy.statement", "--key", "ben"]);
            msp.ok(&["hub", "take", "--folder", folder_text, "policy.statement"]);
        }
        let hub = Hub::start(&msp.remit, &folder);
        // The system that is managed is a folder with what dpkg knows of this machine.
        let root = site.machine.folder("managed");
        let status = root.join("var/lib/dpkg/status");
        fs::create_dir_all(status.parent().unwrap()).unwrap();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::copy("/var/lib/dpkg/status", &status).unwrap();
        let accounts = "root:x:0:0:root:/root:/bin/sh\nann:x:1001:1001:Ann Example:/home/ann:/bin/sh\n";
        fs::write(root.join("etc/passwd"), accounts).unwrap();
        site.root = Some(root);
        Self { site, folder, status, hub, authority: made["authority"].as_str().unwrap().to_owned() }
    }

    /// The technician's machine, once the device has joined.
    fn joined(&self) -> Desk<'_> {
        let url = format!("https://{}", self.hub.address);
        let desk = Desk { site: &self.site, remit: Remit::new() };
        let fingerprint = self.site.msp.fingerprint();
        let pin = ["--root-statement", "root.statement", "--fingerprint", &fingerprint];
        let to_hub = ["hub", "use", &url, "--authority", &self.authority, "--key", "tess"];
        desk.run(&[&to_hub[..], &pin].concat()).expect(0);
        let token = desk.run(&["token", "make", "--client", "acme", "--site", "berlin", "--yes"]).expect(0);
        self.site.machine.run(&["agent", "join", &url, token.stdout.trim()]).expect(0);
        desk
    }

    /// Whether a text is anywhere in what the hub keeps.
    fn is_kept(&self, text: &str) -> bool {
        let files = ["hub.db", "hub.db-wal"].map(|file| fs::read(self.folder.join(file)).unwrap_or_default());
        files.concat().windows(text.len()).any(|it| it == text.as_bytes())
    }
}

#[test]
fn packages_of_a_real_device_are_asked_in_sql_and_travel_by_difference() {
    let world = World::new(None);
    let desk = world.joined();
    let (site, folder, status) = (&world.site, &world.folder, &world.status);
    let halves = site.start();

    let bash = "SELECT name, version FROM deb_packages WHERE name = 'bash'";
    let expected = json!([["bash", dpkg("bash")]]);
    assert!(wait_for(|| desk.rows(bash) == expected), "{} {}", desk.rows(bash), site.log());
    let installed = "SELECT count(*) FROM deb_packages WHERE status = 'install ok installed'";
    let all = Command::new("/usr/bin/dpkg-query").args(["-W", "-f", "${db:Status-Status}\n"]).output().unwrap();
    let count = String::from_utf8(all.stdout).unwrap().lines().filter(|line| *line == "installed").count();
    assert!(wait_for(|| desk.rows(installed) == json!([[count]])), "{} {count}", desk.rows(installed));
    // The facts, which orders may ask for, have the count.
    let listed = || desk.run(&["device", "list", "--where", &format!("packages.count == {count}"), "--output", "json"]);
    assert!(wait_for(|| listed().expect(0).json().as_array().unwrap().len() == 1), "{}", listed());
    // Of people a client's policy says nothing: there is one, and who it is stays on the device.
    let people = desk.rows("SELECT uid, username, description FROM users ORDER BY uid");
    assert_eq!(people[0], json!([0, "root", "root"]), "{people}");
    assert!(people[1][1].as_str().unwrap().starts_with("person-") && people[1][2].is_null(), "{people}");
    assert!(world.is_kept("person-") && !world.is_kept("Ann Example") && !world.is_kept("/home/ann"), "it never came");
    let csv = desk.run(&["query", "SELECT hostname, client, site FROM devices", "--output", "csv"]).expect(0);
    assert!(csv.stdout.starts_with("hostname,client,site\n") && csv.stdout.contains(",acme,berlin"), "{csv}");
    let wrong = desk.run(&["query", "SELECT versoin FROM deb_packages"]);
    assert!(wrong.code == Some(1) && wrong.stderr.contains("no such column: versoin"), "{wrong}");
    assert!(wrong.stderr.contains("`deb_packages` has hostname"), "{wrong}");
    drop(halves);
    let whole: usize = told(site).iter().sum();

    // While it is away it answers still, with the age of what it said; and then a package comes.
    assert_eq!(desk.rows(bash), expected);
    let seen = desk.rows("SELECT seen FROM deb_packages LIMIT 1");
    assert!(seen[0][0].as_str().is_some_and(|it| it.starts_with("20") && it.ends_with('Z')), "{seen}");
    let new = "\nPackage: remit-test\nStatus: install ok installed\nArchitecture: all\nVersion: 1.0-1\n";
    fs::write(status, fs::read_to_string(status).unwrap() + new).unwrap();
    let halves = site.start();
    let came = "SELECT version FROM deb_packages WHERE name = 'remit-test'";
    assert!(wait_for(|| desk.rows(came) == json!([["1.0-1"]])), "{}", site.log());
    let told = told(site);
    let last = *told.last().unwrap();
    println!("all packages took {whole} bytes, one more took {last}");
    assert!(last < 500 && whole > 20 * last, "{told:?}");
    assert_eq!(told.iter().sum::<usize>(), whole + last, "nothing was told twice");

    // Somebody has the hub forget who has what: the device hears of it when it tells what all of it comes to, and tells all.
    drop(halves);
    let script = "import sqlite3, sys; it = sqlite3.connect(sys.argv[1], timeout=30); it.execute('DELETE FROM held'); it.commit()";
    let forgot = Command::new("/usr/bin/python3").args(["-c", script]).arg(folder.join("hub.db")).status().unwrap();
    assert!(forgot.success() && desk.rows(bash) == json!([]));
    let _halves = site.start();
    assert!(wait_for(|| desk.rows(bash) == expected), "{}", site.log());
    assert!(wait_for(|| desk.rows(came) == json!([["1.0-1"]])), "{}", site.log());
}

/// The control of what is masked above.
#[test]
fn who_somebody_is_comes_where_the_client_says_so() {
    let world = World::new(Some("shown"));
    let desk = world.joined();
    let _halves = world.site.start();
    let people = "SELECT username, description, directory FROM users WHERE uid = 1001";
    let expected = json!([["ann", "Ann Example", "/home/ann"]]);
    assert!(wait_for(|| desk.rows(people) == expected), "{} {}", desk.rows(people), world.site.log());
    assert!(world.is_kept("Ann Example"));
}

#[test]
fn of_whom_nothing_is_to_be_told_nothing_is() {
    let world = World::new(Some("never"));
    let desk = world.joined();
    let _halves = world.site.start();
    let packages = "SELECT count(*) > 0 FROM deb_packages";
    assert!(wait_for(|| desk.rows(packages) == json!([[1]])), "{}", world.site.log());
    assert_eq!(desk.rows("SELECT count(*) FROM users"), json!([[0]]));
    assert!(!world.is_kept("person-") && !world.is_kept("Ann Example"));
}

#[test]
fn a_query_that_takes_all_there_is_takes_it_from_nobody() {
    let world = World::new(None);
    let desk = world.joined();
    let series = |rows: usize| {
        format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {rows}),
             t AS MATERIALIZED (SELECT printf('%.*c', 290000, 'x') AS x)
             SELECT count(*) FROM (SELECT DISTINCT i, x FROM n JOIN t)"
        )
    };
    assert_eq!(desk.rows(&series(100)), json!([[100]]));
    let bomb = desk.run(&["query", &series(100_000)]);
    assert!(bomb.code == Some(1) && bomb.stderr.contains("MiB of memory"), "{bomb}");
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let endless = desk.run(&["query", endless]);
    assert!(endless.code == Some(1) && endless.stderr.contains("took longer than 5000 ms"), "{endless}");
    // Who writes meanwhile does so, and the memory is there again.
    let _halves = world.site.start();
    let told = "SELECT count(*) > 0 FROM deb_packages";
    assert!(wait_for(|| desk.rows(told) == json!([[1]])), "{}", world.site.log());
    assert_eq!(desk.rows(&series(100)), json!([[100]]));
}
