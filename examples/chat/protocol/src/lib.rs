//! What the chat's clients and its server say to each other. Both depend on this package, so neither can say anything
//! that the other does not understand.

use std::{borrow::Cow, error::Error, fmt};

use pnet::{Packet, Schema, protocol};
use serde::{Deserialize, Serialize};

protocol! {
    /// A room in which everybody has a name.
    pub Chat {
        client {
            /// Takes a name. Until then a connection is called `guest-` and a number.
            Login -> Result<Welcome, Denied>,
            /// Says something to everybody else.
            Say<'_>,
            /// Says something to one person.
            Tell -> Result<Delivered, NotDelivered>,
            /// Asks who is there.
            Who -> People,
        }
        server { Joined, Renamed, Left, Said, Told, Notice }
    }
}

/// Asks for a name.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Login {
    /// The name; see [`check_name`].
    pub name: String,
}

/// The name is taken by this connection now.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Welcome {
    /// The name.
    pub name: String,
    /// Everybody else's names, sorted.
    pub others: Vec<String>,
}

/// The name cannot be had.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Denied {
    /// Why.
    pub why: BadName,
}

/// Why a name cannot be had.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Schema, Serialize, Deserialize)]
pub enum BadName {
    /// Somebody else has it.
    Taken,
    /// It is empty or longer than [`MAX_NAME`].
    Length,
    /// It has something else in it than letters, digits, `-` and `_`.
    Characters,
    /// It begins with `guest-`.
    Reserved,
}

/// Something for everybody. It may borrow from the frame it came in.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Say<'a> {
    /// The words; see [`check_text`].
    #[serde(borrow)]
    pub text: Cow<'a, str>,
}

/// Something for one person.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Tell {
    /// Whom.
    pub to: String,
    /// The words; see [`check_text`].
    pub text: String,
}

/// The words are on their way to that person.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Delivered {
    /// The name as that person writes it.
    pub to: String,
}

/// The words were not passed on.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct NotDelivered {
    /// Why.
    pub why: Undelivered,
}

/// Why words were not passed on.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Schema, Serialize, Deserialize)]
pub enum Undelivered {
    /// Nobody has that name.
    Nobody,
    /// That person is reading too slowly.
    Busy,
    /// The words are none; see [`check_text`].
    Text(BadText),
}

/// What is wrong with a text.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, PartialEq, Schema, Serialize, Deserialize)]
pub enum BadText {
    /// It is empty or longer than [`MAX_TEXT`].
    Length,
    /// It has control characters in it.
    Characters,
}

/// Asks who is there.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Who {}

/// Who is there.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct People {
    /// Everybody's names, the asker's too, sorted.
    pub names: Vec<String>,
}

/// Somebody has come.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Joined {
    /// Who.
    pub name: String,
}

/// Somebody has taken another name.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Renamed {
    /// The name until now.
    pub from: String,
    /// The name from now on.
    pub to: String,
}

/// Somebody has gone.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Left {
    /// Who.
    pub name: String,
    /// Whether that person said goodbye; if not, the connection broke.
    pub goodbye: bool,
}

/// Somebody has said something to everybody.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Said {
    /// Who.
    pub name: String,
    /// What.
    pub text: String,
}

/// Somebody has said something to you alone.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Told {
    /// Who.
    pub name: String,
    /// What.
    pub text: String,
}

/// The server has something to say to you, such as why it did not pass your words on.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Notice {
    /// What.
    pub text: String,
}

/// Whether a name may be taken: 1 to [`MAX_NAME`] letters, digits, `-` and `_`, and not a guest's.
///
/// The client asks before it sends, the server because it trusts no client.
///
/// # Errors
///
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), BadName> {
    if name.is_empty() || name.chars().count() > MAX_NAME {
        Err(BadName::Length)
    } else if name.contains(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')) {
        Err(BadName::Characters)
    } else if name.to_lowercase().starts_with(GUEST) {
        Err(BadName::Reserved)
    } else {
        Ok(())
    }
}

/// Whether words may be said: 1 to [`MAX_TEXT`] characters, none of them a control character.
///
/// # Errors
///
/// What is wrong with them.
pub fn check_text(text: &str) -> Result<(), BadText> {
    if text.is_empty() || text.chars().count() > MAX_TEXT {
        Err(BadText::Length)
    } else if text.contains(char::is_control) {
        Err(BadText::Characters)
    } else {
        Ok(())
    }
}

/// An error as a program tells it to its user: with its causes, which its own text does not repeat, and with no control
/// character, as some of the words may be a peer's.
pub fn explained(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    shown(&text)
}

/// The text as it may be written to a terminal: control characters are replaced.
pub fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Most characters of a name.
pub const MAX_NAME: usize = 20;

/// Most characters of a text.
pub const MAX_TEXT: usize = 500;

/// What the names of those begin with who have not chosen one.
pub const GUEST: &str = "guest-";

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("somebody else has that name"),
            Self::Length => write!(f, "a name has 1 to {MAX_NAME} characters"),
            Self::Characters => f.write_str("a name has letters, digits, - and _ only"),
            Self::Reserved => write!(f, "names beginning with {GUEST} are given by the server"),
        }
    }
}

impl fmt::Display for BadText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => write!(f, "a message has 1 to {MAX_TEXT} characters"),
            Self::Characters => f.write_str("a message has no control characters"),
        }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody => f.write_str("nobody has that name"),
            Self::Busy => f.write_str("that person's connection is busy"),
            Self::Text(why) => why.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert_eq!(check_name("ada_1-x"), Ok(()));
        assert_eq!(check_name("Zoë"), Ok(()));
        assert_eq!(check_name(""), Err(BadName::Length));
        assert_eq!(check_name(&"x".repeat(MAX_NAME + 1)), Err(BadName::Length));
        assert_eq!(check_name("a b"), Err(BadName::Characters));
        assert_eq!(check_name("a\u{1b}"), Err(BadName::Characters));
        assert_eq!(check_name("Guest-7"), Err(BadName::Reserved));
    }

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(shown("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }

    #[test]
    fn texts_are_checked() {
        assert_eq!(check_text("hello, everybody"), Ok(()));
        assert_eq!(check_text(&"ß".repeat(MAX_TEXT)), Ok(()));
        assert_eq!(check_text(""), Err(BadText::Length));
        assert_eq!(check_text(&"x".repeat(MAX_TEXT + 1)), Err(BadText::Length));
        assert_eq!(check_text("a\u{7}"), Err(BadText::Characters));
    }
}
