use std::path::Path;

use super::units::{self, GUARDS};
use super::{Init, Plan, Step, sysv};
use crate::agent::config::Config;

fn plan(init: Init) -> Plan {
    let program = "/usr/local/bin/remit".into();
    Plan {
        root: "/".into(),
        init,
        program,
        copy_from: None,
        config: Config::default(),
        is_started: true,
        is_packaged: false,
    }
}

/// Kept as text, so that a change of what the network half may do is read by somebody.
#[expect(clippy::disallowed_methods, reason = "whoever runs the test takes what changed")]
#[test]
fn the_units_are_as_they_were_last_read() {
    for unit in units::all(&plan(Init::Systemd)) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/agent/install/kept").join(unit.name);
        if std::env::var_os("REMIT_BLESS").is_some() {
            std::fs::write(&file, &unit.text).unwrap();
        }
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(kept, unit.text, "{} changed; take it with REMIT_BLESS=1", unit.name);
    }
}

#[test]
fn each_directive_is_on_or_says_why_not_in_both_units() {
    for unit in units::all(&plan(Init::Systemd)) {
        for (name, ..) in GUARDS {
            let says = |line: &&str| {
                line.starts_with(&format!("{name}="))
                    || line.strip_prefix(&format!("# {name} is off: ")).is_some_and(|it| it.len() > 10)
            };
            assert!(unit.text.lines().filter(says).count() >= 1, "{}: {name}", unit.name);
        }
    }
}

#[test]
fn what_somebody_named_is_one_word() {
    let odd = Plan { program: "/opt/a b%c'd/remit".into(), ..plan(Init::Systemd) };
    for unit in units::all(&odd) {
        assert!(unit.text.contains("ExecStart=/usr/lib/remit/remit"), "{}", unit.text);
    }
    let script = sysv::all(&odd).remove(1).text;
    assert!(script.contains("\nPROGRAM='/opt/a b%c'\\''d/remit'\n"), "{script}");
}

#[test]
fn what_is_kept_is_what_a_person_wrote() {
    for init in [Init::Systemd, Init::Sysv] {
        let kept: Vec<_> = plan(init).steps().into_iter().filter(|it| matches!(it, Step::Kept { .. })).collect();
        assert!(
            matches!(&kept[..], [Step::Kept { path, .. }] if path == Path::new("/etc/remit/agent.toml")),
            "{kept:?}"
        );
    }
}
