//! Why an order ran or did not, for whoever asks.

use std::collections::BTreeMap;

use agent::{
    Coming, EventTrigger, Misfire, NotFired, Occasion, Order, Origin, Overlap, Told, Trigger, TripReason, Tripped,
    Unfired, Watch, What,
};
use anyhow::bail;
use model::event;
use serde_json::Value;

use super::Executor;
use crate::agent::report::{Against, Explained, OrderRow, Row, Times, Upcoming};

/// How many firings to come are told.
const COMING: usize = 10;

impl Executor {
    pub(super) fn explain(&self, order: &str, count: u32) -> anyhow::Result<Explained> {
        let Some(explained) = self.explained(order) else {
            let file = self.problems.get(&format!("order {order}.toml"));
            match file {
                Some(problems) => bail!("`{order}` is no order that can be read:\n{}", problems.join("\n")),
                None => bail!("no order is called `{order}` here; `remit agent orders` lists them"),
            }
        };
        let against = self.against(order, &explained)?;
        let decided: Vec<Row> =
            self.durable.decisions(order, count)?.iter().map(|told| self.in_full(decided(told))).collect();
        let stands = self.order_row(order, &explained);
        let codes = against.iter().map(|it| &it.code).chain(decided.iter().map(|row| &row.code));
        let advise = |code: &String| {
            // That it tripped, and that it is off since, is one thing.
            let code = if code == "tripped" { "breaker" } else { code };
            Some((code.to_owned(), self.advice(code, order, explained.tripped.as_ref())?))
        };
        Ok(Explained {
            order: order.to_owned(),
            advice: codes.filter_map(advise).collect::<BTreeMap<_, _>>(),
            stands,
            against,
            runs_today: explained.runs_today.0,
            runs_today_max: explained.runs_today.1,
            looks_ms: explained.looks_ms,
            decided,
            coming: explained.coming.into_iter().map(|coming| upcoming(&coming)).collect(),
        })
    }

    /// All that the dispatcher knows, with what the owner's policy says of firings to come.
    pub(super) fn explained(&self, order: &str) -> Option<agent::Explained> {
        let mut explained = self.dispatcher.explain(order, self.now_ms(), COMING)?;
        if let Some(first) =
            self.known.get(order).and_then(|asked| asked.against_ever(&self.machine).into_iter().next())
        {
            for coming in &mut explained.coming {
                coming.refused.get_or_insert_with(|| first.reason.clone());
            }
        }
        Some(explained)
    }

    pub(super) fn order_row(&self, name: &str, explained: &agent::Explained) -> Option<OrderRow> {
        let order = self.dispatcher.order(name)?;
        let occasion = match &order.occasion {
            Occasion::Schedule(trigger) => format!("{} {}", trigger.cron, trigger.zone),
            Occasion::Event(trigger) => watched(&trigger.watch),
            Occasion::Once => "one time".to_owned(),
        };
        let has_expired = explained.against.iter().any(|it| it.reason == agent::Reason::Expired);
        let state = match (has_expired, explained.tripped.is_some(), self.dispatcher.is_paused(name)) {
            (true, ..) => "expired",
            (false, true, _) => "tripped",
            (false, false, true) => "paused",
            (false, false, false) => "active",
        };
        Some(OrderRow {
            order: name.to_owned(),
            plugin: order.plugin.clone(),
            mode: order.mode.word().to_owned(),
            is_by_clock: matches!(order.occasion, Occasion::Schedule(_)),
            occasion,
            state: state.to_owned(),
            next_ms: explained.coming.iter().find(|next| next.refused.is_none()).map(|next| next.due_ms),
        })
    }

    /// What speaks against a run now, by the order and by the machine's owner; each once, because both know the owner's windows.
    fn against(&self, order: &str, explained: &agent::Explained) -> anyhow::Result<Vec<Against>> {
        let of_order = explained.against.iter().map(|it| (&it.reason, it.until_ms));
        let of_owner = match explained.stands {
            true => self.owner_against(order)?,
            false => Vec::new(),
        };
        let of_owner = of_owner.iter().map(|it| (&it.reason, it.until_ms.and_then(|ms| i64::try_from(ms).ok())));
        let row = |(reason, until_ms): (&agent::Reason, _)| Against {
            code: reason.code().to_owned(),
            detail: reason.to_string(),
            until_ms,
        };
        let mut against: Vec<Against> = of_order.map(row).collect();
        for it in of_owner.map(row) {
            if !against.iter().any(|known| known.code == it.code && known.detail == it.detail) {
                against.push(it);
            }
        }
        Ok(against)
    }

    /// With what the run's record says of its end.
    fn in_full(&self, row: Row) -> Row {
        let Some(run) = row.run.filter(|_| row.code == "ended") else { return row };
        let events = self.machine.store.events(run).unwrap_or_default();
        let Some(ended) = event::end(&events) else { return row };
        let verdict = (ended.outcome == model::Outcome::Completed).then(|| ended.verdict.to_string());
        let detail = Some(ended.detail.clone()).filter(|detail| !detail.is_empty());
        let more: Vec<String> = verdict.into_iter().chain(detail).collect();
        match more.is_empty() {
            true => row,
            false => Row { detail: format!("{}: {}", row.detail, more.join(": ")), ..row },
        }
    }

    /// What would have to be otherwise, where something speaks against runs of an order.
    fn advice(&self, code: &str, name: &str, tripped: Option<&Tripped>) -> Option<String> {
        let order = self.dispatcher.order(name)?;
        let policy = self.machine.policy.path.display();
        Some(match code {
            "policy" => format!(
                "`[device]` of {policy} is this machine's owner's word, and nobody else's; the agent reads it when it is reloaded"
            ),
            "budget" => format!(
                "`runs-per-day` is the order's, all others are in `[device.budgets]` of {policy}; what had no room is not made up for"
            ),
            "window" | "blackout" => {
                let late = match &order.occasion {
                    Occasion::Schedule(_) => "a firing outside them is left out",
                    Occasion::Once => "it waits for one",
                    Occasion::Event(_) => "what lasts waits for one, what is over by then is left out",
                };
                format!(
                    "windows are those of the order and, for what does more than look, `[[device.windows]]` of {policy}; {late}"
                )
            }
            "paused" => format!("`remit agent resume {name}`, or `remit agent resume` where all are paused"),
            "breaker" => format!(
                "{}; once somebody has looked, `remit agent resume {name}` switches it on again",
                tripped.map_or_else(|| "it is on again".to_owned(), |tripped| why_tripped(&tripped.why))
            ),
            "cause" => "what runs of this order bring about does not set it off, and is left out".to_owned(),
            "expired" | "not-started" => validity(order),
            _ => match &order.occasion {
                Occasion::Schedule(trigger) => of_schedule(code, trigger)?,
                Occasion::Event(trigger) => of_event(code, trigger)?,
                Occasion::Once => return None,
            },
        })
    }
}

/// Why a breaker tripped, for a person.
pub(super) fn why_tripped(why: &TripReason) -> String {
    match why {
        TripReason::TooOften { firings, within_ms } => {
            format!("it would have run more than {firings} times in {} minutes", within_ms / 60_000)
        }
        TripReason::Circle { chain } => format!("orders set each other off in a circle: {}", chain.join(", then ")),
    }
}

fn validity(order: &Order) -> String {
    let (start, expires) = match &order.occasion {
        Occasion::Schedule(trigger) => (&trigger.start, &trigger.expires),
        Occasion::Event(trigger) => (&trigger.start, &trigger.expires),
        Occasion::Once => (&None, &None),
    };
    let expires = expires.clone().or_else(|| {
        let ms = u64::try_from(order.expires_ms?).ok()?;
        Some(crate::output::time(ms))
    });
    let said = [start.as_ref().map(|it| format!("it begins at {it}")), expires.map(|it| format!("it ends at {it}"))];
    format!("{}, as its file says", said.into_iter().flatten().collect::<Vec<_>>().join(", and "))
}

fn of_schedule(code: &str, trigger: &Trigger) -> Option<String> {
    match code {
        "misfire" => Some(missed(trigger.misfire.as_deref())),
        "overlap" => Some(met(trigger.overlap.as_deref())),
        _ => None,
    }
}

/// What an order does with what was missed.
fn missed(written: Option<&str>) -> String {
    let misfire = written.unwrap_or("run-once");
    let does = match misfire.parse().unwrap_or_default() {
        Misfire::Skip => "what was missed is not made up for; with `run-once` its latest would be",
        Misfire::RunOnce => "the latest of what was missed is run, late; the others are not",
        Misfire::RunAll(_) => "so many of what was missed are run, late, the latest; the others are not",
        Misfire::RunOnceIfWithin(_) => "the latest of what was missed is run, if it is not later than that",
    };
    format!("`misfire` is `{misfire}`: {does}")
}

/// What an order does with runs that meet.
fn met(written: Option<&str>) -> String {
    let overlap = written.unwrap_or("skip");
    let does = match overlap.parse().unwrap_or_default() {
        Overlap::Skip => {
            "what comes while an earlier run is under way or waits is left out; with `queue` one would wait"
        }
        Overlap::Queue => "what comes while an earlier run is under way waits; what comes while one waits is left out",
        Overlap::Replace => "what comes takes the place of an earlier run",
    };
    format!("`overlap` is `{overlap}`: {does}")
}

fn of_event(code: &str, trigger: &EventTrigger) -> Option<String> {
    let written = |field: &str, value: Option<&String>| value.map(|value| format!("`{field}` is `{value}`"));
    match code {
        "overlap" => Some(met(trigger.overlap.as_deref())),
        "cooldown" => written("cooldown", trigger.cooldown.as_ref()).map(|it| it + ", from one firing to the next"),
        "debounce" => written("debounce", trigger.debounce.as_ref())
            .map(|it| it + ": what comes without such a pause is one run, which sees the last of it"),
        "max-per-hour" => trigger.max_per_hour.map(|most| format!("`max-per-hour` is {most}")),
        "filter" => written("filter", trigger.filter.as_ref()).map(|it| it + ", and only what it wants counts"),
        "for" => written("for", trigger.sustain.as_ref()).map(|it| it + ": it fires when it has held so long"),
        "crowded" => {
            Some("what is forgotten counts anew when it is raised again; watch less, or with more orders".to_owned())
        }
        _ => None,
    }
}

fn upcoming(coming: &Coming) -> Upcoming {
    Upcoming {
        nominal_ms: coming.nominal_ms,
        due_ms: coming.due_ms,
        refused: coming.refused.as_ref().map(ToString::to_string),
    }
}

/// A decision, for a person and for a program.
fn decided(told: &Told) -> Row {
    let of = |code: &str, detail: String, run, of| Row { at_ms: told.at_ms, code: code.to_owned(), detail, run, of };
    let row = |code: &str, detail: String, run| of(code, detail, run, None);
    match &told.what {
        What::Queued { run, attempt, origin, .. } => {
            let (detail, times) = due(origin);
            let detail = if *attempt == 1 { detail } else { format!("it is tried again: try {attempt}") };
            of("queued", detail, Some(*run), times)
        }
        What::NotFired(NotFired { reason, count, first_ms, last_ms }) => {
            let times = Times { count: *count, first_ms: *first_ms, last_ms: *last_ms };
            of(reason.code(), reason.to_string(), None, Some(times))
        }
        What::Unfired(Unfired { reason, count, first_ms, last_ms, is_waiting }) => {
            let times = Times { count: *count, first_ms: *first_ms, last_ms: *last_ms };
            let waits = if *is_waiting { "; it waits for the end of that, and runs if it still holds" } else { "" };
            of(reason.code(), format!("{reason}{waits}"), None, Some(times))
        }
        What::Tripped(tripped) => row("tripped", format!("it is off: {}", why_tripped(&tripped.why)), None),
        What::NotStarted { run, why } => row(why.code(), why.to_string(), Some(*run)),
        What::Started { run } => row("started", "it began".to_owned(), Some(*run)),
        What::Cancelled { run } => row("cancelled", "a later one takes its place".to_owned(), Some(*run)),
        What::Suspended { run } => row("suspended", "it waits for a reboot".to_owned(), Some(*run)),
        What::Reboot { run, told } => row("reboot", super::rebooting::in_words(told), Some(*run)),
        What::Again { run } => row("again", "it waits for its start once more".to_owned(), Some(*run)),
        What::Ended { run, outcome, .. } => row("ended", outcome.to_string(), Some(*run)),
        What::Placed => row("placed", "the order stands from now on".to_owned(), None),
        What::Changed => row("changed", "the order is another one from now on".to_owned(), None),
        What::Removed => row("removed", "the order is gone".to_owned(), None),
        What::Unfit(problems) => row("unfit", problems.join("; "), None),
        What::SetAside(why) => row("set-aside", format!("what was known of it could not be read: {why}"), None),
        What::Paused => row("paused", "somebody paused it".to_owned(), None),
        What::Resumed => row("resumed", "somebody let it go on".to_owned(), None),
    }
}

/// What a rule watches: `emitted name=deploy`.
fn watched(watch: &Watch) -> String {
    let written = serde_json::to_value(watch).unwrap_or_default();
    let field = |(name, value): (&String, &Value)| match (name.as_str(), value) {
        ("type", _) | (_, Value::Null) => None,
        (name, Value::String(text)) => Some(format!(" {name}={text}")),
        (name, other) => Some(format!(" {name}={other}")),
    };
    let fields = written.as_object().into_iter().flatten().filter_map(field);
    format!("{}{}", watch.event_type(), fields.collect::<String>())
}

/// What a run is for.
fn due(origin: &Origin) -> (String, Option<Times>) {
    let once = |ms: i64| Some(Times { count: 1, first_ms: ms, last_ms: ms });
    match origin {
        Origin::Hand => ("somebody asked for it".to_owned(), None),
        Origin::Once { .. } => ("it runs one time".to_owned(), None),
        Origin::Schedule { firing, .. } if firing.is_late => {
            ("it is due; it was missed, and is made up for".to_owned(), once(firing.nominal_ms))
        }
        Origin::Schedule { firing, .. } => ("it is due".to_owned(), once(firing.nominal_ms)),
        Origin::Event { event, .. } => {
            let subject = if event.subject.is_empty() { String::new() } else { format!(" of `{}`", event.subject) };
            let times = if event.occurrences > 1 { format!(", {} times", event.occurrences) } else { String::new() };
            (format!("`{}`{subject} was noticed{times}", event.kind), once(event.at_ms))
        }
    }
}
