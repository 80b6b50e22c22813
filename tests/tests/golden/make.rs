//! How the golden plugins of this contract version are made. They are committed: what was released once is never made again.

use std::path::Path;

use model::{Manifest, capability};
use serde_json::{Value, json};
use tests::{Remit, built, remit};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{Function, Resolve, SizeAlign, Type, TypeDefKind, WorldItem};

/// Where things lie in the memory of a made component; what is written nowhere is zero.
const REPORT: u32 = 0;
const REMEDY: u32 = 256;
const FINDING: u32 = 512;
const TEXT: u32 = 1024;
const SEEN: u32 = 2048;
const NOTHING: u32 = 8192;
const ANSWER: u32 = 65_536;
const ALLOCATED: u32 = 131_072;
const PAGES: u32 = 64;

/// The parameters' schema, and then the finding's texts.
const SCHEMA: &str = r#"{"type":"object"}"#;

/// What a script sees and does.
const SCRIPT: &str = r#"import { getOs, listVolumes } from "msp:automation/device";
import { findEntries } from "msp:automation/files";
import { removeEntries } from "msp:automation/files-write";
import { getContext, log } from "msp:automation/run";
import { getService } from "msp:automation/service";

export const manifest = {
  name: "golden-script",
  version: "1.0.0",
  publisher: "remit",
  description: "Looks about, and removes what is old",
  license: "Apache-2.0",
  capabilities: {
    device: { reason: "Reads what the machine is" },
    files: { scope: ["scratch"], reason: "Looks for what is old" },
    "files-write": { scope: ["scratch"], reason: "Removes it" },
    service: { scope: ["*"], reason: "Looks at one" },
  },
  parameters: { type: "object", properties: { name: { type: "string", default: "old" } }, additionalProperties: false },
};

const old = () => findEntries("scratch", "", { maxDepth: 1, limit: 10 }).items.filter((it) => it.path === "old");

export function detect() {
  log("info", `${getContext().mode} on ${getOs().name}`, { volumes: String(listVolumes().length) });
  const { state } = getService("cups");
  if (old().length === 0) return { verdict: "compliant", summary: `nothing is old, cups is ${state}` };
  const finding = { fingerprint: "old", title: "something is old", severity: "warning", target: "old", evidence: "a file", remediable: true };
  return { verdict: "non-compliant", summary: "", findings: [finding], facts: JSON.stringify({ state }) };
}

export function remediate() {
  removeEntries("scratch", ["old"], Date.now());
  return { summary: "removed it" };
}
"#;

/// A plugin each: its name, and its bytes.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("looks", caller(&contract(), "detect")),
        ("repairs", caller(&contract(), "remediate")),
        ("script", script()),
        ("rust", rust()),
    ]
}

/// `wit/`, as it is.
pub(crate) fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(built::repository().join("wit")).unwrap();
    resolve
}

fn script() -> Vec<u8> {
    script::pack("golden-script.js", SCRIPT).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// One that a toolchain built, with all that its standard library imports.
fn rust() -> Vec<u8> {
    stripped(&std::fs::read(remit::guest("two-faced")).unwrap())
}

/// A component that imports all that a world has, calls each function once with zeros, and logs what each answered: `0` where it
/// gave what was asked for, `1` where it refused, `-` where it cannot refuse.
pub(crate) fn caller(resolve: &Resolve, world: &str) -> Vec<u8> {
    let package = resolve.packages.iter().find(|(_, it)| it.name.namespace == "msp").unwrap().0;
    let id = resolve.select_world(&[package], Some(world)).unwrap();
    let (mut imports, mut calls, mut log, mut count) = (String::new(), String::new(), String::new(), 0);
    let mut wishes = serde_json::Map::new();
    for item in resolve.worlds[id].imports.values() {
        let WorldItem::Interface { id: interface, .. } = item else { continue };
        let (name, module) = (resolve.interfaces[*interface].name.clone().unwrap(), resolve.id_of(*interface).unwrap());
        if let Some(row) = capability::interface(&name) {
            wishes.insert(name, wish(row.scope));
        }
        for function in resolve.interfaces[*interface].functions.values() {
            let signature = resolve.wasm_signature(AbiVariant::GuestImport, function);
            let types = core_types(&signature);
            imports += &format!("(import \"{module}\" \"{}\" (func $f{count} {types}))\n", function.name);
            calls += &call(resolve, function, &signature, count);
            if function.name == "log" {
                // Level, message, fields.
                log = format!(
                    "(call $f{count} (i32.const 1) (i32.const {SEEN}) (i32.const COUNT) (i32.const 0) (i32.const 0))"
                );
            }
            count += 1;
        }
    }
    calls += &log.replace("COUNT", &u32::to_string(&count));
    let (version, remediates) = (contract::VERSION, world == "remediate");
    let (detect, remediate) = match remediates {
        false => (calls, String::new()),
        true => (
            [byte(REPORT + 4, 1), store(REPORT + 16, FINDING), store(REPORT + 20, 1)].concat(),
            format!(
                "(func (export \"msp:automation/remediation@{version}#remediate\") (param i32 i32) (result i32)
                   {calls} (i32.const {REMEDY}))"
            ),
        ),
    };
    let text = format!(
        "(module {imports}
          (memory (export \"memory\") {PAGES})
          (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (i32.const {ALLOCATED}))
          (func (export \"msp:automation/parameters@{version}#get-schema\") (result i32) {} {} (i32.const {NOTHING}))
          (func (export \"msp:automation/detection@{version}#detect\") (result i32) {detect} (i32.const {REPORT}))
          {remediate} {} {})",
        store(NOTHING, TEXT),
        store(NOTHING + 4, u32::try_from(SCHEMA.len()).unwrap()),
        data(TEXT, SCHEMA.as_bytes()),
        finding(resolve),
    );
    let mut module = wat::parse_str(&text).unwrap();
    embed_component_metadata(&mut module, resolve, id, StringEncoding::UTF8).unwrap();
    let component = ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap();
    artifact::embed(
        stripped(&component),
        &label(if remediates { "golden-repairs" } else { "golden-looks" }, wishes),
        &[],
    )
}

fn label(name: &str, wishes: serde_json::Map<String, Value>) -> Manifest {
    let about = json!({
        "name": name, "version": "1.0.0", "publisher": "remit", "license": "Apache-2.0",
        "description": "Calls every function that there is",
    });
    let manifest = json!({ "plugin": about, "capabilities": wishes, "parameters": { "type": "object" } });
    Manifest::from_section(&serde_json::to_vec(&manifest).unwrap()).unwrap()
}

/// As wide as its grammar allows.
fn wish(grammar: contract::ScopeGrammar) -> Value {
    let reason = "Calls each function once";
    match grammar {
        contract::ScopeGrammar::None => json!({ "reason": reason }),
        contract::ScopeGrammar::Names | contract::ScopeGrammar::Globs => json!({ "reason": reason, "scope": ["*"] }),
        contract::ScopeGrammar::Origins => json!({ "reason": reason, "scope": ["https://example.com"] }),
        contract::ScopeGrammar::Methods => json!({ "reason": reason, "scope": ["POST https://example.com"] }),
    }
}

fn core_types(signature: &WasmSignature) -> String {
    let words = |types: &[WasmType]| types.iter().map(|it| word(*it)).collect::<Vec<_>>().join(" ");
    format!("(param {}) (result {})", words(&signature.params), words(&signature.results))
}

fn word(ty: WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
    }
}

/// Zeros stand for empty texts, empty lists, nothing, and the first word of an enum.
fn call(resolve: &Resolve, function: &Function, signature: &WasmSignature, at: u32) -> String {
    let last = signature.params.len().saturating_sub(1);
    let zeros = signature.params.iter().enumerate().map(|(index, ty)| match index {
        _ if signature.retptr && index == last => format!("(i32.const {ANSWER})"),
        0 if signature.indirect_params => format!("(i32.const {NOTHING})"),
        _ => format!("({}.const 0)", word(*ty)),
    });
    let call = format!("(call $f{at} {})", zeros.collect::<Vec<_>>().join(" "));
    let call = if signature.results.is_empty() { call } else { format!("(drop {call})") };
    let can_refuse = match function.result {
        Some(Type::Id(id)) => matches!(resolve.types[id].kind, TypeDefKind::Result(_)) && signature.retptr,
        _ => false,
    };
    let seen = match can_refuse {
        true => format!("(i32.add (i32.const 48) (i32.load8_u (i32.const {ANSWER})))"),
        false => "(i32.const 45)".to_owned(),
    };
    format!("{call} (i32.store8 (i32.const {}) {seen})\n", SEEN + at)
}

/// One that can be put right.
fn finding(resolve: &Resolve) -> String {
    let mut sizes = SizeAlign::default();
    sizes.fill(resolve);
    let is_finding =
        |it: &&wit_parser::TypeDef| it.name.as_deref() == Some("finding") && matches!(it.kind, TypeDefKind::Record(_));
    let TypeDefKind::Record(record) = &resolve.types.iter().map(|(_, it)| it).find(is_finding).unwrap().kind else {
        unreachable!("it was looked for")
    };
    let offsets = sizes.field_offsets(record.fields.iter().map(|field| &field.ty));
    let at = |name: &str| {
        let index = record.fields.iter().position(|field| field.name == name).unwrap();
        FINDING + u32::try_from(offsets[index].0.size_wasm32()).unwrap()
    };
    let text = TEXT + 512;
    let word = |at: u32, value: u32| data(at, &value.to_le_bytes());
    ["fingerprint", "title"]
        .iter()
        .map(|name| word(at(name), text) + &word(at(name) + 4, 3))
        .chain([data(at("remediable"), &[1]), data(text, b"all")])
        .collect()
}

fn byte(at: u32, value: u8) -> String {
    format!("(i32.store8 (i32.const {at}) (i32.const {value}))")
}

fn store(at: u32, value: u32) -> String {
    format!("(i32.store (i32.const {at}) (i32.const {value}))")
}

fn data(at: u32, bytes: &[u8]) -> String {
    let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{bytes}\")")
}

/// Without the names of functions and the versions of tools.
fn stripped(binary: &[u8]) -> Vec<u8> {
    let (head, mut rest) = binary.split_at(8);
    let (mut out, is_component) = (head.to_vec(), head[4..] != [1, 0, 0, 0]);
    while let Some((&id, after)) = rest.split_first() {
        let (length, body) = number(after);
        let (body, next) = body.split_at(length);
        rest = next;
        let (name_bytes, name) = number(body);
        let is_of_tools = id == 0
            && ["name", "component-name", "producers", "target_features"]
                .map(str::as_bytes)
                .contains(&&name[..name_bytes.min(name.len())]);
        if is_of_tools {
            continue;
        }
        // Core modules and components within it.
        let body = if is_component && matches!(id, 1 | 4) { stripped(body) } else { body.to_vec() };
        out.push(id);
        out.extend(written(body.len()));
        out.extend(body);
    }
    out
}

/// LEB128, and what follows it.
fn number(bytes: &[u8]) -> (usize, &[u8]) {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return (value, &bytes[index + 1..]);
        }
    }
    (0, bytes)
}

fn written(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        out.push(if value == 0 { byte } else { byte | 0x80 });
        if value == 0 {
            return out;
        }
    }
}

/// What a plugin answers on a device: what its run was, without the sentences of errors, which may be put better.
pub(crate) fn answers(remit: &Remit, folder: &Path, name: &str) -> Value {
    let (plugin, fixtures) = (folder.join(format!("{name}.wasm")), folder.join(format!("{name}.fixtures")));
    let ran =
        remit.run(&["--output", "json", "test", plugin.to_str().unwrap(), "--fixtures", fixtures.to_str().unwrap()]);
    let all: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    let runs = all.into_iter().map(|mut tested| {
        let mut run = tested["run"].take();
        for failed in run["failed"].as_array_mut().into_iter().flatten() {
            failed[1].as_object_mut().unwrap().remove("message");
        }
        (tested["fixture"].as_str().unwrap().to_owned(), run)
    });
    runs.collect::<serde_json::Map<_, _>>().into()
}
