//! From a text to a plugin's bytes.

use std::fmt;
use std::path::Path;

use artifact::Script;
use artifact::script::SCRIPT_BYTES_MAX;

use crate::parse::{Language, Parsed};
use crate::{manifest, parse, strip};

/// What the parser needs of a stack for each byte of a text that only nests: 16 KiB were measured for `(` in a debug build. What
/// is not used of it is address space, and no memory.
const STACK_BYTES_PER_BYTE: usize = 20 << 10;
/// What it needs however short the text is.
const STACK_BYTES_MIN: usize = 8 << 20;

/// What is wrong at a place in a script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

/// Everything that is wrong with a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Wrong {
    /// The script's file.
    pub file: String,
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |it: &Problem| format!("{}:{}:{}: {}", self.file, it.line, it.column, it.message);
        f.write_str(&self.problems.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Whether a file is a script, by its name.
pub fn is_script(path: &Path) -> bool {
    language(path).is_some()
}

fn language(path: &Path) -> Option<Language> {
    match path.extension()?.to_str()? {
        "js" | "mjs" => Some(Language::JavaScript),
        "ts" | "mts" => Some(Language::TypeScript),
        _ => None,
    }
}

/// Packs a script into a plugin: its manifest is read, its types are blanked, and nothing of it runs.
pub fn pack(name: &str, text: &str) -> Result<Vec<u8>, Wrong> {
    let wrong = |problems| Wrong { file: name.to_owned(), problems };
    let first = |message: String| wrong(vec![Problem { line: 1, column: 1, message }]);
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(first(format!("it has {} bytes: a script has at most {SCRIPT_BYTES_MAX}", text.len())));
    }
    // The parser calls itself for what is nested: what somebody else wrote must not end this process.
    std::thread::scope(|scope| {
        let packing = std::thread::Builder::new().stack_size(STACK_BYTES_MIN + text.len() * STACK_BYTES_PER_BYTE);
        let packed = packing.spawn_scoped(scope, || packed(name, text)).map(std::thread::ScopedJoinHandle::join);
        match packed {
            Ok(Ok(packed)) => packed.map_err(wrong),
            Ok(Err(_)) => Err(first("it cannot be read".to_owned())),
            Err(error) => Err(first(format!("there is no room to read it: {error}"))),
        }
    })
}

fn packed(name: &str, text: &str) -> Result<Vec<u8>, Vec<Problem>> {
    let language = language(Path::new(name)).unwrap_or(Language::JavaScript);
    let parsed = parse::parse(name, text, language)?;
    let manifest = manifest::of(&parsed, name);
    let mut problems = problems(&parsed, manifest.as_ref().ok());
    let manifest = match manifest {
        Ok(manifest) => manifest,
        Err(of_manifest) => {
            problems.extend(of_manifest);
            problems.sort();
            return Err(problems);
        }
    };
    if !problems.is_empty() {
        problems.sort();
        return Err(problems);
    }
    let text = match language {
        Language::JavaScript => text.to_owned(),
        Language::TypeScript => strip::types(name, text)?,
    };
    let imports = parsed.imports.into_iter().filter(|import| import.row.is_some());
    let script = Script {
        name: name.to_owned(),
        text,
        imports: parse::merged(imports),
        remediates: parsed.exports.iter().any(|name| name == "remediate"),
    };
    Ok(script.embed(&manifest))
}

/// What the imports and exports lack.
fn problems(parsed: &Parsed, manifest: Option<&model::Manifest>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !parsed.exports.iter().any(|name| name == "detect") {
        let message = "it exports no function `detect`: what looks, and reports what it found".to_owned();
        problems.push(Problem { line: 1, column: 1, message });
    }
    for import in &parsed.imports {
        let Some(row) = import.row else {
            problems.extend(import.problem.iter().cloned());
            continue;
        };
        problems.extend(import.problem.iter().cloned());
        if manifest.is_some_and(|manifest| !manifest.capabilities.contains_key(row.name)) {
            let scope = match row.scope {
                contract::ScopeGrammar::None => "",
                _ => "scope: [\"…\"], ",
            };
            let message = format!(
                "it imports `{name}` ({functions}), which its manifest does not declare; add to `capabilities`\n      \
                 \"{name}\": {{ {scope}reason: \"…\" }},",
                name = row.name,
                functions = import.functions.join(", "),
            );
            problems.push(Problem { line: import.line, column: import.column, message });
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "export const manifest = { description: \"A test\" };\nexport function detect() {}\n";

    #[test]
    fn what_nests_as_deeply_as_can_be_ends_nothing() {
        let room = SCRIPT_BYTES_MAX - HEAD.len() - 16;
        let nested = |open: &str, middle: &str, close: &str| {
            let times = room / (open.len() + close.len());
            format!("{HEAD}{}{middle}{}", open.repeat(times), close.repeat(times))
        };
        for text in [
            nested("(", "", ""),
            nested("(", "1", ")"),
            nested("[", "", "]"),
            nested("{", "", "}"),
            nested("a=>", "1", ""),
            nested("if(a)", ";", ""),
            format!("{HEAD}type T={};", "(".repeat(room / 2 - 8) + "1" + &")".repeat(room / 2 - 8)),
        ] {
            // Whether it is one or not: somebody is told, and this process goes on.
            let _ = pack("nested.ts", &text);
        }
        pack("flat.ts", HEAD).unwrap();
    }

    #[test]
    fn what_is_more_than_a_type_is_refused_where_it_stands() {
        let wrong = pack("a.ts", &format!("{HEAD}  enum Colour {{ Red }}\n")).unwrap_err();
        assert!(wrong.to_string().starts_with("a.ts:3:3: "), "{wrong}");
        pack("a.ts", &format!("{HEAD}  type Colour = \"red\";\n")).unwrap();
    }

    #[test]
    fn a_script_has_a_greatest_length() {
        let long = |bytes: usize| format!("{HEAD}{}", " ".repeat(bytes - HEAD.len()));
        assert!(pack("a.js", &long(SCRIPT_BYTES_MAX)).is_ok());
        let wrong = pack("a.js", &long(SCRIPT_BYTES_MAX + 1)).unwrap_err();
        assert!(wrong.to_string().contains("a script has at most 65536"), "{wrong}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let text = "import a from \"node:fs\";\nimport { getService } from \"msp:automation/service\";\n\
                    export const manifest = { description: \"A test\" };\n";
        let wrong = pack("a.js", text).unwrap_err();
        let places: Vec<_> = wrong.problems.iter().map(|it| (it.line, it.column)).collect();
        assert_eq!(places, [(1, 1), (1, 15), (2, 1)], "{wrong}");
    }
}
