//! What devices ask, and how it is answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use model::Digest;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use trust::Key;

use super::problem::Problem;
use super::{Caller, Desk, Guard, bell};
use crate::proof::{Asked, Proof, Session};
use crate::{Beat, Direct, Line as _, Message, Pulled, WAIT_MAX, wire};

/// So long a body may take: whoever sends a byte now and then holds a place for no longer.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// So long an answer may take. The slowest waits for a commit that others have begun.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// The most bytes of a path with its query.
const TARGET_BYTES_MAX: usize = 1 << 10;

/// After how long to come again where everything is taken: what is under way is done by then.
const FULL_AFTER: Duration = Duration::from_secs(2);

/// The routes, all below `/v1/line/`, to be merged with others and never nested: what is proved is the whole path.
pub fn routes(desk: Arc<Desk>) -> Router {
    Router::new()
        .route(wire::SESSIONS, post(begin))
        .route(wire::MAILBOX, get(mailbox))
        .route(wire::DOCUMENTS, post(documents))
        .route(wire::MESSAGES, post(messages))
        .route(wire::BEATS, post(beats))
        .route(wire::BELL, get(wait))
        .layer(middleware::map_response(not_stored))
        .with_state(desk)
}

/// What is one device's is for no cache on the way.
async fn not_stored(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

type Answer = Result<Response, Problem>;

/// A request that was proved.
pub(super) struct Entered {
    pub(super) desk: Arc<Desk>,
    pub(super) session: Arc<Session<Caller>>,
    parts: Parts,
    body: Bytes,
    /// Until it is answered: of its session, of all requests, and of all bodies.
    places: Option<[OwnedSemaphorePermit; 3]>,
}

impl Entered {
    pub(super) fn line(&self) -> Direct {
        Direct::new(Arc::clone(&self.desk.exchange), self.session.who.device)
    }
}

async fn begin(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let _place = desk.admissions.try_acquire().map_err(|_| Problem::busy(FULL_AFTER))?;
    let (signed, _held) = read(&desk, body, &parts.headers, wire::SESSION_BYTES_MAX).await?;
    let now_ms = desk.clock.now_ms();
    let admitted = answered(desk.admission.admit(&signed, now_ms)).await?;
    let admitted = admitted.map_err(|not| Problem::new(StatusCode::FORBIDDEN, "not-admitted", not.why))?;
    let owner = *admitted.device.bytes();
    let caller = Caller { device: admitted.device, guard: Guard::default() };
    let key: Key = admitted.key;
    let session = desk.sessions.begin(owner, caller, key, admitted.until_ms, now_ms);
    let session = session.ok_or_else(|| Problem::busy(Duration::from_secs(30)))?;
    Ok(json(StatusCode::CREATED, &wire::Begun { session }))
}

async fn mailbox(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let entered = enter(&desk, request, 0).await?;
    let has = match entered.parts.headers.get(header::IF_NONE_MATCH) {
        None => None,
        Some(tag) => Some(tag.to_str().ok().and_then(of_tag).ok_or_else(|| Problem::invalid("no such tag"))?),
    };
    Ok(match answered(entered.line().mailbox(has)).await?? {
        Pulled::Empty => StatusCode::NO_CONTENT.into_response(),
        Pulled::Same => StatusCode::NOT_MODIFIED.into_response(),
        Pulled::New(bytes) => {
            let tag = format!("\"{}\"", Digest::of(&bytes));
            let kind = HeaderValue::from_static("application/octet-stream");
            let mut answer = bytes.into_response();
            answer.headers_mut().insert(header::CONTENT_TYPE, kind);
            if let Ok(tag) = HeaderValue::from_str(&tag) {
                answer.headers_mut().insert(header::ETAG, tag);
            }
            answer
        }
    })
}

async fn documents(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let entered = enter(&desk, request, wire::WANTED_BYTES_MAX).await?;
    let wanted: Vec<Digest> = of_json(&entered.body)?;
    let found = answered(entered.line().documents(&wanted)).await??;
    Ok(json(StatusCode::OK, &wire::Answered::from(found)))
}

async fn messages(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let entered = enter(&desk, request, wire::DELIVERY_BYTES_MAX).await?;
    let sent: Vec<wire::Sent> = of_json(&entered.body)?;
    let messages: Vec<Message> = sent.into_iter().map(Message::from).collect();
    let acks = answered(entered.line().deliver(&messages)).await??;
    Ok(json(StatusCode::OK, &acks))
}

async fn beats(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let entered = enter(&desk, request, wire::FRAME_BYTES_MAX).await?;
    let beat: Beat = of_json(&entered.body)?;
    answered(entered.line().beat(&beat)).await??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Waits hold no place among those that are worked on.
async fn wait(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let mut entered = enter(&desk, request, 0).await?;
    entered.places = None;
    if entered.parts.headers.contains_key(header::UPGRADE) {
        let upgrade = WebSocketUpgrade::from_request_parts(&mut entered.parts, &()).await;
        return match upgrade {
            Ok(upgrade) => bell::hang(upgrade, entered),
            Err(refused) => Ok(refused.into_response()),
        };
    }
    let (has, most) = asked_wait(entered.parts.uri.query().unwrap_or_default())?;
    bell::poll(&entered, has, most).await
}

/// `wait=SECONDS`, and perhaps `has=DIGEST`.
fn asked_wait(query: &str) -> Result<(Option<Digest>, Duration), Problem> {
    let (mut has, mut most) = (None, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("has", digest)) if has.is_none() => {
                has = Some(digest.parse().map_err(|_| Problem::invalid("`has`"))?)
            }
            Some(("wait", ms)) if most.is_none() => most = Some(ms.parse().map_err(|_| Problem::invalid("`wait`"))?),
            _ => return Err(Problem::invalid("expected `wait` and perhaps `has`")),
        }
    }
    let most = most.map(Duration::from_millis).ok_or_else(|| Problem::invalid("`wait` is missing"))?;
    Ok((has, most.min(WAIT_MAX)))
}

/// Lets a request in.
async fn enter(desk: &Arc<Desk>, request: Request, body_bytes_max: usize) -> Result<Entered, Problem> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    if target.len() > TARGET_BYTES_MAX {
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "too-long", "the path and its query are too long"));
    }
    let proof = Proof::of(&parts.headers).ok_or_else(Problem::unproved)?;
    let session = desk.sessions.find(&proof, desk.clock.now_ms()).map_err(|_| Problem::unproved())?;
    let own = session.who.guard.enter(Instant::now()).map_err(Problem::too_often)?;
    let place = Arc::clone(&desk.work).try_acquire_owned().map_err(|_| Problem::busy(FULL_AFTER))?;
    let (body, held) = read(desk, body, &parts.headers, body_bytes_max).await?;
    let asked = Asked { hub: desk.hub, method: parts.method.as_str(), target, body: &body };
    session.prove(&proof, &asked).map_err(|_| Problem::unproved())?;
    Ok(Entered { desk: Arc::clone(desk), session, parts, body, places: Some([own, place, held]) })
}

/// A body, within its size and time, and within what all bodies may have.
async fn read(
    desk: &Desk,
    body: Body,
    headers: &HeaderMap,
    most: usize,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let said = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > most) {
        return Err(Problem::too_large(most));
    }
    let kib = u32::try_from(said.unwrap_or(most).div_ceil(1024)).unwrap_or(u32::MAX);
    let held = Arc::clone(&desk.bodies).try_acquire_many_owned(kib).map_err(|_| Problem::busy(FULL_AFTER))?;
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body took too long");
    let read = timeout(BODY_TIME_MAX, Limited::new(body, most).collect()).await.map_err(slow)?;
    let bytes = read.map(|it| it.to_bytes()).map_err(|error| match error.is::<LengthLimitError>() {
        true => Problem::too_large(most),
        false => Problem::invalid("the body did not come whole"),
    })?;
    Ok((bytes, held))
}

/// What the exchange answers, in time.
async fn answered<T>(asked: impl Future<Output = T>) -> Result<T, Problem> {
    timeout(ANSWER_TIME_MAX, asked).await.map_err(|_| Problem::busy(FULL_AFTER))
}

fn of_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::invalid(format!("the body is not right: {error}")))
}

pub(super) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(value).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

fn of_tag(tag: &str) -> Option<Digest> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}
