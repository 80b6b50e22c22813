//! Against a real registry, and against those that mean ill.

mod archives;
mod attacks;
mod fake;
mod login;
mod proxies;
mod real;
mod tampered;

use std::time::Duration;

use oci_spec::distribution::Reference;

use crate::credentials::Credentials;
use crate::network::{Limits, Network, Roots};
use crate::{Attachment, Label, Package, Registry};

/// Patient enough for a busy machine, and not for a test that hangs.
fn network() -> Network {
    let limits =
        Limits { connect: Duration::from_secs(5), stall: Duration::from_secs(10), whole: Duration::from_secs(30) };
    Network::new(&Roots::default(), limits).unwrap()
}

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

fn registry(network: &Network, reference: &Reference) -> Registry {
    Registry::new(network.clone(), reference, false, Credentials::Anonymous).unwrap()
}

fn attachment(name: &str, signatures: &[&str]) -> Attachment {
    Attachment {
        statement: format!("{{\"kind\":\"{name}\"}}").into_bytes(),
        signatures: signatures.iter().map(|it| it.as_bytes().to_vec()).collect(),
    }
}

/// A plugin of so many bytes, no two of which are alike for long.
fn package(bytes: usize) -> Package {
    let component = (0..bytes as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    Package { component, attachments: vec![attachment("plugin", &["signature"])] }
}

fn label() -> Label {
    Label {
        title: "disk-cleanup".to_owned(),
        version: "1.2.3".to_owned(),
        description: "Frees space".to_owned(),
        licenses: "Apache-2.0".to_owned(),
        vendor: "example".to_owned(),
        imports: vec!["msp:automation/facts@0.1.0".to_owned()],
        exports: vec!["msp:automation/detection@0.1.0".to_owned()],
    }
}
