//! A hub on loopback, and devices that dial it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequestParts as _, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use bus::conformance::World;
use bus::dial::{Dial, Opener, Way};
use bus::server::{Admission, Admitted, Desk, Limits, NotAdmitted, routes, serve};
use bus::{Device, Exchange, Line, Memory, Trouble};
use model::{Clock, Digest, ManualClock};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::runtime::Runtime;
use trust::statement::{self, Session};
use trust::{Key, Kind, Signed, Signer, Time};

/// When all of this is.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// A device that the hub lets in no more.
pub(crate) const RETIRED: u8 = 250;

/// Who stands between, in a place where requests can be read: what ends TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    Nobody,
    /// Knows no sockets.
    Refuses,
    /// Lets a socket begin, and then no more.
    Cuts,
    /// Lets sockets through, sessions, and nothing else.
    OnlySockets,
}

/// An authority.
pub(crate) struct Authority(pub(crate) CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(self.0.der())
    }

    /// A server's side of TLS under this name, which shows these authorities.
    pub(crate) fn tls(&self, name: &str, shows: &[&Self]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        let mut chain = vec![certificate.der().clone()];
        chain.extend(shows.iter().map(|it| it.0.der().clone()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        Arc::new(config.unwrap())
    }
}

/// A hub that runs until it is dropped, and then is gone with all that it holds.
pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    pub(crate) desk: Arc<Desk>,
    runtime: Option<Runtime>,
}

impl Hub {
    pub(crate) fn start(at: SocketAddr, tls: Arc<ServerConfig>, desk: Desk, between: Between, limits: Limits) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let desk = Arc::new(desk);
        let routes = stands(between, routes(Arc::clone(&desk)));
        // Just now somebody else may have listened there.
        let listener = (0..100).find_map(|_| {
            let listener = std::net::TcpListener::bind(at);
            if listener.is_err() {
                std::thread::sleep(Duration::from_millis(20));
            }
            listener.ok()
        });
        let listener = listener.unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            serve(listener, tls, routes, limits).await;
        });
        Self { address, desk, runtime: Some(runtime) }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn stands(between: Between, routes: Router) -> Router {
    routes.layer(middleware::from_fn(move |request: Request, next: Next| async move {
        let wants_socket = request.headers().contains_key(header::UPGRADE);
        match between {
            Between::Refuses if wants_socket => StatusCode::BAD_GATEWAY.into_response(),
            Between::Cuts if wants_socket => cut(request).await,
            Between::OnlySockets if !wants_socket && request.uri().path() != "/v1/line/sessions" => {
                StatusCode::BAD_GATEWAY.into_response()
            }
            _ => next.run(request).await,
        }
    }))
}

async fn cut(request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade.on_upgrade(|socket| async move { drop(socket) }),
        Err(refused) => refused.into_response(),
    }
}

/// A device's key, always the same for a number.
pub(crate) fn signer(number: u8) -> Signer {
    Signer::from_seed(&[number; 32])
}

pub(crate) fn device(number: u8) -> Device {
    Device::of(&signer(number).key().unwrap())
}

/// The root half of a device.
pub(crate) struct Root(pub(crate) u8);

#[async_trait]
impl Opener for Root {
    async fn open(&self, hub: Digest, key: &Key) -> Result<Vec<u8>, String> {
        let (from, until) = (Time::from_ms(NOW_MS), Time::from_ms(NOW_MS + 80_000_000));
        let body = Session { hub, key: key.clone(), from, until, machine: None, process: None };
        let mut signed = Signed::new(statement::write(from, &body).map_err(|it| it.to_string())?, Vec::new());
        signed.sign(&mut signer(self.0)).map_err(|it| it.to_string())?;
        Ok(signed.to_text())
    }
}

/// A hub that lets in all devices but some.
pub(crate) struct Lets {
    pub(crate) hub: Digest,
    pub(crate) not: Vec<Device>,
}

#[async_trait]
impl Admission for Lets {
    async fn admit(&self, signed: &[u8], _: u64) -> Result<Admitted, NotAdmitted> {
        let not = |why: &str| NotAdmitted { why: why.to_owned() };
        let signed = Signed::from_text(signed).map_err(|it| not(&it.to_string()))?;
        let signers = signed.signers(Kind::Session);
        let [key] = signers.keys.as_slice() else { return Err(not("it is signed by nobody")) };
        let read = statement::read::<Session>(signed.statement()).map_err(|it| not(&it.to_string()))?;
        let device = Device::of(key);
        if read.body.hub != self.hub {
            return Err(not("it is for another hub"));
        }
        if self.not.contains(&device) {
            return Err(not("this device was retired"));
        }
        Ok(Admitted { device, key: read.body.key, until_ms: NOW_MS + 80_000_000, ends_others: false })
    }
}

/// The embedded backend over the twin.
pub(crate) struct Embedded {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) authority: Authority,
    between: Between,
    now: Mutex<Now>,
}

struct Now {
    memory: Arc<Memory>,
    hub: Hub,
}

impl Embedded {
    pub(crate) fn new(between: Between) -> Self {
        let (clock, authority) = (Arc::new(ManualClock::new(NOW_MS)), Authority::new());
        let memory = Arc::new(Memory::new(Arc::clone(&clock) as Arc<dyn Clock>));
        let hub = start(&memory, &clock, &authority, between, "127.0.0.1:0".parse().unwrap(), Limits::default());
        Self { clock, authority, between, now: Mutex::new(Now { memory, hub }) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.now.lock().unwrap().hub.address
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.now.lock().unwrap().hub.desk)
    }

    pub(crate) fn way(&self) -> Way {
        let url = format!("https://{}", self.address()).parse().unwrap();
        Way::new(&url, &[self.authority.digest()], None).unwrap()
    }

    pub(crate) fn dial(&self, number: u8) -> Dial {
        Dial::new(self.way(), Box::new(Root(number)))
    }
}

pub(crate) fn start(
    memory: &Arc<Memory>,
    clock: &Arc<ManualClock>,
    authority: &Authority,
    between: Between,
    at: SocketAddr,
    limits: Limits,
) -> Hub {
    let admission = Lets { hub: authority.digest(), not: vec![device(RETIRED)] };
    let exchange = Arc::clone(memory) as Arc<dyn Exchange>;
    let desk = Desk::new(exchange, Arc::new(admission), authority.digest(), Arc::clone(clock) as Arc<dyn Clock>);
    Hub::start(at, authority.tls("127.0.0.1", &[authority]), desk, between, limits)
}

#[async_trait]
impl World for Embedded {
    fn exchange(&self) -> Arc<dyn Exchange> {
        Arc::clone(&self.now.lock().unwrap().memory) as Arc<dyn Exchange>
    }

    async fn line(&self, number: u8) -> (Device, Arc<dyn Line>) {
        let dial = self.dial(number);
        // Who meets somebody that wants no sockets learns it, before a property is looked at.
        let is_wanted = matches!(self.between, Between::Nobody | Between::OnlySockets);
        let mut is_told = is_wanted;
        let learned = async || {
            let waited = dial.wait(None, Duration::from_millis(if is_wanted { 1 } else { 100 })).await;
            let has_socket = dial.has_socket();
            (waited, has_socket)
        };
        loop {
            match learned().await {
                (Ok(_), has_socket) if is_told && has_socket == is_wanted => break,
                (Ok(_), _) => {}
                (Err(Trouble::Unreachable { .. }), _) if !is_wanted => is_told = true,
                other => panic!("{other:?}"),
            }
        }
        (device(number), Arc::new(dial))
    }

    fn pass(&self, time: Duration) {
        self.clock.advance(time.as_millis() as u64);
    }

    async fn restart(&self) {
        let mut now = self.now.lock().unwrap();
        let (memory, at) = (Arc::new(now.memory.restarted()), now.hub.address);
        // One listens there at a time.
        if let Some(runtime) = now.hub.runtime.take() {
            runtime.shutdown_background();
        }
        now.hub = start(&memory, &self.clock, &self.authority, self.between, at, Limits::default());
        now.memory = memory;
    }
}
