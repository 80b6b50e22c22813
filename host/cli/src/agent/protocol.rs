//! What is said over the agent's socket: frames of JSON, a length of four bytes before each.

use std::io;

use model::{Digest, Ended, RunId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::job::Job;

/// The most bytes of a frame: parameters of a hand run, or an answer. Plugins travel beside.
const FRAME_BYTES_MAX: u32 = 8 << 20;

/// The most bytes of a plugin that a hand run brings along: more than any language makes.
const PLUGIN_BYTES_MAX: u32 = 256 << 20;

/// What is asked. One a connection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub(crate) enum Ask {
    /// How the agent is.
    Status,
    /// The orders, and what of them comes next.
    Orders,
    /// Why an order ran or did not: the latest so many decisions, and what comes next.
    Explain { order: String, count: u32 },
    /// Starts nothing of this order any more, or of any; what runs goes on.
    Pause { order: Option<String> },
    /// Takes back what `pause` did, and what a breaker did.
    Resume { order: Option<String> },
    /// A run went on after a reboot, or was ended: whoever did that says so.
    Resumed,
    /// An event with a name.
    Emit { name: String, data: Map<String, Value> },
    /// A run by hand. A plugin that is no installed one follows, in a frame of its own.
    Run { job: Box<Job>, plugin: Handed },
    /// Counts, for whoever watches.
    Metrics,
    /// Runs that ended after a place that was told before; without one only the place where the next will be.
    Traces {
        #[serde(default)]
        after: Option<u64>,
    },
    /// Where the hub is, answered once that is otherwise than whoever asks knows; nothing, where this device joined none.
    Hub { known: Option<HubIs> },
    /// A session of that hub for a key, signed by the device.
    Session { hub: Digest, key: trust::Key },
    /// Things came over the line. What is had, and what to fetch, is answered; also to whoever brings nothing.
    Came { things: Vec<Thing> },
    /// Messages were taken by the hub, and how the line is. What is to be told next is answered, once there is something.
    Say { acks: Vec<bus::Ack>, line: LineIs },
    /// This device joined a hub, or left it.
    Joined,
}

/// Something that came over the line. Nobody believes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "thing", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub(crate) enum Thing {
    /// The mailbox, which is text; empty, where nothing was ever put into it.
    Mailbox { text: String },
    /// A document by the digest by which it was asked for, as base64.
    Document { digest: Digest, bytes: String },
    /// The hub has no such document.
    Missing { digest: Digest },
}

/// How the line is, for whoever asks how the agent is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LineIs {
    /// What is wrong with it; none, where the last request was answered.
    pub(crate) trouble: Option<String>,
}

/// Where the hub is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct HubIs {
    /// In the order in which they are tried.
    pub(crate) addresses: Vec<String>,
    /// Whose certificates it has.
    pub(crate) authorities: Vec<Digest>,
}

/// What is wanted of the line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Wanted {
    /// The mailbox that is had.
    pub(crate) has: Option<Digest>,
    /// Documents to fetch.
    pub(crate) fetch: Vec<Digest>,
}

/// What is to be told the hub.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ToSay {
    /// The first of what waits.
    pub(crate) messages: Vec<Said>,
    /// How many wait.
    pub(crate) waiting: u64,
    /// What is wanted of the line.
    pub(crate) wanted: Wanted,
}

/// A message. All that a device says is text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Said {
    pub(crate) spool: bus::Spool,
    pub(crate) sequence: u64,
    pub(crate) kind: trust::Name,
    pub(crate) body: String,
}

/// Where the plugin of a hand run comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Handed {
    /// What is installed under this name.
    Installed {
        /// `NAME` or `NAME@VERSION`.
        name: String,
    },
    /// A file of whoever asks. It was read there, and follows.
    File {
        /// What was signed about it, each as one text.
        statements: Vec<String>,
        /// What they call it.
        path: String,
    },
}

/// What is answered: any number of [`Told::Waits`], [`Told::Progress`] and [`Told::Log`], and then one of the others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "told", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub(crate) enum Told {
    /// The run waits for others.
    Waits { behind: u64 },
    /// The run began.
    Began { run: RunId },
    /// How far the run is.
    Progress { percent: u32, message: String },
    /// A line of the run's log.
    Log { level: contract::run::LogLevel, message: String },
    /// The run is over; its record is in the store.
    Ended { ended: Box<Ended> },
    /// What was asked for.
    Is { value: Value },
    /// Nothing was run, for these reasons.
    Refused { reasons: Vec<String>, next: Option<String> },
    /// It could not be done: the whole chain.
    Failed { why: Vec<String> },
}

impl Ask {
    /// Whether the half that speaks to the network may ask it: it learns what it passes on, and moves nothing. What it hands over,
    /// from a hub that nobody believes, is looked at as if anybody had.
    pub(crate) fn is_for_anybody(&self) -> bool {
        matches!(
            self,
            Self::Metrics
                | Self::Traces { .. }
                | Self::Hub { .. }
                | Self::Session { .. }
                | Self::Came { .. }
                | Self::Say { .. }
        )
    }
}

/// Writes a frame.
pub(crate) async fn write(to: &mut (impl AsyncWrite + Unpin), message: &impl Serialize) -> io::Result<()> {
    let bytes = serde_json::to_vec(message)?;
    write_bytes(to, &bytes, FRAME_BYTES_MAX).await
}

/// Reads a frame; none at the end.
pub(crate) async fn read<T: DeserializeOwned>(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<T>> {
    let Some(bytes) = read_bytes(from, FRAME_BYTES_MAX).await? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes a plugin.
pub(crate) async fn write_plugin(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    write_bytes(to, bytes, PLUGIN_BYTES_MAX).await
}

/// Reads a plugin.
pub(crate) async fn read_plugin(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let missing = || io::Error::new(io::ErrorKind::UnexpectedEof, "the plugin did not come");
    read_bytes(from, PLUGIN_BYTES_MAX).await?.ok_or_else(missing)
}

async fn write_bytes(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], most: u32) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|&length| length <= most).ok_or_else(|| too_long(most))?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(bytes).await?;
    to.flush().await
}

async fn read_bytes(from: &mut (impl AsyncRead + Unpin), most: u32) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length);
    if length > most {
        return Err(too_long(most));
    }
    // What is only announced takes no memory.
    let mut bytes = Vec::new();
    let read = from.take(u64::from(length)).read_to_end(&mut bytes).await?;
    if read < usize::try_from(length).unwrap_or(usize::MAX) {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before its end"));
    }
    Ok(Some(bytes))
}

fn too_long(most: u32) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("a message is at most {most} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_and_what_is_too_long_or_cut_is_not() {
        let mut bytes = Vec::new();
        write(&mut bytes, &Ask::Pause { order: Some("night".to_owned()) }).await.unwrap();
        let again: Ask = read(&mut bytes.as_slice()).await.unwrap().unwrap();
        assert!(matches!(again, Ask::Pause { order: Some(order) } if order == "night"));
        assert!(read::<Ask>(&mut &[][..]).await.unwrap().is_none(), "nobody asked");
        assert!(read::<Ask>(&mut &bytes[..bytes.len() - 1]).await.is_err());
        assert!(read::<Ask>(&mut &[0xff; 8][..]).await.is_err());
        let unknown = br#"{"ask":"pause","order":null,"more":1}"#;
        let mut framed = u32::try_from(unknown.len()).unwrap().to_be_bytes().to_vec();
        framed.extend(unknown);
        assert!(read::<Ask>(&mut framed.as_slice()).await.is_err());
    }
}
