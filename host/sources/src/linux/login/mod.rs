//! Somebody logged in.
//!
//! Programs say so in up to three places, and no device has a program that says it in all of them: utmp and wtmp (login, sshd and
//! display managers, for sessions with a terminal; newer systems have neither) and logind (every session of PAM where
//! `pam_systemd` is installed). All of them are looked at, and what two places say of one login is told once. Logins while the agent
//! was off are told when it starts.

mod places;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use self::places::Login;
pub(super) use self::places::Places;
use super::named::{Happenings, Named};
use crate::kept::Kept;
use crate::sink::happened;
use crate::{Error, Sink, Surroundings};

/// A login is written in one place a moment before the other.
const SETTLE: Duration = Duration::from_secs(1);
/// What two places say of one user, and of one terminal where they know it, within this time is one login.
const SAME_MS: u64 = 5_000;
/// Logins that are remembered to be told once: more than all places show.
const REMEMBERED_MAX: usize = 2_048;

pub(super) async fn watch(
    places: &Places,
    user: Option<&str>,
    around: &Surroundings,
    sink: &Sink,
    kept: &Kept,
) -> Result<(), Error> {
    let mut named = Named::any(vec![places.utmp.clone(), places.wtmp.clone(), places.sessions.clone()])?;
    let since_ms: Option<i64> = kept.load();
    let mut seen = Seen::default();
    // Of what was there before, only what is later than anything told is news.
    let mut before = places.logins();
    before.retain(|login| since_ms.is_none_or(|since_ms| login.at_ms <= since_ms));
    seen.news(before);
    let mut told_ms = since_ms;
    if told_ms.is_none() {
        told_ms = Some(around.now_ms());
        kept.save(&told_ms).await;
    }
    loop {
        let before_ms = told_ms;
        for login in seen.news(places.logins()) {
            // A clock that was ahead must not hide what comes later.
            let at_ms = login.at_ms.min(around.now_ms());
            told_ms = told_ms.max(Some(at_ms));
            if user.is_some_and(|user| user != login.user) {
                continue;
            }
            let data = [
                ("user", json!(login.user)),
                ("tty", json!(login.tty)),
                ("from", json!(login.from)),
                ("pid", json!(login.pid)),
                ("service", json!(login.service)),
                ("told-by", json!(login.place.name())),
            ];
            sink.room().await.send(happened(at_ms, &login.user, data));
        }
        if told_ms != before_ms {
            kept.save(&told_ms).await;
        }
        named.wait().await?;
        sleep(SETTLE).await;
        // Whatever happened, all places are looked at.
        named.take(&mut Happenings::default())?;
    }
}

/// What was told, or was there before.
#[derive(Default)]
struct Seen {
    known: VecDeque<Known>,
}

/// One login, as each place has it that knows of it.
struct Known {
    as_told: Vec<Login>,
    is_new: bool,
}

impl Seen {
    /// What is new of these, each login once, with what any place says of it.
    fn news(&mut self, logins: Vec<Login>) -> Vec<Login> {
        for login in logins {
            if self.known.iter().any(|known| known.as_told.contains(&login)) {
                continue;
            }
            match self.known.iter_mut().find(|known| known.is_same(&login)) {
                Some(known) => known.as_told.push(login),
                None => self.known.push_back(Known { as_told: vec![login], is_new: true }),
            }
        }
        while self.known.len() > REMEMBERED_MAX {
            self.known.pop_front();
        }
        let told = self.known.iter_mut().filter_map(|known| {
            let is_new = std::mem::take(&mut known.is_new);
            known.as_told.iter().filter(|_| is_new).cloned().reduce(Login::complete)
        });
        told.collect()
    }
}

impl Known {
    /// Whether this is what yet another place says of it.
    fn is_same(&self, login: &Login) -> bool {
        self.as_told.iter().all(|told| {
            told.place != login.place
                && told.user == login.user
                && told.at_ms.abs_diff(login.at_ms) <= SAME_MS
                && (told.tty.is_none() || login.tty.is_none() || told.tty == login.tty)
        })
    }
}

impl Login {
    /// With what only the other says.
    fn complete(self, other: Self) -> Self {
        Self {
            tty: self.tty.or(other.tty),
            from: self.from.or(other.from),
            service: self.service.or(other.service),
            ..self
        }
    }
}

impl Places {
    /// As every Linux has them.
    pub(super) fn of_system() -> Self {
        let path = |path: &str| Path::new(path).to_owned();
        Self { utmp: path("/run/utmp"), wtmp: path("/var/log/wtmp"), sessions: path("/run/systemd/sessions") }
    }
}
