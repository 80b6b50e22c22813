//! `export const manifest = {...}`, read without being run: its literals, and where each of them stands.

use serde_json::{Map, Value};
use swc_common::{Span, Spanned as _};
use swc_ecma_ast::{Decl, Expr, Lit, Module, ModuleDecl, ModuleItem, Prop, PropName, PropOrSpread, UnaryOp};

use crate::Problem;
use crate::parse::{Places, variable};

/// A value of literals alone, and where each of its parts stands.
pub(crate) struct Literals {
    pub(crate) value: Value,
    /// Where the whole of it begins.
    pub(crate) at: (usize, usize),
    /// Names of fields, by their path, such as `capabilities.service`.
    pub(crate) places: Vec<(String, (usize, usize))>,
}

impl Literals {
    /// Where the field of this path is named.
    pub(crate) fn place(&self, path: &str) -> Option<(usize, usize)> {
        self.places.iter().find(|(it, _)| it == path).map(|(_, place)| *place)
    }

    /// The innermost field that a text begins with the path of; otherwise where the manifest begins.
    pub(crate) fn nearest(&self, text: &str) -> (usize, usize) {
        let is_at = |place: &&(String, (usize, usize))| {
            text.strip_prefix(&*place.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', ':', ' ', '[']))
        };
        self.places.iter().filter(is_at).max_by_key(|(path, _)| path.len()).map_or(self.at, |(_, place)| *place)
    }
}

/// The manifest of a module, or everything in it that is no literal.
pub(crate) fn manifest(module: &Module, places: &Places<'_>) -> Result<Literals, Vec<Problem>> {
    let found = module.body.iter().find_map(|item| {
        let ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) = item else { return None };
        let Decl::Var(variables) = &export.decl else { return None };
        let mut of_name = variables.decls.iter().filter(|it| variable(&it.name).as_deref() == Some("manifest"));
        of_name.next()?.init.as_deref()
    });
    let Some(found) = found else {
        let message = "there is no `export const manifest = { … }`: what the script is, and what it may touch";
        let advice = Some("export const manifest = { description: \"…\" };".to_owned());
        return Err(vec![Problem { advice, ..Problem::at((1, 1), message) }]);
    };
    let mut reader = Reader { places, path: Vec::new(), found: Vec::new(), problems: Vec::new() };
    let value = reader.value(found);
    let at = places.of(found.span().lo());
    if reader.problems.is_empty() { Ok(Literals { value, at, places: reader.found }) } else { Err(reader.problems) }
}

struct Reader<'a> {
    places: &'a Places<'a>,
    path: Vec<String>,
    found: Vec<(String, (usize, usize))>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn value(&mut self, expression: &Expr) -> Value {
        match expression {
            Expr::Lit(Lit::Str(text)) => text.value.to_string_lossy().into_owned().into(),
            Expr::Lit(Lit::Bool(bool)) => bool.value.into(),
            Expr::Lit(Lit::Null(_)) => Value::Null,
            Expr::Lit(Lit::Num(number)) => of_number(number.value),
            Expr::Unary(minus) if minus.op == UnaryOp::Minus => match &*minus.arg {
                Expr::Lit(Lit::Num(number)) => of_number(-number.value),
                _ => self.no_literal(minus.span),
            },
            Expr::Tpl(template) if template.exprs.is_empty() => {
                let text = template.quasis.first().and_then(|quasi| quasi.cooked.as_ref());
                text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default().into()
            }
            Expr::Array(array) => {
                let element = |element: &Option<swc_ecma_ast::ExprOrSpread>| match element {
                    Some(element) if element.spread.is_none() => self.value(&element.expr),
                    Some(element) => self.no_literal(element.expr.span()),
                    None => self.no_literal(array.span),
                };
                array.elems.iter().map(element).collect()
            }
            Expr::Object(object) => object.props.iter().filter_map(|it| self.field(it)).collect::<Map<_, _>>().into(),
            Expr::Paren(inner) => self.value(&inner.expr),
            Expr::TsAs(inner) => self.value(&inner.expr),
            Expr::TsConstAssertion(inner) => self.value(&inner.expr),
            Expr::TsSatisfies(inner) => self.value(&inner.expr),
            other => self.no_literal(other.span()),
        }
    }

    fn field(&mut self, property: &PropOrSpread) -> Option<(String, Value)> {
        let field = match property {
            PropOrSpread::Prop(property) => match &**property {
                Prop::KeyValue(field) => Some(field),
                _ => None,
            },
            PropOrSpread::Spread(_) => None,
        };
        let Some(field) = field else {
            self.no_literal(property.span());
            return None;
        };
        let name = match &field.key {
            PropName::Ident(name) => name.sym.to_string(),
            PropName::Str(name) => name.value.to_string_lossy().into_owned(),
            other => {
                self.no_literal(other.span());
                return None;
            }
        };
        self.path.push(name.clone());
        self.found.push((self.path.join("."), self.places.of(field.key.span().lo())));
        let value = self.value(&field.value);
        self.path.pop();
        Some((name, value))
    }

    fn no_literal(&mut self, span: Span) -> Value {
        let message = "a manifest is read, and never run: only literals may stand here";
        self.problems.push(Problem::at(self.places.of(span.lo()), message));
        Value::Null
    }
}

/// A whole number is one in JSON too: `1.0` would be none for a limit.
fn of_number(number: f64) -> Value {
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX { (number as i64).into() } else { number.into() }
}
