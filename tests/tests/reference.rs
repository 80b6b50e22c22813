//! `host/cli/reference.md` is what `remit --help` and the help of every command below it say.

use tests::{Remit, built, remit};

const FILE: &str = "host/cli/reference.md";
const HEAD: &str = "# The command line\n\nWhat `remit --help` says, and the help of every command. Made by \
                    `REMIT_BLESS=1 cargo test --workspace --test reference`; do not edit it by hand.\n";

/// The help of a command, and of those below it.
fn describe(remit: &Remit, words: &[&str], text: &mut String) {
    let help =
        remit.command(&[words, &["--help"]].concat()).env_remove("REMIT_STATE").env_remove("REMIT_POLICY").output();
    let help = remit::Ran::from(help.unwrap()).expect(0).stdout;
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let title = [&["remit"], words].concat().join(" ");
    *text += &format!("\n## {title}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    for name in below(&help) {
        describe(remit, &[words, &[name]].concat(), text);
    }
}

/// The commands that a help lists.
fn below<'a>(help: &[&'a str]) -> Vec<&'a str> {
    let listed = help.iter().skip_while(|line| **line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What goes on in a second line is further in.
    listed
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split(' ').next())
        .filter(|it| !it.is_empty())
        .collect()
}

#[test]
fn the_reference_is_what_the_commands_say() {
    let remit = Remit::new();
    let mut text = HEAD.to_owned();
    describe(&remit, &[], &mut text);
    assert!(text.contains("\n## remit secret set\n"), "commands below commands are described too");
    let path = built::repository().join(FILE);
    if std::env::var_os("REMIT_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).find(|(kept, now)| kept != now);
    assert!(
        kept == text,
        "{FILE} is stale, first at {differs:?}; make it anew: REMIT_BLESS=1 cargo test --workspace --test reference"
    );
}
