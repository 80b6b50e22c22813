use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::Key;

/// A device, by the fingerprint of the key that it made itself: nothing else is it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Device([u8; 32]);

impl Device {
    /// Whose key this is.
    pub fn of(key: &Key) -> Self {
        Self(*key.digest().as_bytes())
    }

    /// The fingerprint's bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// For names of files, and of subjects.
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl From<[u8; 32]> for Device {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As OpenSSH shows it, and in no other spelling.
impl FromStr for Device {
    type Err = NotADevice;

    fn from_str(text: &str) -> Result<Self, NotADevice> {
        let bytes = text.strip_prefix("SHA256:").and_then(|it| STANDARD_NO_PAD.decode(it).ok());
        let bytes = bytes.and_then(|it| <[u8; 32]>::try_from(it).ok());
        bytes.map(Self).ok_or_else(|| NotADevice(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for Device {
    type Error = NotADevice;

    fn try_from(text: String) -> Result<Self, NotADevice> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

/// The text names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a device: expected the fingerprint of its key, `SHA256:` and 43 characters of base64")]
pub struct NotADevice(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_the_fingerprint_of_its_key() {
        let key: Key =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g".parse().unwrap();
        let device = Device::of(&key);
        assert_eq!(device.to_string(), key.fingerprint());
        assert_eq!(device.to_string().parse(), Ok(device));
        assert_eq!(device.hex().len(), 64);
        for bad in ["", "SHA256:", "sha256:AAAA", &format!("{device}="), &device.to_string()[..49]] {
            assert!(bad.parse::<Device>().is_err(), "{bad}");
        }
    }
}
