use std::sync::Arc;

use contract::secrets::{Backend, DescribeSecret, OpenBasic, OpenBearer, OpenHeader, OpenPassword, SecretInfo};
use contract::types::{Error, ErrorKind};
use contract::{Context, SecretUse, SecretWay};
use model::Clock;

use crate::errors;

use super::{Keep, Kept, Masker, Place, Redeem, Secret, Vault, VaultError, is_name};

/// The most bytes of a user's name, of a header's name and of what comes before a secret in a header.
const WORD_BYTES_MAX: usize = 128;

/// Headers that steer the exchange itself: a secret in one of them would be used for something else than to authorise.
const NOT_FOR_SECRETS: &[&str] = &[
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The secrets of a device: what plugins open and backends redeem.
pub struct Secrets {
    keep: Box<dyn Keep>,
    clock: Arc<dyn Clock>,
    masker: Arc<Masker>,
}

impl Secrets {
    /// The secrets in a vault.
    pub fn new(vault: Vault, clock: Arc<dyn Clock>) -> Self {
        Self::over(Box::new(vault), clock)
    }

    /// The same, and where a vault does not have a secret, those of the next: what was set on this machine wins over what came from
    /// elsewhere.
    pub fn of_vaults(vaults: Vec<Vault>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Box::new(Several(vaults)), clock)
    }

    pub(super) fn over(keep: Box<dyn Keep>, clock: Arc<dyn Clock>) -> Self {
        Self { keep, clock, masker: Arc::default() }
    }

    /// What is kept under a name, also where it has expired.
    fn kept(&self, name: &str) -> Result<Kept, Error> {
        if !is_name(name) {
            return Err(errors::invalid("secret-name", format!("`{name}` cannot name a secret")));
        }
        let kept = self.keep.get(name).map_err(|error| vault_error(&error))?;
        kept.ok_or_else(|| {
            errors::not_found(format!("there is no secret `{name}`: set it with `remit secret set {name}`"))
        })
    }

    fn current(&self, name: &str) -> Result<Kept, Error> {
        let kept = self.kept(name)?;
        if kept.expires_ms.is_some_and(|expires| expires <= self.clock.now_ms()) {
            let message = format!("the secret `{name}` has expired: set it again");
            return Err(Error::new(ErrorKind::Denied, "secret-expired", message));
        }
        Ok(kept)
    }

    fn open(&self, name: &str, way: SecretWay) -> Result<SecretUse, Error> {
        self.current(name)?;
        Ok(SecretUse { name: name.to_owned(), way })
    }
}

/// Vaults, in the order in which they are asked.
struct Several(Vec<Vault>);

impl Keep for Several {
    fn get(&self, name: &str) -> Result<Option<Kept>, VaultError> {
        self.0.iter().find_map(|vault| vault.get(name).transpose()).transpose()
    }
}

fn vault_error(error: &VaultError) -> Error {
    match error {
        VaultError::Unsupported => Error::new(ErrorKind::Unsupported, "vault", error.to_string()),
        _ => errors::failed("vault", error.to_string()),
    }
}

impl Redeem for Secrets {
    fn redeem(&self, name: &str, place: &Place) -> Result<Secret, Error> {
        let kept = self.current(name)?;
        if !kept.places.contains(place) {
            let message = format!("the secret `{name}` is not for `{place}`");
            return Err(Error::new(ErrorKind::Denied, "place", message).with("place", place.to_string()));
        }
        // First masked, then used: nothing can come back before it is known.
        self.masker.learn(name, kept.secret.expose());
        Ok(Secret::new(kept.secret.expose().to_vec()))
    }

    fn masker(&self) -> &Arc<Masker> {
        &self.masker
    }
}

#[async_trait::async_trait]
impl Backend for Secrets {
    async fn describe_secret(&self, _: &Context, call: &DescribeSecret) -> Result<SecretInfo, Error> {
        let kept = self.kept(&call.name)?;
        Ok(SecretInfo {
            name: call.name.clone(),
            set_ms: kept.set_ms,
            expires_ms: kept.expires_ms,
            places: kept.places.iter().map(ToString::to_string).collect(),
            attributes: Vec::new(),
        })
    }

    async fn open_bearer(&self, _: &Context, call: &OpenBearer) -> Result<SecretUse, Error> {
        self.open(&call.name, SecretWay::Bearer)
    }

    async fn open_basic(&self, _: &Context, call: &OpenBasic) -> Result<SecretUse, Error> {
        if call.user.len() > WORD_BYTES_MAX || call.user.chars().any(|it| it == ':' || it.is_control()) {
            let message = format!("a user has at most {WORD_BYTES_MAX} bytes, no colon and no control character");
            return Err(errors::invalid("user", message));
        }
        self.open(&call.name, SecretWay::Basic { user: call.user.clone() })
    }

    async fn open_header(&self, _: &Context, call: &OpenHeader) -> Result<SecretUse, Error> {
        let header = call.header.to_ascii_lowercase();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_name = (1..=WORD_BYTES_MAX).contains(&header.len()) && header.bytes().all(is_token);
        if !is_name || NOT_FOR_SECRETS.contains(&header.as_str()) || header.starts_with("proxy-") {
            return Err(errors::invalid("header", format!("`{}` is not a header for a secret", call.header)));
        }
        if call.prefix.len() > WORD_BYTES_MAX || !call.prefix.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            let message = format!("a prefix has at most {WORD_BYTES_MAX} bytes of printable ASCII");
            return Err(errors::invalid("prefix", message));
        }
        self.open(&call.name, SecretWay::Header { header, prefix: call.prefix.clone() })
    }

    async fn open_password(&self, _: &Context, call: &OpenPassword) -> Result<SecretUse, Error> {
        self.open(&call.name, SecretWay::Password)
    }
}
