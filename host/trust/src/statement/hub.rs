use model::Digest;
use serde::{Deserialize, Serialize};

use super::{Kind, Standing, Statement, check_list, check_sentence};
use crate::Time;

/// The most addresses: a hub and those that stand in for it.
const ADDRESSES_MAX: usize = 16;
/// The most authorities: the one of today, and the one that comes.
const AUTHORITIES_MAX: usize = 8;

/// Where the hub is, and whose certificates it has. The MSP's root signs it: a hub moves no device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hub {
    /// Goes up.
    pub serial: u64,
    /// By then there is a newer one. Until that comes, a device goes on trying these.
    pub expires: Time,
    /// `https://…`, in the order in which they are tried.
    pub addresses: Vec<String>,
    /// The digests of CA certificates. A server with a certificate of none of these is not the hub.
    pub authorities: Vec<Digest>,
}

impl Statement for Hub {
    const KIND: Kind = Kind::Hub;

    fn check(&self) -> Result<(), String> {
        check_list("addresses", &self.addresses, ADDRESSES_MAX)?;
        check_list("authorities", &self.authorities, AUTHORITIES_MAX)?;
        for address in &self.addresses {
            check_sentence("addresses", address)?;
            if address.strip_prefix("https://").is_none_or(str::is_empty) {
                return Err(format!("`addresses`: `{address}` is none that begins with https://"));
            }
        }
        Ok(())
    }
}

impl Standing for Hub {
    fn subject(&self) -> String {
        "hub".to_owned()
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
