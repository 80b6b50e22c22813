//! Traces as a collector takes them: OTLP, in JSON. Ids are hex, and numbers of 64 bits are texts.

use serde::Serialize;
use serde_json::{Value, json};
use ulid::Ulid;

use super::trace::{PhaseTrace, RunTrace};

/// `SPAN_KIND_INTERNAL`: all of it happens inside of one process.
const INTERNAL: u32 = 1;
/// `STATUS_CODE_OK` and `STATUS_CODE_ERROR`.
const OK: u32 = 1;
const ERROR: u32 = 2;

/// One request for some runs of a device.
pub(super) fn request(runs: &[RunTrace]) -> Value {
    let device = runs.first().map(|it| it.device.as_str()).unwrap_or_default();
    let spans: Vec<Value> = runs.iter().flat_map(spans).collect();
    json!({
        "resourceSpans": [{
            "resource": { "attributes": [
                text("service.name", "remit"),
                text("service.version", crate::stamp::version()),
                text("service.instance.id", device),
            ] },
            "scopeSpans": [{ "scope": { "name": "remit", "version": crate::stamp::version() }, "spans": spans }],
        }],
    })
}

/// How many of them a collector says that it did not take.
pub(super) fn rejected(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let rejected = answer.pointer("/partialSuccess/rejectedSpans");
    rejected.and_then(|it| it.as_u64().or_else(|| it.as_str()?.parse().ok())).unwrap_or_default()
}

/// The run, its phases below it, and its calls below those.
fn spans(run: &RunTrace) -> Vec<Value> {
    let trace = trace_id(run);
    let span = |number: usize, parent: Option<usize>, name: String, (began_ns, ended_ns): (u64, u64)| {
        json!({
            "traceId": trace,
            "spanId": span_id(number),
            "parentSpanId": parent.map(span_id).unwrap_or_default(),
            "name": name,
            "kind": INTERNAL,
            "startTimeUnixNano": began_ns.to_string(),
            "endTimeUnixNano": ended_ns.max(began_ns).to_string(),
        })
    };
    let is_good = run.outcome == model::Outcome::Completed;
    let whole = with(
        span(0, None, format!("run {}", run.plugin), (ns(run.began_ms), ns(run.ended_ms))),
        json!([
            text("remit.run", &run.run.to_string()),
            text("remit.plugin", &run.plugin),
            text("remit.plugin.version", &run.version),
            text("remit.plugin.digest", &run.digest),
            text("remit.mode", &word(&run.mode)),
            text("remit.trigger", &word(&run.trigger)),
            text("remit.order", &run.order),
            text("remit.verdict", &word(&run.verdict)),
            text("remit.outcome", &word(&run.outcome)),
            { "key": "remit.calls.left-out", "value": { "intValue": run.calls_left_out.to_string() } },
        ]),
        match is_good {
            true => json!({ "code": OK }),
            false => json!({ "code": ERROR, "message": word(&run.outcome) }),
        },
    );
    let phases = run.phases.iter().enumerate().map(|(at, phase)| {
        let span = span(1 + at, Some(0), word(&phase.phase), (ns(phase.began_ms), ns(phase.ended_ms)));
        with(span, json!([]), json!({}))
    });
    let calls = run.calls.iter().enumerate().map(|(at, call)| {
        // Recorded to the millisecond when it was over, measured to the microsecond.
        let ended_ns = ns(call.ended_ms);
        let began_ns = ended_ns.saturating_sub(call.duration_us.saturating_mul(1_000));
        let of = |it: &PhaseTrace| it.phase == call.phase && it.began_ms <= call.ended_ms;
        let parent = run.phases.iter().rposition(of).map_or(0, |it| it + 1);
        let name = format!("{}.{}", call.interface, call.function);
        let span = span(1 + run.phases.len() + at, Some(parent), name, (began_ns, ended_ns));
        let attributes = json!([text("remit.interface", &call.interface), text("remit.function", &call.function)]);
        let status = call.error.as_ref().map(|code| json!({ "code": ERROR, "message": code }));
        with(span, attributes, status.unwrap_or_else(|| json!({})))
    });
    std::iter::once(whole).chain(phases).chain(calls).collect()
}

fn with(mut span: Value, attributes: Value, status: Value) -> Value {
    if let Some(fields) = span.as_object_mut() {
        fields.insert("attributes".to_owned(), attributes);
        fields.insert("status".to_owned(), status);
    }
    span
}

/// A run's id has as many bits as a trace's.
fn trace_id(run: &RunTrace) -> String {
    let text = run.run.to_string();
    let ulid = text.strip_prefix("run_").and_then(|it| Ulid::from_string(it).ok()).unwrap_or_default();
    format!("{:032x}", ulid.0)
}

/// Within one trace a number is enough; zero is none.
fn span_id(number: usize) -> String {
    format!("{:016x}", number + 1)
}

fn ns(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// As it is written everywhere else.
fn word(it: &impl Serialize) -> String {
    serde_json::to_value(it).ok().and_then(|it| it.as_str().map(str::to_owned)).unwrap_or_default()
}
