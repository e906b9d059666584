//! Lengths of time as people write them: `250ms`, `30s`, `5m`, `1h`.

use std::time::Duration;

/// Reads a length of time; a number alone means seconds. At most a day.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let end = text.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: f64 =
        number.parse().map_err(|_| format!("`{text}` is no length of time: write 250ms, 30s, 5m or 1h"))?;
    let unit = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{unit}` is no unit of time: us, ms, s, m and h are")),
    };
    let seconds = number * unit;
    if seconds > DAY { Err("longer than a day".to_owned()) } else { Ok(Duration::from_secs_f64(seconds)) }
}

/// As [`parse`], but not nothing.
pub(crate) fn parse_positive(text: &str) -> Result<Duration, String> {
    parse(text).and_then(|time| if time.is_zero() { Err("has to be more than nothing".to_owned()) } else { Ok(time) })
}

const DAY: f64 = 86_400.0;

/// A length of time in a few characters, with three digits.
pub(crate) fn short(time: Duration) -> String {
    let micros = time.as_secs_f64() * 1e6;
    let (value, unit) = match micros {
        0.0..1e3 => (micros, "us"),
        1e3..1e6 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    let decimals = match value {
        0.0..10.0 => 2,
        10.0..100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [("250ms", 250), ("30s", 30_000), ("30", 30_000), ("1.5s", 1500), ("5m", 300_000)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "1.2.3s", "1d", "inf", "NaN", "25h", "9999999999999999999999s", "1e9"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse_positive("0s").is_err());
    }

    #[test]
    fn is_shown_with_three_digits() {
        for (micros, shown) in
            [(0, "0.00 us"), (94, "94.0 us"), (1_940, "1.94 ms"), (312_000, "312 ms"), (2_000_000, "2.00 s")]
        {
            assert_eq!(short(Duration::from_micros(micros)), shown);
        }
    }
}
