use std::collections::HashMap;

use contract::device_people::Login;

use crate::attributes;
use crate::facts::{Root, utmp};

use super::People;

/// Successes of wtmp and failures of btmp, latest first.
pub(super) fn read(root: &Root, people: &People, since_ms: u64, limit: usize) -> Vec<Login> {
    let mut logins = successes(root, people);
    let failures = utmp::records(root, "var/log/btmp").into_iter().filter(|record| record.kind != 0);
    logins.extend(failures.map(|record| login(people, record, false, None)));
    logins.retain(|login| login.at_ms >= since_ms);
    logins.sort_by_key(|login| std::cmp::Reverse(login.at_ms));
    logins.truncate(limit);
    logins
}

/// From the latest back, so that the end of a session is known when its beginning comes: its terminal's next record, or the
/// next boot.
fn successes(root: &Root, people: &People) -> Vec<Login> {
    let mut ends: HashMap<String, u64> = HashMap::new();
    let mut next_boot_ms = None;
    let mut logins = Vec::new();
    for record in utmp::records(root, "var/log/wtmp").into_iter().rev() {
        match record.kind {
            utmp::DEAD_PROCESS => {
                ends.insert(record.line.clone(), record.at_ms());
            }
            utmp::BOOT_TIME => {
                next_boot_ms = Some(record.at_ms());
                ends.clear();
            }
            utmp::USER_PROCESS => {
                let ended_ms = ends.insert(record.line.clone(), record.at_ms()).or(next_boot_ms);
                logins.push(login(people, record, true, ended_ms));
            }
            _ => {}
        }
    }
    logins
}

fn login(people: &People, record: utmp::Record, success: bool, ended_ms: Option<u64>) -> Login {
    Login {
        user: people.user(&record.user),
        at_ms: record.at_ms(),
        success,
        attributes: attributes::known([
            ("terminal", Some(record.line)),
            ("remote-host", Some(record.host)),
            ("ended-ms", ended_ms.map(|ms| ms.to_string())),
        ]),
    }
}
