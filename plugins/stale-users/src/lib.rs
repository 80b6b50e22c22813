//! Finds local accounts that can log in and have not for long.

use remit_sdk::device_people::{self, User};
use remit_sdk::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Finds local accounts that can log in and have not for long.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StaleUsers {
    /// Days without a login.
    #[serde(default = "ninety")]
    #[schemars(range(min = 1))]
    max_idle_days: u64,
    /// Accounts that nobody needs to log in to, by name.
    #[serde(default)]
    ignore: Vec<String>,
    /// Whether accounts that never logged in are findings: the machine may not remember so far back.
    #[serde(default = "yes")]
    never_logged_in: bool,
}

fn ninety() -> u64 {
    90
}

fn yes() -> bool {
    true
}

impl Detect for StaleUsers {
    fn detect(&self) -> Result<Report> {
        let users = device_people::list_users()?;
        let looked_at: Vec<&User> = users.iter().filter(|user| self.is_of_interest(user)).collect();
        let findings: Vec<Finding> = looked_at.iter().filter_map(|user| self.look_at(user)).collect();
        run::metric("stale-users", findings.len() as f64, "1", &[]);
        Ok(match findings.is_empty() {
            true => Report::compliant(format!("{} accounts, none of them stale", looked_at.len())),
            false => Report::non_compliant(""),
        }
        .findings(findings))
    }
}

impl StaleUsers {
    /// Accounts of people: those of the system do not log in, and one that cannot log in is no door.
    fn is_of_interest(&self, user: &User) -> bool {
        let is_system = remit_sdk::attribute(&user.attributes, "system") == Some("true");
        user.enabled && !is_system && !self.ignore.contains(&user.name)
    }

    fn look_at(&self, user: &User) -> Option<Finding> {
        let idle_days = user.last_login_ms.map(|at_ms| run::now().saturating_sub(at_ms) / DAY_MS);
        let what = match idle_days {
            Some(days) if days > self.max_idle_days => format!("has not logged in for {days} days"),
            None if self.never_logged_in => "can log in and never has".to_owned(),
            _ => return None,
        };
        // An administrator that nobody misses is the one to be taken over.
        let (severity, who) = match user.administrator {
            true => (Severity::Error, "administrator"),
            false => (Severity::Warning, "account"),
        };
        let finding = Finding::new(format!("user:{}", user.name), format!("{who} {} {what}", user.name))
            .target(&user.name)
            .severity(severity)
            .evidence(format!("uid {}, groups {}", user.uid, user.groups.join(", ")))
            .with("limit", self.max_idle_days);
        Some(match idle_days {
            Some(days) => finding.with("actual", days),
            None => finding,
        })
    }
}

remit_sdk::plugin!(StaleUsers: Detect);

#[cfg(test)]
mod tests;
