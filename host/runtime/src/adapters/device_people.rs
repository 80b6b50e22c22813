//! Without a scope: nothing is known of them beyond `wit/`.

use contract::device_people::{ListLogins, ListSessions, ListUsers};

use super::Adapter;

impl Adapter for ListSessions {}
impl Adapter for ListUsers {}
impl Adapter for ListLogins {}
