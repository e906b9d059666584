//! Payloads of packets whose type is not at hand: a JSON value and a shape in place of a Rust type.
//!
//! What shows or sends packets of any protocol (a console, a gateway, a recorder) knows an action's
//! [schema](crate::schema) and [codec](crate::schema::codec) only. [`encode`] checks that a [`serde_json::Value`] fits
//! the shape and writes the payload as serde would write the typed value; [`decode`] reads a payload into the value that
//! [`serde_json::to_value`] would make of it. How types look in JSON says `docs/wire.md` §7.2, with one verdict for both
//! codecs:
//!
//! - options may be `null` or left out, which means `None`; every other field must be there, also one that serde would
//!   fill in, since its default is known only to the type;
//! - fields that the shape does not have are mistakes, at least in what is sent;
//! - integers are JSON integers in the range of their type. A [`Value`](serde_json::Value) holds those of 64 bits, so
//!   larger ones of `u128` and `i128` go as keys of maps only;
//! - more than 127 levels of arrays and objects are too many, as for `serde_json`;
//! - what is opaque or changed by an attribute of serde's is taken as it is, as JSON alone can carry it.
//!
//! The shape does not say everything: a zero for a `NonZeroU8`, or 2³² for a `usize` of 32 bits, fits here and does not
//! decode there.
//!
//! # Examples
//!
//! ```
//! use pnet_protocol::{
//!     dynamic,
//!     packet::Codec,
//!     schema::{Field, Prim, Ty},
//! };
//! use serde_json::json;
//!
//! const STEP: Ty = Ty::Struct(&[
//!     Field { name: "x", ty: &Ty::Prim(Prim::I32), default: false },
//!     Field { name: "note", ty: &Ty::Option(&Ty::Prim(Prim::Str)), default: false },
//! ]);
//!
//! let mut payload = Vec::new();
//! dynamic::encode(&json!({ "x": -10 }), &STEP, Codec::Postcard, &mut payload)?;
//! assert_eq!(payload, [19, 0]);
//! assert_eq!(dynamic::decode(&payload, &STEP, Codec::Postcard)?, json!({ "x": -10, "note": null }));
//!
//! let misfit = dynamic::encode(&json!({ "x": "5" }), &STEP, Codec::Postcard, &mut payload).unwrap_err();
//! assert_eq!(misfit.to_string(), "`data.x`: an integer is wanted, and this is a string");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use std::fmt::{self, Display, Formatter};

use crate::{
    schema::{Field, Ty, Variant},
    text::escape,
};

mod decode;
mod encode;
mod error;
mod field;
mod scalar;
#[cfg(test)]
mod tests;

pub use self::{
    decode::decode,
    encode::encode,
    error::{DecodeFault, Misfit, MisfitReason},
    field::FieldInfo,
};

/// The most levels of arrays and objects; `serde_json` reads no more.
const MAX_LEVELS: usize = 127;

/// Bytes of a name in an error.
const MAX_NAME: usize = 64;

/// Where a walk over a shape has come to.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path<'a>,
    scope: Option<&'a Scope<'a>>,
    /// Arrays and objects around this, as JSON counts them.
    level: usize,
}

impl<'a> Place<'a> {
    /// Where every walk begins.
    const fn root() -> Self {
        Self { path: &Path::Root, scope: None, level: 0 }
    }

    /// The inside of an array or object at this place, unless that is too deep.
    fn inside(self) -> Option<Self> {
        (self.level < MAX_LEVELS).then_some(Self { level: self.level + 1, ..self })
    }

    const fn at(self, path: &'a Path<'a>) -> Self {
        Self { path, ..self }
    }

    const fn within(self, scope: &'a Scope<'a>) -> Self {
        Self { scope: Some(scope), ..self }
    }

    /// The named type in which this stands.
    fn enclosing(self, name: &str) -> Option<&'a Scope<'a>> {
        let mut scope = self.scope;
        while let Some(around) = scope
            && around.name != name
        {
            scope = around.outer;
        }
        scope
    }
}

/// A named type that a walk is in.
struct Scope<'a> {
    name: &'a str,
    ty: &'a Ty,
    /// Where it begins. What refers to it from the same level would go round in circles.
    level: usize,
    outer: Option<&'a Self>,
}

/// The way from the whole to a part.
enum Path<'a> {
    Root,
    Member(&'a Self, &'a str),
    Element(&'a Self, usize),
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("data"),
            Self::Member(of, name) => {
                let is_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-');
                let shown = escape(name, MAX_NAME);
                if !name.is_empty() && name.chars().all(is_word) {
                    write!(f, "{of}.{shown}")
                } else {
                    write!(f, "{of}[\"{shown}\"]")
                }
            }
            Self::Element(of, index) => write!(f, "{of}[{index}]"),
        }
    }
}

/// Whether serde puts what the field holds beside the field, or writes the field under another name than it reads.
fn is_elsewhere(field: &Field) -> bool {
    match field.ty {
        Ty::Marked(marks, _) => marks.split(", ").any(|mark| mark == "flatten" || mark.starts_with("rename")),
        _ => false,
    }
}

/// The field of this name, if it is written under its name at all.
fn field<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name && !is_elsewhere(field))
}

/// Whether an attribute on a variant has its say in how the enum is written.
fn is_marked(variants: &[Variant]) -> bool {
    variants.iter().any(|variant| matches!(variant.body, Some(Ty::Marked(..))))
}
