//! The end of a process, as soon as it comes.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;

use super::ready::ready;

/// A process that is waited for, whoever has its number by then.
#[derive(Debug)]
pub(super) struct Pidfd(AsyncFd<OwnedFd>);

impl Pidfd {
    /// None, where there is no such process.
    pub(super) fn open(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
        let fd = pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?;
        ready(fd).ok().map(Self)
    }

    /// Waits until it has ended. Where the kernel cannot be asked, it says so at once, and whoever waits looks.
    pub(super) async fn ended(&self) {
        let _ = self.0.readable().await;
    }
}
