use base64::{Engine, prelude::BASE64_STANDARD};
use contract::types::Error;
use contract::{SecretUse, SecretWay};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::errors;
use crate::secrets::{Place, Redeem};

use super::errors::denied;

/// Where the URL is as a place for secrets: only over TLS, because without it everybody on the way would read one.
pub(super) fn place(url: &Url) -> Result<Place, Error> {
    match (url.scheme(), Place::http(url)) {
        ("https", Some(place)) => Ok(place),
        _ => Err(denied("secret-in-clear", "a secret is sent over https only")),
    }
}

/// Redeems a secret towards a URL, as the header that it was opened for.
pub(super) fn authorize(
    secrets: &dyn Redeem,
    secret: &SecretUse,
    url: &Url,
    headers: &mut HeaderMap,
) -> Result<(), Error> {
    let name = header(secret)?;
    if headers.contains_key(&name) {
        return Err(errors::invalid("headers", format!("`{name}` is set by the request and by the secret")));
    }
    let redeemed = secrets.redeem(&secret.name, &place(url)?)?;
    let value = match &secret.way {
        SecretWay::Bearer => [b"Bearer ", redeemed.expose()].concat(),
        SecretWay::Basic { user } => {
            let pair = Zeroizing::new([user.as_bytes(), b":", redeemed.expose()].concat());
            let encoded = BASE64_STANDARD.encode(&*pair);
            // The whole of it too: an echo may come without the few bits that the secret alone decides.
            secrets.masker().learn(&secret.name, encoded.as_bytes());
            format!("Basic {encoded}").into_bytes()
        }
        SecretWay::Header { prefix, .. } => [prefix.as_bytes(), redeemed.expose()].concat(),
        SecretWay::Password => Vec::new(),
    };
    let value = Zeroizing::new(value);
    let mut value = HeaderValue::from_bytes(&value).map_err(|_| {
        errors::failed("secret-bytes", format!("the secret `{}` cannot stand in a header", secret.name))
    })?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

/// Which header a secret was opened for.
pub(super) fn header(secret: &SecretUse) -> Result<HeaderName, Error> {
    match &secret.way {
        SecretWay::Bearer | SecretWay::Basic { .. } => Ok(AUTHORIZATION),
        SecretWay::Header { header, .. } => HeaderName::try_from(header.as_str())
            .map_err(|_| errors::invalid("header", format!("`{}` is not a header", header.escape_debug()))),
        SecretWay::Password => {
            Err(errors::invalid("secret-way", "a secret opened as a password is not for a request's headers"))
        }
    }
}
