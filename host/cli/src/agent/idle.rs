//! What an agent that waits need not hold.
//!
//! Programs and libraries are mapped out of their files. Whatever was used once stays in memory, with what lies around it: some
//! 35 MB after the first plugin, of which an agent at rest needs a fifth. What is let go of is read again where it is needed, which
//! takes less than a millisecond as long as the kernel has the file.

use std::fs;

use rustix::mm::{Advice, madvise};

/// Lets go of what is in files anyway. Where that cannot be done, it stays.
pub(super) fn let_go() {
    let Ok(mappings) = fs::read_to_string("/proc/self/smaps") else { return };
    for (from, bytes) in of_files(&mappings) {
        let from = std::ptr::without_provenance_mut(from);
        // SAFETY: `of_files` takes mappings of files that nobody may write to, and of which no page was written to before that was
        // so, as the kernel says. All there is to a page is what the file has at that place, and the kernel reads it from there
        // when it is touched the next time. No reference goes stale: the mapping stays where it is, with what it has.
        #[expect(unsafe_code, reason = "the kernel puts back what is let go of, as it was")]
        let _ = unsafe { madvise(from, bytes, Advice::LinuxDontNeed) };
    }
}

/// Where mappings are, and how many bytes they have, that are no more than their files, out of an `smaps` (proc(5)).
fn of_files(smaps: &str) -> Vec<(usize, usize)> {
    let (mut found, mut mapping) = (Vec::new(), None);
    for line in smaps.lines() {
        match line.strip_prefix("Anonymous:").map(str::trim) {
            Some("0 kB") => found.extend(mapping.take()),
            Some(_) => mapping = None,
            // What is said of a mapping comes below its line, with a colon after its name.
            None if line.split(' ').next().is_some_and(|first| first.contains('-')) => mapping = of_file(line),
            None => {}
        }
    }
    found
}

/// The mapping of a line, if it is one of a file, private, and nobody may write to it.
fn of_file(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.splitn(6, ' ');
    let (range, rights) = (fields.next()?, fields.next()?);
    let is_of_file = fields.nth(3)?.trim_start().starts_with('/');
    if !is_of_file || !matches!(rights, "r-xp" | "r--p") {
        return None;
    }
    let (from, until) = range.split_once('-')?;
    let (from, until) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(until, 16).ok()?);
    Some((from, until.checked_sub(from)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_no_more_than_its_file_is_let_go() {
        let of = |line: &str, anonymous: u32| {
            of_files(&format!("{line}\nSize: 8 kB\nRss: 8 kB\nAnonymous:     {anonymous} kB\nKSM: 0 kB\n"))
        };
        for rights in ["r-xp", "r--p"] {
            let line = format!("5000-7000 {rights} 00c69000 fd:00 42      /usr/bin/remit");
            assert_eq!(of(&line, 0), [(0x5000, 0x2000)]);
            assert_eq!(of(&line, 4), [], "a page of it was written to");
        }
        for other in [
            "5000-7000 rw-p 00c69000 fd:00 42      /usr/bin/remit",
            "5000-7000 rwxp 00c69000 fd:00 42      /usr/bin/remit",
            "5000-7000 r--s 00000000 fd:00 42      /var/lib/remit/state.db-shm",
            "5000-7000 r-xp 00000000 00:00 0 ",
            "5000-7000 r-xp 00000000 00:00 0       [vdso]",
            "7000-5000 r-xp 00c69000 fd:00 42      /usr/bin/remit",
            "",
        ] {
            assert_eq!(of(other, 0), [], "{other}");
        }
    }

    #[test]
    fn it_goes_on_after_it_let_go_with_less() {
        let resident = || -> u64 {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let of_files = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
            of_files.trim().trim_end_matches(" kB").parse().unwrap()
        };
        let before = resident();
        let_go();
        let after = resident();
        assert!(after < before, "{before} kB, and then {after}");
    }
}
