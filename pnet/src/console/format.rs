//! Numbers and times as people read them.

use crate::inspect::{Connection, Flow};

/// `0s`, `59s`, `12m`, `3h04m`, `3d04h`.
pub(super) fn age(millis: u64) -> String {
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m"),
        3600..86400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// `0.31 ms`, `18.2 ms`, `1204 ms`.
pub(super) fn micros(micros: f64) -> String {
    let millis = micros / 1000.0;
    if millis < 10.0 {
        format!("{millis:.2} ms")
    } else if millis < 100.0 {
        format!("{millis:.1} ms")
    } else {
        format!("{millis:.0} ms")
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn micros_of(value: u64) -> String {
    micros(value as f64)
}

/// `0`, `999`, `1.9k`, `1.2M`.
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub(super) fn count(count: u64) -> String {
    const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
    if count < 1000 {
        return count.to_string();
    }
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if value < 9.95 { format!("{value:.1}{}", UNITS[unit]) } else { format!("{value:.0}{}", UNITS[unit]) }
}

/// `0 B`, `1.9 kB`.
pub(super) fn bytes(bytes: u64) -> String {
    let text = count(bytes);
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    format!("{digits} {}B", &text[digits.len()..])
}

/// `2 packets, 7 calls, 1.9 kB`.
pub(super) fn flow(flow: &Flow) -> String {
    format!("{} packets, {} calls, {}", flow.packets, flow.calls, bytes(flow.bytes))
}

/// `1 item`, `2 items`.
pub(super) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// How packets look on a connection, and whether anybody else can read them.
pub(super) fn form(connection: &Connection) -> String {
    if connection.tls { format!("{}+tls", connection.form) } else { connection.form.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (millis, expected) in
            [(0, "0s"), (59_999, "59s"), (60_000, "1m"), (3_660_000, "1h01m"), (90_000_000, "1d01h")]
        {
            assert_eq!(age(millis), expected);
        }
        assert_eq!([micros(310.0), micros(18_200.0), micros(1_204_000.0)], ["0.31 ms", "18.2 ms", "1204 ms"]);
    }

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [(0, "0"), (999, "999"), (1_900, "1.9k"), (9_960, "10k"), (999_600, "1.0M")] {
            assert_eq!(count(number), expected);
        }
        assert_eq!(count(u64::MAX), "18447P");
        assert_eq!([bytes(7), bytes(1_900)], ["7 B", "1.9 kB"]);
    }
}
