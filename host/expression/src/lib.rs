//! Expressions over facts: CEL that is read once and asked often.
//!
//! The library has no budget for steps. So what it is given has one: an expression is refused where it is read if its form has no
//! bound that is known (`form.rs`), and is not asked where the data are so large that it might take too long (`cost.rs`).

mod absent;
mod cost;
mod form;
mod shape;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::thread;

use cel::extractors::This;
use cel::objects::{Key, Map as CelMap};
use cel::{Context, Env, ExecutionError, Program};
use regex::Regex;
use serde_json::Value;

pub use shape::Shape;

/// The longest expression: what a person still reads.
pub const TEXT_BYTES_MAX: usize = 4 << 10;

/// The parser's stack: twice what so many brackets in each other take. Only what is used of it costs memory, and only until it is done.
const STACK_BYTES: usize = 32 << 20;

/// The most mistakes of syntax that are told: behind the first few, the parser guesses.
const PROBLEMS_MAX: usize = 5;

/// The longest reason that is told of an expression which has no answer.
const WHY_BYTES_MAX: usize = 240;

/// Types, operators and functions of CEL's standard, and its macros. Values that may be absent are left out: they are syntax that
/// nobody needs beside `has`.
static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib().with_optional_support(false)));

/// An expression that was read.
#[derive(Clone)]
pub struct Expression {
    program: Arc<Program>,
    /// Its patterns, compiled.
    patterns: Arc<HashMap<String, Regex>>,
    /// The names that it uses, of those that it might.
    names: Arc<Vec<&'static str>>,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression").field("names", &self.names).finish_non_exhaustive()
    }
}

/// One thing that is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1 on, where it is known.
    pub place: Option<(usize, usize)>,
    /// What is wrong, and what was expected.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line} column {column}: ")?;
        }
        f.write_str(&self.text)
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self { place: None, text }
    }
}

impl Expression {
    /// Reads an expression over these names, each with what is known of its value beforehand. Or says all that is wrong with it.
    pub fn read(text: &str, names: &'static [(&'static str, Shape)]) -> Result<Self, Vec<Problem>> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(vec![format!("has {} bytes, at most {TEXT_BYTES_MAX} are read", text.len()).into()]);
        }
        form::check_text(text).map_err(|problem| vec![problem.into()])?;
        let program = parsed(text)?;
        let patterns = form::check(&program, names)?;
        let references = program.references();
        let names = names.iter().map(|(name, _)| *name).filter(|name| references.has_variable(name)).collect();
        Ok(Self { patterns: Arc::new(patterns), names: Arc::new(names), program: Arc::new(program) })
    }

    /// The names that it uses.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.iter().copied()
    }

    /// The most steps that it may take on these values. A step is some hundred nanoseconds at most.
    pub fn steps(&self, values: &[(&str, &Value)]) -> u64 {
        cost::steps(self.program.expression(), values)
    }

    /// What it asks for and these values do not have, as in `os.family`: for whoever was told that it has no answer.
    pub fn absent(&self, values: &[(&str, &Value)]) -> Vec<String> {
        absent::paths(self.program.expression(), &self.names, values)
    }

    /// Whether it holds for these values, in at most so many steps; else why it has no answer.
    pub fn ask(&self, values: &[(&str, &Value)], steps_max: u64) -> Result<bool, String> {
        let steps = self.steps(values);
        if steps > steps_max {
            return Err(format!("on these data it may take {steps} steps, at most {steps_max} are taken"));
        }
        self.answer(values)
    }

    /// Whether it holds for these values, of which it is known that they are small enough. Else why it has no answer: a value
    /// that it needs is absent, or is something of which it cannot be asked. What is absent and makes no difference is not
    /// missed.
    pub fn answer(&self, values: &[(&str, &Value)]) -> Result<bool, String> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            let pattern = patterns.get(pattern.as_str());
            pattern.map(|it| it.is_match(&text)).ok_or_else(|| ExecutionError::function_error("matches", "no pattern"))
        };
        context.add_function("matches", matches).map_err(|error| shortened(error.to_string()))?;
        for (name, json) in values.iter().filter(|(name, _)| self.names.contains(name)) {
            context.add_variable_from_value(*name, value(json));
        }
        match self.program.execute(&context) {
            Ok(cel::Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(format!("it answers a {}, not a bool", format!("{:?}", other.type_of()).to_lowercase())),
            Err(error) => Err(shortened(error.to_string())),
        }
    }
}

/// Parses on a stack that is large enough: the library takes 200 KiB of it for each bracket, in a debug build. What it has no
/// answer to ends that thread alone.
fn parsed(text: &str) -> Result<Program, Vec<Problem>> {
    let parse = || {
        STANDARD.compile(text).map_err(|errors| {
            let told = |error: cel::ParseError| Problem {
                place: usize::try_from(error.pos.0).ok().zip(usize::try_from(error.pos.1).ok()),
                text: error.msg,
            };
            errors.errors.into_iter().map(told).take(PROBLEMS_MAX).collect()
        })
    };
    let told = |text: String| vec![Problem::from(text)];
    thread::scope(|scope| {
        let parser =
            thread::Builder::new().name("expression".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, parse);
        let parser = parser.map_err(|error| told(format!("cannot be parsed now: {error}")))?;
        parser.join().unwrap_or_else(|_| Err(told("is nothing that a parser has an answer to".to_owned())))
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
