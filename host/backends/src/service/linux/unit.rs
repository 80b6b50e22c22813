use std::collections::HashMap;

use contract::service::{ServiceInfo, ServiceState};
use contract::types::{Attributes, StartType};
use zbus::{OwnedVariant, Variant};

use super::super::is_up;

/// The properties of a unit and of its service.
pub(super) struct Unit(pub(super) HashMap<String, OwnedVariant>);

/// Relations by which stopping one unit stops the other.
const STOPPED_WITH: [&str; 4] = ["RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf"];
/// Relations by which a unit cannot run without the other.
const NEEDED: [&str; 3] = ["Requires", "Requisite", "BindsTo"];

impl Unit {
    pub(super) fn text(&self, name: &str) -> &str {
        match self.0.get(name).map(|value| &**value) {
            Some(Variant::Str(text)) => text.as_str(),
            _ => "",
        }
    }

    fn number(&self, name: &str) -> Option<u64> {
        match **self.0.get(name)? {
            Variant::U32(number) => Some(number.into()),
            Variant::U64(number) => Some(number),
            Variant::I32(number) => u64::try_from(number).ok(),
            _ => None,
        }
    }

    fn is(&self, name: &str) -> bool {
        matches!(self.0.get(name).map(|value| &**value), Some(Variant::Bool(true)))
    }

    fn names(&self, properties: &[&str]) -> Vec<String> {
        let values = properties.iter().filter_map(|name| self.0.get(*name));
        values
            .filter_map(|value| value.try_clone().ok())
            .flat_map(|value| Vec::try_from(value).unwrap_or_default())
            .collect()
    }

    /// Units that stop where this one stops.
    pub(super) fn stopped_with(&self) -> Vec<String> {
        self.names(&STOPPED_WITH)
    }

    /// Units that this one needs.
    pub(super) fn needed(&self) -> Vec<String> {
        self.names(&NEEDED)
    }

    pub(super) fn is_up(&self) -> bool {
        is_up(self.state())
    }

    /// The unit's first name, without its suffix.
    pub(super) fn name(&self) -> String {
        let id = self.text("Id");
        id.strip_suffix(".service").unwrap_or(id).to_owned()
    }

    pub(super) fn state(&self) -> ServiceState {
        match self.text("ActiveState") {
            "active" | "reloading" => ServiceState::Running,
            "activating" => ServiceState::StartPending,
            "deactivating" => ServiceState::StopPending,
            "inactive" => ServiceState::Stopped,
            "failed" => ServiceState::Failed,
            _ => ServiceState::Other,
        }
    }

    fn start_type(&self) -> StartType {
        match self.text("UnitFileState") {
            "enabled" | "enabled-runtime" => StartType::Automatic,
            "disabled" | "static" | "indirect" | "linked" | "linked-runtime" => StartType::Manual,
            "masked" | "masked-runtime" => StartType::Masked,
            _ => StartType::Other,
        }
    }

    pub(super) fn info(&self) -> ServiceInfo {
        let positive = |name: &str| self.number(name).filter(|&number| number > 0);
        ServiceInfo {
            name: self.name(),
            display_name: self.text("Description").to_owned(),
            state: self.state(),
            start_type: self.start_type(),
            pid: positive("MainPID").and_then(|pid| u32::try_from(pid).ok()),
            since_ms: positive("StateChangeTimestamp").map(|since_us| since_us / 1_000),
            attributes: self.attributes(),
        }
    }

    fn attributes(&self) -> Attributes {
        let mut attributes: Attributes = vec![("manager".into(), "systemd".into())];
        let mut add = |name: &str, value: String| {
            if !value.is_empty() {
                attributes.push((name.to_owned(), value));
            }
        };
        add("type", self.text("Type").to_owned());
        add("sub-state", self.text("SubState").to_owned());
        add("result", self.text("Result").to_owned());
        add("unit-file-state", self.text("UnitFileState").to_owned());
        add("account", self.text("User").to_owned());
        add("binary", self.binary());
        let has_run = self.number("ExecMainExitTimestamp").is_some_and(|at| at > 0);
        add(
            "exit-code",
            self.number("ExecMainStatus").filter(|_| has_run).map(|it| it.to_string()).unwrap_or_default(),
        );
        add("restarts", self.number("NRestarts").map(|it| it.to_string()).unwrap_or_default());
        let memory = self.number("MemoryCurrent").filter(|&bytes| bytes != u64::MAX);
        add("memory-bytes", memory.map(|it| it.to_string()).unwrap_or_default());
        let runs_once = self.text("Type") == "oneshot" && !self.is("RemainAfterExit");
        add("runs-once", if runs_once { "true".into() } else { String::new() });
        add("reload", if self.is("CanReload") { "true".into() } else { String::new() });
        attributes
    }

    /// The program of the first command that starts it.
    fn binary(&self) -> String {
        let Some(Variant::Array(commands)) = self.0.get("ExecStart").map(|value| &**value) else {
            return String::new();
        };
        match commands.iter().next() {
            Some(Variant::Structure(command)) => match command.fields().first() {
                Some(Variant::Str(path)) => path.to_string(),
                _ => String::new(),
            },
            _ => String::new(),
        }
    }
}
