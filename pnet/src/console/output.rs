//! What commands have to show, and the one place where it becomes text or JSON.
//!
//! Whatever is shown goes through [`harmless`] or [`ascii`], so that nothing that a peer has chosen reaches a terminal as
//! it is: no control character, nothing that turns the direction of writing, and nothing of which terminals do not know how
//! wide it is.

mod table;

use serde_json::{Value, json};

pub(super) use self::table::Table;
use super::fault::{Fault, USAGE};

/// What a command has to show.
#[derive(Debug, Default)]
pub(super) struct Output {
    parts: Vec<Part>,
    /// 0 unless what is shown says that something has failed.
    pub(super) exit: u8,
    /// What is to be done when it has been shown.
    pub(super) after: After,
}

/// What is to be done when something has been shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum After {
    #[default]
    Nothing,
    /// The screen is emptied.
    Clear,
    /// The operator leaves.
    Leave,
    /// What is looked into is ended.
    Stop,
}

#[derive(Debug)]
enum Part {
    /// Lines, and what they say as JSON, if that is shown then.
    Text(String, Option<Value>),
    /// Names and values, one below the other; those without a value are left out.
    Record(Vec<(&'static str, String)>, Value),
    Table(Table),
}

impl Output {
    pub(super) fn text(text: impl Into<String>, json: Value) -> Self {
        Self::default().and_text(text, json)
    }

    pub(super) fn table(table: Table) -> Self {
        Self { parts: vec![Part::Table(table)], ..Self::default() }
    }

    pub(super) fn record(fields: Vec<(&'static str, String)>, json: Value) -> Self {
        Self { parts: vec![Part::Record(fields, json)], ..Self::default() }
    }

    pub(super) fn and_text(mut self, text: impl Into<String>, json: Value) -> Self {
        self.parts.push(Part::Text(text.into(), Some(json)));
        self
    }

    /// Words for people, of which JSON has no part.
    pub(super) fn and_note(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into(), None));
        self
    }

    pub(super) fn exit(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    pub(super) fn then(self, after: After) -> Self {
        Self { after, ..self }
    }

    /// Everything as lines, at most [`MAX_LEN`] of them in bytes.
    pub(super) fn render(&self, as_json: bool, columns: u16) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text, _) if !as_json => text.lines().for_each(|line| push(&harmless(line), &mut out)),
                Part::Text(_, json) => json.iter().for_each(|json| push_json(json, &mut out)),
                Part::Record(_, json) if as_json => push_json(json, &mut out),
                Part::Record(fields, _) => {
                    let shown = fields.iter().filter(|(_, value)| !value.is_empty());
                    let width = shown.clone().map(|(name, _)| name.len()).max().unwrap_or_default();
                    for (name, value) in shown {
                        push(&format!("{name:width$}  {}", harmless(value)), &mut out);
                    }
                }
                Part::Table(table) => table.render(as_json, columns, &mut out),
            }
        }
        out
    }
}

/// A fault as it is shown.
pub(super) fn render_fault(fault: &Fault, as_json: bool) -> String {
    let mut out = String::new();
    match fault {
        Fault::Failed { exit, message } if as_json => push_json(&json!({"error": message, "exit": exit}), &mut out),
        Fault::Failed { message, .. } => message.lines().for_each(|line| push(&harmless(line), &mut out)),
        Fault::Ask { question, .. } => {
            let message = format!("{question} Say --yes, since nobody can be asked here.");
            if as_json {
                push_json(&json!({"error": message, "exit": USAGE}), &mut out);
            } else {
                push(&harmless(&message), &mut out);
            }
        }
    }
    out
}

/// Adds a line, unless there is no room for it. What is too long for any line is cut.
fn push(line: &str, out: &mut String) {
    if out.len() + line.len() < MAX_LEN {
        out.push_str(line);
        out.push('\n');
    } else if out.len() + 2 * NOTE_LEN < MAX_LEN {
        let room = MAX_LEN - out.len() - 2 * NOTE_LEN;
        // All of it is harmless already, and `cut` ends between characters.
        out.push_str(pnet_protocol::text::cut(line, room));
        out.push_str(&format!("… (cut: {} bytes)\n", line.len()));
    }
}

fn push_json(value: &Value, out: &mut String) {
    let line = ascii(value);
    if out.len() + line.len() < MAX_LEN {
        out.push_str(&line);
        out.push('\n');
    } else if out.len() + NOTE_LEN < MAX_LEN {
        let message = format!("this is {} bytes long, which is more than the console shows", line.len());
        out.push_str(&json!({"error": message, "exit": 1}).to_string());
        out.push('\n');
    }
}

/// Text as it may be shown on a terminal: printable ASCII and the letters of Latin, Greek and Cyrillic stay as they are,
/// everything else becomes `\u{..}`.
pub(super) fn harmless(text: &str) -> String {
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

/// Whether a character is one column wide on any terminal, from left to right.
pub(super) fn is_harmless(char: char) -> bool {
    // U+0345 counts as a letter, and goes under the one before it.
    let is_letter = |char: char| ('\u{a1}'..'\u{530}').contains(&char) && char.is_alphanumeric() && char != '\u{345}';
    char.is_ascii_graphic() || char == ' ' || is_letter(char) || char == '…'
}

/// JSON in ASCII: everything else is escaped as `\uXXXX`.
pub(super) fn ascii(value: &Value) -> String {
    let json = value.to_string();
    let mut shown = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_ascii() && char != '\u{7f}' {
            shown.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    shown
}

/// The most that a command shows, in bytes.
pub(super) const MAX_LEN: usize = 1024 * 1024;
/// Room for a last line that says what is not shown.
const NOTE_LEN: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_harmful_is_shown() {
        let evil = "a\u{345}\u{1b}[31m\u{9b}2J\u{202e}\u{2066}\u{200f}\u{7f}\r\u{61c}ש世😀é";
        let shown = harmless(evil);
        assert!(shown.chars().all(is_harmless), "{shown}");
        assert!(shown.starts_with("a\\u{345}\\u{1b}[31m\\u{9b}2J\\u{202e}") && shown.ends_with('é'), "{shown}");

        let shown = ascii(&json!({ "text": evil }));
        assert!(shown.is_ascii() && !shown.chars().any(|char| char.is_ascii_control()), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), json!({ "text": evil }));
    }

    #[test]
    fn what_is_shown_is_bounded() {
        let long = "x".repeat(3 * MAX_LEN);
        for as_json in [false, true] {
            let shown = Output::text(&long, json!({ "text": long })).and_note("more").render(as_json, 80);
            assert!(shown.len() <= MAX_LEN && shown.ends_with('\n'), "{}", shown.len());
        }
        let shown = Output::text(&long, json!({ "text": long })).render(true, 80);
        assert!(shown.contains("more than the console shows"), "{shown}");
    }

    #[test]
    fn lines_of_a_text_stay_lines() {
        assert_eq!(Output::text("a\nb\tc", json!(1)).render(false, 0), "a\nb\\u{9}c\n");
    }
}
