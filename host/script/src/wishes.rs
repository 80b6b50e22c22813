//! What a script imports, held against what its manifest declares: in the words of whoever wrote it.

use contract::{Interface, ScopeGrammar};
use heck::ToLowerCamelCase as _;
use model::Manifest;

use crate::Problem;
use crate::parse::Parsed;

/// An entry of `capabilities`, as it is written in a script.
pub fn entry(row: &Interface, scope: &[String]) -> String {
    let name = match row.name.contains('-') {
        true => format!("\"{}\"", row.name),
        false => row.name.to_owned(),
    };
    let scope = match (row.scope, scope.is_empty()) {
        (ScopeGrammar::None, _) => String::new(),
        (_, true) => "scope: [\"…\"], ".to_owned(),
        (_, false) => format!("scope: {}, ", serde_json::json!(scope)),
    };
    format!("{name}: {{ {scope}reason: \"…\" }},")
}

/// What is imported and not declared, each interface where it is imported first.
pub(crate) fn undeclared(parsed: &Parsed) -> Vec<Problem> {
    // By what it says, and not by what that comes to: a manifest that is wrong elsewhere hides nothing here.
    let Ok(literals) = &parsed.manifest else { return Vec::new() };
    let declared = |name: &str| literals.value.get("capabilities").is_some_and(|it| it.get(name).is_some());
    let mut seen = Vec::new();
    let mut problems = Vec::new();
    for import in &parsed.imports {
        let Some(row) = import.row.filter(|row| !declared(row.name)) else { continue };
        if seen.contains(&row.name) {
            continue;
        }
        seen.push(row.name);
        let of_row = parsed.imports.iter().filter(|it| it.row.is_some_and(|it| it.name == row.name));
        let mut functions: Vec<String> =
            of_row.flat_map(|it| it.functions.iter().map(|name| name.to_lower_camel_case())).collect();
        functions.sort();
        functions.dedup();
        let message = match functions.is_empty() {
            true => format!("it imports `{}`, which its manifest does not declare", row.name),
            false => {
                format!("it imports `{}` ({}), which its manifest does not declare", row.name, functions.join(", "))
            }
        };
        let mut problem = Problem::at(import.at, message);
        problem.advice = Some(add(parsed, row, &[]));
        problems.push(problem);
    }
    problems
}

/// Where an interface is to be declared, and how.
fn add(parsed: &Parsed, row: &Interface, scope: &[String]) -> String {
    let literals = parsed.manifest.as_ref().ok();
    let capabilities = literals.and_then(|literals| literals.place("capabilities"));
    let (line, _) = literals.map_or((1, 1), |literals| literals.at);
    match capabilities {
        Some((line, _)) => format!("add to `capabilities`, line {line}:\n  {}", entry(row, scope)),
        None => format!(
            "add to the manifest, line {line}:\n  capabilities: {{ {} }},",
            entry(row, scope).trim_end_matches(',')
        ),
    }
}

/// What is asked for in vain, or more widely than somebody may want to grant; and what would only ever be denied.
pub(crate) fn warnings(parsed: &Parsed, manifest: &Manifest) -> Vec<Problem> {
    let Ok(literals) = &parsed.manifest else { return Vec::new() };
    let at = |path: &str| literals.nearest(path);
    let imported = |name: &str| parsed.imports.iter().any(|it| it.row.is_some_and(|row| row.name == name));
    let named = |name: &str| parsed.dynamic.iter().any(|(row, _)| row.name == name);
    let mut problems = Vec::new();
    for (name, wish) in &manifest.capabilities {
        let path = format!("capabilities.{name}");
        if !imported(name) && !named(name) {
            let message = format!("`{name}` is declared and never imported: ask for less, and more will grant it");
            problems.push(Problem::at(at(&path), message));
        }
        if wish.scope.iter().any(|entry| entry == "*") {
            let message =
                format!("the scope of `{name}` is everything (`*`): name what it is for, or take a parameter");
            problems.push(Problem::at(at(&format!("{path}.scope")), message));
        }
    }
    if !parsed.exports("remediate") {
        let changing = parsed.imports.iter().filter_map(|it| it.row.filter(|row| row.changes).map(|row| (row, it.at)));
        for (row, at) in changing {
            let message = format!("`{}` changes something, which only `remediate` may, and there is none", row.name);
            problems.push(Problem::at(at, message));
        }
    }
    for (row, at) in parsed.dynamic.iter().filter(|(row, _)| !manifest.capabilities.contains_key(row.name)) {
        let message = format!("`{}` is imported here and not declared: each call of it will be denied", row.name);
        let mut problem = Problem::at(*at, message);
        problem.advice = Some(add(parsed, row, &[]));
        problems.push(problem);
    }
    problems.sort();
    problems
}

#[cfg(test)]
mod tests {
    use crate::{pack, warnings};

    const LOOKS: &str = "export function detect() { return { verdict: \"compliant\", summary: \"\" }; }\n";

    fn places(text: &str) -> Vec<(usize, usize)> {
        warnings("a.js", text).unwrap().iter().map(|it| (it.line, it.column)).collect()
    }

    #[test]
    fn what_is_missing_is_named_as_its_author_does() {
        let import = "import { getService } from \"msp:automation/service\";\n\
                      import { startService } from \"msp:automation/service-control\";\n\
                      import { listServices } from \"msp:automation/service\";\n";
        let text = format!("{import}export const manifest = {{ description: \"A test\" }};\n{LOOKS}");
        let wrong = pack("a.js", &text).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "a.js:1:1: it imports `service` (getService, listServices), which its manifest does not declare\n    \
             1 | import { getService } from \"msp:automation/service\";\n      | ^\n    \
             add to the manifest, line 4:\n      capabilities: { service: { scope: [\"…\"], reason: \"…\" } },\n\
             a.js:2:1: it imports `service-control` (startService), which its manifest does not declare\n    \
             2 | import { startService } from \"msp:automation/service-control\";\n      | ^\n    \
             add to the manifest, line 4:\n      capabilities: { \"service-control\": { scope: [\"…\"], reason: \"…\" } },"
        );
        let declared = |names: &[&str]| {
            let entry = |name: &&str| format!("\"{name}\": {{ scope: [\"cups\"], reason: \"…\" }},\n");
            let entries: String = names.iter().map(entry).collect();
            let manifest = format!("description: \"A test\",\ncapabilities: {{\n{entries}}},");
            format!("{import}export const manifest = {{ {manifest} }};\n{LOOKS}")
        };
        let wrong = pack("a.js", &declared(&["service"])).unwrap_err().to_string();
        assert!(wrong.contains("add to `capabilities`, line 5:\n      \"service-control\": {"), "{wrong}");
        pack("a.js", &declared(&["service", "service-control"])).unwrap();
    }

    #[test]
    fn what_is_asked_for_in_vain_is_said() {
        let text = |scope: &str, body: &str| {
            format!(
                "import {{ getService }} from \"msp:automation/service\";\nexport const manifest = {{\n  \
                 description: \"A test\",\n  capabilities: {{ service: {{ scope: [\"{scope}\"], reason: \"…\" }} }},\n\
                 }};\n{body}{LOOKS}"
            )
        };
        let good = text("cups", "");
        assert_eq!(places(&good), [], "the control");
        assert_eq!(places(&good[good.find('\n').unwrap()..]), [(4, 19)], "never imported");
        assert_eq!(places(&text("*", "")), [(4, 30)], "everything");
        assert_eq!(places(&text("cups", "const later = () => import(\"msp:automation/files\");\n")), [(6, 21)]);
        assert_eq!(places(&text("cups", "const later = () => import(\"msp:automation/service\");\n")), []);
        let changes = good.replace("getService", "startService").replace("/service\"", "/service-control\"");
        let changes = changes.replace("service:", "\"service-control\":");
        assert_eq!(places(&changes), [(1, 1)], "nothing may call it");
        assert_eq!(places(&format!("{changes}export function remediate() {{}}\n")), []);
    }
}
