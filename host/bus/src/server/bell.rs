//! The bell, over a socket or an answer that takes its time; and what is asked over the socket while it hangs there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use model::Digest;
use tokio::time::{Instant, sleep_until, timeout};

use super::problem::Problem;
use super::routes::{Entered, ask_on_socket, has_it, json};
use crate::{Line as _, Woken, wire};

/// A device says something every 50 s; one that missed that twice is gone.
const SILENCE_MAX: Duration = Duration::from_secs(150);

/// So long it may take to hand a few bytes over. Who does not take them comes again.
const SEND_TIME_MAX: Duration = Duration::from_secs(10);

/// Frames of a device in a minute: what a session may ask in that time, and some beats, waits and pings. Who says more is not
/// listened to.
const FRAMES_A_MINUTE_MAX: u32 = 1_000;

/// Rings with an answer, once.
pub(super) async fn poll(entered: &Entered, has: Option<Digest>, most: Duration) -> Result<Response, Problem> {
    let mut turn = entered.session.who.guard.wait();
    let line = entered.line();
    let woken = tokio::select! {
        woken = line.wait(has, most) => woken?,
        () = turn.over() => Woken::Quiet,
    };
    Ok(match woken {
        Woken::Quiet => StatusCode::NO_CONTENT.into_response(),
        Woken::Rung { within } => json(StatusCode::OK, &wire::Rang::of(within)),
    })
}

/// Hangs a bell, and rings it until one side goes.
pub(super) fn hang(upgrade: WebSocketUpgrade, entered: Entered) -> Result<Response, Problem> {
    let place = Arc::clone(&entered.desk.sockets).try_acquire_owned();
    let place = place.map_err(|_| Problem::busy(Duration::from_secs(30)))?;
    // The frames are small, and there are ten thousand of these.
    let upgrade = upgrade
        .read_buffer_size(wire::FRAME_BYTES_MAX)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * wire::TOLD_BYTES_MAX)
        .max_message_size(wire::ASKED_BYTES_MAX)
        .max_frame_size(wire::ASKED_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _place = place;
        // However it ended, the device comes again.
        let _ = ring(socket, &entered).await;
    }))
}

/// Nothing more is to be said.
struct Over;

async fn ring(mut socket: WebSocket, entered: &Entered) -> Result<(), Over> {
    let (desk, who) = (Arc::clone(&entered.desk), &entered.session.who);
    let mut turn = who.guard.wait();
    // It may have been ended while its connection became a socket, before there was a turn that could be over.
    if !desk.sessions.has(&entered.session) {
        return Err(Over);
    }
    let mut ears = desk.exchange.bells().listen(who.device);
    let mut frames = Frames::new(Instant::now());
    // What the mailbox names that the device had last.
    let mut had = HashSet::new();
    loop {
        let silent = frames.last + SILENCE_MAX;
        let frame = tokio::select! {
            rang = ears.rung() => {
                send(&mut socket, &wire::Rang::of(rang.within)).await?;
                continue;
            }
            frame = socket.recv() => frame,
            () = turn.over() => return Err(Over),
            () = sleep_until(silent) => return Err(Over),
        };
        let frame = frame.and_then(Result::ok).ok_or(Over)?;
        frames.count(Instant::now())?;
        if desk.clock.now_ms() >= entered.session.until_ms {
            return Err(Over);
        }
        match frame {
            Frame::Text(text) => heard(&mut socket, entered, text.as_bytes(), &mut had).await?,
            Frame::Binary(frame) => asked(&mut socket, entered, &frame, &mut had).await?,
            // The library answers pings by itself.
            Frame::Ping(_) | Frame::Pong(_) => {}
            Frame::Close(_) => return Err(Over),
        }
    }
}

async fn heard(socket: &mut WebSocket, entered: &Entered, text: &[u8], had: &mut HashSet<Digest>) -> Result<(), Over> {
    if text.len() > wire::FRAME_BYTES_MAX {
        return Err(Over);
    }
    match serde_json::from_slice(text).map_err(|_| Over)? {
        wire::Said::Waits { has } => match has_it(entered, has, had).await {
            Ok(false) => send(socket, &wire::Rang::of(Duration::ZERO)).await,
            Ok(true) => Ok(()),
            Err(_) => Err(Over),
        },
        // A beat that is lost is one of three.
        wire::Said::Beats(beat) => {
            let _ = entered.line().beat(&beat).await;
            Ok(())
        }
    }
}

/// Answers what was asked. One at a time: whoever asks more waits to be read.
async fn asked(
    socket: &mut WebSocket,
    entered: &Entered,
    frame: &Bytes,
    had: &mut HashSet<Digest>,
) -> Result<(), Over> {
    let (asks, body) = wire::unframed::<wire::Asks>(frame).ok_or(Over)?;
    let answer = ask_on_socket(entered, &asks, &body, had).await;
    let (answer, documents) = answer.unwrap_or_else(|problem| (problem.into_response(), Vec::new()));
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|_| Over)?.to_bytes();
    let after = parts.headers.get(header::RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
    let (count, status) = (asks.count, parts.status.as_u16());
    let told = wire::Told { count, status, after_s: after, beside: documents.iter().map(Bytes::len).collect() };
    let mut whole = BytesMut::from(body.as_ref());
    documents.iter().for_each(|document| whole.extend_from_slice(document));
    let frame = match whole.len() > wire::TOLD_BYTES_MAX {
        true => {
            let status = StatusCode::MISDIRECTED_REQUEST.as_u16();
            wire::framed(&wire::Told { status, beside: Vec::new(), ..told }, b"")
        }
        false => wire::framed(&told, &whole),
    };
    hand(socket, Frame::Binary(frame)).await
}

async fn send(socket: &mut WebSocket, rang: &wire::Rang) -> Result<(), Over> {
    let text = serde_json::to_string(rang).map_err(|_| Over)?;
    hand(socket, Frame::text(text)).await
}

async fn hand(socket: &mut WebSocket, frame: Frame) -> Result<(), Over> {
    let sent = timeout(SEND_TIME_MAX, socket.send(frame)).await;
    sent.map_err(|_| Over)?.map_err(|_| Over)
}

/// How much a device says.
struct Frames {
    last: Instant,
    minute: Instant,
    count: u32,
}

impl Frames {
    fn new(now: Instant) -> Self {
        Self { last: now, minute: now, count: 0 }
    }

    fn count(&mut self, now: Instant) -> Result<(), Over> {
        self.last = now;
        if now.duration_since(self.minute) >= Duration::from_secs(60) {
            (self.minute, self.count) = (now, 0);
        }
        self.count += 1;
        if self.count > FRAMES_A_MINUTE_MAX { Err(Over) } else { Ok(()) }
    }
}
