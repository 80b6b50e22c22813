use std::sync::Arc;
use std::time::Instant;

use contract::types::{CommandOutput, Error};

use crate::errors;
use crate::secrets::Redeem;
use crate::spawn::Spawn;

use super::binary::Binary;
use super::{Run, Runner, Template};

/// Runs commands on this machine.
pub(super) struct Local {
    secrets: Arc<dyn Redeem>,
}

impl Local {
    pub(super) fn new(secrets: Arc<dyn Redeem>) -> Self {
        Self { secrets }
    }

    /// Output as text. What was cut may end in the middle of a secret, and only here that is known.
    fn text(&self, mut bytes: Vec<u8>, truncated: bool) -> String {
        if truncated {
            self.secrets.masker().mask_cut(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[async_trait::async_trait]
impl Runner for Local {
    fn has(&self, _: &str, template: &Template) -> bool {
        template.binary().is_file()
    }

    async fn run(&self, run: Run<'_>) -> Result<CommandOutput, Error> {
        let started = Instant::now();
        let (path, pin) = (run.template.binary().to_owned(), run.template.digest().clone());
        let binary = tokio::task::spawn_blocking(move || Binary::open(&path, &pin))
            .await
            .map_err(|error| errors::failed("binary", error.to_string()))??;
        let output = Spawn::new(binary.program(), run.deadline)
            .arg0(run.template.binary())
            .args(run.arguments)
            .output_bytes_max(run.template.output_bytes())
            .run()
            .await?;
        Ok(CommandOutput {
            exit_code: output.code,
            stdout: self.text(output.stdout, output.truncated),
            stderr: self.text(output.stderr, output.truncated),
            truncated: output.truncated,
            elapsed_ms: u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX),
            attributes: vec![("binary-sha256".to_owned(), binary.digest().hex())],
        })
    }
}
