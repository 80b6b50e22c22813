//! Descriptors that are waited for.

use std::os::fd::AsRawFd;

use tokio::io::unix::AsyncFd;

/// Has tokio wait for it.
#[expect(
    deprecated,
    reason = "its successor is unsafe, for whose descriptor becomes another one; each of ours owns one for life"
)]
pub(super) fn ready<T: AsRawFd>(fd: T) -> std::io::Result<AsyncFd<T>> {
    AsyncFd::new(fd)
}
