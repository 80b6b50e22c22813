//! JSON in its one canonical form (RFC 8785), without floats. What is read here reads the same to everybody, so that nobody
//! can sign one thing and have another understood.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::Refusal;

/// The deepest nesting. The statements need three.
pub(crate) const DEPTH_MAX: usize = 16;

/// The largest number that every reader of JSON reads exactly.
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The value of these bytes, if they are its one form. Their size was bounded by who asks.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, Refusal> {
    let found = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0, found: &found }
        .deserialize(&mut reader)
        .map_err(|error| found.take().unwrap_or_else(|| Refusal::NotJson { problem: error.to_string() }))?;
    reader.end().map_err(|_| Refusal::TrailingData)?;
    let canonical = write(&value);
    if canonical != bytes {
        let at = canonical.iter().zip(bytes).take_while(|(one, other)| one == other).count();
        return Err(Refusal::NotCanonical { at });
    }
    Ok(value)
}

/// The canonical form of a value.
pub(crate) fn write(value: &Value) -> Vec<u8> {
    // Either fails only for what a `Value` cannot hold.
    match is_in_order(value) {
        true => serde_json::to_vec(value).unwrap_or_default(),
        false => serde_json_canonicalizer::to_vec(value).unwrap_or_default(),
    }
}

/// Whether a value is canonical once it is written without spaces, as nearly all are: names that every encoding sorts alike stand in
/// their order, and numbers are whole and exact. Texts are escaped alike.
fn is_in_order(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(it) => it.as_i64().is_some_and(|it| it.unsigned_abs() <= NUMBER_MAX),
        Value::Array(items) => items.iter().all(is_in_order),
        Value::Object(map) => {
            map.keys().all(|name| name.is_ascii()) && map.keys().is_sorted() && map.values().all(is_in_order)
        }
    }
}

/// Reads any value, and says of what it refuses why: serde's own errors are text.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    found: &'a Cell<Option<Refusal>>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(self, why: Refusal) -> E {
        self.found.set(Some(why));
        E::custom("refused")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth < DEPTH_MAX {
            true => Ok(Self { depth: self.depth + 1, ..self }),
            false => Err(self.refuse(Refusal::TooDeep)),
        }
    }

    fn whole<E: serde::de::Error>(self, magnitude: u64, value: Value) -> Result<Value, E> {
        match magnitude <= NUMBER_MAX {
            true => Ok(value),
            false => Err(self.refuse(Refusal::NotWhole)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, it: bool) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_i64<E: serde::de::Error>(self, it: i64) -> Result<Value, E> {
        self.whole(it.unsigned_abs(), it.into())
    }

    fn visit_u64<E: serde::de::Error>(self, it: u64) -> Result<Value, E> {
        self.whole(it, it.into())
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Value, E> {
        Err(self.refuse(Refusal::NotWhole))
    }

    fn visit_str<E>(self, it: &str) -> Result<Value, E> {
        Ok(it.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(self.refuse(Refusal::DuplicateKey { key }));
            }
            let value = entries.next_value_seed(deeper)?;
            map.insert(key, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        read(text.as_bytes()).map_or_else(|refusal| refusal.code(), |_| "read")
    }

    #[test]
    fn one_form_is_read_and_every_other_says_why_not() {
        for (text, expected) in [
            (r#"{"a":[1,-2,true,null,"ü"],"b":{}}"#, "read"),
            (r#"{"b":1,"a":1}"#, "not-canonical"),
            (r#"{ "a":1}"#, "not-canonical"),
            ("{\"a\":1}\n", "not-canonical"),
            (r#"{"a":"\u0061"}"#, "not-canonical"),
            (r#"{"a":"\/"}"#, "not-canonical"),
            (r#"{"a":1,"a":1}"#, "duplicate-key"),
            (r#"{"a":1,"\u0061":1}"#, "duplicate-key"),
            (r#"{"a":1}{}"#, "trailing-data"),
            (r#"{"a":1.0}"#, "not-whole"),
            (r#"{"a":1e2}"#, "not-whole"),
            (r#"{"a":-0}"#, "not-whole"),
            (r#"{"a":9007199254740991}"#, "read"),
            (r#"{"a":9007199254740992}"#, "not-whole"),
            (r#"{"a":123456789012345678901234567890}"#, "not-whole"),
            (r#"{"a":"\ud800"}"#, "not-json"),
            (r#"{"a":NaN}"#, "not-json"),
            ("", "not-json"),
        ] {
            assert_eq!(code(text), expected, "{text}");
        }
        assert_eq!(read(b"{\"a\":\"\xff\"}").unwrap_err().code(), "not-json");
    }

    /// Texts with all that is escaped, or might be, and names that UTF-8 and UTF-16 sort otherwise.
    #[test]
    fn what_is_written_is_canonical_also_where_it_was_in_order() {
        let texts: Vec<String> = (0..=0x17f_u32)
            .chain([0x2028, 0xe000, 0xfffd, 0x1f600])
            .filter_map(char::from_u32)
            .map(|it| format!("a{it}"))
            .collect();
        let most = i64::try_from(NUMBER_MAX).unwrap();
        let numbers = [0, 1, -1, most, -most];
        let (mut were, mut were_not) = (0, 0);
        let mut hold = |value: &Value| {
            *if is_in_order(value) { &mut were } else { &mut were_not } += 1;
            assert_eq!(write(value), serde_json_canonicalizer::to_vec(value).unwrap(), "{value}");
        };
        for pair in texts.windows(2) {
            let [one, other] = pair else { continue };
            hold(&serde_json::json!({ one: [other, null, true], other: numbers, "b": { one: {} } }));
        }
        // Beyond what is read, which a canonical form writes as the nearest float.
        hold(&serde_json::json!([NUMBER_MAX + 1, u64::MAX, i64::MIN, 0.5]));
        hold(&serde_json::json!({ "\u{e000}": 1, "\u{1f600}": 2 }));
        assert!(were > 100 && were_not > 100, "{were} {were_not}");
    }

    #[test]
    fn depth_is_bounded_before_it_is_reached() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(code(&nested(DEPTH_MAX)), "read");
        assert_eq!(code(&nested(DEPTH_MAX + 1)), "too-deep");
        assert_eq!(code(&"[".repeat(1 << 20)), "too-deep");
    }
}
