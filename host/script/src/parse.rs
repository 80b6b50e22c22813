//! What a script's text says without being run: what it imports and exports, and its manifest's literals.

use artifact::Import;
use contract::Interface;
use heck::ToLowerCamelCase as _;
use serde_json::{Map, Value};
use swc_common::sync::Lrc;
use swc_common::{BytePos, FileName, SourceMap, Span, Spanned as _};
use swc_ecma_ast::{
    Decl, EsVersion, ExportSpecifier, Expr, ImportDecl, ImportSpecifier, Lit, Module, ModuleDecl, ModuleExportName,
    ModuleItem, Pat, Prop, PropName, PropOrSpread, UnaryOp,
};
use swc_ecma_parser::lexer::Lexer;
use swc_ecma_parser::{EsSyntax, Parser, StringInput, Syntax, TsSyntax};

use crate::Problem;

/// What interfaces are imported by, before their name.
const PREFIX: &str = "msp:automation/";
/// Linked for every plugin, and never declared.
const AMBIENT: &str = "run";

/// What a script is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    JavaScript,
    TypeScript,
}

/// What was read of a script.
pub(crate) struct Parsed {
    /// The names that it exports.
    pub(crate) exports: Vec<String>,
    /// One for each statement that imports.
    pub(crate) imports: Vec<Imported>,
    /// Its manifest.
    pub(crate) manifest: Result<Literals, Problem>,
}

/// An import of a script, by name.
pub(crate) struct Imported {
    /// The interface; none where it needs no grant, or is none.
    pub(crate) row: Option<&'static Interface>,
    /// The functions, as the contract names them.
    pub(crate) functions: Vec<String>,
    pub(crate) line: usize,
    pub(crate) column: usize,
    /// What is wrong with it beside what is granted.
    pub(crate) problem: Option<Problem>,
}

/// A value of literals alone, and where each of its parts stands.
pub(crate) struct Literals {
    pub(crate) value: Value,
    /// By its path, such as `capabilities.service`.
    pub(crate) places: Vec<(String, usize, usize)>,
}

/// One import an interface, with all functions that any statement names.
pub(crate) fn merged(imports: impl Iterator<Item = Imported>) -> Vec<Import> {
    let mut all: Vec<Import> = Vec::new();
    for import in imports {
        let Some(row) = import.row else { continue };
        match all.iter_mut().find(|it| it.interface == row.name) {
            Some(it) => it.functions.extend(import.functions),
            None => all.push(Import { interface: row.name.to_owned(), functions: import.functions }),
        }
    }
    for it in &mut all {
        it.functions.sort();
        it.functions.dedup();
    }
    all.sort_by(|a, b| a.interface.cmp(&b.interface));
    all
}

pub(crate) fn parse(name: &str, text: &str, language: Language) -> Result<Parsed, Vec<Problem>> {
    let sources: Lrc<SourceMap> = Lrc::default();
    let file = sources.new_source_file(FileName::Custom(name.to_owned()).into(), text.to_owned());
    let syntax = match language {
        Language::JavaScript => Syntax::Es(EsSyntax::default()),
        Language::TypeScript => Syntax::Typescript(TsSyntax::default()),
    };
    let mut parser = Parser::new_from(Lexer::new(syntax, EsVersion::latest(), StringInput::from(&*file), None));
    let places = Places { sources: &sources };
    let parsed = parser.parse_module();
    let errors = parser.take_errors();
    let problem = |error: &swc_ecma_parser::error::Error| places.problem(error.span(), error.kind().msg().into_owned());
    let module = match parsed {
        Ok(module) if errors.is_empty() => module,
        Ok(_) => return Err(errors.iter().map(problem).collect()),
        // What was noticed before may be where it went wrong.
        Err(fatal) => {
            let mut problems: Vec<Problem> = errors.iter().chain([&fatal]).map(problem).collect();
            problems.sort();
            problems.dedup();
            return Err(problems);
        }
    };
    Ok(Parsed {
        exports: module.body.iter().flat_map(exported).collect(),
        imports: module.body.iter().filter_map(|item| imported(item, &places)).collect(),
        manifest: manifest(&module, &places),
    })
}

struct Places<'a> {
    sources: &'a SourceMap,
}

impl Places<'_> {
    fn of(&self, at: BytePos) -> (usize, usize) {
        let at = self.sources.lookup_char_pos(at);
        (at.line, at.col.0 + 1)
    }

    fn problem(&self, span: Span, message: String) -> Problem {
        let (line, column) = self.of(span.lo());
        Problem { line, column, message }
    }
}

/// The names that a statement exports, those of types left out.
fn exported(item: &ModuleItem) -> Vec<String> {
    match item {
        ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => match &export.decl {
            Decl::Fn(function) => vec![function.ident.sym.to_string()],
            Decl::Var(variables) => variables.decls.iter().filter_map(|it| variable(&it.name)).collect(),
            _ => Vec::new(),
        },
        ModuleItem::ModuleDecl(ModuleDecl::ExportNamed(export)) if !export.type_only => {
            let named = export.specifiers.iter().filter_map(|specifier| match specifier {
                ExportSpecifier::Named(named) if !named.is_type_only => {
                    Some(text_of(named.exported.as_ref().unwrap_or(&named.orig)))
                }
                _ => None,
            });
            named.collect()
        }
        _ => Vec::new(),
    }
}

fn variable(pattern: &Pat) -> Option<String> {
    match pattern {
        Pat::Ident(ident) => Some(ident.id.sym.to_string()),
        _ => None,
    }
}

fn text_of(name: &ModuleExportName) -> String {
    match name {
        ModuleExportName::Ident(ident) => ident.sym.to_string(),
        ModuleExportName::Str(text) => text.value.to_string_lossy().into_owned(),
    }
}

/// What a statement imports; none where that is types alone, which nothing is left of.
fn imported(item: &ModuleItem, places: &Places<'_>) -> Option<Imported> {
    let ModuleItem::ModuleDecl(declaration) = item else { return None };
    let import = match declaration {
        ModuleDecl::Import(import) => import,
        ModuleDecl::ExportAll(export) => return Some(elsewhere(export.span, places)),
        ModuleDecl::ExportNamed(export) if export.src.is_some() && !export.type_only => {
            return Some(elsewhere(export.span, places));
        }
        _ => return None,
    };
    if import.type_only {
        return None;
    }
    let source = import.src.value.to_string_lossy().into_owned();
    let (line, column) = places.of(import.span.lo());
    let (row, problem) = match source.strip_prefix(PREFIX) {
        Some(AMBIENT) => return None,
        Some(interface) => (model::capability::interface(interface), "this host has no such interface".to_owned()),
        None => (None, format!("a script is one file, and imports interfaces of the host: `{PREFIX}…`")),
    };
    let Some(row) = row else {
        let problem = places.problem(import.src.span, format!("`{source}`: {problem}"));
        return Some(Imported { row, functions: Vec::new(), line, column, problem: Some(problem) });
    };
    let (functions, problem) = functions(import, row, places);
    Some(Imported { row: Some(row), functions, line, column, problem })
}

fn elsewhere(span: Span, places: &Places<'_>) -> Imported {
    let (line, column) = places.of(span.lo());
    let message = "a script exports what is its own: import it, and call it in `detect`".to_owned();
    let problem = Some(Problem { line, column, message });
    Imported { row: None, functions: Vec::new(), line, column, problem }
}

/// The functions that are named, and the first of them that the interface does not have. All of them where the whole interface
/// is imported.
fn functions(import: &ImportDecl, row: &'static Interface, places: &Places<'_>) -> (Vec<String>, Option<Problem>) {
    let (mut functions, mut problem) = (Vec::new(), None);
    for specifier in &import.specifiers {
        let (name, span) = match specifier {
            ImportSpecifier::Named(named) if named.is_type_only => continue,
            ImportSpecifier::Named(named) => match &named.imported {
                Some(imported) => (text_of(imported), named.span),
                None => (named.local.sym.to_string(), named.span),
            },
            ImportSpecifier::Default(default) => ("default".to_owned(), default.span),
            ImportSpecifier::Namespace(_) => {
                functions.extend(row.functions.iter().map(|&function| function.to_owned()));
                continue;
            }
        };
        match row.functions.iter().find(|function| function.to_lower_camel_case() == name) {
            Some(&function) => functions.push(function.to_owned()),
            None => {
                let known: Vec<String> = row.functions.iter().map(|it| it.to_lower_camel_case()).collect();
                let known = known.join(", ");
                let message = format!(
                    "`{}` has no function `{name}`; it has {known}, and a type is imported with `import type`",
                    row.name
                );
                problem.get_or_insert(places.problem(span, message));
            }
        }
    }
    (functions, problem)
}

/// `export const manifest = {...}`.
fn manifest(module: &Module, places: &Places<'_>) -> Result<Literals, Problem> {
    let found = module.body.iter().find_map(|item| {
        let ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) = item else { return None };
        let Decl::Var(variables) = &export.decl else { return None };
        let mut of_name = variables.decls.iter().filter(|it| variable(&it.name).as_deref() == Some("manifest"));
        of_name.next()?.init.as_deref()
    });
    let Some(found) = found else {
        let message =
            "there is no `export const manifest = { … }`: what the script is, and what it may touch".to_owned();
        return Err(Problem { line: 1, column: 1, message });
    };
    let mut reader = Reader { places, path: Vec::new(), found: Vec::new() };
    match reader.value(found) {
        Ok(value) => Ok(Literals { value, places: reader.found }),
        Err(span) => {
            Err(places.problem(span, "a manifest is read, and never run: only literals may stand here".to_owned()))
        }
    }
}

/// Reads literals, and notes where they stand.
struct Reader<'a> {
    places: &'a Places<'a>,
    path: Vec<String>,
    found: Vec<(String, usize, usize)>,
}

impl Reader<'_> {
    fn value(&mut self, expression: &Expr) -> Result<Value, Span> {
        match expression {
            Expr::Lit(Lit::Str(text)) => Ok(text.value.to_string_lossy().into_owned().into()),
            Expr::Lit(Lit::Bool(bool)) => Ok(bool.value.into()),
            Expr::Lit(Lit::Null(_)) => Ok(Value::Null),
            Expr::Lit(Lit::Num(number)) => Ok(of_number(number.value)),
            Expr::Unary(minus) if minus.op == UnaryOp::Minus => match &*minus.arg {
                Expr::Lit(Lit::Num(number)) => Ok(of_number(-number.value)),
                _ => Err(minus.span),
            },
            Expr::Tpl(template) if template.exprs.is_empty() => {
                let text = template.quasis.first().and_then(|quasi| quasi.cooked.as_ref());
                Ok(text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default().into())
            }
            Expr::Array(array) => {
                let element = |element: &Option<swc_ecma_ast::ExprOrSpread>| match element {
                    Some(element) if element.spread.is_none() => self.value(&element.expr),
                    _ => Err(array.span),
                };
                array.elems.iter().map(element).collect()
            }
            Expr::Object(object) => {
                object.props.iter().map(|it| self.field(it)).collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
            Expr::Paren(inner) => self.value(&inner.expr),
            Expr::TsAs(inner) => self.value(&inner.expr),
            Expr::TsConstAssertion(inner) => self.value(&inner.expr),
            Expr::TsSatisfies(inner) => self.value(&inner.expr),
            other => Err(other.span()),
        }
    }

    fn field(&mut self, property: &PropOrSpread) -> Result<(String, Value), Span> {
        let PropOrSpread::Prop(property) = property else { return Err(property.span()) };
        let Prop::KeyValue(field) = &**property else { return Err(property.span()) };
        let name = match &field.key {
            PropName::Ident(name) => name.sym.to_string(),
            PropName::Str(name) => name.value.to_string_lossy().into_owned(),
            other => return Err(other.span()),
        };
        let (line, column) = self.places.of(field.key.span().lo());
        self.path.push(name.clone());
        self.found.push((self.path.join("."), line, column));
        let value = self.value(&field.value)?;
        self.path.pop();
        Ok((name, value))
    }
}

/// A whole number is one in JSON too: `1.0` would be none for a limit.
fn of_number(number: f64) -> Value {
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX { (number as i64).into() } else { number.into() }
}
