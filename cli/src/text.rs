//! Words of others, so that they can be shown: no control character, none of C1, none that turns the direction of writing.

use serde::Serialize;

/// The text as it may be written to a terminal. Letters, digits and printable ASCII stay; the rest becomes `\u{..}`.
pub(crate) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if is_harmless(char) {
            shown.push(char);
        } else {
            shown.extend(char.escape_unicode());
        }
    }
    shown
}

/// The value as JSON in one line, with everything escaped that is no letter, digit or printable ASCII: it stays the same
/// JSON.
pub(crate) fn json(value: &impl Serialize) -> String {
    escape_json(&serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned()))
}

/// A line of another program, which may be JSON.
pub(crate) fn line(line: &str, json: bool) -> String {
    if json { escape_json(line) } else { escape(line) }
}

/// Whatever is not ASCII stands within a string of JSON, and so does what is a control character.
fn escape_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if is_harmless(char) {
            shown.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    shown
}

fn is_harmless(char: char) -> bool {
    char.is_ascii_graphic() || char == ' ' || char.is_alphanumeric() || matches!(char, '…' | '→')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_moves_the_cursor() {
        for char in ['\0', '\n', '\r', '\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{1f600}'] {
            assert!(escape(&char.to_string()).chars().all(is_harmless), "{char:?}");
            let written = json(&json!({"text": format!("a{char}b")}));
            assert!(written.chars().all(is_harmless), "{written}");
            let read: Value = serde_json::from_str(&written).expect("it stays JSON");
            assert_eq!(read["text"], format!("a{char}b"));
        }
    }

    #[test]
    fn letters_of_any_language_stay() {
        assert_eq!(escape("größe 大"), "größe 大");
        assert_eq!(json(&json!("größe 大")), "\"größe 大\"");
    }
}
