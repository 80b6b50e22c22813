//! Attributes and fingerprints, as `wit/types.wit` bounds them: every interface that takes them from a plugin asks here.

use contract::types::{Attributes, Error};

use crate::errors;

/// The most bytes of a name.
const NAME_BYTES_MAX: usize = 64;
/// The most bytes of a value.
const VALUE_BYTES_MAX: usize = 4 << 10;
/// The most pairs.
const PAIRS_MAX: usize = 64;
/// The most bytes of a fingerprint: PagerDuty's limit for a dedup key.
const FINGERPRINT_BYTES_MAX: usize = 255;

/// Whether names and values keep their limits, and no name is there twice.
pub fn check(attributes: &Attributes) -> Result<(), Error> {
    if attributes.len() > PAIRS_MAX {
        return Err(errors::invalid("attributes", format!("there are at most {PAIRS_MAX} attributes")));
    }
    for (index, (name, value)) in attributes.iter().enumerate() {
        let is_lower = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !is_lower {
            let message = format!("an attribute's name is lower-case with hyphens, 1 to {NAME_BYTES_MAX} bytes");
            return Err(errors::invalid("attribute", message));
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(errors::invalid("attribute", format!("`{name}` is longer than {VALUE_BYTES_MAX} bytes")));
        }
        if attributes.iter().take(index).any(|(other, _)| other == name) {
            return Err(errors::invalid("attribute", format!("`{name}` is there twice")));
        }
    }
    Ok(())
}

/// Whether a fingerprint or a dedup key keeps its limits.
pub fn check_fingerprint(what: &str, fingerprint: &str) -> Result<(), Error> {
    match fingerprint.len() {
        1..=FINGERPRINT_BYTES_MAX => Ok(()),
        length => {
            Err(errors::invalid(what, format!("a {what} has 1 to {FINGERPRINT_BYTES_MAX} bytes, this one {length}")))
        }
    }
}

/// The value of an attribute.
pub fn find<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// The value of an attribute that is a whole number.
pub fn number(attributes: &Attributes, name: &str) -> Result<Option<u64>, Error> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            errors::invalid("attribute", format!("`{name}` is a whole number, not `{}`", text.escape_debug()))
        })
    };
    find(attributes, name).map(parse).transpose()
}

/// Of what a backend has read: what is known and not empty, values cut at their limit.
pub fn known<const N: usize>(pairs: [(&str, Option<String>); N]) -> Attributes {
    let known = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    known.filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name, cut(value))).collect()
}

fn cut(mut value: String) -> String {
    value.truncate(value.floor_char_boundary(VALUE_BYTES_MAX));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(count: usize, name: impl Fn(usize) -> String, value_bytes: usize) -> Attributes {
        (0..count).map(|index| (name(index), "x".repeat(value_bytes))).collect()
    }

    #[test]
    fn what_is_read_is_cut_between_characters() {
        let read = known([("long", Some("ü".repeat(4_000))), ("empty", Some(String::new())), ("unknown", None)]);
        assert_eq!(read, [("long".to_owned(), "ü".repeat(2_048))]);
        let read = known([("odd", Some(format!("x{}", "ü".repeat(4_000))))]);
        assert_eq!(find(&read, "odd").map(str::len), Some(4_095));
        check(&read).unwrap();
    }

    #[test]
    fn attributes_keep_their_limits() {
        let numbered = |index: usize| format!("a-{index}");
        assert!(check(&pairs(64, numbered, 4_096)).is_ok());
        assert!(check(&pairs(1, |_| "a".repeat(64), 1)).is_ok());
        for bad in [
            pairs(65, numbered, 1),
            pairs(1, numbered, 4_097),
            pairs(1, |_| "a".repeat(65), 1),
            pairs(1, |_| "Upper".to_owned(), 1),
            pairs(1, |_| String::new(), 1),
            pairs(2, |_| "twice".to_owned(), 1),
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }
}
