//! Short forms that people write.

use jiff::Timestamp;

const SECOND_MS: i64 = 1_000;

/// Reads `90s`, `30m`, `4h`, `2d` or several of them, such as `1h30m`.
pub fn duration_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a duration: expected a number and `s`, `m`, `h` or `d`, such as `30m`");
    let (mut total, mut number) = (0_i64, None::<i64>);
    for character in text.chars() {
        let unit_ms = match character {
            '0'..='9' => {
                let digit = i64::from(character.to_digit(10).unwrap_or_default());
                number = number.unwrap_or(0).checked_mul(10).and_then(|it| it.checked_add(digit));
                number.ok_or_else(wrong)?;
                continue;
            }
            's' => SECOND_MS,
            'm' => 60 * SECOND_MS,
            'h' => 3_600 * SECOND_MS,
            'd' => 86_400 * SECOND_MS,
            _ => return Err(wrong()),
        };
        let part = number.take().and_then(|it| it.checked_mul(unit_ms)).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    match number {
        None if !text.is_empty() => Ok(total),
        _ => Err(wrong()),
    }
}

/// Reads `2026-11-22T04:44:06Z` as milliseconds since 1970.
pub(crate) fn moment(text: Option<&str>) -> Result<Option<i64>, String> {
    let read = |text: &str| {
        let time = text.parse::<Timestamp>();
        time.map_err(|_| format!("`{text}` is not a time: expected the form `2026-11-22T04:44:06Z`"))
    };
    Ok(text.map(read).transpose()?.map(Timestamp::as_millisecond))
}

/// As [`moment`] reads it.
pub(crate) fn moment_text(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, ms) in [("0s", 0), ("90s", 90_000), ("1h30m", 5_400_000), ("2d", 172_800_000)] {
            assert_eq!(duration_ms(text), Ok(ms));
        }
        for text in ["", "5", "h", "5 m", "5w", "-5m", "1.5h", "99999999999999999999s", "9999999999999999d"] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }
}
