//! Components that a reviewer approved unread, and that mean to keep the compiler busy, or to have it eat the machine's memory. The
//! child that compiles has limits; the host says which one was met, maps nothing, and goes on.

use std::time::{Duration, Instant};

use artifact::Plugin;
use model::Grants;
use runtime::{Compiler, Engine, Error, Options, Refusal};

use crate::Attack;
use crate::components::{grows, huge};
use crate::scene::with_manifest;

pub(crate) const ATTACKS: &[Attack] = &[
    ("a component that compiles for minutes", |of| {
        stopped(of, minutes(), Limits { seconds: 3, mib: 2 << 10 }, "more than 3 s")
    }),
    ("a component that eats memory while compiling", |of| {
        stopped(of, memory(), Limits { seconds: 100, mib: 256 }, "more than 256 MiB")
    }),
];

/// Of a component that takes too long or too much, and of the same in small.
struct Bomb {
    large: Vec<u8>,
    small: Vec<u8>,
}

struct Limits {
    seconds: u64,
    mib: u64,
}

/// Some three thousand functions, of which each takes some thirty milliseconds.
fn minutes() -> Bomb {
    Bomb { large: huge(4_000, 700), small: huge(1, 700) }
}

/// One function whose blocks all have a hand on the same values.
fn memory() -> Bomb {
    Bomb { large: huge(2, 60_000), small: huge(2, 60) }
}

#[test]
fn a_compiler_that_is_kept_busy_is_stopped() {
    ATTACKS.iter().for_each(|(of, attack)| attack(of));
}

/// The default limits are 120 s and 2 GiB (`limits` holds them to that); a test has lower ones on the same path.
fn stopped(of: &str, bomb: Bomb, limits: Limits, why: &str) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(async {
        let engine = Engine::new(Options { pooled: false, ..Options::default() }).unwrap();
        let program = tests::built::remit().to_owned();
        let compiler = Compiler::Child { program, seconds_max: limits.seconds, memory_bytes_max: limits.mib << 20 };
        let before = runtime::touched();
        let begun = Instant::now();
        let reasons = prepare(&engine, &compiler, of_bytes(bomb.large)).await.expect_err(of);
        eprintln!("{of}: stopped after {:?}: {reasons}", begun.elapsed());
        assert!(reasons.contains(why), "{of}: {reasons}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{of}: {:?}", begun.elapsed());
        assert_eq!(runtime::touched().mapped, before.mapped, "{of}: nothing of it was mapped");
        // The host goes on; and in small the same is compiled.
        prepare(&engine, &compiler, of_bytes(bomb.small)).await.expect("the control");
        prepare(&engine, &compiler, of_bytes(grows(1))).await.expect("another plugin");
        assert_eq!(runtime::touched().mapped, before.mapped + 2);
    });
}

fn of_bytes(component: Vec<u8>) -> Plugin {
    artifact::verify_local(with_manifest(component, "bomb", "1.0.0"), None).unwrap()
}

async fn prepare(engine: &Engine, compiler: &Compiler, plugin: Plugin) -> Result<(), String> {
    match runtime::prepare(engine, &plugin, &Grants::default(), None, compiler).await {
        Ok(_) => Ok(()),
        Err(Error::Refused(reasons)) => match reasons.as_slice() {
            [Refusal::NotCompiled { reason }] => Err(reason.clone()),
            other => panic!("{other:?}"),
        },
        Err(other) => panic!("{other:?}"),
    }
}
