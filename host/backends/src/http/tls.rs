use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use contract::types::Error;
use model::Clock;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::errors;

/// Whom this machine trusts.
#[derive(Clone, Debug)]
pub enum Roots {
    /// The machine's own authorities, and those in these files (PEM).
    Native(Vec<PathBuf>),
    /// Only these: for tests.
    Only(Vec<CertificateDer<'static>>),
}

impl Roots {
    /// Reads them: tens of milliseconds, for a hundred files.
    fn load(&self) -> Result<RootCertStore, Error> {
        let mut store = RootCertStore::empty();
        match self {
            Self::Only(certificates) => {
                store.add_parsable_certificates(certificates.iter().cloned());
            }
            Self::Native(files) => {
                // Certificates that cannot be read are left out, as every client does; none at all is an error below.
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                for file in files {
                    let bad = |error| errors::failed("trust", format!("{}: {error}", file.display()));
                    let certificates = CertificateDer::pem_file_iter(file).map_err(bad)?;
                    let certificates = certificates.collect::<Result<Vec<_>, _>>().map_err(bad)?;
                    store.add_parsable_certificates(certificates);
                }
            }
        }
        match store.is_empty() {
            true => Err(errors::failed("trust", "this machine trusts no authority: install ca-certificates")),
            false => Ok(store),
        }
    }
}

/// For requests without TLS: it trusts nobody, so that a machine with no authority at all can make them.
pub(super) fn nobody() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| errors::failed("trust", error.to_string()))?;
    Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// What checks certificates: made once, shared by all connections.
pub(super) struct Trust {
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
    clock: Arc<dyn Clock>,
}

impl Trust {
    pub(super) fn new(roots: &Roots, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let store = Arc::new(roots.load()?);
        let verifier = WebPkiServerVerifier::builder_with_provider(store, Arc::clone(&provider))
            .build()
            .map_err(|error| errors::failed("trust", error.to_string()))?;
        Ok(Self { provider, verifier, clock })
    }

    /// What one connection is configured by, and what will know how it went. With `only_look` untrusted servers are accepted:
    /// for connections over which nothing is said.
    pub(super) fn connection(&self, only_look: bool) -> Result<(ClientConfig, Arc<Recorder>), Error> {
        let recorder = Arc::new(Recorder {
            verifier: Arc::clone(&self.verifier),
            clock: Arc::clone(&self.clock),
            only_look,
            seen: Mutex::default(),
        });
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| errors::failed("trust", error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&recorder) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        // A resumed session shows no certificate, and tells the server who came back.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok((config, recorder))
    }
}

/// Verifies as rustls does, and keeps what it saw.
pub(super) struct Recorder {
    verifier: Arc<WebPkiServerVerifier>,
    clock: Arc<dyn Clock>,
    only_look: bool,
    seen: Mutex<Seen>,
}

/// What a server showed.
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// DER, the server's own first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Why it is not trusted; none where it is.
    pub(super) problem: Option<rustls::Error>,
    /// `1.2` or `1.3`; none before the handshake has come so far.
    pub(super) version: Option<&'static str>,
}

impl Recorder {
    pub(super) fn seen(&self) -> Seen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let now = UnixTime::since_unix_epoch(Duration::from_millis(self.clock.now_ms()));
        let verified = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let mut seen = self.lock();
        seen.chain = std::iter::once(end_entity).chain(intermediates).map(|it| it.clone().into_owned()).collect();
        seen.problem = verified.as_ref().err().cloned();
        if self.only_look { Ok(ServerCertVerified::assertion()) } else { verified }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.lock().version = Some("1.2");
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.lock().version = Some("1.3");
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
