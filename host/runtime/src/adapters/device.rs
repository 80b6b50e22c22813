//! Facts without a scope: nothing is known of them beyond `wit/`.

use contract::device::{GetHardware, GetIdentity, GetLoad, GetOs, GetRebootState, ListNetworkInterfaces, ListVolumes};

use super::Adapter;

impl Adapter for GetIdentity {}
impl Adapter for GetOs {}
impl Adapter for GetHardware {}
impl Adapter for ListVolumes {}
impl Adapter for ListNetworkInterfaces {}
impl Adapter for GetLoad {}
impl Adapter for GetRebootState {}
