//! What a line asks for.

use pnet::dynamic::Kind;

use crate::{exit::Failure, nearest::nearest};

/// What a line asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Command<'a> {
    /// Nothing: the line is empty, or a comment.
    Nothing,
    /// Send a packet. Without a kind, as its action is answered.
    Packet { kind: Option<Kind>, action: &'a str, data: &'a str },
    /// List the actions.
    Actions,
    /// Describe an action, or all.
    Schema(Option<&'a str>),
    /// Measure the round trip.
    Ping,
    /// Tell who the server is.
    Info,
    /// Tell what may be typed.
    Help,
    /// End.
    Quit,
}

/// What may be typed: the word, what follows it, and what it does.
pub(super) const COMMANDS: [(&str, &str, &str); 9] = [
    ("call", "ACTION JSON", "calls, and prints the answer"),
    ("send", "ACTION JSON", "sends what has no answer"),
    ("stream", "ACTION JSON", "opens a stream, and prints its items until ctrl-c"),
    ("actions", "", "lists the actions"),
    ("schema", "[ACTION]", "describes an action; without one prints all of the schema"),
    ("ping", "", "measures the round trip"),
    ("info", "", "tells who the server is"),
    ("help", "", "prints this"),
    ("quit", "", "ends, as ctrl-d does"),
];

impl<'a> Command<'a> {
    /// Reads a line. The first word is a command, or one of the actions.
    ///
    /// # Errors
    ///
    /// It is neither. The nearest is named.
    pub(super) fn parse(line: &'a str, actions: &[String]) -> Result<Self, Failure> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(Self::Nothing);
        }
        let (word, rest) = split(line);
        let packet = |kind| {
            let (action, data) = split(rest);
            if action.is_empty() {
                return Err(Failure::usage(format_args!("{word} needs an action: {word} ACTION JSON")));
            }
            Ok(Self::Packet { kind: Some(kind), action, data })
        };
        let alone = |command: Self| {
            if rest.is_empty() {
                Ok(command)
            } else {
                Err(Failure::usage(format_args!("{word} takes nothing behind it")))
            }
        };
        match word {
            "call" => packet(Kind::Call),
            "send" => packet(Kind::OneWay),
            "stream" => packet(Kind::Stream),
            "actions" => alone(Self::Actions),
            "schema" => Ok(Self::Schema((!rest.is_empty()).then_some(rest))),
            "ping" => alone(Self::Ping),
            "info" => alone(Self::Info),
            "help" | "?" => alone(Self::Help),
            "quit" | "exit" => alone(Self::Quit),
            action if actions.iter().any(|known| known == action) => {
                Ok(Self::Packet { kind: None, action, data: rest })
            }
            _ => {
                let known = COMMANDS.iter().map(|(word, ..)| *word).chain(actions.iter().map(String::as_str));
                let near =
                    nearest(word, known).map_or_else(|| "; type help".to_owned(), |near| format!("; nearest: {near}"));
                let word: String = word.chars().take(SHOWN).collect();
                Err(Failure::usage(format_args!("unknown command {word:?}{near}")))
            }
        }
    }
}

/// The first word, and what stands behind it.
pub(super) fn split(line: &str) -> (&str, &str) {
    let line = line.trim_start();
    line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()))
}

/// So much of an unknown word is quoted.
const SHOWN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let actions = ["ADD".to_owned(), "SAY".to_owned()];
        let read = |line| Command::parse(line, &actions).map_err(|failure| failure.message);
        assert_eq!(read("  "), Ok(Command::Nothing));
        assert_eq!(read("# call ADD"), Ok(Command::Nothing));
        let add = Command::Packet { kind: Some(Kind::Call), action: "ADD", data: r#"{"a": 1,  "b": 2}"# };
        assert_eq!(read(r#" call  ADD   {"a": 1,  "b": 2} "#), Ok(add));
        assert_eq!(read("SAY"), Ok(Command::Packet { kind: None, action: "SAY", data: "" }));
        assert_eq!(read("schema"), Ok(Command::Schema(None)));
        assert_eq!(read("schema ADD"), Ok(Command::Schema(Some("ADD"))));
        assert_eq!(read("?"), Ok(Command::Help));
        assert_eq!(read("cal ADD"), Err("unknown command \"cal\"; nearest: call".to_owned()));
        assert_eq!(read("ADDD"), Err("unknown command \"ADDD\"; nearest: ADD".to_owned()));
        assert_eq!(read("frobnicate"), Err("unknown command \"frobnicate\"; type help".to_owned()));
        assert_eq!(read("call"), Err("call needs an action: call ACTION JSON".to_owned()));
        assert_eq!(read("ping me"), Err("ping takes nothing behind it".to_owned()));
        assert!(read(&"x".repeat(60_000)).expect_err("unknown").len() < 120);
    }

    #[test]
    fn every_command_can_be_typed() {
        for (word, arguments, _) in COMMANDS {
            let line = format!("{word} {}", arguments.trim_start_matches('[').trim_end_matches(']'));
            assert!(Command::parse(&line, &[]).is_ok(), "{line}");
        }
    }
}
