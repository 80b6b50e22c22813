//! inotify, as a source waits for it.

use std::ffi::{OsStr, OsString};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, Reader};
pub(super) use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::ready::ready;
use crate::Error;

/// Bytes read at once: some hundred events.
const READ_BYTES: usize = 16 << 10;
/// The most events taken in one go: the kernel keeps 16,384 by default, and others want to run.
const EVENTS_MAX: usize = 20_000;

/// An inotify instance. The kernel keeps what happens until it is read, up to a bound, and says where it was reached.
pub(super) struct Inotify {
    fd: AsyncFd<OwnedFd>,
}

/// Something that happened to what is watched.
pub(super) struct Event {
    /// To which watch.
    pub(super) watch: i32,
    /// What.
    pub(super) flags: ReadFlags,
    /// To which entry of a folder.
    pub(super) name: Option<OsString>,
}

impl Inotify {
    pub(super) fn new() -> Result<Self, Error> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).map_err(std::io::Error::from);
        let fd = fd.and_then(ready).map_err(|source| Error::Io {
            what: "cannot have another inotify instance: see `sysctl fs.inotify.max_user_instances`".to_owned(),
            source,
        })?;
        Ok(Self { fd })
    }

    /// Watches it also for this. Where it is watched already, that is the same watch.
    pub(super) fn add(&self, path: &Path, flags: WatchFlags) -> rustix::io::Result<i32> {
        inotify::add_watch(self.fd.get_ref(), path, flags | WatchFlags::MASK_ADD)
    }

    /// Watches it no more.
    pub(super) fn remove(&self, watch: i32) {
        // It goes by itself where what was watched is gone.
        let _ = inotify::remove_watch(self.fd.get_ref(), watch);
    }

    /// Waits until there is something to take. Nothing is lost where nobody waits to the end.
    pub(super) async fn wait(&self) -> Result<(), Error> {
        let ready = self.fd.readable().await;
        ready.map(drop).map_err(|source| Error::Io { what: "cannot wait for inotify".to_owned(), source })
    }

    /// Takes what there is, and waits for nothing.
    pub(super) fn take(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        while events.len() < EVENTS_MAX {
            let ready = self.fd.try_io(tokio::io::Interest::READABLE, |fd| {
                let mut reader = Reader::new(fd, &mut buffer);
                loop {
                    let event = reader.next()?;
                    let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned());
                    events.push(Event { watch: event.wd(), flags: event.events(), name });
                    if reader.is_buffer_empty() {
                        return Ok(());
                    }
                }
            });
            match ready {
                Ok(()) => {}
                Err(error) if error.raw_os_error() == Some(Errno::INTR.raw_os_error()) => {}
                Err(_) => break,
            }
        }
        events
    }
}
