use contract::Context;
use contract::device_people::{Backend, ListLogins, ListSessions, ListUsers, Login, Session, User};
use contract::types::Error;
use serde::Deserialize;

use crate::fixture::{Example, Partial};

use super::{SESSIONS_MAX, USERS_MAX, check_limit};

/// The people of a fixture. A user that is not described further is enabled, in `users`, and never logged in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Fixture {
    /// Who is logged in.
    pub sessions: Vec<Partial<Session>>,
    /// Local accounts.
    pub users: Vec<Partial<User>>,
    /// Past logins, in any order.
    pub logins: Vec<Partial<Login>>,
}

/// The people that a fixture describes.
pub struct Memory(Fixture);

impl Memory {
    /// As described.
    pub fn new(fixture: Fixture) -> Self {
        Self(fixture)
    }
}

#[async_trait::async_trait]
impl Backend for Memory {
    async fn list_sessions(&self, _: &Context, _: &ListSessions) -> Result<Vec<Session>, Error> {
        Ok(self.0.sessions.iter().take(SESSIONS_MAX).map(|session| session.0.clone()).collect())
    }

    async fn list_users(&self, _: &Context, _: &ListUsers) -> Result<Vec<User>, Error> {
        Ok(self.0.users.iter().take(USERS_MAX).map(|user| user.0.clone()).collect())
    }

    async fn list_logins(&self, _: &Context, call: &ListLogins) -> Result<Vec<Login>, Error> {
        let limit = check_limit(call)?;
        let since = self.0.logins.iter().filter(|login| login.at_ms >= call.since_ms);
        let mut logins: Vec<Login> = since.map(|login| login.0.clone()).collect();
        logins.sort_by_key(|login| std::cmp::Reverse(login.at_ms));
        logins.truncate(limit);
        Ok(logins)
    }
}

/// 2026-01-01, when people of fixtures logged in.
const AT_MS: u64 = 1_767_225_600_000;

impl Example for Session {
    fn example() -> Self {
        Self {
            user: "ann".to_owned(),
            state: "active".to_owned(),
            remote: false,
            started_ms: AT_MS,
            idle_seconds: 0,
            attributes: Vec::new(),
        }
    }
}

impl Example for User {
    fn example() -> Self {
        Self {
            name: "ann".to_owned(),
            uid: "1000".to_owned(),
            groups: vec!["users".to_owned()],
            enabled: true,
            administrator: false,
            last_login_ms: None,
            attributes: Vec::new(),
        }
    }
}

impl Example for Login {
    fn example() -> Self {
        Self { user: "ann".to_owned(), at_ms: AT_MS, success: true, attributes: Vec::new() }
    }
}
