//! The text of a schema; its grammar stands in the documentation of [`schema`](super).

use std::fmt::{Display, Formatter, Result};

use super::{Field, Prim, Ty};

impl Display for Ty {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Prim(prim) => f.write_str(prim.name()),
            Self::Opaque(text) => write!(f, "opaque {text}"),
            Self::Ref(name) => write!(f, "recursive {name}"),
            Self::Option(ty) => write!(f, "{}?", Part(ty)),
            Self::Seq(ty) => write!(f, "[{}]", Part(ty)),
            Self::Array(ty, len) => write!(f, "[{}; {len}]", Part(ty)),
            Self::Map(key, value) => write!(f, "{{[{}]: {}}}", Part(key), Part(value)),
            Self::Tuple(parts) => tuple(f, parts),
            Self::Struct(fields) => record(f, fields),
            Self::Enum(variants) => {
                for (i, variant) in variants.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" | ")?;
                    }
                    f.write_str(variant.name)?;
                    match variant.body {
                        None => {}
                        Some(Self::Tuple(parts)) => tuple(f, parts)?,
                        Some(Self::Struct(fields)) => record(f, fields)?,
                        Some(ty) => write!(f, "({ty})")?,
                    }
                }
                Ok(())
            }
            Self::Named(_, ty) => ty.fmt(f),
            Self::Marked(text, ty) => write!(f, "{} #[serde({text})]", Part(ty)),
        }
    }
}

/// A type in a place where the `|` of an enum would be misread.
struct Part<'a>(&'a Ty);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let mut ty = self.0;
        while let Ty::Named(_, inner) = ty {
            ty = inner;
        }
        match ty {
            Ty::Enum(variants) if variants.len() != 1 => write!(f, "({ty})"),
            Ty::Marked(..) => write!(f, "({ty})"),
            _ => ty.fmt(f),
        }
    }
}

fn tuple(f: &mut Formatter<'_>, parts: &[&Ty]) -> Result {
    f.write_str("(")?;
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        part.fmt(f)?;
    }
    f.write_str(")")
}

fn record(f: &mut Formatter<'_>, fields: &[Field]) -> Result {
    f.write_str("{")?;
    for (i, Field { name, ty, default }) in fields.iter().enumerate() {
        if i > 0 {
            f.write_str(", ")?;
        }
        match ty {
            Ty::Option(inner) => write!(f, "{name}?: {}", Part(inner))?,
            ty => write!(f, "{name}: {ty}")?,
        }
        if *default {
            f.write_str(" = default")?;
        }
    }
    f.write_str("}")
}

impl Display for Prim {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.name())
    }
}
