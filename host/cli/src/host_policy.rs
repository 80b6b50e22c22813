//! Host policy: what this machine's owner decided, out of one file. `[[allow]]` and `[device]` are the host's, all else belongs
//! to the backends.

mod device;
mod owner;

use std::path::{Path, PathBuf};

use agent::Allowed;
use anyhow::Context as _;
use backends::Policy;
use model::policy::Allow;

/// What this machine's owner decided.
pub(crate) struct HostPolicy {
    /// Where it was read from, or would be.
    pub(crate) path: PathBuf,
    /// How many lines it has: where the next one goes.
    pub(crate) lines: usize,
    /// What plugins may use of class L2 and above.
    pub(crate) allow: Vec<Allow>,
    /// What may run at all, and how much all of it may use.
    pub(crate) device: Allowed,
    /// What the backends read.
    pub(crate) backends: Policy,
}

impl HostPolicy {
    /// Reads the file; where it need not be there and is not, nothing was decided.
    pub(crate) fn read(path: &Path, must_be_there: bool) -> anyhow::Result<Self> {
        let about = || format!("host policy {}", path.display());
        owner::check(path).with_context(about)?;
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_be_there => String::new(),
            Err(error) => return Err(error).with_context(about),
        };
        Self::parse(path, &text).with_context(about)
    }

    fn parse(path: &Path, text: &str) -> anyhow::Result<Self> {
        let mut table: toml::Table = text.parse()?;
        table.remove("device");
        let allow = match table.remove("allow") {
            Some(value) => value.try_into().context("`[[allow]]`")?,
            None => Vec::new(),
        };
        let device = device::parse(text)?;
        let (path, lines) = (path.to_owned(), text.lines().count());
        Ok(Self { path, lines, allow, device, backends: table.try_into()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<HostPolicy> {
        HostPolicy::parse(Path::new("/etc/remit/policy.toml"), text)
    }

    #[test]
    fn the_policy_in_the_readme_is_one() {
        let readme = include_str!("../../../README.md");
        let policy = readme.split("## Host policy").nth(1).unwrap();
        let text = policy.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let read = parse(text).unwrap();
        assert_eq!((read.allow.len(), read.backends.patch.rules.len()), (1, 2));
        assert!(read.backends.files.roots.contains_key("scratch"));
        assert!(read.backends.notify.routes.contains_key("technician"));
        let device = read.device.written();
        assert!(device.class_max.is_some() && !device.windows.is_empty() && !device.budgets.is_empty());
        for (right, wrong) in [("[files.roots]", "[files.rots]"), ("plugins =", "plugin ="), ("installs-", "instals-")]
        {
            assert!(text.contains(right) && parse(&text.replace(right, wrong)).is_err(), "what is unknown is an error");
        }
    }

    #[test]
    fn all_that_is_wrong_with_a_device_is_told_with_its_line() {
        let text = "[device]\nhighest = \"L2\"\nplugins = \"disk-*\"\npublishers = [1]\n\n\
                    [device.budgets]\nreboots-per-day = -1\nreboots-per-week = 1\n\n\
                    [[device.windows]]\nzone = \"Nowhere\"\n\n[[device.windows]]\nzone = \"UTC\"\nalowed = []\n";
        let said = parse(text).err().unwrap().to_string();
        for (line, what) in [
            (2, "`highest` is unknown"),
            (3, "`plugins`"),
            (4, "`publishers`"),
            (7, "`reboots-per-day`"),
            (8, "`reboots-per-week` is unknown"),
            (10, "no time zone `Nowhere`"),
            (13, "`alowed`"),
        ] {
            let has = said.lines().any(|it| it.starts_with(&format!("line {line}: ")) && it.contains(what));
            assert!(has, "line {line}, {what}:\n{said}");
        }
        assert_eq!(said.lines().count(), 7, "{said}");
        assert!(said.contains("expected `class-max`, `plugins`"), "{said}");
    }
}
