//! What processes do: evidence for when something hangs.

use std::collections::BTreeMap;
use std::fs;

/// The processes below this one, a line each: number, parent, name, state, where in the kernel it waits, and command line.
///
/// All of `/proc` is read, because the kernel's own list of a process's children may leave some out while others end.
pub(crate) fn below(ancestor: u32) -> String {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> =
        numbers.filter_map(|pid| Some((pid, field(pid, "PPid")?.parse().ok()?))).collect();
    let is_below = |pid: u32| std::iter::successors(parents.get(&pid), |it| parents.get(it)).any(|it| *it == ancestor);
    let below = parents.iter().filter(|it| is_below(*it.0));
    below.filter_map(|(pid, parent)| line(*pid, *parent)).collect::<Vec<_>>().join("\n")
}

/// Nothing where the process has ended since.
fn line(pid: u32, parent: u32) -> Option<String> {
    let (name, state) = (field(pid, "Name")?, field(pid, "State")?);
    let waits = fs::read_to_string(format!("/proc/{pid}/wchan")).unwrap_or_default();
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let arguments: String = String::from_utf8_lossy(&arguments).replace(['\0', '\n'], " ").chars().take(200).collect();
    Some(format!("{pid} {parent} {name} {state} {waits} {arguments}"))
}

/// A field of the process's status.
fn field(pid: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_child_of_a_child_is_told_with_its_parent_and_its_state() {
        let mut shell = Command::new("sh").args(["-c", "cat; :"]).stdin(Stdio::piped()).spawn().unwrap();
        let reads = format!(" {} cat S (sleeping)", shell.id());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !below(std::process::id()).contains(&reads) {
            assert!(Instant::now() < deadline, "no{reads} in {}", below(std::process::id()));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(below(shell.id()).contains(&reads));
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert!(!below(std::process::id()).contains(&reads));
    }
}
