//! `command`, `command-change`: templates of host policy. A template names a binary, how its arguments may look, and a class; a
//! plugin names a template and fills in the arguments. Each argument is one element of the program's argument vector, nothing
//! passes through a shell, and no template may be a shell, an interpreter or a program that starts others.
//!
//! What runs is what was looked at: the binary is opened once, checked and digested through that descriptor, and executed
//! through it.

#[cfg(target_os = "linux")]
mod binary;
mod commands;
#[cfg(target_os = "linux")]
mod local;
mod memory;
mod overlay;
mod policy;
mod template;

pub use commands::Commands;
pub use memory::{Fixture, FixtureOutput};
pub use overlay::Overlay;
pub use policy::Policy;
pub use template::{BadTemplate, Grammar, Pin, Template};

use std::sync::Arc;
use std::time::Instant;

use contract::types::{Attributes, CommandOutput, Error};

use crate::Shared;
#[cfg(target_os = "linux")]
use crate::secrets::Secrets;

/// The most time that a plugin may ask for and a template may have.
const TIMEOUT_MS_MAX: u32 = 600_000;
/// The most bytes that are kept of standard output, and as many of standard error.
const OUTPUT_BYTES_MAX: usize = 256 << 10;
/// The most bytes of an argument.
const ARGUMENT_BYTES_MAX: usize = 1 << 10;

/// One command, its arguments checked.
struct Run<'a> {
    name: &'a str,
    template: &'a Template,
    /// As given, for the twin.
    given: &'a Attributes,
    /// In order, without the program's own name.
    arguments: Vec<String>,
    deadline: Instant,
}

/// Where commands run.
#[async_trait::async_trait]
trait Runner: Send + Sync {
    /// Whether the machine has the template's binary.
    fn has(&self, name: &str, template: &Template) -> bool;
    async fn run(&self, run: Run<'_>) -> Result<CommandOutput, Error>;
}

/// The commands of this machine.
pub fn real(shared: &Shared) -> Commands {
    Commands::new(Arc::clone(&shared.policy), runner(shared))
}

#[cfg(target_os = "linux")]
fn runner(shared: &Shared) -> Box<dyn Runner> {
    match shared.root.as_os_str() == "/" {
        true => Box::new(local::Local::new(Arc::<Secrets>::clone(&shared.secrets))),
        false => Box::new(Elsewhere),
    }
}

#[cfg(not(target_os = "linux"))]
fn runner(_: &Shared) -> Box<dyn Runner> {
    Box::new(Elsewhere)
}

/// Where no command runs yet: on other platforms, and on a device that is only a folder here, which a program would not know.
struct Elsewhere;

#[async_trait::async_trait]
impl Runner for Elsewhere {
    fn has(&self, _: &str, _: &Template) -> bool {
        false
    }

    async fn run(&self, run: Run<'_>) -> Result<CommandOutput, Error> {
        let _ = (run.name, run.template, run.given, run.arguments, run.deadline);
        Err(Error::unsupported("command"))
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod conformance;
