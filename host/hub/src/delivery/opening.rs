//! When the next ring goes. A device believes the certificate, which is of a sample; here the whole ring is looked at too, and whether
//! those that said all is well are still there. That is the hub's word, and holds back: it lets nobody go before.

use std::collections::BTreeMap;

use fleet::{Certificate, Counters, Device, Judged, Question, judge};
use model::Digest;
use serde_json::json;
use trust::statement::Gate;
use trust::{Signed, Time};

use super::known::Known;
use super::{Delivery, device};
use crate::db::{Actor, Document, Rollout};
use crate::rollout::{counters, note};
use crate::{Error, Scope, fail};

/// How often it is looked whether those that were away are back: a beat.
const AWAY_MS: u64 = 60_000;

/// A look at a gate: it is met, or when to look again where that is known.
type Met = Result<(), Option<u64>>;

impl Delivery {
    /// Opens a ring, if the one before met the order's gate; else when to look again.
    pub(super) fn open(
        &mut self,
        order: &str,
        known: &Known,
        rollout: &Rollout,
        ring: u32,
        now_ms: u64,
    ) -> Result<Met, Error> {
        let (Some(gate), Some(before)) = (known.body.gate, ring.checked_sub(1)) else { return Ok(Err(None)) };
        let Some(counted) = rollout.rings.iter().find(|it| it.ring == before) else { return Ok(Err(None)) };
        let whole = counters(counted);
        let now = Time::from_ms(now_ms);
        if let Err(again) = met(&gate, known, &whole, now) {
            return Ok(Err(again));
        }
        let (sample, results) = self.sample(order, before)?;
        if let Err(again) = met(&gate, known, &sample, now) {
            return Ok(Err(again));
        }
        // Those that beat no more did not come back from it: they are missing.
        let away = self.away(order, before)?;
        let whole = Counters { well: whole.well.saturating_sub(away), ..whole };
        if let Err(again) = met(&gate, known, &whole, now) {
            let soon = now_ms + AWAY_MS;
            return Ok(Err(Some(again.map_or(soon, |again| again.min(soon)))));
        }
        if let Some((_, again_ms)) =
            self.tried.get(order).filter(|(tried, again_ms)| *tried == results && now_ms < *again_ms)
        {
            return Ok(Err(Some(*again_ms)));
        }
        let hub = &self.post.hub;
        let Some(certificate) = self.certificate(order, known, before, now)? else {
            let again_ms = now_ms + AWAY_MS;
            self.tried.insert(order.to_owned(), (results, again_ms));
            return Ok(Err(Some(again_ms)));
        };
        let digest = Digest::of(&certificate).to_string();
        let document = Document {
            digest: digest.clone(),
            kind: "certificate".to_owned(),
            subject: String::new(),
            clients: known.body.clients.clone().into(),
            bytes: certificate,
        };
        let (name, clients) = (order.to_owned(), known.body.clients.clone());
        hub.db.write_now(move |change| {
            change.keep(&document, now_ms)?;
            if change.open_ring(&name, ring, &digest, now_ms)? {
                let body = json!({ "order": name, "ring": ring + 1, "certificate": digest });
                note(change, now_ms, Actor::Hub, "ring-opened", &clients, body)?;
            }
            Ok(())
        })?;
        fail::point("delivery.opened");
        Ok(Ok(()))
    }

    /// What is counted of those by which a ring is judged, and which results that is of.
    fn sample(&self, order: &str, ring: u32) -> Result<(Counters, Digest), Error> {
        let judging = self.post.hub.db.read(&Scope::of_hub(), |view| view.judging(order, ring))?;
        let mut counted = Counters { devices: u32::try_from(judging.len()).unwrap_or(u32::MAX), ..Counters::default() };
        for it in &judging {
            match it.comes.as_deref() {
                Some("well") => counted.well += 1,
                Some("failed" | "refused") => counted.badly += 1,
                Some("aside") => counted.aside += 1,
                _ => continue,
            }
            counted.last = counted.last.max(Some(Time::from_ms(it.ended_ms)));
        }
        let results: Vec<&str> = judging.iter().map(|it| it.result.as_str()).collect();
        Ok((counted, Digest::of(results.join(" ").as_bytes())))
    }

    /// How many of those for which it went well are away.
    fn away(&self, order: &str, ring: u32) -> Result<u32, Error> {
        let well = self.post.hub.db.read(&Scope::of_hub(), |view| view.well_devices(order, ring))?;
        let devices: Vec<Device> = well.iter().filter_map(|it| device(it)).collect();
        Ok(self.post.away(&devices))
    }

    /// What shows a device of the next ring that this one met the gate; nothing, where it does not, or nobody is known any more who
    /// may order that.
    fn certificate(&self, order: &str, known: &Known, ring: u32, now: Time) -> Result<Option<Vec<u8>>, Error> {
        let hub = &self.post.hub;
        let devices = hub.db.read(&Scope::of_hub(), |view| view.ring_devices(order, ring))?;
        let devices: Vec<Device> = devices.iter().filter_map(|it| device(it)).collect();
        let drawn =
            fleet::sample(known.digest, ring, u32::try_from(devices.len()).unwrap_or(u32::MAX), fleet::SAMPLE_MAX);
        let mut results: BTreeMap<Device, Signed> = BTreeMap::new();
        hub.db.read(&Scope::of_hub(), |view| {
            let sample = drawn.iter().filter_map(|leaf| devices.get(usize::try_from(*leaf).ok()?));
            for device in sample {
                let text = view.latest_result(order, &device.hex())?;
                results.extend(text.and_then(|text| Some((*device, Signed::from_text(&text).ok()?))));
            }
            Ok(())
        })?;
        let trust = hub.trust();
        if trust.given(&known.signed, now).is_err() {
            return Ok(None);
        }
        let question = Question { trust: &trust, order: known.digest, body: &known.body, ring };
        let made = Certificate::make(&question, &devices, |device| results.get(device).cloned());
        let bytes = made.map(|it| it.write());
        Ok(bytes.filter(|bytes| question.answered(bytes, now).is_ok()))
    }
}

fn met(gate: &Gate, known: &Known, counted: &Counters, now: Time) -> Met {
    let later = |time: Time| if time > now { Some(crate::ms(time)) } else { None };
    let absent = known.body.from.plus_seconds(i64::from(gate.absent_after_seconds));
    match judge(gate, known.body.from, counted, now) {
        Judged::Met => Ok(()),
        Judged::TooEarly { until } => Err(later(until)),
        Judged::TooFew { absent, .. } => Err(later(absent)),
        // With those that are missing it may be fewer, once they no longer count.
        Judged::TooMany { .. } => Err(later(absent)),
    }
}
