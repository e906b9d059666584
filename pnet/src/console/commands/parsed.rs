//! Reads a line as what its command takes: parameters, options, JSON as the rest of the line.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Kind, Spec};
use crate::console::{
    fault::Fault,
    words::{Word, Words},
};

/// A line that fits its command.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// What stands for each parameter of the command; `None` for those that may be left out and were.
    values: Vec<Option<String>>,
    options: BTreeMap<&'static str, String>,
    /// The data of a packet; what stands for it if it was left out is the command's affair.
    pub(crate) data: Option<Value>,
    /// Whose packet it is.
    pub(crate) as_id: Option<String>,
    /// `--yes`.
    pub(crate) yes: bool,
    /// `--json`.
    pub(crate) json: bool,
    /// The words of a command of the program's own.
    pub(crate) words: Vec<String>,
}

impl Parsed {
    pub(crate) fn value(&self, index: usize) -> Option<&str> {
        self.values.get(index)?.as_deref()
    }

    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Whether the word is an option that every command has.
    fn takes(&mut self, word: &Word) -> bool {
        match (word.quoted, &*word.text) {
            (false, "--yes") => self.yes = true,
            (false, "--json") => self.json = true,
            _ => return false,
        }
        true
    }

    /// Reads the words behind a command of the program's own.
    pub(crate) fn read_words(&mut self, words: Words<'_>) -> Result<(), Fault> {
        for word in words {
            let word = word.closed()?;
            if !self.takes(&word) {
                self.words.push(word.text);
            }
        }
        Ok(())
    }

    /// Reads the words behind a command. `is_id` tells for a client, which has one connection, whether a word stands for it or
    /// whether that was left out.
    pub(crate) fn read(
        &mut self,
        spec: &Spec,
        mut words: Words<'_>,
        is_id: &dyn Fn(&str) -> bool,
    ) -> Result<(), Fault> {
        for param in spec.params {
            self.read_options(spec, &mut words)?;
            let value = match param.kind {
                Kind::Data => {
                    self.read_data(spec, words.rest())?;
                    return Ok(());
                }
                Kind::Text => {
                    let text = self.read_text(&mut words)?;
                    self.values.push(text);
                    return Ok(());
                }
                Kind::Connection if words.peek().is_none_or(|word| !is_id(&word.text)) && is_id("") => {
                    self.values.push(None);
                    continue;
                }
                _ => words.next().map(Word::closed).transpose()?.map(|word| word.text),
            };
            if value.is_none() && param.required {
                return Err(Fault::usage(format!("{} is missing: {}", param.name, spec.usage())));
            }
            self.values.push(value);
        }
        self.read_options(spec, &mut words)?;
        let Some(word) = words.next() else { return Ok(()) };
        let word = word.closed()?;
        Err(Fault::usage(format!("`{}` is too much: {}", word.text, spec.usage())))
    }

    fn read_options(&mut self, spec: &Spec, words: &mut Words<'_>) -> Result<(), Fault> {
        while let Some(word) = words.peek() {
            if word.quoted || !word.text.starts_with("--") {
                break;
            }
            words.next();
            if self.takes(&word) {
                continue;
            }
            let name = word.text.trim_start_matches('-');
            let Some(option) = spec.options.iter().find(|option| option.name == name) else {
                return Err(Fault::usage(format!("no option `{}`: {}", word.text, spec.usage())));
            };
            let value = words.next().ok_or_else(|| Fault::usage(format!("--{name} wants a value")))?;
            self.options.insert(option.name, value.closed()?.text);
        }
        Ok(())
    }

    /// A text that goes on to the end of the line, in quotes or not.
    fn read_text(&mut self, words: &mut Words<'_>) -> Result<Option<String>, Fault> {
        let rest = words.rest().trim_end();
        let mut all = Vec::new();
        for word in words {
            let word = word.closed()?;
            if !self.takes(&word) {
                all.push(word);
            }
        }
        Ok(match &mut *all {
            [] => None,
            [word] => Some(std::mem::take(&mut word.text)),
            words if words.iter().any(|word| word.quoted) || self.yes || self.json => {
                Some(words.iter().map(|word| &*word.text).collect::<Vec<_>>().join(" "))
            }
            _ => Some(rest.to_owned()),
        })
    }

    /// JSON to its end, whatever is in it; then options, and `as ID` where there is that.
    fn read_data(&mut self, spec: &Spec, rest: &str) -> Result<(), Fault> {
        let begins_json = rest.starts_with(|char: char| !char.is_ascii_alphabetic() && char != '-')
            || ["true", "false", "null"].iter().any(|word| rest.starts_with(word))
            || rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(|char: char| char.is_ascii_digit()));
        let mut behind = rest;
        if begins_json {
            let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
            match values.next() {
                Some(Ok(data)) => self.data = Some(data),
                Some(Err(error)) => return Err(Fault::usage(format!("this is no JSON: {error}"))),
                None => {}
            }
            behind = rest.get(values.byte_offset()..).unwrap_or_default();
        }
        let mut words = Words::new(behind);
        while let Some(word) = words.next() {
            let word = word.closed()?;
            if self.takes(&word) {
                continue;
            }
            let id = (spec.has_as && word.text == "as").then(|| words.next()).flatten();
            match id {
                Some(id) if self.as_id.is_none() => self.as_id = Some(id.text),
                _ if self.data.is_none() && !(spec.has_as && word.text == "as") => {
                    return Err(Fault::usage(format!("`{}` is no JSON: {}", word.text, spec.usage())));
                }
                _ if spec.has_as => {
                    return Err(Fault::usage(format!("behind the JSON only `as ID` may stand: {}", spec.usage())));
                }
                _ => return Err(Fault::usage(format!("`{}` stands behind the JSON: {}", word.text, spec.usage()))),
            }
        }
        Ok(())
    }
}

/// The name of the command, with the words behind it; `--json` and `--yes` may stand before it.
pub(crate) fn begin(line: &str) -> Result<(Option<String>, Words<'_>, Parsed), Fault> {
    let (mut words, mut parsed) = (Words::new(line), Parsed::default());
    while let Some(word) = words.next() {
        let word = word.closed()?;
        if !parsed.takes(&word) {
            return Ok((Some(word.text), words, parsed));
        }
    }
    Ok((None, words, parsed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::*, *};

    fn read(line: &str) -> Result<Parsed, String> {
        let faulty = |fault: Fault| fault.to_string();
        let (name, words, mut parsed) = begin(line).map_err(faulty)?;
        let spec = find(&name.expect("a command")).expect("a known one");
        parsed.read(spec, words, &|word| !word.is_empty()).map_err(faulty)?;
        Ok(parsed)
    }

    #[test]
    fn json_goes_on_to_its_end() {
        let parsed = read(r#"trigger SAY {"text": "as 1 \" }"} as 7f --json"#).unwrap();
        assert_eq!(parsed.data, Some(json!({"text": "as 1 \" }"})));
        assert_eq!((parsed.as_id.as_deref(), parsed.json), (Some("7f"), true));
        assert_eq!(read("trigger SAY as 7f").unwrap().as_id.as_deref(), Some("7f"));
        assert_eq!(read("send 7f SAY -1").unwrap().data, Some(json!(-1)));
        assert_eq!(read("send 7f SAY").unwrap().data, None);
    }

    #[test]
    fn what_does_not_fit_is_said() {
        assert!(read("send").unwrap_err().contains("ID is missing: send ID ACTION"));
        assert!(read("send 7f").unwrap_err().contains("ACTION is missing"));
        assert!(read("send 7f SAY {\"a\"").unwrap_err().contains("no JSON: EOF"));
        assert!(read("send 7f SAY {} more").unwrap_err().contains("behind the JSON"));
        assert!(read("send 7f SAY word").unwrap_err().contains("`word` is no JSON"));
        assert!(read("trigger SAY {} as").unwrap_err().contains("only `as ID`"));
        assert!(read("info 7f 8").unwrap_err().contains("`8` is too much"));
        assert!(read("info \"7f").unwrap_err().contains("not closed"));
        assert!(read("list \"").unwrap_err().contains("not closed"));
        assert!(read("list --colour red").unwrap_err().contains("no option `--colour`"));
        assert!(read("list --sort").unwrap_err().contains("wants a value"));
    }

    #[test]
    fn options_stand_anywhere_before_json() {
        let parsed = read("--json list --limit 3 --sort queue").unwrap();
        assert!(parsed.json);
        assert_eq!((parsed.option("limit"), parsed.option("sort")), (Some("3"), Some("queue")));
        assert!(read("dropall --yes").unwrap().yes);
    }

    #[test]
    fn a_reason_is_the_rest_of_the_line() {
        assert_eq!(read("disconnect 7f be  good").unwrap().value(1), Some("be  good"));
        assert_eq!(read("disconnect 7f \"be good\"").unwrap().value(1), Some("be good"));
        assert_eq!(read("disconnect 7f").unwrap().value(1), None);
    }

    #[test]
    fn nothing_panics() {
        for line in ["\\", "\"", "'", "--", "send ", "send \\", "trigger SAY {", "ñ\\ñ \"ñ", "trigger A \u{202e}"] {
            let _ = read_any(line);
        }
    }

    fn read_any(line: &str) -> Result<(), Fault> {
        let (name, words, mut parsed) = begin(line)?;
        let spec = find(&name.unwrap_or_default()).unwrap_or(&COMMANDS[0]);
        parsed.read(spec, words, &|_| true)
    }
}
