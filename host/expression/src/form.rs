//! What an expression may look like: forms of which it can be told how long they take, and names that there are.

use std::collections::HashMap;

use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::{IdedExpr, Program};
use regex::{Regex, RegexBuilder};

use crate::{Problem, Shape};

/// How deep expressions may lie in each other.
const DEPTH_MAX: usize = 48;

/// How deep `all`, `exists`, `exists_one`, `map` and `filter` may lie in each other: pairs are compared, triples are not.
const LOOPS_MAX: usize = 2;

/// The most operators, names and brackets of an expression: the library's parser takes some stack for each of a chain of them.
const TOKENS_MAX: usize = 1_000;

/// The most brackets that are opened: they may all lie in each other.
const BRACKETS_MAX: usize = 64;

/// The longest pattern of `matches`.
const PATTERN_BYTES_MAX: usize = 256;

/// The most bytes of a pattern that was compiled. What `\w` means in all of Unicode has some tens of thousands.
const COMPILED_BYTES_MAX: usize = 128 << 10;

/// Functions that may be called. What makes strings longer than their arguments, or lists, is not among them.
const FUNCTIONS: [&str; 12] =
    ["size", "contains", "startsWith", "endsWith", "matches", "int", "uint", "double", "string", "bool", "type", "dyn"];

/// What the parser makes of operators and macros.
const OPERATORS: [&str; 19] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
    operators::IN,
];

/// What speaks against a text before it is parsed. What is in quotes counts too: where a quote ends is for the parser to say.
pub(crate) fn check_text(text: &str) -> Result<(), String> {
    let (mut tokens, mut brackets, mut is_word) = (0, 0, false);
    for character in text.chars() {
        let was_word = is_word;
        is_word = character.is_alphanumeric() || character == '_';
        tokens += usize::from(!(character.is_whitespace() || is_word && was_word));
        brackets += usize::from(matches!(character, '(' | '[' | '{'));
    }
    if brackets > BRACKETS_MAX {
        return Err(format!("has {brackets} brackets, at most {BRACKETS_MAX} are read"));
    }
    if tokens > TOKENS_MAX {
        return Err(format!("has {tokens} words and signs, at most {TOKENS_MAX} are read"));
    }
    Ok(())
}

/// Operators of which both sides are of one kind, or the answer is always the same.
const COMPARE: [&str; 6] = [
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
];

/// The patterns of an expression; or all that speaks against its form.
pub(crate) fn check(
    program: &Program,
    names: &'static [(&'static str, Shape)],
) -> Result<HashMap<String, Regex>, Vec<Problem>> {
    let mut form = Form { program, known: names, names: Vec::new(), patterns: HashMap::new(), problems: Vec::new() };
    let answer = form.walk(program.expression(), 0, 0);
    if let Some(word) = answer.word().filter(|_| !matches!(answer, Shape::Bool)) {
        form.problems.push(format!("answers {word}, not a bool").into());
    }
    form.problems.dedup();
    if form.problems.is_empty() { Ok(form.patterns) } else { Err(form.problems) }
}

struct Form<'a> {
    program: &'a Program,
    /// That may be used anywhere.
    known: &'static [(&'static str, Shape)],
    /// That may be used here: those of loops.
    names: Vec<(&'a str, &'static Shape)>,
    patterns: HashMap<String, Regex>,
    problems: Vec<Problem>,
}

impl<'a> Form<'a> {
    /// What it answers, as far as that is known.
    fn walk(&mut self, expression: &'a IdedExpr, depth: usize, loops: usize) -> &'static Shape {
        if depth > DEPTH_MAX {
            return self.refuse(expression, format!("has expressions deeper than {DEPTH_MAX} in each other"));
        }
        let depth = depth + 1;
        match &expression.expr {
            Expr::Literal(LiteralValue::String(_)) => &Shape::Text,
            Expr::Literal(LiteralValue::Boolean(_)) => &Shape::Bool,
            Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_)) => &Shape::Number,
            Expr::Literal(_) => &Shape::Any,
            Expr::Ident(name) => {
                let of_loop = self.names.iter().rev().find(|(it, _)| it == name).map(|(_, shape)| *shape);
                of_loop.unwrap_or_else(|| self.found(expression, Shape::Record(self.known).member(name)))
            }
            Expr::Select(select) => {
                let operand = self.walk(&select.operand, depth, loops);
                let member = self.found(expression, operand.member(&select.field));
                if select.test { &Shape::Bool } else { member }
            }
            Expr::List(list) => {
                for element in &list.elements {
                    self.walk(element, depth, loops);
                }
                &Shape::List(&Shape::Any)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.walk(&entry.key, depth, loops);
                        self.walk(&entry.value, depth, loops);
                    }
                }
                &Shape::Any
            }
            Expr::Call(call) => {
                let operands = call.target.iter().map(|it| &**it).chain(&call.args);
                let shapes: Vec<&'static Shape> = operands.map(|it| self.walk(it, depth, loops)).collect();
                self.call(expression, call, &shapes)
            }
            Expr::Comprehension(it) => {
                if loops == LOOPS_MAX {
                    return self.refuse(
                        expression,
                        format!("has more than {LOOPS_MAX} of `all`, `exists`, `map` and `filter` in each other"),
                    );
                }
                let range = self.walk(&it.iter_range, depth, loops);
                let member = self.found(&it.iter_range, range.any_member());
                let outside = self.names.len();
                let of_loop = it.iter_var2.as_deref().into_iter().chain([it.iter_var.as_str()]);
                self.names.extend(of_loop.map(|name| (name, member)));
                self.names.push((&it.accu_var, &Shape::Any));
                for inside in [&it.accu_init, &it.loop_cond, &it.loop_step] {
                    self.walk(inside, depth, loops + 1);
                }
                let answer = self.walk(&it.result, depth, loops + 1);
                self.names.truncate(outside);
                answer
            }
            Expr::Struct(_) | Expr::Unspecified => {
                self.refuse(expression, "has something that is no expression of this kind".to_owned())
            }
        }
    }

    fn call(&mut self, at: &IdedExpr, call: &CallExpr, shapes: &[&'static Shape]) -> &'static Shape {
        let name = call.func_name.as_str();
        if name == "matches" {
            return self.pattern(at, call);
        }
        if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
            let expected = FUNCTIONS.join(", ");
            return self.refuse(at, format!("the function `{name}` is unknown: expected one of {expected}"));
        }
        match (name, shapes) {
            (operators::INDEX, [operand, _]) => match call.args.last().map(|it| &it.expr) {
                Some(Expr::Literal(LiteralValue::String(text))) => self.found(at, operand.member(text.inner())),
                _ => self.found(at, operand.any_member()),
            },
            (operators::IN, [one, all]) => match all.any_member() {
                Ok(member) => self.same_kind(at, one, member),
                Err(problem) => self.refuse(at, problem),
            },
            (_, [one, other]) if COMPARE.contains(&name) => self.same_kind(at, one, other),
            (
                operators::LOGICAL_AND
                | operators::LOGICAL_OR
                | operators::LOGICAL_NOT
                | "contains"
                | "startsWith"
                | "endsWith"
                | "bool",
                _,
            ) => &Shape::Bool,
            ("size" | "int" | "uint" | "double", _) => &Shape::Number,
            ("string", _) => &Shape::Text,
            _ => &Shape::Any,
        }
    }

    /// What is of two kinds is never equal, and that is nothing anybody meant to ask.
    fn same_kind(&mut self, at: &IdedExpr, one: &Shape, other: &Shape) -> &'static Shape {
        if let Some((one, other)) = one.word().zip(other.word()).filter(|(one, other)| one != other) {
            self.refuse(at, format!("compares {one} with {other}"));
        }
        &Shape::Bool
    }

    /// A pattern is compiled where it is read, so it must stand there.
    fn pattern(&mut self, at: &IdedExpr, call: &CallExpr) -> &'static Shape {
        let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|it| &it.expr) else {
            return self.refuse(at, "matches: expected a pattern in quotes".to_owned());
        };
        let pattern = pattern.inner();
        if pattern.len() > PATTERN_BYTES_MAX {
            let bytes = pattern.len();
            return self
                .refuse(at, format!("matches: the pattern has {bytes} bytes, at most {PATTERN_BYTES_MAX} are read"));
        }
        match RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build() {
            Ok(regex) => drop(self.patterns.insert(pattern.to_owned(), regex)),
            Err(error) => {
                self.refuse(at, format!("matches: `{pattern}`: {error}"));
            }
        }
        &Shape::Bool
    }

    fn found(&mut self, at: &IdedExpr, shape: Result<&'static Shape, String>) -> &'static Shape {
        shape.unwrap_or_else(|problem| self.refuse(at, problem))
    }

    fn refuse(&mut self, at: &IdedExpr, text: String) -> &'static Shape {
        let source = self.program.source_info();
        let place = source.offset_for(at.id).map(|(start, _)| place(&source.source, start));
        self.problems.push(Problem { place, text });
        &Shape::Any
    }
}

/// The line and the column of a byte.
fn place(source: &str, at: u32) -> (usize, usize) {
    let before = source.get(..usize::try_from(at).unwrap_or(usize::MAX)).unwrap_or(source);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
