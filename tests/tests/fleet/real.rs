//! The same over a real hub: what a technician signed goes there, and what the device signed comes back.

use std::time::Duration;

use bus::dial::{Request, Way};
use bus::proof::Prover;
use serde_json::{Value, json};
use tests::hub::{Hub, init};
use trust::SessionKey;
use trust::statement::Session;

use super::*;

/// A technician at the hub.
pub(crate) struct Desk {
    runtime: tokio::runtime::Runtime,
    way: Way,
    prover: Option<Prover>,
}

impl Desk {
    pub(crate) fn open(site: &mut Site, hub: &Hub, authority: Digest) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let way = Way::new(&format!("https://{}", hub.address).parse().unwrap(), &[authority], None).unwrap();
        let mut desk = Self { runtime, way, prover: None };
        let key = SessionKey::from_seed(&[9; 32]);
        let (from, until) = (now(), now().plus_seconds(600));
        let body = Session { hub: authority, key: key.key(), from, until, machine: None, process: None };
        let signed = text(&site.signed(&body));
        let begun = desk.ask("POST", "/v1/sessions", Some(json!({ "signed": signed })));
        desk.prover = Some(Prover::new(key, authority, begun["session"].as_str().unwrap().to_owned()));
        desk
    }

    /// What it answers, which is well.
    #[track_caller]
    pub(crate) fn ask(&self, method: &str, target: &str, body: Option<Value>) -> Value {
        let body = body.map(|it| it.to_string().into_bytes()).unwrap_or_default();
        self.ask_raw(method, target, body)
    }

    #[track_caller]
    fn ask_raw(&self, method: &str, target: &str, body: Vec<u8>) -> Value {
        let request = Request {
            method: method.parse().unwrap(),
            target,
            body: body.into(),
            answer_bytes_max: 4 << 20,
            patience: Duration::ZERO,
        };
        let reply = self.runtime.block_on(self.way.ask(request, self.prover.as_ref())).unwrap();
        let said = String::from_utf8_lossy(&reply.body).into_owned();
        assert!((200..300).contains(&reply.status), "{method} {target}: {} {said}", reply.status);
        serde_json::from_str(&said).unwrap_or(Value::Null)
    }

    pub(crate) fn hand_over(&self, signed: &Signed) {
        self.ask("POST", "/v1/documents", Some(json!({ "signed": text(signed) })));
    }

    /// Has an order go to this site's device. The same again changes nothing.
    pub(crate) fn give(&self, site: &Site, signed: &Signed, parcel: &Travels) -> Digest {
        let order = Digest::of(signed.statement());
        self.hand_over(signed);
        parcel.documents.iter().for_each(|part| drop(self.ask_raw("POST", "/v1/parts", part.clone())));
        let device = trust::Device::of(&site.device()).hex();
        let rollout = json!({ "rings": [[device]], "parcel": parcel.list });
        self.ask("PUT", &format!("/v1/orders/{order}/rollout"), Some(rollout));
        order
    }

    /// What came of an order, once something has.
    #[track_caller]
    pub(crate) fn results(&self, site: &Site, order: Digest) -> Vec<Value> {
        let results = || self.ask("GET", &format!("/v1/orders/{order}/results"), None)["items"].clone();
        assert!(wait_for(|| results().as_array().is_some_and(|items| !items.is_empty())), "{}", site.log());
        results().as_array().unwrap().clone()
    }
}

/// A hub of this site's MSP that serves, and whom its technician asks there.
pub(crate) fn start(site: &mut Site, folder: &std::path::Path) -> (Hub, Desk, Digest) {
    let path = folder.to_str().unwrap();
    let made = site.msp.ok(&[&init(path, "root.statement")[..], &["--output", "json"]].concat()).json();
    let authority: Digest = made["authority"].as_str().unwrap().parse().unwrap();
    site.msp.ok(&["hub", "take", "--folder", path, "seats.statement"]);
    let hub = Hub::start(&site.msp.remit, folder);
    let desk = Desk::open(site, &hub, authority);
    (hub, desk, authority)
}

/// The site's machine joins it, and works.
pub(crate) fn join(site: &mut Site, hub: &Hub, desk: &Desk, authority: Digest) -> [Half; 2] {
    let token = Token::new(site.trust.pin(), authority, &[8; 32]);
    let made = json!({
        "key": token.key().to_string(), "client": "acme", "site": "berlin", "uses": 1, "hours": 1, "needs-accept": true,
    });
    desk.ask("POST", "/v1/tokens", Some(made));
    let address = format!("https://{}", hub.address);
    let joined = site.machine.run(&["agent", "join", &address, &token.to_text(), "--output", "json"]).expect(0).json();
    assert_eq!(joined["state"], "pending");
    let halves = site.start();
    assert!(wait_for(|| site.status().is_some_and(|it| it["hub"]["trouble"].is_null())), "{}", site.log());
    // The token was for one device.
    let other = tests::msp::compiled();
    other.run(&["agent", "join", &address, &token.to_text()]).expect(20);
    site.assign();
    site.documents.iter().skip(1).for_each(|signed| desk.hand_over(signed));
    halves
}

fn text(signed: &Signed) -> String {
    String::from_utf8(signed.to_text()).unwrap()
}

#[test]
fn an_order_goes_through_a_real_hub_and_its_result_is_there() {
    let mut site = Site::new();
    let parcel = travels(&mut site);
    let folder = site.msp.folder.join("hub");
    let (hub, desk, authority) = start(&mut site, &folder);
    let _halves = join(&mut site, &hub, &desk, authority);
    let (_, signed) = site.order(&parcel.about, |_| ());
    let order = desk.give(&site, &signed, &parcel);
    let result = &desk.results(&site, order)[0];
    assert_eq!((&result["outcome"], &result["verdict"]), (&json!("completed"), &json!("compliant")), "{result}");
    assert_eq!(site.runs(), 1);
    hub.stop();
}
