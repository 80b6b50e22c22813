//! Debian's `docker-registry`, and `skopeo` as another client of it.

use std::fs::File;
use std::path::Path;

use model::Digest;
use serde_json::Value;
use tests::registry::{self as real, Wire, skopeo};

use super::{attachment, label, network, package, reference, registry};
use crate::registry::Existing;
use crate::{DockerConfig, Error, Fetcher, Package, Source, archive};

/// A plugin of the size that a small one in Rust has.
const BYTES: usize = 100_000;

#[tokio::test]
async fn what_is_pushed_is_pulled() {
    let (server, network) = (real::Registry::start(), network());
    let wire = Wire::to(server.address());
    let reference = reference(&format!("{}/plugins/disk-cleanup", wire.address()));
    let (registry, sent) = (registry(&network, &reference), package(BYTES));

    let pushed = registry.push(&reference, &sent, &label(), Existing::Refuse).await.unwrap();
    assert_eq!(pushed.reference.tag(), Some("1.2.3"));
    let (out, back) = wire.bytes();
    println!("push of {BYTES} bytes with one statement: {out} bytes sent, {back} received");
    assert!(out < BYTES as u64 + 16_000, "{out}");

    let again = registry.push(&reference, &sent, &label(), Existing::Refuse).await.unwrap();
    let (out, back) = wire.bytes();
    println!("push of the same again: {out} bytes sent, {back} received");
    assert_eq!(again.manifest, pushed.manifest, "the same plugin has the same digest");
    assert!(out < 16_000, "what is there is not sent again: {out}");

    let before = network.traffic();
    let resolved = registry.resolve(&pushed.reference).await.unwrap();
    assert_eq!((resolved.manifest, resolved.component), (pushed.manifest, pushed.component));
    assert_eq!(registry.pull(&resolved, None).await.unwrap(), sent);
    let (out, back) = wire.bytes();
    let counted = network.traffic();
    println!("pull: {out} bytes sent, {back} received, in {} requests", counted.requests - before.requests);
    assert!(back < BYTES as u64 + 8_000, "{back}");
    // What is told of traffic is what went over the wire, but for the first line of each head.
    let told = counted.received_bytes - before.received_bytes;
    assert!(back.abs_diff(told) < 64 * (counted.requests - before.requests), "{back} and {told}");

    assert_eq!(registry.tags("plugins/disk-cleanup").await.unwrap().len(), 2, "its version, and the list beside it");
}

#[tokio::test]
async fn a_registry_without_the_api_has_a_list_beside() {
    let (server, network) = (real::Registry::start(), network());
    let reference = reference(&format!("{}/a:1.2.3", server.address()));
    let registry = registry(&network, &reference);
    let mut sent = package(1000);
    let pushed = registry.push(&reference, &sent, &label(), Existing::Refuse).await.unwrap();
    assert!(!pushed.has_referrers, "docker-registry 2 has no API for it: who has one needs this test no more");

    // A reviewer adds an approval later; another does at the same time.
    let resolved = registry.resolve(&reference).await.unwrap();
    let (one, two) = (attachment("approval", &["r1", "r2"]), attachment("revocation", &["r3"]));
    let (first, second) = tokio::join!(
        registry.attach(&resolved, std::slice::from_ref(&one)),
        registry.attach(&resolved, std::slice::from_ref(&two))
    );
    assert!(!first.unwrap() && !second.unwrap());
    sent.attachments.extend([one, two]);
    assert_eq!(registry.pull(&resolved, None).await.unwrap(), sent.checked().unwrap());
}

#[tokio::test]
async fn a_version_is_not_replaced_by_accident() {
    let (server, network) = (real::Registry::start(), network());
    let reference = reference(&format!("{}/a:1.2.3", server.address()));
    let registry = registry(&network, &reference);
    let first = registry.push(&reference, &package(1000), &label(), Existing::Refuse).await.unwrap();
    let refused = registry.push(&reference, &package(1001), &label(), Existing::Refuse).await.unwrap_err();
    assert!(matches!(refused, Error::TagTaken { found, .. } if found == first.manifest), "{refused}");
    assert_eq!(registry.resolve(&reference).await.unwrap().manifest, first.manifest);
    let second = registry.push(&reference, &package(1001), &label(), Existing::Replace).await.unwrap();
    assert_eq!(registry.resolve(&reference).await.unwrap().manifest, second.manifest);
    // By digest the first one is there for ever.
    let old = super::reference(&format!("{}/a@{}", server.address(), first.manifest));
    let old = registry.resolve(&old).await.unwrap();
    assert_eq!(registry.pull(&old, None).await.unwrap(), package(1000));
}

#[tokio::test]
async fn skopeo_reads_what_is_pushed() {
    let (server, network) = (real::Registry::start(), network());
    let reference = reference(&format!("{}/a:1.2.3", server.address()));
    let sent = package(BYTES);
    let pushed = registry(&network, &reference).push(&reference, &sent, &label(), Existing::Refuse).await.unwrap();
    let there = format!("docker://{reference}");
    let raw = skopeo(&["inspect", "--tls-verify=false", "--raw", &there]);
    assert_eq!(Digest::of(raw.as_bytes()), pushed.manifest);
    let manifest: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(manifest.pointer("/layers/0/mediaType").unwrap(), "application/wasm");
    assert_eq!(manifest.pointer("/annotations/org.opencontainers.image.licenses").unwrap(), "Apache-2.0");
    // Without `--raw` it speaks of images for containers only, and says so of every other artifact.
    let config = skopeo(&["inspect", "--tls-verify=false", "--config", "--raw", &there]);
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!((&config["architecture"], &config["os"]), (&Value::from("wasm"), &Value::from("wasip2")));
    assert_eq!(config["layerDigests"], serde_json::json!([pushed.component.to_string()]));

    // It copies the plugin, and we read its archive: without the statements, of which it knows nothing.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.tar");
    skopeo(&["copy", "--src-tls-verify=false", &there, &format!("oci-archive:{}:1.2.3", file.display())]);
    assert_eq!(load(&file), Package { attachments: Vec::new(), ..sent.clone() });

    // And it copies what we saved.
    let ours = folder.path().join("ours.tar");
    std::fs::write(&ours, archive::write(&sent, &label()).unwrap()).unwrap();
    let ours = format!("oci-archive:{}:1.2.3", ours.display());
    let raw = skopeo(&["inspect", "--raw", &ours]);
    assert_eq!(Digest::of(raw.as_bytes()), pushed.manifest, "an archive has what the registry has");
    let copy = super::reference(&format!("{}/copied:1.2.3", server.address()));
    skopeo(&["copy", "--dest-tls-verify=false", &ours, &format!("docker://{copy}")]);
    let registry = registry(&network, &copy);
    let resolved = registry.resolve(&copy).await.unwrap();
    assert_eq!(resolved.manifest, pushed.manifest);
    assert_eq!(registry.pull(&resolved, None).await.unwrap().component, sent.component);
}

fn load(file: &Path) -> Package {
    archive::read(File::open(file).unwrap()).unwrap()
}

#[tokio::test]
async fn who_has_logged_in_is_let_in() {
    let (server, network) = (real::Registry::with_password(), network());
    let reference = reference(&format!("{}/a:1.2.3", server.address()));
    let folder = tempfile::tempdir().unwrap();
    let as_user = |password: &str| {
        let config = folder.path().join("config.json");
        let auth =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:{password}", real::USER));
        let text = format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, server.address());
        std::fs::write(&config, text).unwrap();
        Fetcher::new(network.clone(), DockerConfig::read(&config).unwrap(), false, None)
    };
    let registry = as_user(real::PASSWORD).registry(&reference).await.unwrap();
    registry.push(&reference, &package(1000), &label(), Existing::Refuse).await.unwrap();
    let fetched = as_user(real::PASSWORD).fetch(&Source::Oci(reference.clone())).await.unwrap();
    assert_eq!(fetched.package, package(1000));

    let wrong = as_user("wrong").fetch(&Source::Oci(reference.clone())).await.unwrap_err();
    assert!(matches!(wrong, Error::Denied { .. }), "{wrong}");
    assert!(wrong.to_string().contains(&format!("docker login {}", server.address())), "{wrong}");
    let nobody = super::registry(&network, &reference);
    assert!(matches!(nobody.resolve(&reference).await, Err(Error::Denied { .. })));
}
