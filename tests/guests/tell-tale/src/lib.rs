//! A guest that shows a secret to a server, and then tells everybody what the server said, in every way that a plugin has.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints must not tell the secret either")]

use remit_sdk::http;
use remit_sdk::prelude::*;
use remit_sdk::secrets;
use remit_sdk::types::HttpRequest;
use schemars::JsonSchema;
use serde::Deserialize;

/// Tells everybody what a server said of a secret.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct TellTale {
    /// The server.
    url: String,
}

impl Detect for TellTale {
    fn detect(&self) -> Result<Report> {
        let token = secrets::open_bearer("token")?;
        let request = HttpRequest { url: self.url.clone(), timeout_ms: 5_000, ..HttpRequest::default() };
        let response = http::get(&request, Some(&token))?;
        let said = String::from_utf8_lossy(&response.body).into_owned();
        warn!(said = said; "the server said {said}");
        run::progress(50, &said);
        run::metric("said", 1.0, "1", &[("said", &said)]);
        println!("{said}");
        eprintln!("{said}");
        let finding = Finding::new(format!("said:{}", said.len()), "the server said something")
            .evidence(said.clone())
            .with("said", said.clone());
        Ok(Report::non_compliant(said).finding(finding))
    }
}

remit_sdk::plugin!(TellTale: Detect);
