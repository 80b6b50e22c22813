use std::collections::BTreeSet;

use model::{Digest, OrderId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Kind, Standing, Statement, check_list, check_sentence};
use crate::{Names, Time};

/// The most orders that one statement stops: more of them are a client's.
const ORDERS_MAX: usize = 256;

/// Nothing of this scope begins, or it goes on. One technician stops it; going on takes two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pause {
    /// Goes up with each that replaces another of the same scope.
    pub serial: u64,
    /// Nobody takes it up from then on. What was stopped by then stays stopped: time alone starts nothing.
    pub expires: Time,
    /// Whether it stops; else it goes on.
    pub is_paused: bool,
    /// What these clients' devices were ordered.
    pub clients: Names,
    /// These orders; all of them, where none is listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<OrderId>,
    /// Why, for whoever waits.
    pub reason: String,
}

impl Statement for Pause {
    const KIND: Kind = Kind::Pause;

    fn check(&self) -> Result<(), String> {
        if let Names::These(clients) = &self.clients {
            check_list("clients", clients, usize::MAX)?;
        }
        if !self.orders.is_empty() {
            check_list("orders", &self.orders, ORDERS_MAX)?;
        }
        check_sentence("reason", &self.reason)
    }
}

impl Standing for Pause {
    /// Its scope, in whatever order it is listed.
    fn subject(&self) -> String {
        let clients: BTreeSet<String> = Vec::<String>::from(self.clients.clone()).into_iter().collect();
        let orders: BTreeSet<&OrderId> = self.orders.iter().collect();
        Digest::of_json(&json!({ "clients": clients, "orders": orders })).hex()
    }

    fn serial(&self) -> u64 {
        self.serial
    }

    fn expires(&self) -> Time {
        self.expires
    }
}
