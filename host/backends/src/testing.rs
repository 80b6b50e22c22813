//! What the conformance suites share.

use std::time::{Duration, Instant};

use contract::Context;

/// A call of the plugin `test` that has a minute.
pub(crate) fn context() -> Context {
    Context::new("run_01", "test", "dev_01", vec!["*".to_owned()], Instant::now() + Duration::from_secs(60))
}
