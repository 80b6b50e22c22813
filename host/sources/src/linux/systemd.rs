//! What systemd says of a service, over D-Bus, as it says it.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use agent::ServiceState;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use zbus::export::futures_core::Stream as _;
use zbus::message::Type as MessageType;
use zbus::{Connection, DynamicType, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, Type, Variant};

const ADDRESS: &str = "unix:path=/run/dbus/system_bus_socket";
const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const SERVICE: &str = "org.freedesktop.systemd1.Service";
/// How long one question may take: systemd answers in milliseconds, unless it is stuck.
const ANSWER: Duration = Duration::from_secs(25);
/// The most messages that wait for one rule: a service that fails and is started again and again says four each time.
const MESSAGES_MAX: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// The system bus, with one connection for all rules.
#[derive(Debug, Default)]
pub(super) struct Bus(Mutex<Option<Connection>>);

impl Bus {
    async fn connection(&self) -> zbus::Result<Connection> {
        let mut kept = self.0.lock().await;
        if let Some(connection) = kept.as_ref().filter(|it| !it.is_closed()) {
            return Ok(connection.clone());
        }
        let connection = zbus::connection::Builder::address(ADDRESS).method_timeout(ANSWER).build();
        let connection = tokio::time::timeout(ANSWER, connection).await.map_err(std::io::Error::from)??;
        // Only to who asks for it does systemd tell of its units.
        let _: () = call(&connection, MANAGER_PATH, MANAGER, "Subscribe", &()).await?;
        *kept = Some(connection.clone());
        Ok(connection)
    }
}

/// A service that is listened to.
pub(super) struct Listener {
    connection: Connection,
    unit: String,
    path: OwnedObjectPath,
    changes: MessageStream,
    /// The unit files are read again: there may be one now that was not there.
    reloads: MessageStream,
}

/// How a service is.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    active: String,
    sub: String,
    is_there: bool,
}

impl Seen {
    /// None, where it is on its way from one to another, or there is no such service.
    pub(super) fn state(&self) -> Option<ServiceState> {
        match self.active.as_str() {
            "active" | "reloading" | "refreshing" => Some(ServiceState::Running),
            "inactive" if self.is_there => Some(ServiceState::Stopped),
            "failed" => Some(ServiceState::Failed),
            _ => None,
        }
    }

    /// systemd's own two words.
    pub(super) fn words(&self) -> (&str, &str) {
        (&self.active, &self.sub)
    }
}

impl Listener {
    /// Listens from now on, and says how the service is.
    pub(super) async fn new(bus: &Bus, service: &str) -> zbus::Result<(Self, Seen)> {
        let connection = bus.connection().await?;
        let unit = format!("{service}.service");
        // Under another name of its own, it is where its first name says.
        let path: OwnedObjectPath = call(&connection, MANAGER_PATH, MANAGER, "LoadUnit", &(&unit,)).await?;
        let signal = || MatchRule::builder().msg_type(MessageType::Signal).sender(SYSTEMD);
        let changes = signal().path(path.as_str()).interface(PROPERTIES).member("PropertiesChanged").arg(0, UNIT);
        let reloads = signal().path(MANAGER_PATH).interface(MANAGER).member("Reloading");
        let changes = MessageStream::for_match_rule(changes.build()?, &connection, Some(MESSAGES_MAX)).await?;
        let reloads = MessageStream::for_match_rule(reloads.build()?, &connection, Some(MESSAGES_MAX)).await?;
        let mut listener = Self { connection, unit, path, changes, reloads };
        let properties = listener.properties(UNIT).await?;
        let seen = Seen {
            active: text(&properties, "ActiveState"),
            sub: text(&properties, "SubState"),
            is_there: text(&properties, "LoadState") != "not-found",
        };
        // The answer came behind all that was said before it, and holds that.
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        while Pin::new(&mut listener.changes).poll_next(&mut nobody).is_ready() && !listener.connection.is_closed() {}
        Ok((listener, seen))
    }

    /// Waits until it is otherwise than `before`; none, where it must be looked for anew.
    pub(super) async fn next(&mut self, before: &Seen) -> zbus::Result<Option<Seen>> {
        loop {
            let (changes, reloads) = (&mut self.changes, &mut self.reloads);
            let message = std::future::poll_fn(|cx| match Pin::new(&mut *changes).poll_next(cx) {
                Poll::Ready(message) => Poll::Ready(message),
                Poll::Pending => Pin::new(&mut *reloads).poll_next(cx).map(|message| message.filter(Result::is_err)),
            });
            let Some(message) = message.await.transpose()? else { return Ok(None) };
            let (_, changed, _): (String, HashMap<String, OwnedVariant>, Vec<String>) = message.body().deserialize()?;
            if changed.contains_key("ActiveState") {
                let (active, sub) = (text(&changed, "ActiveState"), text(&changed, "SubState"));
                // What runs is there, and what was there when it ended is: only reading the files again says that it is gone.
                return Ok(Some(Seen { active, sub, is_there: before.is_there }));
            }
        }
    }

    /// How it ended, as far as systemd says: its result, the exit status, and how often it was started again.
    pub(super) async fn end(&self) -> (String, Option<i64>, Option<i64>) {
        let properties = self.properties(SERVICE).await.unwrap_or_default();
        let has_ended = number(&properties, "ExecMainExitTimestamp").is_some_and(|at| at > 0);
        let status = number(&properties, "ExecMainStatus").filter(|_| has_ended);
        (text(&properties, "Result"), status, number(&properties, "NRestarts"))
    }

    /// The first name of what is listened to.
    pub(super) fn unit(&self) -> &str {
        &self.unit
    }

    async fn properties(&self, interface: &str) -> zbus::Result<HashMap<String, OwnedVariant>> {
        call(&self.connection, self.path.as_str(), PROPERTIES, "GetAll", &(interface,)).await
    }
}

async fn call<B, R>(connection: &Connection, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<R>
where
    B: Serialize + DynamicType + Sync,
    R: DeserializeOwned + Type,
{
    let answer = connection.call_method(Some(SYSTEMD), path, Some(interface), method, body).await?;
    answer.body().deserialize::<R>()
}

fn text(properties: &HashMap<String, OwnedVariant>, name: &str) -> String {
    match properties.get(name).map(|value| &**value) {
        Some(Variant::Str(text)) => text.as_str().to_owned(),
        _ => String::new(),
    }
}

fn number(properties: &HashMap<String, OwnedVariant>, name: &str) -> Option<i64> {
    match **properties.get(name)? {
        Variant::I32(number) => Some(number.into()),
        Variant::U32(number) => Some(number.into()),
        Variant::U64(number) => i64::try_from(number).ok(),
        _ => None,
    }
}
