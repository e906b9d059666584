//! The fields of a shape, for people.

use std::fmt::{self, Display, Write};

use crate::{
    schema::{Field, Ty},
    text::cut,
};

/// A field of a packet, or of a part of it, as people are told of it.
#[non_exhaustive]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FieldInfo {
    /// Its name.
    pub name: &'static str,
    /// Its shape as text, such as `[str]`; what is long is cut and marked with `…`. An option is shown as what it holds.
    pub ty: String,
    /// Whether it has to be given. What may be left out is an option, or serde's own affair.
    pub required: bool,
}

impl FieldInfo {
    /// The fields of a shape, in their order; none if it is no struct.
    #[must_use]
    pub fn of_type(mut ty: &'static Ty) -> Vec<Self> {
        while let Ty::Named(_, inner) | Ty::Marked(_, inner) = ty {
            ty = inner;
        }
        match ty {
            Ty::Struct(fields) => Self::of(fields),
            _ => Vec::new(),
        }
    }

    pub(super) fn of(fields: &[Field]) -> Vec<Self> {
        let info = |field: &Field| {
            let mut ty = field.ty;
            while let Ty::Option(inner) | Ty::Marked(_, inner) = ty {
                ty = inner;
            }
            Self { name: field.name, ty: short(ty), required: !matches!(field.ty, Ty::Option(_) | Ty::Marked(..)) }
        };
        fields.iter().map(info).collect()
    }
}

/// The beginning of a text, without making all of it first.
fn short(shown: impl Display) -> String {
    struct Short(String);

    impl Write for Short {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let fits = cut(text, MAX_TYPE.saturating_sub(self.0.len()));
            self.0.push_str(fits);
            if fits.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
        }
    }

    let mut text = Short(String::new());
    if write!(text, "{shown}").is_err() {
        text.0.push('…');
    }
    text.0
}

/// Most bytes of a type.
const MAX_TYPE: usize = 100;
