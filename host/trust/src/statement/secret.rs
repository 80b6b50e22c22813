use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{Kind, Standing, Statement, check_list};
use crate::sealed::{self, NotOpened};
use crate::{Key, Name, Signer, Time};

/// The most places that a secret names: as many as a device's vault takes.
const PLACES_MAX: usize = 64;

/// The most bytes of a place.
const PLACE_BYTES_MAX: usize = 255;

/// The most bytes of a secret, as a vault has it.
pub const SECRET_BYTES_MAX: usize = 16 << 10;

/// The most bytes of what is sealed, in base64.
const SEALED_BYTES_MAX: usize = 26 << 10;

/// What is sealed has a length that is a multiple of this: nobody learns how long a password is.
const PADDED_BYTES: usize = 256;

/// A secret for one device, sealed to its key; or that the device has it no more. A technician of the client signs it.
///
/// What it is, where it may be used and until when stands open; the bytes are for the device alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Secret {
    /// Goes up.
    pub serial: u64,
    /// Nobody uses it from then on: also where whoever carries this holds back that it is gone.
    pub expires: Time,
    /// Whose device it is for.
    pub client: Name,
    /// The device's own key.
    pub device: Key,
    /// What plugins call it.
    pub name: Name,
    /// Where it may be used, such as `http:api.example.com`; none, where it is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// What `age` made of it, in base64; empty where it is gone.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sealed: String,
}

impl Secret {
    /// With these bytes, which only the device opens. All other fields are final: what is sealed is sealed for them.
    pub fn seal(mut self, tenant: Digest, bytes: &[u8]) -> Result<Self, String> {
        if bytes.is_empty() || bytes.len() > SECRET_BYTES_MAX {
            return Err(format!("a secret has 1 to {SECRET_BYTES_MAX} bytes, this one {}", bytes.len()));
        }
        self.sealed = STANDARD.encode(sealed::seal(&self.device, &self.whole(tenant, bytes))?);
        Ok(self)
    }

    /// What is sealed: what it is for, how long it is, the bytes, and what hides their length.
    pub(crate) fn whole(&self, tenant: Digest, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        let filled = 32 + length.len() + bytes.len();
        // Nothing of it is moved, and so left behind, while it grows.
        let mut whole = Zeroizing::new(Vec::with_capacity(filled.next_multiple_of(PADDED_BYTES)));
        whole.extend_from_slice(self.meant(tenant).as_bytes());
        whole.extend_from_slice(&length);
        whole.extend_from_slice(bytes);
        whole.resize(filled.next_multiple_of(PADDED_BYTES), 0);
        whole
    }

    /// Its bytes, for whoever has the device's key: if they were sealed for just this. Another's word about what somebody else
    /// sealed, such as that it may be used in another place, opens nothing.
    pub fn open(&self, tenant: Digest, device: &Signer) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let sealed = STANDARD.decode(&self.sealed).map_err(|error| NotOpened(error.to_string()))?;
        let whole = sealed::open(device, &sealed)?;
        let (meant, rest) = whole.split_at_checked(32).ok_or_else(NotOpened::short)?;
        if meant != self.meant(tenant).as_bytes() {
            return Err(NotOpened("it was sealed for another name, place, time or device".to_owned()));
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(NotOpened::short)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        rest.get(..length).map(|bytes| Zeroizing::new(bytes.to_vec())).ok_or_else(NotOpened::short)
    }

    /// Whether the device has it no more.
    pub fn is_gone(&self) -> bool {
        self.sealed.is_empty()
    }

    /// All that it says openly, and to whom.
    fn meant(&self, tenant: Digest) -> Digest {
        let Self { serial, expires, client, device, name, places, sealed: _ } = self;
        Digest::of_json(&json!({
            "tenant": tenant, "serial": serial, "expires": expires, "client": client, "device": device, "name": name,
            "places": places,
        }))
    }
}

impl Statement for Secret {
    const KIND: Kind = Kind::Secret;

    fn check(&self) -> Result<(), String> {
        if self.name.as_str().contains('@') {
            return Err("`name`: a secret has no `@` in its name".to_owned());
        }
        if self.device.is_hardware() {
            return Err("`device`: nothing is sealed to a key in hardware".to_owned());
        }
        if self.is_gone() {
            return if self.places.is_empty() {
                Ok(())
            } else {
                Err("`places`: what is gone is used nowhere".to_owned())
            };
        }
        check_list("places", &self.places, PLACES_MAX)?;
        let is_plain = |place: &&String| {
            (1..=PLACE_BYTES_MAX).contains(&place.len()) && place.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if self.places.iter().any(|place| !is_plain(&place)) {
            return Err(format!("`places`: expected 1 to {PLACE_BYTES_MAX} bytes of visible ASCII each"));
        }
        match self.sealed.len() > SEALED_BYTES_MAX || STANDARD.decode(&self.sealed).is_err() {
            true => Err(format!("`sealed`: expected base64 of at most {SEALED_BYTES_MAX} bytes")),
            false => Ok(()),
        }
    }
}

impl Standing for Secret {
    /// Of one client's device: no other client's technician says anything about it.
    fn subject(&self) -> String {
        let Self { client, device, name, .. } = self;
        Digest::of_json(&json!({ "client": client, "device": device, "name": name })).hex()
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
