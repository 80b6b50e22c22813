//! Each request is proved: by a key that was made for a session, over everything that is asked.
//!
//! Whoever reads along, in a proxy or a log, holds nothing that could ask anything. What a proof is over names the hub, so what
//! one hub was asked is worth nothing at another, and a number that counts once.

mod sessions;
mod window;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Digest;
use trust::SessionKey;

pub use sessions::{Denied, OF_ONE_MAX, SESSIONS_MAX, Session, Sessions};

/// Which session.
pub const SESSION: &str = "remit-session";
/// Which request of it.
pub const COUNT: &str = "remit-count";
/// The signature, in base64.
pub const PROOF: &str = "remit-proof";

/// What is signed begins with this, so that no other signature of the key is a proof.
const BEGIN: &str = "remit-request-v1";

/// A request, as far as it is signed.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Of which hub: the digest of its CA's certificate.
    pub hub: Digest,
    /// As it stands in the request: `GET`.
    pub method: &'a str,
    /// The path, with its query.
    pub target: &'a str,
    /// All of it.
    pub body: &'a [u8],
}

impl Asked<'_> {
    /// What is signed.
    fn message(&self, session: &str, count: u64) -> String {
        let Self { hub, method, target, body } = self;
        format!("{BEGIN}\n{hub}\n{session}\n{count}\n{method}\n{target}\n{}", Digest::of(body).hex())
    }
}

/// What came with a request to prove it.
#[derive(Clone, Debug)]
pub struct Proof {
    session: String,
    count: u64,
    signature: [u8; 64],
}

impl Proof {
    /// Out of its headers: each exactly once, because of two nobody could say which was meant.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let one = |name: &str| {
            let mut all = headers.get_all(name).iter();
            let first = all.next()?.to_str().ok()?;
            all.next().is_none().then_some(first)
        };
        let signature = STANDARD.decode(one(PROOF)?).ok()?.try_into().ok()?;
        Some(Self { session: one(SESSION)?.to_owned(), count: one(COUNT)?.parse().ok()?, signature })
    }

    /// Of a request that came without headers, over what was opened for this session.
    pub fn within<T>(session: &Session<T>, count: u64, signature: &str) -> Option<Self> {
        let signature = STANDARD.decode(signature).ok()?.try_into().ok()?;
        Some(Self { session: session.id().to_owned(), count, signature })
    }

    /// Of which session it says to be.
    pub fn session(&self) -> &str {
        &self.session
    }
}

/// Whoever proves requests: a session and its key.
pub struct Prover {
    key: SessionKey,
    hub: Digest,
    session: String,
    count: AtomicU64,
}

impl Prover {
    /// Of a session that this hub gave.
    pub fn new(key: SessionKey, hub: Digest, session: String) -> Self {
        Self { key, hub, session, count: AtomicU64::new(1) }
    }

    /// Which session.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// The headers of the next request.
    pub fn prove(&self, method: &str, target: &str, body: &[u8]) -> [(&'static str, String); 3] {
        let (count, signature) = self.sign(method, target, body);
        [(SESSION, self.session.clone()), (COUNT, count.to_string()), (PROOF, signature)]
    }

    /// The number of the next request, and its signature in base64.
    pub(crate) fn sign(&self, method: &str, target: &str, body: &[u8]) -> (u64, String) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let asked = Asked { hub: self.hub, method, target, body };
        (count, STANDARD.encode(self.key.prove(asked.message(&self.session, count).as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn hub() -> Digest {
        Digest::of(b"ca")
    }

    fn headers(of: &[(&'static str, String)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in of {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    struct World {
        sessions: Sessions<&'static str>,
        prover: Prover,
    }

    fn world() -> World {
        let (sessions, key) = (Sessions::default(), SessionKey::from_seed(&[1; 32]));
        let id = sessions.begin([0; 32], "me", key.key(), NOW + 1_000, NOW).unwrap();
        World { sessions, prover: Prover::new(key, hub(), id) }
    }

    fn asked<'a>(method: &'a str, target: &'a str, body: &'a [u8]) -> Asked<'a> {
        Asked { hub: hub(), method, target, body }
    }

    #[test]
    fn what_is_signed_has_one_form() {
        let digest = Digest::of(b"").hex();
        let expected = format!("remit-request-v1\n{}\n00ff\n7\nGET\n/v1/line/mailbox?a=b\n{digest}", hub());
        assert_eq!(asked("GET", "/v1/line/mailbox?a=b", b"").message("00ff", 7), expected);
    }

    #[test]
    fn a_request_is_proved_once_and_only_as_it_was_asked() {
        let World { sessions, prover } = world();
        let check = |headers: &HeaderMap, asked: Asked<'_>, now: u64| {
            let proof = Proof::of(headers).ok_or(Denied)?;
            sessions.find(&proof, now)?.prove(&proof, &asked).map(|()| "me")
        };
        let made = headers(&prover.prove("POST", "/v1/a?b=c", b"body"));
        let true_one = asked("POST", "/v1/a?b=c", b"body");
        let other_hub = Asked { hub: Digest::of(b"another"), ..true_one };
        for forged in [
            asked("GET", "/v1/a?b=c", b"body"),
            asked("POST", "/v1/a?b=d", b"body"),
            asked("POST", "/v1/a", b"body"),
            asked("POST", "/v1/a?b=c", b"Body"),
            other_hub,
        ] {
            assert_eq!(check(&made, forged, NOW), Err(Denied), "{forged:?}");
        }
        assert_eq!(check(&made, true_one, NOW + 1_000), Err(Denied), "the session is over");
        assert_eq!(check(&made, true_one, NOW), Ok("me"), "what was forged took no number");
        assert_eq!(check(&made, true_one, NOW), Err(Denied), "a second time");
    }

    #[test]
    fn headers_are_there_once_each_and_belong_together() {
        let World { sessions, prover } = world();
        let asked = asked("GET", "/", b"");
        let holds = |headers: &HeaderMap| {
            let proof = Proof::of(headers);
            proof.is_some_and(|it| sessions.find(&it, NOW).is_ok_and(|session| session.prove(&it, &asked).is_ok()))
        };
        let made = || headers(&prover.prove("GET", "/", b""));
        for name in [SESSION, COUNT, PROOF] {
            let mut missing = made();
            missing.remove(name);
            let mut twice = made();
            let value = twice.get(name).unwrap().clone();
            twice.append(name, value);
            let mut garbage = made();
            garbage.insert(name, "x".parse().unwrap());
            assert!(!holds(&missing) && !holds(&twice) && !holds(&garbage), "{name}");
        }
        let mut other_count = made();
        other_count.insert(COUNT, "50".parse().unwrap());
        assert!(!holds(&other_count));
        assert!(holds(&made()), "the control");
    }
}
