//! How much is too little, or too much, with room between: what is raised at one figure is cleared at another.

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
            _ if below.is_zero() => Err(vec!["below: expected more than nothing: there is never less".to_owned()]),
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

impl Amount {
    fn is_zero(self) -> bool {
        match self {
            Self::Percent(percent) => percent <= 0.0,
            Self::Bytes(bytes) => bytes == 0,
        }
    }
}

/// A level that rises, such as load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rising {
    above: f64,
    clear: f64,
}

impl Rising {
    /// Raised above the first, cleared from the second on: numbers such as `1.5`. Everything that is wrong, a line each.
    pub fn number(above: &str, clear: Option<&str>) -> Result<Self, Vec<String>> {
        Self::new(above, clear, |field, text| {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
            number.ok_or_else(|| format!("{field}: `{text}`: expected a number that is not negative, such as `1.5`"))
        })
    }

    /// The same of percentages, such as `20%`.
    pub fn percentage(above: &str, clear: Option<&str>) -> Result<Self, Vec<String>> {
        Self::new(above, clear, |field, text| {
            let percent = text.strip_suffix('%').and_then(|it| it.trim().parse().ok());
            let percent = percent.filter(|percent| (0.0..100.0).contains(percent));
            percent.ok_or_else(|| format!("{field}: `{text}`: expected a percentage below 100, such as `20%`"))
        })
    }

    fn new(above: &str, clear: Option<&str>, read: fn(&str, &str) -> Result<f64, String>) -> Result<Self, Vec<String>> {
        let (above, clear) = match (read("above", above), clear.map(|clear| read("clear", clear))) {
            (Err(one), Some(Err(other))) => return Err(vec![one, other]),
            (Err(one), _) | (_, Some(Err(one))) => return Err(vec![one]),
            (Ok(above), clear) => (above, clear.and_then(Result::ok).unwrap_or(above)),
        };
        match clear <= above {
            true => Ok(Self { above, clear }),
            false => Err(vec!["clear: expected at most what `above` says".to_owned()]),
        }
    }

    /// Whether it is raised now, at so much.
    pub fn is_raised(&self, was_raised: bool, now: f64) -> bool {
        now > if was_raised { self.clear } else { self.above }
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
        let load = Rising::number("2", Some("1.5")).unwrap();
        let at = |was, now| load.is_raised(was, now);
        assert_eq!((at(false, 2.0), at(false, 2.1), at(true, 1.6), at(true, 1.5)), (false, true, true, false));
    }

    #[test]
    fn all_that_is_wrong_is_said() {
        for (below, clear, count) in
            [("10", None, 1), ("101%", None, 1), ("x", Some("y"), 2), ("10%", Some("5%"), 1), ("10%", Some("5GiB"), 1)]
        {
            assert_eq!(Threshold::falling(below, clear).unwrap_err().len(), count, "{below} {clear:?}");
        }
        assert!(Threshold::falling("10%", Some("10%")).is_ok());
        assert!(Threshold::falling("0%", Some("10%")).is_err() && Threshold::falling("0B", None).is_err());
        for (above, clear, count) in [
            ("x", None, 1),
            ("-1", None, 1),
            ("inf", None, 1),
            ("NaN", Some("y"), 2),
            ("1", Some("2"), 1),
            ("1%", None, 1),
        ] {
            assert_eq!(Rising::number(above, clear).unwrap_err().len(), count, "{above} {clear:?}");
        }
        for (above, clear, count) in [("1.5", None, 1), ("100%", Some("101%"), 2), ("10%", Some("20%"), 1)] {
            assert_eq!(Rising::percentage(above, clear).unwrap_err().len(), count, "{above} {clear:?}");
        }
        assert!(Rising::number("1.5", Some("1")).is_ok() && Rising::percentage("20%", None).is_ok());
    }
}
