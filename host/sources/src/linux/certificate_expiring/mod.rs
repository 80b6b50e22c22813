//! Certificates that are no longer valid soon: each by itself, as its file has it now.

mod found;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::sink::{Level, data};
use crate::{Error, Sink, Surroundings};

use super::settle::Settling;
use found::Certificate;

/// How long files must be at rest: a key and a chain are written one after the other.
const QUIET: Duration = Duration::from_secs(1);
/// How often files are read where nothing that is watched changed: a link in a folder may lead to another file.
const READ: Duration = Duration::from_hours(1);
/// The longest that is waited for a certificate's time: clocks are set, and stand still while a machine sleeps.
const WAIT_MAX: Duration = Duration::from_mins(1);
const DAY_MS: i64 = 86_400_000;

pub(super) async fn watch(path: &Path, within: &str, around: &Surroundings, sink: &Sink) -> Result<(), Error> {
    let within_ms = agent::duration_ms(within).map_err(|problem| Error::Bad(vec![format!("within: {problem}")]))?;
    let mut watched = Settling::new(&[path], QUIET)?;
    let mut told: BTreeMap<String, (Level, Certificate)> = BTreeMap::new();
    loop {
        let read = Instant::now();
        let folder = path.to_owned();
        let found = tokio::task::spawn_blocking(move || found::all(&folder)).await.unwrap_or_default();
        for (subject, (level, gone)) in told.iter_mut().filter(|(subject, _)| !found.contains_key(*subject)) {
            level.tell(sink, false, around, subject, || said(gone, around.now_ms())).await;
        }
        told.retain(|subject, _| found.contains_key(subject));
        for (subject, certificate) in found {
            told.entry(subject).or_insert_with(|| (Level::default(), certificate));
        }
        // The files are the same until something happens; only the time goes on.
        loop {
            let now_ms = around.now_ms();
            let mut next = WAIT_MAX;
            for (subject, (level, certificate)) in &mut told {
                let left_ms = certificate.not_after_ms.saturating_sub(within_ms).saturating_sub(now_ms);
                level.tell(sink, left_ms <= 0, around, subject, || said(certificate, now_ms)).await;
                if let Ok(left_ms @ 1..) = u64::try_from(left_ms) {
                    next = next.min(Duration::from_millis(left_ms));
                }
            }
            match tokio::time::timeout(next, watched.changed()).await {
                Ok(at) => break at.map(drop)?,
                Err(_) if read.elapsed() >= READ => break,
                Err(_) => {}
            }
        }
    }
}

fn said(certificate: &Certificate, now_ms: i64) -> Map<String, Value> {
    let left_ms = certificate.not_after_ms.saturating_sub(now_ms);
    data([
        ("path", json!(certificate.path)),
        ("subject", json!(certificate.subject)),
        ("issuer", json!(certificate.issuer)),
        ("serial", json!(certificate.serial)),
        ("sha256", json!(certificate.sha256)),
        ("not-after-ms", json!(certificate.not_after_ms)),
        ("days-left", json!(left_ms.div_euclid(DAY_MS))),
        ("is-expired", json!(left_ms <= 0)),
    ])
}
