//! A line to an exchange in the same process. What serves lines from afar stands on it too.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::Digest;
use tokio::time::timeout;

use crate::{Ack, Beat, Device, Exchange, Fault, Found, Line, Message, Pulled, Trouble, WAIT_MAX, Woken};

/// After how long to come again where the exchange failed: long enough for a disk to answer again, or a hub to start.
const BROKEN_AFTER: Duration = Duration::from_secs(30);

/// A device's line, straight to the exchange.
#[derive(Clone)]
pub struct Direct {
    exchange: Arc<dyn Exchange>,
    device: Device,
}

impl Direct {
    /// Of this device.
    pub fn new(exchange: Arc<dyn Exchange>, device: Device) -> Self {
        Self { exchange, device }
    }
}

/// What fails inside is told to nobody outside; they are to come again.
impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Busy { after } => Self::Busy { after },
            Fault::TooMuch(what) => Self::TooMuch(what),
            Fault::Broken(_) => Self::Busy { after: BROKEN_AFTER },
        }
    }
}

#[async_trait]
impl Line for Direct {
    async fn wait(&self, has: Option<Digest>, most: Duration) -> Result<Woken, Trouble> {
        // First the ears, then the look: what comes between is heard.
        let mut ears = self.exchange.bells().listen(self.device);
        if let Pulled::New(_) = self.mailbox(has).await? {
            return Ok(Woken::Rung { within: Duration::ZERO });
        }
        let rung = timeout(most.min(WAIT_MAX), ears.rung()).await;
        Ok(rung.map_or(Woken::Quiet, |ring| Woken::Rung { within: ring.within }))
    }

    async fn mailbox(&self, has: Option<Digest>) -> Result<Pulled, Trouble> {
        Ok(match self.exchange.mailbox(&self.device).await? {
            None => Pulled::Empty,
            Some(mailbox) if has == Some(Digest::of(&mailbox.bytes)) => Pulled::Same,
            Some(mailbox) => Pulled::New(mailbox.bytes),
        })
    }

    async fn documents(&self, wanted: &[Digest]) -> Result<Found, Trouble> {
        Ok(self.exchange.documents(&self.device, wanted).await?)
    }

    async fn deliver(&self, messages: &[Message]) -> Result<Vec<Ack>, Trouble> {
        Ok(self.exchange.deliver(&self.device, messages.to_vec()).await?)
    }

    async fn beat(&self, beat: &Beat) -> Result<(), Trouble> {
        Ok(self.exchange.beat(&self.device, beat.clone()).await?)
    }
}
