//! The orders that are simulated: each as a person writes it, and once more as functions over local minutes, by hand.

use agent::{Device, Trigger};
use contract::Class;

/// A minute of somebody's wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    pub(crate) month: u32,
    pub(crate) day: u32,
    /// The length of the month.
    pub(crate) days: u32,
    /// Monday is 0.
    pub(crate) weekday: u32,
    pub(crate) hour: u32,
    pub(crate) minute: u32,
    /// Days since 1970.
    pub(crate) date: i64,
}

impl Local {
    fn is_workday(self) -> bool {
        self.weekday < 5
    }

    /// Minutes of the day, between a beginning and an end on the same day.
    fn is_between(self, from: (u32, u32), to: (u32, u32)) -> bool {
        let minutes = |(hour, minute): (u32, u32)| hour * 60 + minute;
        (minutes(from)..minutes(to)).contains(&minutes((self.hour, self.minute)))
    }

    fn weekday_of(self, day: u32) -> u32 {
        (self.weekday + 35 + day - self.day) % 7
    }
}

pub(crate) type Minutes = fn(Local) -> bool;

/// A window as the oracle has it.
pub(crate) struct Open {
    /// None: allowed. Otherwise the blackout's name.
    pub(crate) blackout: Option<Option<&'static str>>,
    pub(crate) zone: &'static str,
    pub(crate) holds: Minutes,
}

pub(crate) struct Order {
    pub(crate) name: &'static str,
    pub(crate) class: Class,
    pub(crate) trigger: &'static str,
    /// The device's own windows.
    pub(crate) calendars: &'static str,
    pub(crate) zone: &'static str,
    /// Whether it means every hour.
    pub(crate) is_pace: bool,
    pub(crate) matches: Minutes,
    pub(crate) jitter_ms: i64,
    pub(crate) start_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) misfire: Misfire,
    pub(crate) overlap: Overlap,
    /// Those of the order and those of the device.
    pub(crate) windows: [&'static [Open]; 2],
}

#[derive(Clone, Copy)]
pub(crate) enum Misfire {
    Skip,
    Once,
    All(usize),
    Within(i64),
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Overlap {
    Skip,
    Queue,
    Replace,
}

impl Order {
    pub(crate) fn trigger(&self) -> Trigger {
        toml::from_str(self.trigger).unwrap()
    }

    pub(crate) fn device(&self, key: [u8; 32]) -> Device {
        let calendars = if self.calendars.is_empty() { vec![] } else { vec![toml::from_str(self.calendars).unwrap()] };
        Device { key, calendars }
    }
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

const PLAIN: Order = Order {
    name: "",
    class: Class::L1,
    trigger: "",
    calendars: "",
    zone: "Europe/Berlin",
    is_pace: false,
    matches: |_| false,
    jitter_ms: 0,
    start_ms: i64::MIN,
    expires_ms: i64::MAX,
    misfire: Misfire::Once,
    overlap: Overlap::Skip,
    windows: [&[], &[]],
};

pub(crate) const ORDERS: &[Order] = &[
    Order {
        name: "pace",
        trigger: r#"cron = "*/5 * * * *"
            zone = "Europe/Berlin""#,
        is_pace: true,
        matches: |it| it.minute % 5 == 0,
        ..PLAIN
    },
    Order {
        name: "daily in the gap",
        trigger: r#"cron = "30 2 * * *"
            zone = "Europe/Berlin"
            jitter = "30m""#,
        matches: |it| it.hour == 2 && it.minute == 30,
        jitter_ms: 30 * MINUTE,
        ..PLAIN
    },
    Order {
        name: "squeezed",
        trigger: r#"cron = "30 1 * * mon-fri"
            zone = "America/New_York"
            jitter = "2h"
            misfire = "skip"
            allowed = [{ weekly = "daily 00:00-03:00" }]"#,
        zone: "America/New_York",
        matches: |it| it.is_workday() && it.hour == 1 && it.minute == 30,
        jitter_ms: 2 * HOUR,
        misfire: Misfire::Skip,
        windows: [&[Open { blackout: None, zone: "America/New_York", holds: |it| it.hour < 3 }], &[]],
        ..PLAIN
    },
    Order {
        name: "half an hour",
        trigger: r#"cron = "15,45 1-2 * * *"
            zone = "Australia/Lord_Howe"
            misfire = "run-all(3)"
            overlap = "queue""#,
        zone: "Australia/Lord_Howe",
        matches: |it| (1..=2).contains(&it.hour) && [15, 45].contains(&it.minute),
        misfire: Misfire::All(3),
        overlap: Overlap::Queue,
        ..PLAIN
    },
    Order {
        name: "every other hour",
        trigger: r#"cron = "0 */2 * * *"
            zone = "Australia/Lord_Howe"
            misfire = "run-all(2)"
            overlap = "replace"
            jitter = "90s""#,
        zone: "Australia/Lord_Howe",
        matches: |it| it.hour % 2 == 0 && it.minute == 0,
        jitter_ms: 90_000,
        misfire: Misfire::All(2),
        overlap: Overlap::Replace,
        ..PLAIN
    },
    Order {
        name: "office",
        class: Class::L3,
        trigger: r#"cron = "*/30 9-17 * * mon-fri"
            zone = "Asia/Kathmandu"
            misfire = "run-once-if-within(4h)"
            blackout = [
                { name = "freeze", dates = "2027-12-20/2028-01-06", classes = ["L3", "L4"] },
                { name = "evening", dates = "2028-03-01T16:00/2028-03-10T11:00", zone = "UTC" },
                { name = "not this one", weekly = "daily 00:00-24:00", classes = ["L4"] },
            ]"#,
        zone: "Asia/Kathmandu",
        matches: |it| it.is_workday() && (9..=17).contains(&it.hour) && it.minute % 30 == 0,
        misfire: Misfire::Within(4 * HOUR),
        windows: [
            &[
                // 2027-12-20 is day 21,172 since 1970, 2028-03-01 is day 21,244.
                Open {
                    blackout: Some(Some("freeze")),
                    zone: "Asia/Kathmandu",
                    holds: |it| (21_172..=21_189).contains(&it.date),
                },
                Open {
                    blackout: Some(Some("evening")),
                    zone: "UTC",
                    holds: |it| {
                        (it.date == 21_244 && it.hour >= 16)
                            || (21_245..21_253).contains(&it.date)
                            || (it.date == 21_253 && it.hour < 11)
                    },
                },
            ],
            &[],
        ],
        ..PLAIN
    },
    Order {
        name: "second Friday",
        class: Class::L2,
        trigger: r#"cron = "0 2 * * fri#2"
            zone = "Europe/Berlin"
            jitter = "1h""#,
        calendars: r#"zone = "Europe/Berlin"
            allowed = [{ weekly = "fri-sun 01:00-05:00", classes = ["L2"] }, { weekly = "mon 00:00-01:00", classes = ["L1"] }]"#,
        matches: |it| it.weekday == 4 && (8..=14).contains(&it.day) && it.hour == 2 && it.minute == 0,
        jitter_ms: HOUR,
        windows: [
            &[],
            &[Open {
                blackout: None,
                zone: "Europe/Berlin",
                holds: |it| it.weekday >= 4 && it.is_between((1, 0), (5, 0)),
            }],
        ],
        ..PLAIN
    },
    Order {
        name: "last day",
        trigger: r#"cron = "0 3 L * *"
            zone = "America/New_York"
            misfire = "run-once-if-within(2d)""#,
        zone: "America/New_York",
        matches: |it| it.day == it.days && it.hour == 3 && it.minute == 0,
        misfire: Misfire::Within(48 * HOUR),
        ..PLAIN
    },
    Order {
        name: "leap day",
        trigger: r#"cron = "0 12 29 2 *"
            zone = "Pacific/Apia""#,
        zone: "Pacific/Apia",
        matches: |it| it.month == 2 && it.day == 29 && it.hour == 12 && it.minute == 0,
        ..PLAIN
    },
    Order {
        name: "another zone's nights",
        trigger: r#"cron = "5 * * * *"
            zone = "America/New_York"
            jitter = "20m"
            misfire = "run-all(5)"
            overlap = "queue"
            allowed = [{ weekly = "mon-fri 22:00-06:00", zone = "Europe/Berlin" }]"#,
        zone: "America/New_York",
        is_pace: true,
        matches: |it| it.minute == 5,
        jitter_ms: 20 * MINUTE,
        misfire: Misfire::All(5),
        overlap: Overlap::Queue,
        windows: [
            &[Open {
                blackout: None,
                zone: "Europe/Berlin",
                holds: |it| (it.hour >= 22 && it.weekday < 5) || (it.hour < 6 && (1..6).contains(&it.weekday)),
            }],
            &[],
        ],
        ..PLAIN
    },
    Order {
        name: "nearest weekday",
        trigger: r#"cron = "0 4 15W * *"
            zone = "Europe/Berlin""#,
        matches: |it| {
            let meant = match it.weekday_of(15) {
                5 => 14,
                6 => 16,
                _ => 15,
            };
            it.day == meant && it.hour == 4 && it.minute == 0
        },
        ..PLAIN
    },
    Order {
        name: "every minute of five days",
        trigger: r#"cron = "* * * * *"
            zone = "America/New_York"
            start = "2027-11-05T00:00:00Z"
            expires = "2027-11-10T00:00:00Z"
            misfire = "run-all(100)""#,
        zone: "America/New_York",
        is_pace: true,
        matches: |_| true,
        start_ms: 1_825_372_800_000,
        expires_ms: 1_825_804_800_000,
        misfire: Misfire::All(100),
        ..PLAIN
    },
    Order {
        name: "either day",
        trigger: r#"cron = "59 23 13,31 * +fri"
            zone = "Pacific/Apia"
            overlap = "queue""#,
        zone: "Pacific/Apia",
        matches: |it| [13, 31].contains(&it.day) && it.weekday == 4 && it.hour == 23 && it.minute == 59,
        overlap: Overlap::Queue,
        ..PLAIN
    },
    Order {
        name: "more jitter than time",
        class: Class::L4,
        trigger: r#"cron = "7 */2 * * *"
            zone = "Europe/Berlin"
            jitter = "3h"
            misfire = "run-once-if-within(1h)"
            overlap = "replace"
            allowed = [{ weekly = "daily 06:00-15:00" }, { weekly = "daily 15:00-20:00" }]"#,
        calendars: r#"zone = "Europe/Berlin"
            blackout = [{ name = "lunch", weekly = "sun 12:00-13:00" }]"#,
        matches: |it| it.hour % 2 == 0 && it.minute == 7,
        jitter_ms: 3 * HOUR,
        misfire: Misfire::Within(HOUR),
        overlap: Overlap::Replace,
        windows: [
            &[
                Open { blackout: None, zone: "Europe/Berlin", holds: |it| it.is_between((6, 0), (15, 0)) },
                Open { blackout: None, zone: "Europe/Berlin", holds: |it| it.is_between((15, 0), (20, 0)) },
            ],
            &[Open {
                blackout: Some(Some("lunch")),
                zone: "Europe/Berlin",
                holds: |it| it.weekday == 6 && it.hour == 12,
            }],
        ],
        ..PLAIN
    },
];
