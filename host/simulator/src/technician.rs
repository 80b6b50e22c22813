//! What a technician asks of a hub before devices can be played: a session, documents, a token.

use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::Method;
use bus::dial::{Reply, Request, Way};
use bus::proof::Prover;
use model::{Clock as _, Digest, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};
use trust::{SessionKey, Signed, Time, Token, statement};
use url::Url;

use crate::msp;

/// The most bytes of an answer.
const ANSWER_BYTES_MAX: usize = 8 << 20;

/// A technician who has a session.
pub struct Technician {
    way: Way,
    prover: Prover,
}

#[derive(Deserialize)]
struct Begun {
    session: String,
}

impl Technician {
    /// The one of [`msp`] that is called so.
    pub async fn enter(hub: &Url, authority: Digest, holder: &str) -> anyhow::Result<Self> {
        let way = Way::new(hub, &[authority], None)?;
        let (key, now) = (SessionKey::from_seed(&rand::random()), Time::from_ms(SystemClock.now_ms()));
        let until = now.plus_seconds(14 * 60);
        let session = statement::Session { hub: authority, key: key.key(), from: now, until };
        let signed = msp::signed(now, &session, &[holder]);
        let body = json!({ "signed": text(&signed) });
        let reply = ask(&way, None, (Method::POST, "/v1/sessions"), &body).await?;
        let begun: Begun = serde_json::from_slice(&reply.body)?;
        Ok(Self { way, prover: Prover::new(key, authority, begun.session) })
    }

    /// Asks, and waits where the hub is busy.
    pub async fn ask(&self, method: Method, target: &str, body: &Value) -> anyhow::Result<Value> {
        let reply = ask(&self.way, Some(&self.prover), (method, target), body).await?;
        serde_json::from_slice(&reply.body).context("the hub's answer is no JSON")
    }

    /// Hands a document over.
    pub async fn put(&self, signed: &Signed) -> anyhow::Result<()> {
        self.ask(Method::POST, "/v1/documents", &json!({ "signed": text(signed) })).await.map(drop)
    }

    /// Makes a token that this many devices join with, and the standing rule that lets them in.
    pub async fn token(&self, root: Digest, authority: Digest, uses: u32) -> anyhow::Result<(Token, Signed)> {
        let token = Token::new(root, authority, &rand::random());
        let now = Time::from_ms(SystemClock.now_ms());
        let admission = statement::Admission {
            serial: 1,
            expires: now.plus_days(30),
            joins_until: now.plus_days(1),
            token: token.key(),
            client: msp::name("acme"),
            site: msp::name("hq"),
            tags: vec![msp::name("managed")],
            uses,
        };
        let admission = msp::signed(now, &admission, &["tess"]);
        self.put(&admission).await?;
        let body = json!({
            "key": token.key().to_string(), "client": "acme", "site": "hq", "tags": ["managed"],
            "uses": uses, "hours": 24, "needs-accept": false,
        });
        self.ask(Method::POST, "/v1/tokens", &body).await?;
        Ok((token, admission))
    }
}

fn text(signed: &Signed) -> String {
    String::from_utf8_lossy(&signed.to_text()).into_owned()
}

async fn ask(
    way: &Way,
    prover: Option<&Prover>,
    (method, target): (Method, &str),
    body: &Value,
) -> anyhow::Result<Reply> {
    loop {
        let request = Request {
            method: method.clone(),
            target,
            body: if body.is_null() { bytes::Bytes::new() } else { body.to_string().into() },
            answer_bytes_max: ANSWER_BYTES_MAX,
            patience: Duration::ZERO,
        };
        let reply = way.ask(request, prover).await?;
        match reply.status {
            200..=299 => return Ok(reply),
            429 | 503 => tokio::time::sleep(reply.retry_after.unwrap_or(Duration::from_secs(1))).await,
            status => bail!("{method} {target}: the hub answers {status}: {}", String::from_utf8_lossy(&reply.body)),
        }
    }
}
