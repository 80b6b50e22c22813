//! Whether an agent is well: it answers as the version that it is, with a store that it can read and write, for some time on end,
//! and hears the hub where the one before it did.

use std::time::{Duration, Instant};

use semver::Version;
use serde_json::Value;

use super::systemctl;
use crate::agent::client;
use crate::agent::protocol::Ask;
use crate::context::Context;

/// How long it may take: what runs is let come to its end first, and that may take a minute and a half.
const TIME_MAX: Duration = Duration::from_secs(240);

/// How long one process answers well before it counts.
const STEADY: Duration = Duration::from_secs(5);

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(500);

/// So often it may end by itself.
const ENDS_MAX: u32 = 3;

/// What of an agent's problems speaks against it: it cannot write down what it decides, began anew, or makes nothing of the hub.
const BAD: [&str; 3] = ["state", "memory", "hub"];

/// An agent that is to be well.
pub(super) struct Wanted<'a> {
    pub(super) version: &'a Version,
    /// Since then it has to have heard the hub, in milliseconds since 1970.
    pub(super) heard_since_ms: Option<u64>,
}

/// Waits until it is well, or says why it is not.
pub(super) async fn wait(wanted: &Wanted<'_>, context: &Context) -> Result<(), String> {
    let begun = Instant::now();
    let mut steady: Option<(u64, Instant)> = None;
    loop {
        let why = match client::ask(context, &Ask::Status).await {
            Ok(status) => match judge(wanted, &status) {
                Ok(pid) => {
                    let since =
                        steady.filter(|(before, _)| *before == pid).map_or_else(Instant::now, |(_, since)| since);
                    steady = Some((pid, since));
                    if since.elapsed() >= STEADY {
                        return Ok(());
                    }
                    "it did not answer for long enough".to_owned()
                }
                Err(why) => {
                    steady = None;
                    why
                }
            },
            Err(error) => {
                steady = None;
                format!("{error:#}")
            }
        };
        for unit in super::super::install::UNITS {
            let ends = ends(unit).await;
            if ends >= ENDS_MAX {
                return Err(format!("{unit} ended {ends} times by itself: {why}"));
            }
        }
        if begun.elapsed() >= TIME_MAX {
            return Err(format!("it is not well after {} s: {why}", TIME_MAX.as_secs()));
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The process that answers well; or what is wrong with it. Agents of other releases answer too, so little is asked of the form.
fn judge(wanted: &Wanted<'_>, status: &Value) -> Result<u64, String> {
    let at = |pointer: &str| status.pointer(pointer).unwrap_or(&Value::Null);
    let version = at("/version").as_str().unwrap_or_default();
    if version != wanted.version.to_string() {
        return Err(format!("it says that it is `{version}`, and not {}", wanted.version));
    }
    if let Some(what) = BAD.iter().find(|it| !at(&format!("/problems/{it}")).is_null()) {
        return Err(format!("it says that something is wrong: {what}: {}", at(&format!("/problems/{what}"))));
    }
    if let Some(since_ms) = wanted.heard_since_ms
        && at("/hub/heard-ms").as_u64().is_none_or(|heard_ms| heard_ms < since_ms)
    {
        return Err(format!("the hub was not heard since, and was before: {}", at("/hub/trouble")));
    }
    at("/pid").as_u64().ok_or_else(|| "it does not say which process it is".to_owned())
}

/// How often systemd started it again since somebody did.
async fn ends(unit: &str) -> u32 {
    let shown = systemctl(&["show", "--property=NRestarts", "--value", unit]).await;
    shown.ok().and_then(|it| String::from_utf8_lossy(&it.stdout).trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_agent_is_well_by_what_it_answers() {
        let version = Version::new(1, 4, 0);
        let wanted = Wanted { version: &version, heard_since_ms: Some(100) };
        let well =
            json!({ "version": "1.4.0", "pid": 7, "problems": { "order a.toml": ["x"] }, "hub": { "heard-ms": 100 } });
        assert_eq!(judge(&wanted, &well), Ok(7), "the control");
        let but = |pointer: &str, value: Value| {
            let mut status = well.clone();
            *status.pointer_mut(pointer).unwrap() = value;
            judge(&wanted, &status).unwrap_err()
        };
        assert!(but("/version", json!("1.3.0")).contains("`1.3.0`"));
        assert!(but("/problems", json!({ "memory": ["it was damaged"] })).contains("memory"));
        assert!(but("/problems", json!({ "state": ["no space"] })).contains("state"));
        assert!(but("/hub", json!({ "heard-ms": 99, "trouble": "no route" })).contains("no route"));
        assert!(but("/hub", Value::Null).contains("not heard"));
        assert!(but("/pid", Value::Null).contains("process"));
        let alone = Wanted { heard_since_ms: None, ..wanted };
        assert_eq!(judge(&alone, &json!({ "version": "1.4.0", "pid": 8, "hub": null })), Ok(8));
    }
}
