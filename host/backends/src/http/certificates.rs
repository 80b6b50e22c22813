//! The certificates that a server shows: a handshake, and nothing said over it.

use std::net::SocketAddr;
use std::sync::Arc;

use contract::http::{ServerCertificate, ServerChain};
use contract::types::{Attributes, Error};
use rustls::CertificateError;
use rustls::pki_types::ServerName;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::errors;

use super::CERTIFICATES_MAX;
use super::tls::{Seen, Trust};

/// Looks at a server at one of these addresses.
pub(super) async fn look(trust: &Trust, url: &Url, addresses: &[SocketAddr]) -> Result<ServerChain, Error> {
    let (config, recorder) = trust.connection(true)?;
    let (stream, address) = connect(addresses).await?;
    let connected = TlsConnector::from(Arc::new(config)).connect(server_name(url)?, stream).await;
    let seen = recorder.seen();
    // A server that wants a certificate of ours breaks off after it has shown its own: that is enough.
    if let (Err(error), true) = (&connected, seen.chain.is_empty()) {
        return Err(errors::unavailable("tls", format!("the server showed no certificate: {error}")));
    }
    let certificates = seen.chain.iter().take(CERTIFICATES_MAX).map(|der| describe(der)).collect::<Result<_, _>>()?;
    let mut attributes = vec![("remote-address".to_owned(), address.to_string())];
    attributes.extend(seen.version.map(|version| ("tls-version".to_owned(), version.to_owned())));
    attributes.extend(connected.ok().and_then(|stream| cipher(&stream)));
    Ok(ServerChain { certificates, problem: problem(&seen).to_owned(), attributes })
}

async fn connect(addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), Error> {
    let mut last = None;
    for &address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => last = Some(error),
        }
    }
    let reason = last.map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
    Err(errors::unavailable("connect", format!("the server cannot be reached: {reason}")))
}

fn server_name(url: &Url) -> Result<ServerName<'static>, Error> {
    let bad = |_| errors::invalid("url", "the host cannot be named in TLS");
    match url.host() {
        Some(Host::Ipv4(address)) => Ok(ServerName::from(std::net::IpAddr::V4(address))),
        Some(Host::Ipv6(address)) => Ok(ServerName::from(std::net::IpAddr::V6(address))),
        Some(Host::Domain(domain)) => ServerName::try_from(domain.to_owned()).map_err(bad),
        None => Err(errors::invalid("url", "the URL has no host")),
    }
}

fn cipher(stream: &TlsStream<TcpStream>) -> Option<(String, String)> {
    let suite = stream.get_ref().1.negotiated_cipher_suite()?.suite();
    Some(("cipher".to_owned(), suite.as_str()?.to_owned()))
}

fn describe(der: &[u8]) -> Result<ServerCertificate, Error> {
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|error| errors::failed("certificate", format!("the server's certificate is malformed: {error}")))?;
    let common_name = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok()).unwrap_or_default();
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|extension| extension.value.general_names.iter().filter_map(alternative_name).collect());
    Ok(ServerCertificate {
        common_name: common_name.to_owned(),
        issuer: certificate.issuer().to_string(),
        alternative_names: names.unwrap_or_default(),
        valid_from_ms: milliseconds(certificate.validity().not_before.timestamp()),
        valid_to_ms: milliseconds(certificate.validity().not_after.timestamp()),
        sha256: hex::encode(Sha256::digest(der)),
        attributes: attributes(&certificate),
    })
}

fn attributes(certificate: &X509Certificate<'_>) -> Attributes {
    let algorithm = |oid: &x509_parser::oid_registry::Oid<'_>| {
        let known = x509_parser::objects::oid2sn(oid, x509_parser::objects::oid_registry());
        known.map_or_else(|_| oid.to_id_string(), str::to_owned)
    };
    vec![
        ("serial".to_owned(), hex::encode(certificate.raw_serial())),
        ("key-algorithm".to_owned(), algorithm(&certificate.public_key().algorithm.algorithm)),
        ("signature-algorithm".to_owned(), algorithm(&certificate.signature_algorithm.algorithm)),
    ]
}

fn alternative_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|it| std::net::Ipv4Addr::from(it).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|it| std::net::Ipv6Addr::from(it).to_string()),
        },
        _ => None,
    }
}

/// Certificates have seconds, and may be older than 1970 on paper.
fn milliseconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or_default().saturating_mul(1_000)
}

/// Why the chain is not trusted, in one word.
fn problem(seen: &Seen) -> &'static str {
    let Some(problem) = &seen.problem else { return "" };
    let rustls::Error::InvalidCertificate(problem) = problem else { return "untrusted" };
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not-yet-valid",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => "name-mismatch",
        _ if is_self_signed(seen) => "self-signed",
        CertificateError::UnknownIssuer => "unknown-issuer",
        _ => "untrusted",
    }
}

fn is_self_signed(seen: &Seen) -> bool {
    let own = seen.chain.first().and_then(|der| X509Certificate::from_der(der).ok());
    own.is_some_and(|(_, certificate)| certificate.subject() == certificate.issuer())
}
