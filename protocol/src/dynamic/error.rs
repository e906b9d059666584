//! Why a value does not fit a shape, and why a payload does not.

use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use super::{FieldInfo, MAX_LEVELS, MAX_NAME, Path};
use crate::{packet::PayloadError, schema::Prim, text::escape};

/// Why [`encode`](super::encode()) did not write a value: it is not of the packet's shape. The fault is the caller's.
///
/// The text names the part that does not fit, and is harmless to print whatever the value holds.
///
/// # Examples
///
/// ```
/// use pnet_protocol::{
///     dynamic::{self, MisfitReason},
///     packet::Codec,
///     schema::Schema,
/// };
/// use serde_json::json;
///
/// let ty = <(bool, Vec<u8>)>::SCHEMA;
/// let misfit = dynamic::encode(&json!([true, [1, 300]]), ty, Codec::Json, &mut Vec::new()).unwrap_err();
/// assert_eq!(misfit.path(), "data[1][1]");
/// assert!(matches!(misfit.reason(), MisfitReason::OutOfRange { limit: "u8", .. }));
/// assert_eq!(misfit.to_string(), "`data[1][1]`: 300 does not fit u8");
/// ```
#[derive(Debug, thiserror::Error)]
#[error("`{path}`{}{reason}", if reason.is_predicate() { " " } else { ": " })]
pub struct Misfit {
    path: String,
    reason: MisfitReason,
}

impl Misfit {
    pub(super) fn new(path: &Path<'_>, reason: MisfitReason) -> Self {
        Self { path: path.to_string(), reason }
    }

    /// The part that does not fit: `data` is the whole, `data.why.by[2]` a part of it.
    ///
    /// Names that are no words stand as `data["a b"]`; long ones are cut, and control characters escaped.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it. Its text goes on where the path ends.
    #[must_use]
    pub const fn reason(&self) -> &MisfitReason {
        &self.reason
    }
}

/// What is wrong with a part of a value.
///
/// # Examples
///
/// ```
/// use pnet_protocol::{
///     dynamic::{self, MisfitReason},
///     packet::Codec,
///     schema::{Field, Prim, Ty},
/// };
/// use serde_json::json;
///
/// const SAY: Ty = Ty::Struct(&[Field { name: "text", ty: &Ty::Prim(Prim::Str), default: false }]);
///
/// let misfit = dynamic::encode(&json!({}), &SAY, Codec::Json, &mut Vec::new()).unwrap_err();
/// assert!(matches!(misfit.reason(), MisfitReason::Missing));
/// assert_eq!(misfit.reason().to_string(), "is missing");
/// ```
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum MisfitReason {
    /// The field is not there.
    #[error("is missing")]
    Missing,
    /// The field is not there. Read as JSON, serde would fill it in; as postcard, it cannot.
    #[error("must be given: its default is known only to the type")]
    NoDefault,
    /// The packet, or the part of it, has no such field.
    #[error("is no field; {}", KnownFields(known))]
    UnknownField {
        /// The fields that there are, in their order.
        known: Vec<FieldInfo>,
    },
    /// It is another kind of JSON value.
    #[error("{wanted} is wanted, and this is {found}")]
    Kind {
        /// What the shape asks for, such as `a string`.
        wanted: &'static str,
        /// What is there, such as `a number`.
        found: &'static str,
    },
    /// It is a string, or a key, in which something else is to be written.
    #[error("{wanted} is wanted, and this text is none")]
    Text {
        /// What the text should be, such as `a uuid`.
        wanted: &'static str,
    },
    /// The number is out of range.
    #[error("{number} does not fit {limit}")]
    OutOfRange {
        /// The number.
        number: String,
        /// What it does not fit, such as `u8`.
        limit: &'static str,
    },
    /// The array has too few elements, or too many.
    #[error("{} wanted, and there {}", counted(*wanted, "is", "are"), here(*found))]
    Length {
        /// How many the shape asks for.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// The enum has no variant of this name.
    #[error("no variant `{found}`; {}", Known(known))]
    UnknownVariant {
        /// The name in the value, escaped and cut.
        found: String,
        /// The variants there are.
        known: Vec<&'static str>,
    },
    /// The variant stands alone, but there is something in it.
    #[error("variant `{0}` holds something: write {{\"{0}\": …}}")]
    VariantHolds(&'static str),
    /// The variant has something in it, but should stand alone.
    #[error("variant `{0}` holds nothing: write \"{0}\"")]
    VariantIsBare(&'static str),
    /// Another key of the map says the same in other words, as uuids and addresses may.
    #[error("is a key that the map has already, written in another way")]
    KeyTwice,
    /// There are too many arrays and objects around it, or a type that is nothing but itself.
    #[error("is nested too deep: {MAX_LEVELS} levels are the most")]
    TooDeep,
    /// The shape does not say what the value is made of, which postcard needs to know; or it refers to a type in which
    /// it does not stand.
    #[error("is not described by the schema, so it cannot be written")]
    Undescribed,
    /// The map has keys of a type that JSON cannot write as a text. Derived shapes have none such.
    #[error("is a map with keys that JSON cannot carry")]
    Keys,
    /// The value fits, and still the codec refused it.
    #[error("the codec refused the value")]
    Refused(#[source] PayloadError),
}

impl MisfitReason {
    /// That something else was wanted than this value.
    pub(super) const fn kind(wanted: &'static str, found: &Value) -> Self {
        Self::Kind { wanted, found: kind_of(found) }
    }

    pub(super) fn out_of_range(number: &str, prim: Prim) -> Self {
        Self::OutOfRange { number: escape(number, MAX_NAME), limit: prim.name() }
    }

    /// Whether the text goes on as a sentence whose subject is the path.
    const fn is_predicate(&self) -> bool {
        match self {
            Self::Missing
            | Self::NoDefault
            | Self::UnknownField { .. }
            | Self::KeyTwice
            | Self::TooDeep
            | Self::Undescribed
            | Self::Keys => true,
            Self::Kind { .. }
            | Self::Text { .. }
            | Self::OutOfRange { .. }
            | Self::Length { .. }
            | Self::UnknownVariant { .. }
            | Self::VariantHolds(_)
            | Self::VariantIsBare(_)
            | Self::Refused(_) => false,
        }
    }
}

/// Why [`decode`](super::decode()) did not read a payload. The fault is the sender's, unless it says otherwise.
///
/// # Examples
///
/// ```
/// use pnet_protocol::{
///     dynamic::{self, DecodeFault},
///     packet::Codec,
///     schema::Schema,
/// };
///
/// let ty = <Vec<Option<u8>>>::SCHEMA;
/// let fault = dynamic::decode(&[2, 0, 7], ty, Codec::Postcard).unwrap_err();
/// assert_eq!(fault.to_string(), "`data[1]` cannot be read");
/// let fault = dynamic::decode(&[1, 0, 7], ty, Codec::Postcard).unwrap_err();
/// assert!(matches!(fault, DecodeFault::TrailingBytes { extra: 1 }));
/// ```
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum DecodeFault {
    /// The payload is not of this shape. Text after the end of JSON is such a fault of the whole.
    #[error("`{path}` cannot be read")]
    Malformed {
        /// The part, as in [`Misfit::path`].
        path: String,
        /// What serde said, without the value.
        #[source]
        source: PayloadError,
    },
    /// The payload goes on after the packet's end.
    #[error("{extra} bytes too many in the payload")]
    TrailingBytes {
        /// How many bytes were left.
        extra: usize,
    },
    /// There are too many arrays and objects around a part, or a type that is nothing but itself.
    #[error("`{path}` is nested too deep: {MAX_LEVELS} levels are the most")]
    TooDeep {
        /// The part.
        path: String,
    },
    /// More elements are announced than there are bytes in the payload. Nobody writes such lists: the codec of shapes
    /// whose elements take no bytes is JSON.
    #[error("`{path}` has more elements than the payload has bytes")]
    TooMany {
        /// The list or map.
        path: String,
    },
    /// A number which typed code may receive, but which a [`Value`] cannot hold: not finite, or of more than 64 bits.
    /// Nobody's fault.
    #[error("`{path}` is a number that a JSON value cannot hold")]
    Number {
        /// The part.
        path: String,
    },
    /// The shape does not say what the bytes mean: the wrong codec was asked for, or the shape refers to a type in which
    /// it does not stand. The caller's fault.
    #[error("`{path}` is not described by the schema, so it cannot be read")]
    Undescribed {
        /// The part.
        path: String,
    },
}

impl DecodeFault {
    /// The part that cannot be read, as in [`Misfit::path`]; `data` if the whole goes on too long.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Malformed { path, .. }
            | Self::TooDeep { path }
            | Self::TooMany { path }
            | Self::Number { path }
            | Self::Undescribed { path } => path,
            Self::TrailingBytes { .. } => "data",
        }
    }
}

/// Most fields that an error lists.
const MAX_FIELDS: usize = 16;

/// The kind of a value, in words.
const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 element {one}") } else { format!("{count} elements {many}") }
}

fn here(count: usize) -> String {
    match count {
        0 => "is none".to_owned(),
        1 => "is 1".to_owned(),
        count => format!("are {count}"),
    }
}

/// The fields of a struct, in words.
struct KnownFields<'a>(&'a [FieldInfo]);

impl Display for KnownFields<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            [] => "there is none at all",
            [_] => "there is ",
            _ => "there are ",
        })?;
        for (i, field) in self.0.iter().take(MAX_FIELDS).enumerate() {
            let required = if field.required { " (required)" } else { "" };
            write!(f, "{}`{}`: {}{required}", if i > 0 { ", " } else { "" }, field.name, field.ty)?;
        }
        match self.0.len().saturating_sub(MAX_FIELDS) {
            0 => Ok(()),
            more => write!(f, ", and {more} more"),
        }
    }
}

/// The variants of an enum, in words.
struct Known<'a>(&'a [&'static str]);

impl Display for Known<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            [] => "there is none at all",
            [_] => "there is ",
            _ => "there are ",
        })?;
        for (i, name) in self.0.iter().enumerate() {
            write!(f, "{}`{name}`", if i > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
