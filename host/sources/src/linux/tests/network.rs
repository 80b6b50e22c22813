//! Networks that change, in a name space of the test's own.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::{Child, Command, Stdio};

use agent::{Notice, Watch};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

use crate::testing::Bench;

/// A network with nothing but a loopback interface. What this thread does from now on, it does there.
struct Network(Child);

impl Network {
    #[expect(clippy::disallowed_methods, reason = "a test needs a network of its own")]
    fn enter() -> Self {
        // It says when it is there.
        let mut child = Command::new("unshare")
            .args(["--net", "--kill-child", "--fork", "sh", "-c", "echo; exec sleep 600"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let space = File::open(format!("/proc/{}/ns/net", child.id())).unwrap();
        move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        Self(child)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test does what an administrator would do")]
fn ip(command: &str) {
    let output = Command::new("ip").args(command.split(' ')).output().unwrap();
    assert!(output.status.success(), "{command}: {output:?}");
}

fn facts<const N: usize>(told: &Notice, names: [&str; N]) -> [Value; N] {
    names.map(|name| told.data[name].clone())
}

#[tokio::test]
async fn interfaces_addresses_and_default_routes_are_told_and_no_other_route() {
    let _root = ::tests::need_root!();
    let _network = Network::enter();
    ip("link set lo up");
    let mut bench = Bench::new();
    bench.start(Watch::NetworkChange);
    // It keeps nothing, so nothing says that it has begun.
    bench.silence().await;
    ip("link add wan type veth peer name other");
    let mut told = bench.until_silence().await;
    told.sort_by(|one, other| one.subject.cmp(&other.subject));
    assert_eq!(told.iter().map(|it| it.subject.as_str()).collect::<Vec<_>>(), ["other", "wan"]);
    assert_eq!(facts(&told[1], ["exists", "is-up"]), [json!(true), json!(false)]);
    // All at once is one change.
    ip("link set other up");
    ip("link set wan up");
    ip("address add 192.0.2.2/24 dev wan");
    ip("route add default via 192.0.2.1");
    let told = bench.until_silence().await;
    let wan: Vec<&Notice> = told.iter().filter(|it| it.subject == "wan").collect();
    let first = facts(wan[0], ["is-up", "was-up", "addresses-added", "default-routes-added"]);
    assert_eq!(first, [json!(true), json!(false), json!(["192.0.2.2/24"]), json!(["192.0.2.1"])]);
    // A route that is no default route, a neighbour, a setting, and an address that comes and goes at once.
    ip("route add 198.51.100.0/24 via 192.0.2.1");
    ip("neighbour add 192.0.2.9 lladdr 02:00:00:00:00:09 dev wan");
    ip("link set wan txqueuelen 500");
    ip("address add 192.0.2.77/24 dev wan");
    ip("address del 192.0.2.77/24 dev wan");
    bench.silence().await;
    ip("address del 192.0.2.2/24 dev wan");
    let told = bench.until_silence().await;
    let gone = facts(&told[0], ["addresses-removed", "default-routes-removed", "is-up"]);
    assert_eq!(gone, [json!(["192.0.2.2/24"]), json!(["192.0.2.1"]), json!(true)]);
    ip("link del wan");
    let told = bench.until_silence().await;
    assert!(told.iter().any(|it| it.subject == "wan" && it.data["exists"] == json!(false)), "{told:?}");
    // What is there when it starts is no event.
    bench.restart(Watch::NetworkChange).await;
    bench.silence().await;
}
