//! TypeScript becomes JavaScript: types are blanked, so that each token stays where it was.

use std::sync::{Arc, Mutex, PoisonError};

use swc_common::errors::{DiagnosticBuilder, Emitter, HANDLER, Handler};
use swc_common::sync::Lrc;
use swc_common::{GLOBALS, Globals, SourceMap, Span};
use swc_ts_fast_strip::{Mode, Options, operate};

use crate::Problem;

/// The script without its types. What is more than a type (`enum`, `namespace`, parameter properties) is refused: it would
/// have to become other code, in other places.
pub(crate) fn types(name: &str, text: &str) -> Result<String, Vec<Problem>> {
    GLOBALS.set(&Globals::new(), || {
        let sources: Lrc<SourceMap> = Lrc::default();
        let said = Said::default();
        let handler = Handler::with_emitter(true, false, Box::new(said.clone()));
        let options = Options {
            module: Some(true),
            filename: Some(name.to_owned()),
            mode: Mode::StripOnly,
            ..Options::default()
        };
        let stripped = HANDLER.set(&handler, || operate(&sources, &handler, text.to_owned(), options));
        stripped.map(|output| output.code).map_err(|error| {
            let said = std::mem::take(&mut *said.0.lock().unwrap_or_else(PoisonError::into_inner));
            let problem = |(message, span): Message| {
                let at = span.map(|span| sources.lookup_char_pos(span.lo()));
                Problem::at(at.map_or((1, 1), |at| (at.line, at.col.0 + 1)), message)
            };
            let mut problems: Vec<Problem> = said.into_iter().map(problem).collect();
            if problems.is_empty() {
                problems.push(Problem::at((1, 1), error.to_string()));
            }
            problems
        })
    })
}

/// What is wrong, and where.
type Message = (String, Option<Span>);

/// Keeps what is wrong, instead of printing it.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<Message>>>);

impl Emitter for Said {
    fn emit(&mut self, diagnostic: &mut DiagnosticBuilder<'_>) {
        let message = diagnostic.message.iter().map(|part| part.0.as_str()).collect();
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.push((message, diagnostic.span.primary_span()));
    }
}
