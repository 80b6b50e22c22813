use super::*;

use remit_sdk::http::{Get, GetCertificates, ServerCertificate, ServerChain};
use remit_sdk::testing::Host;
use serde_json::json;

const URL: &str = "https://shop.example.com/health";

/// A server that answers so, with a certificate that lasts so many days.
fn host(status: u16, body: &'static str, days: u64, problem: &'static str) -> Host {
    let host = Host::new().parameters(json!({ "urls": [URL], "contains": "fine" }));
    let valid_to_ms = host.now_ms() + days * DAY_MS;
    host.answer(move |_: &Get| {
        Ok(HttpResponse { status, body: body.into(), elapsed_ms: 12, ..HttpResponse::default() })
    })
    .answer(move |_: &GetCertificates| {
        let certificate = ServerCertificate { valid_to_ms, ..ServerCertificate::default() };
        Ok(ServerChain { certificates: vec![certificate], problem: problem.into(), ..ServerChain::default() })
    })
}

fn titles(host: &Host) -> Vec<String> {
    let report = host.detect::<HttpProbe>().unwrap();
    assert_eq!(report.verdict == Verdict::Compliant, report.findings.is_empty());
    report.findings.into_iter().map(|finding| finding.title.replace(URL, "URL")).collect()
}

#[test]
fn a_good_answer_and_a_long_certificate_are_compliant() {
    let host = host(200, "all is fine", 22, "");
    assert_eq!(titles(&host), [""; 0]);
    assert_eq!(host.metrics(), [("http-response".to_owned(), 12.0), ("certificate-left".to_owned(), 22.0)]);
}

#[test]
fn a_wrong_answer_says_what_is_wrong() {
    assert_eq!(titles(&host(503, "all is fine", 90, "")), ["URL answers 503, not 200"]);
    assert_eq!(titles(&host(200, "all is well", 90, "")), ["URL answers without the words `fine`"]);
}

#[test]
fn a_certificate_is_found_before_it_ends_and_when_nobody_trusts_it() {
    assert_eq!(titles(&host(200, "fine", 21, "")), ["the certificate of URL ends in 21 days"]);
    let found = titles(&host(200, "fine", 90, "self-signed"));
    assert_eq!(found, ["the certificate of URL is not trusted: self-signed"]);
}

#[test]
fn a_server_that_is_gone_is_one_finding() {
    let gone = || Error::of_kind(ErrorKind::Unavailable, "connect", "connection refused");
    let host = host(200, "", 0, "").answer(move |_: &Get| Err(gone())).answer(move |_: &GetCertificates| Err(gone()));
    assert_eq!(titles(&host), ["URL does not answer"]);
}

#[test]
fn what_is_not_granted_says_nothing_about_the_server() {
    let host = host(200, "", 0, "").answer(|_: &Get| Err(Error::of_kind(ErrorKind::Denied, "scope", "not granted")));
    assert_eq!(host.detect::<HttpProbe>().unwrap_err().kind, ErrorKind::Denied);
}
