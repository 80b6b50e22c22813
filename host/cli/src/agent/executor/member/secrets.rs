//! Secrets that technicians sealed to this device: opened as they come, and kept in a vault beside the one of this machine's owner.

use std::collections::BTreeMap;

use backends::secrets::{Place, Vault};
use serde_json::json;
use trust::statement::Secret;
use trust::{Signer, Time};

use super::super::Executor;
use super::{Fleet, OWN};
use crate::keys;

/// The row of what the hub was told of them.
const TOLD: &str = "secrets-told";

impl Executor {
    /// Has the vault hold just what is believed now. Whoever dies in between finds the same difference again.
    pub(in crate::agent::executor) fn settle_secrets(&mut self) {
        let now = keys::now(&self.context);
        let Some(fleet) = &mut self.fleet else { return };
        let vault = self.context.vault_of_hub();
        let held = match settle(fleet, &vault, now) {
            Ok((held, problems)) => {
                match problems.is_empty() {
                    true => drop(self.problems.remove("secrets")),
                    false => drop(self.problems.insert("secrets".to_owned(), problems)),
                }
                held
            }
            Err(error) => {
                let why = format!("{error:#}");
                tracing::error!(why, "the secrets of technicians cannot be kept");
                self.problems.insert("secrets".to_owned(), vec![why]);
                return;
            }
        };
        self.tell_secrets(held);
    }

    /// Tells which of them it has, where that is other than what was told last: names and numbers.
    fn tell_secrets(&mut self, held: BTreeMap<String, u64>) {
        let Some(fleet) = &mut self.fleet else { return };
        let body = json!({ "held": held }).to_string();
        if fleet.told_secrets.as_deref().unwrap_or(r#"{"held":{}}"#) == body {
            return;
        }
        let Ok(kind) = "secrets".parse() else { return };
        fleet.outbox.push(kind, body.clone(), true, &mut self.rows);
        self.rows.put(OWN, TOLD.to_owned(), body.clone());
        fleet.told_secrets = Some(body);
    }
}

/// What was told last.
pub(super) fn told(store: &store::Store, now_ms: u64) -> anyhow::Result<Option<String>> {
    Ok(store.get(OWN, TOLD, now_ms)?.map(|it| it.value))
}

/// The vault holds what is believed, and nothing else. Gives what it holds, and what could not be opened.
fn settle(fleet: &Fleet, vault: &Vault, now: Time) -> anyhow::Result<(BTreeMap<String, u64>, Vec<String>)> {
    let trust = fleet.member.trust();
    let believed: BTreeMap<&str, &Secret> =
        trust.secrets(fleet.member.device(), now).into_iter().map(|it| (it.name.as_str(), it)).collect();
    let there: BTreeMap<String, u64> = vault.list()?.into_iter().map(|it| (it.name, it.set_ms)).collect();
    for name in there.keys().filter(|name| !believed.contains_key(name.as_str())) {
        vault.remove(name)?;
        tracing::info!(name, "a secret of a technician is gone");
    }
    let (mut held, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, secret) in believed {
        let is_there = there.get(name) == Some(&secret.serial);
        let kept = if is_there { Ok(()) } else { keep(secret, &fleet.signer, trust.pin(), vault) };
        match kept {
            Ok(()) => drop(held.insert(name.to_owned(), secret.serial)),
            Err(error) => {
                // What came before it, and was replaced, is used no more.
                vault.remove(name)?;
                problems.push(format!("the secret `{name}` is not kept: {error:#}"));
            }
        }
    }
    Ok((held, problems))
}

fn keep(secret: &Secret, device: &Signer, pin: model::Digest, vault: &Vault) -> anyhow::Result<()> {
    let places = secret.places.iter().map(|place| place.parse()).collect::<Result<Vec<Place>, _>>()?;
    let bytes = secret.open(pin, device)?;
    let expires_ms = secret.expires.seconds().saturating_mul(1_000);
    vault.set(secret.name.as_str(), &bytes, &places, Some(expires_ms), secret.serial)?;
    tracing::info!(name = secret.name.as_str(), "a secret of a technician is kept");
    Ok(())
}
