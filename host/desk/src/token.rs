//! Tokens that devices join with. The key is made here: the hub gets its public half, and whoever holds the text joins.

use serde::{Deserialize, Serialize};
use serde_json::json;
use trust::statement::Admission;
use trust::{Key, Name, Signed, Time};

use crate::client::Client;
use crate::error::Error;

/// A token, as the hub has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// Its key's SHA-256, in hex.
    pub token: String,
    /// Devices that come with it are of this client.
    pub client: String,
    /// At this site.
    pub site: String,
    /// With these tags.
    pub tags: Vec<String>,
    /// So many devices may.
    pub uses_max: u32,
    /// So many did.
    pub used: u32,
    /// Whether a technician signs for each device.
    pub needs_accept: bool,
    /// Who made it.
    pub made_by: String,
    /// When, in milliseconds since 1970.
    pub created_ms: u64,
    /// Until when it counts.
    pub expires_ms: u64,
}

/// What a token is to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its public half.
    pub key: Key,
    /// Whose devices come with it.
    pub client: Name,
    /// Where.
    pub site: Name,
    /// What they are counted among.
    pub tags: Vec<Name>,
    /// So many.
    pub uses: u32,
    /// For so many hours.
    pub hours: u32,
    /// Whether a technician signs for each of them.
    pub needs_accept: bool,
}

/// The secret of a token: nobody else has it.
pub fn seed() -> [u8; 32] {
    rand::random()
}

/// Until when those that joined are whose it says, unless an assignment says so by then, in days. Past it they may be looked at.
const MEMBER_DAYS: u32 = 365;

impl NewToken {
    /// The standing rule that lets its devices in: signed once for all of them.
    pub fn admission(&self, now_ms: u64) -> Admission {
        let now = Time::from_ms(now_ms);
        Admission {
            serial: now_ms,
            expires: now.plus_days(MEMBER_DAYS),
            joins_until: now.plus_seconds(i64::from(self.hours) * 3_600),
            token: self.key.clone(),
            client: self.client.clone(),
            site: self.site.clone(),
            tags: self.tags.clone(),
            uses: self.uses,
        }
    }
}

impl Client {
    /// Hands over a token: its rule first, where it has one, so that whoever comes with it is let in.
    pub async fn make_token(&self, new: &NewToken, admission: Option<&Signed>) -> Result<Row, Error> {
        if let Some(signed) = admission {
            self.hand_over(signed).await?;
        }
        let tags: Vec<&str> = new.tags.iter().map(Name::as_str).collect();
        let body = json!({
            "key": new.key, "client": new.client, "site": new.site, "tags": tags, "uses": new.uses, "hours": new.hours,
            "needs-accept": new.needs_accept,
        });
        self.post("/v1/tokens", &body).await
    }

    /// All tokens.
    pub async fn tokens(&self) -> Result<Vec<Row>, Error> {
        self.list("/v1/tokens", &[]).await
    }

    /// Takes one away: by its name or the beginning of that.
    pub async fn take_token_away(&self, named: &str) -> Result<Row, Error> {
        let all = self.tokens().await?;
        let mut found = all.iter().filter(|it| it.token == named || (named.len() >= 8 && it.token.starts_with(named)));
        let wrong = |title: String| Error::Refused { status: 404, title, wrong: Vec::new() };
        match (found.next(), found.next()) {
            (Some(one), None) => self.delete(&format!("/v1/tokens/{}", one.token)).await,
            (None, _) => Err(wrong(format!("no token is called `{named}`"))),
            (Some(_), Some(_)) => Err(wrong(format!("several tokens are called `{named}`"))),
        }
    }
}
