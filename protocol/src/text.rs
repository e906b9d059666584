//! Text that came from the other side, or goes there: cut to a length and made harmless.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

/// The longest prefix of `text` that has at most `max` bytes and ends between two characters.
pub fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// `text` as it may be shown on a terminal or in a log, in at most `max` bytes (but at least 3).
///
/// Letters, digits, printable ASCII and the characters `…` and `→` stay; everything else, such as control
/// characters, line ends and those that turn the direction of writing, becomes `\u{..}`. What does not fit is left out
/// and marked with `…`.
///
/// ```
/// use pnet_protocol::text::escape;
///
/// assert_eq!(escape("größe \u{1b}[31m", 64), r"größe \u{1b}[31m");
/// assert_eq!(escape("abcdef", 5), "ab…");
/// ```
pub fn escape(text: &str, max: usize) -> String {
    let mut shown = String::new();
    // Where to cut so that the mark still fits.
    let mut room_for_mark = 0;
    for char in text.chars() {
        let before = shown.len();
        if char.is_ascii_graphic() || char == ' ' || char.is_alphanumeric() || matches!(char, '…' | '→') {
            shown.push(char);
        } else {
            shown.extend(char.escape_unicode());
        }
        if before + MARK.len() <= max {
            room_for_mark = before;
        }
        if shown.len() > max {
            shown.truncate(room_for_mark);
            shown.push_str(MARK);
            break;
        }
    }
    shown
}

const MARK: &str = "…";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut("añb", 2), "a");
        assert_eq!(cut("añb", 3), "añ");
        assert_eq!(cut("añb", 9), "añb");
        assert_eq!(cut("ñ", 1), "");
    }

    #[test]
    fn nothing_that_moves_the_cursor_stays() {
        for char in
            ['\0', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}']
        {
            let shown = escape(&char.to_string(), 64);
            assert!(shown.is_ascii() && shown.starts_with("\\u{"), "{shown}");
        }
    }

    #[test]
    fn what_is_shown_is_bounded() {
        for max in 3..40 {
            for text in
                ["abcdefghijklmnopqrstuvwxyz0123456789abcdef", "ññññññññññññññññññññññññññ", "\0\0\0\0\0\0\0\0\0\0\0\0"]
            {
                let shown = escape(text, max);
                assert!(shown.len() <= max && shown.ends_with('…'), "{shown} in {max}");
            }
        }
        assert_eq!(escape("abc", 3), "abc");
    }
}
