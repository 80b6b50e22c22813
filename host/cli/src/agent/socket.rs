//! Listens on the agent's socket, and lets nobody ask what is not theirs to ask.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::protocol::{self, Ask, Handed, Told};

/// Who asks at once; more wait.
const CONNECTIONS_MAX: usize = 64;

/// How long whoever connects takes to say what they want: it is a program.
const ASKING_TIME_MAX: Duration = Duration::from_secs(10);

/// What somebody asked who may.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) ask: Ask,
    /// The plugin that came with a hand run.
    pub(crate) plugin: Option<Vec<u8>>,
    pub(crate) answer: Answer,
}

/// Where an answer goes.
#[derive(Debug)]
pub(crate) struct Answer {
    to: mpsc::Sender<Told>,
    /// Whoever asked has gone, or wants no more of it.
    pub(crate) gone: CancellationToken,
    /// There is nothing more to be said.
    pub(crate) over: CancellationToken,
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.over.cancel();
    }
}

impl Answer {
    /// Says it. Whoever has gone hears nothing, and nobody waits for them.
    pub(crate) fn tell(&self, told: Told) {
        let _ = self.to.try_send(told);
    }

    /// Says the last of it, which may wait.
    pub(crate) async fn end(&self, told: Told) {
        let _ = self.to.send(told).await;
    }
}

/// Who may ask what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    /// Who may ask everything, beside root: whoever the agent runs as.
    pub(crate) owner: u32,
    /// The half that speaks to the network.
    pub(crate) network: Option<u32>,
}

impl Rights {
    fn check(self, uid: u32, ask: &Ask) -> Result<(), Told> {
        let is_owner = uid == 0 || uid == self.owner;
        if is_owner || (Some(uid) == self.network && ask.is_for_anybody()) {
            return Ok(());
        }
        let reason = format!("user {uid} may not ask the agent for that");
        Err(Told::Refused { reasons: vec![reason], next: Some("ask as root".to_owned()) })
    }
}

/// Listens, as long as the agent lives. What is asked goes to the desk, which is bounded: whoever asks too much waits.
pub(crate) fn listen(
    path: &Path,
    group: Option<u32>,
    rights: Rights,
    desk: mpsc::Sender<Asked>,
) -> io::Result<Listening> {
    // What a dead agent left behind listens no more; the lock on the state says that there is no other.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(if group.is_some() { 0o660 } else { 0o600 }))?;
    if group.is_some() {
        std::os::unix::fs::chown(path, None, group)?;
    }
    tokio::spawn(async move {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            // Never closed.
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            // Out of files, perhaps: others close some.
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let desk = desk.clone();
            tokio::spawn(async move {
                // Whoever is cut off has only themselves to tell.
                let _ = serve(stream, rights, desk).await;
                drop(place);
            });
        }
    });
    Ok(Listening(path.to_owned()))
}

/// The socket goes with the agent.
pub(crate) struct Listening(PathBuf);

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn serve(stream: UnixStream, rights: Rights, desk: mpsc::Sender<Asked>) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    let (mut from, mut to) = stream.into_split();
    let asked = timeout(ASKING_TIME_MAX, protocol::read::<Ask>(&mut from)).await.map_err(io::Error::other)?;
    let ask = match asked {
        Ok(Some(ask)) => ask,
        Ok(None) => return Ok(()),
        Err(error) => return protocol::write(&mut to, &Told::Failed { why: vec![error.to_string()] }).await,
    };
    if let Err(refused) = rights.check(uid, &ask) {
        return protocol::write(&mut to, &refused).await;
    }
    let plugin = match &ask {
        Ask::Run { plugin: Handed::File { .. }, .. } => {
            Some(timeout(ASKING_TIME_MAX * 6, protocol::read_plugin(&mut from)).await.map_err(io::Error::other)??)
        }
        _ => None,
    };
    let (send, receive) = mpsc::channel(256);
    let gone = CancellationToken::new();
    let answer = Answer { to: send, gone: gone.clone(), over: CancellationToken::new() };
    if desk.send(Asked { ask, plugin, answer }).await.is_err() {
        return protocol::write(&mut to, &Told::Failed { why: vec!["the agent is ending".to_owned()] }).await;
    }
    let (done, mut is_done) = oneshot::channel::<()>();
    let watching = tokio::spawn(async move {
        let mut more = [0; 1];
        tokio::select! {
            // Whoever asks says nothing more: what comes is the end.
            _ = tokio::io::AsyncReadExt::read(&mut from, &mut more) => gone.cancel(),
            _ = &mut is_done => {}
        }
    });
    let answered = forward(receive, &mut to).await;
    let _ = done.send(());
    watching.abort();
    answered
}

async fn forward(mut from: mpsc::Receiver<Told>, to: &mut OwnedWriteHalf) -> io::Result<()> {
    while let Some(told) = from.recv().await {
        protocol::write(to, &told).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_half_moves_nothing() {
        let rights = Rights { owner: 500, network: Some(900) };
        let pause = Ask::Pause { order: None };
        for (uid, may_pause, may_look) in
            [(0, true, true), (500, true, true), (900, false, true), (1_000, false, false)]
        {
            assert_eq!(rights.check(uid, &pause).is_ok(), may_pause, "{uid}");
            assert_eq!(rights.check(uid, &Ask::Metrics).is_ok(), may_look, "{uid}");
            // What it passes on it may hand over, and who joins what is for others.
            for ask in [Ask::Hub { known: None }, Ask::Came { things: Vec::new() }] {
                assert_eq!(rights.check(uid, &ask).is_ok(), may_look, "{uid}");
            }
            assert_eq!(rights.check(uid, &Ask::Joined).is_ok(), may_pause, "{uid}");
        }
    }
}
