//! The tables, and how those of an older hub become these.

use rusqlite::{Connection, TransactionBehavior};

use crate::{Error, fail};

/// The version of the tables; a file of a newer one is not opened.
pub(crate) const SCHEMA_VERSION: i64 = 1;

/// Version 1. Whatever belongs to a client says so in `client`, so that one view shows it, one query exports it and one deletes it.
const FIRST: &str = "
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    CREATE TABLE client (
        client TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, retention_days INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE site (client TEXT NOT NULL, site TEXT NOT NULL, PRIMARY KEY (client, site)) WITHOUT ROWID;
    CREATE TABLE device (
        device TEXT PRIMARY KEY, client TEXT NOT NULL, site TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
        assignment TEXT, joined_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX device_by_client ON device (client, device);
    CREATE TABLE identity (
        device TEXT PRIMARY KEY, client TEXT NOT NULL, machine TEXT NOT NULL, process TEXT NOT NULL, earlier TEXT NOT NULL,
        cloned_ms INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX identity_by_client ON identity (client);
    CREATE TABLE tag (
        device TEXT NOT NULL, tag TEXT NOT NULL, client TEXT NOT NULL, PRIMARY KEY (device, tag)
    ) WITHOUT ROWID;
    CREATE TABLE token (
        token TEXT PRIMARY KEY, client TEXT NOT NULL, site TEXT NOT NULL, tags TEXT NOT NULL, key TEXT NOT NULL,
        uses_max INTEGER NOT NULL, used INTEGER NOT NULL, needs_accept INTEGER NOT NULL, made_by TEXT NOT NULL,
        created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL
    ) WITHOUT ROWID;

    CREATE TABLE document (
        number INTEGER PRIMARY KEY AUTOINCREMENT, digest TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, subject TEXT NOT NULL,
        file TEXT NOT NULL, is_current INTEGER NOT NULL, kept_ms INTEGER NOT NULL, bytes BLOB NOT NULL
    );
    CREATE INDEX document_by_file ON document (file);
    CREATE INDEX document_by_subject ON document (kind, subject) WHERE is_current;
    CREATE TABLE document_client (
        digest TEXT NOT NULL, client TEXT NOT NULL, PRIMARY KEY (digest, client)
    ) WITHOUT ROWID;
    CREATE INDEX document_client_by_client ON document_client (client);
    CREATE TABLE mailbox (
        device TEXT PRIMARY KEY, client TEXT NOT NULL, revision INTEGER NOT NULL, changed_ms INTEGER NOT NULL, bytes BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE named (
        device TEXT NOT NULL, file TEXT NOT NULL, client TEXT NOT NULL, PRIMARY KEY (device, file)
    ) WITHOUT ROWID;

    CREATE TABLE orders (
        digest TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, signer TEXT NOT NULL, plugin TEXT NOT NULL, mode TEXT NOT NULL,
        signed_ms INTEGER NOT NULL, from_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, kept_ms INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE ring (
        digest TEXT NOT NULL, ring INTEGER NOT NULL, devices INTEGER NOT NULL, root TEXT NOT NULL, PRIMARY KEY (digest, ring)
    ) WITHOUT ROWID;

    CREATE TABLE part (
        digest TEXT NOT NULL, client TEXT NOT NULL, size INTEGER NOT NULL, kept_ms INTEGER NOT NULL, PRIMARY KEY (digest, client)
    ) WITHOUT ROWID;
    CREATE INDEX part_by_client ON part (client);
    CREATE TABLE part_bytes (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL);

    CREATE TABLE rollout (
        digest TEXT PRIMARY KEY, file TEXT NOT NULL, parcel TEXT, state TEXT NOT NULL, expires_ms INTEGER NOT NULL,
        begun_ms INTEGER NOT NULL, ended_ms INTEGER, version INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX rollout_that_runs ON rollout (digest) WHERE state = 'running';
    CREATE TABLE rollout_ring (
        digest TEXT NOT NULL, ring INTEGER NOT NULL, devices INTEGER NOT NULL, opened_ms INTEGER, certificate TEXT,
        well INTEGER NOT NULL, failed INTEGER NOT NULL, refused INTEGER NOT NULL, aside INTEGER NOT NULL,
        suspended INTEGER NOT NULL, last_ms INTEGER NOT NULL, PRIMARY KEY (digest, ring)
    ) WITHOUT ROWID;
    CREATE TABLE rollout_part (digest TEXT NOT NULL, part TEXT NOT NULL, PRIMARY KEY (digest, part)) WITHOUT ROWID;
    CREATE INDEX rollout_part_by_part ON rollout_part (part);
    CREATE TABLE seat (
        digest TEXT NOT NULL, device TEXT NOT NULL, client TEXT NOT NULL, ring INTEGER NOT NULL, leaf INTEGER NOT NULL,
        path BLOB NOT NULL, is_drawn INTEGER NOT NULL, comes TEXT, sequence INTEGER NOT NULL, result TEXT NOT NULL,
        ended_ms INTEGER NOT NULL, PRIMARY KEY (digest, device)
    ) WITHOUT ROWID;
    CREATE INDEX seat_by_device ON seat (device);
    CREATE INDEX seat_by_ring ON seat (digest, ring, leaf);
    CREATE INDEX seat_by_client ON seat (client);
    CREATE INDEX seat_that_is_drawn ON seat (digest, ring) WHERE is_drawn;
    CREATE TABLE reached (
        digest TEXT NOT NULL, device TEXT NOT NULL, client TEXT NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (digest, device)
    ) WITHOUT ROWID;
    CREATE INDEX reached_by_time ON reached (at_ms);
    CREATE TABLE stale (device TEXT PRIMARY KEY, client TEXT NOT NULL, mark INTEGER NOT NULL) WITHOUT ROWID;

    CREATE TABLE message (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, spool TEXT NOT NULL,
        sequence INTEGER NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL, received_ms INTEGER NOT NULL, body BLOB NOT NULL,
        UNIQUE (device, spool, sequence)
    );
    CREATE INDEX message_by_client ON message (client, received_ms);
    CREATE INDEX message_that_is_a_record ON message (digest, device) WHERE kind = 'record';
    CREATE TABLE result (
        number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, client TEXT NOT NULL, device TEXT NOT NULL,
        ordered TEXT NOT NULL, run TEXT, attempt INTEGER NOT NULL, outcome TEXT NOT NULL, verdict TEXT NOT NULL, refused TEXT,
        mode TEXT NOT NULL, sequence INTEGER NOT NULL, record TEXT NOT NULL, ended_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL
    );
    CREATE INDEX result_by_order ON result (ordered, device, number);
    CREATE INDEX result_in_order ON result (ordered, number);
    CREATE INDEX result_by_device ON result (device, sequence);
    CREATE INDEX result_by_client ON result (client, received_ms);

    CREATE TABLE fact (
        device TEXT NOT NULL, name TEXT NOT NULL, client TEXT NOT NULL, value TEXT NOT NULL, changed_ms INTEGER NOT NULL,
        PRIMARY KEY (device, name)
    ) WITHOUT ROWID;
    CREATE TABLE fact_change (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL,
        before TEXT, after TEXT, at_ms INTEGER NOT NULL
    );
    CREATE INDEX fact_change_by_device ON fact_change (device, number);
    CREATE INDEX fact_change_by_client ON fact_change (client, at_ms);
    CREATE TABLE holder (
        number INTEGER PRIMARY KEY, device TEXT NOT NULL UNIQUE, client TEXT NOT NULL, seen_ms INTEGER NOT NULL,
        since_ms INTEGER NOT NULL, changes INTEGER NOT NULL
    );
    CREATE INDEX holder_by_client ON holder (client);
    CREATE TABLE item (
        item INTEGER PRIMARY KEY, client TEXT NOT NULL, name TEXT NOT NULL, digest BLOB NOT NULL, cells TEXT NOT NULL,
        UNIQUE (client, digest)
    );
    CREATE INDEX item_by_client ON item (client, name);
    CREATE TABLE held (number INTEGER NOT NULL, item INTEGER NOT NULL, PRIMARY KEY (number, item)) WITHOUT ROWID;
    CREATE INDEX held_by_item ON held (item, number);
    CREATE TABLE ticket (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, key TEXT NOT NULL,
        origin TEXT NOT NULL, revision INTEGER NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL, priority INTEGER NOT NULL,
        title TEXT NOT NULL, body TEXT NOT NULL, times INTEGER NOT NULL, assignee TEXT, resolution TEXT,
        is_replied INTEGER NOT NULL, opened_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, UNIQUE (device, origin)
    );
    CREATE INDEX ticket_by_client ON ticket (client, number);
    CREATE INDEX ticket_by_age ON ticket (client, changed_ms) WHERE state = 'closed';
    CREATE INDEX ticket_by_key ON ticket (device, key);
    CREATE INDEX ticket_by_device ON ticket (device, opened_ms);
    CREATE INDEX ticket_that_is_open ON ticket (device) WHERE state = 'open';
    CREATE TABLE ticket_note (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, ticket INTEGER NOT NULL, entry INTEGER,
        by TEXT NOT NULL, visibility TEXT NOT NULL, body TEXT NOT NULL, at_ms INTEGER NOT NULL, UNIQUE (ticket, entry)
    );
    CREATE INDEX ticket_note_by_client ON ticket_note (client);
    CREATE TABLE kv (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, plugin TEXT NOT NULL,
        key TEXT NOT NULL, bytes INTEGER NOT NULL, value TEXT, here_bytes INTEGER NOT NULL, written_ms INTEGER NOT NULL,
        expires_ms INTEGER, UNIQUE (device, client, plugin, key)
    );
    CREATE INDEX kv_by_size ON kv (device, here_bytes);
    CREATE INDEX kv_by_client ON kv (client);
    CREATE TABLE secret (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, name TEXT NOT NULL,
        serial INTEGER NOT NULL, digest TEXT NOT NULL, places TEXT NOT NULL, by TEXT NOT NULL, set_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL, is_gone INTEGER NOT NULL, held_serial INTEGER, UNIQUE (device, name)
    );
    CREATE INDEX secret_by_client ON secret (client, number);
    CREATE INDEX secret_by_end ON secret (expires_ms);
    CREATE TABLE notification (
        number INTEGER PRIMARY KEY AUTOINCREMENT, client TEXT NOT NULL, device TEXT NOT NULL, key TEXT NOT NULL,
        body TEXT NOT NULL, at_ms INTEGER NOT NULL, audience TEXT NOT NULL, source TEXT NOT NULL, message TEXT NOT NULL,
        state TEXT NOT NULL, tries INTEGER NOT NULL, due_ms INTEGER NOT NULL, problem TEXT NOT NULL, UNIQUE (device, key)
    );
    CREATE INDEX notification_that_waits ON notification (device, audience, number) WHERE state = 'waiting';
    CREATE INDEX notification_by_device ON notification (device, at_ms);
    CREATE INDEX notification_by_client ON notification (client, at_ms);

    CREATE TABLE audit (
        number INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, action TEXT NOT NULL, detail TEXT NOT NULL, previous TEXT NOT NULL,
        digest TEXT NOT NULL
    );
    CREATE TABLE audit_detail (
        number INTEGER PRIMARY KEY, client TEXT, actor TEXT NOT NULL, salt TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE INDEX audit_detail_by_client ON audit_detail (client);";

/// What a reader may see of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The rows of clients within the scope.
    OfClient,
    /// Rows about one or several clients, all of them within the scope; a row about none is everybody's.
    OfClients,
    /// Rows of clients within the scope; one about no client is for those whose scope is everything.
    OfClientOrHub,
    /// The bytes of parts that somebody within the scope handed over, or that an order is made of that the scope shows.
    OfParts,
    /// What devices of clients within the scope hold.
    OfHolders,
    /// By nobody who asks: the hub's own.
    ByNobody,
    /// By everybody: it says nothing of any client.
    ByAll,
}

/// Every table, and who sees what of it. A test fails where one is missing.
pub(crate) const TABLES: [(&str, Seen); 35] = [
    ("setting", Seen::ByNobody),
    ("client", Seen::OfClient),
    ("site", Seen::OfClient),
    ("device", Seen::OfClient),
    ("identity", Seen::OfClient),
    ("tag", Seen::OfClient),
    ("token", Seen::OfClient),
    ("document", Seen::OfClients),
    ("document_client", Seen::OfClient),
    ("mailbox", Seen::OfClient),
    ("named", Seen::OfClient),
    ("orders", Seen::OfClients),
    ("ring", Seen::OfClients),
    ("part", Seen::OfClient),
    ("part_bytes", Seen::OfParts),
    ("rollout", Seen::OfClients),
    ("rollout_ring", Seen::OfClients),
    ("rollout_part", Seen::OfClients),
    ("seat", Seen::OfClient),
    ("reached", Seen::OfClient),
    ("stale", Seen::OfClient),
    ("result", Seen::OfClient),
    ("message", Seen::OfClient),
    ("fact", Seen::OfClient),
    ("fact_change", Seen::OfClient),
    ("holder", Seen::OfClient),
    ("held", Seen::OfHolders),
    ("item", Seen::OfClient),
    ("ticket", Seen::OfClient),
    ("ticket_note", Seen::OfClient),
    ("secret", Seen::OfClient),
    ("kv", Seen::OfClient),
    ("notification", Seen::OfClient),
    ("audit", Seen::ByAll),
    ("audit_detail", Seen::OfClientOrHub),
];

/// Has the file the tables of this version. A newer one is refused as it is.
pub(crate) fn bring_up(connection: &mut Connection) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found > SCHEMA_VERSION {
        return Err(Error::TooNew { found, known: SCHEMA_VERSION });
    }
    if found < 1 {
        transaction.execute_batch(FIRST)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    fail::point("hub.before-schema");
    transaction.commit()?;
    fail::point("hub.after-schema");
    Ok(())
}

pub(crate) fn version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}
