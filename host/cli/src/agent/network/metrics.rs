//! What is counted, in the text form of OpenMetrics.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::executor::Executor;
use super::export::Counts;
use super::numbers::{Numbers, Usage};

/// However many ask, the executor is asked once a second.
const FRESH: Duration = Duration::from_secs(1);

/// The page that is served.
pub(super) struct Page {
    executor: Arc<Executor>,
    counts: Arc<Counts>,
    last: Mutex<Option<(Instant, Arc<str>)>>,
}

impl Page {
    pub(super) fn new(executor: Arc<Executor>, counts: Arc<Counts>) -> Self {
        Self { executor, counts, last: Mutex::default() }
    }

    /// The page as it is now. An executor that is away is a figure too.
    pub(super) async fn text(&self) -> Arc<str> {
        let mut last = self.last.lock().await;
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Arc::clone(text);
        }
        let executor = self.executor.numbers().await.ok();
        let exported = [&self.counts.exported, &self.counts.dropped].map(|it| it.load(Ordering::Relaxed));
        let text: Arc<str> = written(Sample { executor, own: Usage::own(), exported }).into();
        *last = Some((Instant::now(), Arc::clone(&text)));
        text
    }
}

/// What is counted at one time.
#[derive(Debug)]
struct Sample {
    executor: Option<Numbers>,
    own: Usage,
    /// Runs whose traces were sent, and those whose were not.
    exported: [u64; 2],
}

fn written(sample: Sample) -> String {
    let mut registry = Registry::with_prefix("remit");
    registry.register_collector(Box::new(sample));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

type Written = Result<(), fmt::Error>;

/// Each name, once.
struct Rows<'a>(DescriptorEncoder<'a>);

impl Rows<'_> {
    fn metric(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        rows: impl FnOnce(MetricEncoder<'_>) -> Written,
    ) -> Written {
        rows(self.0.encode_descriptor(name, help, None, kind)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> Written {
        self.metric(name, help, MetricType::Gauge, |it| ConstGauge::new(value).encode(it))
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> Written {
        self.metric(name, help, MetricType::Counter, |it| ConstCounter::new(value).encode(it))
    }

    /// One row for each name of a label.
    fn each<'l, M: EncodeMetric>(
        &mut self,
        (name, help): (&str, &str),
        label: &str,
        kind: MetricType,
        rows: impl Iterator<Item = (&'l str, M)>,
    ) -> Written {
        self.metric(name, help, kind, |mut it| {
            for (value, number) in rows {
                number.encode(it.encode_family(&[(label, value)])?)?;
            }
            Ok(())
        })
    }
}

impl Collector for Sample {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Written {
        let mut rows = Rows(encoder);
        rows.gauge("executor_up", "Whether the executor answers", self.executor.is_some().into())?;
        let [exported, dropped] = self.exported;
        rows.counter("traces_exported", "Runs whose traces a collector took", exported)?;
        rows.counter("traces_dropped", "Runs whose traces were given up, because no collector took them", dropped)?;
        let nothing = Numbers::default();
        let halves = [("executor", self.executor.as_ref().unwrap_or(&nothing).usage), ("network", self.own)];
        let here = halves.into_iter().filter(|(half, _)| *half == "network" || self.executor.is_some());
        let rss = ("rss_bytes", "Memory that a half of the agent has");
        rows.each(
            rss,
            "half",
            MetricType::Gauge,
            here.clone().map(|(half, it)| (half, ConstGauge::new(it.rss_bytes))),
        )?;
        let cpu = ("cpu_seconds", "Processor time that a half of the agent used");
        let seconds = here.map(|(half, it)| (half, ConstCounter::new(Duration::from_micros(it.cpu_us).as_secs_f64())));
        rows.each(cpu, "half", MetricType::Counter, seconds)?;
        let Some(numbers) = &self.executor else { return Ok(()) };
        let seconds = |ms: u64| Duration::from_millis(ms).as_secs();
        rows.gauge("executor_started_timestamp_seconds", "When the executor was started", seconds(numbers.since_ms))?;
        rows.gauge(
            "looked_timestamp_seconds",
            "When the executor last looked at what is due",
            seconds(numbers.looked_ms),
        )?;
        rows.gauge("runs_under_way", "Runs under way", numbers.runs_under_way)?;
        rows.gauge("runs_waiting", "Runs that wait", numbers.runs_waiting)?;
        rows.gauge("runs_suspended", "Runs that wait for a reboot", numbers.runs_suspended)?;
        rows.gauge("problems", "Files, orders and states that are wrong", numbers.problems)?;
        rows.gauge("orders", "Standing orders that hold", numbers.orders)?;
        rows.gauge("breakers_open", "Orders that are off until somebody looks", numbers.breakers)?;
        rows.gauge("spool_bytes", "Bytes that wait to be sent", numbers.spool_bytes)?;
        let ended = numbers.ended.iter().map(|(outcome, count)| (outcome.as_str(), ConstCounter::new(*count)));
        rows.each(("runs", "Runs that ended since the executor was started"), "outcome", MetricType::Counter, ended)?;
        let not_run = numbers.not_run.iter().map(|(reason, count)| (reason.as_str(), ConstCounter::new(*count)));
        let name = ("not_run", "Firings, events and runs that came to nothing since the executor was started");
        rows.each(name, "reason", MetricType::Counter, not_run)?;
        let left = numbers.budgets_left.iter().map(|(budget, left)| (budget.as_str(), ConstGauge::new(*left)));
        rows.each(("budget_left", "What the device's budgets leave"), "budget", MetricType::Gauge, left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_prometheus_reads() {
        let executor = Numbers {
            since_ms: 1_700_000_000_000,
            looked_ms: 1_700_000_060_000,
            ended: [("completed".to_owned(), 3), ("time\"out\n".to_owned(), 1)].into(),
            runs_waiting: 2,
            runs_under_way: 1,
            runs_suspended: 3,
            problems: 5,
            not_run: [("budget".to_owned(), 4), ("window".to_owned(), 1)].into(),
            orders: 50,
            breakers: 1,
            budgets_left: [("reboots".to_owned(), 2)].into(),
            spool_bytes: 4096,
            usage: Usage { rss_bytes: 20 << 20, cpu_us: 1_500_000 },
        };
        let own = Usage { rss_bytes: 5 << 20, cpu_us: 250_000 };
        let text = written(Sample { executor: Some(executor), own, exported: [7, 8] });
        let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            values,
            [
                "remit_executor_up 1",
                "remit_traces_exported_total 7",
                "remit_traces_dropped_total 8",
                "remit_rss_bytes{half=\"executor\"} 20971520",
                "remit_rss_bytes{half=\"network\"} 5242880",
                "remit_cpu_seconds_total{half=\"executor\"} 1.5",
                "remit_cpu_seconds_total{half=\"network\"} 0.25",
                "remit_executor_started_timestamp_seconds 1700000000",
                "remit_looked_timestamp_seconds 1700000060",
                "remit_runs_under_way 1",
                "remit_runs_waiting 2",
                "remit_runs_suspended 3",
                "remit_problems 5",
                "remit_orders 50",
                "remit_breakers_open 1",
                "remit_spool_bytes 4096",
                "remit_runs_total{outcome=\"completed\"} 3",
                "remit_runs_total{outcome=\"time\\\"out\\n\"} 1",
                "remit_not_run_total{reason=\"budget\"} 4",
                "remit_not_run_total{reason=\"window\"} 1",
                "remit_budget_left{budget=\"reboots\"} 2",
            ]
        );
        assert!(text.ends_with("# EOF\n") && text.contains("# TYPE remit_runs counter\n"), "{text}");
        let away = written(Sample { executor: None, own, exported: [0, 0] });
        assert!(away.contains("remit_executor_up 0\n") && !away.contains("remit_orders"), "{away}");
    }
}
