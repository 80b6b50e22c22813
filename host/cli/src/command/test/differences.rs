//! What is not as a fixture expects it, a line each.

use std::time::{Duration, Instant};

use backends::Device;
use backends::ticket::{Filter, Tickets};
use contract::files::GetEntry;
use contract::kv::GetValue;
use contract::service::GetService;
use contract::ticket::Status;
use contract::types::Finding;
use contract::{Context, files, kv, service};
use model::EffectRecord;
use serde_json::Value;

use super::form::{After, AfterFile, Expect, ExpectedEffect, ExpectedFinding};
use super::observed::Observed;

/// Everything in which a run is not as expected.
pub(super) fn all(expect: &Expect, observed: &Observed) -> Vec<String> {
    let mut lines = Vec::new();
    if observed.outcome != expect.outcome {
        lines.push(format!("outcome `{}`, not `{}`: {}", observed.outcome, expect.outcome, observed.detail));
    }
    if observed.verdict != expect.verdict {
        lines.push(format!("verdict `{}`, not `{}`", observed.verdict, expect.verdict));
    }
    for (what, part, whole) in
        [("detail", &expect.detail, &observed.detail), ("summary", &expect.summary, &observed.summary)]
    {
        if !whole.contains(part.as_str()) {
            lines.push(format!("the {what} is `{whole}`, without `{part}`"));
        }
    }
    findings(&expect.findings, &observed.findings, &mut lines);
    effects(&expect.effects, &observed.effects, &mut lines);
    refused(expect, observed, &mut lines);
    for part in expect.log.iter().filter(|part| !observed.log.iter().any(|line| line.contains(part.as_str()))) {
        lines.push(format!("no line of the log has `{part}`"));
    }
    for call in expect.calls.iter().map(ToString::to_string).filter(|call| !observed.calls.contains(call)) {
        lines.push(format!("`{call}` was not called"));
    }
    for (key, value) in &expect.facts {
        let there = observed.facts.get(key);
        if !there.is_some_and(|there| has(there, value)) {
            let there = there.map_or_else(|| "nothing".to_owned(), ToString::to_string);
            lines.push(format!("the fact `{key}` is {there}, not {value}"));
        }
    }
    lines
}

fn findings(expected: &[ExpectedFinding], there: &[Finding], lines: &mut Vec<String>) {
    for it in expected {
        let Some(finding) = there.iter().find(|finding| finding.fingerprint == it.fingerprint) else {
            lines.push(format!("no finding `{}`", it.fingerprint));
            continue;
        };
        if let Some(severity) = it.severity.filter(|severity| *severity != finding.severity) {
            let (fingerprint, is) = (&it.fingerprint, finding.severity.word());
            lines.push(format!("finding `{fingerprint}` is of severity `{is}`, not `{}`", severity.word()));
        }
        if !finding.title.contains(&it.title) {
            lines.push(format!("finding `{}` says `{}`, without `{}`", it.fingerprint, finding.title, it.title));
        }
    }
    let is_expected = |finding: &&Finding| expected.iter().any(|it| it.fingerprint == finding.fingerprint);
    for finding in there.iter().filter(|finding| !is_expected(finding)) {
        lines.push(format!("an unexpected finding `{}`: {}", finding.fingerprint, finding.title));
    }
}

fn effects(expected: &[ExpectedEffect], there: &[(String, EffectRecord)], lines: &mut Vec<String>) {
    for (index, it) in expected.iter().enumerate() {
        let wanted = format!("{} of `{}`", it.call, it.target);
        let Some((call, effect)) = there.get(index) else {
            lines.push(format!("no effect {wanted}"));
            continue;
        };
        if *call != it.call.to_string() || effect.target != it.target {
            lines.push(format!("effect {} is {call} of `{}`, not {wanted}", index + 1, effect.target));
            continue;
        }
        if effect.effect != it.effect {
            lines.push(format!("{wanted} is `{}`, not `{}`", effect.effect.word(), it.effect.word()));
        }
        for (what, state, expected) in [("before", &effect.before, &it.before), ("after", &effect.after, &it.after)] {
            if expected.is_some() && state != expected {
                let word = |state: &Option<String>| state.clone().unwrap_or_else(|| "nothing".to_owned());
                lines.push(format!("{wanted}: {what} is `{}`, not `{}`", word(state), word(expected)));
            }
        }
    }
    for (call, effect) in there.iter().skip(expected.len()) {
        lines.push(format!("an unexpected effect: {call} of `{}` is `{}`", effect.target, effect.effect.word()));
    }
}

fn refused(expect: &Expect, observed: &Observed, lines: &mut Vec<String>) {
    for (index, it) in expect.refused.iter().enumerate() {
        let code = it.code.as_deref().unwrap_or("any code");
        let wanted = format!("{} with `{}` ({code})", it.call, it.kind.word());
        match observed.failed.get(index) {
            None => lines.push(format!("no refusal of {wanted}")),
            Some((call, error)) => {
                let is_code = it.code.as_ref().is_none_or(|code| *code == error.code);
                if *call != it.call.to_string() || error.kind != it.kind || !is_code {
                    lines.push(format!("refusal {} is of {call} with {error}, not of {wanted}", index + 1));
                }
            }
        }
    }
    for (call, error) in observed.failed.iter().skip(expect.refused.len()) {
        lines.push(format!("an unexpected refusal of {call}: {error}"));
    }
}

/// Whether all of `part` is in `whole`: keys of objects may be left out, lists are compared whole.
fn has(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| has(whole, part)))
        }
        _ => whole == part,
    }
}

/// Everything in which the device is not left as expected.
pub(super) async fn after(expect: &After, device: &Device, plugin: &str, device_id: &str) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let cx = Context::new("run_after", plugin, device_id, vec!["*".to_owned()], deadline);
    let mut lines = Vec::new();
    for it in &expect.files {
        lines.extend(file(it, &*device.backends.files, &cx).await);
    }
    for (key, value) in &expect.kv {
        let kept = kv::Backend::get_value(&*device.backends.kv, &cx, &GetValue { key: key.clone() }).await;
        match kept.map(|kept| kept.map(|kept| kept.value).unwrap_or_default()) {
            Ok(kept) if kept == *value => {}
            Ok(kept) => lines.push(format!("the key `{key}` is `{kept}` then, not `{value}`")),
            Err(error) => lines.push(format!("the key `{key}`: {error}")),
        }
    }
    for (name, state) in &expect.service {
        let call = GetService { name: name.clone() };
        match service::Backend::get_service(&*device.backends.service, &cx, &call).await {
            Ok(info) if info.state == *state => {}
            Ok(info) => {
                lines.push(format!("service `{name}` is `{}` then, not `{}`", info.state.word(), state.word()));
            }
            Err(error) => lines.push(format!("service `{name}`: {error}")),
        }
    }
    if !expect.ticket.is_empty() {
        tickets(expect, device, plugin, &mut lines);
    }
    lines
}

async fn file(it: &AfterFile, backend: &dyn files::Backend, cx: &Context) -> Option<String> {
    let name = format!("`{}/{}`", it.root, it.path);
    match backend.get_entry(cx, &GetEntry { root: it.root.clone(), path: it.path.clone() }).await {
        Ok(entry) if entry.is_some() == it.exists => None,
        Ok(Some(_)) => Some(format!("{name} is still there then")),
        Ok(None) => Some(format!("{name} is not there then")),
        Err(error) => Some(format!("{name}: {error}")),
    }
}

const STATUSES: [Status; 6] =
    [Status::New, Status::InProgress, Status::Pending, Status::Resolved, Status::Closed, Status::Cancelled];

fn tickets(expect: &After, device: &Device, plugin: &str, lines: &mut Vec<String>) {
    let filter = Filter { statuses: STATUSES.to_vec(), plugin: Some(plugin.to_owned()), ..Filter::default() };
    let there = match Tickets::new(&device.shared).list(&filter) {
        Ok(there) => there,
        Err(error) => return lines.push(format!("the tickets: {error}")),
    };
    for (fingerprint, status) in &expect.ticket {
        match there.iter().find(|ticket| ticket.stated.fingerprint == *fingerprint) {
            None => lines.push(format!("there is no ticket `{fingerprint}` then")),
            Some(ticket) if ticket.status != *status => {
                let (is, wanted) = (ticket.status.word(), status.word());
                lines.push(format!("the ticket `{fingerprint}` is `{is}` then, not `{wanted}`"));
            }
            Some(_) => {}
        }
    }
}
