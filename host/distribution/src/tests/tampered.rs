//! Registries whose lists and manifests say other than what is there.

use serde_json::{Value, json};

use super::attacks::Scene;
use super::fake::answer;
use crate::layout::{INDEX, MANIFEST};
use crate::package::{ATTACHMENTS_MAX, STATEMENT_BYTES_MAX};
use crate::{Error, Package};
use model::Digest;

/// Puts another manifest of a statement there, listed with its own digest: everything that a digest says is true of it.
fn change_statement(scene: &Scene, change: impl FnOnce(&mut Value)) {
    let mut referrers = Vec::new();
    scene.fake.change_referrers(scene.resolved.manifest, |there| referrers.clone_from(there));
    let old = scene.fake.get(referrers[0]["digest"].as_str().unwrap());
    let mut manifest: Value = serde_json::from_slice(&old).unwrap();
    change(&mut manifest);
    let manifest = manifest.to_string();
    let digest = Digest::of(manifest.as_bytes()).to_string();
    scene.fake.put(&digest, manifest.as_bytes());
    referrers[0]["digest"] = json!(digest);
    referrers[0]["size"] = json!(manifest.len());
    scene.fake.change_referrers(scene.resolved.manifest, |there| *there = referrers);
}

#[tokio::test]
async fn a_statement_about_another_plugin_is_not_taken() {
    let scene = Scene::new().await;
    change_statement(&scene, |_| {});
    scene.pull().await.expect("the control");
    change_statement(&scene, |it| it["subject"]["digest"] = json!(Digest::of(b"another").to_string()));
    let error = scene.pull().await.unwrap_err();
    assert!(error.to_string().contains("it is about"), "{error}");
}

#[tokio::test]
async fn a_statement_is_what_its_digest_says() {
    let scene = Scene::new().await;
    let statement = scene.pull().await.unwrap().attachments[0].statement.clone();
    for (of, other) in
        [(statement.clone(), b"{\"kind\":\"plugix\"}".to_vec()), (b"signature".to_vec(), b"signaturx".to_vec())]
    {
        assert_eq!(of.len(), other.len(), "the size is right");
        let path = format!("/blobs/{}", Digest::of(&of));
        let error = scene.pull_with(move |asked| asked.is("GET", &path).then(|| answer(200, "", &other))).await;
        assert!(matches!(error, Error::WrongDigest { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_list_is_held_to_what_it_says() {
    let scene = Scene::new().await;
    let listed = |change: fn(&mut Vec<Value>)| {
        let of = scene.resolved.manifest;
        scene.fake.change_referrers(of, change);
    };
    // What others say of the plugin is passed over.
    let others = json!({ "mediaType": MANIFEST, "digest": Digest::of(b"x").to_string(), "size": 1, "artifactType": "application/spdx+json" });
    scene.fake.change_referrers(scene.resolved.manifest, |it| it.insert(0, others));
    assert_eq!(scene.pull().await.unwrap().attachments.len(), 1);
    listed(|it| drop(it.remove(0)));

    listed(|it| it[0]["size"] = json!(1));
    assert!(matches!(scene.pull().await, Err(Error::WrongSize { .. })));
    listed(|it| it[0]["size"] = json!(1 << 30));
    assert!(matches!(scene.pull().await, Err(Error::TooLarge { .. })));
    listed(|it| it[0]["mediaType"] = json!(INDEX));
    assert!(matches!(scene.pull().await, Err(Error::Layout { .. })));
    listed(Vec::clear);
    assert!(
        scene.pull().await.unwrap().attachments.is_empty(),
        "what is withheld is missing, and whoever needs it says so"
    );
}

#[tokio::test]
async fn there_are_only_so_many_statements() {
    let scene = Scene::new().await;
    let fill = |count: usize| {
        scene.fake.change_referrers(scene.resolved.manifest, |referrers| {
            let one = referrers[0].clone();
            referrers.resize(count, one);
        });
    };
    fill(ATTACHMENTS_MAX);
    assert_eq!(scene.pull().await.unwrap().attachments.len(), 1, "the same one each time");
    fill(ATTACHMENTS_MAX + 1);
    assert!(matches!(scene.pull().await, Err(Error::TooMany { .. })));
    fill(1);
    change_statement(&scene, |it| {
        let signature = it["layers"][1].clone();
        it["layers"].as_array_mut().unwrap().resize(18, signature);
    });
    assert!(matches!(scene.pull().await, Err(Error::TooMany { .. })), "17 signatures");
    change_statement(&scene, |it| drop(it["layers"].as_array_mut().unwrap().pop()));
    let Package { attachments, .. } = scene.pull().await.expect("16 signatures");
    assert_eq!(attachments.len(), 1);
    change_statement(&scene, |it| it["layers"][0]["size"] = json!(STATEMENT_BYTES_MAX + 1));
    assert!(matches!(scene.pull().await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn an_index_in_a_plugin_s_place_is_named() {
    let scene = Scene::new().await;
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }).to_string();
    scene.fake.put("9.9.9", index.as_bytes());
    let reference = super::reference(&format!("{}/a:9.9.9", scene.fake.address));
    assert!(matches!(scene.registry.resolve(&reference).await, Err(Error::Layout { .. })));
    let untagged = super::reference(&format!("{}/a", scene.fake.address));
    assert!(matches!(scene.registry.resolve(&untagged).await, Err(Error::Layout { .. })), "it is the newest");
    scene.fake.forget("9.9.9");
    scene.fake.put("2.0.0-rc.1", index.as_bytes());
    let newest = scene.registry.resolve(&untagged).await.unwrap();
    assert_eq!(newest.reference.tag(), Some("1.2.3"), "a preview is for who names it");
}
