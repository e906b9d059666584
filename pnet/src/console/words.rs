//! Words of a line, with quotes around them or not.

use super::fault::Fault;

/// Words of a line, one after the other.
///
/// A word ends at white space. In double quotes that is part of it, and `\` takes the next character as it is; in single
/// quotes everything is.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    line: &'a str,
    at: usize,
}

/// A word, and where it stands in the line, quotes included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether the quote that it began was left open.
    pub(super) open: bool,
    /// Whether any part of it was quoted, so that it is no option.
    pub(super) quoted: bool,
}

impl Word {
    /// Refuses a word whose quote is left open.
    pub(super) fn closed(self) -> Result<Self, Fault> {
        if self.open { Err(Fault::usage(format!("the quote in `{}` is not closed", self.text))) } else { Ok(self) }
    }
}

impl<'a> Words<'a> {
    pub(super) const fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    /// What is left of the line, without white space before it.
    pub(super) fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default().trim_start()
    }

    /// Where [`rest`](Self::rest) begins.
    pub(super) fn rest_start(&self) -> usize {
        self.line.len() - self.rest().len()
    }

    /// The next word without taking it.
    pub(super) fn peek(&self) -> Option<Word> {
        self.clone().next()
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let start = self.rest_start();
        let mut word = Word { text: String::new(), start, end: self.line.len(), open: false, quoted: false };
        let mut quote = None;
        let mut chars = self.line.get(start..)?.char_indices();
        chars.clone().next()?;
        while let Some((index, char)) = chars.next() {
            match (quote, char) {
                (None, char) if char.is_whitespace() => {
                    word.end = start + index;
                    break;
                }
                (None, '"' | '\'') => (quote, word.quoted) = (Some(char), true),
                (Some(open), char) if open == char => quote = None,
                (None | Some('"'), '\\') => word.text.extend(chars.next().map(|(_, char)| char)),
                (_, char) => word.text.push(char),
            }
        }
        word.open = quote.is_some();
        self.at = word.end;
        Some(word)
    }
}

/// A word as it has to be typed.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |char: char| !char.is_whitespace() && !matches!(char, '"' | '\'' | '\\');
    if !word.is_empty() && !word.starts_with("--") && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        Words::new(line).map(|word| word.text).collect()
    }

    #[test]
    fn quotes_hold_words_together() {
        assert_eq!(words(r#"a "b c" 'd "e' f\ g """#), ["a", "b c", "d \"e", "f g", ""]);
        assert_eq!(words(r#"  "a\"b" 'c\d'  "#), ["a\"b", "c\\d"]);
        assert!(words("   ").is_empty());
    }

    #[test]
    fn what_is_quoted_can_be_typed_again() {
        for word in ["", "a", "a b", "a\"b", "a'b", "a\\b", "--yes", "ñ"] {
            assert_eq!(words(&quoted(word)), [word], "{word}");
        }
    }
}
