//! Every endpoint, with a row of what it is asked, and what is tried on each of them.

mod document;
mod query;
mod table;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use bus::proof::Prover;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use trust::SessionKey;

use crate::tests::{World, asker};

/// Technicians before a hub, each with a session.
pub(super) struct Desk {
    pub(super) world: World,
    pub(super) routes: Router,
}

pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    pub(super) retry_after: bool,
}

impl Desk {
    pub(super) async fn new() -> Self {
        let world = World::new().await;
        Self { routes: super::router(Arc::clone(&world.hub)), world }
    }

    /// Somebody's session.
    pub(super) fn sit(&self, holder: &str, clients: &[&str]) -> Prover {
        let (key, hub) = (SessionKey::from_seed(&rand::random()), &self.world.hub);
        let (asker, now_ms) = (asker(holder, clients), hub.clock.now_ms());
        let id = hub.sessions().begin(asker.key, asker, key.key(), now_ms + 900_000, now_ms).unwrap();
        Prover::new(key, hub.ca.digest(), id)
    }

    /// A request as it goes over the wire, with a proof of what is said to be asked.
    pub(super) fn with_proof(
        seat: &Prover,
        (method, target, body): (&str, &str, &[u8]),
        (proved_method, proved_target, proved_body): (&str, &str, &[u8]),
    ) -> Request<Body> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in seat.prove(proved_method, proved_target, proved_body) {
            request = request.header(name, value);
        }
        request.body(Body::from(body.to_vec())).unwrap()
    }

    pub(super) fn proved(seat: &Prover, method: &str, target: &str, body: &[u8]) -> Request<Body> {
        Self::with_proof(seat, (method, target, body), (method, target, body))
    }

    pub(super) fn bare(method: &str, target: &str, body: &[u8]) -> Request<Body> {
        Request::builder().method(method).uri(target).body(Body::from(body.to_vec())).unwrap()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answered {
        let answer = self.routes.clone().oneshot(request).await.unwrap();
        let (status, retry_after) = (answer.status(), answer.headers().contains_key("retry-after"));
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Answered { status, body: serde_json::from_slice(&body).unwrap_or_default(), retry_after }
    }

    pub(super) async fn ask(&self, seat: &Prover, method: &str, target: &str, body: &[u8]) -> Answered {
        self.send(Self::proved(seat, method, target, body)).await
    }
}
