use serde::{Deserialize, Serialize};

/// One capability: an interface of `wit/` that can be granted. Everything here is read from the interface's documentation.
#[derive(Debug)]
pub struct Interface {
    /// Its name in `wit/`, such as `files-write`.
    pub name: &'static str,
    /// What granting it risks.
    pub class: Class,
    /// Whether its functions change something.
    pub changes: bool,
    /// Whether it reveals people.
    pub people: bool,
    /// What a scope entry names.
    pub scope: ScopeGrammar,
    /// Its functions.
    pub functions: &'static [&'static str],
}

/// What granting an interface risks, from nothing to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Facts about the machine.
    L0,
    /// Reads.
    L1,
    /// A change that can be undone.
    L2,
    /// Disruptive: an install, a reboot, a user's session.
    L3,
    /// Destructive, or it weakens defences.
    L4,
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

/// How the entries of a capability's scope are matched against what a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeGrammar {
    /// The capability takes no scope.
    None,
    /// Each entry is a name, `*` alone stands for all.
    Names,
    /// Each entry is a glob.
    Globs,
    /// Each entry is an origin or an address range.
    Origins,
    /// Each entry is a method and an origin, or an address range.
    Methods,
}
