//! A hostile guest harms no other: beside each, a neighbour that works for 5 ms is due every 100 ms, on the same engine and the
//! same two threads, and always ends within 50 ms of being due.
//!
//! Time is shared with whatever else this machine does, so one late neighbour proves nothing. A guest is guilty when in each of
//! four tries a neighbour was late, and each time the machine did next to nothing else.
//!
//! The long form is for a machine that does nothing else: it lasts longer, and one late neighbour is enough.

mod hostile;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostile::table::{self, Ends, Guest, Row};
use hostile::{LAB, runtime};
use model::{Mode, Outcome};

/// Within this a neighbour ends.
const LATE: Duration = Duration::from_millis(50);
/// How often one is due.
const EVERY: Duration = Duration::from_millis(100);
/// How long there are neighbours beside a guest; one that ends sooner begins again.
const BESIDE: Duration = Duration::from_millis(450);
/// The same in the long form.
const BESIDE_LONG: Duration = Duration::from_secs(4);
/// What a neighbour's work takes of a processor.
const WORK_MS: u64 = 5;
/// Tries, until a guest is guilty.
const TRIES: u32 = 4;
/// Where others had more than this of the processors, what was late says nothing.
const OTHERS_PERCENT_MAX: u64 = 10;

#[test]
fn a_neighbour_ends_in_time_beside_every_guest() {
    let is_long = tests::soak!();
    let mut guilty = Vec::new();
    runtime().block_on(async {
        let rounds = calibrate().await;
        eprintln!("alone: {}, {rounds} rounds", neighbours(rounds, BESIDE, None).await);
        for row in table::all() {
            let row = Arc::new(row);
            let speaks_against_it = match is_long {
                true => is_late(rounds, &row).await,
                false => is_guilty(rounds, &row).await,
            };
            guilty.extend(speaks_against_it.map(|late| format!("{}: {late}", name(&row))));
        }
    });
    assert!(guilty.is_empty(), "neighbours were late beside:\n{}", guilty.join("\n"));
}

fn name(row: &Row) -> String {
    format!("{} at {}", row.guest.name(), row.limit)
}

/// What speaks against a guest where one late neighbour does.
async fn is_late(rounds: u64, row: &Arc<Row>) -> Option<String> {
    let beside = neighbours(rounds, BESIDE_LONG, Some(Arc::clone(row))).await;
    eprintln!("beside {}: {beside}", name(row));
    (beside.slowest > LATE).then(|| beside.to_string())
}

/// What speaks against a guest, if every try does.
async fn is_guilty(rounds: u64, row: &Arc<Row>) -> Option<String> {
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        let beside = neighbours(rounds, BESIDE, Some(Arc::clone(row))).await;
        eprintln!("beside {}: {beside}", name(row));
        if beside.slowest <= LATE || beside.others_percent > OTHERS_PERCENT_MAX {
            return None;
        }
        tries.push(beside.to_string());
    }
    Some(tries.join("; "))
}

/// How many rounds take a neighbour's time of a processor.
async fn calibrate() -> u64 {
    const ROUNDS: u64 = 100_000_000;
    let ran = LAB.run_guest(Guest::Act("work", Mode::Detect), ROUNDS, None).await;
    ROUNDS * WORK_MS / ran.ended.resources.cpu_ms.max(1)
}

/// How neighbours fared.
struct Neighbours {
    count: usize,
    slowest: Duration,
    /// What of the machine's processors others had meanwhile.
    others_percent: u64,
}

impl std::fmt::Display for Neighbours {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, slowest, others_percent } = self;
        write!(f, "{} ms for the slowest of {count}, others had {others_percent} %", slowest.as_millis())
    }
}

/// Neighbours for a while, beside a guest or alone.
async fn neighbours(rounds: u64, during: Duration, beside: Option<Arc<Row>>) -> Neighbours {
    let (before, until) = (Processors::now(), Instant::now() + during);
    let guest = beside.map(|row| {
        tokio::spawn(async move {
            loop {
                assert!(LAB.stopped(&row).await.ended_as(row.ends), "{}", row.limit);
                if Instant::now() >= until {
                    break;
                }
            }
        })
    });
    let mut started = Vec::new();
    let mut every = tokio::time::interval(EVERY);
    while Instant::now() < until || guest.as_ref().is_some_and(|guest| !guest.is_finished()) {
        let place = LAB.place().await;
        let ready = Instant::now();
        // The moment for which the clock was set: who starts it late has made it late.
        let due = every.tick().await.into_std().max(ready);
        started.push(tokio::spawn(LAB.neighbour(rounds, place, due)));
    }
    let (count, mut slowest) = (started.len(), Duration::ZERO);
    for neighbour in started {
        let ran = neighbour.await.unwrap();
        assert!(ran.ended_as(Ends::With(Outcome::Completed, "")));
        slowest = slowest.max(ran.took);
    }
    if let Some(guest) = guest {
        guest.await.unwrap();
    }
    Neighbours { count, slowest, others_percent: before.percent_of_others() }
}

/// What the processors have done since the machine was started, in the kernel's ticks.
struct Processors {
    all: u64,
    idle: u64,
    ours: u64,
}

impl Processors {
    fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/stat").unwrap();
        let of_all: Vec<u64> = stat.lines().next().unwrap().split(' ').filter_map(|it| it.parse().ok()).collect();
        let own = std::fs::read_to_string("/proc/self/stat").unwrap();
        // The name of the program may hold anything; what follows it does not.
        let own: Vec<&str> = own.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ours = own[11..13].iter().map(|it| it.parse::<u64>().unwrap()).sum();
        // Time given to guests of a hypervisor is in the user's already.
        Self { all: of_all[..8].iter().sum(), idle: of_all[3] + of_all[4], ours }
    }

    fn percent_of_others(&self) -> u64 {
        let now = Self::now();
        let (all, idle, ours) = (now.all - self.all, now.idle - self.idle, now.ours - self.ours);
        all.saturating_sub(idle + ours) * 100 / all.max(1)
    }
}
