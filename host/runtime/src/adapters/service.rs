use std::borrow::Cow;

use contract::service::{GetService, ListDependencies, ListServices};
use contract::service_control::{ReloadService, RestartService, SetStartType, StartService, StopService};

use super::Adapter;

/// It lists what is in the scope.
impl Adapter for ListServices {}

impl Adapter for GetService {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.name)]
    }
}

impl Adapter for ListDependencies {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.name)]
    }
}

/// The processes of a service that would start, stop or start anew.
const PROCESSES: &[&str] = &["process", "query"];

impl Adapter for StartService {
    const UNSEEN_BY: &'static [&'static str] = PROCESSES;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.name)]
    }
}

impl Adapter for StopService {
    const UNSEEN_BY: &'static [&'static str] = PROCESSES;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.name)]
    }
}

impl Adapter for RestartService {
    const UNSEEN_BY: &'static [&'static str] = PROCESSES;

    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.name)]
    }
}

impl Adapter for ReloadService {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.name)]
    }
}

impl Adapter for SetStartType {
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        vec![Cow::Borrowed(&self.name)]
    }
}
