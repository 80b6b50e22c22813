//! The tables: names, columns and types as in osquery's schema (5.x, <https://osquery.io/schema>), a row a column. A column of
//! osquery that is not here is not known to this host.

/// A table.
#[derive(Debug)]
pub struct Table {
    /// osquery's name.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// Whether it reveals people: then `*` in a scope does not stand for it.
    pub reveals_people: bool,
    /// Its columns.
    pub columns: &'static [Column],
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// osquery's name.
    pub name: &'static str,
    /// How its values compare.
    pub ty: Type,
    /// What it says, with its unit.
    pub doc: &'static str,
}

/// osquery's types, of those that tables here have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text.
    Text,
    /// 32 bits, signed.
    Integer,
    /// 64 bits, signed.
    BigInt,
}

impl Type {
    /// osquery's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Integer => "INTEGER",
            Self::BigInt => "BIGINT",
        }
    }
}

impl Table {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

macro_rules! tables {
    ($($name:literal $doc:literal $(people: $people:literal)? { $($column:literal $ty:ident $column_doc:literal;)* })*) => {
        /// Every table, by name.
        pub static TABLES: &[Table] = &[$(Table {
            name: $name,
            doc: $doc,
            reveals_people: false $(|| $people)?,
            columns: &[$(Column { name: $column, ty: Type::$ty, doc: $column_doc },)*],
        },)*];
    };
}

tables! {
    "certificates" "A certificate authority that this machine trusts." {
        "common_name" Text "Common name of the subject";
        "subject" Text "Distinguished name of the subject";
        "issuer" Text "Distinguished name of the issuer";
        "ca" Integer "1 if it may sign certificates";
        "self_signed" Integer "1 if subject and issuer are the same";
        "not_valid_before" Text "Seconds since 1970";
        "not_valid_after" Text "Seconds since 1970";
        "signing_algorithm" Text "How it was signed, as an object identifier's name";
        "key_algorithm" Text "What kind of key it has, as an object identifier's name";
        "key_strength" Text "Bits of the key";
        "key_usage" Text "What the key may be used for";
        "subject_key_id" Text "Hexadecimal";
        "authority_key_id" Text "Hexadecimal";
        "path" Text "The bundle that holds it";
        "serial" Text "Serial number, hexadecimal";
    }
    "crontab" "A line of a crontab." {
        "event" Text "`@reboot` and its like, instead of the times";
        "minute" Text "As written";
        "hour" Text "As written";
        "day_of_month" Text "As written";
        "month" Text "As written";
        "day_of_week" Text "As written";
        "command" Text "What is run; in a crontab of the system the user comes first";
        "path" Text "The file";
    }
    "deb_packages" "A package that dpkg knows." {
        "name" Text "Package name";
        "version" Text "Package version";
        "source" Text "Source package; empty if it has the same name";
        "size" BigInt "Installed size in KiB";
        "arch" Text "Architecture";
        "revision" Text "Debian revision";
        "status" Text "Want, flag and state";
        "maintainer" Text "Maintainer";
        "section" Text "Section";
        "priority" Text "Priority";
        "admindir" Text "dpkg's folder";
    }
    "etc_hosts" "A line of /etc/hosts." {
        "address" Text "Address";
        "hostnames" Text "Names, separated by spaces";
    }
    "groups" "A local group." people: true {
        "gid" BigInt "Number";
        "gid_signed" BigInt "Number as a signed 32-bit integer";
        "groupname" Text "Name";
    }
    "interface_addresses" "An address of a network interface." {
        "interface" Text "Interface name";
        "address" Text "Address, without prefix";
        "mask" Text "Netmask";
        "broadcast" Text "Broadcast address of an IPv4 network that has one";
    }
    "interface_details" "A network interface." {
        "interface" Text "Interface name";
        "mac" Text "Hardware address";
        "type" Integer "ARPHRD number";
        "mtu" Integer "Bytes";
        "flags" Integer "IFF flags";
        "ipackets" BigInt "Packets received";
        "opackets" BigInt "Packets sent";
        "ibytes" BigInt "Bytes received";
        "obytes" BigInt "Bytes sent";
        "ierrors" BigInt "Errors when receiving";
        "oerrors" BigInt "Errors when sending";
        "idrops" BigInt "Dropped when receiving";
        "odrops" BigInt "Dropped when sending";
        "collisions" BigInt "Collisions";
        "link_speed" BigInt "Mb/s; none without a link";
    }
    "kernel_info" "The running kernel: one row." {
        "version" Text "Version";
        "arguments" Text "Its command line";
        "path" Text "Its image, as the boot loader named it";
        "device" Text "The root device";
    }
    "last" "A record of /var/log/wtmp, oldest first." people: true {
        "username" Text "Account";
        "tty" Text "Terminal";
        "pid" Integer "Process";
        "type" Integer "ut_type of utmp.h";
        "type_name" Text "The type's word";
        "time" Integer "Seconds since 1970";
        "host" Text "From where";
    }
    "listening_ports" "A socket that waits for connections or datagrams." {
        "pid" Integer "Process; -1 if it cannot be told";
        "port" Integer "Port; 0 for a Unix socket";
        "protocol" Integer "6 TCP, 17 UDP, 0 Unix";
        "family" Integer "2 IPv4, 10 IPv6, 1 Unix";
        "address" Text "Local address; empty for a Unix socket";
        "fd" BigInt "File descriptor in that process; -1 if it cannot be told";
        "socket" BigInt "Inode of the socket";
        "path" Text "Path of a Unix socket";
    }
    "load_average" "A load average: three rows." {
        "period" Text "`1m`, `5m`, `15m`";
        "average" Text "The average";
    }
    "logged_in_users" "A record of /run/utmp, or a session of logind that has none." people: true {
        "type" Text "`user`, `login`, `boot_time` and their like";
        "user" Text "Account";
        "tty" Text "Terminal";
        "host" Text "From where";
        "time" BigInt "Seconds since 1970";
        "pid" Integer "Process";
    }
    "memory_info" "The machine's memory: one row." {
        "memory_total" BigInt "Bytes";
        "memory_free" BigInt "Bytes";
        "memory_available" BigInt "Bytes";
        "buffers" BigInt "Bytes";
        "cached" BigInt "Bytes";
        "swap_cached" BigInt "Bytes";
        "active" BigInt "Bytes";
        "inactive" BigInt "Bytes";
        "swap_total" BigInt "Bytes";
        "swap_free" BigInt "Bytes";
    }
    "mounts" "A mounted file system." {
        "device" Text "What is mounted";
        "device_alias" Text "The same, links resolved";
        "path" Text "Where";
        "type" Text "File system";
        "blocks_size" BigInt "Bytes a block";
        "blocks" BigInt "Blocks";
        "blocks_free" BigInt "Free blocks";
        "blocks_available" BigInt "Blocks free for who is not root";
        "inodes" BigInt "Inodes";
        "inodes_free" BigInt "Free inodes";
        "flags" Text "Options, separated by commas";
    }
    "os_version" "The operating system: one row." {
        "name" Text "Name";
        "version" Text "Version for people";
        "major" Integer "First number";
        "minor" Integer "Second number";
        "patch" Integer "Third number";
        "build" Text "Build";
        "platform" Text "ID of os-release";
        "platform_like" Text "ID_LIKE of os-release";
        "codename" Text "Code name";
        "arch" Text "Architecture";
    }
    "processes" "A running process. Without its command line, which may hold secrets." {
        "pid" BigInt "Process";
        "name" Text "Name of the program, at most 15 bytes";
        "path" Text "The program's file";
        "state" Text "State, a letter as in ps";
        "cwd" Text "Working folder";
        "root" Text "Root folder";
        "uid" BigInt "Real user";
        "gid" BigInt "Real group";
        "euid" BigInt "Effective user";
        "egid" BigInt "Effective group";
        "suid" BigInt "Saved user";
        "sgid" BigInt "Saved group";
        "on_disk" Integer "1 if the program's file is still there, 0 if not, -1 if it cannot be told";
        "wired_size" BigInt "Bytes that are never paged out; always 0 on Linux";
        "resident_size" BigInt "Bytes in memory";
        "total_size" BigInt "Bytes of address space";
        "user_time" BigInt "Milliseconds in user mode";
        "system_time" BigInt "Milliseconds in the kernel";
        "disk_bytes_read" BigInt "Bytes";
        "disk_bytes_written" BigInt "Bytes";
        "start_time" BigInt "Seconds since 1970";
        "parent" BigInt "Parent process";
        "pgroup" BigInt "Process group";
        "threads" Integer "Threads";
        "nice" Integer "-20 to 20";
    }
    "routes" "A route." {
        "destination" Text "Network";
        "netmask" Integer "Bits of the prefix";
        "gateway" Text "Next hop; empty if it is on the link";
        "flags" Integer "RTF flags";
        "interface" Text "Interface";
        "mtu" Integer "Bytes; 0 if the interface's";
        "metric" Integer "Cost; the lowest is taken";
        "type" Text "`gateway`, `local` or `unicast`";
    }
    "system_info" "The machine: one row." {
        "hostname" Text "Host name";
        "uuid" Text "UUID of the hardware";
        "cpu_type" Text "Architecture";
        "cpu_brand" Text "Processor";
        "cpu_physical_cores" Integer "Cores";
        "cpu_logical_cores" Integer "Hardware threads";
        "cpu_sockets" Integer "Processors";
        "cpu_microcode" Text "Version of the microcode";
        "physical_memory" BigInt "Bytes";
        "hardware_vendor" Text "Maker";
        "hardware_model" Text "Model";
        "hardware_version" Text "Version";
        "hardware_serial" Text "Serial number";
        "board_vendor" Text "The board's maker";
        "board_model" Text "The board's model";
        "board_version" Text "The board's version";
        "board_serial" Text "The board's serial number";
        "computer_name" Text "Name for people";
        "local_hostname" Text "Host name";
    }
    "uptime" "Since boot: one row." {
        "days" Integer "Days";
        "hours" Integer "Hours beyond the days";
        "minutes" Integer "Minutes beyond the hours";
        "seconds" Integer "Seconds beyond the minutes";
        "total_seconds" BigInt "All in seconds";
    }
    "user_groups" "A user in a group." people: true {
        "uid" BigInt "User";
        "gid" BigInt "Group";
    }
    "users" "A local account." people: true {
        "uid" BigInt "Number";
        "gid" BigInt "Primary group";
        "uid_signed" BigInt "Number as a signed 32-bit integer";
        "gid_signed" BigInt "Primary group as a signed 32-bit integer";
        "username" Text "Name";
        "description" Text "Full name and what else is in that field";
        "directory" Text "Home folder";
        "shell" Text "Shell";
    }
}
