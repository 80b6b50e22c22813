//! Whether what is counted is what the log comes to, and whether anything of the log is missing.

use std::collections::BTreeMap;

use bus::Device;
use fleet::{Ended, Tally};
use model::Digest;
use trust::Signed;
use trust::statement::{self, Report};

use crate::db::{Gap, View};
use crate::{Error, rollout, said};

/// So many messages are read at once.
const PAGE: u32 = 500;

/// So many differences are told: of more, one reads on once these are gone.
const TOLD_MAX: usize = 20;

/// Everything in which the counters and the log differ, for people; nothing where they are the same.
pub(crate) fn differences(view: &View<'_>, pin: Digest, now_ms: u64) -> Result<Vec<String>, Error> {
    let mut told = Vec::new();
    let tallies = tallies(view, pin, &mut told)?;
    let without = view.results_without_message()?;
    if without > 0 {
        told.push(format!("{without} results are counted of which the log has nothing"));
    }
    for order in view.whole_rollouts(now_ms)? {
        let Some(found) = view.rollout(&order)? else { continue };
        let empty = BTreeMap::new();
        let results = tallies.get(&order).unwrap_or(&empty);
        for ring in &found.rings {
            let devices = view.ring_devices(&order, ring.ring)?;
            let mut tally = Tally::default();
            for (name, results) in devices.iter().filter_map(|name| Some((name, results.get(name)?))) {
                let Some(device) = device(name) else { continue };
                results.iter().for_each(|ended| tally.add(device, 0, ended.clone()));
            }
            let folded = tally.counters(&[u32::try_from(devices.len()).unwrap_or(u32::MAX)]);
            let counted = rollout::counters(ring);
            let Some(folded) = folded.first() else { continue };
            if (counted.devices, counted.well, counted.badly, counted.aside)
                != (folded.devices, folded.well, folded.badly, folded.aside)
            {
                told.push(format!(
                    "order {order}, ring {}: {} well, {} badly, {} aside of {} are counted, and the log comes to {}, {}, {} of {}",
                    ring.ring,
                    counted.well,
                    counted.badly,
                    counted.aside,
                    counted.devices,
                    folded.well,
                    folded.badly,
                    folded.aside,
                    folded.devices
                ));
            }
        }
    }
    told.truncate(TOLD_MAX);
    Ok(told)
}

/// Of each order what each device signed, as the log has it.
type Tallies = BTreeMap<String, BTreeMap<String, Vec<Ended>>>;

fn tallies(view: &View<'_>, pin: Digest, told: &mut Vec<String>) -> Result<Tallies, Error> {
    let (mut tallies, mut after) = (Tallies::new(), 0);
    loop {
        let page = view.said_results(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(tallies) };
        after = last.number;
        for it in page {
            let read = Signed::from_text(&it.body).ok();
            let read = read.and_then(|signed| statement::read::<Report>(signed.statement()).ok());
            let Some(counted) = &it.counted else {
                // What nobody signed counts nowhere, and what came once more counts once.
                let lost = device(&it.device).and_then(|device| said::result(pin, &device, &it.body));
                if let Some(lost) = lost.filter(|lost| !view.counts_result(&lost.digest).unwrap_or(false)) {
                    told.push(format!("the log has a result of {} that is not counted: {}", it.device, lost.digest));
                }
                continue;
            };
            match read.filter(|read| read.digest.to_string() == *counted) {
                Some(read) => {
                    let of_order = tallies.entry(read.body.order.to_string()).or_default();
                    of_order.entry(it.device).or_default().push(Ended::of(read.digest, &read.body));
                }
                None => told.push(format!("what is counted as {counted} is something else in the log")),
            }
        }
    }
}

/// Devices of whose results some are not here, for people.
pub(crate) fn missing(view: &View<'_>, now_ms: u64) -> Result<Vec<String>, Error> {
    let line = |it: &Gap| {
        let Gap { device, missing, highest } = it;
        format!("{missing} of the {highest} results of {device} are not here")
    };
    Ok(view.gaps(now_ms)?.iter().take(TOLD_MAX).map(line).collect())
}

fn device(name: &str) -> Option<Device> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(name, &mut bytes).ok()?;
    Some(Device::from(bytes))
}
