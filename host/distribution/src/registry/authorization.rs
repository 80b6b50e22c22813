//! Being let in: a registry says what it demands, and gets that once for each repository.

use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::ChallengeParser;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::Registry;
use crate::Error;
use crate::credentials::Credentials;
use crate::network::{Answer, Ask};

/// The most bytes of an answer with a token.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// What is to be done in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rights {
    Pull,
    Push,
}

/// A header that lets us in.
pub(super) type Granted = HeaderValue;

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// What a registry demands.
enum Challenge {
    Password,
    Token { realm: Url, service: String },
}

impl Registry {
    /// Asks, with what lets us in if that is demanded.
    pub(super) async fn ask(&self, repository: &str, rights: Rights, mut ask: Ask<'_>) -> Result<Answer, Error> {
        let of = (repository.to_owned(), rights);
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner).get(&of).cloned();
        if let Some(granted) = granted {
            ask.headers.insert(AUTHORIZATION, granted);
        }
        let answer = self.network.ask(&self.home, ask.clone()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // What was granted may have run out.
        let challenge = self.challenge(&answer)?;
        let Some(granted) = self.answer_to(challenge, repository, rights).await? else {
            return Err(answer.refused().await);
        };
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).insert(of, granted.clone());
        ask.headers.insert(AUTHORIZATION, granted);
        self.network.ask(&self.home, ask).await
    }

    fn challenge(&self, answer: &Answer) -> Result<Challenge, Error> {
        let bad = |why: &str| Error::Answer { url: answer.url(), why: why.to_owned() };
        let mut takes_password = false;
        for header in answer.headers().get_all(WWW_AUTHENTICATE) {
            let header = header.to_str().map_err(|_| bad("what it demands cannot be read"))?;
            for challenge in ChallengeParser::new(header) {
                let challenge = challenge.map_err(|_| bad("what it demands cannot be read"))?;
                let parameter = |name: &str| {
                    let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                    found.map(|(_, value)| value.to_unescaped()).unwrap_or_default()
                };
                if challenge.scheme.eq_ignore_ascii_case("bearer") {
                    let realm = Url::parse(&parameter("realm")).map_err(|_| bad("its realm is no address"))?;
                    return Ok(Challenge::Token { realm, service: parameter("service") });
                }
                takes_password |= challenge.scheme.eq_ignore_ascii_case("basic");
            }
        }
        match takes_password {
            true => Ok(Challenge::Password),
            false => Err(bad("demands neither a password nor a token")),
        }
    }

    /// None where nobody is logged in, and a password is demanded.
    async fn answer_to(
        &self,
        challenge: Challenge,
        repository: &str,
        rights: Rights,
    ) -> Result<Option<Granted>, Error> {
        match (challenge, &self.credentials) {
            (Challenge::Password, Credentials::Password { user, password }) => self.basic(user, password).map(Some),
            (Challenge::Password, Credentials::Anonymous | Credentials::IdentityToken(_)) => Ok(None),
            (Challenge::Token { realm, service }, _) => {
                let ask = self.ask_for_token(realm, &service, repository, rights)?;
                let mut answer = self.network.ask(&self.home, ask.as_ask()).await?;
                if answer.status() != StatusCode::OK {
                    return Err(match answer.refused().await {
                        Error::Denied { detail, .. } => Error::Denied { registry: self.name.clone(), detail },
                        other => other,
                    });
                }
                let text = Zeroizing::new(answer.body("a token", TOKEN_BYTES_MAX).await?);
                let token: Option<Token> = serde_json::from_slice(&text).ok();
                let token = token.and_then(|it| it.token.or(it.access_token)).map(Zeroizing::new);
                let bad = || Error::Answer { url: answer.url(), why: "there is no token in it".to_owned() };
                secret(&format!("Bearer {}", *token.ok_or_else(bad)?)).ok_or_else(bad).map(Some)
            }
        }
    }

    fn ask_for_token(&self, realm: Url, service: &str, repository: &str, rights: Rights) -> Result<TokenAsk, Error> {
        // What is asked for is what is needed, whatever the challenge would have us ask for.
        let actions = match rights {
            Rights::Pull => "pull",
            Rights::Push => "pull,push",
        };
        let scope = format!("repository:{repository}:{actions}");
        let mut ask = TokenAsk { method: Method::GET, url: realm, headers: HeaderMap::new(), body: None };
        match &self.credentials {
            Credentials::IdentityToken(token) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token").append_pair("client_id", "remit");
                form.append_pair("service", service).append_pair("scope", &scope).append_pair("refresh_token", token);
                ask.method = Method::POST;
                ask.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
                ask.body = Some(Zeroizing::new(form.finish()));
            }
            Credentials::Anonymous | Credentials::Password { .. } => {
                ask.url.query_pairs_mut().append_pair("service", service).append_pair("scope", &scope);
                if let Credentials::Password { user, password } = &self.credentials {
                    ask.headers.insert(AUTHORIZATION, self.basic(user, password)?);
                }
            }
        }
        Ok(ask)
    }

    fn basic(&self, user: &str, password: &str) -> Result<HeaderValue, Error> {
        let both = Zeroizing::new(format!("{user}:{password}"));
        let header = Zeroizing::new(format!("Basic {}", STANDARD.encode(both.as_bytes())));
        secret(&header).ok_or_else(|| Error::Credentials {
            registry: self.name.clone(),
            why: "they cannot be said in a header".to_owned(),
        })
    }
}

/// A request that owns its body.
struct TokenAsk {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Zeroizing<String>>,
}

impl TokenAsk {
    fn as_ask(&self) -> Ask<'_> {
        Ask {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: self.body.as_ref().map(|body| body.as_bytes()),
        }
    }
}

/// A header that is shown nowhere.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
