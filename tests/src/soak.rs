//! The long form of a test is the same test with larger numbers. `cargo xtask soak` runs every test that has one.

use std::time::SystemTime;

use crate::harness;

/// Tells the tests that they are to take their long form; only `cargo xtask soak` sets it.
pub const SOAK: &str = "REMIT_TESTS_SOAK";
/// Tells the tests what is to be random in them.
const SEED: &str = "REMIT_SEED";

/// Whether this test is to take its long form. Asked in the test itself, because there `cargo xtask soak` looks for it.
#[macro_export]
macro_rules! soak {
    () => {{
        fn here() {}
        $crate::is_soak(std::any::type_name_of_val(&here))
    }};
}

/// Behind [`soak!`]: `here` is the path of a function inside the test.
pub fn is_soak(here: &str) -> bool {
    let is_soak = std::env::var_os(SOAK).is_some();
    if is_soak {
        harness::tell(&format!("soaked: {}", harness::name(here)));
    }
    is_soak
}

/// A seed for what is random in a test: a new one, or the one given. It is told, so that it can be given again.
pub fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = std::env::var(SEED).map_or(now.as_nanos() as u64, |seed| seed.parse().unwrap());
    harness::tell(&format!("{SEED}={seed}"));
    seed
}

/// splitmix64: what is random is random, and can be had again.
pub struct Chance(u64);

impl Chance {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below another.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
