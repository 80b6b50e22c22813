use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, StatusCode};
use model::Digest;
use tokio::sync::Mutex;
use trust::{Key, SessionKey};

use super::ask::{Answer, Ask, refused};
use super::socket::{Failed, Socket};
use super::way::Way;
use crate::proof::Prover;
use crate::{Trouble, wire};

/// Signs a `session` statement with the device's key, which the half that speaks to the network does not have.
#[async_trait]
pub trait Opener: Send + Sync {
    /// The signed statement, for this hub and this key; or why there is none.
    async fn open(&self, hub: Digest, key: &Key) -> Result<Vec<u8>, String>;
}

/// The session of a line: opened when it is needed, and again when the hub no longer knows it.
pub(super) struct Session {
    opener: Box<dyn Opener>,
    open: Mutex<Option<Arc<Prover>>>,
}

impl Session {
    pub(super) fn new(opener: Box<dyn Opener>) -> Self {
        Self { opener, open: Mutex::new(None) }
    }

    /// Asks with a proof. What the hub does not take as proved is asked once more, in a session that is new.
    pub(super) async fn ask(&self, way: &Way, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        let mut stale = None;
        for _ in 0..2 {
            let prover = self.prover(way, stale.take()).await?;
            let response = ask.send(way, Some(&prover), HeaderMap::new()).await?;
            if let Some(answer) = Answer::of(way, response, ask.most).await? {
                return Ok(answer);
            }
            stale = Some(prover);
        }
        Err(Trouble::NoSession { why: "it does not know one that it has just given".to_owned() })
    }

    /// Hangs a bell on a new socket.
    pub(super) async fn hang(&self, way: &Way, socket: &Socket) -> Result<(), Failed> {
        let mut stale = None;
        for _ in 0..2 {
            let prover = self.prover(way, stale.take()).await?;
            let hanging = socket.begin();
            let ask = Ask::get(wire::BELL, wire::SAID_BYTES_MAX);
            let response = ask.send(way, Some(&prover), hanging.headers()).await?;
            match response.status() {
                StatusCode::SWITCHING_PROTOCOLS => return socket.open(hanging, prover, response).await,
                StatusCode::UNAUTHORIZED => stale = Some(prover),
                _ => {
                    return Err(match refused(way, response).await {
                        busy @ Trouble::Busy { .. } => Failed::Other(busy),
                        // It speaks, and does not want a socket: somebody in between, as a rule.
                        trouble => Failed::Socket(trouble),
                    });
                }
            }
        }
        let why = "it does not know one that it has just given".to_owned();
        Err(Failed::Other(Trouble::NoSession { why }))
    }

    /// The open session, or a new one where there is none but this. Whoever comes meanwhile waits for the same.
    async fn prover(&self, way: &Way, stale: Option<Arc<Prover>>) -> Result<Arc<Prover>, Trouble> {
        let mut open = self.open.lock().await;
        let is_stale = |it: &Arc<Prover>| stale.as_ref().is_some_and(|stale| Arc::ptr_eq(stale, it));
        if let Some(prover) = open.as_ref().filter(|it| !is_stale(it)) {
            return Ok(Arc::clone(prover));
        }
        *open = None;
        if way.is_unsure() {
            // Whatever it answers, it shows who it is.
            Ask::get(wire::BELL, wire::SAID_BYTES_MAX).send(way, None, HeaderMap::new()).await?;
        }
        let (key, hub) = (SessionKey::from_seed(&rand::random()), way.hub());
        let signed = self.opener.open(hub, &key.key()).await.map_err(|why| Trouble::NoSession { why })?;
        let ask = Ask::post(wire::SESSIONS, signed, wire::SAID_BYTES_MAX);
        let answer = Answer::of(way, ask.send(way, None, HeaderMap::new()).await?, ask.most).await;
        let answer = answer.map_err(|trouble| match trouble {
            Trouble::Refused { why, .. } => Trouble::NoSession { why },
            trouble => trouble,
        });
        let answer =
            answer?.ok_or_else(|| Trouble::NoSession { why: "it wants a session for a session".to_owned() })?;
        let begun: wire::Begun = answer.json()?;
        if begun.session.len() > 64 || !begun.session.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return Err(Trouble::Garbled { why: "it calls a session what no session is called".to_owned() });
        }
        let prover = Arc::new(Prover::new(key, hub, begun.session));
        *open = Some(Arc::clone(&prover));
        Ok(prover)
    }
}
