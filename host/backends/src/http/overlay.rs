use std::sync::Arc;

use contract::http_write::{Send, Sent};
use contract::secrets::DescribeSecret;
use contract::types::{Effect, Error, HttpResponse};
use contract::{Context, http_write, secrets};

use super::authorization::{header, place};
use super::errors::denied;
use super::exchange::{check_send, sent};

/// Sends nothing, and refuses what would be refused.
pub struct Overlay {
    secrets: Arc<dyn secrets::Backend>,
}

impl Overlay {
    /// It asks what secrets are for, and redeems none.
    pub fn new(secrets: Arc<dyn secrets::Backend>) -> Self {
        Self { secrets }
    }
}

#[async_trait::async_trait]
impl http_write::Backend for Overlay {
    async fn send(&self, cx: &Context, call: &Send) -> Result<Sent, Error> {
        let checked = check_send(cx, call)?;
        if let Some(secret) = &call.authorization {
            header(secret)?;
            let place = place(&checked.url)?.to_string();
            let info = self.secrets.describe_secret(cx, &DescribeSecret { name: secret.name.clone() }).await?;
            if !info.places.contains(&place) {
                let message = format!("the secret `{}` is not for `{place}`", secret.name);
                return Err(denied("place", message).with("place", place));
            }
        }
        let response = HttpResponse {
            status: 0,
            headers: Vec::new(),
            body: Vec::new(),
            truncated: false,
            elapsed_ms: 0,
            attributes: Vec::new(),
        };
        Ok(Sent { response, change: sent(Effect::Changed) })
    }
}
