use std::time::Duration;

use contract::Context;
use contract::process::ProcessInfo;
use contract::types::Error;
use model::Scope;

use crate::errors;

use super::Table;

/// A platform whose processes this host cannot see yet.
pub(super) struct Other;

fn unsupported<T>() -> Result<T, Error> {
    Err(errors::unsupported("platform", "this host does not know the processes of this platform"))
}

#[async_trait::async_trait]
impl Table for Other {
    async fn list(&self, _: &Context, _: &Scope) -> Result<Vec<ProcessInfo>, Error> {
        unsupported()
    }

    async fn get(&self, _: &Context, _: u32) -> Result<Option<ProcessInfo>, Error> {
        unsupported()
    }

    async fn end(&self, _: &Context, _: &ProcessInfo, _: Duration) -> Result<Option<&'static str>, Error> {
        unsupported()
    }
}
