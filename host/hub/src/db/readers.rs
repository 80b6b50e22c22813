//! The connections that read, each kept to the rows of one scope at a time.
//!
//! A query names a table and gets a view of the same name, which stands before it and has the rows of the scope alone. The table
//! itself is out of reach: an authorizer lets only the innermost view read it, and that one has a name that nobody can guess, so
//! that no text of a query can pass for it. A query that forgets to ask for a client therefore sees too little, never too much.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, OpenFlags, params};

use super::schema::{Seen, TABLES};
use crate::{Error, Scope};

/// As many readers as processors would have something to do; each has a cache of its own.
pub(crate) const READERS_MAX: usize = 4;

/// So long one waits for a reader: longer, and the hub has more to do than it can.
const WAIT: Duration = Duration::from_millis(500);

/// So long a query may take: the largest listing of 10,000 devices takes a tenth of it.
pub(crate) const READ_MS_MAX: u64 = 2_000;

/// The clock is looked at after so many steps of SQLite's machine: some 5 microseconds, unless a step works on a long text.
const STEPS: i32 = 100;

/// What a reader is let do; the first is what the views begin with that may read tables.
pub(super) type Rules = fn(&str, &AuthContext<'_>) -> Authorization;

/// Whether a query has had its time.
pub(super) type IsLate = Arc<dyn Fn() -> bool + Send + Sync>;

/// Those that have nothing to do.
pub(crate) struct Readers {
    idle: Mutex<Idle>,
    freed: Condvar,
}

struct Idle {
    /// The last one is the one that was used last.
    readers: VecDeque<Reader>,
    /// So many wait for one: nobody goes before them.
    waiting: usize,
}

struct Reader {
    connection: Connection,
    scope: Option<Scope>,
    /// In milliseconds since `started`.
    deadline_ms: Arc<AtomicU64>,
    started: Instant,
    guard: String,
    rules: Rules,
}

/// What a scope shows, as long as one query after another sees the same state.
pub(crate) struct View<'a>(pub(super) &'a Connection);

impl Readers {
    pub(crate) fn open(file: &std::path::Path) -> Result<Self, Error> {
        Self::with(file, READERS_MAX, authorize, |connection, guard, _| Ok(connection.execute_batch(&shadows(guard))?))
    }

    /// So many, which may do no more than this, each made ready before it is kept to any scope.
    pub(super) fn with(
        file: &std::path::Path,
        count: usize,
        rules: Rules,
        ready: impl Fn(&Connection, &str, &IsLate) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let readers = (0..count).map(|_| Reader::open(file, rules, &ready)).collect::<Result<_, _>>()?;
        Ok(Self { idle: Mutex::new(Idle { readers, waiting: 0 }), freed: Condvar::new() })
    }

    #[cfg(test)]
    pub(super) fn guards(&self) -> Vec<String> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.readers.iter().map(|reader| reader.guard.clone()).collect()
    }

    /// Reads what is committed, all of it as it was at one moment. It waits for no commit.
    pub(crate) fn read<T>(
        &self,
        scope: &Scope,
        most_ms: Option<u64>,
        read: impl FnOnce(&View<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.read_guarded(scope, most_ms, |view, _| read(view))
    }

    /// The same for whoever must know what the views begin with that may read tables.
    pub(super) fn read_guarded<T>(
        &self,
        scope: &Scope,
        most_ms: Option<u64>,
        read: impl FnOnce(&View<'_>, &str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.waiting += 1;
        let waited = self.freed.wait_timeout_while(idle, WAIT, |idle| idle.readers.is_empty());
        let (mut idle, _) = waited.unwrap_or_else(PoisonError::into_inner);
        idle.waiting -= 1;
        let reader = idle.in_sight(scope).or_else(|| idle.readers.pop_front()).ok_or(Error::Busy { after_s: 1 })?;
        drop(idle);
        self.lend(reader).read(scope, most_ms, read)
    }

    /// The same, where nobody waits and one is there that had this scope last; else whoever wanted to read has that back.
    pub(crate) fn try_read<T, R: FnOnce(&View<'_>) -> Result<T, Error>>(
        &self,
        scope: &Scope,
        most_ms: Option<u64>,
        read: R,
    ) -> Result<Result<T, Error>, R> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = if idle.waiting == 0 { idle.in_sight(scope) } else { None };
        drop(idle);
        let Some(reader) = reader else { return Err(read) };
        Ok(self.lend(reader).read(scope, most_ms, |view, _| read(view)))
    }

    fn lend(&self, reader: Reader) -> Lent<'_> {
        Lent { readers: self, reader: Some(reader) }
    }
}

impl Idle {
    /// One that had this scope last: what it compiled it has, until it has another.
    fn in_sight(&mut self, scope: &Scope) -> Option<Reader> {
        let at = self.readers.iter().rposition(|reader| reader.scope.as_ref() == Some(scope))?;
        self.readers.remove(at)
    }
}

/// Goes back also where what reads panics.
struct Lent<'a> {
    readers: &'a Readers,
    reader: Option<Reader>,
}

impl Lent<'_> {
    fn read<T>(
        mut self,
        scope: &Scope,
        most_ms: Option<u64>,
        read: impl FnOnce(&View<'_>, &str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.reader.as_mut().ok_or(Error::Lost)?.read(scope, most_ms, read)
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner).readers.extend(self.reader.take());
        self.readers.freed.notify_one();
    }
}

impl Reader {
    fn open(
        file: &std::path::Path,
        rules: Rules,
        ready: impl Fn(&Connection, &str, &IsLate) -> Result<(), Error>,
    ) -> Result<Self, Error> {
        let mut connection =
            Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "trusted_schema", false)?;
        super::tune(&connection)?;
        let guard = format!("scoped_{}", hex::encode(rand::random::<[u8; 16]>()));
        connection.execute_batch(&guards(&guard))?;
        let (started, deadline_ms) = (Instant::now(), Arc::new(AtomicU64::new(u64::MAX)));
        let deadline = Arc::clone(&deadline_ms);
        let is_late: IsLate =
            Arc::new(move || started.elapsed().as_millis() > u128::from(deadline.load(Ordering::Relaxed)));
        ready(&connection, &guard, &is_late)?;
        connection.progress_handler(STEPS, Some(move || is_late()))?;
        Ok(Self { connection, scope: None, deadline_ms, started, guard, rules })
    }

    fn read<T>(
        &mut self,
        scope: &Scope,
        most_ms: Option<u64>,
        read: impl FnOnce(&View<'_>, &str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if self.scope.as_ref() != Some(scope) {
            // Nothing is seen where this fails half way.
            self.scope = None;
            self.see(scope)?;
            self.scope = Some(scope.clone());
        }
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let deadline_ms = most_ms.map_or(u64::MAX, |most_ms| now_ms.saturating_add(most_ms));
        self.deadline_ms.store(deadline_ms, Ordering::Relaxed);
        let transaction = self.connection.unchecked_transaction()?;
        let done = read(&View(&transaction), &self.guard);
        drop(transaction);
        self.deadline_ms.store(u64::MAX, Ordering::Relaxed);
        done
    }

    fn see(&mut self, scope: &Scope) -> Result<(), Error> {
        let nobody: Option<fn(AuthContext<'_>) -> Authorization> = None;
        self.connection.authorizer(nobody)?;
        let transaction = self.connection.unchecked_transaction()?;
        transaction.execute("DELETE FROM temp.in_scope", [])?;
        for name in scope.names() {
            transaction.execute("INSERT INTO temp.in_scope VALUES (?1)", params![name])?;
        }
        transaction.commit()?;
        let (guard, rules) = (self.guard.clone(), self.rules);
        self.connection.authorizer(Some(move |context: AuthContext<'_>| rules(&guard, &context)))?;
        Ok(())
    }
}

/// A reader reads; and tables only through the view that keeps it to its scope.
pub(super) fn authorize(guard: &str, context: &AuthContext<'_>) -> Authorization {
    let is_guard = context.accessor.is_some_and(|it| it.starts_with(guard));
    match context.action {
        AuthAction::Read { .. } if is_guard => Authorization::Allow,
        // What is no table of the file: our views, and what they are made of.
        AuthAction::Read { table_name, .. } if context.database_name == Some("temp") => {
            match table_name.starts_with("sqlite_") {
                true => Authorization::Deny,
                false => Authorization::Allow,
            }
        }
        // Functions that make rows of an argument have no schema.
        AuthAction::Read { table_name: "json_each" | "json_tree", .. } => Authorization::Allow,
        AuthAction::Select | AuthAction::Recursive | AuthAction::Transaction { .. } => Authorization::Allow,
        AuthAction::Function { function_name } if function_name != "load_extension" => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// The clients of the scope, and of each table a view that may read it.
fn guards(guard: &str) -> String {
    let mut text = "CREATE TEMP TABLE in_scope (client TEXT PRIMARY KEY) WITHOUT ROWID;".to_owned();
    let of_none_but = |digest: &str| {
        let of = is_seen("of.client");
        format!("NOT EXISTS (SELECT 1 FROM main.document_client AS of WHERE of.digest = {digest} AND NOT {of})")
    };
    for (table, seen) in TABLES {
        let rows = match seen {
            Seen::OfClient => is_seen("it.client"),
            Seen::OfClients => of_none_but("it.digest"),
            Seen::OfParts => format!(
                "EXISTS (SELECT 1 FROM main.part AS of WHERE of.digest = it.digest AND {})
                OR EXISTS (SELECT 1 FROM main.rollout_part AS made WHERE made.part = it.digest AND {})",
                is_seen("of.client"),
                of_none_but("made.digest")
            ),
            Seen::OfHolders => {
                format!("it.number IN (SELECT of.number FROM main.holder AS of WHERE {})", is_seen("of.client"))
            }
            Seen::OfClientOrHub => {
                let of = is_seen("it.client");
                format!("(it.client IS NOT NULL AND {of}) OR '*' IN (SELECT client FROM temp.in_scope)")
            }
            Seen::ByAll => "1".to_owned(),
            Seen::ByNobody => continue,
        };
        text += &format!("CREATE TEMP VIEW {guard}_{table} AS SELECT it.* FROM main.{table} AS it WHERE {rows};");
    }
    text
}

/// Of each table a view of its name, which is what a query gets.
fn shadows(guard: &str) -> String {
    let seen = TABLES.into_iter().filter(|(_, seen)| *seen != Seen::ByNobody);
    seen.map(|(table, _)| format!("CREATE TEMP VIEW {table} AS SELECT * FROM temp.{guard}_{table};")).collect()
}

/// Whether the client of this column is one of the scope.
pub(super) fn is_seen(column: &str) -> String {
    format!("({column} IN (SELECT client FROM temp.in_scope) OR '*' IN (SELECT client FROM temp.in_scope))")
}
