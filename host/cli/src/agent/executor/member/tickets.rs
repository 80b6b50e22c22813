//! A ticket as the hub is told of it.

use backends::ticket::Ticket;
use bus::MESSAGE_BYTES_MAX;
use serde_json::{Value, json};

use super::said::{LINE_BYTES_MAX, TEXT_BYTES_MAX, cut};

/// The most notes that go along: the latest. Hubs take no more; the ticket on the device has all.
const NOTES_MAX: usize = 20;

/// The most bytes of each.
const NOTE_BYTES_MAX: usize = 4 << 10;

/// The most bytes of its texts where all of it is too much for one message: in JSON a byte has six at most.
const SHORT_BYTES_MAX: usize = 16 << 10;

/// How much happened to it: it only goes up.
pub(super) fn revision(ticket: &Ticket) -> u64 {
    ticket.history.last().map_or(0, |entry| entry.number)
}

/// All that a hub takes of it, and no more than goes in one message. What is attached stays on the device.
pub(super) fn told(ticket: &Ticket) -> String {
    let whole = stated(ticket, TEXT_BYTES_MAX, NOTES_MAX).to_string();
    match whole.len() <= MESSAGE_BYTES_MAX {
        true => whole,
        false => stated(ticket, SHORT_BYTES_MAX, 0).to_string(),
    }
}

fn stated(ticket: &Ticket, text_bytes_max: usize, notes_max: usize) -> Value {
    let said: Vec<Value> = ticket
        .notes
        .iter()
        .rev()
        .filter(|note| !note.withdrawn)
        .take(notes_max)
        .map(|note| {
            json!({
                "entry": note.entry,
                "by": cut(&note.by.to_string(), LINE_BYTES_MAX),
                "visibility": note.visibility.word(),
                "body": cut(&note.body, NOTE_BYTES_MAX),
                "at-ms": note.at_ms,
            })
        })
        .collect();
    json!({
        "id": ticket.id,
        "key": cut(&format!("{}/{}", ticket.plugin, ticket.stated.fingerprint), LINE_BYTES_MAX),
        "revision": revision(ticket),
        "is-open": ticket.is_open(),
        "severity": ticket.stated.severity.word(),
        "priority": u8::from(ticket.priority),
        "title": cut(&ticket.stated.title, LINE_BYTES_MAX),
        "body": cut(&ticket.stated.body, text_bytes_max),
        "times": ticket.occurrences,
        "resolution": ticket.resolution.as_ref().map(|it| cut(&it.text, text_bytes_max)),
        "notes": said,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(text: &str, notes: usize) -> Ticket {
        let note = |entry: usize| json!({ "entry": entry, "by": { "plugin": "disks" }, "at-ms": 1, "body": text, "visibility": "internal", "withdrawn": false });
        let ticket = json!({
            "id": "tkt_1", "number": "T-000001", "device": "web", "plugin": "disks", "status": "resolved", "priority": 2,
            "occurrences": 3, "opened-ms": 1, "updated-ms": 1, "first-response-ms": null, "person-replied": false,
            "assignee": null, "resolution": { "text": text, "at-ms": 1, "reopens-until-ms": 1 },
            "stated": {
                "fingerprint": "full", "kind": "incident", "title": "the disk is full", "body": text, "impact": "low",
                "urgency": "low", "severity": "warning", "attributes": [],
            },
            "notes": (0..notes).map(note).collect::<Vec<_>>(), "attachments": [],
            "history": [{ "number": 7, "at-ms": 1, "by": { "plugin": "disks" }, "run": null, "what": "opened", "detail": "" }],
        });
        serde_json::from_value(ticket).unwrap()
    }

    #[test]
    fn a_ticket_goes_whole_with_its_latest_notes() {
        let told: Value = serde_json::from_str(&told(&ticket("9 % left", 30))).unwrap();
        assert_eq!((&told["revision"], &told["times"], &told["body"]), (&json!(7), &json!(3), &json!("9 % left")));
        let notes = told["notes"].as_array().unwrap();
        assert_eq!((notes.len(), &notes[0]["entry"]), (NOTES_MAX, &json!(29)));
    }

    /// What no hub takes would be in the way of all that comes after it.
    #[test]
    fn what_is_too_long_when_it_is_escaped_is_cut() {
        let text = "\u{1}".repeat(32 << 10);
        let long = ticket(&text, 500);
        assert!(stated(&long, TEXT_BYTES_MAX, NOTES_MAX).to_string().len() > MESSAGE_BYTES_MAX, "the control");
        let told = told(&long);
        assert!(told.len() <= MESSAGE_BYTES_MAX, "{}", told.len());
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["title"], &told["times"]), (&json!("the disk is full"), &json!(3)));
    }
}
