//! Fixtures in TOML: a record of the contract of which only what matters is given, the rest as in a plain example.

use std::ops::Deref;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A plain example of a record: what a fixture leaves out is as here.
pub trait Example {
    /// The example.
    fn example() -> Self;
}

/// A record of which a fixture gives a part. Its keys are those of `wit/`, `attributes` is a table; unknown keys are refused.
#[derive(Clone, Debug)]
pub struct Partial<T>(
    /// The whole record.
    pub T,
);

impl<T> Deref for Partial<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Example> Default for Partial<T> {
    fn default() -> Self {
        Self(T::example())
    }
}

impl<'de, T: Example + Serialize + DeserializeOwned> Deserialize<'de> for Partial<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Map::deserialize(deserializer)?;
        let Value::Object(mut whole) = serde_json::to_value(T::example()).map_err(D::Error::custom)? else {
            return Err(D::Error::custom("a fixture gives records only"));
        };
        for (key, value) in given {
            let value = match value {
                Value::Object(pairs) if key == "attributes" => {
                    pairs.into_iter().map(|(name, value)| pair(&name, value)).collect()
                }
                value => value,
            };
            whole.insert(key, value);
        }
        serde_json::from_value(Value::Object(whole)).map(Self).map_err(D::Error::custom)
    }
}

fn pair(name: &str, value: Value) -> Value {
    match value {
        Value::String(text) => serde_json::json!([name, text]),
        value => serde_json::json!([name, value.to_string()]),
    }
}
