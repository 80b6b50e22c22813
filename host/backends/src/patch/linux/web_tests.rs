//! Changelogs from a server, as Debian's are: there, not there, and from one that does not answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use contract::patch_control::RefreshIndex;

use crate::attributes::find;
use crate::patch::Parts;
use crate::patch::conformance::{update, updates};
use crate::patch::real_root::Root;
use crate::testing::context;

/// What the server does when it is asked for a changelog.
#[derive(Clone, Copy, PartialEq)]
enum Answers {
    What,
    Nothing,
    Endlessly,
}

/// A server on loopback that has the root's repository, until the test is over.
fn serve(root: &Root, answers: Answers) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = root.path().join("repository");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &folder, answers));
        }
    });
    port
}

/// Answers one request after the other, as apt asks them on one connection. Who gives up breaks the pipe.
fn answer(stream: TcpStream, folder: &Path, answers: Answers) {
    let mut writer = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(request)) = lines.next() {
        while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
        let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let sent = match answers {
            Answers::Nothing if path.starts_with("changelogs/") => {
                std::thread::sleep(Duration::from_secs(60));
                return;
            }
            Answers::Endlessly if path.starts_with("changelogs/") => endless(&mut writer),
            _ => send(&mut writer, std::fs::read(folder.join(&path)).ok()),
        };
        if sent.is_err() {
            return;
        }
    }
}

fn send(writer: &mut TcpStream, content: Option<Vec<u8>>) -> std::io::Result<()> {
    let (status, body) = content.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
    write!(writer, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
    writer.write_all(&body)
}

/// A line a tenth of a second, for as long as anybody listens.
fn endless(writer: &mut TcpStream) -> std::io::Result<()> {
    write!(writer, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
    loop {
        writer.write_all(b"  * CVE-2026-9999\n")?;
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The root's apt, which knows its repository by HTTP only.
fn by_http(root: &Root, answers: Answers) -> Parts {
    let origin = format!("http://127.0.0.1:{}", serve(root, answers));
    let move_over = |path: PathBuf, from: &str| {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replace(from, &origin)).unwrap();
    };
    move_over(root.path().join("etc/apt/sources.list"), "file:/repository");
    for suite in ["probe", "probe-security"] {
        move_over(root.path().join(format!("repository/dists/{suite}/Release")), "file:///repository");
    }
    root.device("")
}

/// Refreshes, and says how long that took.
async fn refresh(parts: &Parts) -> Duration {
    let began = Instant::now();
    let change = parts.control.refresh_index(&context(), &RefreshIndex { source: "apt".into() }).await.unwrap();
    assert!(change.after > change.before, "{change:?}");
    began.elapsed()
}

#[tokio::test]
async fn changelogs_that_a_server_has_are_read_and_others_are_not_there() {
    let root = Root::new();
    let parts = by_http(&root, Answers::What);
    refresh(&parts).await;
    let after = update(&parts, "remit-sec").await.unwrap();
    assert_eq!(after.cves, ["CVE-2026-1234", "CVE-2026-4321"]);
    assert_eq!((after.released_ms, find(&after.attributes, "changelog")), (Some(1_795_168_800_000), Some("read")));
    // The server answers 404 for every other one.
    let other = update(&parts, "remit-app").await.unwrap();
    assert_eq!(
        (other.cves.len(), other.released_ms, find(&other.attributes, "changelog")),
        (0, None, Some("not-read"))
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_holds_up_a_refresh_for_seconds_and_a_list_not_at_all() {
    for (answers, most) in [(Answers::Nothing, 20), (Answers::Endlessly, 30)] {
        let root = Root::new();
        let parts = by_http(&root, answers);
        let took = refresh(&parts).await;
        assert!(took < Duration::from_secs(most), "{took:?}");
        let began = Instant::now();
        let listed = updates(&parts).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(listed.iter().any(|it| it.product == "remit-sec"), "{listed:?}");
        assert!(listed.iter().all(|it| find(&it.attributes, "changelog") != Some("read") && it.cves.is_empty()));
    }
}
