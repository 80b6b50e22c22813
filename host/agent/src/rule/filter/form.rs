//! What a filter may look like: forms of which it can be told how long they take.

use std::collections::HashMap;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use regex::{Regex, RegexBuilder};

/// How deep expressions may lie in each other.
const DEPTH_MAX: usize = 48;

/// How deep `all`, `exists`, `exists_one`, `map` and `filter` may lie in each other: pairs are compared, triples are not.
const LOOPS_MAX: usize = 2;

/// The most operators, names and brackets of a filter: the library's parser takes some stack for each of a chain of them.
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
pub(super) fn check_text(text: &str) -> Result<(), String> {
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

/// The patterns of a filter; or all that speaks against its form.
pub(super) fn check(expression: &IdedExpr) -> Result<HashMap<String, Regex>, Vec<String>> {
    let mut form = Form { names: vec!["event", "device"], patterns: HashMap::new(), problems: Vec::new() };
    form.walk(expression, 0, 0);
    form.problems.dedup();
    if form.problems.is_empty() { Ok(form.patterns) } else { Err(form.problems) }
}

struct Form<'a> {
    /// That may be used here.
    names: Vec<&'a str>,
    patterns: HashMap<String, Regex>,
    problems: Vec<String>,
}

impl<'a> Form<'a> {
    fn walk(&mut self, expression: &'a IdedExpr, depth: usize, loops: usize) {
        if depth > DEPTH_MAX {
            return self.refuse(format!("has expressions deeper than {DEPTH_MAX} in each other"));
        }
        let depth = depth + 1;
        match &expression.expr {
            Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if !self.names.contains(&name.as_str()) {
                    self.refuse(format!("`{name}` is unknown: expected `event` or `device`"));
                }
            }
            Expr::Select(select) => self.walk(&select.operand, depth, loops),
            Expr::List(list) => list.elements.iter().for_each(|it| self.walk(it, depth, loops)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.walk(&entry.key, depth, loops);
                        self.walk(&entry.value, depth, loops);
                    }
                }
            }
            Expr::Call(call) => {
                self.call(call);
                call.target.iter().map(|it| &**it).chain(&call.args).for_each(|it| self.walk(it, depth, loops));
            }
            Expr::Comprehension(it) => {
                if loops == LOOPS_MAX {
                    return self.refuse(format!(
                        "has more than {LOOPS_MAX} of `all`, `exists`, `map` and `filter` in each other"
                    ));
                }
                self.walk(&it.iter_range, depth, loops);
                let outside = self.names.len();
                self.names.extend(it.iter_var2.as_deref().into_iter().chain([it.iter_var.as_str(), &it.accu_var]));
                for inside in [&it.accu_init, &it.loop_cond, &it.loop_step, &it.result] {
                    self.walk(inside, depth, loops + 1);
                }
                self.names.truncate(outside);
            }
            Expr::Struct(_) | Expr::Unspecified => {
                self.refuse("has something that is no expression of a filter".to_owned())
            }
        }
    }

    fn call(&mut self, call: &CallExpr) {
        let name = call.func_name.as_str();
        if name == "matches" {
            return self.pattern(call);
        }
        if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
            self.refuse(format!("the function `{name}` is unknown: expected one of {}", FUNCTIONS.join(", ")));
        }
    }

    /// A pattern is compiled where it is read, so it must stand there.
    fn pattern(&mut self, call: &CallExpr) {
        let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|it| &it.expr) else {
            return self.refuse("matches: expected a pattern in quotes".to_owned());
        };
        let pattern = pattern.inner();
        if pattern.len() > PATTERN_BYTES_MAX {
            return self.refuse(format!(
                "matches: the pattern has {} bytes, at most {PATTERN_BYTES_MAX} are read",
                pattern.len()
            ));
        }
        match RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).dfa_size_limit(COMPILED_BYTES_MAX).build() {
            Ok(regex) => drop(self.patterns.insert(pattern.to_owned(), regex)),
            Err(error) => self.refuse(format!("matches: `{pattern}`: {error}")),
        }
    }

    fn refuse(&mut self, problem: String) {
        self.problems.push(problem);
    }
}
