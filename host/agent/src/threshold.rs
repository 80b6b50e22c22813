//! How much is too little, with room between: what is raised at one figure is cleared at another.

/// A level that falls, such as what is free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    below: Amount,
    clear: Amount,
}

/// A part of the whole, or so many bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Amount {
    Percent(f64),
    Bytes(u64),
}

impl Threshold {
    /// Raised below the first, cleared from the second on: `10%` or `2GiB`, both of one kind. Everything that is wrong, a line each.
    pub fn falling(below: &str, clear: Option<&str>) -> Result<Self, Vec<String>> {
        let amounts = (amount("below", below), amount("clear", clear.unwrap_or(below)));
        let (below, clear) = match amounts {
            (Ok(below), Ok(clear)) => (below, clear),
            (Err(one), Err(other)) if clear.is_some() => return Err(vec![one, other]),
            (Err(one), _) | (_, Err(one)) => return Err(vec![one]),
        };
        let is_in_order = match (below, clear) {
            (Amount::Percent(below), Amount::Percent(clear)) => below <= clear,
            (Amount::Bytes(below), Amount::Bytes(clear)) => below <= clear,
            _ => {
                return Err(vec![
                    "clear: expected a percentage where `below` is one, and bytes where it is not".to_owned(),
                ]);
            }
        };
        match is_in_order {
            true => Ok(Self { below, clear }),
            false => Err(vec!["clear: expected at least what `below` says".to_owned()]),
        }
    }

    /// Whether it is raised now, with so much left of so much.
    pub fn is_raised(&self, was_raised: bool, left: u64, whole: u64) -> bool {
        match if was_raised { self.clear } else { self.below } {
            Amount::Bytes(bytes) => left < bytes,
            #[expect(clippy::cast_precision_loss, reason = "no file system is so large that a percentage changes")]
            Amount::Percent(percent) => (left as f64) * 100.0 < percent * whole as f64,
        }
    }
}

fn amount(field: &str, text: &str) -> Result<Amount, String> {
    let wrong = || format!("{field}: `{text}`: expected a percentage or bytes, such as `10%`, `512MiB` or `2GiB`");
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f64 = percent.trim().parse().map_err(|_| wrong())?;
        return if (0.0..=100.0).contains(&percent) { Ok(Amount::Percent(percent)) } else { Err(wrong()) };
    }
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let unit: u64 = match text.get(digits.len()..).unwrap_or_default() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).map(Amount::Bytes).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_raised_stays_so_until_it_is_cleared() {
        let threshold = Threshold::falling("10%", Some("15%")).unwrap();
        let at = |was, left| threshold.is_raised(was, left, 100);
        assert_eq!((at(false, 10), at(false, 9), at(true, 14), at(true, 15)), (false, true, true, false));
        let bytes = Threshold::falling("2KiB", None).unwrap();
        assert_eq!((bytes.is_raised(false, 2_048, 0), bytes.is_raised(true, 2_047, 0)), (false, true));
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        for (below, clear, count) in
            [("10", None, 1), ("101%", None, 1), ("x", Some("y"), 2), ("10%", Some("5%"), 1), ("10%", Some("5GiB"), 1)]
        {
            assert_eq!(Threshold::falling(below, clear).unwrap_err().len(), count, "{below} {clear:?}");
        }
        assert!(Threshold::falling("10%", Some("10%")).is_ok());
    }
}
