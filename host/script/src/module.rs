//! A module of a plugin that has several: what it imports, and its JavaScript.

use std::ops::Range;
use std::path::Path;

use crate::pack::{language, on_stack_for};
use crate::parse::{self, Language};
use crate::{Problem, Wrong, strip};

/// A module's text, and what there is to know of it before it is built.
#[derive(Debug)]
pub struct Module {
    /// The JavaScript, each token at the place where it was written.
    pub text: String,
    /// What it imports, in the order of the text.
    pub imports: Vec<Reference>,
    /// The names that it exports.
    pub exports: Vec<Export>,
}

/// A name that a module exports.
#[derive(Debug)]
pub struct Export {
    /// The name.
    pub name: String,
    /// A function that answers a promise.
    pub is_async: bool,
    /// Where it stands, from 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// A statement that imports.
#[derive(Debug)]
pub struct Reference {
    /// What it is from.
    pub specifier: String,
    /// Where the specifier stands in the text, with its quotes.
    pub at: Range<usize>,
    /// The names that it takes, each with its line and column; none of `import *`.
    pub names: Vec<(String, usize, usize)>,
    /// Where the statement stands, from 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// Reads a module. Its types are blanked, and nothing of it runs.
pub fn module(name: &str, text: &str) -> Result<Module, Wrong> {
    let wrong = |problems| Wrong::new(name, text, problems);
    let read = on_stack_for(text, || read(name, text)).map_err(|message| wrong(vec![Problem::at((1, 1), message)]))?;
    read.map_err(wrong)
}

fn read(name: &str, text: &str) -> Result<Module, Vec<Problem>> {
    let text = match language(Path::new(name)) {
        // What is wrong is said of the text that was written.
        Some(Language::TypeScript) => {
            parse::parse(name, text, Language::TypeScript)?;
            strip::types(name, text)?
        }
        _ => text.to_owned(),
    };
    let (imports, exports) = parse::references(name, &text)?;
    Ok(Module { text, imports, exports })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specifier_stands_where_it_stood() {
        let text = "import type { Report } from \"msp:automation\";\nimport { a, type B } from \"./a.ts\";\n\
                    export { c } from \"./c.ts\";\nexport async function detect(): Promise<Report> { return a(); }\n";
        let module = module("index.ts", text).unwrap();
        let seen: Vec<_> = module.imports.iter().map(|it| (it.specifier.as_str(), it.line, it.column)).collect();
        assert_eq!(seen, [("./a.ts", 2, 1), ("./c.ts", 3, 1)], "what is a type alone is gone");
        for import in &module.imports {
            assert_eq!(module.text[import.at.clone()], format!("\"{}\"", import.specifier));
        }
        let names: Vec<_> = module.imports.iter().flat_map(|it| &it.names).map(|it| it.0.as_str()).collect();
        assert_eq!(names, ["a", "c"]);
        let detect = module.exports.iter().find(|it| it.name == "detect").unwrap();
        assert_eq!((detect.is_async, detect.line), (true, 4));
    }

    #[test]
    fn what_is_wrong_is_said_of_what_was_written() {
        let wrong = module("a.ts", "export const a: = 1;\n").unwrap_err();
        assert!(wrong.to_string().starts_with("a.ts:1:17: "), "{wrong}");
    }
}
