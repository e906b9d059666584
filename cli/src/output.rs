//! What is printed: lines for people, or one JSON object a line for programs. A reader that goes away is no error, and
//! colours are for terminals.

use std::io::{self, ErrorKind, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    exit::{Exit, Failure},
    text,
};

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If the output is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Where a command prints what it was asked for. What it has to say beside that goes to the standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
}

/// How a piece of text looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Style {
    /// A name.
    Bold,
    /// Less important.
    Dim,
    /// Something went wrong.
    Red,
    /// All is well.
    Green,
}

impl Output {
    pub(crate) fn new(json: bool, colour: When) -> Self {
        let colour = match colour {
            When::Always => true,
            When::Never => false,
            When::Auto => {
                io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        Self { json, colour: colour && !json }
    }

    /// Whether programs read what is printed.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether colours are used.
    pub(crate) const fn has_colour(&self) -> bool {
        self.colour
    }

    /// The same without colours.
    pub(crate) const fn plain(&self) -> Self {
        Self { json: self.json, colour: false }
    }

    /// The text in a style, if colours are used. The text has to be harmless already.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match style {
            Style::Bold => 1,
            Style::Dim => 2,
            Style::Red => 31,
            Style::Green => 32,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Prints what has happened, once: as a JSON line, or in words. The words have to be harmless already.
    ///
    /// # Errors
    ///
    /// Nobody reads any more, which ends the command without a word; or it cannot be written.
    pub(crate) fn event(&self, event: &impl Serialize, words: impl FnOnce() -> String) -> Result<(), Failure> {
        let mut line = if self.json { text::json(event) } else { words() };
        line.push('\n');
        self.write(&line)
    }

    /// Prints text as it is.
    ///
    /// # Errors
    ///
    /// As [`event`](Self::event).
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::silent(Exit::DONE),
            _ => Failure::refused(format_args!("cannot write to the standard output: {error}")),
        })
    }

    /// Says something to a person beside the output: nothing where programs read.
    pub(crate) fn note(&self, words: &str) {
        if !self.json {
            // There is nobody left to tell if this fails.
            let _ = writeln!(io::stderr(), "{words}");
        }
    }

    /// Says why a command was not done: a JSON line on the standard output, or words on the standard error.
    pub(crate) fn failure(&self, failure: &Failure) -> Exit {
        if failure.message.is_empty() {
            return failure.exit;
        }
        if self.json {
            let mut event = json!({"error": failure.message, "exit": failure.exit.0});
            if let (Some(answer), Value::Object(event)) = (&failure.declared, &mut event) {
                event.insert("answer".to_owned(), json!({"action": answer.action(), "data": answer.data()}));
            }
            let _ = self.write(&(text::json(&event) + "\n"));
        } else {
            let _ = writeln!(io::stderr(), "pnet: {}", failure.message);
        }
        failure.exit
    }
}
