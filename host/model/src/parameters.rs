//! Parameters: a JSON object, checked against the manifest's JSON Schema, defaults filled in.

use std::fmt;

use serde_json::{Map, Value};

/// Everything that is wrong with some parameters.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadParameters(
    /// One line each.
    pub Vec<String>,
);

impl fmt::Display for BadParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameters: {}", self.0.join("; "))
    }
}

/// The parameters with defaults filled in, or everything that is wrong with them.
pub fn resolve(schema: &Value, given: Map<String, Value>) -> Result<Map<String, Value>, BadParameters> {
    let mut parameters = given;
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if let (None, Some(default)) = (parameters.get(name), property.get("default")) {
            parameters.insert(name.clone(), default.clone());
        }
    }
    let validator = jsonschema::validator_for(schema)
        .map_err(|error| BadParameters(vec![format!("the manifest's schema is invalid: {error}")]))?;
    let value = Value::Object(parameters);
    let mut problems: Vec<String> = validator
        .iter_errors(&value)
        .map(|error| match error.instance_path().to_string() {
            path if path.is_empty() => error.to_string(),
            path => format!("`{}`: {error}", path.trim_start_matches('/')),
        })
        .collect();
    problems.sort();
    match (problems.is_empty(), value) {
        (true, Value::Object(parameters)) => Ok(parameters),
        _ => Err(BadParameters(problems)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(given: Value) -> Result<Value, Vec<String>> {
        let schema = json!({
            "type": "object",
            "properties": {
                "root": { "type": "string", "default": "scratch" },
                "days": { "type": "integer", "minimum": 1 },
            },
            "required": ["root", "days"],
            "additionalProperties": false,
        });
        let Value::Object(given) = given else { unreachable!() };
        resolve(&schema, given).map(Value::Object).map_err(|bad| bad.0)
    }

    #[test]
    fn defaults_are_filled_in_and_all_errors_are_listed() {
        assert_eq!(check(json!({ "days": 3 })), Ok(json!({ "days": 3, "root": "scratch" })));
        let problems = check(json!({ "days": 0, "rot": "x" })).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().any(|line| line.starts_with("`days`")), "{problems:?}");
        assert!(problems.iter().any(|line| line.contains("rot")), "{problems:?}");
    }
}
