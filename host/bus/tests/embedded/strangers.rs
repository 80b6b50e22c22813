//! Whoever answers is the hub, or nothing is asked; and whoever is in between carries it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::dial::{Dial, Way, WayError};
use bus::server::{Desk, Limits};
use bus::{Line as _, Memory, Pulled, Trouble, Woken};
use distribution::Proxy;
use model::{Clock, Digest, ManualClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::world::{Authority, Between, Hub, Lets, NOW_MS, Root};

/// A hub under a name, of an authority, that shows some.
fn hub(authority: &Authority, name: &str, shows: &[&Authority], at: &str) -> Hub {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW_MS));
    let admission = Lets { hub: authority.digest(), not: Vec::new() };
    let memory = Arc::new(Memory::new(Arc::clone(&clock)));
    let desk = Desk::new(memory, Arc::new(admission), authority.digest(), clock);
    let tls = authority.tls(name, shows);
    Hub::start(at.parse().unwrap(), tls, desk, Between::Nobody, Limits::default())
}

fn dial(to: SocketAddr, authorities: &[Digest], proxy: Option<&Proxy>) -> Dial {
    let url = format!("https://{to}").parse().unwrap();
    Dial::new(Way::new(&url, authorities, proxy).unwrap(), Box::new(Root(1)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_whom_a_known_authority_vouches_for_is_asked() {
    let (ours, other) = (Authority::new(), Authority::new());
    let ask = async |hub: &Hub, authorities: &[Digest]| dial(hub.address, authorities, None).mailbox(None).await;
    let good = hub(&ours, "127.0.0.1", &[&ours], "127.0.0.1:0");
    assert_eq!(ask(&good, &[ours.digest()]).await, Ok(Pulled::Empty), "the control");
    let strangers = [
        ("another authority", hub(&other, "127.0.0.1", &[&other], "127.0.0.1:0")),
        ("one that shows ours, and was issued by another", hub(&other, "127.0.0.1", &[&ours], "127.0.0.1:0")),
        ("one that shows both", hub(&other, "127.0.0.1", &[&other, &ours], "127.0.0.1:0")),
        ("one that shows nobody", hub(&ours, "127.0.0.1", &[], "127.0.0.1:0")),
        ("another name", hub(&ours, "127.0.0.2", &[&ours], "127.0.0.1:0")),
    ];
    for (who, hub) in &strangers {
        let answer = ask(hub, &[ours.digest()]).await;
        assert!(matches!(answer, Err(Trouble::Stranger { .. })), "{who}: {answer:?}");
    }
    let nobody = dial("127.0.0.1:1".parse().unwrap(), &[ours.digest()], None).mailbox(None).await;
    assert!(matches!(nobody, Err(Trouble::Unreachable { .. })), "{nobody:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_may_move_to_another_authority() {
    let (old, new) = (Authority::new(), Authority::new());
    for authority in [&old, &new] {
        let hub = hub(authority, "127.0.0.1", &[authority], "127.0.0.1:0");
        let dial = dial(hub.address, &[new.digest(), old.digest()], None);
        assert_eq!(dial.mailbox(None).await, Ok(Pulled::Empty));
        assert_eq!(dial.wait(None, Duration::from_millis(1)).await, Ok(Woken::Quiet));
    }
}

#[tokio::test]
async fn a_way_is_to_an_address_with_an_authority() {
    let digest = Digest::of(b"ca");
    let way = |address: &str, authorities: &[Digest]| Way::new(&address.parse().unwrap(), authorities, None);
    assert!(way("https://hub.example:8443", &[digest]).is_ok() && way("https://hub.example", &[digest; 8]).is_ok());
    for wrong in ["http://hub.example", "https://hub.example/a", "https://hub.example/?a", "https://me@hub.example"] {
        assert!(matches!(way(wrong, &[digest]), Err(WayError::Address(_))), "{wrong}");
    }
    assert!(matches!(way("https://hub.example", &[]), Err(WayError::Pins)));
    assert!(matches!(way("https://hub.example", &[digest; 9]), Err(WayError::Pins)));
}

/// A proxy that connects whoever says the right word, and counts them.
async fn proxy(connected: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let connected = Arc::clone(&connected);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await?);
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let to = head.strip_prefix("CONNECT ").and_then(|it| it.split(' ').next()).unwrap_or_default();
                // `me:secret`.
                if !head.contains("bWU6c2VjcmV0") {
                    let refused = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
                    return client.write_all(refused.as_bytes()).await;
                }
                let mut hub = TcpStream::connect(to).await?;
                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
                connected.fetch_add(1, Ordering::Relaxed);
                copy_bidirectional(&mut client, &mut hub).await.map(drop)
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_carries_requests_and_sockets() {
    // Loopback is never asked through a proxy: the hub goes by the address that stands for all of this machine's.
    let ours = Authority::new();
    let hub = hub(&ours, "0.0.0.0", &[&ours], "0.0.0.0:0");
    let connected = Arc::new(AtomicUsize::new(0));
    let address = proxy(Arc::clone(&connected)).await;
    let of = |credentials| Proxy::new(format!("http://{address}").parse().unwrap(), &[], credentials).unwrap();
    let refused = dial(hub.address, &[ours.digest()], Some(&of(Some("me:wrong")))).mailbox(None).await;
    assert!(matches!(&refused, Err(Trouble::Unreachable { why }) if why.contains("credentials")), "{refused:?}");
    assert_eq!(connected.load(Ordering::Relaxed), 0);
    let dial = dial(hub.address, &[ours.digest()], Some(&of(Some("me:secret"))));
    assert_eq!(dial.mailbox(None).await, Ok(Pulled::Empty));
    assert!(connected.load(Ordering::Relaxed) > 0);
    assert_eq!(dial.wait(None, Duration::from_millis(10)).await, Ok(Woken::Quiet));
    assert!(dial.has_socket());
}
