//! Samples, and what is said of them.

use std::time::{Duration, Instant};

use serde::Serialize;

/// Many measurements of the same thing, in one unit.
#[derive(Clone, Serialize)]
pub(crate) struct Sample {
    /// Half of them are below.
    pub(crate) median: f64,
    /// A tenth is below.
    pub(crate) low: f64,
    /// A tenth is above.
    pub(crate) high: f64,
    /// How many there are.
    pub(crate) count: usize,
}

impl Sample {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        Self { median: at(0.5), low: at(0.1), high: at(0.9), count: values.len() }
    }
}

/// Measures both in turns, so that what else the machine does meets both alike. The first tenth warms up, and is left out.
pub(crate) fn in_turns(
    count: usize,
    mut baseline: impl FnMut() -> f64,
    mut subject: impl FnMut() -> f64,
) -> (Sample, Sample) {
    let warm_up = count / 10;
    let (mut of_baseline, mut of_subject) = (Vec::new(), Vec::new());
    for at in 0..warm_up + count {
        let pair = (baseline(), subject());
        if at >= warm_up {
            of_baseline.push(pair.0);
            of_subject.push(pair.1);
        }
    }
    (Sample::of(of_baseline), Sample::of(of_subject))
}

/// How long something takes, in microseconds.
pub(crate) fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    micros(began.elapsed())
}

pub(crate) fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
