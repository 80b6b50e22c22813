//! What the file may say: a row a field.

use super::values::{Value, endpoint, listen, proxy_address};
use super::{Config, Format, Level};

/// One field, in the order in which the sample shows it.
pub(super) struct Field {
    /// The table that it is in; empty at the top.
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    /// What the sample shows, as TOML: the default where there is one.
    pub(super) sample: &'static str,
    /// Whether the sample's value is what holds without it.
    pub(super) is_default: bool,
    /// For whoever reads the sample.
    pub(super) comment: &'static str,
    pub(super) set: fn(&mut Draft, &Value<'_>) -> Result<(), String>,
}

/// What was read so far. What only makes sense together is put together at the end.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) config: Config,
    pub(super) traces_endpoint: Option<url::Url>,
    pub(super) traces_headers: Option<std::path::PathBuf>,
    pub(super) proxy_address: Option<url::Url>,
    pub(super) proxy_no: Option<Vec<String>>,
    pub(super) proxy_credentials: Option<std::path::PathBuf>,
}

fn put<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

/// What a table is for, where that goes before its fields.
pub(super) const TABLES: [(&str, &str); 5] = [
    ("spool", "What waits on this machine to be sent. The oldest results go first, log lines before results."),
    ("log", "What the agent says of itself. Taken when it starts."),
    ("metrics", "Figures in the text form of Prometheus (OpenMetrics), at /metrics."),
    ("traces", "A trace for each run, over OTLP/HTTP in JSON. Without an endpoint there are none."),
    (
        "proxy",
        "Who stands between this machine and the servers that it asks. Without an address they are asked directly.",
    ),
];

/// The ceiling of what runs beside each other: each instance may take 64 MiB.
const DETECT_RUNS_CEILING: u64 = 64;
/// The ceiling of what waits to run: a hundred for each of a hundred orders.
const QUEUE_CEILING: u64 = 10_000;
/// Ten years: what is older than any contract is of no use.
const AGE_DAYS_CEILING: u64 = 3650;
/// A spool of less could not hold one whole result.
const SPOOL_BYTES_FLOOR: u64 = 16 << 20;
const SPOOL_BYTES_CEILING: u64 = 1 << 40;

#[rustfmt::skip]
pub(super) const FIELDS: &[Field] = &[
    Field {
        table: "", key: "orders", sample: "\"/etc/remit/orders.d\"", is_default: true,
        comment: "The folder of standing orders, one document a file. Only root may write to it.",
        set: |draft, value| put(&mut draft.config.orders, value.absolute_path()),
    },
    Field {
        table: "", key: "detect-runs-max", sample: "4", is_default: true,
        comment: "How many runs may look at once. Runs that change something are always alone.",
        set: |draft, value| put(&mut draft.config.detect_runs_max, value.between(1, DETECT_RUNS_CEILING)),
    },
    Field {
        table: "", key: "queue-max", sample: "256", is_default: true,
        comment: "How many runs may wait. What comes when the queue is full waits at its source, or is recorded as dropped.",
        set: |draft, value| put(&mut draft.config.queue_max, value.between(1, QUEUE_CEILING)),
    },
    Field {
        table: "", key: "client", sample: "\"acme\"", is_default: false,
        comment: "Whose machine this is, for filters of events and for tickets.",
        set: |draft, value| put(&mut draft.config.client, value.name().map(Some)),
    },
    Field {
        table: "", key: "site", sample: "\"berlin\"", is_default: false,
        comment: "Where it stands.",
        set: |draft, value| put(&mut draft.config.site, value.name().map(Some)),
    },
    Field {
        table: "", key: "tags", sample: "[\"server\", \"ring-2\"]", is_default: false,
        comment: "What else is said of it.",
        set: |draft, value| put(&mut draft.config.tags, value.list(|it| it.name())),
    },
    Field {
        table: "", key: "ca", sample: "[\"/etc/remit/inspection-ca.pem\"]", is_default: false,
        comment: "Authorities (PEM files) that are trusted beside this machine's own: that of a proxy that inspects TLS.\n\
                  What plugins and orders may do does not hang on it, because those are signed.",
        set: |draft, value| put(&mut draft.config.ca, value.list(|it| it.absolute_path())),
    },
    Field {
        table: "", key: "run-dir", sample: "\"/run/remit\"", is_default: true,
        comment: "The folder of the socket that both halves and `remit` talk over.",
        set: |draft, value| put(&mut draft.config.run_dir, value.absolute_path()),
    },
    Field {
        table: "", key: "user", sample: "\"remit\"", is_default: true,
        comment: "Who the half is that speaks to the network. `remit agent install` makes this user.",
        set: |draft, value| put(&mut draft.config.user, value.user()),
    },
    Field {
        table: "spool", key: "bytes-max", sample: "268435456", is_default: true,
        comment: "How many bytes may wait. The file that has them is about three times as large.",
        set: |draft, value| put(&mut draft.config.spool.bytes_max, value.between(SPOOL_BYTES_FLOOR, SPOOL_BYTES_CEILING)),
    },
    Field {
        table: "spool", key: "age-days-max", sample: "30", is_default: true,
        comment: "How long anything may wait.",
        set: |draft, value| put(&mut draft.config.spool.age_days_max, value.between(1, AGE_DAYS_CEILING)),
    },
    Field {
        table: "log", key: "format", sample: "\"journald\"", is_default: true,
        comment: "`journald` (with fields) or `stderr` (one JSON object a line), which it is where no journald is.",
        set: |draft, value| put(&mut draft.config.log.format, value.one_of(&[("journald", Format::Journald), ("stderr", Format::Stderr)])),
    },
    Field {
        table: "log", key: "level", sample: "\"info\"", is_default: true,
        comment: "The least that is said: `error`, `warning`, `info` or `debug`.",
        set: |draft, value| {
            let levels = [("error", Level::Error), ("warning", Level::Warning), ("info", Level::Info), ("debug", Level::Debug)];
            put(&mut draft.config.log.level, value.one_of(&levels))
        },
    },
    Field {
        table: "metrics", key: "listen", sample: "\"unix:/run/remit/network/metrics.sock\"", is_default: true,
        comment: "`unix:PATH`, an address of loopback such as `127.0.0.1:9464` or `[::1]:9464`, or `off`. Any user of this\n\
                  machine may read it; no other machine can.",
        set: |draft, value| put(&mut draft.config.metrics, listen(value)),
    },
    Field {
        table: "traces", key: "endpoint", sample: "\"https://collector.example:4318/v1/traces\"", is_default: false,
        comment: "Where they are sent. Without TLS only on this machine.",
        set: |draft, value| put(&mut draft.traces_endpoint, endpoint(value).map(Some)),
    },
    Field {
        table: "traces", key: "headers", sample: "\"/etc/remit/traces-headers\"", is_default: false,
        comment: "A file with headers that the collector wants, such as `Authorization: Bearer …`, one a line. It belongs to\n\
                  the agent's user, with mode 0600.",
        set: |draft, value| put(&mut draft.traces_headers, value.absolute_path().map(Some)),
    },
    Field {
        table: "proxy", key: "address", sample: "\"http://proxy.example:3128\"", is_default: false,
        comment: "The proxy. What is fetched over TLS stays unread by it, unless its authority is in `ca`.",
        set: |draft, value| put(&mut draft.proxy_address, proxy_address(value).map(Some)),
    },
    Field {
        table: "proxy", key: "no-proxy", sample: "[\"registry.example\", \".internal.example\", \"10.0.0.0/8\"]", is_default: false,
        comment: "Who is asked directly: hosts, domains with all below them (`.example`), addresses, networks. This machine\n\
                  always is.",
        set: |draft, value| put(&mut draft.proxy_no, value.list(|it| it.no_proxy()).map(Some)),
    },
    Field {
        table: "proxy", key: "credentials", sample: "\"/etc/remit/proxy-credentials\"", is_default: false,
        comment: "A file with `user:password`. It belongs to the agent's user, with mode 0600.",
        set: |draft, value| put(&mut draft.proxy_credentials, value.absolute_path().map(Some)),
    },
];
