//! What the gate must know of each call that `wit/` cannot say: one file an interface. Name, class, scope grammar and
//! whether it changes anything come from `wit/` itself.

mod command;
mod device;
mod device_people;
mod files;
mod http;
mod kv;
mod notify;
mod patch;
mod process;
mod query;
mod secrets;
mod service;
mod software;
mod ticket;

use std::borrow::Cow;

use backends::patch::Machine;
use contract::{Answer, Backends, Boundary, Context};
use model::budget::{Allowance, Amounts, Budget};

/// A call, as the gate sees it. None of this reaches a backend: only the gate does.
pub(crate) trait Adapter: Boundary {
    /// Arguments (by their names in `wit/`) that only narrow when something is done, such as `unchanged-since-ms`. They differ
    /// between a dry run and the run that is tied to it, so a plan does not bind them; a bound run uses those of the plan.
    const GUARDS: &'static [&'static str] = &[];

    /// Interfaces whose reads cannot see what this call plans in a dry run: one of them read afterwards makes the plan
    /// incomplete from there.
    const UNSEEN_BY: &'static [&'static str] = &[];

    /// The budgets of the device that it may use. Where none of these is limited nothing is reserved, and it costs nothing.
    const SPENDS: &'static [Budget] = &[];

    /// What it is about, in the words of the scope's entries: the gate answers `denied` unless the scope has them all. Empty for
    /// a function that is about the interface as a whole.
    fn subjects(&self) -> Vec<Cow<'_, str>> {
        Vec::new()
    }

    /// What its effects are about, for the record: one for each `change` in its answer, in order. Readers have none.
    fn targets(&self) -> Vec<String> {
        self.subjects().into_iter().map(Cow::into_owned).collect()
    }

    /// What it uses of the run's budgets beside bytes and time, taken before it is done.
    fn charges(&self) -> Charges {
        Charges::default()
    }

    /// What it will use of the device's budgets, as far as that can be known before it is done; asked only where it is charged.
    fn reserve<'a>(&'a self, _: Site<'a>) -> Answer<'a, Amounts> {
        Box::pin(async { Ok(Amounts::default()) })
    }

    /// What it came to, by its answer and what was reserved.
    fn used(&self, _: &Self::Ok, reserved: &Amounts) -> Amounts {
        reserved.clone()
    }
}

/// Where a call is about to act, for what its arguments do not say. It is only looked at.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) backends: &'a Backends,
    pub(crate) machine: &'a dyn Machine,
    pub(crate) cx: &'a Context,
    pub(crate) allowance: &'a Allowance,
}

/// What a call uses of the budgets that only some interfaces have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Charges {
    /// Of `kv-bytes`.
    pub(crate) kv_bytes: u64,
    /// Of `file-bytes`.
    pub(crate) file_bytes: u64,
    /// Of `http-requests`.
    pub(crate) http_requests: u64,
}

/// A length as a budget counts it.
fn bytes_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
