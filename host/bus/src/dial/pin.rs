//! Whoever answers is the hub, if an authority issued its certificate that this device was told of. Nobody else is asked.

use std::sync::{Arc, Mutex, PoisonError};

use model::Digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The most certificates of a chain that are looked at.
const CHAIN_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct Pinned {
    authorities: Vec<Digest>,
    algorithms: WebPkiSupportedAlgorithms,
    met: Mutex<Option<Digest>>,
}

impl Pinned {
    pub(super) fn new(authorities: &[Digest], provider: &Arc<CryptoProvider>) -> Self {
        let algorithms = provider.signature_verification_algorithms;
        Self { authorities: authorities.to_vec(), algorithms, met: Mutex::new(None) }
    }

    /// The one that was met last, or the first.
    pub(super) fn met(&self) -> Digest {
        let met = *self.met.lock().unwrap_or_else(PoisonError::into_inner);
        met.or_else(|| self.authorities.first().copied()).unwrap_or_else(|| Digest::of(b""))
    }

    pub(super) fn is_unsure(&self) -> bool {
        self.authorities.len() > 1 && self.met.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let unknown = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let of = |certificate: &CertificateDer<'_>| Digest::of(certificate);
        let chain = intermediates.get(..intermediates.len().min(CHAIN_MAX)).unwrap_or_default();
        // It shows its authority, which is what is known of it.
        let authority = chain.iter().find(|it| self.authorities.contains(&of(it))).ok_or_else(unknown)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(&certificate, &roots, chain, now, self.algorithms.all)?;
        verify_server_name(&certificate, server_name)?;
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = Some(of(authority));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is wrong with whoever answered, if that is what went wrong.
pub(super) fn stranger(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = wrapped.and_then(|it| it.downcast_ref()).or_else(|| error.downcast_ref::<Error>());
        match tls {
            Some(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                return Some("no authority of the hub issued its certificate".to_owned());
            }
            Some(Error::InvalidCertificate(why)) => return Some(why.to_string()),
            _ => {}
        }
        // An `io::Error` skips what it wraps.
        next = wrapped.map(|it| it as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}
