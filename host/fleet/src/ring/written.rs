use std::fmt;
use std::str::FromStr;

/// The most rings: more steps than anybody waits for.
pub const RINGS_MAX: usize = 16;

const PERCENT: u32 = 1_000_000;

/// How far the devices have got that an order means, ring by ring, as `1,5%,25%,100%`: first one device, then so many that it is
/// five percent of all, and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rings(Vec<Bound>);

/// How many of all devices have had their turn after a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// So many.
    Devices(u32),
    /// So many millionths of a percent of all: nobody's number is rounded.
    Percent(u32),
}

impl Rings {
    /// How many of so many devices have had their turn after each ring.
    pub(super) fn bounds(&self, devices: usize) -> Vec<usize> {
        let of = |bound: &Bound| match bound {
            Bound::Devices(count) => usize::try_from(*count).unwrap_or(usize::MAX),
            Bound::Percent(parts) => {
                let whole = u128::from(PERCENT) * 100;
                let share = (devices as u128 * u128::from(*parts)).div_ceil(whole);
                usize::try_from(share).unwrap_or(devices)
            }
        };
        self.0.iter().map(|bound| of(bound).min(devices)).collect()
    }
}

impl Bound {
    fn read(text: &str) -> Result<Self, &'static str> {
        let Some(percent) = text.strip_suffix('%') else {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let count = text.parse().ok().filter(|count| is_number && *count > 0);
            return count.map(Self::Devices).ok_or("expected a number of devices such as `1`, or a share such as `5%`");
        };
        let (whole, rest) = percent.split_once('.').unwrap_or((percent, "0"));
        let digits = |text: &str, most: usize| {
            let is_number = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| text.parse::<u32>().ok()).flatten()
        };
        let expected = "expected a share above 0% and up to 100%, with at most 6 digits after the point";
        let (Some(whole), Some(_)) = (digits(whole, 3), digits(rest, 6)) else { return Err(expected) };
        let rest = digits(&format!("{rest:0<6}"), 6).unwrap_or_default();
        let parts = whole * PERCENT + rest;
        (1..=100 * PERCENT).contains(&parts).then_some(Self::Percent(parts)).ok_or(expected)
    }
}

impl FromStr for Rings {
    type Err = BadRings;

    fn from_str(text: &str) -> Result<Self, BadRings> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        if words.len() > RINGS_MAX {
            return Err(BadRings(vec![format!("there are {} rings: at most {RINGS_MAX}", words.len())]));
        }
        let (mut bounds, mut problems): (Vec<(&str, Bound)>, Vec<String>) = (Vec::new(), Vec::new());
        for word in words {
            match Bound::read(word) {
                Ok(bound) => bounds.push((word, bound)),
                Err(expected) => problems.push(format!("`{word}`: {expected}")),
            }
        }
        for ((first, one), (second, other)) in bounds.iter().zip(bounds.iter().skip(1)) {
            match (one, other) {
                (Bound::Devices(one), Bound::Devices(other)) | (Bound::Percent(one), Bound::Percent(other))
                    if one >= other =>
                {
                    problems
                        .push(format!("`{second}` comes after `{first}`: each ring goes further than the one before"));
                }
                (Bound::Percent(_), Bound::Devices(_)) => {
                    problems.push(format!("`{second}` comes after `{first}`: numbers of devices come before shares"));
                }
                _ => {}
            }
        }
        let is_whole = bounds.last().is_some_and(|(_, last)| *last == Bound::Percent(100 * PERCENT));
        if !is_whole && problems.is_empty() {
            problems.push(
                "the last ring is expected to be `100%`: whoever is not meant is left out by `--where`".to_owned(),
            );
        }
        match problems.is_empty() {
            true => Ok(Self(bounds.into_iter().map(|(_, bound)| bound).collect())),
            false => Err(BadRings(problems)),
        }
    }
}

/// All that is wrong with what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BadRings(
    /// A line each.
    pub Vec<String>,
);

impl fmt::Display for BadRings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}
