//! What receivers read: a mail's text and the bodies of the webhooks. Nothing here sends.

use contract::types::Severity;
use serde_json::{Value, json};
use url::Url;

use super::policy::Format;
use super::record::{Action, Event, Message};

/// The most characters of a header in Slack.
const SLACK_HEADER_CHARS_MAX: usize = 150;
/// The most characters of a section in Slack.
const SLACK_SECTION_CHARS_MAX: usize = 3_000;
/// The most bytes of an ntfy message; longer ones would become files.
const NTFY_BYTES_MAX: usize = 4_096;

/// Who says it, and what there is to say.
pub(super) struct Saying<'a> {
    /// The machine's name, for people.
    pub(super) source: &'a str,
    /// The route.
    pub(super) audience: &'a str,
    /// What happened.
    pub(super) message: &'a Message,
}

impl Saying<'_> {
    /// The same for every try, and for no other message: a receiver that knows it has seen it.
    pub(super) fn id(&self) -> String {
        let device = self.message.events.first().map_or("", |event| event.device.as_str());
        format!("{device}-{}-{}", self.audience, self.message.number)
    }

    /// One line.
    pub(super) fn title(&self) -> String {
        match self.message.events.as_slice() {
            [event] => format!("[{}] {} on {}", self.word(event), event.stated.summary, self.source),
            events => format!("[{}] {} alerts on {}", worst(events).word().to_uppercase(), events.len(), self.source),
        }
    }

    fn word(&self, event: &Event) -> String {
        match self.message.action {
            Action::Trigger => event.stated.severity.word().to_uppercase(),
            Action::Acknowledge => "acknowledged".to_owned(),
            Action::Resolve => "resolved".to_owned(),
        }
    }

    /// A mail's text.
    pub(super) fn text(&self) -> String {
        let events: Vec<String> = self.message.events.iter().map(|event| self.lines(event)).collect();
        format!("{}\n\n-- \nremit on {}, told to {}\n", events.join("\n\n"), self.source, self.audience)
    }

    fn lines(&self, event: &Event) -> String {
        let mut lines = vec![format!("[{}] {}", self.word(event), event.stated.summary)];
        lines.extend(self.facts(event).into_iter().map(|(name, value)| format!("{name}: {value}")));
        lines.extend(event.stated.links.iter().map(|link| format!("{}: {}", link.text, link.href)));
        lines.join("\n")
    }

    /// What is known beside the summary; nothing that is empty.
    fn facts(&self, event: &Event) -> Vec<(String, String)> {
        let stated = &event.stated;
        let fixed = [
            ("machine", self.source),
            ("component", &stated.component),
            ("group", &stated.group),
            ("class", &stated.event_class),
            ("plugin", &event.plugin),
            ("since", &time(event.at_ms)),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = stated.attributes.iter().filter(|(name, _)| name != "expires-ms").cloned();
        fixed.into_iter().chain(own).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// A webhook's body. `secret` is PagerDuty's routing key, `url` where an ntfy topic comes from.
    pub(super) fn body(&self, format: Format, url: &Url, secret: &str) -> Value {
        match format {
            Format::Generic => self.generic(),
            Format::Slack => self.slack(),
            Format::Teams => self.teams(),
            Format::Pagerduty => self.pagerduty(secret),
            Format::Ntfy => self.ntfy(url),
        }
    }

    fn generic(&self) -> Value {
        let event = |event: &Event| {
            let stated = &event.stated;
            let links: Vec<Value> =
                stated.links.iter().map(|link| json!({ "href": link.href, "text": link.text })).collect();
            json!({
                "dedup-key": stated.dedup_key, "severity": stated.severity.word(), "summary": stated.summary,
                "component": stated.component, "group": stated.group, "class": stated.event_class,
                "links": links, "attributes": object(&stated.attributes),
                "device": event.device, "plugin": event.plugin, "run": event.run, "at-ms": event.at_ms,
            })
        };
        json!({
            "version": 1, "id": self.id(), "action": self.message.action.word(), "source": self.source,
            "audience": self.audience, "events": self.message.events.iter().map(event).collect::<Vec<_>>(),
        })
    }

    fn slack(&self) -> Value {
        let title = cut(&self.title(), SLACK_HEADER_CHARS_MAX);
        let header = json!({ "type": "header", "text": { "type": "plain_text", "text": title } });
        let section = |event: &Event| {
            let facts = self.facts(event).into_iter().map(|(name, value)| format!("*{name}*: {}", slack(&value)));
            let links = event.stated.links.iter().map(|link| format!("<{}|{}>", slack(&link.href), slack(&link.text)));
            let lines: Vec<String> = std::iter::once(slack(&event.stated.summary)).chain(facts).chain(links).collect();
            let text = cut(&lines.join("\n"), SLACK_SECTION_CHARS_MAX);
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
        };
        // Slack takes 50 blocks, one of which is the header.
        let sections = self.message.events.iter().take(49).map(section);
        json!({ "text": slack(&self.title()), "blocks": std::iter::once(header).chain(sections).collect::<Vec<_>>() })
    }

    fn teams(&self) -> Value {
        let colour = match self.message.action {
            Action::Trigger => match worst(&self.message.events) {
                Severity::Info => "accent",
                Severity::Warning => "warning",
                Severity::Error | Severity::Critical => "attention",
            },
            Action::Acknowledge => "default",
            Action::Resolve => "good",
        };
        let title = json!({
            "type": "TextBlock", "text": self.title(), "weight": "bolder", "size": "medium", "wrap": true,
            "color": colour,
        });
        let facts = |event: &Event| {
            let facts: Vec<Value> = std::iter::once(("summary".to_owned(), event.stated.summary.clone()))
                .chain(self.facts(event))
                .map(|(title, value)| json!({ "title": title, "value": value }))
                .collect();
            json!({ "type": "FactSet", "facts": facts })
        };
        let links = self.message.events.iter().flat_map(|event| &event.stated.links).take(6);
        let actions: Vec<Value> =
            links.map(|link| json!({ "type": "Action.OpenUrl", "title": link.text, "url": link.href })).collect();
        let body: Vec<Value> = std::iter::once(title).chain(self.message.events.iter().map(facts)).collect();
        let card = json!({
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard",
            "version": "1.4", "body": body, "actions": actions,
        });
        json!({
            "type": "message",
            "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "content": card }],
        })
    }

    fn pagerduty(&self, routing_key: &str) -> Value {
        let Some(event) = self.message.events.first() else { return Value::Null };
        let stated = &event.stated;
        // PagerDuty's key has 255 bytes, and ours is made of three parts.
        let dedup_key = model::Digest::of(event.alert().as_bytes()).hex();
        let action = self.message.action.word();
        if self.message.action != Action::Trigger {
            return json!({ "routing_key": routing_key, "event_action": action, "dedup_key": dedup_key });
        }
        let links: Vec<Value> =
            stated.links.iter().map(|link| json!({ "href": link.href, "text": link.text })).collect();
        let mut details = object(&stated.attributes);
        if let Value::Object(details) = &mut details {
            details.insert("device".to_owned(), json!(event.device));
            details.insert("plugin".to_owned(), json!(event.plugin));
            details.insert("fingerprint".to_owned(), json!(stated.dedup_key));
        }
        let mut payload = json!({
            "summary": stated.summary, "source": self.source, "severity": stated.severity.word(),
            "timestamp": time(event.at_ms), "custom_details": details,
        });
        let named = [("component", &stated.component), ("group", &stated.group), ("class", &stated.event_class)];
        if let Value::Object(payload) = &mut payload {
            for (name, value) in named.into_iter().filter(|(_, value)| !value.is_empty()) {
                payload.insert(name.to_owned(), json!(value));
            }
        }
        json!({
            "routing_key": routing_key, "event_action": action, "dedup_key": dedup_key, "client": "remit",
            "payload": payload, "links": links,
        })
    }

    fn ntfy(&self, url: &Url) -> Value {
        let (priority, tag) = match (self.message.action, worst(&self.message.events)) {
            (Action::Trigger, Severity::Critical) => (5, "rotating_light"),
            (Action::Trigger, Severity::Error) => (4, "x"),
            (Action::Trigger, Severity::Warning) => (3, "warning"),
            (Action::Trigger, Severity::Info) => (2, "information_source"),
            (Action::Acknowledge, _) => (2, "eyes"),
            (Action::Resolve, _) => (2, "white_check_mark"),
        };
        let events: Vec<String> = self.message.events.iter().map(|event| self.lines(event)).collect();
        let topic = url.path_segments().and_then(|mut path| path.next_back()).unwrap_or_default();
        let mut body = json!({
            "topic": topic, "title": self.title(), "message": cut_bytes(&events.join("\n\n"), NTFY_BYTES_MAX),
            "priority": priority, "tags": [tag],
        });
        let link = self.message.events.iter().find_map(|event| event.stated.links.first());
        if let (Value::Object(body), Some(link)) = (&mut body, link) {
            body.insert("click".to_owned(), json!(link.href));
        }
        body
    }
}

/// ntfy takes JSON at its root, with the topic in the body.
pub(super) fn address(format: Format, url: &Url) -> Url {
    let mut address = url.clone();
    if format == Format::Ntfy
        && let Ok(mut path) = address.path_segments_mut()
    {
        path.pop();
    }
    address
}

fn worst(events: &[Event]) -> Severity {
    events.iter().map(|event| event.stated.severity).max_by_key(|&severity| severity as u8).unwrap_or(Severity::Info)
}

fn object(attributes: &contract::types::Attributes) -> Value {
    Value::Object(attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect())
}

/// Slack's three characters; what follows them is no markup then.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.chars().count() <= chars_max {
        true => text.to_owned(),
        false => text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect(),
    }
}

fn cut_bytes(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

fn time(at_ms: u64) -> String {
    let timestamp = i64::try_from(at_ms).ok().and_then(|at_ms| jiff::Timestamp::from_millisecond(at_ms).ok());
    timestamp.map(|timestamp| timestamp.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::conformance::{event, message};
    use super::*;

    fn say(format: Format, message: &Message) -> Value {
        let url = Url::parse("https://ntfy.example.com/base/alerts").unwrap();
        Saying { source: "web-1", audience: "on-call", message }.body(format, &url, "the-key")
    }

    fn one() -> Message {
        message(Action::Trigger, vec![event("disk", "/var <is> full & so on")])
    }

    fn two() -> Message {
        message(Action::Trigger, vec![event("disk", "/var is full"), event("load", "The load is high")])
    }

    #[test]
    fn ours_has_everything() {
        assert_eq!(
            say(Format::Generic, &one()),
            json!({
                "version": 1, "id": "dev_01-on-call-7", "action": "trigger", "source": "web-1", "audience": "on-call",
                "events": [{
                    "dedup-key": "disk", "severity": "error", "summary": "/var <is> full & so on",
                    "component": "/var", "group": "", "class": "disk full",
                    "links": [{ "href": "https://example.com/kb", "text": "What to do" }],
                    "attributes": { "free": "12 MB" },
                    "device": "dev_01", "plugin": "test", "run": "run_01", "at-ms": 1_000,
                }],
            })
        );
    }

    #[test]
    fn slack_reads_blocks_and_no_markup_of_ours() {
        assert_eq!(
            say(Format::Slack, &one()),
            json!({
                "text": "[ERROR] /var &lt;is&gt; full &amp; so on on web-1",
                "blocks": [
                    { "type": "header",
                      "text": { "type": "plain_text", "text": "[ERROR] /var <is> full & so on on web-1" } },
                    { "type": "section", "text": { "type": "mrkdwn", "text":
                        "/var &lt;is&gt; full &amp; so on\n*machine*: web-1\n*component*: /var\n*class*: disk full\n\
                         *plugin*: test\n*since*: 1970-01-01T00:00:01Z\n*free*: 12 MB\n\
                         <https://example.com/kb|What to do>" } },
                ],
            })
        );
        let long = message(Action::Trigger, vec![event("disk", &"ß".repeat(500)); 50]);
        let blocks = say(Format::Slack, &long)["blocks"].as_array().unwrap().len();
        assert_eq!(blocks, 50, "the most that Slack takes");
        let header = say(Format::Slack, &message(Action::Trigger, vec![event("disk", &"ß".repeat(500))]));
        assert_eq!(header["blocks"][0]["text"]["text"].as_str().unwrap().chars().count(), SLACK_HEADER_CHARS_MAX);
    }

    #[test]
    fn teams_reads_an_adaptive_card() {
        let card = say(Format::Teams, &two());
        assert_eq!(card["type"], "message");
        let attachment = &card["attachments"][0];
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        let content = &attachment["content"];
        assert_eq!((&content["type"], &content["version"]), (&json!("AdaptiveCard"), &json!("1.4")));
        assert_eq!(content["body"][0]["text"], "[ERROR] 2 alerts on web-1");
        assert_eq!(content["body"][0]["color"], "attention");
        assert_eq!(content["body"][1]["facts"][0], json!({ "title": "summary", "value": "/var is full" }));
        assert_eq!(content["body"][2]["facts"][0]["value"], "The load is high");
        assert_eq!(
            content["actions"][0],
            json!({ "type": "Action.OpenUrl", "title": "What to do", "url": "https://example.com/kb" })
        );
        let resolved = say(Format::Teams, &Message { action: Action::Resolve, ..one() });
        assert_eq!(resolved["attachments"][0]["content"]["body"][0]["color"], "good");
    }

    #[test]
    fn pagerduty_reads_an_event_and_its_end_has_the_same_key() {
        let key = model::Digest::of(b"dev_01/test/disk").hex();
        assert_eq!(
            say(Format::Pagerduty, &one()),
            json!({
                "routing_key": "the-key", "event_action": "trigger", "dedup_key": key, "client": "remit",
                "payload": {
                    "summary": "/var <is> full & so on", "source": "web-1", "severity": "error",
                    "timestamp": "1970-01-01T00:00:01Z", "component": "/var", "class": "disk full",
                    "custom_details": { "free": "12 MB", "device": "dev_01", "plugin": "test", "fingerprint": "disk" },
                },
                "links": [{ "href": "https://example.com/kb", "text": "What to do" }],
            })
        );
        for action in [Action::Acknowledge, Action::Resolve] {
            assert_eq!(
                say(Format::Pagerduty, &Message { action, ..one() }),
                json!({ "routing_key": "the-key", "event_action": action.word(), "dedup_key": key })
            );
        }
    }

    #[test]
    fn ntfy_reads_a_topic_and_a_priority() {
        assert_eq!(
            say(Format::Ntfy, &one()),
            json!({
                "topic": "alerts", "title": "[ERROR] /var <is> full & so on on web-1",
                "message": "[ERROR] /var <is> full & so on\nmachine: web-1\ncomponent: /var\nclass: disk full\n\
                            plugin: test\nsince: 1970-01-01T00:00:01Z\nfree: 12 MB\nWhat to do: https://example.com/kb",
                "priority": 4, "tags": ["x"], "click": "https://example.com/kb",
            })
        );
        let url = Url::parse("https://ntfy.example.com/base/alerts").unwrap();
        assert_eq!(address(Format::Ntfy, &url).as_str(), "https://ntfy.example.com/base");
        assert_eq!(address(Format::Generic, &url), url);
        let long = message(Action::Trigger, vec![event("disk", &"ß".repeat(500)); 50]);
        assert!(say(Format::Ntfy, &long)["message"].as_str().unwrap().len() <= NTFY_BYTES_MAX);
    }

    #[test]
    fn a_mail_is_plain_text() {
        let message = Message { action: Action::Resolve, ..one() };
        let saying = Saying { source: "web-1", audience: "on-call", message: &message };
        assert_eq!(saying.title(), "[resolved] /var <is> full & so on on web-1");
        assert!(saying.text().starts_with("[resolved] /var <is> full & so on\nmachine: web-1\ncomponent: /var\n"));
        assert!(saying.text().ends_with("\n-- \nremit on web-1, told to on-call\n"));
    }
}
