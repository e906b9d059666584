//! What is wrong with a value or with bytes.

use std::fmt;

use serde::{de, ser};

/// Why a value cannot be written, or bytes are no value. One pointer: most results have none.
pub(crate) struct Error(Box<Fault>);

#[derive(Debug)]
pub(super) enum Fault {
    /// The bytes end within the value.
    End,
    /// A number of more bits than its type has.
    TooLarge,
    /// Neither 0 nor 1 where a `bool` or an option begins.
    NoBool(u8),
    /// Text that is not UTF-8.
    NoText,
    /// Not exactly one character.
    NoChar,
    /// A type that asks what comes, which the bytes do not tell.
    NotSelfDescribing,
    /// A list or map whose length is not known before its elements.
    NoLength,
    /// What the type itself says.
    Said(String),
}

impl Fault {
    /// Apart, so that only an error pays for its memory.
    #[cold]
    pub(super) fn error(self) -> Error {
        Error(Box::new(self))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Fault::End => f.write_str("the payload ends too early"),
            Fault::TooLarge => f.write_str("a number is too large for its type"),
            Fault::NoBool(byte) => write!(f, "{byte:#04x} is neither 0 nor 1"),
            Fault::NoText => f.write_str("a text is not UTF-8"),
            Fault::NoChar => f.write_str("a text is not one character"),
            Fault::NotSelfDescribing => f.write_str("the type needs a format that describes itself, such as JSON"),
            Fault::NoLength => f.write_str("the length of a list or map is not known beforehand"),
            Fault::Said(said) => f.write_str(said),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(said: T) -> Self {
        Fault::Said(said.to_string()).error()
    }
}

impl ser::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(said: T) -> Self {
        Fault::Said(said.to_string()).error()
    }
}
