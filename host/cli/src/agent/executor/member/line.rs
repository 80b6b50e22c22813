//! What the half that speaks to the network asks, and hands over. It is believed in nothing, as the hub is.

use std::time::Duration;

use ::fleet::{Came, Input, MAILBOX_BYTES_MAX, Mailbox};
use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bus::{Ack, Taken};
use model::Digest;
use serde_json::Value;
use trust::statement::{self, Session};
use trust::{Key, Signed};

use super::super::Executor;
use super::told::{Details, Result as Told};
use super::{Fleet, KEPT, believe, orders};
use crate::agent::protocol::{HubIs, LineIs, Thing, ToSay, Told as Answered, Wanted};
use crate::agent::socket::Answer;
use crate::keys;

/// How long a session of this device holds. It makes the next one by itself.
const SESSION_SECONDS: i64 = 12 * 3_600;

/// How often it is looked at least whether something is to be told: facts, and what plugins raised.
const LOOK_EVERY: Duration = Duration::from_secs(900);

/// How long after something could not be read or kept it is tried again: the disk is full, as a rule.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The most that is handed over at once: what a hub answers at once.
const THINGS_MAX: usize = bus::DOCUMENTS_MAX;

impl Executor {
    /// Where the hub is.
    pub(in crate::agent::executor) fn hub(&self) -> Option<HubIs> {
        if let Some(copy) = &self.copy {
            return Some(copy.hub());
        }
        let fleet = self.fleet.as_ref()?;
        let (addresses, authorities) = fleet.joined.ways(fleet.member.trust());
        Some(HubIs { addresses, authorities })
    }

    /// Somebody wants to hear where the hub is, once it is elsewhere than they know.
    pub(in crate::agent::executor) fn asked_for_hub(&mut self, known: Option<HubIs>, answer: Answer) {
        // Whoever asked before has gone, or asks twice: they are told nothing, which is what they know.
        self.hub_asked = Some((known, answer));
        self.tell_of_hub();
    }

    /// Whoever wants to hear where the hub is hears it, where they do not know.
    pub(in crate::agent::executor) fn tell_of_hub(&mut self) {
        if self.hub_asked.is_none() {
            return;
        }
        let is = self.hub();
        let Some((_, answer)) = self.hub_asked.take_if(|(known, it)| *known != is || it.gone.is_cancelled()) else {
            return;
        };
        match serde_json::to_value(is) {
            Ok(value) => tell(answer, Answered::Is { value }),
            Err(error) => tell(answer, crate::agent::runner::told(&error.into())),
        }
    }

    /// Signs that a key asks for this device, of the hub that was joined and of no other.
    pub(in crate::agent::executor) fn session(&mut self, hub: Digest, key: Key) -> anyhow::Result<Value> {
        let now = keys::now(&self.context);
        let known = self.hub().context(NO_HUB)?.authorities;
        if !known.contains(&hub) {
            bail!("{hub} is not the hub of this device");
        }
        let until = now.plus_seconds(SESSION_SECONDS);
        let session = |machine: Digest, process: Digest| {
            let (machine, process) = (Some(machine), Some(process));
            statement::write(now, &Session { hub, key, from: now, until, machine, process })
        };
        let signed = match (&mut self.copy, &mut self.fleet) {
            // It gets none: that is how the hub, and technicians, hear of it.
            (Some(copy), _) => copy.sign(session)?,
            (None, Some(fleet)) => {
                let mut signed = Signed::new(session(fleet.joined.machine.digest(), fleet.process)?, Vec::new());
                signed.sign(&mut fleet.signer)?;
                signed
            }
            (None, None) => bail!(NO_HUB),
        };
        Ok(Value::String(String::from_utf8(signed.to_text())?))
    }

    /// Things came over the line.
    pub(in crate::agent::executor) fn things_came(&mut self, things: Vec<Thing>) -> anyhow::Result<Wanted> {
        if things.len() > THINGS_MAX {
            bail!("{} things at once: at most {THINGS_MAX}", things.len());
        }
        self.fleet.as_ref().context(NO_HUB)?;
        for thing in things {
            match thing {
                Thing::Mailbox { text } => self.mailbox_came(&text)?,
                Thing::Document { digest, bytes } => {
                    let bytes = STANDARD.decode(bytes).context("a document")?;
                    self.document_came(digest, &bytes)?;
                }
                Thing::Missing { digest } => self.come(Input::Missing(digest))?,
            }
        }
        self.settle_fleet();
        self.promise()?;
        Ok(self.wanted())
    }

    fn wanted(&self) -> Wanted {
        let Some(fleet) = &self.fleet else { return Wanted::default() };
        let parts = fleet.parcels.wanted();
        Wanted { has: fleet.has, fetch: fleet.fetch.iter().copied().chain(parts).collect() }
    }

    fn mailbox_came(&mut self, text: &str) -> anyhow::Result<()> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        // What this device cannot tell, it does not begin.
        if fleet.outbox.is_full() {
            bail!("so much waits to be told the hub that nothing more is begun for it");
        }
        if text.len() > MAILBOX_BYTES_MAX {
            bail!("a mailbox of {} bytes: at most {MAILBOX_BYTES_MAX}", text.len());
        }
        fleet.has = Some(Digest::of(text.as_bytes()));
        if let Ok(mailbox) = Mailbox::read(text.as_bytes()) {
            fleet.lists = mailbox.orders.iter().filter_map(|it| Some((it.order, it.parcel?))).collect();
            fleet.posted = mailbox.orders.iter().map(|it| it.order).collect();
            fleet.documents.retain(|document, _| fleet.posted.contains(document));
            fleet.learn_lists();
            if let Some(restored) = mailbox.restored {
                self.hub_restored(restored)?;
            }
        }
        self.come(Input::Mailbox(text.as_bytes()))
    }

    /// The hub came out of a backup. What it was told of this device since that was made, this device may be the only one to have.
    fn hub_restored(&mut self, restored: Digest) -> anyhow::Result<()> {
        // What was acknowledged just now is read from the disk.
        self.promise()?;
        let now_ms = self.context.clock.now_ms();
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        if fleet.outbox.restored(restored, &self.machine.store, now_ms, &mut self.rows)? {
            tracing::warn!(%restored, "the hub came out of a backup: it is told again what it was told since");
            fleet.told_facts = None;
            self.tell_facts();
        }
        Ok(())
    }

    fn document_came(&mut self, digest: Digest, bytes: &[u8]) -> anyhow::Result<()> {
        let is_part = self.fleet.as_ref().is_some_and(|fleet| fleet.parcels.wants(&digest));
        if is_part {
            return self.part_came(digest, bytes);
        }
        let fleet = self.fleet.as_mut().filter(|fleet| fleet.posted.contains(&digest));
        if let (Some(fleet), Ok(text)) = (fleet, String::from_utf8(bytes.to_vec()))
            && Digest::of(bytes) == digest
            && bytes.len() <= trust::SIGNED_BYTES_MAX
        {
            fleet.documents.insert(digest, text);
        }
        self.come(Input::Document(digest, bytes))
    }

    /// Time went by, or something that orders are asked about is other than it was.
    pub(in crate::agent::executor) fn look_at_fleet(&mut self) {
        if let Err(error) = self.come(Input::Looked) {
            tracing::error!(error = format!("{error:#}"), "what the hub posted cannot be looked at");
        }
        self.look_for_plugins();
    }

    /// The same where it is time. What could not be read or kept before is tried again.
    pub(in crate::agent::executor) fn look_at_fleet_in_time(&mut self) {
        let now = keys::now(&self.context);
        if self.fleet.is_none() && self.problems.contains_key("hub") {
            self.reopen_fleet();
            return self.place();
        }
        if self.fleet.as_ref().is_some_and(|fleet| fleet.wake.is_some_and(|wake| wake <= now)) {
            self.look_at_fleet();
        }
    }

    /// How long nothing may happen until then.
    pub(in crate::agent::executor) fn fleet_wakes_in(&self) -> Option<Duration> {
        let Some(fleet) = &self.fleet else {
            return self.problems.contains_key("hub").then_some(AGAIN_AFTER);
        };
        let until = |wake: trust::Time| {
            let wake_ms = wake.to_string().parse::<jiff::Timestamp>().ok()?.as_millisecond();
            u64::try_from(wake_ms.saturating_sub(self.now_ms()).max(1_000)).ok().map(Duration::from_millis)
        };
        Some(fleet.wake.and_then(until).map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY)))
    }

    /// Decides what follows, and lays it beside what the dispatcher decides.
    fn come(&mut self, input: Input<'_>) -> anyhow::Result<()> {
        let now = keys::now(&self.context);
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let fetched = fleet.fetch.len();
        let Came { keep, believed, not_taken, fetch, begin, refused, waiting, ended, wake, bad_mailbox } =
            fleet.member.come(input, &fleet.facts, now);
        for (digest, refusals) in not_taken {
            let why: Vec<String> = refusals.iter().map(keys::with_code).collect();
            tracing::warn!(%digest, why = why.join("; "), "what the hub posted is not believed");
        }
        fleet.has_news |= fetch.len() > fetched;
        (fleet.fetch, fleet.wake) = (fetch, wake);
        fleet.waiting = waiting.iter().map(|it| it.order).collect();
        let is_believed = !believed.is_empty();
        if is_believed && let Err(error) = believe(&believed, &self.context) {
            // It is as if it had not come: what was decided since is forgotten, and decided again.
            let why = format!("{error:#}");
            self.problems.insert("hub".to_owned(), vec![format!("what it posted cannot be kept: {why}")]);
            self.fleet = None;
            bail!(why);
        }
        self.rows.keep(KEPT, keep);
        match bad_mailbox {
            Some(bad) => drop(self.problems.insert("mailbox".to_owned(), vec![bad.to_string()])),
            None => drop(self.problems.remove("mailbox")),
        }
        for order in ended {
            tracing::info!(%order, "an order stands no longer");
            if let Some(fleet) = &mut self.fleet {
                fleet.over(order, &mut self.rows);
            }
        }
        for refused in refused {
            let (order, code) = (refused.order, refused.against.code());
            tracing::warn!(%order, code, why = %refused.against, "an order is refused");
            // Of what nobody can read nobody can say what it was to do.
            let Some(mode) = refused.body.as_ref().map(|body| body.mode) else { continue };
            let details = Details::of_refusal(order, code, &refused.against.to_string(), now);
            self.tell_result(Told { order, mode, may_go: false, details });
        }
        for begun in begin {
            let (order, mode) = (begun.order, begun.body.mode);
            let Some(fleet) = &mut self.fleet else { break };
            tracing::info!(%order, plugin = %begun.body.plugin.name, "an order begins");
            if let Err((code, why)) = fleet.begin(begun, &mut self.rows) {
                let details = Details::of_refusal(order, code, &why, now);
                self.tell_result(Told { order, mode, may_go: false, details });
            }
        }
        if is_believed {
            if let Some(fleet) = &mut self.fleet {
                fleet.is_stale = true;
            }
            self.believe_anew();
        }
        self.look_for_plugins();
        Ok(())
    }

    /// Messages were taken, and whoever carries them waits for the next.
    pub(in crate::agent::executor) fn say(&mut self, acks: &[Ack], line: LineIs, answer: Answer) {
        let said = self.acked(acks, line);
        match (said, &mut self.fleet) {
            (Ok(()), Some(fleet)) => {
                // Whoever waited before has gone, or asks twice: they are told nothing, which is what they know.
                fleet.waiter = Some(answer);
                self.tell_waiter();
            }
            (Err(error), _) => tell(answer, crate::agent::runner::told(&error)),
            (Ok(()), None) => tell(answer, crate::agent::runner::told(&anyhow::anyhow!(NO_HUB))),
        }
    }

    fn acked(&mut self, acks: &[Ack], line: LineIs) -> anyhow::Result<()> {
        self.fleet.as_ref().context(NO_HUB)?;
        if !acks.is_empty() {
            self.promise()?;
        }
        let now_ms = self.context.clock.now_ms();
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        if line.trouble.is_none() {
            fleet.heard_ms = Some(now_ms);
        }
        fleet.line = line;
        let was_full = fleet.outbox.is_full();
        fleet.outbox.acked(acks, &self.machine.store, now_ms, &mut self.rows)?;
        fleet.has_news |= was_full && !fleet.outbox.is_full();
        if acks.iter().any(|ack| ack.taken == Taken::WantsWhole) {
            tracing::info!("the hub knows something else of this device than what was changed, and is told all of it");
            self.whole_wanted();
        }
        Ok(())
    }

    /// Whoever waits for something to say is told, once there is and it is durable.
    pub(in crate::agent::executor) fn tell_waiter(&mut self) {
        if !self.rows.is_empty() {
            return;
        }
        let now_ms = self.context.clock.now_ms();
        let wanted = self.wanted();
        let Some(fleet) = &mut self.fleet else { return };
        let is_due = fleet.outbox.len() > 0 || fleet.has_news;
        let Some(answer) = fleet.waiter.take_if(|it| is_due || it.gone.is_cancelled()) else { return };
        fleet.has_news = false;
        let messages = match fleet.outbox.first(&self.machine.store, now_ms) {
            Ok(messages) => messages,
            Err(error) => return tell(answer, crate::agent::runner::told(&error)),
        };
        let waiting = u64::try_from(fleet.outbox.len()).unwrap_or(u64::MAX);
        let to_say = serde_json::to_value(ToSay { messages, waiting, wanted });
        match to_say {
            Ok(value) => tell(answer, Answered::Is { value }),
            Err(error) => tell(answer, crate::agent::runner::told(&error.into())),
        }
    }
}

const NO_HUB: &str = "this device joined no hub";

impl Fleet {
    /// Orders whose plugin is not known to be here.
    pub(super) fn without_plugin(&self) -> Vec<Digest> {
        self.orders.iter().filter(|(_, it)| !it.is_here && it.list.is_some()).map(|(digest, _)| *digest).collect()
    }

    pub(super) fn in_force(&mut self, order: Digest) -> Option<&mut orders::InForce> {
        self.orders.get_mut(&order)
    }
}

fn tell(answer: Answer, told: Answered) {
    tokio::spawn(async move { answer.end(told).await });
}
