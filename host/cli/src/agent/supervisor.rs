//! Tells whoever started this process how it is: systemd's protocol, which others speak too.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

/// Where to say it, and how often; the command line reads the environment.
#[derive(clap::Args)]
pub(crate) struct Starter {
    /// Where a supervisor hears how this process is
    #[arg(long, env = "NOTIFY_SOCKET", hide = true, value_name = "SOCKET")]
    notify_socket: Option<PathBuf>,

    /// How often it must hear of it, or ends it
    #[arg(long, env = "WATCHDOG_USEC", hide = true, value_name = "USEC")]
    watchdog_usec: Option<u64>,
}

/// Whoever started this process; nobody, where it was started by hand.
pub(crate) struct Supervisor {
    to: Option<(UnixDatagram, SocketAddr)>,
    every: Option<Duration>,
}

impl Supervisor {
    pub(crate) fn new(args: &Starter) -> Self {
        let address = args.notify_socket.as_ref().and_then(|path| {
            let text = path.to_str()?;
            match text.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name).ok(),
                None => SocketAddr::from_pathname(path).ok(),
            }
        });
        let socket = UnixDatagram::unbound().and_then(|it| it.set_nonblocking(true).map(|()| it)).ok();
        // Twice as often as it must be, so that a late one is no end.
        let every = args.watchdog_usec.filter(|it| *it > 0).map(|it| Duration::from_micros(it / 2));
        Self { to: socket.zip(address), every }
    }

    /// How often [`Supervisor::alive`] is due.
    pub(crate) fn alive_every(&self) -> Option<Duration> {
        self.every
    }

    /// It is up, or up again after [`Supervisor::reloading`].
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    pub(crate) fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    pub(crate) fn reloading(&self) {
        self.tell("RELOADING=1");
    }

    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// A line for whoever asks how it is.
    pub(crate) fn status(&self, text: &str) {
        self.tell(&format!("STATUS={}", text.replace('\n', " ")));
    }

    /// Whoever does not listen misses it.
    fn tell(&self, what: &str) {
        if let Some((socket, address)) = &self.to {
            let _ = socket.send_to_addr(what.as_bytes(), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_hears_and_nobody_else_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let supervisor = Supervisor::new(&Starter { notify_socket: Some(path), watchdog_usec: Some(90_000_000) });
        let abstractly = SocketAddr::from_abstract_name(format!("remit-{}", std::process::id())).unwrap();
        let other = UnixDatagram::bind_addr(&abstractly).unwrap();
        let name = format!("@remit-{}", std::process::id());
        let by_name = Supervisor::new(&Starter { notify_socket: Some(name.into()), watchdog_usec: None });
        for (supervisor, listener) in [(&supervisor, &listener), (&by_name, &other)] {
            supervisor.ready();
            supervisor.status("two\nlines");
            let mut heard = [0; 64];
            for expected in ["READY=1", "STATUS=two lines"] {
                let length = listener.recv(&mut heard).unwrap();
                assert_eq!(std::str::from_utf8(&heard[..length]).unwrap(), expected);
            }
        }
        assert_eq!(supervisor.alive_every(), Some(Duration::from_secs(45)));
        assert_eq!(by_name.alive_every(), None);
        Supervisor::new(&Starter { notify_socket: None, watchdog_usec: Some(0) }).ready();
    }
}
