//! What packets look like: a tree of constants, its stable hash, and its text.
//!
//! `#[derive(Packet)]` and `#[derive(Schema)]` describe a type as serde writes it: fields under the names they have on
//! the wire, newtypes as what they hold, type names left out. From the tree come the codec of an action
//! ([`codec`]), the hash both sides compare in the handshake ([`hash`]), and the text in which a mismatch is reported.
//!
//! # The text
//!
//! ```text
//! type    = prim | "[" type "]" | "[" type "; " length "]" | "{[" type "]: " type "}"      list, array, map
//!         | "(" [type {", " type}] ")"                                                     tuple, unit
//!         | "{" [field {", " field}] "}"                                                   struct
//!         | variant {" | " variant}                                                        enum
//!         | type "?"                                                                       option
//!         | "recursive " name | "opaque " text                                             not described further
//!         | type " #[serde(" text ")]"                                                     as an attribute of serde says
//! field   = name ["?"] ": " type [" = default"]         "?": an option; "= default": JSON may leave it out
//! variant = name | name "(" [type {", " type}] ")" | name "{" [field {", " field}] "}"
//! prim    = "bool" | "u8" … "u128" | "i8" … "i128" | "f32" | "f64" | "char" | "str" | "bytes" | "uuid" | "duration"
//!         | "time" | "ip" | "ipv4" | "ipv6" | "socket-address" | "socket-address-v4" | "socket-address-v6"
//! ```
//!
//! Nested types are spelled out in place; an enum inside a list, option, array or map stands in parentheses.
//! `usize` is `u64` and `isize` is `i64` on the wire; where they are narrower, larger numbers do not decode.
//!
//! # What both codecs carry
//!
//! Postcard is chosen if the tree says everything about the bytes: no [`Ty::Opaque`], no [`Ty::Marked`], no recursion
//! (postcard has no limit of nesting), no lists of elements without bytes (their length is the sender's free choice).
//! Anything else goes as JSON text. Since every packet must pass as JSON, too, the derive refuses maps whose keys are no text or
//! number and options of something that JSON writes as `null`.

mod builtin;
pub(crate) mod check;
mod display;
mod hash;

pub(crate) use self::hash::{mix, mix_bool, mix_text, mix_u64, start};
pub use self::{
    check::{Codec, codec, has_floats},
    hash::{FORMAT, hash},
};

/// A type that a packet may hold: it knows its shape.
///
/// `#[derive(Schema)]` implements it for structs and enums; std's types, `Uuid`, [`Bytes`](crate::bytes::Bytes) and
/// [`ByteBuf`](crate::bytes::ByteBuf) have it built in, and `#[derive(Packet)]` includes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no schema, so a packet cannot hold it",
    label = "does not implement `Schema`",
    note = "put `#[derive(Schema)]` on the type; if it is not yours, put `#[schema(opaque)]` on the field"
)]
pub trait Schema {
    /// The shape.
    const SCHEMA: &'static Ty;
}

/// The shape of a type, as serde writes it.
#[non_exhaustive]
#[derive(Debug)]
pub enum Ty {
    /// A value without parts.
    Prim(Prim),
    /// Not described: anything JSON can carry.
    Opaque(&'static str),
    /// The type of this name, in which this stands.
    Ref(&'static str),
    /// Something or nothing.
    Option(&'static Self),
    /// Any number of elements.
    Seq(&'static Self),
    /// A fixed number of elements.
    Array(&'static Self, usize),
    /// Keys and values.
    Map(&'static Self, &'static Self),
    /// Values by position.
    Tuple(&'static [&'static Self]),
    /// Values by name.
    Struct(&'static [Field]),
    /// One of several.
    Enum(&'static [Variant]),
    /// A type that derived its schema itself, which has been checked there. The name is not on the wire.
    Named(&'static str, &'static Self),
    /// Written in a way that an attribute of serde's changes, so that only a self-describing format carries it.
    Marked(&'static str, &'static Self),
}

macro_rules! prims {
    ($($prim:ident $name:literal,)*) => {
        /// A value without parts.
        #[non_exhaustive]
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum Prim {
            $($prim,)*
        }

        impl Prim {
            /// All there are.
            pub(crate) const ALL: &[Self] = &[$(Self::$prim,)*];

            /// The name in the text of a schema.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$prim => $name,)*
                }
            }
        }
    };
}

prims! {
    Unit "()",
    Bool "bool",
    U8 "u8",
    U16 "u16",
    U32 "u32",
    U64 "u64",
    U128 "u128",
    I8 "i8",
    I16 "i16",
    I32 "i32",
    I64 "i64",
    I128 "i128",
    F32 "f32",
    F64 "f64",
    Char "char",
    Str "str",
    Bytes "bytes",
    Uuid "uuid",
    Duration "duration",
    Time "time",
    Ip "ip",
    Ipv4 "ipv4",
    Ipv6 "ipv6",
    SocketAddr "socket-address",
    SocketAddrV4 "socket-address-v4",
    SocketAddrV6 "socket-address-v6",
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// Its shape.
    pub ty: &'static Ty,
    /// Whether serde fills it in where JSON leaves it out.
    pub default: bool,
}

/// A variant of an enum.
#[derive(Debug)]
pub struct Variant {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it holds: `None` for `A`, a [`Ty::Tuple`] for `A(u8, u8)`, a [`Ty::Struct`] for `A { x: u8 }`, and the
    /// type itself for `A(u8)`.
    pub body: Option<&'static Ty>,
}
