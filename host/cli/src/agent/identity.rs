//! Which machine this is: so that a copy of its disk finds out that it is one.

use std::path::Path;

use model::Digest;
use serde::{Deserialize, Serialize};
use trust::Key;

/// The most bytes of a file that is looked at: both have 40.
const FILE_BYTES_MAX: usize = 256;

/// What tells machines apart. Only digests are kept and told, with the device's key in them: elsewhere they say nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Identity {
    /// Of the installation: `/etc/machine-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    installation: Option<Digest>,
    /// Of the firmware, or of the hypervisor's machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    firmware: Option<Digest>,
}

impl Identity {
    /// Of the system under this root, with this device's key.
    pub(crate) fn read(root: &Path, device: &Key) -> Self {
        let of = |what: &str, path: &str| {
            let text = std::fs::read_to_string(root.join(path)).ok()?;
            let text = text.trim().to_ascii_lowercase();
            let is_one =
                !text.is_empty() && text.len() <= FILE_BYTES_MAX && text.bytes().any(|it| it != b'0' && it != b'-');
            is_one.then(|| Digest::of(format!("{what} {text} of {}", device.fingerprint()).as_bytes()))
        };
        Self {
            installation: of("installation", "etc/machine-id"),
            firmware: of("firmware", "sys/class/dmi/id/product_uuid"),
        }
    }

    /// Whether it is another machine than that one was. What is not known of either says nothing.
    pub(crate) fn is_other(&self, than: &Self) -> bool {
        let differ =
            |one: Option<Digest>, other: Option<Digest>| one.zip(other).is_some_and(|(one, other)| one != other);
        differ(self.installation, than.installation) || differ(self.firmware, than.firmware)
    }

    /// All of it, for the hub: the same from every version of the agent, or one that is replaced would look like another machine.
    pub(crate) fn digest(&self) -> Digest {
        let text = |known: Option<Digest>| known.map(|it| it.to_string()).unwrap_or_default();
        Digest::of(format!("{} {}", text(self.installation), text(self.firmware)).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use trust::SessionKey;

    use super::*;

    fn machine(id: &str, uuid: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [("etc/machine-id", id), ("sys/class/dmi/id/product_uuid", uuid)] {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn read(root: &tempfile::TempDir) -> Identity {
        Identity::read(root.path(), &SessionKey::from_seed(&[1; 32]).key())
    }

    #[test]
    fn a_copy_is_another_machine_and_the_same_one_is_not() {
        let joined = read(&machine("aaaa\n", "1111-2222\n"));
        for (id, uuid, is_other) in [
            ("aaaa", "1111-2222", false),
            ("AAAA\n", "1111-2222", false),
            ("bbbb", "1111-2222", true),
            ("aaaa", "3333-4444", true),
            // What this kernel does not show, or the image does not have yet.
            ("", "1111-2222", false),
            ("aaaa", "", false),
            ("aaaa", "0000-0000", false),
        ] {
            assert_eq!(read(&machine(id, uuid)).is_other(&joined), is_other, "{id} {uuid}");
        }
        assert!(!read(&tempfile::tempdir().unwrap()).is_other(&joined), "nothing is known");
        let elsewhere = Identity::read(machine("aaaa", "1111-2222").path(), &SessionKey::from_seed(&[2; 32]).key());
        assert_ne!(elsewhere.digest(), joined.digest(), "what it says is for one device");
        // Hubs have kept it.
        let kept = "sha256:dc8a4906fe05c8ec2abbcf91afb5dd97a1d2f9978fa643ec4b96f9dca6ab2250";
        assert_eq!(joined.digest().to_string(), kept);
    }
}
