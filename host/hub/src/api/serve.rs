//! The way of every request: cheap things first, and nothing of it is read before it is known to be within its limits.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::RawPathParams;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use bus::proof::{self, Proof};
use bus::server::Peer;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Api;
use super::endpoint::{Asked, Endpoint, Who};
use super::problem::Problem;

/// So long a body may take: whoever sends a byte now and then holds a place for no longer.
const BODY_TIME_MAX: Duration = Duration::from_secs(20);

/// A body of so many bytes is read by everybody who may send one; of larger ones only so many as are worked on. What nobody needs a
/// session for is smaller.
const SMALL_BYTES_MAX: usize = 64 << 10;

/// So long a handler may take. The slowest waits for a few commits.
const HANDLER_TIME_MAX: Duration = Duration::from_secs(30);

/// The most bytes of a path with its query.
const TARGET_BYTES_MAX: usize = 4 << 10;

/// An endpoint, and how many of it are under way.
pub(super) struct Row {
    at: usize,
    endpoint: Endpoint,
    at_work: Semaphore,
}

impl Row {
    pub(super) fn new(at: usize, endpoint: Endpoint) -> Self {
        let at_work = Semaphore::new(endpoint.at_work_max);
        Self { at, endpoint, at_work }
    }
}

/// Serves one request.
pub(super) async fn serve(api: Arc<Api>, row: Arc<Row>, path: RawPathParams, request: Request<Body>) -> Response<Body> {
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let answered = answer(&api, &row, path, request).await;
    let mut answer = match answered {
        Ok((status, value)) => {
            let mut answer = Response::new(Body::from(serde_json::to_vec(&value).unwrap_or_default()));
            *answer.status_mut() = status;
            answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            answer
        }
        Err(problem) => problem.answer(),
    };
    // What one technician may see is for no cache on the way.
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// No such path.
pub(super) async fn nowhere() -> Response<Body> {
    Problem::new(StatusCode::NOT_FOUND, "nowhere", "There is no such endpoint").answer()
}

/// No such method there.
pub(super) async fn no_method() -> Response<Body> {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "no-method", "The endpoint has no such method").answer()
}

async fn answer(
    api: &Arc<Api>,
    row: &Row,
    path: std::collections::BTreeMap<String, String>,
    request: Request<Body>,
) -> Result<(StatusCode, Value), Problem> {
    let endpoint = &row.endpoint;
    let (parts, body) = request.into_parts();
    if parts.uri.path_and_query().is_some_and(|it| it.as_str().len() > TARGET_BYTES_MAX) {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "too-long", "The path and its query are too long"));
    }
    let proof = match endpoint.who {
        Who::Anybody => None,
        Who::Technician => Some(Proof::of(&parts.headers).ok_or_else(Problem::unproved)?),
    };
    let now_ms = api.hub.clock.now_ms();
    let session = proof.as_ref().map(|proof| api.hub.sessions().find(proof, now_ms)).transpose();
    let session = session.map_err(|_| Problem::unproved())?;
    if proof.is_none()
        && let Some(Peer(address)) = parts.extensions.get::<Peer>()
    {
        // Of what those without a session share, one of them has half: the rest is for the others.
        api.peers.count_some(row.at, &neighbourhood(*address), endpoint.rate.half()).map_err(Problem::too_often)?;
    }
    let who = proof.as_ref().map(Proof::session).unwrap_or_default();
    api.meter.count(row.at, who, endpoint.rate).map_err(Problem::too_often)?;
    // What is small is read before there is a place for it: else a few who send a byte now and then keep everybody out.
    let place = || row.at_work.try_acquire().map_err(|_| Problem::busy(1));
    let (body, _place) = match endpoint.body_bytes_max <= SMALL_BYTES_MAX {
        true => (read(body, &parts.headers, endpoint).await?, place()?),
        false => {
            let place = place()?;
            (read(body, &parts.headers, endpoint).await?, place)
        }
    };
    if let (Some(proof), Some(session)) = (&proof, &session) {
        let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
        let asked = proof::Asked { hub: api.hub.ca.digest(), method: parts.method.as_str(), target, body: &body };
        session.prove(proof, &asked).map_err(|_| Problem::unproved())?;
    }
    let asker = session.map(|session| session.who.clone());
    let pairs = pairs_of(&parts.uri)?;
    let query = endpoint.query.of_query(pairs)?;
    endpoint.query.check(&query)?;
    let raw = if endpoint.is_raw { body.clone() } else { Bytes::new() };
    let body = match body.is_empty() || endpoint.is_raw {
        true => json!({}),
        false => serde_json::from_slice(&body).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, "not-json", "The body is no JSON").detail(error.to_string())
        })?,
    };
    endpoint.body.check(&body)?;
    let asked = Asked { asker, path, query, body, raw };
    let answered = timeout(HANDLER_TIME_MAX, endpoint.run(Arc::clone(&api.hub), asked)).await;
    answered.unwrap_or_else(|_| Err(Problem::busy(5))).map(|value| (endpoint.status, value))
}

/// Those that one person has at will: an address, or the 64 bits of IPv6 below which a network numbers itself.
fn neighbourhood(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => Ipv6Addr::from(address.to_bits() >> 64 << 64).to_string(),
    }
}

/// The body, within its limits.
async fn read(body: Body, headers: &HeaderMap, endpoint: &Endpoint) -> Result<Bytes, Problem> {
    let most = endpoint.body_bytes_max;
    let too_large = || {
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large");
        problem.detail(format!("at most {most} bytes are read"))
    };
    let said = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > most) {
        return Err(too_large());
    }
    let slow = || Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body took too long");
    let read = timeout(BODY_TIME_MAX, Limited::new(body, most).collect()).await.map_err(|_| slow())?;
    read.map(|it| it.to_bytes()).map_err(|error| match error.is::<LengthLimitError>() {
        true => too_large(),
        false => Problem::new(StatusCode::BAD_REQUEST, "cut-off", "The body did not come whole"),
    })
}

fn pairs_of(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
    pairs.map(|it| it.0).map_err(|error| Problem::invalid(vec![error.to_string()]))
}
