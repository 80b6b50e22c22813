//! The hub's end of the embedded backend: routes for devices, over any exchange.
//!
//! The order of a request: what is cheap to see, then its body within size and time, then a place, then the proof, then the
//! exchange. Nobody without a session has more read of them than the statement that begins one, and whoever sends slowly holds a
//! connection and the bytes that they sent, and no place.

mod admission;
mod bell;
mod guard;
mod problem;
mod routes;
mod serve;

use std::sync::Arc;

use model::{Clock, Digest};
use tokio::sync::Semaphore;

use crate::proof::Sessions;
use crate::{Device, Exchange};

pub use admission::{Admission, Admitted, NotAdmitted};
use guard::Guard;
pub use routes::routes;
pub use serve::{Limits, Peer, serve};

/// The most requests that are worked on at once, waits aside: more would wait for the same two things, a processor and a disk.
const WORK_MAX: usize = 512;

/// The most sessions that are begun at once: each verifies a signature, for somebody who has proved nothing yet.
const ADMISSIONS_MAX: usize = 64;

/// The most KiB of bodies that are held at once, of whoever.
const BODIES_KIB_MAX: usize = 64 << 10;

/// The most sockets: twice the devices that one hub is made for, so that all may come anew before the old ones are gone.
const SOCKETS_MAX: usize = 20_000;

/// Where devices' requests are answered.
pub struct Desk {
    exchange: Arc<dyn Exchange>,
    admission: Arc<dyn Admission>,
    hub: Digest,
    clock: Arc<dyn Clock>,
    sessions: Sessions<Caller>,
    work: Arc<Semaphore>,
    admissions: Semaphore,
    bodies: Arc<Semaphore>,
    sockets: Arc<Semaphore>,
}

/// Who has a session.
pub(crate) struct Caller {
    device: Device,
    guard: Guard,
}

impl Desk {
    /// Of the hub whose CA's certificate has this digest.
    pub fn new(exchange: Arc<dyn Exchange>, admission: Arc<dyn Admission>, hub: Digest, clock: Arc<dyn Clock>) -> Self {
        Self {
            exchange,
            admission,
            hub,
            clock,
            sessions: Sessions::default(),
            work: Arc::new(Semaphore::new(WORK_MAX)),
            admissions: Semaphore::new(ADMISSIONS_MAX),
            bodies: Arc::new(Semaphore::new(BODIES_KIB_MAX)),
            sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
        }
    }

    /// Ends a device's sessions, and what it waits on: it was retired, or revoked.
    pub fn end(&self, device: &Device) {
        self.sessions.end(device.bytes()).iter().for_each(|session| session.who.guard.end_wait());
    }
}
