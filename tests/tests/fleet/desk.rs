//! A hub's desk on loopback: devices join, dial, read what a test posts, and say what they have to say.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::http::StatusCode;
use axum::routing::post;
use bus::server::{Admission, Admitted, Desk, Limits, NotAdmitted, routes, serve};
use bus::{Device, Exchange as _, Memory, Message, Position, Replacement, Revision, Whom};
use fleet::Mailbox;
use model::{Digest, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use trust::statement::{self, Enrolment, Session};
use trust::{Key, Kind, Signed};

/// Whoever has a key has a session, and joins where the token signs too.
struct Lets {
    hub: Digest,
}

#[async_trait]
impl Admission for Lets {
    async fn admit(&self, signed: &[u8], _: u64) -> Result<Admitted, NotAdmitted> {
        let not = |why: &str| NotAdmitted { why: why.to_owned() };
        let signed = Signed::from_text(signed).map_err(|it| not(&it.to_string()))?;
        let signers = signed.signers(Kind::Session);
        let [key] = signers.keys.as_slice() else { return Err(not("it is signed by nobody")) };
        let body = statement::read::<Session>(signed.statement()).map_err(|it| not(&it.to_string()))?.body;
        match body.hub == self.hub {
            true => Ok(Admitted { device: Device::of(key), key: body.key, until_ms: u64::MAX, ends_others: false }),
            false => Err(not("it is for another hub")),
        }
    }
}

/// A hub that believes everybody, and is believed in nothing.
pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    pub(crate) authority: Digest,
    memory: Arc<Memory>,
    revision: Mutex<Option<Revision>>,
    joined: Arc<Mutex<Vec<Key>>>,
    runtime: Runtime,
}

impl Hub {
    /// It hands over this root, whoever asks.
    pub(crate) fn start(root: &Signed) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Digest::of(ca.der());
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
        let tls = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone(), ca.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        let tls = Arc::new(tls.unwrap());
        let memory = Arc::new(Memory::new(Arc::new(SystemClock)));
        let desk = Desk::new(
            Arc::clone(&memory) as Arc<_>,
            Arc::new(Lets { hub: authority }),
            authority,
            Arc::new(SystemClock),
        );
        let joined: Arc<Mutex<Vec<Key>>> = Arc::default();
        let (root, noted) = (String::from_utf8(root.to_text()).unwrap(), Arc::clone(&joined));
        let join = move |body: String| async move { join(&serde_json::from_str(&body).unwrap(), &root, &noted) };
        let routes = routes(Arc::new(desk)).route("/v1/enrolments", post(join));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            serve(listener, tls, routes, Limits::default()).await;
        });
        Self { address, authority, memory, revision: Mutex::default(), joined, runtime }
    }

    /// Who joined, each time that they did.
    pub(crate) fn joined(&self) -> Vec<Key> {
        self.joined.lock().unwrap().clone()
    }

    /// Lies in the device's mailbox from now on, with documents that it may read.
    pub(crate) fn post(&self, device: &Key, mailbox: &Mailbox, documents: &[Vec<u8>]) {
        let mut revision = self.revision.lock().unwrap();
        let device = Device::of(device);
        self.runtime.block_on(async {
            let mut names = Vec::new();
            for document in documents {
                names.push(self.memory.put_document(document.clone().into()).await.unwrap());
            }
            let bytes = mailbox.write().unwrap().into();
            let with = Replacement { device, expected: *revision, bytes, names };
            let done = self.memory.replace(vec![with]).await.unwrap().remove(0);
            *revision = Some(done.unwrap());
            self.memory.ring(Whom::These(&[device]), Duration::ZERO).await.unwrap();
        });
    }

    /// What devices said of this kind, in their order.
    pub(crate) fn said(&self, kind: &str) -> Vec<Message> {
        let log = self.runtime.block_on(self.memory.log(Position::default(), 1_000)).unwrap();
        log.into_iter().map(|it| it.message).filter(|it| it.kind.as_str() == kind).collect()
    }

    /// The same, once there are so many.
    #[track_caller]
    pub(crate) fn wait_for(&self, kind: &str, count: usize) -> Vec<Message> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(60) {
            let said = self.said(kind);
            if said.len() >= count {
                return said;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} of {count} `{kind}` were said", self.said(kind).len());
    }
}

fn join(body: &Value, root: &str, joined: &Mutex<Vec<Key>>) -> (StatusCode, String) {
    let signed = Signed::from_text(body["signed"].as_str().unwrap().as_bytes()).unwrap();
    let body = statement::read::<Enrolment>(signed.statement()).unwrap().body;
    let signers = signed.signers(Kind::Enrolment).keys;
    if !signers.contains(&body.token) || !signers.contains(&body.device) {
        return (StatusCode::FORBIDDEN, json!({ "title": "it is not signed by both" }).to_string());
    }
    let device = Device::of(&body.device).hex();
    joined.lock().unwrap().push(body.device);
    (StatusCode::CREATED, json!({ "device": device, "state": "member", "root": root }).to_string())
}
