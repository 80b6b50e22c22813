//! Where the rows of each table come from on Linux: one file a table, one row here.

mod certificates;
mod crontab;
mod deb_packages;
mod etc_hosts;
mod groups;
mod interface_addresses;
mod interface_details;
mod kernel_info;
mod last;
mod listening_ports;
mod load_average;
mod logged_in_users;
mod memory_info;
mod mounts;
mod os_version;
mod processes;
mod routes;
mod system_info;
mod uptime;
mod user_groups;
mod users;

use contract::types::{Error, ErrorKind};

use super::linux::Source;
use super::select::Row;

type Produce = fn(&Source) -> Result<Vec<Row>, Error>;

/// Every table that this platform has.
pub(super) const PRODUCERS: [(&str, Produce); 21] = [
    ("certificates", certificates::rows),
    ("crontab", crontab::rows),
    ("deb_packages", deb_packages::rows),
    ("etc_hosts", etc_hosts::rows),
    ("groups", groups::rows),
    ("interface_addresses", interface_addresses::rows),
    ("interface_details", interface_details::rows),
    ("kernel_info", kernel_info::rows),
    ("last", last::rows),
    ("listening_ports", listening_ports::rows),
    ("load_average", load_average::rows),
    ("logged_in_users", logged_in_users::rows),
    ("memory_info", memory_info::rows),
    ("mounts", mounts::rows),
    ("os_version", os_version::rows),
    ("processes", processes::rows),
    ("routes", routes::rows),
    ("system_info", system_info::rows),
    ("uptime", uptime::rows),
    ("user_groups", user_groups::rows),
    ("users", users::rows),
];

/// The rows of a table, in no promised order.
pub(super) fn rows(table: &str, source: &Source) -> Result<Vec<Row>, Error> {
    let produce = PRODUCERS.iter().find(|(name, _)| *name == table).map(|(_, produce)| produce);
    let produce = produce
        .ok_or_else(|| Error::new(ErrorKind::Unsupported, "table", format!("this platform has no table `{table}`")))?;
    produce(source)
}
