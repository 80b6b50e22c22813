//! A hub that is killed at random moments of a fleet run, and at each point at which it writes: nothing is lost, nothing counted
//! twice, nothing run twice.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::Digest;
use simulator::crew::Stands;
use tests::Chance;
use tokio::time::{sleep, timeout};

use super::site::{Given, KILL, PATIENCE, Serving, Site, counted, doctor, until, wrong};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(20);

/// A run of the fleet, order by order.
struct Runs {
    site: Site,
    devices: u32,
    given: Vec<Given>,
    is_done: bool,
}

impl Runs {
    fn new(devices: u32) -> Self {
        Self { site: Site::new(), devices, given: Vec::new(), is_done: true }
    }

    /// Carries orders out, one after the other, until it is left: what was begun is begun again.
    async fn go_on(&mut self) -> anyhow::Result<()> {
        loop {
            if self.is_done {
                let given = self.site.order(self.devices);
                self.given.push(given);
                self.is_done = false;
            }
            self.finish().await?;
        }
    }

    /// Carries out what was begun.
    async fn finish(&mut self) -> anyhow::Result<()> {
        if let Some(given) = self.given.last() {
            self.site.carry_out(given).await?;
            self.is_done = true;
        }
        Ok(())
    }

    /// The same for so long. A hub that dies meanwhile ends it before.
    fn go_on_for(&mut self, time: Duration) {
        let handle = self.site.runtime.handle().clone();
        let _ = handle.block_on(async { timeout(time, self.go_on()).await });
    }

    /// The same until something is so.
    fn go_on_until(&mut self, mut is: impl FnMut() -> bool, what: &str) {
        let handle = self.site.runtime.handle().clone();
        handle.block_on(async {
            let seen = async {
                while !is() {
                    sleep(LOOK).await;
                }
            };
            let on = async {
                loop {
                    let _ = self.go_on().await;
                    sleep(LOOK).await;
                }
            };
            tokio::select! {
                () = seen => {}
                () = on => {}
                () = sleep(PATIENCE) => panic!("it took too long: {what}"),
            }
        });
    }

    /// Ends what was begun, however often it has to be asked for; why it does not, where it does not.
    fn end(&mut self) -> Result<(), String> {
        let (handle, mut why) = (self.site.runtime.handle().clone(), None);
        let ended = handle.block_on(async {
            let finish = async {
                while let Err(error) = self.finish().await {
                    why = Some(error);
                    sleep(LOOK).await;
                }
            };
            timeout(PATIENCE, finish).await
        });
        let shown = |given: &Given| handle.block_on(self.site.shown(given)).map_err(|error| error.to_string());
        ended.map_err(|_| format!("{why:?}; the hub has it at {:?}", self.given.last().map(shown)))
    }
}

fn serve(runs: &Runs) -> Serving {
    Serving::start(&runs.site.path(), None).unwrap()
}

/// The whole of it: kills a hub while its fleet runs, and holds what devices say against what the hub has.
fn kill(devices: u32, kills: impl FnOnce(&mut Runs) -> usize) {
    let mut runs = Runs::new(devices);
    let hub = serve(&runs);
    let token = runs.site.runtime.block_on(runs.site.token(devices));
    let crew = runs.site.crew_there(token, devices);
    let stands = || crew.counts().stands();
    hub.kill();
    let began = Instant::now();
    let count = kills(&mut runs);
    let took = began.elapsed();
    let hub = serve(&runs);
    let ended = runs.end();
    assert!(ended.is_ok(), "{ended:?}: {:#?}\n{:#?}", stands(), crew.counts().troubles());
    until(|| stands().values().all(|it| it.waiting == 0), "everything is told");
    hub.stop();
    let path = runs.site.path();
    assert_eq!(doctor(&path), [""; 0]);
    assert_eq!(wrong(&stands(), &runs.given, &counted(&path)), [""; 0]);
    eprintln!("{count} kills, {} orders to {devices} devices, {:.1} s", runs.given.len(), took.as_secs_f64());
}

#[test]
fn a_hub_that_is_killed_at_random_moments_loses_nothing_and_doubles_nothing() {
    let (kills, devices) = if tests::soak!() { (100, 40) } else { (6, 16) };
    let mut chance = Chance::new(tests::seed());
    kill(devices, |runs| {
        for _ in 0..kills {
            let hub = serve(runs);
            runs.go_on_for(Duration::from_millis(50 + chance.below(1_500)));
            hub.kill();
            // What is there right after, before anybody looked at it, and with a hub that serves again.
            let serving = serve(runs);
            assert_eq!(doctor(&runs.site.path()), [""; 0]);
            serving.kill();
        }
        kills
    });
}

#[test]
fn a_hub_that_dies_wherever_it_writes_loses_nothing_and_doubles_nothing() {
    let times: &[u32] = if tests::soak!() { &[1, 2, 3, 5] } else { &[1] };
    kill(12, |runs| {
        let mut count = 0;
        for point in hub::fail::POINTS {
            // A hub opens its tables once.
            let times = if point.ends_with("-schema") { &[1] } else { times };
            for time in times {
                let armed = format!("{point}:{time}");
                match Serving::start(&runs.site.path(), Some(&armed)) {
                    Err(signal) => assert_eq!(signal, KILL, "{armed}"),
                    Ok(mut hub) => {
                        runs.go_on_until(|| hub.died().is_some(), &armed);
                        assert_eq!(hub.died(), Some(KILL), "{armed}");
                    }
                }
                let serving = serve(runs);
                assert_eq!(doctor(&runs.site.path()), [""; 0], "{armed}");
                serving.kill();
                count += 1;
            }
        }
        count
    });
}

/// The control: what these tests look for is found.
#[test]
fn what_is_lost_or_done_twice_is_found() {
    let mut site = Site::new();
    let given = site.order(4);
    let well = Stands { name: "a".to_owned(), runs: BTreeMap::from([(given.digest, 1)]), signed: 2, waiting: 0 };
    let look = |it: &Stands, numbers: &[u64]| {
        let counted = BTreeMap::from([("a".to_owned(), numbers.to_vec())]);
        wrong(&BTreeMap::from([(0, it.clone())]), std::slice::from_ref(&given), &counted).len()
    };
    assert_eq!(look(&well, &[1, 2]), 0);
    for numbers in [&[1][..], &[2], &[1, 3], &[1, 1, 2], &[1, 2, 2], &[1, 2, 3], &[]] {
        assert_eq!(look(&well, numbers), 1, "{numbers:?}");
    }
    let twice = Stands { runs: BTreeMap::from([(given.digest, 2)]), ..well.clone() };
    let never = Stands { runs: BTreeMap::from([(Digest::of(b"another"), 1)]), ..well };
    assert_eq!((look(&twice, &[1, 2]), look(&never, &[1, 2])), (1, 1));
}
