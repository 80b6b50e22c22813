//! A technician who asks a hub what no program of ours would: what comes of it is looked at here.

use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::http::Method;
use bus::dial::{Reply, Request, Way};
use bus::proof::Prover;
use bytes::Bytes;
use model::{Clock as _, Digest, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};
use trust::{Device, SessionKey, Signed, Time, Token, statement};
use url::Url;

use simulator::msp::{self, Shipped};

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
        let session =
            statement::Session { hub: authority, key: key.key(), from: now, until, machine: None, process: None };
        let signed = msp::signed(now, &session, &[holder]);
        let body = json!({ "signed": text(&signed) });
        let reply = ask(&way, None, (Method::POST, "/v1/sessions"), bytes_of(&body)).await?;
        let begun: Begun = serde_json::from_slice(&reply.body)?;
        Ok(Self { way, prover: Prover::new(key, authority, begun.session) })
    }

    /// Asks, and waits where the hub is busy.
    pub async fn ask(&self, method: Method, target: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask_bytes(method, target, bytes_of(body)).await
    }

    /// Asks once, and waits for the answer for so long beyond what every request may take; whatever it is.
    pub async fn once(&self, method: Method, target: &str, patience: Duration) -> Result<Reply, bus::Trouble> {
        let (body, answer_bytes_max) = (Bytes::new(), ANSWER_BYTES_MAX);
        self.way.ask(Request { method, target, body, answer_bytes_max, patience }, Some(&self.prover)).await
    }

    /// The headers of a request that somebody else sends.
    pub fn prove(&self, method: &str, target: &str, body: &[u8]) -> [(&'static str, String); 3] {
        self.prover.prove(method, target, body)
    }

    /// The same with bytes that are no JSON.
    pub async fn ask_bytes(&self, method: Method, target: &str, body: Bytes) -> anyhow::Result<Value> {
        let reply = ask(&self.way, Some(&self.prover), (method, target), body).await?;
        serde_json::from_slice(&reply.body).context("the hub's answer is no JSON")
    }

    /// Has an order go to the devices of its rings, with its plugin. The same again changes nothing.
    pub async fn give(&self, order: &Signed, rings: &[Vec<Device>], plugin: &Shipped) -> anyhow::Result<()> {
        self.put(order).await?;
        for document in &plugin.documents {
            self.ask_bytes(Method::POST, "/v1/parts", document.clone().into()).await?;
        }
        let rings: Vec<Vec<String>> = rings.iter().map(|ring| ring.iter().map(Device::hex).collect()).collect();
        let target = format!("/v1/orders/{}/rollout", Digest::of(order.statement()));
        self.ask(Method::PUT, &target, &json!({ "rings": rings, "parcel": plugin.list })).await.map(drop)
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

fn bytes_of(body: &Value) -> Bytes {
    if body.is_null() { Bytes::new() } else { body.to_string().into() }
}

async fn ask(
    way: &Way,
    prover: Option<&Prover>,
    (method, target): (Method, &str),
    body: Bytes,
) -> anyhow::Result<Reply> {
    loop {
        let request = Request {
            method: method.clone(),
            target,
            body: body.clone(),
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
