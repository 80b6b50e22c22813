use std::sync::Mutex;

use super::*;

const HOUR_MS: u64 = 60 * 60 * 1_000;
const YEAR_MS: u64 = 365 * DAY_MS;
/// 2026-11-22.
const BEGIN_MS: u64 = 1_795_305_600_000;

/// A machine whose clocks are moved by hand.
struct Clocks(Mutex<(u64, Option<Uptime>)>);

impl Clock for Clocks {
    fn now_ms(&self) -> u64 {
        self.0.lock().unwrap().0
    }

    fn uptime(&self) -> Option<Uptime> {
        self.0.lock().unwrap().1.clone()
    }
}

/// A device that keeps its ledger.
struct Device {
    clocks: Arc<Clocks>,
    allowance: Allowance,
    kept: Option<String>,
}

impl Device {
    fn new(budgets: Budgets) -> Self {
        let uptime = Uptime { boot: "one".to_owned(), ms: 60_000 };
        let clocks = Arc::new(Clocks(Mutex::new((BEGIN_MS, Some(uptime)))));
        Self { allowance: Allowance::new(budgets, clocks.clone()), clocks, kept: None }
    }

    fn with(budget: Budget, limit: u64) -> Self {
        Self::new(Budgets::default().with(budget, limit))
    }

    fn book(&mut self, entry: &Entry) -> Result<(), Exhausted> {
        match self.allowance.book(self.kept.as_deref(), entry) {
            Ok(kept) => {
                self.kept = Some(kept);
                Ok(())
            }
            Err(NotBooked::Exhausted(exhausted)) => {
                // As the journal does: what is refused has been looked at too.
                let rest = Entry { charge: Amounts::default(), ..entry.clone() };
                self.kept = Some(self.allowance.book(self.kept.as_deref(), &rest).unwrap());
                Err(exhausted)
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn charge(&mut self, budget: Budget, amount: u64) -> Result<(), Exhausted> {
        self.book(&Entry { charge: Amounts::of(budget, amount), ..Entry::default() })
    }

    fn left(&self, budget: Budget) -> u64 {
        let left = self.allowance.left(self.kept.as_deref()).unwrap();
        left.into_iter().find(|it| it.budget == budget).unwrap().left
    }

    /// Time passes, for all clocks.
    fn wait(&self, ms: u64) {
        let mut clocks = self.clocks.0.lock().unwrap();
        clocks.0 += ms;
        clocks.1.iter_mut().for_each(|uptime| uptime.ms += ms);
    }

    /// Somebody sets the clock.
    fn set(&self, to_ms: u64) {
        self.clocks.0.lock().unwrap().0 = to_ms;
    }

    fn reboot(&self, off_ms: u64) {
        let mut clocks = self.clocks.0.lock().unwrap();
        clocks.0 += off_ms;
        let boot = format!("{} and another", clocks.1.as_ref().unwrap().boot);
        clocks.1 = Some(Uptime { boot, ms: 10_000 });
    }
}

#[test]
fn every_name_is_the_one_that_is_written() {
    for budget in Budget::ALL {
        assert_eq!(serde_json::to_value(budget).unwrap(), budget.name());
    }
}

#[test]
fn what_is_spent_is_refused_until_a_day_is_over() {
    let mut device = Device::with(Budget::Reboots, 2);
    device.charge(Budget::Reboots, 1).unwrap();
    device.wait(HOUR_MS);
    device.charge(Budget::Reboots, 1).unwrap();
    let refused = device.charge(Budget::Reboots, 1).unwrap_err();
    assert_eq!((refused.budget, refused.limit, refused.left, refused.wanted), (Budget::Reboots, 2, 0, 1));
    // The first one counts until a day after its quarter of an hour.
    let room_in_ms = refused.room_in_ms.unwrap();
    assert_eq!(room_in_ms, DAY_MS - HOUR_MS + SLICE_MS);
    assert_eq!(refused.room_at_ms, Some(BEGIN_MS + HOUR_MS + room_in_ms));
    device.wait(room_in_ms - 1);
    assert!(device.charge(Budget::Reboots, 1).is_err());
    device.wait(1);
    device.charge(Budget::Reboots, 1).unwrap();
    assert!(device.charge(Budget::Reboots, 1).is_err(), "one has gone, and not two");
}

#[test]
fn what_never_fits_says_so() {
    let mut device = Device::with(Budget::DeletedBytes, 1_000);
    let refused = device.charge(Budget::DeletedBytes, 1_001).unwrap_err();
    assert_eq!((refused.left, refused.room_in_ms), (1_000, None));
    assert!(refused.to_string().ends_with("more than there ever is"), "{refused}");
    device.charge(Budget::DeletedBytes, 1_000).unwrap();
    let refused = device.charge(Budget::DeletedBytes, 1).unwrap_err();
    assert!(refused.to_string().ends_with("room again in 24 h 15 min"), "{refused}");
}

#[test]
fn a_charge_is_booked_whole_or_not_at_all() {
    let budgets = Budgets::default().with(Budget::Installs, 5).with(Budget::Reboots, 0);
    let mut device = Device::new(budgets);
    let both = Amounts::of(Budget::Installs, 2).and(Budget::Reboots, 1);
    let refused = device.book(&Entry { charge: both, ..Entry::default() }).unwrap_err();
    assert_eq!(refused.budget, Budget::Reboots);
    assert_eq!(device.left(Budget::Installs), 5);
    device.charge(Budget::Installs, 2).unwrap();
    assert_eq!(device.left(Budget::Installs), 3);
}

#[test]
fn what_has_no_limit_is_not_counted() {
    let mut device = Device::with(Budget::Reboots, 1);
    device.charge(Budget::EgressBytes, u64::MAX).unwrap();
    device.charge(Budget::EgressBytes, u64::MAX).unwrap();
    assert!(!device.kept.as_ref().unwrap().contains("egress"));
    assert!(device.allowance.limits(Budget::Reboots) && !device.allowance.limits(Budget::EgressBytes));
}

#[test]
fn what_was_reserved_becomes_what_was_used() {
    let mut device = Device::with(Budget::DeletedBytes, 100);
    let settle = |reserved, used| Entry {
        reserved: Amounts::of(Budget::DeletedBytes, reserved),
        used: Amounts::of(Budget::DeletedBytes, used),
        ..Entry::default()
    };
    device.charge(Budget::DeletedBytes, 80).unwrap();
    device.book(&settle(80, 30)).unwrap();
    assert_eq!(device.left(Budget::DeletedBytes), 70);
    // More than was reserved is booked all the same: it is gone.
    device.charge(Budget::DeletedBytes, 10).unwrap();
    device.book(&settle(10, 200)).unwrap();
    let refused = device.charge(Budget::DeletedBytes, 1).unwrap_err();
    assert_eq!(refused.left, 0);
    device.wait(refused.room_in_ms.unwrap());
    device.charge(Budget::DeletedBytes, 1).unwrap();
}

#[test]
fn a_clock_that_is_set_resets_nothing_and_blocks_nothing() {
    for to_ms in [BEGIN_MS + YEAR_MS, BEGIN_MS - YEAR_MS, 0, u64::MAX / 2] {
        let mut device = Device::with(Budget::Reboots, 1);
        device.charge(Budget::Reboots, 1).unwrap();
        device.set(to_ms);
        let refused = device.charge(Budget::Reboots, 1).expect_err("it is not reset");
        let room_in_ms = refused.room_in_ms.unwrap();
        assert!(room_in_ms <= DAY_MS + SLICE_MS, "{room_in_ms}");
        assert_eq!(refused.room_at_ms, Some(to_ms + room_in_ms), "by the clock as it is now");
        device.wait(room_in_ms);
        device.charge(Budget::Reboots, 1).expect("nor does it block for ever");
    }
}

#[test]
fn a_reboot_resets_nothing() {
    let mut device = Device::with(Budget::Reboots, 1);
    device.charge(Budget::Reboots, 1).unwrap();
    device.reboot(HOUR_MS);
    let refused = device.charge(Budget::Reboots, 1).unwrap_err();
    assert_eq!(refused.room_in_ms, Some(DAY_MS - HOUR_MS + SLICE_MS), "the time that it was off counts");
    // It comes up with the clock of its making, until a server tells it the time.
    device.reboot(0);
    device.set(0);
    assert!(device.charge(Budget::Reboots, 1).is_err());
    device.wait(HOUR_MS);
    device.set(BEGIN_MS + YEAR_MS);
    assert!(device.charge(Budget::Reboots, 1).is_err(), "a clock that is put right in the same boot is no time");
    device.wait(DAY_MS);
    device.charge(Budget::Reboots, 1).unwrap();
}

#[test]
fn without_an_uptime_the_clock_is_all_there_is() {
    let mut device = Device::with(Budget::Reboots, 1);
    device.clocks.0.lock().unwrap().1 = None;
    device.charge(Budget::Reboots, 1).unwrap();
    device.set(BEGIN_MS - YEAR_MS);
    let refused = device.charge(Budget::Reboots, 1).unwrap_err();
    device.wait(refused.room_in_ms.unwrap());
    device.charge(Budget::Reboots, 1).expect("set back, it does not block for ever");
}

#[test]
fn a_ledger_does_not_grow() {
    let budgets = Budget::ALL.into_iter().fold(Budgets::default(), |all, budget| all.with(budget, u64::MAX));
    let mut device = Device::new(budgets);
    let mut longest = 0;
    for _ in 0..300 {
        for budget in Budget::ALL {
            device.charge(budget, 1_000_000_007).unwrap();
        }
        device.wait(SLICE_MS);
        longest = longest.max(device.kept.as_ref().unwrap().len());
    }
    assert!(longest < 16 << 10, "{longest}");
}

#[test]
fn what_is_no_ledger_is_refused() {
    let device = Device::with(Budget::Reboots, 1);
    let book = |kept: &str| device.allowance.book(Some(kept), &Entry::default());
    assert!(matches!(book("nonsense"), Err(NotBooked::Unreadable(_))));
    let newer = r#"{"format":2,"something":"else"}"#;
    assert!(book(newer).unwrap_err().to_string().contains("update remit"));
    let one = r#"{"format":1,"seen":{"wall-ms":1},"now-ms":0,"spent":{"reboots-per-day":{"0":1}}}"#;
    assert!(book(one).is_ok(), "what the first host wrote is read");
}
