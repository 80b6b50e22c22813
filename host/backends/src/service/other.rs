use std::time::Duration;

use contract::Context;
use contract::service::ServiceInfo;
use contract::types::{Error, StartType};
use model::Scope;

use crate::errors;

use super::Manager;
use super::manager::{Job, Progress};

/// A platform whose services this host cannot manage yet.
pub(super) struct Other;

fn unsupported<T>() -> Result<T, Error> {
    Err(errors::unsupported("platform", "this host does not know the services of this platform"))
}

#[async_trait::async_trait]
impl Manager for Other {
    async fn list(&self, _: &Context, _: &Scope) -> Result<Vec<ServiceInfo>, Error> {
        unsupported()
    }

    async fn get(&self, _: &Context, _: &str) -> Result<ServiceInfo, Error> {
        unsupported()
    }

    async fn dependencies(&self, _: &Context, _: &str) -> Result<Vec<String>, Error> {
        unsupported()
    }

    async fn perform(&self, _: &Context, _: &ServiceInfo, _: &Job, _: Duration) -> Result<Progress, Error> {
        unsupported()
    }

    async fn set_start_type(&self, _: &Context, _: &ServiceInfo, _: StartType) -> Result<(), Error> {
        unsupported()
    }
}
