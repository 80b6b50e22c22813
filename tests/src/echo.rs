//! A server with TLS of its own authority, which remembers what it was asked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Listens on loopback for as long as the test runs.
pub struct Echo {
    /// Where.
    pub port: u16,
    /// The certificate of its authority, in PEM.
    pub authority: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    /// One that answers with what is made of the head of a request: a whole answer.
    pub fn start(reply: fn(&str) -> String) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let (config, heard) = (Arc::new(config), Arc::<Mutex<Vec<String>>>::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let echo =
            Self { port: listener.local_addr().unwrap().port(), authority: authority.pem(), heard: Arc::clone(&heard) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                answer(StreamOwned::new(tls, stream.unwrap()), &heard, reply);
            }
        });
        echo
    }

    /// The heads of the requests.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn answer(stream: StreamOwned<ServerConnection, TcpStream>, heard: &Mutex<Vec<String>>, reply: fn(&str) -> String) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    // Bytes, because what is sent need not be ASCII.
    while !head.ends_with(b"\r\n\r\n") && stream.read_until(b'\n', &mut head).is_ok_and(|length| length > 0) {}
    let head = String::from_utf8_lossy(&head).into_owned();
    let said = reply(&head);
    heard.lock().unwrap().push(head);
    let stream = stream.get_mut();
    let _ = stream.write_all(said.as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}
