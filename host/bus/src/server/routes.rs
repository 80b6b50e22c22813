//! What devices ask, and how it is answered.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, get, on, post};
use axum::{Router, middleware};
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use model::Digest;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use trust::Key;

use super::problem::Problem;
use super::{Caller, Desk, Guard, bell};
use crate::proof::{Asked, Proof, Session};
use crate::{Beat, Beside, Direct, Fault, Has, Line as _, Message, Pulled, Trouble, WAIT_MAX, wire};

/// So long a body may take: whoever sends a byte now and then holds a place for no longer.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// So long an answer may take. The slowest waits for a commit that others have begun.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// So long who asks on a socket waits for their turn.
const TURN_TIME_MAX: Duration = Duration::from_secs(10);

/// The most bytes of a path with its query.
const TARGET_BYTES_MAX: usize = 1 << 10;

/// After how long to come again where everything is taken: what is under way is done by then.
const FULL_AFTER: Duration = Duration::from_secs(2);

/// The routes, all below `/v1/line/`, to be merged with others and never nested: what is proved is the whole path.
pub fn routes(desk: Arc<Desk>) -> Router {
    let mut router = Router::new().route(wire::SESSIONS, post(begin)).route(wire::BELL, get(wait));
    for what in What::ALL {
        let filter = if what.method() == Method::GET { MethodFilter::GET } else { MethodFilter::POST };
        let asked = move |State(desk): State<Arc<Desk>>, request: Request| ask(what, desk, request);
        router = router.route(what.path(), on(filter, asked));
    }
    router.layer(middleware::map_response(not_stored)).with_state(desk)
}

/// What is one device's is for no cache on the way.
async fn not_stored(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

type Answer = Result<Response, Problem>;

/// What a device may ask in one go, over either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Mailbox,
    Documents,
    Messages,
    Beats,
}

impl What {
    const ALL: [Self; 4] = [Self::Mailbox, Self::Documents, Self::Messages, Self::Beats];

    fn method(self) -> Method {
        if self == Self::Mailbox { Method::GET } else { Method::POST }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Mailbox => wire::MAILBOX,
            Self::Documents => wire::DOCUMENTS,
            Self::Messages => wire::MESSAGES,
            Self::Beats => wire::BEATS,
        }
    }

    fn body_bytes_max(self) -> usize {
        match self {
            Self::Mailbox => 0,
            Self::Documents => wire::WANTED_BYTES_MAX,
            Self::Messages => wire::DELIVERY_BYTES_MAX,
            Self::Beats => wire::FRAME_BYTES_MAX,
        }
    }

    /// Has it done, and says what came of it.
    async fn answer(self, line: &Direct, has: Option<Digest>, body: &[u8]) -> Answer {
        Ok(match self {
            Self::Mailbox => pulled(answered(line.mailbox(has)).await??),
            Self::Documents => {
                let wanted: Vec<Digest> = of_json(body)?;
                json(StatusCode::OK, &wire::Answered::from(answered(line.documents(&wanted)).await??))
            }
            Self::Messages => {
                let sent: Vec<wire::Sent> = of_json(body)?;
                let messages: Vec<Message> = sent.into_iter().map(Message::from).collect();
                json(StatusCode::OK, &answered(line.deliver(&messages)).await??)
            }
            Self::Beats => {
                let beat: Beat = of_json(body)?;
                answered(line.beat(&beat)).await??;
                StatusCode::NO_CONTENT.into_response()
            }
        })
    }
}

/// A request that was proved.
pub(super) struct Entered {
    pub(super) desk: Arc<Desk>,
    pub(super) session: Arc<Session<Caller>>,
    parts: Parts,
    body: Bytes,
    /// Until it is answered.
    places: Option<Places>,
}

/// Of its session, of all requests, and of all bodies.
type Places = [OwnedSemaphorePermit; 3];

impl Entered {
    pub(super) fn line(&self) -> Direct {
        Direct::new(Arc::clone(&self.desk.exchange), self.session.who.device)
    }
}

async fn begin(State(desk): State<Arc<Desk>>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let (signed, _held) = read(&desk, body, &parts.headers, wire::SESSION_BYTES_MAX).await?;
    // Not before: else whoever sends a byte now and then keeps everybody out.
    let _place = desk.admissions.try_acquire().map_err(|_| Problem::busy(FULL_AFTER))?;
    let now_ms = desk.clock.now_ms();
    let admitted = answered(desk.admission.admit(&signed, now_ms)).await?;
    let admitted = admitted.map_err(|not| Problem::new(StatusCode::FORBIDDEN, "not-admitted", not.why))?;
    if admitted.ends_others {
        desk.end(&admitted.device);
    }
    let owner = *admitted.device.bytes();
    let caller = Caller { device: admitted.device, guard: Guard::default() };
    let key: Key = admitted.key;
    let session = desk.sessions.begin(owner, caller, key, admitted.until_ms, now_ms);
    let session = session.ok_or_else(|| Problem::busy(Duration::from_secs(30)))?;
    Ok(json(StatusCode::CREATED, &wire::Begun { session }))
}

async fn ask(what: What, desk: Arc<Desk>, request: Request) -> Answer {
    let entered = enter(&desk, request, what.body_bytes_max()).await?;
    let has = match entered.parts.headers.get(header::IF_NONE_MATCH).filter(|_| what == What::Mailbox) {
        None => None,
        Some(tag) => Some(tag.to_str().ok().and_then(of_tag).ok_or_else(|| Problem::invalid("no such tag"))?),
    };
    what.answer(&entered.line(), has, &entered.body).await
}

/// The same of what came over a socket: it has its places, and is proved, as if it had come by itself. Beside a mailbox stand
/// documents that its device is not known to have: it asks once, and not twice.
pub(super) async fn ask_on_socket(
    on: &Entered,
    asks: &wire::Asks,
    body: &Bytes,
    had: &mut HashSet<Digest>,
) -> Result<(Response, Vec<Bytes>), Problem> {
    let (desk, session) = (&on.desk, &on.session);
    let is_it = |what: &What| what.method().as_str() == asks.method && what.path() == asks.target;
    let what = What::ALL.into_iter().find(is_it);
    let what = what.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "nowhere", "nothing is asked so"))?;
    if body.len() > what.body_bytes_max() {
        return Err(Problem::too_large(what.body_bytes_max()));
    }
    let proof = Proof::within(session, asks.count, &asks.proof).ok_or_else(Problem::unproved)?;
    // The session of a socket may have been ended just now.
    desk.sessions.find(&proof, desk.clock.now_ms()).map_err(|_| Problem::unproved())?;
    let _places: Places = [own_place(session)?, work_turn(desk).await?, body_place(desk, body.len())?];
    let asked = Asked { hub: desk.hub, method: &asks.method, target: &asks.target, body };
    session.prove(&proof, &asked).map_err(|_| Problem::unproved())?;
    if what == What::Mailbox {
        return pulled_beside(on, asks.has, had).await;
    }
    what.answer(&on.line(), asks.has, body).await.map(|answer| (answer, Vec::new()))
}

async fn pulled_beside(
    on: &Entered,
    mailbox: Option<Digest>,
    had: &mut HashSet<Digest>,
) -> Result<(Response, Vec<Bytes>), Problem> {
    let (device, has) = (&on.session.who.device, Has { mailbox, documents: had });
    let found = answered(on.desk.exchange.mailbox_beside(device, has, wire::TOLD_BYTES_MAX)).await?;
    let Some(Beside { mailbox: found, names, mut documents }) = found.map_err(Trouble::from)? else {
        return Ok((pulled(Pulled::Empty), Vec::new()));
    };
    *had = names.into_iter().collect();
    if mailbox == Some(Digest::of(&found.bytes)) {
        return Ok((pulled(Pulled::Same), Vec::new()));
    }
    documents.truncate(wire::BESIDE_MAX);
    Ok((pulled(Pulled::New(found.bytes)), documents))
}

/// Whether a device has the mailbox that lies there; then it has what that names too, or asks for it.
pub(super) async fn has_it(on: &Entered, mailbox: Option<Digest>, had: &mut HashSet<Digest>) -> Result<bool, Fault> {
    let device = &on.session.who.device;
    let found = match had.is_empty() {
        true => on.desk.exchange.mailbox_beside(device, Has { mailbox, documents: had }, 0).await?,
        false => {
            let found = on.desk.exchange.mailbox(device).await?;
            found.map(|mailbox| Beside { mailbox, names: Vec::new(), documents: Vec::new() })
        }
    };
    let Some(found) = found else { return Ok(true) };
    let has_it = mailbox == Some(Digest::of(&found.mailbox.bytes));
    if has_it && had.is_empty() {
        had.extend(found.names);
    }
    Ok(has_it)
}

fn pulled(pulled: Pulled) -> Response {
    match pulled {
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
    }
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
    let own = own_place(&session)?;
    let (body, held) = read(desk, body, &parts.headers, body_bytes_max).await?;
    let place = work_place(desk)?;
    let asked = Asked { hub: desk.hub, method: parts.method.as_str(), target, body: &body };
    session.prove(&proof, &asked).map_err(|_| Problem::unproved())?;
    Ok(Entered { desk: Arc::clone(desk), session, parts, body, places: Some([own, place, held]) })
}

/// One of the places of a session.
fn own_place(session: &Session<Caller>) -> Result<OwnedSemaphorePermit, Problem> {
    session.who.guard.enter(Instant::now()).map_err(Problem::too_often)
}

/// One of those of all requests.
fn work_place(desk: &Desk) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&desk.work).try_acquire_owned().map_err(|_| Problem::busy(FULL_AFTER))
}

/// The same for whoever asks on a socket: they ask one thing at a time, all of it was read, and nobody is behind them. So they wait,
/// where others are sent away, and ten thousand who answer an order at once are done one after the other.
async fn work_turn(desk: &Desk) -> Result<OwnedSemaphorePermit, Problem> {
    match timeout(TURN_TIME_MAX, Arc::clone(&desk.work).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        _ => Err(Problem::busy(FULL_AFTER)),
    }
}

/// As much of what all bodies have.
fn body_place(desk: &Desk, bytes: usize) -> Result<OwnedSemaphorePermit, Problem> {
    let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
    Arc::clone(&desk.bodies).try_acquire_many_owned(kib).map_err(|_| Problem::busy(FULL_AFTER))
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
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the body took too long");
    timeout(BODY_TIME_MAX, collect(desk, body, most)).await.map_err(slow)?
}

/// What is there counts, and not what was announced: whoever announces much and sends little holds little.
async fn collect(desk: &Desk, body: Body, most: usize) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let (mut body, mut bytes, mut held) = (Limited::new(body, most), BytesMut::new(), body_place(desk, 0)?);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Problem::too_large(most),
            false => Problem::invalid("the body did not come whole"),
        })?;
        let Ok(data) = frame.into_data() else { continue };
        held.merge(body_place(desk, (bytes.len() + data.len()).saturating_sub(held.num_permits() * 1024))?);
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), held))
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
