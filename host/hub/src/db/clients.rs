//! Clients and their sites; what leaves with a client, and what leaves with time.

use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension as _, Row, params};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::schema::{Seen, TABLES};
use super::stale::Whose;
use super::{Change, Page, Paged, View, count, ms};
use crate::scope::Held;
use crate::{Error, Scope};

/// So long is kept what a client did not say anything about.
const RETENTION_DAYS: u32 = 365;

/// So many rows go in one transaction: others wait for it some 50 ms.
const PURGED_MAX: u32 = 5_000;

/// So many orders, with all that there is of each: what is left of a rollout over 10,000 devices is gone by then.
const ORDERS_PURGED_MAX: u32 = 200;

pub(super) const DAY_MS: u64 = 86_400_000;

/// What time takes away, by the column that says how old a row is. Inventory and what is open stay.
const AGEING: [(&str, &str, &str); 5] = [
    ("result", "received_ms", "1"),
    ("message", "received_ms", "1"),
    ("fact_change", "at_ms", "1"),
    ("notification", "at_ms", "1"),
    ("ticket", "changed_ms", "state = 'closed'"),
];

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Client {
    /// What it is called.
    pub client: String,
    /// Its places.
    pub sites: Vec<String>,
    /// How many devices it has, but for those that are retired.
    pub devices: u64,
    /// After so many days what its runs left is deleted.
    pub retention_days: u32,
    /// Since when it is known here, in milliseconds since 1970.
    pub created_ms: u64,
}

const CLIENTS: &str = "SELECT client, created_ms, retention_days,
        (SELECT count(*) FROM device WHERE device.client = client.client AND state <> 'retired'),
        (SELECT json_group_array(site) FROM (SELECT site FROM site WHERE site.client = client.client ORDER BY site))
    FROM client";

fn read(row: &Row<'_>) -> rusqlite::Result<Client> {
    let sites: String = row.get(4)?;
    Ok(Client {
        client: row.get(0)?,
        sites: serde_json::from_str(&sites).unwrap_or_default(),
        devices: count(row.get(3)?),
        retention_days: row.get(2)?,
        created_ms: count(row.get(1)?),
    })
}

impl View<'_> {
    /// The clients of the scope, by name.
    pub(crate) fn clients(&self, page: &Page) -> Result<Paged<Client>, Error> {
        let text = format!("{CLIENTS} WHERE client > ?1 ORDER BY client LIMIT ?2");
        let mut query = self.0.prepare_cached(&text)?;
        let rows = query.query_map(params![page.after_text()?, page.rows()?], read)?;
        page.cut(rows.collect::<Result<_, _>>()?, |it| it.client.clone())
    }

    /// One of them.
    pub(crate) fn client(&self, client: &str) -> Result<Client, Error> {
        let mut query = self.0.prepare_cached(&format!("{CLIENTS} WHERE client = ?1"))?;
        query.query_row(params![client], read).optional()?.ok_or(Error::Missing { what: "client" })
    }

    /// All there is of the clients of this scope, a line of JSON a row: `{"table": …, …}`. What the scope does not show is not in
    /// it, whoever wrote the query.
    pub(crate) fn export(&self, mut line: impl FnMut(&Value) -> Result<(), Error>) -> Result<(), Error> {
        for (table, seen) in TABLES {
            if matches!(seen, Seen::ByNobody | Seen::ByAll) {
                continue;
            }
            // What holds for everybody is nobody's data, and may name others.
            let which = if seen == Seen::OfClients { "digest IN (SELECT digest FROM document_client)" } else { "1" };
            let mut query = self.0.prepare(&format!("SELECT * FROM {table} WHERE {which}"))?;
            let names: Vec<String> = query.column_names().map(str::to_owned).collect();
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let mut map = Map::from_iter([("table".to_owned(), Value::from(table))]);
                for (at, name) in names.iter().enumerate() {
                    map.insert(name.clone(), plain(row.get_ref(at)?));
                }
                line(&Value::Object(map))?;
            }
        }
        Ok(())
    }

    /// The documents that hold for all, and name a client.
    pub(crate) fn shared_naming(&self, client: &str) -> Result<Vec<String>, Error> {
        let text = "SELECT kind || ' ' || subject FROM document
            WHERE is_current AND instr(CAST(bytes AS TEXT), ?1) > 0
            AND (SELECT count(*) FROM document_client AS of WHERE of.digest = document.digest) <> 1
            AND kind NOT IN ('order', 'pause', 'admission', 'assignment') LIMIT 20";
        let mut query = self.0.prepare(text)?;
        let rows = query.query_map(params![format!("\"{client}\"")], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Change<'_> {
    /// Has a client and a site of it known.
    pub(crate) fn know_client(&self, held: &Held, site: Option<&str>, now_ms: u64) -> Result<(), Error> {
        let text = "INSERT INTO client VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        self.0.prepare_cached(text)?.execute(params![held.client(), ms(now_ms), RETENTION_DAYS])?;
        if let Some(site) = site {
            let text = "INSERT INTO site VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            self.0.prepare_cached(text)?.execute(params![held.client(), site])?;
        }
        Ok(())
    }

    /// Says how long is kept what its runs leave.
    pub(crate) fn set_retention(&self, held: &Held, days: u32) -> Result<(), Error> {
        let changed =
            self.0.execute("UPDATE client SET retention_days = ?2 WHERE client = ?1", params![held.client(), days])?;
        match changed {
            0 => Err(Error::Missing { what: "client" }),
            _ => Ok(()),
        }
    }

    /// Deletes a bounded part of what is too old; whether there may be more.
    pub(crate) fn purge(&self, now_ms: u64) -> Result<bool, Error> {
        let mut left = PURGED_MAX;
        for (table, aged, which) in AGEING {
            let text = format!(
                "DELETE FROM {table} WHERE rowid IN (SELECT {table}.rowid FROM {table} JOIN client USING (client)
                 WHERE {which} AND {table}.{aged} < ?1 - client.retention_days * ?2 LIMIT ?3)"
            );
            let gone = self.0.prepare_cached(&text)?.execute(params![ms(now_ms), ms(DAY_MS), left])?;
            left = left.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
        }
        // Of a rollout that is over its counters stay, and who had which place in it goes.
        let text = "DELETE FROM seat WHERE (digest, device) IN (SELECT seat.digest, seat.device
            FROM rollout JOIN seat USING (digest) JOIN client USING (client)
            WHERE rollout.ended_ms < ?1 - client.retention_days * ?2 LIMIT ?3)";
        let gone = self.0.prepare_cached(text)?.execute(params![ms(now_ms), ms(DAY_MS), left])?;
        left = left.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
        // What was said about tickets that are gone.
        let text = "DELETE FROM ticket_note WHERE number IN (SELECT number FROM ticket_note AS note
            WHERE NOT EXISTS (SELECT 1 FROM ticket WHERE ticket.number = note.ticket) LIMIT ?1)";
        let gone = self.0.prepare_cached(text)?.execute(params![left])?;
        left = left.saturating_sub(u32::try_from(gone).unwrap_or(u32::MAX));
        left = left.saturating_sub(self.drop_old_orders(now_ms, left.min(ORDERS_PURGED_MAX))?);
        left = left.saturating_sub(self.drop_expired_secrets(now_ms, left)?);
        Ok(left == 0)
    }

    /// Deletes some orders that expired, and whose rollout is over, for as long as the client keeps its history that keeps it longest:
    /// with their rollouts, certificates, and what says which parts they had. How many.
    fn drop_old_orders(&self, now_ms: u64, most: u32) -> Result<u32, Error> {
        let text = "SELECT digest FROM (SELECT orders.digest, orders.expires_ms, rollout.state, rollout.ended_ms,
                ?1 - ?2 * coalesce((SELECT max(retention_days) FROM document_client AS of JOIN client
                    ON client.client = of.client OR of.client = '*' WHERE of.digest = orders.digest), ?3) AS until
                FROM orders LEFT JOIN rollout USING (digest) WHERE orders.expires_ms < ?1) AS old
            WHERE expires_ms < until AND coalesce(state, '') <> 'running' AND coalesce(ended_ms, 0) < until
                AND NOT EXISTS (SELECT 1 FROM seat WHERE seat.digest = old.digest) LIMIT ?4";
        let mut query = self.0.prepare_cached(text)?;
        let rows = query.query_map(params![ms(now_ms), ms(DAY_MS), RETENTION_DAYS, most], |row| row.get(0))?;
        let old: Vec<String> = rows.collect::<Result<_, _>>()?;
        for digest in &old {
            let certificates = "DELETE FROM document WHERE kind NOT IN ('order') AND digest IN
                (SELECT certificate FROM rollout_ring WHERE digest = ?1 AND certificate IS NOT NULL)";
            self.0.prepare_cached(certificates)?.execute(params![digest])?;
            for table in ["rollout_ring", "rollout_part", "rollout", "reached", "ring", "orders", "document_client"] {
                self.0.prepare_cached(&format!("DELETE FROM {table} WHERE digest = ?1"))?.execute(params![digest])?;
            }
            self.0
                .prepare_cached("DELETE FROM document WHERE digest = ?1 AND kind = 'order'")?
                .execute(params![digest])?;
        }
        Ok(u32::try_from(old.len()).unwrap_or(u32::MAX))
    }

    /// Deletes all there is of a client. What is about others too goes with it, but for the documents that hold for all of them:
    /// [`View::shared_naming`] has those, and whoever erases has replaced them before.
    pub(crate) fn erase(&self, held: &Held) -> Result<(), Error> {
        let client = held.client();
        let there =
            self.0.query_row("SELECT 1 FROM client WHERE client = ?1", params![client], |_| Ok(())).optional()?;
        there.ok_or(Error::Missing { what: "client" })?;
        // What was replaced, and held for all, is history that nobody needs for anything but this client's name in it.
        let text = "DELETE FROM document WHERE NOT is_current AND instr(CAST(bytes AS TEXT), ?1) > 0";
        self.0.execute(text, params![format!("\"{client}\"")])?;
        // Files that its devices read, such as certificates over the results of some of them.
        let files = "DELETE FROM document WHERE kind = 'file' AND file IN (SELECT file FROM named WHERE client = ?1)";
        self.0.execute(files, params![client])?;
        let of_client = "digest IN (SELECT digest FROM document_client WHERE client = ?1)";
        // Others' devices do no more what was ordered of this client's too.
        let mut query = self.0.prepare(&format!("SELECT digest FROM rollout WHERE {of_client}"))?;
        for order in query.query_map(params![client], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()? {
            self.stale(Whose::Rollout(&order))?;
            self.0.execute("DELETE FROM seat WHERE digest = ?1", params![order])?;
        }
        for (table, _) in TABLES.into_iter().filter(|(_, seen)| *seen == Seen::OfClients) {
            self.0.execute(&format!("DELETE FROM {table} WHERE {of_client}"), params![client])?;
        }
        let others =
            "DELETE FROM document_client WHERE digest IN (SELECT digest FROM document_client WHERE client = ?1)";
        self.0.execute(others, params![client])?;
        // While it is known whose it is.
        let rows = "DELETE FROM held WHERE number IN (SELECT number FROM holder WHERE client = ?1)";
        self.0.execute(rows, params![client])?;
        for (table, seen) in TABLES {
            if matches!(seen, Seen::OfClient | Seen::OfClientOrHub) {
                self.0.execute(&format!("DELETE FROM {table} WHERE client = ?1"), params![client])?;
            }
        }
        self.drop_bytes_of_nobody()
    }
}

/// A value of the file as JSON has it; bytes that are no text, in hex.
fn plain(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(it) => it.into(),
        ValueRef::Real(it) => it.into(),
        ValueRef::Text(it) => String::from_utf8_lossy(it).into(),
        ValueRef::Blob(it) => std::str::from_utf8(it).map_or_else(|_| json!({ "hex": hex::encode(it) }), Value::from),
    }
}

impl super::Db {
    /// Erases a client, and has the file hold nothing of it: neither in free pages nor in the log. It blocks.
    pub(crate) fn erase(&self, held: Held, entry: super::audit::NewEntry) -> Result<(), Error> {
        let named = self.read(&Scope::of_hub(), |view| view.shared_naming(held.client()))?;
        if !named.is_empty() {
            let named = named.join(", ");
            return Err(Error::Conflict(format!(
                "`{}` is still named in what holds for others too: first sign what comes in the place of {named}",
                held.client()
            )));
        }
        self.write_now(move |change| {
            change.erase(&held)?;
            change.audit(&entry)
        })?;
        self.vacuum()
    }
}
