use contract::software::FindPrograms;

use super::Adapter;

/// The pattern only narrows what is seen.
impl Adapter for FindPrograms {}
