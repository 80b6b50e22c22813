use std::time::Duration;

use axum::http::{HeaderMap, Method, StatusCode, header};
use bytes::{Bytes, BytesMut};
use model::Digest;
use reqwest::Response;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::way::Way;
use crate::proof::Prover;
use crate::{Trouble, wire};

/// One request with its answer, beyond what it waits for: 3 MiB at 50 KiB/s.
const WHOLE_TIME_MAX: Duration = Duration::from_secs(60);

/// After how long to ask again where the hub is busy and does not say.
const BUSY_AFTER: Duration = Duration::from_secs(10);

/// The longest that a hub, or whoever plays it, may send a device away for.
const AWAY_MAX: Duration = Duration::from_secs(15 * 60);

/// What is shown of what a hub says.
const WORDS_CHARS_MAX: usize = 200;

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) target: &'a str,
    pub(super) has: Option<Digest>,
    pub(super) body: Bytes,
    /// The most bytes of its answer.
    pub(super) most: usize,
    /// So long the hub may take before it answers.
    pub(super) patience: Duration,
}

impl<'a> Ask<'a> {
    pub(super) fn get(target: &'a str, most: usize) -> Self {
        Self { method: Method::GET, target, has: None, body: Bytes::new(), most, patience: Duration::ZERO }
    }

    pub(super) fn post(target: &'a str, body: Vec<u8>, most: usize) -> Self {
        Self { method: Method::POST, body: body.into(), ..Self::get(target, most) }
    }

    /// Asks, as far as the head of the answer.
    pub(super) async fn send(&self, way: &Way, prover: Option<&Prover>, more: HeaderMap) -> Result<Response, Trouble> {
        let mut request = way.client.request(self.method.clone(), way.url(self.target)?).headers(more);
        if let Some(prover) = prover {
            for (name, value) in prover.prove(self.method.as_str(), self.target, &self.body) {
                request = request.header(name, value);
            }
        }
        if let Some(digest) = self.has {
            request = request.header(header::IF_NONE_MATCH, format!("\"{digest}\""));
        }
        let sent = timeout(WHOLE_TIME_MAX + self.patience, request.body(self.body.clone()).send()).await;
        let slow = |_| Trouble::Unreachable { why: "it took too long to answer".to_owned() };
        sent.map_err(slow)?.map_err(|error| way.trouble(error))
    }
}

/// What was answered, where it was answered well.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Answer {
    /// The whole of it; none where the session is not, or no longer, one.
    pub(super) async fn of(way: &Way, response: Response, most: usize) -> Result<Option<Self>, Trouble> {
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            let body = timeout(WHOLE_TIME_MAX, whole(way, response, most)).await;
            let slow = |_| Trouble::Unreachable { why: "its answer took too long".to_owned() };
            return Ok(Some(Self { status, body: body.map_err(slow)?? }));
        }
        Err(refused(way, response).await)
    }

    /// Of what was answered over a socket, to whom that has a session.
    pub(super) fn told(told: &wire::Told, body: Bytes, most: usize) -> Result<Self, Trouble> {
        let garbled = |why: String| Trouble::Garbled { why };
        let status = StatusCode::from_u16(told.status).map_err(|error| garbled(error.to_string()))?;
        if !status.is_success() && status != StatusCode::NOT_MODIFIED {
            return Err(refusal(status, told.after_s.map(Duration::from_secs), &body));
        }
        match body.len() > most {
            true => Err(garbled(format!("it has more than {most} bytes"))),
            false => Ok(Self { status, body }),
        }
    }

    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body).map_err(|error| Trouble::Garbled { why: error.to_string() })
    }
}

/// What was answered to somebody who reads it.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// After which to ask again, where it says so: no longer than whoever plays the hub may send anybody away for.
    pub retry_after: Option<Duration>,
    /// All of the body.
    pub body: Bytes,
}

impl Reply {
    pub(super) async fn of(way: &Way, response: Response, most: usize) -> Result<Self, Trouble> {
        let status = response.status().as_u16();
        let retry_after = after(response.headers()).map(|it| it.min(AWAY_MAX));
        let body = timeout(WHOLE_TIME_MAX, whole(way, response, most)).await;
        let slow = |_| Trouble::Unreachable { why: "its answer took too long".to_owned() };
        Ok(Self { status, retry_after, body: body.map_err(slow)?? })
    }
}

async fn whole(way: &Way, mut response: Response, most: usize) -> Result<Bytes, Trouble> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| way.trouble(error))? {
        if body.len() + piece.len() > most {
            return Err(Trouble::Garbled { why: format!("it has more than {most} bytes") });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// What an answer means that is none.
pub(super) async fn refused(way: &Way, response: Response) -> Trouble {
    let (status, after) = (response.status(), after(response.headers()));
    let said = timeout(BUSY_AFTER, whole(way, response, wire::SAID_BYTES_MAX)).await;
    refusal(status, after, &said.ok().and_then(Result::ok).unwrap_or_default())
}

fn refusal(status: StatusCode, after: Option<Duration>, said: &[u8]) -> Trouble {
    let title = serde_json::from_slice::<wire::Problem>(said).ok();
    let why = title.map_or_else(|| "it does not say why".to_owned(), |problem| shown(&problem.title));
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Trouble::Busy { after: after.unwrap_or(BUSY_AFTER).min(AWAY_MAX) }
        }
        // Whoever stands in between has no hub behind it, or asks for something itself.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::REQUEST_TIMEOUT => {
            Trouble::Unreachable { why: format!("somebody in between answers {status}") }
        }
        status if status.is_server_error() || status.is_redirection() || status.is_informational() => {
            Trouble::Unreachable { why: format!("somebody answers {status}") }
        }
        status => Trouble::Refused { status: status.as_u16(), why },
    }
}

fn after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn shown(words: &str) -> String {
    words.chars().filter(|it| !it.is_control()).take(WORDS_CHARS_MAX).collect()
}
