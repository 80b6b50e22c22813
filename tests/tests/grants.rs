//! A plugin that lacks grants is refused before it is compiled, and told what would let it run.

use std::fs;

use tests::{Remit, remit};

/// The lines that a refusal says to add, by the line of the policy at which each block is to stand.
fn advice(stderr: &str, policy: &str) -> Vec<(usize, String)> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut is_block = false;
    for line in stderr.lines() {
        if let Some(at) = line.trim().strip_prefix(&format!("add at {policy}:")) {
            blocks.push((at.parse().unwrap(), String::new()));
            is_block = true;
        } else if let (true, Some(line), Some((_, block))) = (is_block, line.strip_prefix("      "), blocks.last_mut())
        {
            *block += &format!("{}\n", line.trim_start());
        } else {
            is_block = false;
        }
    }
    blocks
}

fn compiled(remit: &Remit) -> usize {
    fs::read_dir(remit.state().join("compiled")).map_or(0, |files| {
        files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|it| it == "cwasm")).count()
    })
}

#[test]
fn what_is_refused_says_everything_that_would_let_it_run() {
    let remit = Remit::new();
    let scratch = remit.folder("scratch");
    fs::write(remit.policy(), "# This machine's owner decided:\n[files.quarantine]\nretention-ms = 1000000\n").unwrap();
    for name in ["replaced", "appended", "removed"] {
        fs::write(scratch.join(name), "before\n").unwrap();
    }
    let guest = remit::guest("endings");
    let bind = format!("scratch={}", scratch.display());
    let args = ["--mode", "enforce", "--bind", &bind, "--param", "end=changes"];

    let refused = remit.run_plugin(&guest, &args).expect(20);
    assert_eq!(compiled(&remit), 0, "nothing was compiled");
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 3, "nothing was done");
    let policy = remit.policy().display().to_string();
    let advice = advice(&refused.stderr, &policy);
    assert_eq!(advice.len(), 2, "all that is missing, not the first alone\n{refused}");
    for reason in ["files-write [scratch]", "kv-write [endings]", "Puts things right", "Keeps a document"] {
        assert!(refused.stderr.contains(reason), "{reason}\n{refused}");
    }

    // With one of the two it is refused still; with both, at the lines that were named, it runs.
    let mut text = fs::read_to_string(remit.policy()).unwrap();
    for (number, (at, block)) in advice.iter().enumerate() {
        assert_eq!(text.lines().count() + 1, *at, "the block stands where it was said\n{refused}");
        text += block;
        fs::write(remit.policy(), &text).unwrap();
        if number == 0 {
            let refused = remit.run_plugin(&guest, &args).expect(20);
            assert_eq!(self::advice(&refused.stderr, &policy), advice[1..], "{refused}");
            assert_eq!(compiled(&remit), 0);
        }
    }
    let fixed = remit.run_plugin(&guest, &args).expect(0).json();
    assert_eq!(fixed["verdict"], "fixed");
    assert_eq!(compiled(&remit), 1, "the control: what runs is compiled");
    // What was allowed to this plugin was not allowed to another.
    remit.run_plugin(&remit::guest("two-faced"), &["--mode", "enforce", "--bind", &bind]).expect(20);
}

#[test]
fn a_call_outside_the_scope_is_denied() {
    let remit = Remit::new();
    let bind = format!("elsewhere={}", remit.folder("elsewhere").display());
    let guest = remit::guest("endings");
    let record = remit.folder("records").join("denied");
    let args = ["--bind", &bind, "--param", "end=denied", "--record", record.to_str().unwrap()];
    let denied = remit.run_plugin(&guest, &args).expect(21).json();
    let call = &denied["failed-calls"][0];
    assert_eq!((&call["interface"], &call["function"]), (&"files".into(), &"get-entry".into()), "{denied}");
    assert_eq!((&call["error"]["kind"], &call["error"]["code"]), (&"denied".into(), &"scope".into()), "{denied}");
    let said = denied["detail"].as_str().unwrap();
    assert!(said.contains("`elsewhere` is outside the scope of `files [scratch]`"), "{said}");
}
