//! Somebody between a registry and whoever asks it, who changes what is answered.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// What is sent in place of an answer.
pub enum Answer {
    /// These bytes, and then the connection ends.
    Bytes(Vec<u8>),
    /// These bytes, and then nothing, without an end.
    Stall(Vec<u8>),
}

/// Somebody between. They live as long as the test does.
pub struct Between {
    address: SocketAddr,
}

/// From `METHOD /path` and the honest answer, head and body, what is sent.
type Change = dyn Fn(&str, Vec<u8>) -> Answer + Send + Sync;

impl Between {
    /// Before this server.
    pub fn before(server: SocketAddr, change: impl Fn(&str, Vec<u8>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let change: Arc<Change> = Arc::new(change);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let change = Arc::clone(&change);
                thread::spawn(move || answer(client, server, &*change));
            }
        });
        Self { address }
    }

    /// Where they listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// One request on each connection, and none has a body: nobody pushes this way.
fn answer(mut client: TcpStream, server: SocketAddr, change: &Change) -> Option<()> {
    let head = head(&mut client)?;
    let (line, rest) = head.split_once("\r\n")?;
    let asked = line.strip_suffix(" HTTP/1.1")?;
    let mut server = TcpStream::connect(server).ok()?;
    write!(server, "{line}\r\nConnection: close\r\n{rest}").ok()?;
    let mut honest = Vec::new();
    server.read_to_end(&mut honest).ok()?;
    match change(asked, honest) {
        Answer::Bytes(bytes) => client.write_all(&bytes).ok(),
        Answer::Stall(bytes) => {
            client.write_all(&bytes).ok()?;
            thread::sleep(Duration::from_secs(600));
            None
        }
    }
}

fn head(client: &mut TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}
