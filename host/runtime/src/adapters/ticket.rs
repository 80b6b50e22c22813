use std::borrow::Cow;

use contract::ticket::{AddNote, AttachFile, RaiseTicket, ResolveIfMine};

use super::Adapter;

/// Scope entries are queues; what is done to a ticket once raised stays in the queue that was allowed.
impl Adapter for RaiseTicket {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        let queue = self.ticket.attributes.iter().find(|(name, _)| name == "queue");
        vec![Cow::Borrowed(queue.map_or("default", |(_, queue)| queue.as_str()))]
    }

    fn targets(&self) -> Vec<String> {
        vec![self.ticket.fingerprint.clone()]
    }
}

impl Adapter for AddNote {
    fn targets(&self) -> Vec<String> {
        vec![self.fingerprint.clone()]
    }
}

impl Adapter for AttachFile {
    fn targets(&self) -> Vec<String> {
        vec![self.fingerprint.clone()]
    }
}

impl Adapter for ResolveIfMine {
    fn targets(&self) -> Vec<String> {
        vec![self.fingerprint.clone()]
    }
}
