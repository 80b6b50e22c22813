//! One try to send one message.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::ContentType;
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncTransport, Tokio1Executor};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect;
use url::Url;

use crate::secrets::{Place, Redeem, Secret};

use super::format::{Saying, address};
use super::policy::{Format, Security, Target, Way, webhook_url};

/// How much of a refusal is kept: its first lines say why.
const REFUSAL_BYTES_MAX: usize = 300;

/// Why a message did not go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// It may go later; the receiver may have said when.
    Later { problem: String, retry_after_ms: Option<u64> },
    /// It never will: the receiver understood it, and does not want it.
    Never { problem: String },
}

impl Failure {
    fn later(problem: impl Into<String>) -> Self {
        Self::Later { problem: problem.into(), retry_after_ms: None }
    }
}

/// Sends a message, and gives what the receiver said. No secret is in what comes back.
pub(super) async fn deliver(
    way: &Way,
    saying: &Saying<'_>,
    secrets: &dyn Redeem,
    timeout: Duration,
) -> Result<String, Failure> {
    let sent = async {
        match way {
            Way::Smtp { .. } => mail(way, saying, secrets, timeout).await,
            Way::Webhook { .. } => webhook(way, saying, secrets).await,
            Way::Hub => Err(Failure::later("the agent tells the hub")),
        }
    };
    let sent = tokio::time::timeout(timeout, sent).await;
    let mask = |text: String| secrets.masker().mask(&text).into_owned();
    match sent {
        Err(_) => Err(Failure::later(format!("no answer within {} ms", timeout.as_millis()))),
        Ok(Ok(receipt)) => Ok(mask(receipt)),
        Ok(Err(Failure::Never { problem })) => Err(Failure::Never { problem: mask(problem) }),
        Ok(Err(Failure::Later { problem, retry_after_ms })) => {
            Err(Failure::Later { problem: mask(problem), retry_after_ms })
        }
    }
}

fn redeem(secrets: &dyn Redeem, name: &str, audience: &str) -> Result<Secret, Failure> {
    let place = Place::notify(audience).map_err(|error| Failure::later(error.to_string()))?;
    // Somebody may set it before the message is too old.
    secrets.redeem(name, &place).map_err(|error| Failure::later(format!("secret `{name}`: {}", error.message)))
}

fn text(secret: &Secret) -> Result<&str, Failure> {
    let text = std::str::from_utf8(secret.expose()).map_err(|_| Failure::later("the secret is no text"))?;
    Ok(text.trim())
}

async fn mail(way: &Way, saying: &Saying<'_>, secrets: &dyn Redeem, timeout: Duration) -> Result<String, Failure> {
    let Way::Smtp { server, port, security, login, from, to } = way else {
        return Err(Failure::later("not a mail route"));
    };
    let at = UNIX_EPOCH + Duration::from_millis(saying.message.queued_ms);
    let mut message = lettre::Message::builder()
        .from(from.clone())
        .subject(saying.title())
        .date(at)
        .message_id(Some(format!("<{}@remit.invalid>", saying.id())))
        .header(ContentType::TEXT_PLAIN);
    for receiver in to {
        message = message.to(receiver.clone());
    }
    let message = message.body(saying.text()).map_err(|error| Failure::Never { problem: error.to_string() })?;
    let tls = || TlsParameters::new_rustls(server.clone()).map_err(|error| Failure::later(error.to_string()));
    let tls = match security {
        Security::None => Tls::None,
        Security::Starttls => Tls::Required(tls()?),
        Security::Tls => Tls::Wrapper(tls()?),
    };
    let mut relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.as_str())
        .port(*port)
        .tls(tls)
        .timeout(Some(timeout));
    if let Some((user, secret)) = login {
        let password = redeem(secrets, secret, saying.audience)?;
        relay = relay.credentials(Credentials::new(user.clone(), text(&password)?.to_owned()));
    }
    match relay.build().send(message).await {
        Ok(answer) => Ok(format!("{} {}", answer.code(), answer.message().next().unwrap_or_default())),
        Err(error) => Err(mail_failure(&error)),
    }
}

fn mail_failure(error: &lettre::transport::smtp::Error) -> Failure {
    let problem = chain(error);
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    // A wrong or missing password is for a person to put right.
    let is_login = matches!(code.as_str(), "530" | "534" | "535" | "538");
    match error.is_permanent() && !is_login {
        true => Failure::Never { problem },
        false => Failure::later(problem),
    }
}

async fn webhook(way: &Way, saying: &Saying<'_>, secrets: &dyn Redeem) -> Result<String, Failure> {
    let Way::Webhook { format, target, secret } = way else { return Err(Failure::later("not a webhook")) };
    let url = match target {
        Target::Url(url) => url.clone(),
        Target::Secret(name) => {
            let secret = redeem(secrets, name, saying.audience)?;
            webhook_url(text(&secret)?, *format).map_err(Failure::later)?
        }
    };
    let secret = secret.as_ref().map(|name| redeem(secrets, name, saying.audience)).transpose()?;
    let token = secret.as_ref().map(text).transpose()?.unwrap_or_default();
    let body = saying.body(*format, &url, token).to_string();
    let mut request = client(&url)?
        .post(address(*format, &url))
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", saying.id())
        .body(body);
    if *format != Format::Pagerduty && !token.is_empty() {
        let bearer = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut bearer = bearer.map_err(|_| Failure::later("the secret is no token that a header can hold"))?;
        bearer.set_sensitive(true);
        request = request.header(AUTHORIZATION, bearer);
    }
    // The URL may be the secret: it is in no error.
    let answer = request.send().await.map_err(|error| Failure::later(chain(&error.without_url())))?;
    judge(answer).await
}

async fn judge(mut answer: reqwest::Response) -> Result<String, Failure> {
    let status = answer.status();
    if status.is_success() {
        return Ok(status.as_u16().to_string());
    }
    let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_ms = after.and_then(|seconds| seconds.parse::<u64>().ok()).map(|it| it.saturating_mul(1_000));
    let mut text = Vec::new();
    while text.len() < REFUSAL_BYTES_MAX
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        text.extend_from_slice(&chunk);
    }
    text.truncate(REFUSAL_BYTES_MAX);
    let problem = format!("status {}: {}", status.as_u16(), String::from_utf8_lossy(&text).trim());
    // What a person may put right, or time may: a moved channel, a token, a limit.
    let may_pass = status.is_server_error() || matches!(status.as_u16(), 401 | 403 | 404 | 408 | 425 | 429);
    match may_pass {
        true => Err(Failure::Later { problem, retry_after_ms }),
        false => Err(Failure::Never { problem }),
    }
}

/// No proxy and no redirect: it goes where policy says, and nowhere else.
fn client(url: &Url) -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls(url.scheme() == "https")?)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .user_agent(concat!("remit/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Failure::later(chain(&error)))
}

/// What this machine trusts, read once and only where it is needed: it takes tens of milliseconds.
fn tls(is_needed: bool) -> Result<rustls::ClientConfig, Failure> {
    static ROOTS: OnceLock<Arc<rustls::RootCertStore>> = OnceLock::new();
    let read = || {
        let mut roots = rustls::RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    };
    let roots = if is_needed { Arc::clone(ROOTS.get_or_init(read)) } else { Arc::new(rustls::RootCertStore::empty()) };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::later(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// An error with its causes, which is where the reason is.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
