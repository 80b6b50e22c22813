//! What of that which was noticed counts: a CEL expression that is read once and asked often.
//!
//! The library has no budget for steps. So what it is given has one: an expression is refused where it is read if its form has no
//! bound that is known, and is not asked where the data are so large that it might take too long (`cost.rs`).

mod cost;
mod form;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::thread;

use cel::extractors::This;
use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, ExecutionError, Program};
use regex::Regex;
use serde_json::{Map, Value};

use crate::{Notice, Reason};

/// The longest filter: what a person still reads.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// The most steps that it may take to answer, by an upper bound. A step is some hundred nanoseconds.
const STEPS_MAX: u64 = 500_000;

/// The parser's stack: twice what so many brackets in each other take. Only what is used of it costs memory, and only until it is done.
const STACK_BYTES: usize = 32 << 20;

/// The most mistakes that are told: behind the first few, the parser guesses.
const PROBLEMS_MAX: usize = 5;

/// The longest reason that is told of a filter which failed.
const WHY_BYTES_MAX: usize = 240;

/// Types, operators and functions of CEL's standard, and its macros. Values that may be absent are left out: they are syntax that
/// nobody needs beside `has`.
static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// A filter that was read.
#[derive(Clone)]
pub(crate) struct Filter {
    program: Arc<Program>,
    /// Its patterns, compiled.
    patterns: Arc<HashMap<String, Regex>>,
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filter").field("patterns", &self.patterns.keys()).finish_non_exhaustive()
    }
}

impl Filter {
    /// Reads a filter, or says all that is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Self, Vec<String>> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(vec![format!("has {} bytes, at most {TEXT_BYTES_MAX} are read", text.len())]);
        }
        form::check_text(text).map_err(|problem| vec![problem])?;
        let program = parsed(text)?;
        let patterns = form::check(program.expression())?;
        Ok(Self { program: Arc::new(program), patterns: Arc::new(patterns) })
    }

    /// Whether what was noticed counts; else why not.
    pub(crate) fn check(&self, kind: &str, notice: &Notice, facts: &Map<String, Value>) -> Result<(), Reason> {
        match self.ask(&event(kind, notice), facts) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Reason::Filter { failed: None }),
            Err(why) => Err(Reason::Filter { failed: Some(shortened(why)) }),
        }
    }

    fn ask(&self, event: &Value, facts: &Map<String, Value>) -> Result<bool, String> {
        let device = Value::Object(facts.clone());
        let steps = cost::steps(self.program.expression(), event, &device);
        if steps > STEPS_MAX {
            return Err(format!("on this event it may take {steps} steps, at most {STEPS_MAX} are taken"));
        }
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            let pattern = patterns.get(pattern.as_str());
            pattern.map(|it| it.is_match(&text)).ok_or_else(|| ExecutionError::function_error("matches", "no pattern"))
        };
        context.add_function("matches", matches).map_err(|error| error.to_string())?;
        context.add_variable_from_value("event", value(event));
        context.add_variable_from_value("device", value(&device));
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(format!("it answers a {}, not a bool", format!("{:?}", other.type_of()).to_lowercase())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Parses on a stack that is large enough: the library takes 200 KiB of it for each bracket, in a debug build. What it has no
/// answer to ends that thread alone.
fn parsed(text: &str) -> Result<Program, Vec<String>> {
    let parse = || {
        STANDARD.compile(text).map_err(|errors| {
            let line = |error: cel::ParseError| format!("line {} column {}: {}", error.pos.0, error.pos.1, error.msg);
            errors.errors.into_iter().map(line).take(PROBLEMS_MAX).collect()
        })
    };
    thread::scope(|scope| {
        let parser =
            thread::Builder::new().name("filter".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, parse);
        let parser = parser.map_err(|error| vec![format!("cannot be parsed now: {error}")])?;
        parser.join().unwrap_or_else(|_| Err(vec!["is nothing that a parser has an answer to".to_owned()]))
    })
}

/// What a filter sees of a notice.
fn event(kind: &str, notice: &Notice) -> Value {
    serde_json::json!({
        "type": kind,
        "subject": notice.subject,
        "change": notice.change,
        "at": notice.at_ms,
        "data": notice.data,
    })
}

/// Numbers are signed where they fit: `1 + event.data.count` has no overload for two kinds of numbers.
fn value(json: &Value) -> cel::Value {
    match json {
        Value::Null => cel::Value::Null,
        Value::Bool(it) => cel::Value::Bool(*it),
        Value::Number(it) => match (it.as_i64(), it.as_u64()) {
            (Some(signed), _) => cel::Value::Int(signed),
            (None, Some(unsigned)) => cel::Value::UInt(unsigned),
            (None, None) => cel::Value::Float(it.as_f64().unwrap_or_default()),
        },
        Value::String(it) => cel::Value::String(Arc::new(it.clone())),
        Value::Array(all) => cel::Value::List(Arc::new(all.iter().map(value).collect())),
        Value::Object(all) => {
            let all = all.iter().map(|(key, member)| (Key::from(key.clone()), value(member)));
            cel::Value::Map(CelMap { map: Arc::new(all.collect()) })
        }
    }
}

fn shortened(mut why: String) -> String {
    if why.len() > WHY_BYTES_MAX {
        why.truncate(why.floor_char_boundary(WHY_BYTES_MAX));
        why.push('…');
    }
    why
}

#[cfg(test)]
mod tests;
