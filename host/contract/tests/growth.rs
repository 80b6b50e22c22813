//! What keeps the contract able to grow: a record grows by an attribute, and what cannot grow says why it need not. The page
//! `wit/README.md` lists every closed type with its reason; it and `wit/` say the same.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that cannot go on panics, and starts what a person would start"
)]

use std::path::PathBuf;

use wit_parser::{Docs, Resolve, TypeDef, TypeDefKind, TypeOwner};

const BEGIN: &str = "## Closed types, and why each may stay so\n";

fn wit() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit")
}

fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_dir(wit()).unwrap();
    resolve
}

fn name(resolve: &Resolve, def: &TypeDef) -> Option<String> {
    let TypeOwner::Interface(owner) = def.owner else { return None };
    Some(format!("{}.{}", resolve.interfaces[owner].name.as_ref()?, def.name.as_ref()?))
}

/// The sentence after `Closed:`, over line ends.
fn reason(docs: &Docs) -> Option<String> {
    let text = docs.contents.as_ref()?.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, rest) = text.split_once("Closed")?;
    let sentence = rest.trim_start_matches([':', ' ']).split(". ").next()?.trim_end_matches('.').to_owned();
    (!sentence.is_empty()).then_some(sentence)
}

fn grows(def: &TypeDef) -> bool {
    match &def.kind {
        TypeDefKind::Record(record) => record.fields.iter().any(|field| field.name == "attributes"),
        _ => false,
    }
}

fn cannot_grow(def: &TypeDef) -> bool {
    matches!(def.kind, TypeDefKind::Record(_) | TypeDefKind::Enum(_) | TypeDefKind::Variant(_) | TypeDefKind::Flags(_))
        && !grows(def)
}

#[test]
fn every_closed_type_says_why_and_the_page_lists_it() {
    let resolve = contract();
    let (mut lines, mut silent) = (Vec::new(), Vec::new());
    for (_, def) in resolve.types.iter().filter(|(_, def)| cannot_grow(def)) {
        let Some(name) = name(&resolve, def) else { continue };
        match reason(&def.docs) {
            Some(reason) => lines.push(format!("- `{name}`: {reason}.")),
            None => silent.push(name),
        }
    }
    assert!(silent.is_empty(), "these cannot grow, and do not say `Closed:` with a reason: {silent:?}");
    lines.sort();
    let list = lines.join("\n");
    let path = wit().join("README.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("wit/README.md has the section of closed types");
    let (listed, after) = rest.split_once("\nThe last line").expect("the section ends before the pin");
    if listed.trim() != list && std::env::var_os("REMIT_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{list}\n\nThe last line{after}")).unwrap();
    } else {
        assert_eq!(listed.trim(), list, "REMIT_BLESS=1 writes the list into wit/README.md: read it first");
    }
}

#[test]
fn everything_is_documented() {
    let resolve = contract();
    let mut silent = Vec::new();
    for (_, interface) in &resolve.interfaces {
        let of = interface.name.clone().unwrap_or_default();
        let mut need = |what: String, docs: &Docs| {
            if docs.contents.as_ref().is_none_or(|text| text.trim().is_empty()) {
                silent.push(what);
            }
        };
        need(of.clone(), &interface.docs);
        interface.functions.values().for_each(|function| need(format!("{of}.{}", function.name), &function.docs));
        for id in interface.types.values() {
            let def = &resolve.types[*id];
            // `use` of another interface's type is documented there.
            if matches!(def.kind, TypeDefKind::Type(wit_parser::Type::Id(_))) {
                continue;
            }
            need(format!("{of}.{}", def.name.clone().unwrap_or_default()), &def.docs);
            if let TypeDefKind::Record(record) = &def.kind {
                record.fields.iter().for_each(|field| need(format!("{of} field {}", field.name), &field.docs));
            }
        }
    }
    assert!(silent.is_empty(), "these have no documentation: {silent:?}");
}
