//! What is sealed to a device's own SSH key, in the format of `age`: other programs open it too, if they have the key.

use std::io::{Read as _, Write as _};

use age::ssh::{Identity, Recipient};
use zeroize::Zeroizing;

use crate::{Key, Signer};

/// The most bytes of what is opened: a secret and what it was sealed for.
const OPENED_BYTES_MAX: u64 = 32 << 10;

/// Why it could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what is sealed does not open: {0}")]
pub struct NotOpened(pub(crate) String);

impl NotOpened {
    pub(crate) fn short() -> Self {
        Self("it is too short".to_owned())
    }
}

/// Seals bytes, so that only whoever has the private half of this key opens them.
pub(crate) fn seal(to: &Key, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let recipient: Recipient = to.to_string().parse().map_err(|_| "nothing is sealed to such a key".to_owned())?;
    let recipients = [&recipient as &dyn age::Recipient];
    let encryptor = age::Encryptor::with_recipients(recipients.into_iter()).map_err(|error| error.to_string())?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(|error| error.to_string())?;
    writer.write_all(bytes).map_err(|error| error.to_string())?;
    writer.finish().map_err(|error| error.to_string())?;
    Ok(sealed)
}

/// Opens what was sealed to this key, which is in memory.
pub(crate) fn open(with: &Signer, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
    let wrong = |error: &dyn std::error::Error| NotOpened(error.to_string());
    let text = with.to_openssh().map_err(|error| wrong(&error))?;
    let text = text.ok_or_else(|| NotOpened("the key is in an agent, which opens nothing".to_owned()))?;
    let identity = Identity::from_buffer(text.as_bytes(), None).map_err(|error| wrong(&error))?;
    let decryptor = age::Decryptor::new(sealed).map_err(|error| wrong(&error))?;
    let identities = [&identity as &dyn age::Identity];
    let reader = decryptor.decrypt(identities.into_iter()).map_err(|error| wrong(&error))?;
    let mut opened = Zeroizing::new(Vec::new());
    reader.take(OPENED_BYTES_MAX).read_to_end(&mut opened).map_err(|error| wrong(&error))?;
    Ok(opened)
}
