//! Which firings are done with. There may be millions, so they are kept as spans of neighbours.

use serde::{Deserialize, Serialize};

/// The most spans that are kept. A new one begins where firings were missed, and they join when these are made up for, which
/// happens only after the clock was set back.
pub(crate) const SPANS_MAX: usize = 32;

/// Spans of firings from one to another, both included; in order, and with others between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(i64, i64)>")]
pub(crate) struct Spans(Vec<(i64, i64)>);

impl From<Vec<(i64, i64)>> for Spans {
    /// Whatever a file says becomes spans that are in order, apart and few.
    fn from(mut spans: Vec<(i64, i64)>) -> Self {
        spans.retain(|(from, to)| from <= to);
        spans.sort_unstable();
        let mut all = Self::default();
        for (from, to) in spans {
            match all.0.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => all.0.push((from, to)),
            }
        }
        while all.0.len() > SPANS_MAX {
            all.join(0);
        }
        all
    }
}

impl Spans {
    /// The last firing of the span that this one is in.
    pub(crate) fn end_of(&self, firing: i64) -> Option<i64> {
        let before = self.0.partition_point(|span| span.0 <= firing).checked_sub(1)?;
        self.0.get(before).map(|span| span.1).filter(|&to| firing <= to)
    }

    /// Adds one, with a function that knows which one follows another.
    pub(crate) fn add(&mut self, firing: i64, now_ms: i64, following: impl Fn(i64) -> Option<i64>) {
        if self.end_of(firing).is_some() {
            return;
        }
        let at = self.0.partition_point(|span| span.0 <= firing);
        let is_next =
            at.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|span| following(span.1) == Some(firing));
        let is_before = self.0.get(at).is_some_and(|span| following(firing) == Some(span.0));
        self.0.insert(at, (firing, firing));
        if is_before {
            self.join(at);
        }
        if is_next {
            self.join(at - 1);
        }
        if self.0.len() > SPANS_MAX {
            self.shrink(now_ms);
        }
    }

    /// What lies between spans, from after the first time up to the second.
    pub(crate) fn between(&self, after: i64, until: i64) -> Vec<(i64, i64)> {
        let mut holes = Vec::new();
        let mut last = after;
        for &(from, to) in self.0.iter().filter(|span| span.1 > after && span.0 <= until) {
            holes.push((last, from - 1));
            last = to;
        }
        holes.push((last, until));
        holes.retain(|hole| hole.0 < hole.1);
        holes
    }

    /// Gives the oldest hole up: what was missed there stays so, even if the clock is set back before it. Where all holes are
    /// still to come, because the clock was wrong, it is the one that is farthest away.
    fn shrink(&mut self, now_ms: i64) {
        let is_past = self.0.get(1).is_some_and(|span| span.0 <= now_ms);
        self.join(if is_past { 0 } else { self.0.len().saturating_sub(2) });
    }

    /// Makes one span of this and the next.
    fn join(&mut self, at: usize) {
        if at + 1 < self.0.len() {
            let next = self.0.remove(at + 1);
            if let Some(span) = self.0.get_mut(at) {
                span.1 = next.1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(spans: &mut Spans, firings: &[i64], now: i64) {
        for &firing in firings {
            spans.add(firing, now, |last| Some(last + 1));
        }
    }

    #[test]
    fn neighbours_join() {
        let mut spans = Spans::default();
        add(&mut spans, &[5, 6, 9, 3, 7, 6], 10);
        assert_eq!(spans.0, [(3, 3), (5, 7), (9, 9)]);
        assert_eq!(spans.between(0, 20), [(0, 2), (3, 4), (7, 8), (9, 20)]);
        assert_eq!(spans.between(5, 8), [(7, 8)]);
        add(&mut spans, &[4, 8], 10);
        assert_eq!(spans.0, [(3, 9)]);
        assert_eq!(
            (spans.end_of(2), spans.end_of(3), spans.end_of(9), spans.end_of(10)),
            (None, Some(9), Some(9), None)
        );
    }

    #[test]
    fn the_oldest_hole_is_given_up_and_none_around_now() {
        let mut spans = Spans::default();
        let last = 2 * i64::try_from(SPANS_MAX).unwrap();
        add(&mut spans, &(0..=last / 2).map(|at| 2 * at).collect::<Vec<_>>(), last);
        assert_eq!(spans.0.len(), SPANS_MAX);
        assert_eq!(spans.0[0], (0, 2));
        let mut ahead = Spans::default();
        add(&mut ahead, &(0..=last / 2).map(|at| 2 * at).collect::<Vec<_>>(), 1);
        assert_eq!(ahead.0[..2], [(0, 0), (2, 2)]);
        assert_eq!(ahead.0[SPANS_MAX - 1], (last - 2, last));
    }

    #[test]
    fn any_file_becomes_spans() {
        let spans = Spans::from(vec![(9, 12), (5, 3), (1, 4), (3, 10)]);
        assert_eq!(spans.0, [(1, 12)]);
        assert_eq!(Spans::from((0..1_000).map(|at| (2 * at, 2 * at)).collect::<Vec<_>>()).0.len(), SPANS_MAX);
    }
}
