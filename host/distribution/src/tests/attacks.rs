//! Registries that mean ill, or have a bad day. Each flaw ends in its own error, and without it the same pull goes through.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use model::Digest;
use tokio::net::TcpListener;

use super::fake::{Answer, Asked, Fake, Piece, answer, blob, head};
use super::{label, network, package, reference, registry};
use crate::error::Redirect;
use crate::network::{Limits, Network, Roots};
use crate::registry::Existing;
use crate::{Error, Lock, Locked, Package, Registry, Resolved, layout};

const BYTES: usize = 50_000;

/// A registry with one plugin in it, and who asks it.
pub(super) struct Scene {
    pub(super) fake: Fake,
    pub(super) registry: Registry,
    pub(super) resolved: Resolved,
    pub(super) network: Network,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::over(network()).await
    }

    async fn over(network: Network) -> Self {
        let fake = Fake::start().await;
        let reference = reference(&format!("{}/a:1.2.3", fake.address));
        let registry = registry(&network, &reference);
        let pushed = registry.push(&reference, &package(BYTES), &label(), Existing::Refuse).await.unwrap();
        assert!(pushed.has_referrers, "it keeps the list itself");
        assert!(!fake.requests().iter().any(|it| it.contains("sha256-")), "so nobody else does");
        let resolved = registry.resolve(&reference).await.unwrap();
        Self { fake, registry, resolved, network }
    }

    pub(super) async fn pull(&self) -> Result<Package, Error> {
        self.registry.pull(&self.resolved, None).await
    }

    /// Pulls with this fault, and then without.
    pub(super) async fn pull_with(&self, fault: impl Fn(&Asked) -> Option<Answer> + Send + 'static) -> Error {
        self.fake.misbehave(fault);
        let error = self.pull().await.expect_err("it is an attack");
        self.fake.misbehave(|_| None);
        assert_eq!(self.pull().await.expect("the control"), package(BYTES));
        error
    }

    /// Asked for the component.
    pub(super) fn component(&self) -> impl Fn(&Asked) -> bool + use<> {
        let path = format!("/blobs/{}", self.resolved.component);
        move |asked| asked.is("GET", &path)
    }
}

#[tokio::test]
async fn a_tag_that_moves_between_resolve_and_pull_moves_nothing() {
    let scene = Scene::new().await;
    let other = package(BYTES + 1);
    scene.registry.push(&scene.resolved.reference, &other, &label(), Existing::Replace).await.unwrap();
    assert_eq!(scene.pull().await.unwrap(), package(BYTES), "what was resolved is what comes");
    // Whoever resolves again, and had it locked, is told.
    let again = scene.registry.resolve(&scene.resolved.reference).await.unwrap();
    let source = scene.resolved.reference.to_string();
    let mut lock = Lock::default();
    let locked = |of: &Resolved| Locked {
        name: "a".to_owned(),
        version: "1.2.3".parse().unwrap(),
        source: source.clone(),
        component: of.component,
        size_bytes: of.size_bytes,
        manifest: Some(of.manifest),
    };
    lock.put(locked(&scene.resolved));
    let error = lock.check(&source, Some(again.manifest), again.component).unwrap_err();
    assert!(matches!(error, Error::TagMoved { .. }), "{error}");
    lock.put(locked(&again));
    lock.check(&source, Some(again.manifest), again.component).expect("the control");
    // And where the old one is gone, nothing comes in its place.
    scene.fake.forget(&scene.resolved.component.to_string());
    assert!(matches!(scene.pull().await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn other_bytes_are_not_taken() {
    let scene = Scene::new().await;
    let mut flipped = package(BYTES).component;
    flipped[BYTES / 2] ^= 1;
    let component = scene.component();
    let error = scene.pull_with(move |asked| component(asked).then(|| answer(200, "", &flipped))).await;
    assert!(matches!(error, Error::WrongDigest { expected, .. } if expected == scene.resolved.component), "{error}");
    // A manifest asked for by digest; and one whose digest the registry itself gets wrong.
    let by_digest = reference(&format!("{}/a@{}", scene.fake.address, scene.resolved.manifest));
    let manifest = scene.fake.get(&scene.resolved.manifest.to_string());
    let spoiled = [&manifest[..], b" "].concat();
    scene.fake.misbehave(move |asked| asked.is("GET", "/manifests/").then(|| answer(200, "", &spoiled)));
    assert!(matches!(scene.registry.resolve(&by_digest).await, Err(Error::WrongDigest { .. })));
    let lie = format!("docker-content-digest: {}\r\n", Digest::of(b"another"));
    scene.fake.misbehave(move |asked| asked.is("GET", "/manifests/").then(|| answer(200, &lie, &manifest)));
    assert!(matches!(scene.registry.resolve(&scene.resolved.reference).await, Err(Error::WrongDigest { .. })));
    scene.fake.misbehave(|_| None);
    assert_eq!(scene.registry.resolve(&by_digest).await.unwrap().manifest, scene.resolved.manifest);
}

/// A fifth of what is left, and then the connection ends.
fn cut(asked: &Asked, component: &[u8]) -> Answer {
    let mut whole = blob(asked, component);
    if let Some(Piece::Bytes(body)) = whole.last_mut() {
        body.truncate(body.len() / 5);
    }
    whole
}

#[tokio::test]
async fn what_is_cut_short_is_taken_up_where_it_ended() {
    let scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let partial = folder.path().join("partial");
    let pull = || scene.registry.pull(&scene.resolved, Some(&partial));
    let component = scene.component();
    scene.fake.misbehave(move |asked| component(asked).then(|| cut(asked, &package(BYTES).component)));
    let error = pull().await.unwrap_err();
    let Error::Truncated { found, expected, .. } = error else { panic!("{error}") };
    assert_eq!(expected, BYTES as u64);
    assert_eq!(found, 24_400, "a fifth, and twice a fifth of the rest: it tries three times");

    scene.fake.misbehave(|_| None);
    let before = scene.network.traffic().received_bytes;
    assert_eq!(pull().await.unwrap(), package(BYTES));
    let came = scene.network.traffic().received_bytes - before;
    println!("{} of {BYTES} bytes came before; {came} bytes were received for the rest", found);
    assert!(came < BYTES as u64 - found + 4_000, "only the rest comes: {came}");

    // A registry that knows no ranges sends it all again, and that is fine too.
    let component = scene.component();
    scene.fake.misbehave(move |asked| component(asked).then(|| cut(asked, &package(BYTES).component)));
    pull().await.unwrap_err();
    let component = scene.component();
    scene.fake.misbehave(move |asked| component(asked).then(|| answer(200, "", &package(BYTES).component)));
    assert_eq!(pull().await.unwrap(), package(BYTES));
}

#[tokio::test]
async fn what_is_kept_is_not_believed() {
    let scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join(scene.resolved.component.hex());
    for (bytes, requests) in [(vec![7; 100], 2), (vec![7; BYTES], 1), (vec![7; BYTES + 1], 1)] {
        std::fs::write(&kept, bytes).unwrap();
        scene.fake.requests();
        assert_eq!(scene.registry.pull(&scene.resolved, Some(folder.path())).await.unwrap(), package(BYTES));
        let asked =
            scene.fake.requests().iter().filter(|it| it.contains(&scene.resolved.component.to_string())).count();
        assert_eq!(asked, requests);
        assert!(!kept.exists());
    }
}

#[tokio::test]
async fn one_that_goes_on_elsewhere_is_named() {
    let scene = Scene::new().await;
    let component = scene.component();
    let error = scene
        .pull_with(move |asked| match (component(asked), asked.header("range")) {
            (true, None) => Some(cut(asked, &package(BYTES).component)),
            (true, Some(_)) => Some(answer(206, "content-range: bytes 5-9/10\r\n", b"other")),
            (false, _) => None,
        })
        .await;
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

/// One of the limits is short enough for a test; the others are long enough for a busy machine.
fn impatient(stall_secs: u64, whole_secs: u64) -> Network {
    let (stall, whole) = (Duration::from_secs(stall_secs), Duration::from_secs(whole_secs));
    Network::new(&Roots::default(), Limits { connect: Duration::from_secs(10), stall, whole }).unwrap()
}

#[tokio::test]
async fn silence_ends() {
    let scene = Scene::over(impatient(1, 60)).await;
    let day = Duration::from_secs(86_400);
    let component = scene.component();
    let error = scene.pull_with(move |asked| component(asked).then(|| vec![Piece::Pause(day)])).await;
    assert!(matches!(error, Error::Stalled { .. }), "no head: {error}");
    let component = scene.component();
    let half = move || {
        let start = Piece::Bytes(head(200, "", Some(BYTES)));
        vec![start, Piece::Bytes(package(BYTES / 2).component), Piece::Pause(day)]
    };
    let error = scene.pull_with(move |asked| component(asked).then(&half)).await;
    assert!(matches!(error, Error::Stalled { .. }), "half a body: {error}");
}

#[tokio::test]
async fn drop_by_drop_ends_too() {
    let scene = Scene::over(impatient(30, 3)).await;
    let component = scene.component();
    let drops = || {
        let drop = || [Piece::Bytes(vec![0]), Piece::Pause(Duration::from_millis(100))];
        std::iter::once(Piece::Bytes(head(200, "", Some(BYTES)))).chain((0..1000).flat_map(|_| drop())).collect()
    };
    let began = Instant::now();
    let error = scene.pull_with(move |asked| component(asked).then(drops)).await;
    assert!(matches!(error, Error::TooSlow { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn nobody_is_sent_to_a_private_address() {
    let scene = Scene::new().await;
    // Somebody else on this machine, who must hear nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::<AtomicUsize>::default();
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            hears.fetch_add(1, Ordering::Relaxed);
        }
    });
    for (to, why) in [
        (format!("https://127.0.0.1:{port}/x"), Redirect::PrivateAddress),
        (format!("https://localhost:{port}/x"), Redirect::PrivateAddress),
        (format!("https://[::ffff:127.0.0.1]:{port}/x"), Redirect::PrivateAddress),
        (format!("https://0x7f.1:{port}/x"), Redirect::PrivateAddress),
        ("https://169.254.169.254/latest/meta-data".to_owned(), Redirect::PrivateAddress),
        ("https://10.0.0.1/x".to_owned(), Redirect::PrivateAddress),
        ("https://[fd00:ec2::254]/x".to_owned(), Redirect::PrivateAddress),
        (format!("http://127.0.0.1:{port}/x"), Redirect::PlainHttp),
        ("http://1.1.1.1/x".to_owned(), Redirect::PlainHttp),
        ("file:///etc/passwd".to_owned(), Redirect::NoAddress),
        (String::new(), Redirect::NoAddress),
    ] {
        let component = scene.component();
        let location = format!("location: {to}\r\n");
        let error = scene.pull_with(move |asked| component(asked).then(|| answer(307, &location, b""))).await;
        assert!(matches!(error, Error::Redirect { why: found, .. } if found == why), "{to}: {error}");
    }
    assert_eq!(heard.load(Ordering::Relaxed), 0);
    // The registry itself is where a person said that it is, and may send to itself.
    let component = scene.component();
    scene.fake.misbehave(move |asked| match asked.path.as_str() {
        "/elsewhere" => Some(answer(200, "", &package(BYTES).component)),
        _ => component(asked).then(|| answer(307, "location: /elsewhere\r\n", b"")),
    });
    assert_eq!(scene.pull().await.unwrap(), package(BYTES));
    // But not for ever.
    let component = scene.component();
    let round =
        move |asked: &Asked| component(asked).then(|| answer(302, &format!("location: {}\r\n", asked.path), b""));
    let error = scene.pull_with(round).await;
    assert!(matches!(error, Error::Redirect { why: Redirect::TooMany, .. }), "{error}");
}

#[tokio::test]
async fn what_is_sent_goes_to_the_registry_alone() {
    let scene = Scene::new().await;
    let (small, label) = (package(7), label());
    let push = || scene.registry.push(&scene.resolved.reference, &small, &label, Existing::Replace);
    scene.fake.misbehave(|asked| {
        asked.is("POST", "/uploads/").then(|| answer(202, "location: https://storage.example/upload\r\n", b""))
    });
    let error = push().await.unwrap_err();
    assert!(matches!(error, Error::Redirect { why: Redirect::Upload, .. }), "{error}");
    scene.fake.misbehave(|asked| {
        asked.is("PUT", "/uploads/").then(|| answer(307, "location: https://storage.example/upload\r\n", b""))
    });
    let error = push().await.unwrap_err();
    assert!(matches!(error, Error::Redirect { why: Redirect::Upload, .. }), "{error}");
    scene.fake.misbehave(|_| None);
    push().await.expect("the control");
}

#[tokio::test]
async fn what_has_no_end_has_a_limit() {
    let scene = Scene::new().await;
    let endless = |status| vec![Piece::Bytes(head(status, "", None)), Piece::Forever(vec![b' '; 64 << 10])];
    let component = scene.component();
    let error = scene.pull_with(move |asked| component(asked).then(|| endless(200))).await;
    assert!(matches!(error, Error::WrongSize { .. }), "a component: {error}");
    let error = scene.pull_with(move |asked| asked.is("GET", "/referrers/").then(|| endless(200))).await;
    assert!(matches!(error, Error::TooLarge { .. }), "a list: {error}");
    let error = scene.pull_with(move |asked| asked.is("GET", "/manifests/").then(|| endless(200))).await;
    assert!(matches!(error, Error::TooLarge { .. }), "a manifest: {error}");
    let error = scene.pull_with(move |asked| asked.is("GET", "/referrers/").then(|| endless(500))).await;
    assert!(matches!(error, Error::Status { status: 500, .. }), "an error: {error}");
    assert!(error.to_string().len() < 500, "{error}");
    // What says before that it is too large is not read.
    let before = scene.network.traffic().received_bytes;
    let announced = layout::INDEX_BYTES_MAX as usize + 1;
    scene.fake.misbehave(move |asked| {
        let start = || vec![Piece::Bytes(head(200, "", Some(announced))), Piece::Forever(vec![b' '; 64 << 10])];
        asked.is("GET", "/referrers/").then(start)
    });
    assert!(matches!(scene.registry.attachments(&scene.resolved).await, Err(Error::TooLarge { .. })));
    assert!(scene.network.traffic().received_bytes - before < 1000);
}

#[tokio::test]
async fn a_size_is_held_to() {
    let scene = Scene::new().await;
    for wrong in [BYTES - 1, BYTES + 1] {
        let component = scene.component();
        let before = scene.network.traffic().received_bytes;
        scene.fake.misbehave(move |asked| component(asked).then(|| answer(200, "", &package(wrong).component)));
        let error = scene.pull().await.unwrap_err();
        assert!(matches!(error, Error::WrongSize { found, .. } if found == wrong as u64), "{error}");
        assert!(scene.network.traffic().received_bytes - before < 1000, "its head says so already");
    }
    // Without a length in its head it ends where there is more than was announced.
    let component = scene.component();
    let longer = || vec![Piece::Bytes(head(200, "", None)), Piece::Bytes(package(BYTES + 1).component)];
    let error = scene.pull_with(move |asked| component(asked).then(longer)).await;
    assert!(matches!(error, Error::WrongSize { .. }), "{error}");
}

#[tokio::test]
async fn too_many_headers_are_not_read() {
    let scene = Scene::new().await;
    let component = scene.component();
    let many = "x: y\r\n".repeat(100);
    let error =
        scene.pull_with(move |asked| component(asked).then(|| answer(200, &many, &package(BYTES).component))).await;
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}
