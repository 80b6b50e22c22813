//! Weeks that are handed in: a standing order on devices of which some are off.

use contract::Class;
use model::Mode;

use crate::nature::Nature;
use crate::range::{Base, NOW_MS};

const HOUR_MS: u64 = 3_600_000;

/// What came of some weeks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weeks {
    /// Devices that were off all the time, and came back.
    pub away: usize,
    /// Of these, those on which exactly one run followed.
    pub once: usize,
    /// Devices that were there.
    pub there: usize,
    /// Of these, those with exactly one run a week.
    pub weekly: usize,
}

/// So many weeks with a weekly standing order, with so many devices in a million off for all of them; half a day later they are back.
pub async fn weeks(devices: u32, weeks: u64, away_ppm: u32) -> anyhow::Result<Weeks> {
    let base = Base::new(devices).await?;
    let mut range = base.range()?;
    let plugin = range.approved.clone();
    let mut order = range.msp.order("boss", "*", &plugin, Class::L2);
    order.expires = order.from.plus_days(100);
    order.mode = Mode::Detect;
    order.standing = Some(r#"{"schedule":{"cron":"0 3 * * mon","zone":"UTC"}}"#.to_owned());
    let signed = range.sign(&order, &["boss"]);
    range.stage.post(&signed, &plugin);
    range.look().await;
    let nature = Nature { offline_ppm: away_ppm, ..Nature::default() };
    let is_away: Vec<bool> = (0..devices).map(|number| !nature.is_online(number, NOW_MS)).collect();
    let (began, hours) = (range.now_ms, weeks * 7 * 24);
    for hour in 1..=hours {
        let now_ms = began + hour * HOUR_MS;
        for (device, _) in range.devices.iter_mut().zip(&is_away).filter(|(_, is_away)| !**is_away) {
            device.tick(now_ms);
        }
    }
    for hour in hours + 1..hours + 13 {
        range.now_ms = began + hour * HOUR_MS;
        range.look().await;
    }
    let runs = |wanted: bool| {
        let all = range.devices.iter().zip(&is_away).filter(move |(_, is_away)| **is_away == wanted);
        all.map(|(device, _)| device.machine().runs())
    };
    Ok(Weeks {
        away: runs(true).count(),
        once: runs(true).filter(|runs| *runs == 1).count(),
        there: runs(false).count(),
        weekly: runs(false).filter(|runs| *runs == weeks).count(),
    })
}
