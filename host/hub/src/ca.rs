//! The hub's own authority, which makes TLS and nothing else: whoever has its key can pass for the hub, and the hub decides nothing.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use model::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use trust::Time;

use crate::{Error, config};

/// The authority's certificate.
pub(crate) const CERTIFICATE: &str = "ca.pem";

/// Its key, which only its owner may read.
pub(crate) const KEY: &str = "ca.key";

/// As long as a device may be away and still know the hub. Another one is announced by the root's `hub` statement.
const CA_DAYS: u32 = 3_650;

/// The server's certificate is made at each start, and its key is in memory alone.
const SERVER_DAYS: u32 = 90;

/// It is made anew when so much of it is left.
const RENEWED_DAYS: u32 = 30;

/// The most bytes of a file of certificates that somebody gives.
const PEM_BYTES_MAX: u64 = 256 << 10;

/// The authority, and the certificate that the server shows now.
pub struct Ca {
    certificate: CertificateDer<'static>,
    key: KeyPair,
    names: Vec<String>,
    shown: Arc<Shown>,
}

/// What the server shows. It is replaced while the server runs.
#[derive(Debug)]
struct Shown(RwLock<(Arc<CertifiedKey>, Time)>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner).0))
    }
}

impl Ca {
    /// Makes an authority in a folder, once: another one would be another hub to all devices.
    pub(crate) fn make(folder: &Path, now: Time) -> Result<(), Error> {
        let wrong = wrong(CERTIFICATE);
        let key = KeyPair::generate().map_err(|error| wrong(&error))?;
        let certificate = ca_params(now)?.self_signed(&key).map_err(|error| wrong(&error))?;
        // The key first: an authority without its certificate is made anew, and one without its key cannot be.
        write_private(&folder.join(KEY), key.serialize_pem().as_bytes())?;
        write_private(&folder.join(CERTIFICATE), certificate.pem().as_bytes())
    }

    /// The authority of a folder, and a certificate for a server with these names and addresses.
    pub(crate) fn open(folder: &Path, config: &config::Config, now: Time) -> Result<Self, Error> {
        let key = read_bounded(&folder.join(KEY))?;
        let key = KeyPair::from_pem(&String::from_utf8_lossy(&key)).map_err(|error| wrong(KEY)(&error))?;
        let pem = read_bounded(&folder.join(CERTIFICATE))?;
        let certificate = CertificateDer::from_pem_slice(&pem).map_err(|error| wrong(CERTIFICATE)(&error))?;
        let shown = match &config.certificate {
            // It is its owner's to renew; whoever does starts the hub again.
            Some(given) => (given_key(folder, given)?, Time::from_ms(u64::MAX)),
            None => server_key(&key, &certificate, &config.names, now)?,
        };
        let shown = Arc::new(Shown(RwLock::new(shown)));
        Ok(Self { certificate, key, names: config.names.clone(), shown })
    }

    /// What sessions and the root's `hub` statement call this hub: the digest of the authority's certificate.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.certificate)
    }

    /// The authority's certificate, as DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What a server shows: TLS 1.2 and 1.3, HTTP/1.1.
    pub fn tls(&self) -> Result<rustls::ServerConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| wrong(CERTIFICATE)(&error))?;
        let shown: Arc<dyn ResolvesServerCert> = Arc::<Shown>::clone(&self.shown);
        let mut config = config.with_no_client_auth().with_cert_resolver(shown);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    /// Makes the server's certificate anew where it is time; whether it did.
    pub fn renew(&self, now: Time) -> Result<bool, Error> {
        let until = self.shown.0.read().unwrap_or_else(PoisonError::into_inner).1;
        if now.plus_days(RENEWED_DAYS) < until {
            return Ok(false);
        }
        let new = server_key(&self.key, &self.certificate, &self.names, now)?;
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(true)
    }
}

/// The same each time, so that a certificate of today is of the authority of then.
fn ca_params(now: Time) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Remit hub authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    valid(&mut params, now, CA_DAYS)?;
    Ok(params)
}

fn server_key(
    ca_key: &KeyPair,
    ca: &CertificateDer<'static>,
    names: &[String],
    now: Time,
) -> Result<(Arc<CertifiedKey>, Time), Error> {
    let wrong = wrong("of the server");
    let mut params = CertificateParams::new(names.to_vec()).map_err(|error| wrong(&error))?;
    params.distinguished_name.push(DnType::CommonName, "Remit hub");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now, SERVER_DAYS)?;
    let key = KeyPair::generate().map_err(|error| wrong(&error))?;
    let issuer = Issuer::new(ca_params(now)?, ca_key);
    let certificate = params.signed_by(&key, &issuer).map_err(|error| wrong(&error))?;
    let chain = vec![certificate.der().clone(), ca.clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|error| wrong(&error))?;
    Ok((certified(chain, &key)?, now.plus_days(SERVER_DAYS)))
}

fn given_key(folder: &Path, given: &config::Given) -> Result<Arc<CertifiedKey>, Error> {
    let (chain, key) = (folder.join(&given.chain), folder.join(&given.key));
    let of_chain = chain.display().to_string();
    let chain_wrong = wrong(&of_chain);
    let pem = read_bounded(&chain)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| chain_wrong(&error))?;
    if certificates.is_empty() {
        return Err(chain_wrong(&"there is none in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read_bounded(&key)?).map_err(|error| chain_wrong(&error))?;
    certified(certificates, &key)
}

fn certified(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'static>) -> Result<Arc<CertifiedKey>, Error> {
    let wrong = wrong("of the server");
    let key = rustls::crypto::ring::sign::any_supported_type(key).map_err(|error| wrong(&error))?;
    let certified = CertifiedKey::new(chain, key);
    // One that is of another key would have every device turn away.
    certified.keys_match().map_err(|error| wrong(&error))?;
    Ok(Arc::new(certified))
}

/// From the day before, because clocks differ, and for so many days.
fn valid(params: &mut CertificateParams, now: Time, days: u32) -> Result<(), Error> {
    let day = |time: Time| {
        let text = time.to_string();
        let mut parts = text.split(['-', 'T']).map(str::parse::<i32>);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(Ok(year)), Some(Ok(month)), Some(Ok(day))) => {
                Ok(date_time_ymd(year, u8::try_from(month).unwrap_or(1), u8::try_from(day).unwrap_or(1)))
            }
            _ => Err(wrong(CERTIFICATE)(&"the clock says no time")),
        }
    };
    params.not_before = day(now)? - std::time::Duration::from_secs(86_400);
    params.not_after = day(now.plus_days(days))?;
    Ok(())
}

fn wrong(path: &str) -> impl Fn(&dyn std::fmt::Display) -> Error {
    move |why| Error::Certificate { path: path.to_owned(), why: why.to_string() }
}

pub(crate) fn read_bounded(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io(path))?;
    file.take(PEM_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(Error::io(path))?;
    match bytes.len() as u64 <= PEM_BYTES_MAX {
        true => Ok(bytes),
        false => Err(wrong(&path.display().to_string())(&format!("it has more than {PEM_BYTES_MAX} bytes"))),
    }
}

/// A new file that only its owner may read, durable when this returns. One that is there already is left.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(Error::io(path))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io(path))
}
