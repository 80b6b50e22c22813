//! The contract as TypeScript sees it: for scripts and for plugins in JavaScript and TypeScript alike.

use std::fmt::Write as _;

use heck::{ToLowerCamelCase as _, ToUpperCamelCase as _};

use super::contract::{Contract, Field, Function, Item, Module, Name, Shape, Ty};
use super::limits::Limit;

/// A file for each interface, and one that has them all.
pub(super) fn files(contract: &Contract, limits: &[Limit]) -> Vec<(String, String)> {
    let seen = contract.modules.iter().filter(|it| it.is_seen());
    let mut files: Vec<_> = seen.map(|it| (format!("{}.d.ts", it.name), file(contract, it))).collect();
    files.push(("index.d.ts".to_owned(), index(contract, limits)));
    files
}

/// Which way a value goes: to the host, or from it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Handed,
    Answered,
}

fn file(contract: &Contract, module: &Module) -> String {
    let mut out = format!("// Written by `cargo xtask declarations` out of wit/{}.wit.\n\n", module.name);
    out += &docs(&module.docs, "");
    let _ = writeln!(out, "declare module \"msp:automation/{}\" {{", module.name);
    let mut parts: Vec<String> = uses(contract, module).into_iter().collect();
    parts.extend(module.types.iter().map(|it| item(contract, it)));
    if !module.exported {
        parts.extend(module.functions.iter().map(|it| function(contract, it)));
    }
    // Without it, everything in here would be exported, what is imported too.
    parts.push("  export {};\n".to_owned());
    out += &parts.join("\n");
    out + "}\n"
}

/// The types of other interfaces, which belong to this one too.
fn uses(contract: &Contract, module: &Module) -> Option<String> {
    let mut lines = String::new();
    for (owner, names) in contract.used(module) {
        let forms = |it: &Name| std::iter::once(plain(it)).chain(contract.has_two_forms(it).then(|| strict(it)));
        let names = names.iter().flat_map(forms).collect::<Vec<_>>().join(", ");
        let _ = writeln!(lines, "  import type {{ {names} }} from \"msp:automation/{owner}\";");
        let _ = writeln!(lines, "  export type {{ {names} }};");
    }
    (!lines.is_empty()).then_some(lines)
}

fn item(contract: &Contract, item: &Item) -> String {
    if !contract.has_two_forms(&item.name) {
        let way = if contract.is_answered(&item.name) { Way::Answered } else { Way::Handed };
        return form(contract, item, way, &plain(&item.name), &item.docs);
    }
    let of_host = format!("{{@link {}}} as the host gives it: nothing is left out.", plain(&item.name));
    let handed = form(contract, item, Way::Handed, &plain(&item.name), &item.docs);
    handed + "\n" + &form(contract, item, Way::Answered, &strict(&item.name), &of_host)
}

fn form(contract: &Contract, item: &Item, way: Way, name: &str, text: &str) -> String {
    match &item.shape {
        Shape::Record(fields) => {
            let mut out = format!("{}  export interface {name} {{\n", docs(text, "  "));
            for field in fields {
                out += &docs(&field.docs, "    ");
                let (optional, ty) = written(contract, &field.ty, way);
                let mark = if optional { "?" } else { "" };
                let _ = writeln!(out, "    {}{mark}: {ty};", field.name.to_lower_camel_case());
            }
            out + "  }\n"
        }
        Shape::Enum(cases) => {
            let told = cases.iter().filter(|case| !case.docs.is_empty());
            let told = told.map(|case| format!("\n- `{}`: {}", case.name, case.docs.replace('\n', "\n  ")));
            let words = cases.iter().map(|case| format!("\"{}\"", case.name)).collect::<Vec<_>>().join(" | ");
            let told: String = told.collect();
            let told = if told.is_empty() { told } else { format!("\n{told}") };
            format!("{}  export type {name} = {words};\n", docs(&format!("{text}{told}"), "  "))
        }
        Shape::Alias(alias) => format!("{}  export type {name} = {};\n", docs(text, "  "), ty(contract, alias, way)),
        Shape::Resource => {
            let brand = "    /** Only the host makes one. */\n    readonly [opened]: never;\n";
            format!("  const opened: unique symbol;\n{}  export interface {name} {{\n{brand}  }}\n", docs(text, "  "))
        }
    }
}

fn function(contract: &Contract, it: &Function) -> String {
    let text = match it.fails {
        true => format!("{}\n\n@throws {{HostError}}", it.docs),
        false => it.docs.clone(),
    };
    let params = params(contract, &it.params).join(", ");
    let answer = it.answer.as_ref().map_or("void".to_owned(), |answer| match answer {
        Ty::Option(inner) => format!("{} | undefined", ty(contract, inner, Way::Answered)),
        answer => ty(contract, answer, Way::Answered),
    });
    format!("{}  export function {}({params}): {answer};\n", docs(&text, "  "), it.name.to_lower_camel_case())
}

/// What may be left out and comes last need not be written.
fn params(contract: &Contract, params: &[Field]) -> Vec<String> {
    let needed = params.iter().rposition(|it| !it.ty.is_optional(contract)).map_or(0, |at| at + 1);
    let param = |(at, param): (usize, &Field)| {
        let name = param.name.to_lower_camel_case();
        let (optional, ty) = written(contract, &param.ty, Way::Handed);
        match (optional, at < needed) {
            (true, false) => format!("{name}?: {ty}"),
            (true, true) => format!("{name}: {ty} | undefined"),
            (false, _) => format!("{name}: {ty}"),
        }
    };
    params.iter().enumerate().map(param).collect()
}

/// Whether it may be left out, and its type.
fn written(contract: &Contract, it: &Ty, way: Way) -> (bool, String) {
    match (it, way) {
        (Ty::Option(inner), Way::Answered) => (false, format!("{} | undefined", ty(contract, inner, way))),
        (Ty::Option(inner), Way::Handed) => (true, format!("{} | null", ty(contract, inner, way))),
        (other, Way::Handed) if other.is_optional(contract) => (true, format!("{} | null", ty(contract, other, way))),
        (other, _) => (false, ty(contract, other, way)),
    }
}

fn ty(contract: &Contract, it: &Ty, way: Way) -> String {
    match (it, way) {
        (Ty::Bool, _) => "boolean".to_owned(),
        (Ty::Whole(..) | Ty::Float, _) => "number".to_owned(),
        (Ty::Text, _) => "string".to_owned(),
        (Ty::Bytes, Way::Answered) => "Uint8Array".to_owned(),
        (Ty::Bytes, Way::Handed) => "Uint8Array | string".to_owned(),
        (Ty::List(inner), Way::Answered) => format!("{}[]", in_brackets(&ty(contract, inner, way))),
        (Ty::List(inner), Way::Handed) => {
            let list = format!("readonly {}[]", in_brackets(&ty(contract, inner, way)));
            match &**inner {
                Ty::Pair(_, value) => {
                    let value = ty(contract, value, way);
                    format!("{list} | {{ readonly [name: string]: {value} | undefined }}")
                }
                _ => list,
            }
        }
        (Ty::Option(inner), _) => format!("{} | undefined", ty(contract, inner, way)),
        (Ty::Pair(a, b), way) => {
            let read_only = if way == Way::Handed { "readonly " } else { "" };
            format!("{read_only}[{}, {}]", ty(contract, a, way), ty(contract, b, way))
        }
        (Ty::Named(name), Way::Answered) if contract.has_two_forms(name) => strict(name),
        (Ty::Named(name), _) => plain(name),
    }
}

fn in_brackets(ty: &str) -> String {
    if ty.contains(" | ") || ty.starts_with("readonly") { format!("({ty})") } else { ty.to_owned() }
}

/// The contract's `error` is no `Error`: that is JavaScript's.
fn plain((_, name): &Name) -> String {
    if name == "error" { "Failure".to_owned() } else { name.to_upper_camel_case() }
}

fn strict(name: &Name) -> String {
    format!("Received{}", plain(name))
}

fn docs(text: &str, indent: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let text = text.replace("*/", "*\\/");
    if !text.contains('\n') {
        return format!("{indent}/** {text} */\n");
    }
    let lines = text.lines().map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n");
    format!("{indent}/**\n{}{indent} */\n", lines.collect::<String>())
}

/// All of it, what every plugin writes, and what is there without an import.
fn index(contract: &Contract, limits: &[Limit]) -> String {
    let references = contract
        .modules
        .iter()
        .filter(|it| it.is_seen())
        .map(|it| format!("/// <reference path=\"./{}.d.ts\" />\n", it.name));
    let granted = contract.modules.iter().filter(|it| it.is_granted()).map(|it| {
        let wish = if it.has_scope() { "ScopedCapability" } else { "Capability" };
        format!("{}    \"{}\"?: {wish};\n", docs(&it.docs, "    "), it.name)
    });
    let limits = limits.iter().map(|limit| {
        let text = format!("{} Unless it says otherwise {}, at most {}.", limit.docs, limit.default, limit.ceiling);
        format!("{}    \"{}\"?: number;\n", docs(&text, "    "), limit.name)
    });
    let failure = contract.item(&("types".to_owned(), "error".to_owned()));
    let fields = failure.into_iter().flat_map(|item| match &item.shape {
        Shape::Record(fields) => fields.as_slice(),
        _ => &[],
    });
    // The message is every error's.
    let fields = fields.filter(|field| field.name != "message").map(|field| {
        let (_, ty) = written(contract, &field.ty, Way::Answered);
        // Outside of the modules, a type of one is named with it.
        let ty = match &field.ty {
            Ty::Named(_) => format!("import(\"msp:automation/types\").{ty}"),
            _ => ty,
        };
        format!("{}  readonly {}: {ty};\n", docs(&field.docs, "  "), field.name.to_lower_camel_case())
    });
    INDEX
        .replace("/*references*/\n", &references.collect::<String>())
        .replace("/*capabilities*/\n", &granted.collect::<String>())
        .replace("/*limits*/\n", &limits.collect::<String>())
        .replace("/*failure*/\n", &fields.collect::<String>())
}

const INDEX: &str = include_str!("index.d.ts");
