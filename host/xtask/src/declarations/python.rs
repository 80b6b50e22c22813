//! The contract as Python sees it: a module for each interface, whose functions the SDK's `_host` carries out.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use heck::{ToShoutySnakeCase as _, ToSnakeCase as _, ToUpperCamelCase as _};

use super::contract::{Contract, Field, Function, Item, Module, Name, Shape, Ty};

/// Where the modules lie.
const PACKAGE: &str = "msp.automation";

/// A module for each interface, and one with what every plugin writes.
pub(super) fn files(contract: &Contract) -> Vec<(String, String)> {
    let modules = contract.modules.iter().filter(|it| it.is_seen());
    let mut files: Vec<_> = modules.map(|it| (format!("{}.py", it.name.to_snake_case()), file(contract, it))).collect();
    files.push(("__init__.py".to_owned(), index(contract)));
    files
}

fn file(contract: &Contract, module: &Module) -> String {
    let body: Vec<String> = module.types.iter().map(|it| item(contract, it)).collect();
    let functions = module.functions.iter().filter(|_| !module.exported).map(|it| function(contract, module, it));
    let body = body.into_iter().chain(functions).collect::<Vec<_>>().join("\n\n");
    let mut out = format!("# Written by `cargo xtask declarations` out of wit/{}.wit.\n", module.name);
    out += &docs(&module.docs, "");
    out += "\n";
    let has = |word: &str| body.contains(word);
    for (word, line) in [
        ("Sequence[", "from collections.abc import Sequence\n"),
        ("@dataclass", "from dataclasses import dataclass, field\n"),
        ("StrEnum", "from enum import StrEnum\n"),
        ("TypeAlias", "from typing import TypeAlias\n"),
    ] {
        // `field` only where there is one.
        let line = if has("field(") { line.to_owned() } else { line.replace(", field", "") };
        out += if has(word) { &line } else { "" };
    }
    out += "\n";
    let own = [("Opened", "(Opened)"), ("host", "@host(")].into_iter().chain(WHOLE.iter().map(|it| (it.0, it.0)));
    let mut own: Vec<&str> = own.filter(|it| has(it.1)).map(|it| it.0).collect();
    own.sort_unstable();
    let own = own.join(", ");
    if !own.is_empty() {
        let _ = writeln!(out, "from {PACKAGE}._host import {own}");
    }
    for (owner, names) in contract.used(module) {
        let names = names.iter().map(class).collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "from {PACKAGE}.{} import {names}", owner.to_snake_case());
    }
    out.truncate(out.trim_end().len());
    out + "\n\n\n" + &body
}

fn item(contract: &Contract, item: &Item) -> String {
    let name = class(&item.name);
    let text = docs(&item.docs, "    ");
    match &item.shape {
        Shape::Record(fields) if name == ERROR => error(contract, item, fields),
        Shape::Record(fields) => {
            let fields = fields.iter().map(|it| {
                let ty = in_record(&it.ty);
                let default = default(contract, &it.ty, "field(default_factory=");
                let default = default.map(|default| format!(" = {default}")).unwrap_or_default();
                format!("    {}: {ty}{default}\n{}", it.name.to_snake_case(), docs(&it.docs, "    "))
            });
            let fields: String = fields.collect();
            format!("@dataclass(kw_only=True, slots=True)\nclass {name}:\n{text}\n{fields}")
        }
        Shape::Enum(cases) => {
            let cases = cases.iter().map(|it| {
                format!("    {} = \"{}\"\n{}", it.name.to_shouty_snake_case(), it.name, docs(&it.docs, "    "))
            });
            format!("class {name}(StrEnum):\n{text}\n{}", cases.collect::<String>())
        }
        Shape::Alias(_) if item.name.1 == ATTRIBUTES => {
            format!("{name}: TypeAlias = dict[str, str]\n{}", docs(&item.docs, ""))
        }
        Shape::Alias(ty) => format!("{name}: TypeAlias = {}\n{}", in_record(ty), docs(&item.docs, "")),
        Shape::Resource => format!("class {name}(Opened):\n{text}"),
    }
}

/// Each name of them at most once: a `dict`.
const ATTRIBUTES: &str = "attributes";
/// What is raised is an exception.
const ERROR: &str = "HostError";

fn error(contract: &Contract, item: &Item, fields: &[Field]) -> String {
    let of = |it: &Field| (it.name.to_snake_case(), in_record(&it.ty));
    let params = fields.iter().map(|it| {
        let (name, ty) = of(it);
        match it.ty.is_optional(contract) {
            true => format!("{name}: {ty}{} = None", if matches!(it.ty, Ty::Option(_)) { "" } else { " | None" }),
            false => format!("{name}: {ty}"),
        }
    });
    let params = params.collect::<Vec<_>>().join(", ");
    let fields = fields.iter().map(|it| {
        let (name, ty) = of(it);
        let or = if it.ty.is_optional(contract) && !matches!(it.ty, Ty::Option(_)) { " or {}" } else { "" };
        format!("        self.{name}: {ty} = {name}{or}\n{}", docs(&it.docs, "        "))
    });
    format!(
        "class {ERROR}(Exception):\n{}\n    def __init__(self, *, {params}) -> None:\n        super().__init__(message)\n{}",
        docs(&item.docs, "    "),
        fields.collect::<String>()
    )
}

fn function(contract: &Contract, module: &Module, it: &Function) -> String {
    let needed = it.params.iter().rposition(|it| !it.ty.is_optional(contract)).map_or(0, |at| at + 1);
    let params = it.params.iter().enumerate().map(|(at, param)| {
        let ty = param_type(&param.ty);
        let default = if at < needed { None } else { default(contract, &param.ty, "") };
        let default = default.map(|default| format!(" = {default}")).unwrap_or_default();
        format!("{}: {ty}{default}", param.name.to_snake_case())
    });
    let params = params.collect::<Vec<_>>().join(", ");
    let answer = it.answer.as_ref().map_or("None".to_owned(), in_record);
    let name = it.name.to_snake_case();
    let module = &module.name;
    let text = match it.fails {
        true => format!("{}\n\nRaises `{ERROR}`.", it.docs),
        false => it.docs.clone(),
    };
    let text = docs(&text, "    ");
    format!("@host(\"{module}\")\ndef {name}({params}) -> {answer}:\n{text}    raise NotImplementedError\n")
}

/// What stands for a value that is left out, if it may be.
fn default(contract: &Contract, ty: &Ty, factory: &str) -> Option<String> {
    match ty {
        Ty::Option(_) => Some("None".to_owned()),
        _ if !ty.is_optional(contract) => None,
        _ if factory.is_empty() => Some(if is_attributes(ty) { "None" } else { "()" }.to_owned()),
        _ => Some(format!("{factory}{})", if is_attributes(ty) { "dict" } else { "list" })),
    }
}

fn is_attributes(ty: &Ty) -> bool {
    matches!(ty, Ty::Named((_, name)) if name == ATTRIBUTES)
}

fn param_type(ty: &Ty) -> String {
    match ty {
        Ty::List(inner) => format!("Sequence[{}]", param_type(inner)),
        Ty::Bytes => "bytes | str".to_owned(),
        ty if is_attributes(ty) => format!("{} | None", in_record(ty)),
        ty => in_record(ty),
    }
}

fn in_record(ty: &Ty) -> String {
    match ty {
        Ty::Bool => "bool".to_owned(),
        Ty::Whole(least, most) => whole(*least, *most).to_owned(),
        Ty::Float => "float".to_owned(),
        Ty::Text => "str".to_owned(),
        Ty::Bytes => "bytes".to_owned(),
        Ty::List(inner) => format!("list[{}]", in_record(inner)),
        Ty::Option(inner) => format!("{} | None", in_record(inner)),
        Ty::Pair(a, b) => format!("tuple[{}, {}]", in_record(a), in_record(b)),
        Ty::Named(name) => class(name),
    }
}

/// Whole numbers of a size, as `_host` calls them.
fn whole(least: i64, most: u64) -> &'static str {
    WHOLE.iter().find(|it| (it.1, it.2) == (least, most)).map_or("int", |it| it.0)
}

const WHOLE: [(&str, i64, u64); 6] = [
    ("U8", 0, u8::MAX as u64),
    ("U16", 0, u16::MAX as u64),
    ("U32", 0, u32::MAX as u64),
    ("U64", 0, u64::MAX),
    ("S32", i32::MIN as i64, i32::MAX as u64),
    ("S64", i64::MIN, i64::MAX as u64),
];

fn class(name: &Name) -> String {
    if name.1 == "error" { ERROR.to_owned() } else { name.1.to_upper_camel_case() }
}

fn docs(text: &str, indent: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let raw = if text.contains('\\') { "r" } else { "" };
    // A quote at the end would be one of three.
    let end = if text.ends_with('"') { " " } else { "" };
    let text = text.lines().map(|line| format!("{indent}{line}").trim_end().to_owned());
    let text = text.collect::<Vec<_>>().join("\n");
    let (text, last) = match text.contains('\n') {
        true => (format!("\n{text}"), format!("\n{indent}")),
        false => (text.trim_start().to_owned(), String::new()),
    };
    let text = match text.strip_prefix(&format!("\n{indent}")) {
        Some(text) => text.to_owned(),
        None => text,
    };
    format!("{indent}{raw}\"\"\"{text}{end}{last}\"\"\"\n")
}

/// What every plugin writes, in one place.
fn index(contract: &Contract) -> String {
    let mut out = "# Written by `cargo xtask declarations` out of wit/.\n".to_owned();
    out += "\"\"\"What every plugin is written with: `from msp.automation import Report, Verdict`.\"\"\"\n\n";
    let mut all = BTreeSet::new();
    let common = ["types", "detection", "remediation"];
    for module in contract.modules.iter().filter(|it| common.contains(&it.name.as_str())) {
        let names: BTreeSet<String> = module.types.iter().map(|it| class(&it.name)).collect();
        let lines: String = names.iter().map(|name| format!("    {name},\n")).collect();
        let _ = writeln!(out, "from {PACKAGE}.{} import (\n{lines})", module.name);
        all.extend(names);
    }
    let all: String = all.iter().map(|name| format!("    \"{name}\",\n")).collect();
    out + "\n__all__ = [\n" + &all + "]\n"
}
