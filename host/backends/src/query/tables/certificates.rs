use contract::types::Error;
use x509_parser::pem::Pem;
use x509_parser::prelude::{ParsedExtension, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::{Row, Source};

/// Where distributions keep the bundle of those that they trust; the first that is there counts.
const BUNDLES: [&str; 3] =
    ["etc/ssl/certs/ca-certificates.crt", "etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/ca-bundle.pem"];
/// The most certificates read; Mozilla's list has 150.
const CERTIFICATES_MAX: usize = 5_000;

pub(super) fn rows(source: &Source) -> Result<Vec<Row>, Error> {
    let Some(bundle) = BUNDLES.into_iter().find(|bundle| source.root.has(bundle)) else { return Ok(Vec::new()) };
    let text = source.text(bundle)?;
    let pems = Pem::iter_from_buffer(text.as_bytes()).flatten().take(CERTIFICATES_MAX);
    // What is no certificate is left out: one bad block must not hide the others.
    Ok(pems.filter_map(|pem| Some(row(&pem.parse_x509().ok()?, bundle))).collect())
}

fn row(certificate: &X509Certificate<'_>, bundle: &str) -> Row {
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let validity = certificate.validity();
    let row = Row::default()
        .text("common_name", name.unwrap_or_default())
        .text("subject", certificate.subject().to_string())
        .text("issuer", certificate.issuer().to_string())
        .number("ca", i64::from(certificate.is_ca()))
        .number("self_signed", i64::from(certificate.subject().as_raw() == certificate.issuer().as_raw()))
        .text("not_valid_before", validity.not_before.timestamp().to_string())
        .text("not_valid_after", validity.not_after.timestamp().to_string())
        .text("signing_algorithm", algorithm(&certificate.signature_algorithm.algorithm))
        .text("key_algorithm", algorithm(&certificate.public_key().algorithm.algorithm))
        .some_text("key_strength", strength(certificate))
        .text("path", format!("/{bundle}"))
        .text("serial", hex::encode_upper(certificate.raw_serial()));
    with_extensions(row, certificate)
}

fn with_extensions(row: Row, certificate: &X509Certificate<'_>) -> Row {
    certificate.extensions().iter().fold(row, |row, extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => row.text("subject_key_id", hex::encode_upper(id.0)),
        ParsedExtension::AuthorityKeyIdentifier(id) => {
            row.some_text("authority_key_id", id.key_identifier.as_ref().map(|id| hex::encode_upper(id.0)))
        }
        ParsedExtension::KeyUsage(usage) => row.text("key_usage", usage.to_string()),
        _ => row,
    })
}

fn algorithm(oid: &x509_parser::oid_registry::Oid<'_>) -> String {
    let registry = x509_parser::oid_registry::OidRegistry::default().with_crypto();
    registry.get(oid).map_or_else(|| oid.to_id_string(), |entry| entry.sn().to_owned())
}

fn strength(certificate: &X509Certificate<'_>) -> Option<String> {
    let bits = match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => key.key_size(),
        PublicKey::EC(point) => point.key_size(),
        _ => return None,
    };
    Some(bits.to_string())
}
