use std::process::ExitCode;

use model::Ended;

/// The documented code for how a run ended.
pub(crate) fn of(ended: &Ended) -> ExitCode {
    ExitCode::from(model::outcome::exit_code(ended.verdict, ended.outcome))
}
