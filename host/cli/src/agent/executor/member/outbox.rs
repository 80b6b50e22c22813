//! What this device has to say, until the hub has it: numbered, durable, and bounded.

use std::collections::VecDeque;

use bus::{Ack, BATCH_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGES_MAX, Spool, Taken};
use model::Digest;
use serde::{Deserialize, Serialize};
use store::Store;
use trust::Name;

use super::{OWN, Rows};
use crate::agent::protocol::Said;

/// What waits, by its number.
pub(super) const OUTBOX: &str = "fleet-outbox";

/// What the hub has, by the same number: it may come back out of a backup that was made before.
const TOLD: &str = "fleet-told";

/// The row of which restore of the hub it was told again after.
const RESTORED: &str = "restored";

/// The row of how far is counted.
const SPOOL: &str = "spool";

/// The most messages that wait: a device that is away for weeks has fewer to say that count. Beyond it, the oldest go that may:
/// details, facts, and results of standing orders, whose chain shows that they are missing.
const WAITING_MAX: usize = 8_192;

/// The most bytes of them: a tenth of what runs may leave.
const BYTES_MAX: u64 = 32 << 20;

/// The most messages that are kept though the hub has them: what a busy device tells in some days. Beyond it, the oldest go;
/// results last.
const TOLD_MAX: usize = 1_024;

/// The most bytes of them.
const TOLD_BYTES_MAX: u64 = 4 << 20;

/// How many rows are read at once.
const PAGE: u32 = 500;

/// What waits, without what it says.
#[derive(Debug)]
pub(super) struct Outbox {
    spool: Spool,
    next: u64,
    waiting: VecDeque<Waiting>,
    bytes: u64,
    /// What the hub has, and is kept.
    told: VecDeque<Waiting>,
    told_bytes: u64,
    /// Which restore of the hub it was told again after.
    restored: Option<Digest>,
    /// How many had to go since this process began.
    pub(super) lost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    sequence: u64,
    bytes: u64,
    may_go: bool,
}

/// A message, as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Kept {
    kind: Name,
    body: String,
    /// Whether it goes before another one that has to stay.
    may_go: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Counted {
    spool: Spool,
    next: u64,
}

impl Outbox {
    /// What was kept. Where nothing was, its spool is drawn: whoever lost their state says nothing under a number that was used.
    pub(super) fn open(store: &Store, now_ms: u64) -> anyhow::Result<Self> {
        let counted = store.get(OWN, SPOOL, now_ms)?;
        let counted = counted.map(|it| serde_json::from_str::<Counted>(&it.value)).transpose()?;
        let counted = counted.unwrap_or_else(|| Counted { spool: Spool(rand::random()), next: 1 });
        let restored = store.get(OWN, RESTORED, now_ms)?.map(|it| it.value.parse()).transpose()?;
        let mut outbox = Self {
            spool: counted.spool,
            next: counted.next,
            waiting: VecDeque::new(),
            bytes: 0,
            told: VecDeque::new(),
            told_bytes: 0,
            restored,
            lost: 0,
        };
        each(OUTBOX, store, now_ms, |sequence, kept| outbox.count(sequence, &kept))?;
        each(TOLD, store, now_ms, |sequence, kept| outbox.count_told(sequence, &kept))?;
        Ok(outbox)
    }

    fn count(&mut self, sequence: u64, kept: &Kept) {
        let bytes = kept.body.len() as u64;
        self.bytes += bytes;
        self.waiting.push_back(Waiting { sequence, bytes, may_go: kept.may_go });
    }

    fn count_told(&mut self, sequence: u64, kept: &Kept) {
        let bytes = kept.body.len() as u64;
        self.told_bytes += bytes;
        let at = self.told.partition_point(|it| it.sequence < sequence);
        self.told.insert(at, Waiting { sequence, bytes, may_go: !kept.is_result() });
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether so much waits that nothing more may stay: no order is looked at until some of it left.
    pub(super) fn is_full(&self) -> bool {
        let stays = self.waiting.iter().filter(|it| !it.may_go).count();
        stays >= WAITING_MAX / 2
    }

    /// One more thing to say. What may go makes room, the oldest first; that nothing is lost without a trace is for the chain.
    pub(super) fn push(&mut self, kind: Name, body: String, may_go: bool, rows: &mut Rows) {
        // No hub takes it, and it would be in the way of all that comes after it.
        if may_go && body.len() > MESSAGE_BYTES_MAX {
            self.lost += 1;
            return;
        }
        let sequence = self.next;
        self.next += 1;
        let kept = Kept { kind, body, may_go };
        self.count(sequence, &kept);
        rows.put(OUTBOX, key(sequence), serde_json::to_string(&kept).unwrap_or_default());
        self.keep_count(rows);
        while self.waiting.len() > WAITING_MAX || self.bytes > BYTES_MAX {
            let Some(at) = self.waiting.iter().position(|it| it.may_go) else { break };
            let Some(gone) = self.waiting.remove(at) else { break };
            self.bytes = self.bytes.saturating_sub(gone.bytes);
            self.lost += 1;
            rows.gone(OUTBOX, key(gone.sequence));
        }
    }

    fn keep_count(&self, rows: &mut Rows) {
        let counted = Counted { spool: self.spool, next: self.next };
        rows.put(OWN, SPOOL.to_owned(), serde_json::to_string(&counted).unwrap_or_default());
    }

    /// The first of what waits, as much as goes at once. All of it is durable.
    pub(super) fn first(&self, store: &Store, now_ms: u64) -> anyhow::Result<Vec<Said>> {
        let Some(front) = self.waiting.front() else { return Ok(Vec::new()) };
        let after = front.sequence.checked_sub(1).map(key).unwrap_or_default();
        let most = u32::try_from(MESSAGES_MAX).unwrap_or(u32::MAX);
        let (mut said, mut bytes) = (Vec::new(), 0);
        for row in store.list(OUTBOX, "", &after, most, now_ms)? {
            let kept: Kept = serde_json::from_str(&row.value)?;
            bytes += kept.body.len();
            if !said.is_empty() && bytes > BATCH_BYTES_MAX {
                break;
            }
            let sequence = u64::from_str_radix(&row.key, 16)?;
            said.push(Said { spool: self.spool, sequence, kind: kept.kind, body: kept.body });
        }
        Ok(said)
    }

    /// What the hub has is let go of. What it has otherwise under that number is said again from a new spool: the state of this
    /// machine came back out of a copy. Everything before must be durable.
    pub(super) fn acked(&mut self, acks: &[Ack], store: &Store, now_ms: u64, rows: &mut Rows) -> anyhow::Result<()> {
        let of_ours = |it: &&Ack| it.spool == self.spool;
        let differs = acks.iter().filter(of_ours).any(|it| it.taken == Taken::Differs);
        let taken: Vec<u64> =
            acks.iter().filter(of_ours).filter(|it| it.taken != Taken::Differs).map(|it| it.sequence).collect();
        for sequence in taken {
            if let Ok(at) = self.waiting.binary_search_by_key(&sequence, |it| it.sequence)
                && let Some(gone) = self.waiting.remove(at)
            {
                self.bytes = self.bytes.saturating_sub(gone.bytes);
                rows.gone(OUTBOX, key(sequence));
                self.keep_told(sequence, store, now_ms, rows)?;
            }
        }
        if differs {
            self.begin_anew(store, now_ms, rows)?;
        }
        Ok(())
    }

    /// What the hub has is kept for a while. Facts are not: they are told whole.
    fn keep_told(&mut self, sequence: u64, store: &Store, now_ms: u64, rows: &mut Rows) -> anyhow::Result<()> {
        let Some(row) = store.get(OUTBOX, &key(sequence), now_ms)? else { return Ok(()) };
        let kept: Kept = serde_json::from_str(&row.value)?;
        if kept.kind.as_str() == "facts" {
            return Ok(());
        }
        self.count_told(sequence, &kept);
        rows.put(TOLD, key(sequence), row.value);
        while self.told.len() > TOLD_MAX || self.told_bytes > TOLD_BYTES_MAX {
            let at = self.told.iter().position(|it| it.may_go).unwrap_or(0);
            let Some(gone) = self.told.remove(at) else { break };
            self.told_bytes = self.told_bytes.saturating_sub(gone.bytes);
            rows.gone(TOLD, key(gone.sequence));
        }
        Ok(())
    }

    /// The hub says that it came out of a backup: what it was told and is kept is told again, under the numbers that it had, once for
    /// each such restore. What it has of that it knows again. Whether it is a restore that was not known.
    pub(super) fn restored(
        &mut self,
        restored: Digest,
        store: &Store,
        now_ms: u64,
        rows: &mut Rows,
    ) -> anyhow::Result<bool> {
        if self.restored == Some(restored) {
            return Ok(false);
        }
        let mut again = Vec::new();
        each(TOLD, store, now_ms, |sequence, kept| again.push((sequence, kept)))?;
        for (sequence, kept) in again {
            rows.gone(TOLD, key(sequence));
            if self.waiting.binary_search_by_key(&sequence, |it| it.sequence).is_ok() {
                continue;
            }
            rows.put(OUTBOX, key(sequence), serde_json::to_string(&kept)?);
            self.count(sequence, &kept);
        }
        self.waiting.make_contiguous().sort_unstable_by_key(|it| it.sequence);
        (self.told, self.told_bytes) = (VecDeque::new(), 0);
        self.restored = Some(restored);
        rows.put(OWN, RESTORED.to_owned(), restored.to_string());
        Ok(true)
    }

    fn begin_anew(&mut self, store: &Store, now_ms: u64, rows: &mut Rows) -> anyhow::Result<()> {
        tracing::error!(
            spool = %self.spool,
            "the hub knows other words under these numbers: was this machine put back to an earlier state, or copied?"
        );
        let left: Vec<u64> = self.waiting.iter().map(|it| it.sequence).collect();
        let mut kept = Vec::new();
        each(OUTBOX, store, now_ms, |sequence, row| {
            if left.binary_search(&sequence).is_ok() {
                kept.push((sequence, row));
            }
        })?;
        (self.spool, self.bytes) = (Spool(rand::random()), 0);
        self.waiting.clear();
        // Under the numbers that they had: a number says nothing of how many there were.
        kept.iter().for_each(|(sequence, row)| self.count(*sequence, row));
        self.keep_count(rows);
        Ok(())
    }
}

impl Kept {
    fn is_result(&self) -> bool {
        self.kind.as_str() == "result"
    }
}

fn each(collection: &str, store: &Store, now_ms: u64, mut each: impl FnMut(u64, Kept)) -> anyhow::Result<()> {
    let mut after = String::new();
    loop {
        let page = store.list(collection, "", &after, PAGE, now_ms)?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.key);
        for row in &page {
            each(u64::from_str_radix(&row.key, 16)?, serde_json::from_str(&row.value)?);
        }
    }
}

/// Sorts as the number does.
fn key(sequence: u64) -> String {
    format!("{sequence:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        store: Store,
        outbox: Outbox,
        rows: Rows,
    }

    impl Bench {
        fn new() -> Self {
            let store = Store::in_memory().unwrap();
            Self { outbox: Outbox::open(&store, 1).unwrap(), store, rows: Rows::default() }
        }

        fn push(&mut self, body: &str, may_go: bool) {
            self.outbox.push("result".parse().unwrap(), body.to_owned(), may_go, &mut self.rows);
        }

        fn settle(&mut self) {
            self.store.write(&std::mem::take(&mut self.rows).writes(), 1).unwrap().unwrap();
        }

        fn first(&self) -> Vec<(u64, String)> {
            let first = self.outbox.first(&self.store, 1).unwrap();
            first.into_iter().map(|it| (it.sequence, it.body)).collect()
        }

        fn ack(&mut self, sequence: u64, taken: Taken) {
            let ack = Ack { spool: self.outbox.spool, sequence, taken };
            self.outbox.acked(&[ack], &self.store, 1, &mut self.rows).unwrap();
            self.settle();
        }
    }

    #[test]
    fn what_waits_is_said_until_it_is_acknowledged_also_after_a_start() {
        let mut bench = Bench::new();
        ["a", "b", "c"].into_iter().for_each(|it| bench.push(it, false));
        bench.settle();
        let all = [(1, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())];
        assert_eq!(bench.first(), all);
        bench.ack(2, Taken::Known);
        bench.ack(9, Taken::New);
        let other = Ack { spool: Spool(bench.outbox.spool.0 ^ 1), sequence: 1, taken: Taken::New };
        bench.outbox.acked(&[other], &bench.store, 1, &mut bench.rows).unwrap();
        let spool = bench.outbox.spool;
        bench.outbox = Outbox::open(&bench.store, 1).unwrap();
        assert_eq!((bench.outbox.spool, bench.outbox.len()), (spool, 2));
        assert_eq!(bench.first(), [all[0].clone(), all[2].clone()]);
        bench.push("d", false);
        bench.settle();
        assert_eq!(bench.first().last().unwrap().0, 4, "no number is used twice");
    }

    #[test]
    fn what_no_hub_takes_keeps_nothing_else_back() {
        let mut bench = Bench::new();
        bench.push(&"x".repeat(MESSAGE_BYTES_MAX + 1), true);
        bench.push(&"x".repeat(MESSAGE_BYTES_MAX), true);
        assert_eq!((bench.outbox.len(), bench.outbox.lost), (1, 1));
    }

    #[test]
    fn a_machine_that_was_put_back_says_it_under_another_spool() {
        let mut bench = Bench::new();
        ["a", "b"].into_iter().for_each(|it| bench.push(it, false));
        bench.settle();
        let before = bench.outbox.spool;
        bench.ack(1, Taken::New);
        assert_eq!(bench.outbox.spool, before, "the control");
        bench.ack(2, Taken::Differs);
        assert_ne!(bench.outbox.spool, before);
        assert_eq!(bench.first(), [(2, "b".to_owned())]);
        let again = Outbox::open(&bench.store, 1).unwrap();
        assert_eq!((again.spool, again.len()), (bench.outbox.spool, 1));
    }

    #[test]
    fn what_a_hub_had_is_told_again_once_when_it_comes_out_of_a_backup() {
        let mut bench = Bench::new();
        ["a", "b", "c"].into_iter().for_each(|it| bench.push(it, false));
        bench.outbox.push("facts".parse().unwrap(), "facts".to_owned(), true, &mut bench.rows);
        bench.settle();
        [1, 2, 4].into_iter().for_each(|sequence| bench.ack(sequence, Taken::New));
        assert_eq!(bench.first(), [(3, "c".to_owned())], "the control");
        let restored = |bench: &mut Bench, word: &[u8]| {
            let done = bench.outbox.restored(Digest::of(word), &bench.store, 1, &mut bench.rows).unwrap();
            bench.settle();
            done
        };
        // Also after a start: what is kept lies on the disk.
        bench.outbox = Outbox::open(&bench.store, 1).unwrap();
        assert!(restored(&mut bench, b"one"));
        let all = [(1, "a".to_owned()), (2, "b".to_owned()), (3, "c".to_owned())];
        assert_eq!(bench.first(), all);
        [1, 2, 3].into_iter().for_each(|sequence| bench.ack(sequence, Taken::Known));
        bench.outbox = Outbox::open(&bench.store, 1).unwrap();
        assert!(!restored(&mut bench, b"one"), "once for each restore");
        assert_eq!((bench.outbox.len(), bench.outbox.told.len()), (0, 3));
        assert!(restored(&mut bench, b"another"));
        assert_eq!(bench.first(), all);
    }

    #[test]
    fn what_is_kept_of_what_the_hub_has_is_bounded_and_results_go_last() {
        let mut bench = Bench::new();
        bench.push("the first result", false);
        for _ in 0..TOLD_MAX {
            bench.outbox.push("ticket".parse().unwrap(), "one".to_owned(), true, &mut bench.rows);
        }
        bench.settle();
        let spool = bench.outbox.spool;
        let acks: Vec<Ack> =
            (1..=TOLD_MAX as u64 + 1).map(|sequence| Ack { spool, sequence, taken: Taken::New }).collect();
        bench.outbox.acked(&acks, &bench.store, 1, &mut bench.rows).unwrap();
        bench.settle();
        assert_eq!((bench.outbox.len(), bench.outbox.told.len()), (0, TOLD_MAX));
        assert_eq!(bench.outbox.told.iter().take(2).map(|it| it.sequence).collect::<Vec<_>>(), [1, 3]);
        let large = "x".repeat(1 << 20);
        for _ in 0..6 {
            bench.push(&large, false);
            bench.settle();
            let sequence = bench.outbox.next - 1;
            bench.ack(sequence, Taken::New);
        }
        assert!(bench.outbox.told_bytes <= TOLD_BYTES_MAX);
        assert_eq!(Outbox::open(&bench.store, 1).unwrap().told.len(), bench.outbox.told.len());
    }

    #[test]
    fn what_may_go_makes_room_and_what_must_stay_has_no_more_begin() {
        let mut bench = Bench::new();
        bench.push("stays", false);
        for _ in 0..WAITING_MAX {
            bench.push("goes", true);
        }
        bench.settle();
        assert_eq!((bench.outbox.len(), bench.outbox.lost), (WAITING_MAX, 1));
        assert_eq!(bench.first()[..2], [(1, "stays".to_owned()), (3, "goes".to_owned())]);
        assert!(!bench.outbox.is_full());
        for _ in 0..WAITING_MAX / 2 - 1 {
            bench.push("stays", false);
        }
        assert!(bench.outbox.is_full());
        bench.settle();
        assert_eq!(Outbox::open(&bench.store, 1).unwrap().len(), bench.outbox.len());
        let large = "x".repeat(1 << 20);
        (0..40).for_each(|_| bench.push(&large, true));
        assert!(bench.outbox.bytes <= BYTES_MAX);
    }
}
