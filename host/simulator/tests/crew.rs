//! Devices that dial a real hub over TLS: they join, learn whom to believe, look, tell, and come back when the hub does.

use std::path::Path;
use std::time::Duration;

use simulator::bench::{self, Patience};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_join_look_tell_and_come_back() {
    let program = Path::new(env!("CARGO_BIN_EXE_simulator-hub"));
    let (none, some) = (Duration::ZERO, Duration::from_millis(500));
    let patience = Patience { settle: none, rest: some, watch: none };
    let measured = bench::measure(program, 12, patience, |line| eprintln!("{line}")).await.unwrap();
    let missed: Vec<_> = bench::judge(&[measured]).into_iter().filter(|it| !it.is_met).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
