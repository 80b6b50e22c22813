//! Errors, as a person sees them: the whole chain, and then the next step.

use std::fmt;
use std::process::ExitCode;

use console::style;
use model::budget::Exhausted;
use model::outcome::exit;

use crate::output::{say, say_marked};

/// A refusal: nothing ran. It has an exit code of its own, and knows the next step.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) reasons: Vec<String>,
    pub(crate) next: Option<String>,
    /// The same by their places, where it is a script that is wrong.
    pub(crate) script: Option<Box<script::Wrong>>,
    /// The budget of the device that has no room, where it is one.
    pub(crate) exhausted: Option<Box<Exhausted>>,
}

impl Refused {
    /// For these reasons, which say what would be right.
    pub(crate) fn because(reasons: Vec<String>) -> Self {
        Self { reasons, next: None, script: None, exhausted: None }
    }
}

impl From<script::Wrong> for Refused {
    fn from(wrong: script::Wrong) -> Self {
        let reasons = wrong.problems.iter().map(|it| it.shown(&wrong.file, &wrong.text).replace('\n', "\n  "));
        Self { reasons: reasons.collect(), next: None, script: Some(Box::new(wrong)), exhausted: None }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused: nothing was run")?;
        self.reasons.iter().try_for_each(|reason| write!(f, "\n  {reason}"))
    }
}

impl std::error::Error for Refused {}

/// Says what went wrong, and gives the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let refused = error.downcast_ref::<Refused>();
    let next = refused.and_then(|refused| refused.next.clone());
    let mut chain = error.chain().map(ToString::to_string).filter(|line| !line.is_empty());
    let first = chain.next().unwrap_or_default();
    say_marked(style("error:").red().bold().for_stderr(), &first);
    for cause in chain {
        say(&format!("  because: {}", cause.replace('\n', "\n  ")));
    }
    if let Some(next) = next {
        say_marked(style("next:").cyan().bold().for_stderr(), &next);
    }
    ExitCode::from(if refused.is_some() { exit::REFUSED } else { exit::FAILURE })
}
