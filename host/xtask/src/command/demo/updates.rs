//! Pending updates, as the plugin and as apt itself list them.

use std::process::Command;

use anyhow::ensure;
use serde_json::Value;

use super::hand::{Answer, Hand, saw, text};
use crate::process::output;

pub(super) fn this_machine(hand: &Hand) -> anyhow::Result<()> {
    let found = hand.run("patch-compliance", &["--mode", "detect"])?;
    let mut simulate = Command::new("apt-get");
    simulate.args(["--simulate", "dist-upgrade"]).env("LC_ALL", "C.UTF-8");
    same(&found, &output(&mut simulate)?)
}

/// That what the plugin calls available is what apt would install.
pub(super) fn same(found: &Answer, simulated: &str) -> anyhow::Result<()> {
    ensure!([0, 10].contains(&found.code), "exit code {}: {}", found.code, found.json);
    let of_apt = inst(simulated);
    let mut of_plugin: Vec<&str> =
        listed(found).iter().filter(|it| text(it, "state") == "available").map(|it| text(it, "id")).collect();
    of_plugin.sort_unstable();
    ensure!(of_plugin == of_apt, "the plugin lists {of_plugin:?}, apt {of_apt:?}");
    saw(&format!("{} updates, the same as apt's own Inst lines ({})", of_apt.len(), found.text("verdict")));
    Ok(())
}

/// What the facts list.
pub(super) fn listed(found: &Answer) -> &[Value] {
    let updates = found.json.get("facts").and_then(|facts| facts.get("updates")?.as_array());
    updates.map(Vec::as_slice).unwrap_or_default()
}

/// The ids in apt's simulation: `Inst NAME [OLD] (NEW …)`.
fn inst(simulated: &str) -> Vec<String> {
    let id = |line: &str| {
        let mut words = line.strip_prefix("Inst ")?.split(' ');
        let name = words.next()?;
        let version = words.find_map(|word| word.strip_prefix('('))?;
        Some(format!("apt:{name}@{version}"))
    };
    let mut ids: Vec<String> = simulated.lines().filter_map(id).collect();
    ids.sort();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_apt_are_read() {
        let simulated =
            "Reading package lists...\nInst b [1.0] (2.0 Debian:stable [all])\nInst a (1:3 X [all]) []\nConf b (2.0)\n";
        assert_eq!(inst(simulated), ["apt:a@1:3", "apt:b@2.0"]);
    }
}
