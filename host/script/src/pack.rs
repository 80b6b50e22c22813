//! From a text to a plugin's bytes.

use std::collections::BTreeMap;
use std::path::Path;

use artifact::Script;
use artifact::script::SCRIPT_BYTES_MAX;
use model::Manifest;

use crate::parse::{Language, Parsed};
use crate::{Problem, Wrong, manifest, parse, strip, wishes};

/// What the parser needs of a stack for each byte of a text that only nests: 16 KiB were measured for `(` in a debug build. What
/// is not used of it is address space, and no memory.
const STACK_BYTES_PER_BYTE: usize = 20 << 10;
/// What it needs however short the text is.
const STACK_BYTES_MIN: usize = 8 << 20;

/// Whether a file is a script, by its name.
pub fn is_script(path: &Path) -> bool {
    language(path).is_some()
}

pub(crate) fn language(path: &Path) -> Option<Language> {
    match path.extension()?.to_str()? {
        "js" | "mjs" => Some(Language::JavaScript),
        "ts" | "mts" => Some(Language::TypeScript),
        _ => None,
    }
}

/// Packs a script into a plugin: its manifest is read, its types are blanked, and nothing of it runs.
pub fn pack(name: &str, text: &str) -> Result<Vec<u8>, Wrong> {
    read(name, text).map(|read| read.script.embed(&read.manifest))
}

/// What is right as it is, and could be better: what is asked for in vain, or can never be used.
pub fn warnings(name: &str, text: &str) -> Result<Vec<Problem>, Wrong> {
    read(name, text).map(|read| read.warnings)
}

/// Where a packed script's manifest names its fields: line and column, by path, such as `capabilities.service.scope`. The whole
/// of it has the empty path.
pub fn places(script: &Script) -> BTreeMap<String, (usize, usize)> {
    // Its types are blanks by now, whatever its name says.
    let literals = || parse::parse(&script.name, &script.text, Language::JavaScript).ok()?.manifest.ok();
    let Ok(Some(literals)) = on_stack_for(&script.text, literals) else { return BTreeMap::new() };
    literals.places.into_iter().chain([(String::new(), literals.at)]).collect()
}

/// All that a text says.
struct Read {
    script: Script,
    manifest: Manifest,
    warnings: Vec<Problem>,
}

fn read(name: &str, text: &str) -> Result<Read, Wrong> {
    let wrong = |problems| Wrong::new(name, text, problems);
    let first = |message: String| wrong(vec![Problem::at((1, 1), message)]);
    if text.len() > SCRIPT_BYTES_MAX {
        return Err(first(format!("it has {} bytes: a script has at most {SCRIPT_BYTES_MAX}", text.len())));
    }
    on_stack_for(text, || read_here(name, text)).map_err(first)?.map_err(wrong)
}

/// The parser calls itself for what is nested: what somebody else wrote must not end this process.
pub(crate) fn on_stack_for<T: Send>(text: &str, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES_MIN + text.len() * STACK_BYTES_PER_BYTE);
        let thread =
            thread.spawn_scoped(scope, work).map_err(|error| format!("there is no room to read it: {error}"))?;
        thread.join().map_err(|_| "it cannot be read".to_owned())
    })
}

fn read_here(name: &str, text: &str) -> Result<Read, Vec<Problem>> {
    let language = language(Path::new(name)).unwrap_or(Language::JavaScript);
    let parsed = parse::parse(name, text, language)?;
    let mut problems = problems(&parsed);
    problems.extend(wishes::undeclared(&parsed));
    let stripped = match language {
        Language::JavaScript => Ok(text.to_owned()),
        Language::TypeScript => strip::types(name, text),
    };
    let manifest = parsed.manifest.as_ref().map_err(Clone::clone).and_then(|literals| manifest::of(literals, name));
    match (stripped, manifest) {
        (Ok(text), Ok(manifest)) if problems.is_empty() => {
            let warnings = wishes::warnings(&parsed, &manifest);
            let script = Script {
                name: name.to_owned(),
                text,
                remediates: parsed.exports("remediate"),
                imports: parse::merged(parsed.imports.into_iter()),
            };
            Ok(Read { script, manifest, warnings })
        }
        (stripped, manifest) => {
            problems.extend(stripped.err().into_iter().chain(manifest.err()).flatten());
            Err(problems)
        }
    }
}

/// What the imports and exports lack, whatever the manifest says.
fn problems(parsed: &Parsed) -> Vec<Problem> {
    let mut problems: Vec<Problem> = parsed.imports.iter().flat_map(|import| import.problems.clone()).collect();
    if !parsed.exports("detect") {
        let mut problem = Problem::at((1, 1), "it exports no function `detect`: what looks, and reports what it found");
        problem.advice =
            Some("export function detect() { return { verdict: \"compliant\", summary: \"…\" }; }".to_owned());
        problems.push(problem);
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
        let text = "import a from \"node:fs\";\n\
                    import { getService, getServices, gotService } from \"msp:automation/service\";\n\
                    export const manifest = {\n  description: \"A test\",\n  versoin: \"1\",\n  version: Date.now(),\n};\n\
                    enum Colour { Red }\n";
        let wrong = pack("a.ts", text).unwrap_err();
        let places: Vec<_> = wrong.problems.iter().map(|it| (it.line, it.column)).collect();
        assert_eq!(places, [(1, 1), (1, 15), (2, 22), (2, 35), (6, 12), (8, 1)], "{wrong}");
        let text = text.replace("Date.now()", "1").replace("description: \"A test\"", "limits: { \"wall-ms\": \"x\" }");
        let wrong = pack("a.js", &text.replace("enum Colour { Red }", "")).unwrap_err();
        let places: Vec<_> = wrong.problems.iter().map(|it| (it.line, it.column)).collect();
        let undeclared = (2, 1);
        assert_eq!(places, [(1, 1), (1, 15), undeclared, (2, 22), (2, 35), (4, 13), (5, 3), (6, 3)], "{wrong}");
    }

    #[test]
    fn a_packed_script_knows_where_its_manifest_is() {
        let text = "export const manifest: Manifest = {\n  description: \"A test\",\n  capabilities: {\n    \
                    service: { scope: [\"cups\"], reason: \"…\" },\n  },\n};\nexport function detect(): void {}\n";
        let packed = artifact::verify_local(pack("a.ts", text).unwrap(), None).unwrap();
        let places = places(packed.script().unwrap());
        assert_eq!(places[""], (1, 35));
        assert_eq!((places["capabilities"], places["capabilities.service.scope"]), ((3, 3), (4, 16)));
    }
}
