//! What every backend of `software` does alike, that the real one says what dpkg-query says, and what it makes of hostile
//! status files.

use std::sync::Arc;

use contract::software::{Backend, FindPrograms, Programs};
use contract::types::ErrorKind;

use crate::testing::context;

use super::{Fixture, Memory, Overlay, PROGRAMS_BYTES_MAX, PROGRAMS_MAX, PlannedSoftware};

async fn find(software: &dyn Backend, name: &str) -> Programs {
    software.find_programs(&context(), &FindPrograms { name: name.into() }).await.unwrap()
}

fn names(programs: &Programs) -> Vec<&str> {
    programs.items.iter().map(|program| program.name.as_str()).collect()
}

fn memory() -> Memory {
    Memory::new(
        toml::from_str(
            r#"
            [[programs]]
            name = "libc6"
            version = "2.36"
            attributes = { section = "libs" }
            [[programs]]
            name = "base-files"
            "#,
        )
        .unwrap(),
    )
}

/// Of a machine that has `base-files` and `libc6`, as every Debian has.
async fn suite(software: &dyn Backend) {
    let all = find(software, "*").await;
    assert!(!all.truncated && all.items.is_sorted_by_key(|program| &program.id));
    assert!(all.items.iter().all(|it| it.id.starts_with(&format!("{}:", it.manager)) && !it.version.is_empty()));
    assert_eq!(names(&find(software, "base-files").await), ["base-files"]);
    assert_eq!(names(&find(software, "libc[6]").await), ["libc6"]);
    assert_eq!(names(&find(software, "base-file?").await), ["base-files"]);
    assert_eq!(names(&find(software, "no-such-program").await), [""; 0]);
    for bad in ["", "[", &"x".repeat(256)] {
        let error = software.find_programs(&context(), &FindPrograms { name: bad.into() }).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Invalid, "glob"), "{bad}");
    }
    find(software, &"x".repeat(255)).await;
}

#[tokio::test]
async fn memory_conforms() {
    suite(&memory()).await;
    toml::from_str::<Fixture>("[[programs]]\nnme = 'x'").unwrap_err();
}

#[tokio::test]
async fn the_overlay_conforms_and_shows_planned_versions() {
    let planned = Arc::new(PlannedSoftware::default());
    let base = Arc::new(memory());
    let overlay = Overlay::new(base.clone(), Arc::clone(&planned));
    suite(&overlay).await;
    planned.plan("apt:libc6", "2.37");
    assert_eq!(find(&overlay, "libc6").await.items[0].version, "2.37");
    assert_eq!(find(&*base, "libc6").await.items[0].version, "2.36");
    suite(&overlay).await;
}

#[tokio::test]
async fn the_overlay_shows_programs_that_planned_changes_would_add() {
    let planned = Arc::new(PlannedSoftware::default());
    let overlay = Overlay::new(Arc::new(memory()), Arc::clone(&planned));
    assert_eq!(names(&find(&overlay, "*").await), ["base-files", "libc6"]);
    planned.plan("apt:curl", "8.1");
    planned.plan("apt:libc6:i386", "2.36");
    let all = find(&overlay, "*").await;
    let ids: Vec<_> = all.items.iter().map(|program| program.id.as_str()).collect();
    assert_eq!(ids, ["apt:base-files", "apt:curl", "apt:libc6", "apt:libc6:i386"]);
    assert_eq!((all.items[1].version.as_str(), all.items[1].manager.as_str()), ("8.1", "apt"));
    assert_eq!(all.items[3].attributes, [("arch".to_owned(), "i386".to_owned())]);
    assert_eq!(names(&find(&overlay, "cur?").await), ["curl"]);
    assert_eq!(names(&find(&overlay, "libc6").await), ["libc6", "libc6"]);
    suite_of_names(&overlay).await;
}

#[tokio::test]
async fn what_is_added_keeps_the_limits_and_the_order() {
    let programs: Vec<_> = (0..=PROGRAMS_MAX).map(|at| serde_json::json!({ "name": format!("p{at:05}") })).collect();
    let base = Memory::new(serde_json::from_value(serde_json::json!({ "programs": programs })).unwrap());
    let planned = Arc::new(PlannedSoftware::default());
    let overlay = Overlay::new(Arc::new(base), Arc::clone(&planned));
    // This one is there, behind the end of the page: it is not shown as new.
    planned.plan(&format!("apt:p{PROGRAMS_MAX}"), "2");
    let page = find(&overlay, "*").await;
    assert_eq!((page.items.len(), page.truncated), (PROGRAMS_MAX, true));
    assert_eq!(page.items.last().unwrap().name, format!("p{:05}", PROGRAMS_MAX - 1));
    planned.plan("apt:a", "1");
    let page = find(&overlay, "*").await;
    assert_eq!((page.items.len(), page.items[0].name.as_str()), (PROGRAMS_MAX, "a"));
}

async fn suite_of_names(software: &dyn Backend) {
    assert_eq!(names(&find(software, "no-such-program").await), [""; 0]);
    assert_eq!(names(&find(software, "base-files").await), ["base-files"]);
}

#[tokio::test]
async fn an_answer_ends_at_its_limits() {
    let fixture = |count: usize, bytes: usize| -> Memory {
        let publisher = "x".repeat(bytes);
        let programs: Vec<_> =
            (0..count).map(|at| serde_json::json!({ "name": format!("p{at}"), "publisher": publisher })).collect();
        Memory::new(serde_json::from_value(serde_json::json!({ "programs": programs })).unwrap())
    };
    let whole = find(&fixture(PROGRAMS_MAX, 0), "*").await;
    assert_eq!((whole.items.len(), whole.truncated), (PROGRAMS_MAX, false));
    let cut = find(&fixture(PROGRAMS_MAX + 1, 0), "*").await;
    assert_eq!((cut.items.len(), cut.truncated), (PROGRAMS_MAX, true));
    assert!(!find(&fixture(9, PROGRAMS_BYTES_MAX / 10), "*").await.truncated);
    assert_eq!(find(&fixture(11, PROGRAMS_BYTES_MAX / 10), "*").await.items.len(), 9);
}

#[cfg(target_os = "linux")]
mod linux {
    use super::super::linux::Linux;
    use super::*;
    use crate::testing::{Recorded, shared, tool};

    fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
        attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn real() -> Arc<dyn Backend> {
        super::super::real(&shared())
    }

    #[tokio::test]
    async fn this_machine_conforms() {
        suite(&*real()).await;
        suite(&Overlay::new(real(), Arc::default())).await;
    }

    #[tokio::test]
    async fn programs_are_those_of_dpkg_query_and_apt_mark() {
        let found = find(&*real(), "*").await.items;
        let known =
            tool(&["dpkg-query", "-W", "-f", "${db:Status-Status}\t${Package}\t${Version}\t${Installed-Size}\n"]);
        let mut known: Vec<_> =
            known.lines().filter_map(|line| line.strip_prefix("installed\t")).map(str::to_owned).collect();
        let mut lines: Vec<_> = found
            .iter()
            .map(|program| {
                let kib = attribute(&program.attributes, "size-bytes").map(|size| size.parse::<u64>().unwrap() / 1_024);
                format!("{}\t{}\t{}", program.name, program.version, kib.map(|kib| kib.to_string()).unwrap_or_default())
            })
            .collect();
        known.sort();
        lines.sort();
        assert_eq!(lines, known);
        let automatic =
            |id: &str| found.iter().find(|it| it.id == id).and_then(|it| attribute(&it.attributes, "automatic"));
        for (list, expected) in [("showauto", "true"), ("showmanual", "false")] {
            for name in tool(&["apt-mark", list]).lines() {
                assert_eq!(automatic(&format!("apt:{name}")), Some(expected), "{name}");
            }
        }
        let list = "/var/lib/dpkg/info/base-files.list";
        let seconds: u64 = tool(&["stat", "-c", "%Y", list]).trim().parse().unwrap();
        assert_eq!(find(&*real(), "base-files").await.items[0].installed_ms.unwrap() / 1_000, seconds);
    }

    #[tokio::test]
    async fn hostile_status_files_are_read_as_far_as_they_make_sense() {
        let recorded = Recorded::new(&[
            ("var/lib/dpkg/arch", "amd64\ni386\n"),
            ("var/lib/apt/extended_states", "Package: b\nArchitecture: i386\nAuto-Installed: 1\n\nbroken\n"),
            ("secret.list", ""),
        ]);
        recorded.add(
            "var/lib/dpkg/status",
            b"Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\nDescription: x\n Package: evil\n\n\
              Package: b\nStatus: install ok half-configured\nVersion: 2\nArchitecture: i386\nInstalled-Size: 99999999999999999999\n\n\
              Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
              Package: never\nStatus: unknown ok not-installed\n\nno colon here\n\n\n\nPackage:\n\n\
              Package: ../../../../secret\nStatus: install ok installed\nVersion: 1\n\n\
              Package: l\xe4tin\nStatus: install ok installed\nVersion: 1\nMaintainer: M\xfcller\n",
        );
        let found = find(&Linux::at(recorded.root()), "*").await;
        let ids: Vec<_> = found.items.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["apt:../../../../secret", "apt:a", "apt:b:i386", "apt:l\u{fffd}tin"]);
        assert_eq!(found.items[0].installed_ms, None, "a name is no path");
        let half = &found.items[2];
        assert_eq!(attribute(&half.attributes, "status"), Some("install ok half-configured"));
        assert_eq!(attribute(&half.attributes, "automatic"), Some("true"));
        assert_eq!(attribute(&half.attributes, "size-bytes"), None);
        assert_eq!(found.items[3].publisher, "M\u{fffd}ller");
    }

    #[tokio::test]
    async fn a_status_file_without_end_is_refused() {
        let recorded = Recorded::new(&[("var/lib/dpkg/status", "")]);
        assert!(find(&Linux::at(recorded.root()), "*").await.items.is_empty());
        let file = std::fs::File::options().write(true).open(recorded.root().path("var/lib/dpkg/status")).unwrap();
        file.set_len(1 << 30).unwrap();
        let call = FindPrograms { name: "*".into() };
        let error = Linux::at(recorded.root()).find_programs(&context(), &call).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Failed, "{error}");
    }
}
