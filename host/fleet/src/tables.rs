//! The tables that a technician queries: names and columns are osquery's (5.x, <https://osquery.io/schema>) where it has them.
//!
//! Some of them a device tells row by row ([`Told::Rows`]); of the others the rows are made on the hub, out of its facts and of what
//! is known of the device. An expression of an order sees none of them: `packages` are counted in the facts, and listed here.

/// A table.
#[derive(Debug)]
pub struct Table {
    /// What it is called.
    pub name: &'static str,
    /// Where its rows come from.
    pub told: Told,
    /// What a row is.
    pub doc: &'static str,
    /// Its own columns; those of [`OF_DEVICE`] come before them.
    pub columns: &'static [Column],
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// What it is called.
    pub name: &'static str,
    /// What its values are.
    pub ty: Type,
    /// What it says, with its unit.
    pub doc: &'static str,
}

/// What values are. Any may be NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// A whole number of 64 bits, signed.
    Integer,
    /// A number with a fraction.
    Real,
}

/// Where rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The device tells each row, by difference.
    Rows,
    /// The same, and they are about people: unless its client's policy says otherwise, names come as pseudonyms.
    People,
    /// They are made of the facts that it tells.
    Facts,
    /// They are made of what was signed about it, and of what the hub knows.
    Hub,
}

impl Type {
    /// As SQL has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
        }
    }
}

impl Table {
    /// The table of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|it| it.name == name)
    }

    /// Whether devices tell its rows.
    pub fn is_told(&self) -> bool {
        matches!(self.told, Told::Rows | Told::People)
    }

    /// All its columns, in order.
    pub fn all_columns(&self) -> impl Iterator<Item = &'static Column> {
        OF_DEVICE.iter().chain(self.columns)
    }
}

const fn column(name: &'static str, ty: Type, doc: &'static str) -> Column {
    Column { name, ty, doc }
}

/// What each row of each table begins with: of which device it is.
pub static OF_DEVICE: [Column; 5] = [
    column("hostname", Type::Text, "What the device calls itself; NULL where it never said"),
    column("device_id", Type::Text, "Its key's SHA-256, in hexadecimal"),
    column("client", Type::Text, "Its client"),
    column("site", Type::Text, "Its site"),
    column(
        "seen",
        Type::Text,
        "When the device last said how it is, in UTC; what is older than a day is of one that was away",
    ),
];

macro_rules! tables {
    ($($name:literal $told:ident $doc:literal { $($column:literal $ty:ident $column_doc:literal;)* })*) => {
        /// Every table, by name.
        pub static TABLES: &[Table] = &[$(Table {
            name: $name,
            told: Told::$told,
            doc: $doc,
            columns: &[$(column($column, Type::$ty, $column_doc),)*],
        },)*];
    };
}

tables! {
    "deb_packages" Rows "A package that dpkg knows." {
        "name" Text "Package name";
        "version" Text "Package version";
        "arch" Text "Architecture";
        "source" Text "Source package; NULL if it has the same name";
        "size" Integer "Installed size in KiB";
        "status" Text "Want, flag and state, such as `install ok installed`";
        "section" Text "Section";
    }
    "device_tags" Hub "A tag that was signed for a device." {
        "tag" Text "The tag";
    }
    "devices" Hub "A device." {
        "state" Text "`member`, `pending` or `retired`";
        "presence" Text "`online`, `offline`, or `unknown` where nobody listened for long enough to say";
        "joined" Text "When it joined, in UTC";
        "agent_version" Text "Version of its agent";
        "reboot_pending" Integer "1 if a reboot is due";
        "reboot_reasons" Text "Why, separated by blanks";
        "packages" Integer "Installed packages";
        "updates" Integer "Updates that are known and not installed";
        "security_updates" Integer "Of these, those that mend a weakness";
        "vendor" Text "Maker of the hardware";
        "model" Text "Model of the hardware";
        "is_virtual" Integer "1 if it runs in a hypervisor or container";
    }
    "interface_addresses" Facts "An address of a network interface." {
        "interface" Text "Interface name";
        "address" Text "Address, without prefix";
        "prefix" Integer "Bits of the network";
    }
    "interface_details" Facts "A network interface." {
        "interface" Text "Interface name";
        "mac" Text "Hardware address";
        "up" Integer "1 if it carries traffic";
    }
    "listening_ports" Rows "A socket that waits for connections or datagrams." {
        "port" Integer "Port";
        "protocol" Integer "6 TCP, 17 UDP";
        "family" Integer "2 IPv4, 10 IPv6";
        "address" Text "Local address";
    }
    "logged_in_users" People "Somebody who is logged in." {
        "type" Text "`user`, `login` and their like";
        "user" Text "Account; a pseudonym where people are masked";
        "tty" Text "Terminal";
        "host" Text "From where; NULL where people are masked";
        "time" Integer "Since when, in seconds since 1970";
    }
    "memory_info" Facts "The machine's memory: one row." {
        "memory_total" Integer "Bytes";
        "swap_total" Integer "Bytes";
    }
    "mounts" Facts "A mounted file system that holds data." {
        "path" Text "Mount point or drive letter";
        "type" Text "File system";
        "size_bytes" Integer "Size";
        "free_bytes" Integer "What is left, to a thousandth of the size";
        "free_pct" Real "The same in percent of the size";
        "read_only" Integer "1 if nothing can be written";
    }
    "os_version" Facts "The operating system: one row." {
        "name" Text "Name";
        "version" Text "Version for people";
        "platform" Text "`debian`, `ubuntu`, `rhel`, `windows`, `darwin`; of a system that is like a larger one, that";
        "arch" Text "Architecture";
        "kernel" Text "The running kernel's version";
    }
    "services" Rows "A service." {
        "name" Text "Its name, without `.service`";
        "display_name" Text "What people call it";
        "status" Text "`running`, `stopped`, `failed`, ...";
        "start_type" Text "When it starts";
    }
    "system_info" Facts "The machine: one row." {
        "cpu_brand" Text "Processor";
        "cpu_logical_cores" Integer "Hardware threads";
        "physical_memory" Integer "Bytes";
        "hardware_vendor" Text "Maker; may be empty";
        "hardware_model" Text "Model; may be empty";
    }
    "updates" Rows "An update that is not, or not wholly, installed." {
        "name" Text "Package or product";
        "installed_version" Text "What is there; NULL where it is new";
        "available_version" Text "What would be there";
        "classification" Text "`security`, `update`, ...";
        "severity" Text "`critical`, `important`, `moderate`, `low`, `unspecified`";
        "state" Text "`available`, `held`, `kept-back`, `pending-reboot`, ...";
        "source" Text "`apt`, `dnf`, `windows-update`, ...";
    }
    "uptime" Rows "Since when the machine runs: one row." {
        "booted_at" Integer "When it started, in seconds since 1970";
        "total_seconds" Integer "Seconds from then until it last said how it is";
    }
    "users" People "A local account." {
        "uid" Integer "Number";
        "gid" Integer "Number of its group";
        "username" Text "Name; a pseudonym where people are masked";
        "description" Text "What describes it; NULL of a person where people are masked";
        "directory" Text "Home; NULL of a person where people are masked";
        "shell" Text "Shell";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tables_are_in_order_and_no_column_is_there_twice() {
        assert!(TABLES.windows(2).all(|two| two[0].name < two[1].name));
        for table in TABLES {
            let names: Vec<&str> = table.all_columns().map(|it| it.name).collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{}: {names:?}", table.name);
            assert!(Table::named(table.name).is_some_and(|it| std::ptr::eq(it, table)));
        }
        assert!(Table::named("device").is_none());
    }
}
