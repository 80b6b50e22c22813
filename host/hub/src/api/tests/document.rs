//! The document says what the endpoints do, because it is made of them; and handlers cannot reach past a scope.

use serde_json::Value;

use crate::Limits;
use crate::api::{endpoints, openapi};

/// Every reference leads somewhere.
fn check_references(whole: &Value, value: &Value) {
    match value {
        Value::Object(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(whole.pointer(pointer).is_some(), "{reference}");
            }
            map.values().for_each(|it| check_references(whole, it));
        }
        Value::Array(items) => items.iter().for_each(|it| check_references(whole, it)),
        _ => {}
    }
}

#[test]
fn the_document_has_every_endpoint_once() {
    let document = openapi();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = Vec::new();
    for endpoint in endpoints(&Limits::default()) {
        let operation = &document["paths"][endpoint.path][endpoint.method.as_str().to_lowercase()];
        ids.push(operation["operationId"].as_str().unwrap_or_else(|| panic!("{}", endpoint.path)).to_owned());
        assert!(operation["responses"]["429"]["headers"]["Retry-After"].is_object());
        assert_eq!(
            operation["requestBody"].is_object(),
            endpoint.is_raw || !endpoint.body.is_nothing(),
            "{}",
            endpoint.path
        );
        let named = operation["parameters"].as_array().unwrap().iter().filter(|it| it["in"] == "path").count();
        assert_eq!(named, endpoint.path.matches('{').count());
    }
    let operations: usize =
        document["paths"].as_object().unwrap().values().map(|it| it.as_object().unwrap().len()).sum();
    assert_eq!(operations, ids.len());
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(operations, ids.len(), "an id is there twice");
    check_references(&document, &document);
    // And it is what a validator of that dialect reads.
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn no_handler_reaches_past_the_scope_of_whoever_asks() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        assert!(!text.contains("of_hub"), "{name} makes a scope of its own");
        assert!(name == "endpoint.rs" || !text.contains(".db."), "{name} goes round `Call::read` and `Call::write`");
        assert!(!text.contains("SELECT ") && !text.contains("prepare"), "{name} has SQL");
    }
}
