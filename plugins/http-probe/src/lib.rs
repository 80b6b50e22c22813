//! Asks web servers whether they answer as they should, and looks how long their certificates last.

use remit_sdk::http::{self, HttpRequest, HttpResponse};
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Asks web servers whether they answer as they should, and how long their certificates last.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct HttpProbe {
    /// What is asked, with path; nothing else is.
    #[schemars(length(min = 1, max = 40))]
    urls: Vec<String>,
    /// Where servers may be that are not public, as ranges such as `10.0.0.0/8`; each needs a word of the operator.
    #[serde(default)]
    #[expect(dead_code, reason = "the host reads it, into the scope of `http`")]
    networks: Vec<String>,
    /// The status that a good answer has.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    expect_status: u16,
    /// Words that a good answer has in its body.
    #[serde(default)]
    contains: Option<String>,
    /// Milliseconds until an answer must be there.
    #[serde(default = "ten_seconds")]
    #[schemars(range(min = 100, max = 30000))]
    timeout_ms: u32,
    /// A certificate that ends within so many days is a finding; 0 looks at none.
    #[serde(default = "three_weeks")]
    certificate_days: u64,
}

fn ok() -> u16 {
    200
}

fn ten_seconds() -> u32 {
    10_000
}

fn three_weeks() -> u64 {
    21
}

impl Detect for HttpProbe {
    fn detect(&self) -> Result<Report> {
        let mut findings = Vec::new();
        for url in &self.urls {
            run::check_cancelled()?;
            findings.extend(self.ask(url)?);
            if self.certificate_days > 0 && url.starts_with("https://") {
                findings.extend(self.look_at_certificate(url)?);
            }
        }
        Ok(match findings.is_empty() {
            true => Report::compliant(format!("{} servers answer as they should", self.urls.len())),
            false => Report::non_compliant(""),
        }
        .findings(findings))
    }
}

impl HttpProbe {
    fn ask(&self, url: &str) -> Result<Option<Finding>> {
        let request = HttpRequest { url: url.to_owned(), timeout_ms: self.timeout_ms, ..HttpRequest::default() };
        let (title, evidence) = match http::get(&request, None) {
            Ok(response) => {
                run::metric("http-response", f64::from(response.elapsed_ms), "ms", &[("url", url)]);
                match self.wrong_with(&response) {
                    Some(title) => (title, String::from_utf8_lossy(&response.body).chars().take(500).collect()),
                    None => return Ok(None),
                }
            }
            Err(error) if is_of_the_server(error.kind) => ("does not answer".to_owned(), error.message.clone()),
            Err(error) => return Err(error.context(url)),
        };
        let finding = Finding::new(format!("answer:{url}"), format!("{url} {title}"));
        Ok(Some(finding.target(url).severity(Severity::Error).evidence(evidence)))
    }

    fn wrong_with(&self, response: &HttpResponse) -> Option<String> {
        if response.status != self.expect_status {
            return Some(format!("answers {}, not {}", response.status, self.expect_status));
        }
        let words = self.contains.as_deref()?;
        let has_them = String::from_utf8_lossy(&response.body).contains(words);
        (!has_them).then(|| format!("answers without the words `{words}`"))
    }

    fn look_at_certificate(&self, url: &str) -> Result<Option<Finding>> {
        let chain = match http::get_certificates(url, self.timeout_ms) {
            Ok(chain) => chain,
            // That it does not answer is a finding already.
            Err(error) if is_of_the_server(error.kind) => return Ok(None),
            Err(error) => return Err(error.context(url)),
        };
        let Some(certificate) = chain.certificates.first() else { return Ok(None) };
        let days = certificate.valid_to_ms.saturating_sub(run::now()) / DAY_MS;
        run::metric("certificate-left", days as f64, "d", &[("url", url)]);
        let (severity, title) = match chain.problem.as_str() {
            "" if days > self.certificate_days => return Ok(None),
            "" => (Severity::Warning, format!("ends in {days} days")),
            problem => (Severity::Error, format!("is not trusted: {problem}")),
        };
        let evidence = format!("{}, from {}, {}", certificate.common_name, certificate.issuer, certificate.sha256);
        Ok(Some(
            Finding::new(format!("certificate:{url}"), format!("the certificate of {url} {title}"))
                .target(url)
                .severity(severity)
                .evidence(evidence)
                .with("days-left", days),
        ))
    }
}

/// Whether a failure says something about the server. What is not granted says nothing about it.
fn is_of_the_server(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::Failed)
}

remit_sdk::plugin!(HttpProbe: Detect);

#[cfg(test)]
mod tests;
