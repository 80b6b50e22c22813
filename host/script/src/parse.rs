//! What a script's text says without being run: what it imports and exports, and its manifest.

use artifact::Import;
use contract::Interface;
use heck::ToLowerCamelCase as _;
use swc_common::sync::Lrc;
use swc_common::{BytePos, FileName, SourceMap, Span, Spanned as _};
use swc_ecma_ast::{
    CallExpr, Callee, Decl, EsVersion, ExportSpecifier, Expr, ImportDecl, ImportSpecifier, Lit, Module, ModuleDecl,
    ModuleExportName, ModuleItem, Pat,
};
use swc_ecma_parser::lexer::Lexer;
use swc_ecma_parser::{EsSyntax, Parser, StringInput, Syntax, TsSyntax};
use swc_ecma_visit::{Visit, VisitWith as _};

use crate::literals::{self, Literals};
use crate::{Export, Problem, Reference};

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
    /// The interfaces that it names in an `import(…)` somewhere, and where: whether that is ever reached, nobody knows.
    pub(crate) dynamic: Vec<(&'static Interface, (usize, usize))>,
    /// Its manifest.
    pub(crate) manifest: Result<Literals, Vec<Problem>>,
}

impl Parsed {
    /// Whether it exports something of this name.
    pub(crate) fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|it| it == name)
    }
}

/// An import of a script, by name.
pub(crate) struct Imported {
    /// The interface; none where it needs no grant, or is none.
    pub(crate) row: Option<&'static Interface>,
    /// The functions, as the contract names them.
    pub(crate) functions: Vec<String>,
    /// Line and column.
    pub(crate) at: (usize, usize),
    /// What is wrong with it beside what is granted.
    pub(crate) problems: Vec<Problem>,
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
    let module = read(&sources, name, text, language)?;
    let places = Places { sources: &sources };
    let mut dynamic = Dynamic { places: &places, found: Vec::new() };
    module.visit_with(&mut dynamic);
    Ok(Parsed {
        dynamic: dynamic.found,
        exports: module.body.iter().flat_map(exported).map(|(name, _, _)| name).collect(),
        imports: module.body.iter().filter_map(|item| imported(item, &places)).collect(),
        manifest: literals::manifest(&module, &places),
    })
}

/// What JavaScript imports from anywhere, and what it exports.
pub(crate) fn references(name: &str, text: &str) -> Result<(Vec<Reference>, Vec<Export>), Vec<Problem>> {
    let sources: Lrc<SourceMap> = Lrc::default();
    let module = read(&sources, name, text, Language::JavaScript)?;
    let places = Places { sources: &sources };
    let exports = module.body.iter().flat_map(exported).map(|(name, at, is_async)| {
        let (line, column) = places.of(at);
        Export { name, is_async, line, column }
    });
    Ok((module.body.iter().filter_map(|item| reference(item, &places)).collect(), exports.collect()))
}

fn read(sources: &Lrc<SourceMap>, name: &str, text: &str, language: Language) -> Result<Module, Vec<Problem>> {
    let file = sources.new_source_file(FileName::Custom(name.to_owned()).into(), text.to_owned());
    let syntax = match language {
        Language::JavaScript => Syntax::Es(EsSyntax::default()),
        Language::TypeScript => Syntax::Typescript(TsSyntax::default()),
    };
    let mut parser = Parser::new_from(Lexer::new(syntax, EsVersion::latest(), StringInput::from(&*file), None));
    let places = Places { sources };
    let parsed = parser.parse_module();
    let errors = parser.take_errors();
    let problem = |error: &swc_ecma_parser::error::Error| places.problem(error.span(), error.kind().msg());
    match parsed {
        Ok(module) if errors.is_empty() => Ok(module),
        Ok(_) => Err(errors.iter().map(problem).collect()),
        // What was noticed before may be where it went wrong.
        Err(fatal) => Err(errors.iter().chain([&fatal]).map(problem).collect()),
    }
}

/// Where a statement is from, and the names that it takes.
fn reference(item: &ModuleItem, places: &Places<'_>) -> Option<Reference> {
    let ModuleItem::ModuleDecl(declaration) = item else { return None };
    let name = |text: String, span: Span| {
        let (line, column) = places.of(span.lo());
        (text, line, column)
    };
    let (source, span, names) = match declaration {
        ModuleDecl::Import(import) => {
            let names = import.specifiers.iter().filter_map(|specifier| match specifier {
                ImportSpecifier::Named(named) => {
                    let text = named.imported.as_ref().map_or_else(|| named.local.sym.to_string(), text_of);
                    Some(name(text, named.span))
                }
                ImportSpecifier::Default(default) => Some(name("default".to_owned(), default.span)),
                ImportSpecifier::Namespace(_) => None,
            });
            (&import.src, import.span, names.collect())
        }
        ModuleDecl::ExportNamed(export) => {
            let names = export.specifiers.iter().filter_map(|specifier| match specifier {
                ExportSpecifier::Named(named) => Some(name(text_of(&named.orig), named.span)),
                _ => None,
            });
            (export.src.as_ref()?, export.span, names.collect())
        }
        ModuleDecl::ExportAll(export) => (&export.src, export.span, Vec::new()),
        _ => return None,
    };
    let (line, column) = places.of(span.lo());
    let at = places.offset(source.span.lo())..places.offset(source.span.hi());
    Some(Reference { specifier: source.value.to_string_lossy().into_owned(), at, names, line, column })
}

/// Collects what `import(…)` names.
struct Dynamic<'a> {
    places: &'a Places<'a>,
    found: Vec<(&'static Interface, (usize, usize))>,
}

impl Visit for Dynamic<'_> {
    fn visit_call_expr(&mut self, call: &CallExpr) {
        call.visit_children_with(self);
        let Callee::Import(import) = &call.callee else { return };
        let Some(Expr::Lit(Lit::Str(source))) = call.args.first().map(|argument| &*argument.expr) else { return };
        let source = source.value.to_string_lossy();
        let row = source.strip_prefix(PREFIX).and_then(model::capability::interface);
        self.found.extend(row.map(|row| (row, self.places.of(import.span.lo()))));
    }
}

/// Turns what the parser knows of places into lines and columns.
pub(crate) struct Places<'a> {
    sources: &'a SourceMap,
}

impl Places<'_> {
    pub(crate) fn of(&self, at: BytePos) -> (usize, usize) {
        let at = self.sources.lookup_char_pos(at);
        (at.line, at.col.0 + 1)
    }

    /// In bytes from the beginning of the text.
    fn offset(&self, at: BytePos) -> usize {
        self.sources.lookup_byte_offset(at).pos.0 as usize
    }

    fn problem(&self, span: Span, message: impl Into<String>) -> Problem {
        Problem::at(self.of(span.lo()), message)
    }
}

/// The names that a statement exports, those of types left out: where each stands, and whether it is a function that waits.
fn exported(item: &ModuleItem) -> Vec<(String, BytePos, bool)> {
    match item {
        ModuleItem::ModuleDecl(ModuleDecl::ExportDecl(export)) => match &export.decl {
            Decl::Fn(it) => vec![(it.ident.sym.to_string(), export.span.lo(), it.function.is_async)],
            Decl::Var(variables) => variables
                .decls
                .iter()
                .filter_map(|it| variable(&it.name))
                .map(|name| (name, export.span.lo(), false))
                .collect(),
            _ => Vec::new(),
        },
        ModuleItem::ModuleDecl(ModuleDecl::ExportNamed(export)) if !export.type_only => {
            let named = export.specifiers.iter().filter_map(|specifier| match specifier {
                ExportSpecifier::Named(named) if !named.is_type_only => {
                    Some((text_of(named.exported.as_ref().unwrap_or(&named.orig)), named.span.lo(), false))
                }
                _ => None,
            });
            named.collect()
        }
        _ => Vec::new(),
    }
}

/// The name of what is declared, where it is one.
pub(crate) fn variable(pattern: &Pat) -> Option<String> {
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
    let at = places.of(import.span.lo());
    let (row, problem) = match source.strip_prefix(PREFIX) {
        Some(AMBIENT) => return None,
        Some(interface) => (model::capability::interface(interface), "this host has no such interface".to_owned()),
        None => (None, format!("a script is one file, and imports interfaces of the host: `{PREFIX}…`")),
    };
    let Some(row) = row else {
        let problem = places.problem(import.src.span, format!("`{source}`: {problem}"));
        return Some(Imported { row, functions: Vec::new(), at, problems: vec![problem] });
    };
    let (functions, problems) = functions(import, row, places);
    Some(Imported { row: Some(row), functions, at, problems })
}

fn elsewhere(span: Span, places: &Places<'_>) -> Imported {
    let problem = places.problem(span, "a script exports what is its own: import it, and call it in `detect`");
    Imported { row: None, functions: Vec::new(), at: (problem.line, problem.column), problems: vec![problem] }
}

/// The functions that are named, all of them where the whole interface is imported; and what the interface does not have.
fn functions(import: &ImportDecl, row: &'static Interface, places: &Places<'_>) -> (Vec<String>, Vec<Problem>) {
    let (mut functions, mut problems) = (Vec::new(), Vec::new());
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
            None => problems.push(places.problem(span, no_function(&name, row))),
        }
    }
    (functions, problems)
}

fn no_function(name: &str, row: &Interface) -> String {
    let known: Vec<String> = row.functions.iter().map(|it| it.to_lower_camel_case()).collect();
    let known = known.join(", ");
    format!("`{}` has no function `{name}`; it has {known}, and a type is imported with `import type`", row.name)
}
