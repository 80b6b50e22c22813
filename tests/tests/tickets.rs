//! What people do with tickets by hand.

use serde_json::Value;
use tests::{Remit, built, remit};

/// The plugin tells a person too; whether that arrives is for other tests.
const NOBODY_LISTENS: &str = "[notify.routes.technician]\nkind = \"smtp\"\nserver = \"127.0.0.1\"\nport = 1\n\
    tls = \"none\"\nfrom = \"remit@example.com\"\nto = [\"ada@example.com\"]\n";

/// A device on which `disk-space` found every volume too full, and raised a ticket.
struct Desk {
    remit: Remit,
    number: String,
}

impl Desk {
    fn new() -> Self {
        let remit = Remit::new();
        std::fs::write(remit.policy(), NOBODY_LISTENS).unwrap();
        let desk = Self { remit, number: "T-000001".to_owned() };
        desk.look(99).expect(10);
        assert_eq!(desk.show()["status"], "new");
        desk
    }

    /// `disk-space`, for which a volume may be so full.
    fn look(&self, min_free_percent: u32) -> remit::Ran {
        let min_free = format!("min-free-percent={min_free_percent}");
        #[rustfmt::skip]
        let args = [
            "--mode", "enforce", "--param", &min_free, "--param", "mounts=[\"/\"]", "--allow", "ticket",
            "--allow", "notify", "--allow", "kv-write",
        ];
        self.remit.run_plugin(&built::plugin("disk-space"), &args)
    }

    fn ticket(&self, args: &[&str]) -> remit::Ran {
        self.remit.run(&[&["--output", "json", "ticket"], args].concat())
    }

    fn show(&self) -> Value {
        self.ticket(&["show", &self.number]).expect(0).json()
    }

    fn listed(&self, args: &[&str]) -> usize {
        self.ticket(&[&["list"], args].concat()).expect(0).json().as_array().unwrap().len()
    }
}

fn last(of: &Value) -> &Value {
    of.as_array().unwrap().last().unwrap()
}

#[test]
fn a_note_is_in_the_ticket_with_the_name_of_who_wrote_it() {
    let desk = Desk::new();
    let noted = desk.ticket(&["note", &desk.number, "It is the backups.", "--as", "ada"]).expect(0).json();
    assert_eq!(noted, desk.show(), "it answers with the ticket as it is now");
    let note = last(&noted["notes"]);
    assert_eq!((&note["body"], &note["visibility"]), (&"It is the backups.".into(), &"internal".into()));
    assert_eq!(note["by"]["person"], "ada");
    assert_eq!((&noted["status"], &noted["person-replied"]), (&"in-progress".into(), &true.into()));
    assert_eq!((&last(&noted["history"])["what"], &last(&noted["history"])["by"]), (&"noted".into(), &note["by"]));
    let customers = desk.ticket(&["note", &desk.number, "We are on it.", "--customer"]).expect(0).json();
    assert_eq!(last(&customers["notes"])["visibility"], "customer");
    let text = desk.remit.run(&["ticket", "show", &desk.number]).expect(0).stdout;
    assert!(text.contains("It is the backups.") && text.contains("ada"), "{text}");
}

#[test]
fn a_plugin_does_not_resolve_what_a_person_has_answered() {
    let (answered, control) = (Desk::new(), Desk::new());
    answered.ticket(&["note", &answered.number, "I look into it."]).expect(0);
    for desk in [&answered, &control] {
        desk.look(1);
    }
    assert_eq!(answered.show()["status"], "in-progress");
    assert_eq!(control.show()["status"], "resolved", "the control: nobody answered that one");
}

#[test]
fn an_assigned_ticket_has_somebody() {
    let desk = Desk::new();
    let assigned = desk.ticket(&["assign", &desk.number, "grace", "--as", "ada"]).expect(0).json();
    assert_eq!((&assigned["assignee"], &assigned["status"]), (&"grace".into(), &"in-progress".into()));
    let entry = last(&assigned["history"]);
    assert_eq!((&entry["what"], &entry["detail"]), (&"assigned".into(), &"grace".into()));
    assert_eq!(entry["by"]["person"], "ada");
    assert_eq!((desk.listed(&["--assignee", "grace"]), desk.listed(&["--assignee", "ada"])), (1, 0));
    // By its id too.
    let id = assigned["id"].as_str().unwrap();
    assert_eq!(desk.ticket(&["assign", id, "ada"]).expect(0).json()["assignee"], "ada");
}

#[test]
fn a_resolved_ticket_is_not_open_and_comes_back_with_its_problem() {
    let desk = Desk::new();
    let resolved = desk.ticket(&["resolve", &desk.number, "A larger disk.", "--as", "ada"]).expect(0).json();
    assert_eq!((&resolved["status"], &resolved["resolution"]["text"]), (&"resolved".into(), &"A larger disk.".into()));
    assert_eq!((desk.listed(&[]), desk.listed(&["--status", "resolved"]), desk.listed(&["--all"])), (0, 1, 1));
    // What is over can be neither resolved nor given to somebody; that it was refused changes nothing.
    for args in [&["resolve", &desk.number, "Again."][..], &["assign", &desk.number, "grace"]] {
        let refused = desk.ticket(args).expect(1);
        assert!(refused.stderr.contains("is resolved, not open"), "{refused}");
    }
    assert_eq!(desk.show(), resolved);
}

#[test]
fn what_is_wrong_is_said_and_changes_nothing() {
    let desk = Desk::new();
    let before = desk.show();
    let long = "x".repeat(33 << 10);
    let cases: [(&[&str], u8, &str); 7] = [
        (&["note", "T-000099", "hello"], 1, "there is no ticket `T-000099`"),
        (&["note", &desk.number, ""], 1, "note"),
        (&["note", &desk.number, &long], 1, "32768"),
        (&["note", &desk.number, "hello", "--as", "a\nb"], 1, "a person's name is one line"),
        (&["assign", &desk.number, ""], 1, "a person's name is one line"),
        (&["resolve", &desk.number, ""], 1, "resolution"),
        (&["list", "--status", "lost"], 2, "expected one of new, in-progress"),
    ];
    for (args, code, said) in cases {
        let refused = desk.ticket(args).expect(code);
        assert!(refused.stderr.contains(said), "{args:?}: {refused}");
    }
    assert_eq!(desk.show(), before);
    // The same commands with nothing wrong.
    for args in [&["note", &desk.number, "hello", "--as", "a b"][..], &["assign", &desk.number, "grace"]] {
        desk.ticket(args).expect(0);
    }
    desk.ticket(&["resolve", &desk.number, "done"]).expect(0);
}
