//! The forms in which things travel over HTTP. Both sides read and write them here; a test keeps the forms.

use std::time::Duration;

use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use model::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trust::Name;

use crate::{BATCH_BYTES_MAX, Beat, DOCUMENTS_MAX, Found, MESSAGES_MAX, Message, Spool};

/// A session is begun here.
pub(crate) const SESSIONS: &str = "/v1/line/sessions";
/// The mailbox lies here.
pub(crate) const MAILBOX: &str = "/v1/line/mailbox";
/// Documents are asked for here.
pub(crate) const DOCUMENTS: &str = "/v1/line/documents";
/// Messages are delivered here.
pub(crate) const MESSAGES: &str = "/v1/line/messages";
/// Who has no socket beats here.
pub(crate) const BEATS: &str = "/v1/line/beats";
/// The bell: a WebSocket, or an answer that takes its time.
pub(crate) const BELL: &str = "/v1/line/bell";

/// The most bytes of what begins a session: a statement of at most 4 KiB with its signature.
pub(crate) const SESSION_BYTES_MAX: usize = 16 << 10;
/// The most bytes of a list of digests.
pub(crate) const WANTED_BYTES_MAX: usize = 100 * DOCUMENTS_MAX;
/// The most bytes of a delivery: base64, and at most 200 bytes around each body.
pub(crate) const DELIVERY_BYTES_MAX: usize = BATCH_BYTES_MAX / 3 * 4 + 300 * MESSAGES_MAX;
/// The most bytes of what was found: base64, and what is missing.
pub(crate) const FOUND_BYTES_MAX: usize = BATCH_BYTES_MAX / 3 * 4 + 200 * DOCUMENTS_MAX;
/// The most bytes of a list of acknowledgements.
pub(crate) const ACKS_BYTES_MAX: usize = 100 * MESSAGES_MAX;
/// The most bytes of a beat, and of any frame over the socket.
pub(crate) const FRAME_BYTES_MAX: usize = 1 << 10;
/// The most bytes of what is asked over the socket, its head with it: whatever is larger is a request of its own, because ten
/// thousand sockets may hold so much at once.
pub(crate) const ASKED_BYTES_MAX: usize = 16 << 10;
/// The most bytes of what is answered over the socket, without its head.
pub(crate) const TOLD_BYTES_MAX: usize = 64 << 10;
/// The most bytes of the head of either.
pub(crate) const HEAD_BYTES_MAX: usize = 1 << 10;
/// The most documents beside a mailbox: their sizes fit into a head.
pub(crate) const BESIDE_MAX: usize = 64;
/// The most bytes of anything else that is answered.
pub(crate) const SAID_BYTES_MAX: usize = 4 << 10;

/// A session that was begun.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Begun {
    pub(crate) session: String,
}

/// A message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Sent {
    spool: Spool,
    sequence: u64,
    kind: Name,
    #[serde(with = "in_base64")]
    body: Bytes,
}

/// Documents, and which are missing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Answered {
    documents: Vec<Document>,
    missing: Vec<Digest>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Document(#[serde(with = "in_base64")] Bytes);

/// The bell rang.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Rang {
    pub(crate) within_ms: u64,
}

/// What a device says over the socket.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Said {
    /// It waits, and has this mailbox.
    Waits {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        has: Option<Digest>,
    },
    /// It is there.
    Beats(Beat),
}

/// A request over the socket: what it asks, and what proves it. Its body follows.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Asks {
    /// Its number in the session of the socket, by which it is answered.
    pub(crate) count: u64,
    /// The signature, in base64.
    pub(crate) proof: String,
    pub(crate) method: String,
    pub(crate) target: String,
    /// What would be asked under `If-None-Match`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) has: Option<Digest>,
}

/// The answer to it. Its body follows.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Told {
    pub(crate) count: u64,
    /// As over HTTP; 421 where the answer is too large for a socket.
    pub(crate) status: u16,
    /// What would be answered under `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after_s: Option<u64>,
    /// The sizes of documents that stand behind a mailbox which names them, at the end of the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) beside: Vec<usize>,
}

/// A head, which is one line of JSON, and a body, in one frame.
pub(crate) fn framed(head: &impl Serialize, body: &[u8]) -> Bytes {
    let mut frame = serde_json::to_vec(head).unwrap_or_default();
    frame.push(b'\n');
    frame.extend_from_slice(body);
    frame.into()
}

/// Both of them again.
pub(crate) fn unframed<T: DeserializeOwned>(frame: &Bytes) -> Option<(T, Bytes)> {
    let at = frame.iter().take(HEAD_BYTES_MAX).position(|&byte| byte == b'\n')?;
    let head = serde_json::from_slice(frame.get(..at)?).ok()?;
    Some((head, frame.slice(at + 1..)))
}

/// What is wrong with a request, as far as it is read: RFC 9457.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Problem {
    pub(crate) r#type: String,
    pub(crate) title: String,
    pub(crate) status: u16,
}

impl Rang {
    pub(crate) fn of(within: Duration) -> Self {
        Self { within_ms: within.as_millis().try_into().unwrap_or(u64::MAX) }
    }
}

impl From<&Message> for Sent {
    fn from(it: &Message) -> Self {
        Self { spool: it.spool, sequence: it.sequence, kind: it.kind.clone(), body: it.body.clone() }
    }
}

impl From<Sent> for Message {
    fn from(it: Sent) -> Self {
        Self { spool: it.spool, sequence: it.sequence, kind: it.kind, body: it.body }
    }
}

impl From<Found> for Answered {
    fn from(it: Found) -> Self {
        Self { documents: it.documents.into_iter().map(Document).collect(), missing: it.missing }
    }
}

impl From<Answered> for Found {
    fn from(it: Answered) -> Self {
        Self { documents: it.documents.into_iter().map(|it| it.0).collect(), missing: it.missing }
    }
}

mod in_base64 {
    use base64::Engine as _;

    use super::{Bytes, Deserialize, Deserializer, STANDARD, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &Bytes, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Bytes::from).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ack, MESSAGE_BYTES_MAX, Taken};

    /// Written and read, it is this text: agents and hubs of other versions say it so.
    fn form<T: Serialize + DeserializeOwned>(value: &T, text: &str) {
        assert_eq!(serde_json::to_string(value).unwrap(), text);
        let read: T = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }

    #[test]
    fn the_forms_stay() {
        let digest = Digest::of(b"");
        let message = Message { spool: Spool(7), sequence: 1, kind: "result".parse().unwrap(), body: "hi".into() };
        let beat = Beat { at_ms: 1, mailbox: Some(digest), waiting: 2, agent: "remit/0.1.0".to_owned() };
        form(&Begun { session: "00ff".to_owned() }, r#"{"session":"00ff"}"#);
        form(&Sent::from(&message), r#"{"spool":"0000000000000007","sequence":1,"kind":"result","body":"aGk="}"#);
        form(
            &Ack { spool: Spool(u64::MAX), sequence: 1, taken: Taken::Differs },
            r#"{"spool":"ffffffffffffffff","sequence":1,"taken":"differs"}"#,
        );
        form(
            &Answered::from(Found { documents: vec!["hi".into()], missing: vec![digest] }),
            &format!(r#"{{"documents":["aGk="],"missing":["{digest}"]}}"#),
        );
        form(&Rang { within_ms: 5 }, r#"{"within-ms":5}"#);
        form(&Said::Waits { has: None }, r#"{"waits":{}}"#);
        form(&Said::Waits { has: Some(digest) }, &format!(r#"{{"waits":{{"has":"{digest}"}}}}"#));
        form(
            &Said::Beats(beat),
            &format!(r#"{{"beats":{{"at-ms":1,"mailbox":"{digest}","waiting":2,"agent":"remit/0.1.0"}}}}"#),
        );
    }

    #[test]
    fn a_frame_has_a_head_and_a_body() {
        let asks = |has| {
            let (method, target) = ("GET".to_owned(), MAILBOX.to_owned());
            Asks { count: 7, proof: "AA==".to_owned(), method, target, has }
        };
        let told = Told { count: 7, status: 503, after_s: Some(2), beside: Vec::new() };
        let text = r#"{"count":7,"proof":"AA==","method":"GET","target":"/v1/line/mailbox"}"#;
        form(&asks(None), text);
        form(&told, r#"{"count":7,"status":503,"after-s":2}"#);
        form(&Told { after_s: None, beside: vec![3, 5], ..told }, r#"{"count":7,"status":503,"beside":[3,5]}"#);
        let has = Some(Digest::of(b""));
        for body in [&b""[..], b"one\ntwo\n"] {
            let (head, found) = unframed::<Asks>(&framed(&asks(has), body)).unwrap();
            assert_eq!((head, &found[..]), (asks(has), body));
        }
        assert_eq!(framed(&asks(None), b""), format!("{text}\n"));
        let longest = Asks { proof: "x".repeat(88), count: u64::MAX, ..asks(has) };
        assert!(framed(&longest, b"").len() < HEAD_BYTES_MAX);
        for garbage in ["", "\n", "{}", "{}\n", "no\nhead"] {
            assert_eq!(unframed::<Asks>(&Bytes::from(garbage)), None, "{garbage:?}");
        }
        let padded = format!("{}{text}\n", " ".repeat(HEAD_BYTES_MAX));
        assert_eq!(unframed::<Asks>(&Bytes::from(padded)), None, "a head has a size");
    }

    #[test]
    fn the_largest_fits() {
        let largest = |bytes: usize| Sent {
            spool: Spool(u64::MAX),
            sequence: u64::MAX,
            kind: "x".repeat(64).parse().unwrap(),
            body: vec![0; bytes].into(),
        };
        let bytes = |list: &[Sent]| serde_json::to_vec(list).unwrap().len();
        let many: Vec<Sent> = (0..MESSAGES_MAX).map(|_| largest(BATCH_BYTES_MAX / MESSAGES_MAX)).collect();
        let large: Vec<Sent> = (0..BATCH_BYTES_MAX / MESSAGE_BYTES_MAX).map(|_| largest(MESSAGE_BYTES_MAX)).collect();
        assert!(bytes(&many) <= DELIVERY_BYTES_MAX && bytes(&large) <= DELIVERY_BYTES_MAX);
        let ack = Ack { spool: Spool(u64::MAX), sequence: u64::MAX, taken: Taken::Differs };
        assert!(serde_json::to_vec(&vec![ack; MESSAGES_MAX]).unwrap().len() <= ACKS_BYTES_MAX);
        let wanted = vec![Digest::of(b""); DOCUMENTS_MAX];
        assert!(serde_json::to_vec(&wanted).unwrap().len() <= WANTED_BYTES_MAX);
        let documents = vec![vec![0_u8; BATCH_BYTES_MAX / DOCUMENTS_MAX].into(); DOCUMENTS_MAX];
        let found = Answered::from(Found { documents, missing: wanted });
        assert!(serde_json::to_vec(&found).unwrap().len() <= FOUND_BYTES_MAX);
        let beat = Beat { at_ms: u64::MAX, mailbox: Some(Digest::of(b"")), waiting: u64::MAX, agent: "x".repeat(64) };
        assert!(serde_json::to_vec(&Said::Beats(beat)).unwrap().len() <= FRAME_BYTES_MAX);
    }
}
