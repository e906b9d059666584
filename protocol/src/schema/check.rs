//! Rules over the schema tree, evaluated by the compiler.

use super::{Prim, Ty};
use crate::words::Words;

/// Whether something holds for every element of a slice, as `Iterator::all` cannot say in a `const fn`.
macro_rules! all {
    ($elements:expr, |$element:ident| $holds:expr) => {{
        let mut rest: &[_] = $elements;
        let mut all = true;
        while let [$element, others @ ..] = rest {
            all = all && $holds;
            rest = others;
        }
        all
    }};
}

/// How the payload of a packet is written.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Codec {
    /// [postcard](https://docs.rs/postcard): compact, and only for types whose schema says all about them.
    Postcard,
    /// JSON text: for everything serde can write, and for every packet in the JSON dialect.
    Json,
}

/// The codec of a packet of this shape: postcard if the schema says everything about its bytes, else JSON text.
#[must_use]
pub const fn codec(ty: &Ty) -> Codec {
    if is_binary(ty) { Codec::Postcard } else { Codec::Json }
}

const fn is_binary(ty: &Ty) -> bool {
    match ty {
        Ty::Prim(_) => true,
        // JSON has a limit of nesting, postcard has none: what refers to itself could be nested until the stack ends.
        Ty::Opaque(_) | Ty::Ref(_) | Ty::Marked(..) => false,
        Ty::Option(ty) | Ty::Named(_, ty) => is_binary(ty),
        // An element without bytes would let a few bytes announce as many elements as they like.
        Ty::Seq(ty) => is_binary(ty) && !is_empty(ty),
        // Tuples and arrays have as many elements as their type says.
        Ty::Array(ty, _) => is_binary(ty),
        Ty::Map(key, value) => is_binary(key) && is_binary(value) && !is_empty(key),
        Ty::Tuple(parts) => all!(parts, |part| is_binary(part)),
        Ty::Struct(fields) => all!(fields, |field| is_binary(field.ty)),
        Ty::Enum(variants) => all!(variants, |variant| match variant.body {
            Some(body) => is_binary(body),
            None => true,
        }),
    }
}

/// Whether a value may take no byte at all in postcard.
const fn is_empty(ty: &Ty) -> bool {
    match ty {
        Ty::Prim(prim) => matches!(prim, Prim::Unit),
        Ty::Opaque(_) | Ty::Ref(_) | Ty::Option(_) | Ty::Seq(_) | Ty::Map(..) | Ty::Enum(_) => false,
        Ty::Array(ty, len) => *len == 0 || is_empty(ty),
        Ty::Named(_, ty) | Ty::Marked(_, ty) => is_empty(ty),
        Ty::Tuple(parts) => all!(parts, |part| is_empty(part)),
        Ty::Struct(fields) => all!(fields, |field| is_empty(field.ty)),
    }
}

/// Whether a value may hold a number that is not finite.
#[must_use]
pub const fn has_floats(ty: &Ty) -> bool {
    match ty {
        Ty::Prim(prim) => matches!(prim, Prim::F32 | Prim::F64),
        Ty::Opaque(_) => true,
        // What it refers to is looked through where it stands.
        Ty::Ref(_) => false,
        Ty::Option(ty) | Ty::Seq(ty) | Ty::Array(ty, _) | Ty::Named(_, ty) | Ty::Marked(_, ty) => has_floats(ty),
        Ty::Map(key, value) => has_floats(key) || has_floats(value),
        Ty::Tuple(parts) => !all!(parts, |part| !has_floats(part)),
        Ty::Struct(fields) => !all!(fields, |field| !has_floats(field.ty)),
        Ty::Enum(variants) => !all!(variants, |variant| match variant.body {
            Some(body) => !has_floats(body),
            None => true,
        }),
    }
}

/// Refuses, while compiling, a field that JSON cannot carry. `owner` is the type as the error names it.
///
/// Types that derive their schema are not looked into: their own derive has done so.
///
/// # Panics
///
/// If the field is such; the compiler shows the text.
#[track_caller]
pub const fn field(owner: &str, name: &str, ty: &Ty) {
    match ty {
        Ty::Prim(_) | Ty::Opaque(_) | Ty::Ref(_) | Ty::Struct(_) | Ty::Enum(_) | Ty::Named(..) | Ty::Marked(..) => {}
        Ty::Option(inner) => {
            // check: option-null
            if is_null(inner) {
                let text = start(owner, name)
                    .add("is an `Option` of something that JSON writes as `null`, too, so `None` would be lost: ")
                    .add("use an enum");
                panic!("{}", text.get())
            }
            field(owner, name, inner);
        }
        Ty::Seq(inner) | Ty::Array(inner, _) => field(owner, name, inner),
        Ty::Map(key, value) => {
            // check: map-key
            if !is_key(key) {
                let text = start(owner, name).add("is a map whose keys are ");
                let text = describe(text, key)
                    .add(", which JSON cannot carry: use a string, an integer, a char, a uuid or an enum without fields, ")
                    .add("or a list of pairs");
                panic!("{}", text.get())
            }
            field(owner, name, value);
        }
        Ty::Tuple(parts) => {
            let mut i = 0;
            while i < parts.len() {
                field(owner, name, parts[i]);
                i += 1;
            }
        }
    }
}

const fn start(owner: &str, name: &str) -> Words {
    Words::new().add(owner).add(": field `").add(name).add("` ")
}

const fn describe(text: Words, ty: &Ty) -> Words {
    let name = match ty {
        Ty::Named(name, _) | Ty::Ref(name) | Ty::Opaque(name) => name,
        Ty::Prim(prim) => prim.name(),
        Ty::Option(_) => return text.add("`Option`"),
        Ty::Seq(_) | Ty::Array(..) => return text.add("a list"),
        Ty::Map(..) => return text.add("a map"),
        Ty::Tuple(_) => return text.add("a tuple"),
        Ty::Struct(_) => return text.add("a struct"),
        Ty::Enum(_) => return text.add("an enum"),
        Ty::Marked(_, ty) => return describe(text, ty),
    };
    text.add("`").add(name).add("`")
}

/// Whether JSON can write the value as the key of an object, and serde reads it back.
const fn is_key(ty: &Ty) -> bool {
    match ty {
        Ty::Prim(prim) => !matches!(prim, Prim::Unit | Prim::F32 | Prim::F64 | Prim::Duration | Prim::Time),
        Ty::Named(_, ty) => is_key(ty),
        Ty::Enum(variants) => all!(variants, |variant| variant.body.is_none()),
        _ => false,
    }
}

/// Whether JSON may write the value as `null`.
const fn is_null(ty: &Ty) -> bool {
    match ty {
        Ty::Prim(prim) => matches!(prim, Prim::Unit),
        Ty::Option(_) => true,
        Ty::Named(_, ty) | Ty::Marked(_, ty) => is_null(ty),
        _ => false,
    }
}
