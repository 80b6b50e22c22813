use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::Duration;

use contract::types::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zbus::export::futures_core::Stream;
use zbus::message::Type as MessageType;
use zbus::{Connection, DynamicType, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant, Type};

use crate::errors;

const SYSTEMD: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
/// How long one question may take: systemd answers in milliseconds, unless it is stuck.
const ANSWER: Duration = Duration::from_secs(25);

/// A connection to a system bus with systemd on it, for one call: it costs a millisecond, and none is left half-used.
pub(super) struct Bus(Connection);

/// The end of a job of one unit, when it comes.
pub(super) struct JobEnds(MessageStream);

impl Bus {
    pub(super) async fn connect(address: &str) -> Result<Self, Error> {
        let connection = zbus::connection::Builder::address(address).method_timeout(ANSWER).build();
        match tokio::time::timeout(ANSWER, connection).await {
            Ok(Ok(connection)) => Ok(Self(connection)),
            Ok(Err(error)) => Err(unavailable(&error.to_string())),
            Err(_) => Err(unavailable("it does not answer")),
        }
    }

    /// Asks the manager.
    pub(super) async fn manager<B, R>(&self, method: &str, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType + Sync,
        R: DeserializeOwned + Type,
    {
        self.call(MANAGER_PATH, MANAGER, method, body).await
    }

    /// Every property of one interface of an object.
    pub(super) async fn properties(&self, path: &str, interface: &str) -> Result<HashMap<String, OwnedVariant>, Error> {
        self.call(path, "org.freedesktop.DBus.Properties", "GetAll", &(interface,)).await
    }

    /// Listens for the ends of a unit's jobs, from now on.
    pub(super) async fn job_ends(&self, unit: &str) -> Result<JobEnds, Error> {
        let _: () = self.manager("Subscribe", &()).await?;
        let rule = MatchRule::builder()
            .msg_type(MessageType::Signal)
            .sender(SYSTEMD)
            .interface(MANAGER)
            .member("JobRemoved")
            .arg(2, unit)
            .build()
            .map_err(|error| error_of(&error))?;
        let stream = MessageStream::for_match_rule(rule, &self.0, NonZeroUsize::new(64)).await;
        stream.map(JobEnds).map_err(|error| error_of(&error))
    }

    async fn call<B, R>(&self, path: &str, interface: &str, method: &str, body: &B) -> Result<R, Error>
    where
        B: Serialize + DynamicType + Sync,
        R: DeserializeOwned + Type,
    {
        let answer = self.0.call_method(Some(SYSTEMD), path, Some(interface), method, body).await;
        let answer = answer.map_err(|error| error_of(&error))?;
        answer.body().deserialize::<R>().map_err(|error| error_of(&error))
    }
}

impl JobEnds {
    /// Waits for the end of this job, and gives systemd's word for it.
    pub(super) async fn end_of(&mut self, job: &OwnedObjectPath) -> Result<String, Error> {
        loop {
            let message = std::future::poll_fn(|cx| Pin::new(&mut self.0).poll_next(cx)).await;
            let message = message.ok_or_else(|| unavailable("it closed the connection"))?;
            let message = message.map_err(|error| error_of(&error))?;
            let body = message.body();
            let (_, path, _, result): (u32, OwnedObjectPath, String, String) =
                body.deserialize().map_err(|error| error_of(&error))?;
            if path == *job {
                return Ok(result);
            }
        }
    }
}

fn unavailable(problem: &str) -> Error {
    errors::unavailable("bus", format!("systemd cannot be asked over the system bus: {problem}"))
}

/// What systemd said, in the words of the contract.
fn error_of(error: &zbus::Error) -> Error {
    let (name, message) = match error {
        zbus::Error::MethodError(name, message, _) => (name.to_string(), message.clone().unwrap_or_default()),
        zbus::Error::FDO(error) => (
            zbus::DBusError::name(&**error).to_string(),
            zbus::DBusError::description(&**error).unwrap_or_default().into(),
        ),
        zbus::Error::InputOutput(error) => return unavailable(&error.to_string()),
        other => return errors::failed("bus", other.to_string()),
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "NoSuchUnit" | "FileNotFound" => errors::not_found(message),
        "UnitMasked" => errors::conflict("masked", message),
        "OnlyByDependency" => errors::unsupported("only-by-dependency", message),
        "TransactionIsDestructive" | "JobTypeNotApplicable" | "LoadFailed" | "BadUnitSetting" => {
            errors::conflict("unit", message)
        }
        "AccessDenied" | "InteractiveAuthorizationRequired" => errors::failed("access-denied", message),
        "NoReply" | "Timeout" | "TimedOut" | "ServiceUnknown" | "NameHasNoOwner" | "Disconnected" => {
            Error::new(ErrorKind::Unavailable, "bus", message)
        }
        _ => errors::failed("systemd", format!("{name}: {message}")),
    }
}
