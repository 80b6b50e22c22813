//! The contract as a plugin in JavaScript calls it: what its toolchain binds, with the values that a script may hand over.

use std::fmt::Write as _;

use heck::{ToLowerCamelCase as _, ToUpperCamelCase as _};

use super::contract::{Contract, Field, Function, Item, Module, Name, Shape, Ty};

/// A module for each interface.
pub(super) fn files(contract: &Contract) -> Vec<(String, String)> {
    let modules = contract.modules.iter().filter(|it| it.is_seen());
    modules.map(|it| (format!("{}.js", it.name), file(contract, it))).collect()
}

fn file(contract: &Contract, module: &Module) -> String {
    let types = module.types.iter().filter_map(|it| item(contract, it));
    let functions = module.functions.iter().filter(|_| !module.exported).map(|it| function(contract, it));
    let body: Vec<String> = types.chain(functions).collect();
    let body = body.concat();
    let mut out = format!("// Written by `cargo xtask declarations` out of wit/{}.wit.\n", module.name);
    if body.contains("bind(") {
        let _ = writeln!(out, "import * as host from \"msp:automation/{}@{}\";", module.name, contract.version);
        out += "import { bind } from \"../call.js\";\n";
    }
    let shapes = ["bool", "bytes", "float", "list", "option", "pair", "record", "secret", "text", "whole", "word"];
    let is_used = |it: &&&str| body.contains(&format!("{it}(")) || has_word(&body, it);
    let used = shapes.iter().filter(is_used).copied().collect::<Vec<_>>().join(", ");
    if !used.is_empty() {
        let _ = writeln!(out, "import {{ {used} }} from \"../shapes.js\";");
    }
    for (owner, names) in contract.used(module) {
        let names = names.iter().map(class).filter(|name| has_word(&body, name)).collect::<Vec<_>>().join(", ");
        if !names.is_empty() {
            let _ = writeln!(out, "import {{ {names} }} from \"./{owner}.js\";");
        }
    }
    out + "\n" + &body
}

fn has_word(body: &str, word: &str) -> bool {
    body.split(|c: char| !c.is_ascii_alphanumeric()).any(|it| it == word)
}

/// The shape of what is handed over; what is only answered needs none.
fn item(contract: &Contract, item: &Item) -> Option<String> {
    if !contract.is_handed(&item.name) {
        return None;
    }
    let shape = match &item.shape {
        Shape::Record(fields) => format!("record({{\n{}}})", fields_of(fields, "  ")),
        Shape::Enum(cases) => {
            let words = cases.iter().map(|it| format!("\"{}\"", it.name)).collect::<Vec<_>>().join(", ");
            format!("word([{words}])")
        }
        Shape::Alias(ty) => shape(ty),
        Shape::Resource => "secret".to_owned(),
    };
    Some(format!("export const {} = {shape};\n", class(&item.name)))
}

fn fields_of(fields: &[Field], indent: &str) -> String {
    fields.iter().map(|it| format!("{indent}{}: {},\n", it.name.to_lower_camel_case(), shape(&it.ty))).collect()
}

fn function(contract: &Contract, it: &Function) -> String {
    let name = it.name.to_lower_camel_case();
    let params = it.params.iter().map(|it| format!("{}: {}", it.name.to_lower_camel_case(), shape(&it.ty)));
    let params = params.collect::<Vec<_>>().join(", ");
    let params = if params.is_empty() { "{}".to_owned() } else { format!("{{ {params} }}") };
    let opens = match &it.answer {
        Some(Ty::Named(name)) if contract.item(name).is_some_and(|it| matches!(it.shape, Shape::Resource)) => ", true",
        _ => "",
    };
    format!("export const {name} = bind(\"{name}\", host.{name}, {params}{opens});\n")
}

fn shape(ty: &Ty) -> String {
    match ty {
        Ty::Bool => "bool".to_owned(),
        Ty::Whole(least, most) => format!("whole(\"{least}\", \"{most}\")"),
        Ty::Float => "float".to_owned(),
        Ty::Text => "text".to_owned(),
        Ty::Bytes => "bytes".to_owned(),
        Ty::List(inner) => format!("list({})", shape(inner)),
        Ty::Option(inner) => format!("option({})", shape(inner)),
        Ty::Pair(a, b) => format!("pair({}, {})", shape(a), shape(b)),
        Ty::Named(name) => class(name),
    }
}

fn class((_, name): &Name) -> String {
    if name == "error" { "Failure".to_owned() } else { name.to_upper_camel_case() }
}
