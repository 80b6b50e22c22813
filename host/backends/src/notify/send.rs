//! One message, sent for whoever keeps it elsewhere than in an outbox.

use std::time::Duration;

use crate::secrets::Redeem;

use super::deliver::{Failure, deliver};
use super::format::Saying;
use super::policy::Route;
use super::record::Message;

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The receiver took it, and said this.
    Delivered(String),
    /// It may go later; the receiver may have said when.
    Later {
        /// What failed.
        problem: String,
        /// In so many milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// It never will: the receiver understood it, and does not want it.
    Never(String),
}

/// Sends it once, and waits no longer than this for an answer. Its number and the devices of its events make its id, which is the same
/// for each try: a receiver that knows it has seen it. `source` is what people know the machine by. No secret is in what comes back.
pub async fn send(
    route: &Route,
    (source, audience): (&str, &str),
    message: &Message,
    secrets: &dyn Redeem,
    timeout: Duration,
) -> Sent {
    match deliver(&route.way, &Saying { source, audience, message }, secrets, timeout).await {
        Ok(receipt) => Sent::Delivered(receipt),
        Err(Failure::Never { problem }) => Sent::Never(problem),
        Err(Failure::Later { problem, retry_after_ms }) => Sent::Later { problem, retry_after_ms },
    }
}
