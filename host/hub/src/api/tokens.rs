//! Tokens: the technician's machine makes the key, and hands over its public half.

use axum::http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use trust::{Key, Name};

use super::endpoint::{Call, Endpoint, Nothing};
use crate::db::{NewToken, Page, Paged, Token};
use crate::{Error, device_id};

/// The most devices that one token lets in: a client's whole rollout.
const USES_MAX: u32 = 10_000;

/// The longest that one counts, in hours: a token that lies about for a month is one that somebody finds.
const HOURS_MAX: u32 = 30 * 24;

/// The most tags.
const TAGS_MAX: usize = 64;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let make = Endpoint::new(Method::POST, "/v1/tokens", "Make a token that devices join with", make);
    vec![
        Endpoint { status: StatusCode::CREATED, ..make },
        Endpoint::new(Method::GET, "/v1/tokens", "List tokens", list),
        Endpoint::new(Method::DELETE, "/v1/tokens/{token}", "Take a token away", take_away),
    ]
}

/// A token that is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Make {
    /// Its public key, as OpenSSH writes it.
    key: String,
    /// Devices that come with it are of this client.
    client: String,
    /// At this site.
    site: String,
    /// With these tags.
    #[serde(default)]
    tags: Vec<String>,
    /// So many devices may: 1 to 10,000.
    #[schemars(range(min = 1, max = 10_000))]
    uses: u32,
    /// For so many hours: 1 to 720.
    #[schemars(range(min = 1, max = 720))]
    hours: u32,
    /// Whether a technician signs for each device; else a signed standing rule does for all.
    needs_accept: bool,
}

/// Everything that is wrong with it, or the token.
fn checked(make: &Make) -> Result<Key, Error> {
    let mut wrong = Vec::new();
    let key = make.key.parse::<Key>().map_err(|error| wrong.push(format!("`key`: {error}"))).ok();
    let names = [("client", &make.client), ("site", &make.site)].into_iter();
    for (field, text) in names.chain(make.tags.iter().map(|tag| ("tags", tag))) {
        wrong.extend(text.parse::<Name>().err().map(|error| format!("`{field}`: {error}")));
    }
    if make.tags.len() > TAGS_MAX {
        wrong.push(format!("`tags`: expected at most {TAGS_MAX}"));
    }
    for (field, found, most) in [("uses", make.uses, USES_MAX), ("hours", make.hours, HOURS_MAX)] {
        if !(1..=most).contains(&found) {
            wrong.push(format!("`{field}`: expected 1 to {most}"));
        }
    }
    key.filter(|_| wrong.is_empty()).ok_or(Error::Invalid(wrong))
}

async fn make(call: Call<Nothing, Make>) -> Result<Token, Error> {
    let (make, made_by) = (&call.body, call.asker()?.actor.to_string());
    let key = checked(make)?;
    let (token, hours) = (device_id(&key), u64::from(make.hours));
    let mut new = NewToken {
        token: token.clone(),
        key: key.to_string(),
        site: make.site.clone(),
        tags: make.tags.clone(),
        uses_max: make.uses,
        needs_accept: make.needs_accept,
        made_by,
        expires_ms: 0,
    };
    let done = ("token-made", json!({ "token": token, "uses": make.uses }));
    call.write(&make.client, done, move |change, held, now_ms| {
        new.expires_ms = now_ms.saturating_add(hours * 3_600_000);
        change.put_token(held, &new, now_ms)
    })
    .await
}

async fn list(call: Call<Page, Nothing>) -> Result<Paged<Token>, Error> {
    let page = call.query.clone();
    call.read(move |view| view.tokens(&page)).await
}

async fn take_away(call: Call<Nothing, Nothing>) -> Result<Token, Error> {
    let name = call.part("token").to_owned();
    let found = name.clone();
    let found = call.read(move |view| view.token(&found)).await?;
    let done = ("token-taken-away", json!({ "token": name }));
    call.write(&found.client, done, move |change, held, _| change.drop_token(held, &name)).await?;
    Ok(found)
}
