//! The bell, over a socket or an answer that takes its time.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::Digest;
use tokio::time::{Instant, sleep_until, timeout};

use super::problem::Problem;
use super::routes::{Entered, json};
use crate::{Line as _, Pulled, Woken, wire};

/// A device says something every 50 s; one that missed that twice is gone.
const SILENCE_MAX: Duration = Duration::from_secs(150);

/// So long it may take to hand a few bytes over. Who does not take them comes again.
const SEND_TIME_MAX: Duration = Duration::from_secs(10);

/// Frames of a device in a minute: it beats once, waits some times and pings. Who says more is not listened to.
const FRAMES_A_MINUTE_MAX: u32 = 120;

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
        .max_write_buffer_size(8 * wire::FRAME_BYTES_MAX)
        .max_message_size(wire::FRAME_BYTES_MAX)
        .max_frame_size(wire::FRAME_BYTES_MAX);
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
    let mut ears = desk.exchange.bells().listen(who.device);
    let mut frames = Frames::new(Instant::now());
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
            Frame::Text(text) => heard(&mut socket, entered, text.as_bytes()).await?,
            // The library answers pings by itself.
            Frame::Ping(_) | Frame::Pong(_) => {}
            Frame::Binary(_) | Frame::Close(_) => return Err(Over),
        }
    }
}

async fn heard(socket: &mut WebSocket, entered: &Entered, text: &[u8]) -> Result<(), Over> {
    let line = entered.line();
    match serde_json::from_slice(text).map_err(|_| Over)? {
        wire::Said::Waits { has } => match line.mailbox(has).await {
            Ok(Pulled::New(_)) => send(socket, &wire::Rang::of(Duration::ZERO)).await,
            Ok(_) => Ok(()),
            Err(_) => Err(Over),
        },
        // A beat that is lost is one of three.
        wire::Said::Beats(beat) => {
            let _ = line.beat(&beat).await;
            Ok(())
        }
    }
}

async fn send(socket: &mut WebSocket, rang: &wire::Rang) -> Result<(), Over> {
    let text = serde_json::to_string(rang).map_err(|_| Over)?;
    let sent = timeout(SEND_TIME_MAX, socket.send(Frame::text(text))).await;
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
