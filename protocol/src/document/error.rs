//! Why a text is no schema.

use super::{MAX_KEPT, MAX_LEN, VERSION};

/// Why [`read`](super::read()) could not make a protocol of a text. The fault is the writer's, but for
/// [`Full`](Self::Full).
///
/// The text is harmless to print, whatever the schema holds.
///
/// # Examples
///
/// ```
/// use pnet_protocol::document;
///
/// let text = r#"{"pnet-schema":1,"protocol":"Clock","client":[{"action":"SET","packet":"Set","data":"u7"}]}"#;
/// let error = document::read(text).unwrap_err();
/// assert_eq!(error.to_string(), "schema: `client[0].data`: there is no type \"u7\"");
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// It is longer than [`MAX_LEN`]; it was not looked at.
    #[error("schema: {len} bytes are more than {MAX_LEN}")]
    TooLong {
        /// How long it is, in bytes.
        len: usize,
    },
    /// It is no JSON.
    #[error("schema: no JSON at line {line}, column {column}")]
    NotJson {
        /// Where reading failed, from 1.
        line: usize,
        /// Where in the line, from 1; 0 at its end.
        column: usize,
    },
    /// It is JSON, but does not say that it is a schema of [`VERSION`]: `"pnet-schema": 1` is missing, or names another.
    #[error("schema: `pnet-schema` is {found}, and this side reads {VERSION}")]
    Format {
        /// What stands there; `missing` if nothing does.
        found: String,
    },
    /// A part of it is not as it should be.
    #[error("schema: `{path}`: {fault}")]
    Part {
        /// Which part, such as `client[2].reply.packet.data`.
        path: String,
        /// What is wrong with it.
        fault: SchemaFault,
    },
    /// This process has read as many schemas as it keeps. What was read before can still be read again.
    #[error("schema: this program has read as many as it keeps: {MAX_KEPT}, 16 MiB of text, or 1048576 types")]
    Full,
}

/// What is wrong with a part of a schema.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SchemaFault {
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is another kind of JSON value.
    #[error("{wanted} is wanted")]
    Kind {
        /// What should stand there, such as `a list`.
        wanted: &'static str,
    },
    /// A name is empty, too long, or holds characters that change how text around it is shown.
    #[error("a name of 1 to {max} bytes without control characters is wanted")]
    Name {
        /// How long it may be, in bytes.
        max: usize,
    },
    /// No packet can have the action: the dialect uses it itself.
    #[error("the action {0:?} belongs to the JSON dialect itself")]
    Reserved(String),
    /// Something before it has the same name.
    #[error("{0:?} occurs twice")]
    Twice(String),
    /// There is no type of this name, and no kind of type.
    #[error("there is no type {0:?}")]
    UnknownType(String),
    /// It says two things at once, such as `list` and `option`.
    #[error("this is a type of two kinds, `{0}` and `{1}`")]
    TwoKinds(&'static str, &'static str),
    /// `types` has none of this name.
    #[error("`types` has no {0:?}")]
    UnknownRef(String),
    /// It refers to a type around it, and a nearer one of the same name stands in between.
    #[error("it refers to {0:?}, which another type of that name hides here")]
    Hidden(String),
    /// The type is nothing but itself.
    #[error("the type {0:?} is nothing but itself")]
    Endless(String),
    /// Too many types stand in each other.
    #[error("more than {max} types stand in each other")]
    TooDeep {
        /// How many may.
        max: usize,
    },
    /// There are too many types, those that are named counted where they are used.
    #[error("all types together have more than {max} parts")]
    TooLarge {
        /// How many they may have.
        max: usize,
    },
}
