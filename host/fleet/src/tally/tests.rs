use super::*;
use crate::tests::{Dice, device, name, time};

const OUTCOMES: [(Outcome, Verdict, Option<&str>, Comes); 12] = [
    (Outcome::Completed, Verdict::Fixed, None, Comes::Well),
    (Outcome::Completed, Verdict::NonCompliant, None, Comes::Well),
    (Outcome::Completed, Verdict::NotApplicable, None, Comes::Well),
    (Outcome::Completed, Verdict::Recurred, None, Comes::Badly),
    (Outcome::Completed, Verdict::Unknown, None, Comes::Badly),
    (Outcome::Trap, Verdict::Unknown, None, Comes::Badly),
    (Outcome::Trap, Verdict::Fixed, None, Comes::Badly),
    (Outcome::Cancelled, Verdict::Unknown, None, Comes::Badly),
    (Outcome::Refused, Verdict::Unknown, Some("no-approval"), Comes::Badly),
    (Outcome::Refused, Verdict::Unknown, Some(NOT_MEANT), Comes::Aside),
    (Outcome::Trap, Verdict::Unknown, Some(NOT_MEANT), Comes::Badly),
    (Outcome::Suspended, Verdict::Unknown, None, Comes::NotYet),
];

fn result(sequence: u64, at: usize, minutes: i64) -> Ended {
    let (outcome, verdict, refused, comes) = OUTCOMES[at];
    assert_eq!(Comes::of(outcome, verdict, refused), comes, "{outcome} {verdict} {refused:?}");
    Ended {
        sequence,
        result: Digest::of(format!("{sequence} {at}").as_bytes()),
        comes,
        ended: time("2026-11-22T12:00:00Z").plus_seconds(minutes * 60),
        refused: refused.map(name),
    }
}

#[test]
fn of_each_device_the_latest_counts() {
    let mut tally = Tally::default();
    tally.add(device(1), 0, result(4, 5, 0));
    tally.add(device(1), 0, result(7, 0, 9));
    tally.add(device(1), 0, result(5, 5, 20));
    tally.add(device(2), 1, result(1, 8, 3));
    tally.add(device(3), 1, result(1, 9, 4));
    tally.add(device(4), 1, result(1, 11, 30));
    tally.add(device(5), 2, result(1, 0, 0));
    let counters = tally.counters(&[1, 4]);
    let at = |minutes: i64| Some(time("2026-11-22T12:00:00Z").plus_seconds(minutes * 60));
    assert_eq!(counters[0], Counters { devices: 1, well: 1, last: at(9), ..Counters::default() });
    let refused = [(name("no-approval"), 1), (name(NOT_MEANT), 1)].into();
    assert_eq!(counters[1], Counters { devices: 4, badly: 1, aside: 1, last: at(4), refused, ..Counters::default() });
    assert_eq!((counters[0].missing(), counters[1].missing()), (0, 2));
    assert_eq!(tally.of(&device(1)).map(|it| it.sequence), Some(7));
    assert_eq!(tally.latest().count(), 5);
}

#[test]
fn in_whatever_portions_it_is_folded_it_comes_to_the_same() {
    let rounds = if ::tests::soak!() { 20_000 } else { 300 };
    let mut dice = Dice(11);
    for round in 0..rounds {
        let log: Vec<(Device, u32, Ended)> = (0..1 + dice.below(60))
            .map(|_| {
                let (number, sequence) = (dice.below(12), dice.below(6));
                let minutes = i64::try_from(dice.below(500)).unwrap();
                let ended = result(u64::try_from(sequence).unwrap() + 1, dice.below(OUTCOMES.len()), minutes);
                (device(u32::try_from(number).unwrap()), u32::try_from(number % 3).unwrap(), ended)
            })
            .collect();
        let mut once = Tally::default();
        log.iter().cloned().for_each(|(device, ring, ended)| once.add(device, ring, ended));

        // Portions in any order and of any size, some of it twice, added to each other in any order.
        let mut portions = vec![Tally::default(); 1 + dice.below(5)];
        let repeats: Vec<usize> = (0..log.len()).chain((0..dice.below(40)).map(|_| dice.below(log.len()))).collect();
        let mut order = repeats;
        for at in (1..order.len()).rev() {
            order.swap(at, dice.below(at + 1));
        }
        for at in order {
            let (device, ring, ended) = log[at].clone();
            let portion = dice.below(portions.len());
            portions[portion].add(device, ring, ended);
        }
        while portions.len() > 1 {
            let portion = portions.swap_remove(dice.below(portions.len()));
            let into = dice.below(portions.len());
            portions[into].merge(portion);
        }
        assert_eq!(portions[0], once, "round {round}");
        assert_eq!(portions[0].counters(&[4, 4, 4]), once.counters(&[4, 4, 4]));
        let counters = once.counters(&[4, 4, 4]);
        assert!(counters.iter().all(|it| it.well + it.badly + it.aside + it.missing() == it.devices));
    }
}
