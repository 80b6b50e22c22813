//! What is tried on every endpoint: another client's technician, no proof, one that was used, one for another request, too much, and
//! what nobody knows.

use axum::http::{Request, StatusCode};
use bus::proof::Prover;
use serde_json::{Value, json};

use super::Desk;
use crate::Limits;
use crate::api::endpoint::Who;
use crate::api::endpoints;
use crate::db::tests::one_of_everything;
use crate::tests::key;

/// A marker that is in all that is acme's.
const ACME: &str = "secret-of-acme";

/// What an endpoint is asked.
struct Row {
    method: &'static str,
    path: &'static str,
    target: fn() -> String,
    body: fn(&Desk) -> Value,
    /// What acme's own technician gets.
    own: StatusCode,
    /// What another client's technician gets.
    other: StatusCode,
}

fn nothing(_: &Desk) -> Value {
    Value::Null
}

fn device() -> String {
    crate::db::tests::device("acme")
}

fn order() -> String {
    model::Digest::of(b"acme's order").to_string()
}

/// One that was signed, and is for acme.
fn signed_order() -> trust::Signed {
    crate::tests::order("7", &["acme"], "tess", &[])
}

fn rollout() -> String {
    format!("/v1/orders/{}/rollout", model::Digest::of(signed_order().statement()))
}

const OK: StatusCode = StatusCode::OK;
const MISSING: StatusCode = StatusCode::NOT_FOUND;

/// A row an endpoint. Rows that change something come after those that look at it.
#[rustfmt::skip]
fn rows() -> Vec<Row> {
    let row = |method, path, target, body, own, other| Row { method, path, target, body, own, other };
    vec![
        row("GET", "/v1/health", || "/v1/health".into(), nothing, OK, OK),
        row("GET", "/v1/ready", || "/v1/ready".into(), nothing, OK, OK),
        row("GET", "/v1/openapi", || "/v1/openapi".into(), nothing, OK, OK),
        row("GET", "/v1/clients", || "/v1/clients?limit=10".into(), nothing, OK, OK),
        row("GET", "/v1/devices", || "/v1/devices?client=acme".into(), nothing, OK, OK),
        row("GET", "/v1/devices/{device}", || format!("/v1/devices/{}", device()), nothing, OK, MISSING),
        row("GET", "/v1/devices/{device}/changes", || format!("/v1/devices/{}/changes", device()), nothing, OK, MISSING),
        row("GET", "/v1/devices/{device}/kv", || format!("/v1/devices/{}/kv", device()), nothing, OK, MISSING),
        row("GET", "/v1/devices/{device}/records/{digest}", || {
            format!("/v1/devices/{}/records/{}", device(), model::Digest::of(ACME.as_bytes()))
        }, nothing, OK, MISSING),
        row("GET", "/v1/inventory", || "/v1/inventory?client=acme&limit=10".into(), nothing, OK, OK),
        row("POST", "/v1/query", || "/v1/query".into(), |_| json!({
            "sql": "SELECT * FROM devices UNION ALL SELECT *, 1, 2, 3, 4, 5 FROM deb_packages"
        }), OK, OK),
        row("GET", "/v1/tokens", || "/v1/tokens".into(), nothing, OK, OK),
        row("GET", "/v1/documents", || "/v1/documents?kind=policy".into(), nothing, OK, OK),
        row("GET", "/v1/documents/{digest}", || format!("/v1/documents/{}", order()), nothing, OK, MISSING),
        row("GET", "/v1/orders", || "/v1/orders".into(), nothing, OK, OK),
        row("GET", "/v1/orders/{order}", || format!("/v1/orders/{}", order()), nothing, OK, MISSING),
        row("GET", "/v1/orders/{order}/results", || format!("/v1/orders/{}/results?failed=false", order()), nothing, OK, MISSING),
        row("GET", "/v1/orders/{order}/watch", || format!("/v1/orders/{}/watch?after=0", order()), nothing, OK, MISSING),
        row("GET", "/v1/orders/{order}/rollout", || format!("/v1/orders/{}/rollout", order()), nothing, OK, MISSING),
        row("GET", "/v1/parts/{digest}", || format!("/v1/parts/{}", model::Digest::of(ACME.as_bytes())), nothing, OK, MISSING),
        row("GET", "/v1/tickets", || "/v1/tickets?open=true".into(), nothing, OK, OK),
        row("GET", "/v1/tickets/{number}", || "/v1/tickets/1".into(), nothing, OK, MISSING),
        row("GET", "/v1/secrets", || "/v1/secrets?client=acme".into(), nothing, OK, OK),
        row("GET", "/v1/notifications", || "/v1/notifications".into(), nothing, OK, OK),
        row("GET", "/v1/audit", || "/v1/audit".into(), nothing, OK, OK),
        row("GET", "/v1/audit/verification", || "/v1/audit/verification".into(), nothing, OK, OK),
        row("PUT", "/v1/clients/{client}", || "/v1/clients/acme".into(), |_| json!({ "retention-days": 30 }), OK, MISSING),
        row("POST", "/v1/documents", || "/v1/documents".into(), |_| {
            let signed = crate::tests::assignment(7, "new", "acme", "tess").to_text();
            json!({ "signed": String::from_utf8(signed).unwrap() })
        }, OK, StatusCode::FORBIDDEN),
        row("POST", "/v1/tokens", || "/v1/tokens".into(), |_| json!({
            "key": key("token").to_string(), "client": "acme", "site": "berlin", "tags": ["server"], "uses": 3, "hours": 24,
            "needs-accept": true,
        }), StatusCode::CREATED, MISSING),
        row("POST", "/v1/secrets", || "/v1/secrets".into(), |_| {
            let signed = crate::tests::secret_gone("web", "acme", "tess", 7).to_text();
            json!({ "signed": [String::from_utf8(signed).unwrap()] })
        }, OK, MISSING),
        // Each for one's own clients.
        row("POST", "/v1/parts", || "/v1/parts".into(), |_| json!("bytes of a part"), StatusCode::CREATED, StatusCode::CREATED),
        row("PUT", "/v1/orders/{order}/rollout", rollout, |_| json!({ "rings": [[crate::device_id(&key("web"))]] }), OK, MISSING),
        row("DELETE", "/v1/orders/{order}/rollout", rollout, nothing, OK, MISSING),
        row("POST", "/v1/tickets/{number}/notes", || "/v1/tickets/1/notes".into(), |_| json!({ "body": "on it" }), OK, MISSING),
        row("POST", "/v1/tickets/{number}/assign", || "/v1/tickets/1/assign".into(), |_| json!({ "to": "tess" }), OK, MISSING),
        row("POST", "/v1/tickets/{number}/close", || "/v1/tickets/1/close".into(), |_| json!({ "resolution": "done" }), OK, MISSING),
        row("DELETE", "/v1/tokens/{token}", || "/v1/tokens/token-acme".into(), nothing, OK, MISSING),
        row("POST", "/v1/sessions", || "/v1/sessions".into(), |desk| {
            let signed = crate::tests::session("tess", desk.world.hub.ca.digest(), 10).to_text();
            json!({ "signed": String::from_utf8(signed).unwrap() })
        }, StatusCode::CREATED, StatusCode::CREATED),
        row("POST", "/v1/enrolments", || "/v1/enrolments".into(), |_| {
            let signed = crate::tests::enrolment("newcomer", "token-of-acme", &["token-of-acme", "newcomer"]).to_text();
            json!({ "signed": String::from_utf8(signed).unwrap() })
        }, StatusCode::CREATED, StatusCode::CREATED),
        row("POST", "/v1/devices/{device}/retire", || format!("/v1/devices/{}/retire", device()), nothing, OK, MISSING),
        // Each ends one's own.
        row("DELETE", "/v1/sessions", || "/v1/sessions".into(), nothing, OK, OK),
    ]
}

/// Two clients with one of everything; the order of acme has a name that is a digest.
async fn desk() -> Desk {
    let desk = Desk::new().await;
    let fill = |change: &crate::db::Change<'_>| {
        one_of_everything(change, "acme")?;
        one_of_everything(change, "globex")?;
        change.rename_order("digest-order-acme", &order())
    };
    desk.world.hub.db.write(fill).await.unwrap();
    desk.world.hub.put_document(signed_order(), &crate::tests::asker("tess", &["acme"])).await.unwrap();
    crate::tests::make_token(&desk.world, "token-of-acme", true).await;
    desk
}

fn bytes(desk: &Desk, row: &Row) -> Vec<u8> {
    match (row.body)(desk) {
        Value::Null => Vec::new(),
        Value::String(raw) => raw.into_bytes(),
        body => serde_json::to_vec(&body).unwrap(),
    }
}

fn is_open(row: &Row) -> bool {
    let all = endpoints(&Limits::default());
    let found = all.iter().find(|it| it.method.as_str() == row.method && it.path == row.path);
    found.is_some_and(|it| it.who == Who::Anybody)
}

async fn ask(desk: &Desk, seat: &Prover, row: &Row) -> super::Answered {
    desk.ask(seat, row.method, &(row.target)(), &bytes(desk, row)).await
}

#[test]
fn every_endpoint_has_a_row() {
    let mut rows: Vec<String> = rows().iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    let mut all: Vec<String> =
        endpoints(&Limits::default()).iter().map(|it| format!("{} {}", it.method, it.path)).collect();
    rows.sort_unstable();
    all.sort_unstable();
    assert_eq!(rows, all);
}

#[tokio::test]
async fn another_client_s_technician_sees_and_changes_nothing() {
    let desk = desk().await;
    let (tess, gus) = (desk.sit("tess", &["acme"]), desk.sit("gus", &["globex"]));
    for row in rows() {
        let what = format!("{} {}", row.method, row.path);
        let other = ask(&desk, &gus, &row).await;
        assert_eq!(other.status, row.other, "{what}: {}", other.body);
        let said = other.body.to_string();
        assert!(!said.contains(ACME) && (is_open(&row) || !said.contains("acme")), "{what}: {said}");
        if row.other == MISSING && row.path.contains('{') {
            // What is there and not theirs looks like what is not there at all.
            let nowhere =
                desk.ask(&gus, row.method, &(row.target)().replace("acme", "nobody"), &bytes(&desk, &row)).await;
            assert_eq!(nowhere.body, other.body, "{what}");
        }
        // The control: acme's technician gets it, after another tried.
        let own = ask(&desk, &tess, &row).await;
        assert_eq!(own.status, row.own, "{what}: {}", own.body);
    }
    let tess = desk.sit("tess", &["acme"]);
    let listed = desk.ask(&tess, "GET", "/v1/tickets", b"").await.body.to_string();
    assert!(listed.contains(ACME) && !listed.contains("globex"), "{listed}");
}

#[tokio::test]
async fn nothing_is_answered_without_a_proof_of_this_very_request() {
    let desk = desk().await;
    let (tess, gus) = (desk.sit("tess", &["acme"]), desk.sit("gus", &["globex"]));
    for row in rows().iter().filter(|row| !is_open(row)) {
        let (target, body) = ((row.target)(), bytes(&desk, row));
        let what = format!("{} {}", row.method, row.path);
        let unproved = StatusCode::UNAUTHORIZED;
        let bare = desk.send(Desk::bare(row.method, &target, &body)).await;
        assert_eq!(bare.status, unproved, "{what}");
        // Each of these is proved, for something else.
        let true_one = (row.method, target.as_str(), body.as_slice());
        let sent = |proved| Desk::with_proof(&tess, true_one, proved);
        let proved = || Desk::proved(&tess, row.method, &target, &body);
        let (mut count, mut session, mut twice) = (proved(), proved(), proved());
        count.headers_mut().insert("remit-count", "5000".parse().unwrap());
        session.headers_mut().insert("remit-session", gus.session().parse().unwrap());
        twice.headers_mut().append("remit-session", gus.session().parse().unwrap());
        for (how, request) in [
            ("path", sent((row.method, "/v1/other", &body))),
            ("body", sent((row.method, &target, b"{}{}"))),
            ("method", sent(("PATCH", &target, &body))),
            ("count", count),
            ("session", session),
            ("two sessions", twice),
        ] {
            assert_eq!(desk.send(request).await.status, unproved, "{what}: another {how}");
        }
    }
    for row in rows().iter().filter(|row| !is_open(row)) {
        let (target, body) = ((row.target)(), bytes(&desk, row));
        let proof = tess.prove(row.method, &target, &body);
        let request = || {
            let request = Request::builder().method(row.method).uri(&target);
            let request = proof.iter().fold(request, |request, (name, value)| request.header(*name, value));
            request.body(axum::body::Body::from(body.clone())).unwrap()
        };
        assert_eq!(desk.send(request()).await.status, row.own, "the control: {} {}", row.method, row.path);
        assert_eq!(
            desk.send(request()).await.status,
            StatusCode::UNAUTHORIZED,
            "replayed: {} {}",
            row.method,
            row.path
        );
    }
    desk.world.hub.end_sessions();
    assert_eq!(desk.ask(&tess, "GET", "/v1/clients", b"").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let desk = desk().await;
    let tess = desk.sit("tess", &["acme"]);
    assert_eq!(desk.ask(&tess, "GET", "/v1/clients", b"").await.status, OK);
    desk.world.clock.advance(86_400_000);
    assert_eq!(desk.ask(&tess, "GET", "/v1/clients", b"").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn too_much_is_refused_before_it_is_read() {
    let desk = desk().await;
    let tess = desk.sit("tess", &["acme"]);
    let all = endpoints(&Limits::default());
    for row in rows() {
        let what = format!("{} {}", row.method, row.path);
        let endpoint = all.iter().find(|it| it.method.as_str() == row.method && it.path == row.path).unwrap();
        let most = endpoint.body_bytes_max;
        let large = desk.ask(&tess, row.method, &(row.target)(), &vec![b' '; most + 1]).await;
        assert_eq!(large.status, StatusCode::PAYLOAD_TOO_LARGE, "{what}");
        let long = format!(
            "{}{}x={}",
            (row.target)(),
            if (row.target)().contains('?') { '&' } else { '?' },
            "y".repeat(5_000)
        );
        assert_eq!(desk.ask(&tess, row.method, &long, b"").await.status, StatusCode::URI_TOO_LONG, "{what}");
        // What is as large as may be is read, and found to be no JSON; where nothing may come, nothing is.
        let largest = desk.ask(&tess, row.method, &(row.target)(), &vec![b' '; most]).await;
        let expected = if most == 0 || endpoint.is_raw { row.own } else { StatusCode::BAD_REQUEST };
        assert_eq!(largest.status, expected, "{what}: {}", largest.body);
    }
}

#[tokio::test]
async fn what_nobody_knows_is_told_all_at_once() {
    let desk = desk().await;
    let tess = desk.sit("tess", &["acme"]);
    for row in rows() {
        let what = format!("{} {}", row.method, row.path);
        let separator = if (row.target)().contains('?') { '&' } else { '?' };
        let target = format!("{}{separator}unknown=1&other=2", (row.target)());
        let query = desk.ask(&tess, row.method, &target, &bytes(&desk, &row)).await;
        assert_eq!(query.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        let said = query.body["errors"].to_string();
        assert!(said.contains("unknown") && said.contains("other"), "{what}: {said}");
        if row.method == "GET" || row.path == "/v1/parts" {
            continue;
        }
        let mut body = match (row.body)(&desk) {
            Value::Null => json!({}),
            body => body,
        };
        body["unknown"] = json!(1);
        let answered = desk.ask(&tess, row.method, &(row.target)(), body.to_string().as_bytes()).await;
        assert_eq!(answered.status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
        assert!(answered.body["errors"].to_string().contains("unknown"), "{what}: {}", answered.body);
    }
    // Several things that are wrong, and one of them is no field.
    let body =
        json!({ "key": "none", "client": "Not A Name", "site": "x", "uses": 1, "hours": 1, "needs-accept": false });
    let answered = desk.ask(&tess, "POST", "/v1/tokens", body.to_string().as_bytes()).await;
    assert_eq!(answered.body["errors"].as_array().unwrap().len(), 2, "{}", answered.body);
    let empty = desk.ask(&tess, "POST", "/v1/tokens", b"{}").await;
    assert_eq!(empty.body["errors"].as_array().unwrap().len(), 6, "{}", empty.body);
}

#[tokio::test]
async fn one_address_cannot_use_up_what_all_without_a_session_share() {
    let desk = desk().await;
    let from = |address: &str| {
        let mut request = Desk::bare("GET", "/v1/health", b"");
        request.extensions_mut().insert(bus::server::Peer(address.parse().unwrap()));
        request
    };
    let mut taken = 0;
    // The last bits of IPv6 make nobody another.
    for at in 0..100 {
        let answered = desk.send(from(&format!("2001:db8::{at:x}"))).await;
        if answered.status != OK {
            assert!(answered.retry_after);
            break;
        }
        taken += 1;
    }
    assert!((10..20).contains(&taken), "half of 20, and what time brings: {taken}");
    for other in ["2001:db8:0:1::1", "192.0.2.1", "::ffff:192.0.2.2"] {
        assert_eq!(desk.send(from(other)).await.status, OK, "{other}");
    }
}

#[tokio::test]
async fn who_asks_too_often_is_asked_to_come_back() {
    let desk = desk().await;
    let mut last = None;
    for _ in 0..200 {
        last = Some(desk.send(Desk::bare("GET", "/v1/health", b"")).await);
        if last.as_ref().is_some_and(|it| it.status != OK) {
            break;
        }
    }
    let last = last.unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.retry_after);
    // Another endpoint is not meant.
    assert_eq!(desk.send(Desk::bare("GET", "/v1/ready", b"")).await.status, OK);
}
