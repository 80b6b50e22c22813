//! How a line is used that may lose, repeat, delay, withhold or forge.

use std::collections::HashSet;

use bytes::Bytes;
use model::Digest;

use crate::{Ack, BATCH_BYTES_MAX, DOCUMENTS_MAX, Line, MESSAGES_MAX, Message, Trouble};

/// Fetches documents. What comes is what its digest says, and what did not come is asked for another time.
pub async fn fetch(line: &dyn Line, wanted: &[Digest]) -> Result<Vec<(Digest, Bytes)>, Trouble> {
    let mut left: Vec<Digest> = wanted.to_vec();
    let mut fetched = Vec::new();
    while !left.is_empty() {
        let asked: Vec<Digest> = left.iter().copied().take(DOCUMENTS_MAX).collect();
        let found = line.documents(&asked).await?;
        let before = left.len();
        for document in found.documents.into_iter().take(asked.len()) {
            let digest = Digest::of(&document);
            if let Some(at) = left.iter().position(|it| *it == digest) {
                left.swap_remove(at);
                fetched.push((digest, document));
            }
        }
        let missing: HashSet<Digest> = found.missing.into_iter().collect();
        left.retain(|digest| !(missing.contains(digest) && asked.contains(digest)));
        // Each round has less to ask for than the last one, or there is none.
        if left.len() == before {
            break;
        }
    }
    Ok(fetched)
}

/// Delivers what may go at once, and answers what became of those messages, each once at most. Answers for others are nothing.
pub async fn deliver(line: &dyn Line, messages: &[Message]) -> Result<Vec<Ack>, Trouble> {
    let mut open: HashSet<_> = messages.iter().map(|it| (it.spool, it.sequence)).collect();
    let mut acks = line.deliver(messages).await?;
    acks.retain(|ack| open.remove(&(ack.spool, ack.sequence)));
    Ok(acks)
}

/// The first of these that may go at once: always one, where there is one.
pub fn batch(messages: &[Message]) -> &[Message] {
    let mut bytes = 0;
    let fits = |message: &&Message| {
        bytes += message.body.len();
        bytes <= BATCH_BYTES_MAX
    };
    let count = messages.iter().take(MESSAGES_MAX).take_while(fits).count().max(1);
    messages.get(..count).unwrap_or(messages)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MESSAGE_BYTES_MAX, Spool};

    #[test]
    fn a_batch_is_within_its_limits() {
        let message = |bytes: usize| Message {
            spool: Spool(1),
            sequence: 1,
            kind: "result".parse().unwrap(),
            body: vec![0; bytes].into(),
        };
        assert_eq!(batch(&[]).len(), 0);
        assert_eq!(batch(&vec![message(0); 300]).len(), MESSAGES_MAX);
        assert_eq!(batch(&vec![message(MESSAGE_BYTES_MAX); 20]).len(), BATCH_BYTES_MAX / MESSAGE_BYTES_MAX);
        assert_eq!(
            batch(&[message(BATCH_BYTES_MAX + 1), message(1)]).len(),
            1,
            "what never goes is told, not kept for ever"
        );
    }
}
