use std::collections::BTreeMap;

use lettre::message::Mailbox;
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use super::quiet::QuietHours;

/// PagerDuty's address for events, where a route names no other.
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// The most messages an hour, unless the route says otherwise: one every two minutes is more than anybody reads.
const PER_HOUR_MAX_DEFAULT: u32 = 30;
/// The most that a route may say: each is a timestamp that is kept.
const PER_HOUR_MAX_CEILING: u32 = 1_000;

/// `[notify]` in host policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Policy {
    /// `[notify.routes.NAME]`: who is told, by the audience that plugins name.
    #[serde(deserialize_with = "named")]
    pub routes: BTreeMap<String, Route>,
}

/// A name stands in scopes and in the store's keys, so it is plain.
fn named<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Route>, D::Error> {
    let routes = BTreeMap::<String, Route>::deserialize(deserializer)?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match routes.keys().find(|name| !(1..=64).contains(&name.len()) || !name.bytes().all(is_plain)) {
        None => Ok(routes),
        Some(name) => {
            Err(D::Error::custom(format!("`{name}` is no route: expected lower-case letters, digits, hyphens")))
        }
    }
}

/// How an audience is told, and when.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Route {
    /// How.
    pub way: Way,
    /// When not.
    pub quiet_hours: Option<QuietHours>,
    /// For how long what comes after a message that still waits joins it.
    pub group_window_seconds: u64,
    /// How many messages an hour; what opens an alert beyond that is dropped.
    pub per_hour_max: u32,
    /// After how long a repeat of an open alert is told again.
    pub repeat_after_seconds: u64,
}

/// By which way a message goes.
#[derive(Clone, Debug)]
pub enum Way {
    /// To the hub that this machine joined: whom it tells, its own routes say.
    Hub,
    /// Mail.
    Smtp {
        /// The relay's name or address.
        server: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        security: Security,
        /// Who logs in, and the name of the secret that is the password.
        login: Option<(String, String)>,
        /// The sender.
        from: Mailbox,
        /// The receivers.
        to: Vec<Mailbox>,
    },
    /// An HTTP request.
    Webhook {
        /// What the body looks like.
        format: Format,
        /// Where it goes.
        target: Target,
        /// The name of the secret that authorises it: PagerDuty's routing key, else a bearer token.
        secret: Option<String>,
    },
}

/// Where a webhook goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To this URL.
    Url(Url),
    /// To the URL that this secret is: who has the URL of a Slack or Teams channel can write to it.
    Secret(String),
}

/// What a webhook's body looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Ours: every field of every event.
    Generic,
    /// Slack's blocks.
    Slack,
    /// An Adaptive Card, as Teams' workflows take it.
    Teams,
    /// PagerDuty Events v2.
    Pagerduty,
    /// ntfy's JSON.
    Ntfy,
}

/// How a mail connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// TLS from the first byte (port 465).
    Tls,
    /// Plain until STARTTLS, which must succeed (port 587).
    Starttls,
    /// Plain: only to this machine.
    None,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Smtp,
    Webhook,
    Hub,
}

/// A route as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    kind: Kind,
    format: Option<Format>,
    url: Option<String>,
    url_secret: Option<String>,
    server: Option<String>,
    port: Option<u16>,
    tls: Option<Security>,
    user: Option<String>,
    from: Option<String>,
    #[serde(default)]
    to: Vec<String>,
    secret: Option<String>,
    quiet_hours: Option<QuietHours>,
    #[serde(default = "a_minute")]
    group_window_seconds: u64,
    #[serde(default = "per_hour_max")]
    per_hour_max: u32,
    #[serde(default = "a_day")]
    repeat_after_seconds: u64,
}

fn a_minute() -> u64 {
    60
}

fn per_hour_max() -> u32 {
    PER_HOUR_MAX_DEFAULT
}

fn a_day() -> u64 {
    86_400
}

impl TryFrom<Written> for Route {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        if !(1..=PER_HOUR_MAX_CEILING).contains(&written.per_hour_max) {
            return Err(format!("`per-hour-max` is 1 to {PER_HOUR_MAX_CEILING}, not {}", written.per_hour_max));
        }
        let way = match written.kind {
            Kind::Smtp => smtp(&written)?,
            Kind::Webhook => webhook(&written)?,
            Kind::Hub => to_hub(&written)?,
        };
        // PagerDuty takes one alert a request.
        let is_single = matches!(way, Way::Webhook { format: Format::Pagerduty, .. });
        Ok(Self {
            way,
            quiet_hours: written.quiet_hours,
            group_window_seconds: if is_single { 0 } else { written.group_window_seconds },
            per_hour_max: written.per_hour_max,
            repeat_after_seconds: written.repeat_after_seconds,
        })
    }
}

impl Route {
    /// Where an audience is told that has no route here, on a machine that joined a hub.
    pub(super) fn of_hub() -> Self {
        Self {
            way: Way::Hub,
            quiet_hours: None,
            group_window_seconds: 0,
            per_hour_max: PER_HOUR_MAX_DEFAULT,
            repeat_after_seconds: a_day(),
        }
    }
}

fn to_hub(written: &Written) -> Result<Way, String> {
    let is_address = written.format.is_some() || written.url.is_some() || written.url_secret.is_some();
    let is_mail = written.server.is_some() || written.port.is_some() || written.tls.is_some() || written.user.is_some();
    if is_address || is_mail || written.from.is_some() || !written.to.is_empty() || written.secret.is_some() {
        return Err("whom the hub tells is in its own routes: `kind = \"hub\"` takes no address".to_owned());
    }
    Ok(Way::Hub)
}

fn smtp(written: &Written) -> Result<Way, String> {
    if written.format.is_some() || written.url.is_some() || written.url_secret.is_some() {
        return Err("`format`, `url` and `url-secret` belong to `kind = \"webhook\"`".to_owned());
    }
    let server = written.server.clone().ok_or("a mail route needs a `server`")?;
    let security = written.tls.unwrap_or(Security::Starttls);
    if security == Security::None && !is_loopback(&server) {
        return Err(format!("mail to {server} goes over TLS: `tls = \"none\"` is for this machine only"));
    }
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no mail address: {error}"));
    let from = mailbox(written.from.as_deref().ok_or("a mail route needs a `from`")?)?;
    let to = written.to.iter().map(|text| mailbox(text)).collect::<Result<Vec<_>, _>>()?;
    if to.is_empty() {
        return Err("a mail route needs somebody in `to`".to_owned());
    }
    let login = match (&written.user, &written.secret) {
        (None, None) => None,
        (Some(user), Some(secret)) => Some((user.clone(), secret.clone())),
        _ => return Err("a mail route has both `user` and `secret`, or neither".to_owned()),
    };
    let port = written.port.unwrap_or(match security {
        Security::Tls => 465,
        Security::Starttls => 587,
        Security::None => 25,
    });
    Ok(Way::Smtp { server, port, security, login, from, to })
}

fn webhook(written: &Written) -> Result<Way, String> {
    let is_mail = written.server.is_some() || written.port.is_some() || written.tls.is_some();
    if is_mail || written.user.is_some() || written.from.is_some() || !written.to.is_empty() {
        return Err("`server`, `port`, `tls`, `user`, `from` and `to` belong to `kind = \"smtp\"`".to_owned());
    }
    let format = written.format.unwrap_or(Format::Generic);
    let target = match (&written.url, &written.url_secret) {
        (Some(url), None) => Target::Url(webhook_url(url, format)?),
        (None, Some(secret)) => Target::Secret(secret.clone()),
        (None, None) if format == Format::Pagerduty => Target::Url(webhook_url(PAGERDUTY, format)?),
        _ => return Err("a webhook needs either `url` or `url-secret`".to_owned()),
    };
    if format == Format::Pagerduty && written.secret.is_none() {
        return Err("PagerDuty needs `secret`: the name of the one that is its routing key".to_owned());
    }
    Ok(Way::Webhook { format, target, secret: written.secret.clone() })
}

/// A URL that a webhook may go to: over TLS, or to this machine. Its text is in no error: it may be a secret.
pub(super) fn webhook_url(text: &str, format: Format) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("a webhook's URL is not one: {error}"))?;
    let is_private = url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_loopback));
    if !is_private {
        return Err("a webhook's URL is `https`; `http` is for this machine only".to_owned());
    }
    if format == Format::Ntfy && url.path_segments().is_none_or(|mut path| path.next_back().is_none_or(str::is_empty)) {
        return Err("an ntfy URL ends in the topic: `https://ntfy.example.com/alerts`".to_owned());
    }
    Ok(url)
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(domain)) => domain == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => host == "::1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Result<Route, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_route_says_what_it_needs_and_nothing_else() {
        let mail = "kind = 'smtp'\nserver = 'mail.example.com'\nfrom = 'remit@example.com'\nto = ['ada@example.com']";
        let hook = "kind = 'webhook'\nurl = 'https://example.com/hook'";
        let pager = "kind = 'webhook'\nformat = 'pagerduty'\nsecret = 'pd'";
        let ntfy = "kind = 'webhook'\nformat = 'ntfy'\nurl = 'https://ntfy.example.com/alerts'";
        for good in [mail, hook, pager, ntfy, "kind = 'webhook'\nformat = 'slack'\nurl-secret = 'hook'"] {
            route(good).unwrap();
        }
        let more = |good: &str, line: &str| format!("{good}\n{line}");
        for (bad, part) in [
            (more(mail, "url = 'https://example.com'"), "belong to `kind = \"webhook\"`"),
            (more(mail, "tls = 'none'"), "goes over TLS"),
            (more(mail, "user = 'remit'"), "both `user` and `secret`"),
            (mail.replace("ada@example.com", "ada"), "no mail address"),
            (mail.replace("'ada@example.com'", ""), "somebody in `to`"),
            (more(hook, "to = ['ada@example.com']"), "belong to `kind = \"smtp\"`"),
            (more(hook, "url-secret = 'x'"), "either `url` or `url-secret`"),
            (hook.replace("https", "http"), "`https`"),
            (pager.replace("secret", "#"), "routing key"),
            (ntfy.replace("alerts", ""), "the topic"),
            (more(hook, "per-hour-max = 0"), "1 to 1000"),
            (more(hook, "quite-hours = 1"), "unknown field"),
        ] {
            let error = route(&bad).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        route("kind = 'hub'\nper-hour-max = 3").unwrap();
        let elsewhere = route("kind = 'hub'\nurl = 'https://example.com'").unwrap_err();
        assert!(elsewhere.contains("takes no address"), "{elsewhere}");
        route(&hook.replace("https://example.com", "http://127.0.0.1:8080")).unwrap();
        route(&more(&mail.replace("mail.example.com", "localhost"), "tls = 'none'")).unwrap();
    }

    #[test]
    fn a_route_has_a_plain_name() {
        let policy = |name: &str| format!("[routes.'{name}']\nkind = 'webhook'\nurl = 'https://example.com/hook'");
        toml::from_str::<Policy>(&policy("on-call")).unwrap();
        for bad in ["on/call", "On-call", ""] {
            assert!(toml::from_str::<Policy>(&policy(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn pagerduty_is_never_grouped() {
        let hook = route("kind = 'webhook'\nformat = 'pagerduty'\nsecret = 'pd'\ngroup-window-seconds = 60").unwrap();
        assert_eq!(hook.group_window_seconds, 0);
    }
}
