//! Numbers, times and names as the screen shows them: plain ASCII of a known width.
//!
//! What comes from peers is escaped here. A terminal library drops control characters without a word and lets through what
//! turns the direction of writing, and the width of an emoji depends on the terminal; so nothing but printable ASCII reaches
//! the screen.

use std::fmt::Write as _;

/// `text` with everything but printable ASCII as `\u{…}`, and a backslash as two. At most `most` characters: a longer one ends in
/// `..`.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        // A few more than fit are made, so that it shows that there are more.
        if out.len() > most {
            break;
        }
        match letter {
            '\\' => out.push_str("\\\\"),
            ' '..='~' => out.push(letter),
            _ => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
            }
        }
    }
    cut(&out, most)
}

/// `text`, which is ASCII, in at most `most` characters: a longer one ends in `..`.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(2);
    let mut out: String = text.chars().take(kept).collect();
    out.extend(std::iter::repeat_n('.', most - kept));
    out
}

/// The same with the middle left out, as the end of an address is its port.
pub(crate) fn cut_middle(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most || most < 8 {
        return cut(text, most);
    }
    let kept = most - 2;
    let tail = (kept / 2).max(7).min(kept);
    let head: String = text.chars().take(kept - tail).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}..{tail}")
}

/// On which side of its column a cell stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// `text` in exactly `width` characters.
pub(crate) fn fit(text: &str, width: usize, align: Align) -> String {
    let text = cut(text, width);
    match align {
        Align::Left => format!("{text:<width$}"),
        Align::Right => format!("{text:>width$}"),
    }
}

/// A count in at most five characters: `412`, `1.9k`, `418k`, `2.1M`.
#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
pub(crate) fn count(number: u64) -> String {
    scaled(number as f64)
}

/// A rate in at most five characters; one below ten has a decimal, unless it is none.
pub(crate) fn rate(number: f64) -> String {
    if number > 0.0 && number < 0.05 {
        return "<0.1".to_owned();
    }
    if number < 9.95 && (number - number.round()).abs() >= 0.05 {
        return format!("{number:.1}");
    }
    scaled(number)
}

/// A rate that may be unknown.
pub(crate) fn rate_or_dash(number: Option<f64>) -> String {
    number.map_or_else(|| "-".to_owned(), rate)
}

fn scaled(number: f64) -> String {
    let mut number = number;
    for unit in ["", "k", "M", "G", "T", "P"] {
        let whole = number.round();
        if unit.is_empty() && whole < 1000.0 {
            return format!("{whole:.0}");
        }
        if number < 9.95 && !unit.is_empty() {
            return format!("{number:.1}{unit}");
        }
        if whole < 1000.0 {
            return format!("{whole:.0}{unit}");
        }
        number /= 1000.0;
    }
    format!("{number:.0}E")
}

/// A duration in one unit, in at most four characters: `0s`, `59s`, `12m`, `23h`, `400d`.
pub(crate) fn short_span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ if seconds / 86_400 > 999 => "999d".to_owned(),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A duration in two units: `12s`, `4m05s`, `2h07m`, `3d04h`.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// Microseconds as milliseconds with three digits: `0.08`, `18.2`, `412`, `1.9k`.
pub(crate) fn millis(us: f64) -> String {
    let ms = us / 1000.0;
    match ms {
        _ if ms < 9.995 => format!("{ms:.2}"),
        _ if ms < 99.95 => format!("{ms:.1}"),
        _ => scaled(ms),
    }
}

/// The time of day in UTC, of milliseconds since 1970.
pub(crate) fn clock(at_ms: u64) -> String {
    let seconds = at_ms / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// One line of `pieces`, two spaces apart, in at most `width` characters. Pieces that do not fit are left out, those with the
/// highest number first; of two with the same number the later one.
pub(crate) fn line_of(width: usize, pieces: &[(u8, String)]) -> String {
    let mut order: Vec<usize> = (0..pieces.len()).filter(|at| !pieces[*at].1.is_empty()).collect();
    order.sort_by_key(|at| (pieces[*at].0, *at));
    let mut kept = Vec::new();
    let mut used = 0;
    for at in order {
        let needed = pieces[at].1.chars().count() + if kept.is_empty() { 0 } else { 2 };
        if used + needed > width {
            // The first of all is shown at any width, as far as it goes.
            if kept.is_empty() {
                return cut(&pieces[at].1, width);
            }
            continue;
        }
        used += needed;
        kept.push(at);
    }
    kept.sort_unstable();
    kept.iter().map(|at| pieces[*at].1.as_str()).collect::<Vec<_>>().join("  ")
}

/// `pieces` one after the other on at most `height` lines of `width` characters. What has no room is left out.
pub(crate) fn flow<'a>(width: usize, height: usize, pieces: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        let piece = cut(piece, width);
        if let Some(line) = lines.last_mut()
            && line.chars().count() + 1 + piece.chars().count() <= width
        {
            line.push(' ');
            line.push_str(&piece);
        } else if lines.len() < height {
            lines.push(piece);
        } else {
            break;
        }
    }
    lines
}

/// `text` on lines of at most `width` characters, each but the first one indented.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest: Vec<char> = text.trim_end().chars().collect();
    while rest.len() > width && width > 2 {
        // At a space if there is one that leaves something on the line.
        let space = rest[..=width].iter().rposition(|letter| *letter == ' ').filter(|at| *at > 2);
        let next = rest.split_off(space.unwrap_or(width));
        lines.push(rest.iter().collect::<String>().trim_end().to_owned());
        rest = "  ".chars().chain(next.into_iter().skip_while(|letter| *letter == ' ')).collect();
    }
    lines.push(cut(&rest.iter().collect::<String>(), width));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_everything_but_printable_ascii() {
        assert_eq!(plain("a\x1b[2Jb", 40), "a\\u{1b}[2Jb");
        assert_eq!(plain("x\u{202e}y", 40), "x\\u{202e}y");
        assert_eq!(plain("\u{85}é\\", 40), "\\u{85}\\u{e9}\\\\");
        assert_eq!(plain("🦀", 40), "\\u{1f980}");
        assert_eq!(plain("abcdef", 5), "abc..");
        assert_eq!(plain("abcdef", 1), ".");
        assert_eq!(plain("abcdef", 0), "");
    }

    #[test]
    fn a_long_text_is_not_copied_whole() {
        assert_eq!(plain(&"\u{202e}".repeat(1_000_000), 10), "\\u{202e}..");
    }

    #[test]
    fn cuts_an_address_in_its_middle() {
        assert_eq!(cut_middle("[2001:db8::42:1]:61204", 18), "[2001:db..1]:61204");
        assert_eq!(cut_middle("10.0.4.17:50412", 18), "10.0.4.17:50412");
        assert_eq!(cut_middle("10.0.4.17:50412", 4), "10..");
    }

    #[test]
    fn counts_have_at_most_five_characters() {
        let check = |number, expected: &str| assert_eq!(count(number), expected);
        check(0, "0");
        check(999, "999");
        check(1000, "1.0k");
        check(1949, "1.9k");
        check(9949, "9.9k");
        check(9960, "10k");
        check(999_400, "999k");
        check(999_600, "1.0M");
        check(u64::MAX, "18E");
        for number in (0..64).map(|bit| u64::MAX >> bit) {
            assert!(count(number).len() <= 5, "{number}");
        }
    }

    #[test]
    fn low_rates_have_a_decimal() {
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(0.01), "<0.1");
        assert_eq!(rate(0.1), "0.1");
        assert_eq!(rate(3.0), "3");
        assert_eq!(rate(3.46), "3.5");
        assert_eq!(rate(96.2), "96");
        assert_eq!(rate_or_dash(None), "-");
    }

    #[test]
    fn spans_and_times() {
        assert_eq!(short_span(59_999), "59s");
        assert_eq!(short_span(3_600_000), "1h");
        assert_eq!(short_span(u64::MAX), "999d");
        assert_eq!(span(245_000), "4m05s");
        assert_eq!(span(274_000_000), "3d04h");
        assert_eq!(millis(80.0), "0.08");
        assert_eq!(millis(18_200.0), "18.2");
        assert_eq!(millis(1_900_000.0), "1.9k");
        assert_eq!(clock(1_700_000_000_000), "22:13:20Z");
    }

    #[test]
    fn a_line_drops_what_matters_least() {
        let pieces = [(0, "name".to_owned()), (2, "detail".to_owned()), (1, "LIVE".to_owned())];
        assert_eq!(line_of(40, &pieces), "name  detail  LIVE");
        assert_eq!(line_of(12, &pieces), "name  LIVE");
        assert_eq!(line_of(3, &pieces), "n..");
        assert_eq!(line_of(0, &pieces), "");
    }

    #[test]
    fn wraps_at_spaces() {
        assert_eq!(wrap("q             quit", 20), ["q             quit"]);
        assert_eq!(wrap("/             filter; Enter keeps it", 20), ["/", "  filter; Enter", "  keeps it"]);
        assert_eq!(wrap("abcdefgh", 5), ["abcde", "  fgh"]);
        assert_eq!(wrap("", 5), [""]);
        for width in 0..30 {
            assert!(wrap("id  a-long-word-without-spaces and more", width).iter().all(|line| line.len() <= width));
        }
    }

    #[test]
    fn flows_over_lines() {
        assert_eq!(flow(9, 2, ["q quit", "? help", "r reverse", "more"]), ["q quit", "? help"]);
        assert_eq!(flow(20, 2, ["q quit", "? help", "r reverse"]), ["q quit ? help", "r reverse"]);
        assert_eq!(flow(0, 0, ["q"]), Vec::<String>::new());
    }
}
