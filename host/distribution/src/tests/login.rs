//! Registries that want to know who asks, and those that only want the password.

use std::sync::{Arc, Mutex};

use zeroize::Zeroizing;

use super::fake::{Asked, Fake, answer};
use super::{label, network, package, reference};
use crate::credentials::Credentials;
use crate::error::Redirect;
use crate::registry::Existing;
use crate::{Error, Registry};

fn password() -> Credentials {
    Credentials::Password { user: "me".to_owned(), password: Zeroizing::new("secret".to_owned()) }
}

fn registry(fake: &Fake, credentials: Credentials) -> Registry {
    let reference = reference(&format!("{}/a:1.2.3", fake.address));
    Registry::new(network(), &reference, false, credentials).unwrap()
}

/// Lets in who has a token of `/token`, and gives one to whoever `is_known`; every request that says who asks is written down.
fn demands_token(fake: &Fake, is_known: fn(&Asked) -> bool) -> Arc<Mutex<Vec<String>>> {
    let said = Arc::<Mutex<Vec<String>>>::default();
    let (address, hears) = (fake.address, Arc::clone(&said));
    fake.misbehave(move |asked| {
        if let Some(who) = asked.header("authorization") {
            hears.lock().unwrap().push(format!("{} {who}", asked.path.split('?').next().unwrap()));
        }
        if asked.path.starts_with("/token") {
            return Some(match is_known(asked) {
                true => answer(200, "", br#"{"token": "short-lived"}"#),
                false => answer(401, "", br#"{"errors": [{"message": "unknown"}]}"#),
            });
        }
        let demand =
            format!("www-authenticate: Bearer realm=\"http://{address}/token\",service=\"s\",scope=\"everything\"\r\n");
        (asked.header("authorization") != Some("bearer short-lived")).then(|| answer(401, &demand, b""))
    });
    said
}

#[tokio::test]
async fn a_token_is_asked_for_what_is_needed() {
    let fake = Fake::start().await;
    let said = demands_token(&fake, |asked| asked.header("authorization").is_some());
    let registry = registry(&fake, password());
    let reference = reference(&format!("{}/a:1.2.3", fake.address));
    registry.push(&reference, &package(100), &label(), Existing::Refuse).await.unwrap();
    let resolved = registry.resolve(&reference).await.unwrap();
    registry.pull(&resolved, None).await.unwrap();
    let tokens: Vec<String> = fake.requests().into_iter().filter(|it| it.contains("/token")).collect();
    assert_eq!(
        tokens,
        ["GET /token?service=s&scope=repository%3Aa%3Apull%2Cpush", "GET /token?service=s&scope=repository%3Aa%3Apull",],
        "once each, and never for everything"
    );
    let said = said.lock().unwrap();
    assert!(said.iter().all(|it| it.starts_with("/token ") || it.ends_with(" bearer short-lived")), "{said:?}");
}

#[tokio::test]
async fn who_is_not_known_is_told_how_to_log_in() {
    let fake = Fake::start().await;
    demands_token(&fake, |asked| asked.header("authorization").is_some());
    let reference = reference(&format!("{}/a:1.2.3", fake.address));
    let error = registry(&fake, Credentials::Anonymous).resolve(&reference).await.unwrap_err();
    assert!(error.to_string().contains("unknown") && error.to_string().contains("docker login"), "{error}");
    let error = registry(&fake, password()).resolve(&reference).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "the control: {error}");
    // A token that is not taken is not asked for again and again.
    fake.requests();
    let demand = format!("www-authenticate: Bearer realm=\"http://{}/token\"\r\n", fake.address);
    fake.misbehave(move |asked| match asked.path.starts_with("/token") {
        true => Some(answer(200, "", br#"{"access_token": "x"}"#)),
        false => Some(answer(401, &demand, b"")),
    });
    assert!(matches!(registry(&fake, password()).resolve(&reference).await, Err(Error::Denied { .. })));
    assert_eq!(fake.requests().len(), 3);
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let fake = Fake::start().await;
    demands_token(&fake, |asked| asked.is("POST", "/token"));
    let reference = reference(&format!("{}/a:1.2.3", fake.address));
    let token = Credentials::IdentityToken(Zeroizing::new("long-lived".to_owned()));
    let error = registry(&fake, token).resolve(&reference).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "it is let in: {error}");
}

#[tokio::test]
async fn a_password_is_not_carried_to_a_private_address() {
    let fake = Fake::start().await;
    let reference = reference(&format!("{}/a:1.2.3", fake.address));
    for (realm, why) in [
        ("https://127.0.0.1:1/token", Redirect::PrivateAddress),
        ("https://169.254.169.254/token", Redirect::PrivateAddress),
        ("http://127.0.0.1:1/token", Redirect::PlainHttp),
        ("http://token.example/token", Redirect::PlainHttp),
    ] {
        let demand = format!("www-authenticate: Bearer realm=\"{realm}\",service=\"s\"\r\n");
        fake.misbehave(move |_| Some(answer(401, &demand, b"")));
        let error = registry(&fake, password()).resolve(&reference).await.unwrap_err();
        assert!(matches!(error, Error::Redirect { why: found, .. } if found == why), "{realm}: {error}");
    }
    for demand in
        ["", "www-authenticate: Negotiate\r\n", "www-authenticate: Bearer realm=\"?\"\r\n", "www-authenticate: \"\r\n"]
    {
        fake.misbehave(move |_| Some(answer(401, demand, b"")));
        let error = registry(&fake, password()).resolve(&reference).await.unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{demand}: {error}");
    }
}
