//! A script is a plugin that needs no toolchain: one file of JavaScript or TypeScript.
//!
//! In go a name and a text, out comes a plugin's bytes: what the script says about itself is read, and nothing of it runs
//! ([`pack`]). What runs it is one component for all scripts, built by `cargo xtask script-runtime` out of `guest/` and kept
//! here ([`COMPONENT`]).

mod literals;
mod manifest;
mod module;
mod pack;
mod parse;
mod problem;
mod strip;
mod wishes;

use std::sync::LazyLock;

use model::Digest;

pub use module::{Export, Module, Reference, module};
pub use pack::{is_script, pack, places, warnings};
pub use problem::{Problem, Wrong, excerpt};
pub use wishes::entry;

/// What the runtime runs before each script, as an expression of JavaScript. A plugin in JavaScript has the same.
pub static PRELUDE: &str = include_str!("../guest/src/prelude.js");

/// The component that runs scripts.
pub static COMPONENT: &[u8] = include_bytes!("../runtime.wasm");

/// Its digest, as whoever built it wrote it down.
pub static DIGEST: LazyLock<Digest> = LazyLock::new(|| {
    // Hashing a megabyte at each start would cost more than a run; a test compares the two.
    include_str!("../runtime.digest").trim().parse().unwrap_or_else(|_| Digest::of(COMPONENT))
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_the_components() {
        assert_eq!(*DIGEST, Digest::of(COMPONENT), "`cargo xtask script-runtime` writes both");
    }

    #[test]
    fn the_component_names_no_folder_of_whoever_built_it() {
        let has = |path: &str| COMPONENT.windows(path.len()).any(|window| window == path.as_bytes());
        for folder in ["/home/", "/root/", "/tmp/", "/Users/", env!("CARGO_MANIFEST_DIR")] {
            assert!(!has(folder), "{folder}");
        }
        assert!(has("/cargo/rquickjs"), "paths are seen where there are some");
    }
}
