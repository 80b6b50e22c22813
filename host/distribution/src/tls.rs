//! Verifies certificates as rustls does, and says of one that nobody here vouches for who issued it: behind a proxy that
//! inspects TLS that is the one thing to know.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::Error;

/// What is shown of a name in a certificate, which anybody may have written.
const NAME_CHARS_MAX: usize = 200;

/// How connections are made that trust these.
pub(crate) fn config(roots: RootCertStore) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|error| Error::Tls(rustls::Error::General(error.to_string())))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Naming(verifier)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Who issued a certificate that is not trusted, if that is what went wrong.
pub(crate) fn issuer_of_untrusted(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = wrapped.and_then(|it| it.downcast_ref()).or_else(|| error.downcast_ref());
        if let Some(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other)))) = tls {
            return other.downcast_ref::<Untrusted>().map(|it| it.issuer.clone());
        }
        // An `io::Error` skips what it wraps.
        next = wrapped.map(|it| it as &(dyn std::error::Error + 'static)).or_else(|| error.source());
    }
    None
}

#[derive(Debug)]
struct Naming(Arc<WebPkiServerVerifier>);

#[derive(Debug)]
struct Untrusted {
    issuer: String,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the certificate was issued by `{}`, whom this machine does not trust", self.issuer)
    }
}

impl std::error::Error for Untrusted {}

impl ServerCertVerifier for Naming {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| match error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                // Whoever issued the last of the chain is who would have to be trusted.
                let issuer = issuer(intermediates.last().unwrap_or(end_entity));
                CertificateError::Other(OtherError(Arc::new(Untrusted { issuer }))).into()
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

fn issuer(certificate: &CertificateDer<'_>) -> String {
    let name = X509Certificate::from_der(certificate).map(|(_, it)| it.issuer().to_string());
    let name = name.unwrap_or_else(|_| "a certificate that cannot be read".to_owned());
    name.chars().filter(|it| !it.is_control()).take(NAME_CHARS_MAX).collect()
}
