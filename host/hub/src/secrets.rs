//! Secrets on their way from technicians to devices. The hub sees for whom, what they are called and where they may be used.

use model::Digest;
use serde_json::json;
use trust::statement::Standing as _;
use trust::{Kind, Name, Signed};

use crate::db::{Document, NewEntry, NewSecret};
use crate::hub::Asker;
use crate::{Error, Hub, device_id};

impl Hub {
    /// Takes secrets for devices of one client, all or none: each verifies as its device will verify it. How many are news.
    pub(crate) async fn put_secrets(&self, all: Vec<Signed>, asker: &Asker) -> Result<usize, Error> {
        let now = self.now();
        let (mut new, mut client): (Vec<NewSecret>, Option<Name>) = (Vec::new(), None);
        for signed in all {
            let body = self.trust().sealed(&signed, now)?;
            if client.get_or_insert_with(|| body.client.clone()) != &body.client {
                return Err(Error::Invalid(vec![
                    "they are for several clients: hand over those of each alone".to_owned(),
                ]));
            }
            let keys = signed.signers(Kind::Secret).keys;
            let document = Document {
                digest: Digest::of(signed.statement()).to_string(),
                kind: Kind::Secret.word().to_owned(),
                subject: body.subject(),
                clients: vec![body.client.to_string()],
                bytes: signed.to_text(),
            };
            new.push(NewSecret {
                device: device_id(&body.device),
                name: body.name.to_string(),
                serial: body.serial,
                places: body.places.clone(),
                by: keys.first().map(trust::Key::fingerprint).unwrap_or_default(),
                expires_ms: crate::ms(body.expires),
                is_gone: body.is_gone(),
                document,
            });
        }
        let Some(client) = client else { return Ok(0) };
        let held = asker.scope.hold(&client)?;
        let (now_ms, actor) = (self.clock.now_ms(), asker.actor.clone());
        let count = self
            .db
            .write(move |change| {
                let mut news = Vec::new();
                for it in &new {
                    if change.put_secret(&held, it, now_ms)? {
                        news.push(
                            json!({ "device": it.device, "name": it.name, "serial": it.serial, "is-gone": it.is_gone }),
                        );
                    }
                }
                let count = news.len();
                if count > 0 {
                    let (actor, client) = (actor.clone(), Some(held.clone()));
                    let body = json!({ "secrets": news });
                    change.audit(&NewEntry { at_ms: now_ms, actor, client, action: "secrets-put", body })?;
                }
                Ok(count)
            })
            .await?;
        self.stirs.mailboxes();
        Ok(count)
    }
}
