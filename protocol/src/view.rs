//! Views: what stands for a packet in an answer and borrows what the packet owns.
//!
//! A handler that answers with something it was sent, or with something its state holds, would have to copy it into the
//! reply, which owns what it holds. With `#[packet(view_of = Sum)]` a type is written as `Sum` is: the protocol says `Sum`,
//! callers get a `Sum`, and nothing is copied on the way there. A caller that only looks at its answer may read it as a view,
//! too ([`ReadView`]). So a view is no [`Packet`], and what it is written as is compared by the compiler ([`shows`]).

use std::marker::PhantomData;

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    packet::{Codec, DecodeError, EncodeError, OwnedPacket, Packet, codec::Coder},
    schema::{Schema, Ty},
    words::{Words, same},
};

/// What a handler may answer with where `Of` is declared: the packet itself, or a type under `#[packet(view_of = Of)]`.
///
/// Implemented by `#[derive(Packet)]` only.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot answer a packet",
    label = "neither a packet without lifetime, nor a view of one",
    note = "put `#[derive(Packet, Serialize)]` and `#[packet(view_of = …)]` on the type, with the packet that the protocol declares"
)]
pub trait View {
    /// The packet it stands for.
    type Of: OwnedPacket;

    /// The same view, borrowing from what it is read from.
    type At<'de>;

    /// As [`Packet::encode`]. A pointer, so that nothing is wrapped around a packet's own.
    const ENCODE: Encode<Self>;

    /// As [`Packet::decode`], if this is [`ReadView`].
    const DECODE: Decode<Self>;
}

/// Reads a `V` from a payload.
pub type Decode<V> = fn(codec: Codec, payload: &[u8]) -> Result<<V as View>::At<'_>, DecodeError>;

/// The action of what a view stands for.
#[must_use]
pub const fn action_of<V: View>() -> &'static str {
    <V::Of as Packet>::ACTION
}

/// Appends a `V` to a payload.
pub type Encode<V> = fn(view: &V, codec: Codec, out: &mut Vec<u8>) -> Result<(), EncodeError>;

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket> View for B {
    type Of = B;

    type At<'de> = B;

    const ENCODE: Encode<B> = B::encode;

    const DECODE: Decode<B> = B::decode_owned;
}

/// A view as which callers may read an answer, with `Calling::view`.
///
/// Implemented for every view whose fields a packet may have, and that serde can read; and for packets without lifetime, which
/// are views of themselves. In JSON, a field that is not there is an error unless the view has a default for it: that of its
/// packet is not known to it.
#[diagnostic::on_unimplemented(
    message = "no answer can be read as `{Self}`",
    label = "serde cannot read it",
    note = "put `Deserialize` on the view: `#[derive(Packet, Serialize, Deserialize)]`"
)]
pub trait ReadView: Lendable {}

#[diagnostic::do_not_recommend]
impl<V: Lendable> ReadView for V where for<'de> V::At<'de>: Deserialize<'de> {}

/// A view whose fields a packet may have: they can be read from whatever an answer is written in.
#[diagnostic::on_unimplemented(
    message = "no answer can be read as `{Self}`, which holds what a packet could not",
    label = "only written",
    note = "write `Cow<'a, str>` with `#[serde(borrow)]` instead of `&str`, `pnet::Bytes<'a>` instead of `&[u8]`, and no other references"
)]
pub trait Lendable: View {}

#[diagnostic::do_not_recommend]
impl<B: OwnedPacket> Lendable for B {}

/// A type that serde can write: the part of a view that `#[derive(Packet)]` cannot add by itself.
#[diagnostic::on_unimplemented(
    message = "view `{Self}` cannot be written, because serde does not know the type",
    label = "not `Serialize`",
    note = "put it on the type: `#[derive(Packet, Serialize)]`, with `use serde::Serialize;`"
)]
pub trait Written {}

#[diagnostic::do_not_recommend]
impl<V: Serialize> Written for V {}

/// Asks, while compiling, whether serde can write view `V`.
pub const fn is_written<V: Written>() {}

/// Encodes `V` if serde can. The fallback of [`NotWritten`] steps in where it cannot, which [`Written`] reports.
#[derive(Debug)]
pub struct ViewCoder<V>(PhantomData<V>);

impl<V: View + Serialize> ViewCoder<V> {
    /// Appends `view` to `out`. Debug builds decode what was written.
    ///
    /// # Errors
    ///
    /// See [`Packet::encode`].
    pub fn write(codec: Codec, view: &V, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Shown(view).encode(codec, out)
    }
}

/// See [`ViewCoder`].
pub trait NotWritten<V> {
    /// Never runs.
    ///
    /// # Errors
    ///
    /// Never returns.
    fn write(_: Codec, _: &V, _: &mut Vec<u8>) -> Result<(), EncodeError> {
        unreachable!("a view without serde does not compile")
    }
}

impl<V> NotWritten<V> for ViewCoder<V> {}

/// A view as the packet it stands for, towards what encodes packets.
struct Shown<'v, V>(&'v V);

impl<V: View> Schema for Shown<'_, V> {
    const SCHEMA: &'static Ty = V::Of::SCHEMA;
}

impl<V: View + Serialize> Packet for Shown<'_, V> {
    const ACTION: &'static str = V::Of::ACTION;

    const TYPE: &'static str = V::Of::TYPE;

    type At<'de> = V::Of;

    fn encode(&self, codec: Codec, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Coder::<Self>::write(codec, self, out)
    }

    fn decode(codec: Codec, payload: &[u8]) -> Result<V::Of, DecodeError> {
        V::Of::decode_owned(codec, payload)
    }
}

impl<V: Serialize> Serialize for Shown<'_, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// How many elements of two slices are alike, from the first on.
macro_rules! alike {
    ($view:expr, $of:expr, |$one:ident, $other:ident| $alike:expr) => {{
        let mut i = 0;
        while i < $view.len() && i < $of.len() && {
            let ($one, $other) = (&$view[i], &$of[i]);
            $alike
        } {
            i += 1;
        }
        i
    }};
}

/// Refuses, while compiling, a view that is not written as its packet is. `name` is that of the view's type.
///
/// What the packet reads in place of a field that is not there does not matter, as a view is never read. Of a part that is
/// described on neither side nothing can be said; debug builds decode what they wrote.
///
/// # Panics
///
/// If it is such; the compiler shows the text.
#[track_caller]
pub const fn shows<V: View + Schema>(name: &str) {
    let packet = <V::Of as Packet>::TYPE;
    let roots = (name, packet);
    let (view, of) = (inside(V::SCHEMA), inside(<V::Of as Schema>::SCHEMA));
    if is_alike(view, of, roots) {
        return;
    }
    // check: view-differs
    let text = Words::new().add("`").add(name).add("` is not written as `").add(packet).add("` is: ");
    let text = match (view, of) {
        (Ty::Struct(view), Ty::Struct(of)) => {
            let i =
                alike!(view, of, |field, other| same(field.name, other.name) && is_alike(field.ty, other.ty, roots));
            if i == view.len() {
                text.add("it has no field `").add(of[i].name).add("`")
            } else if i == of.len() {
                text.add("its field `").add(view[i].name).add("` is one too many")
            } else if same(view[i].name, of[i].name) {
                text.add("its field `").add(view[i].name).add("` is of another type")
            } else {
                text.add("its field `").add(view[i].name).add("` stands in the place of `").add(of[i].name).add("`")
            }
        }
        (Ty::Enum(_), Ty::Enum(_)) => text.add("a view has the same variants, of the same shapes, in the same order"),
        _ => text
            .add("a view has the same fields, of the same types, in the same order, and the same attributes of serde"),
    };
    panic!("{}", text.get())
}

const fn inside(ty: &'static Ty) -> &'static Ty {
    match ty {
        Ty::Named(_, ty) => inside(ty),
        ty => ty,
    }
}

/// Whether two shapes are written alike. `roots` are the names by which they may refer to themselves.
const fn is_alike(view: &'static Ty, of: &'static Ty, roots: (&str, &str)) -> bool {
    match (inside(view), inside(of)) {
        (Ty::Prim(view), Ty::Prim(of)) => *view as u8 == *of as u8,
        (Ty::Opaque(_), Ty::Opaque(_)) => true,
        (Ty::Ref(view), Ty::Ref(of)) => same(view, of) || (same(view, roots.0) && same(of, roots.1)),
        (Ty::Option(view), Ty::Option(of)) | (Ty::Seq(view), Ty::Seq(of)) => is_alike(view, of, roots),
        (Ty::Array(view, view_len), Ty::Array(of, of_len)) => *view_len == *of_len && is_alike(view, of, roots),
        (Ty::Map(view_key, view), Ty::Map(of_key, of)) => {
            is_alike(view_key, of_key, roots) && is_alike(view, of, roots)
        }
        (Ty::Tuple(view), Ty::Tuple(of)) => {
            view.len() == of.len() && alike!(view, of, |part, other| is_alike(part, other, roots)) == of.len()
        }
        (Ty::Struct(view), Ty::Struct(of)) => {
            let alike =
                alike!(view, of, |field, other| same(field.name, other.name) && is_alike(field.ty, other.ty, roots));
            view.len() == of.len() && alike == of.len()
        }
        (Ty::Enum(view), Ty::Enum(of)) => {
            let alike = alike!(view, of, |variant, other| same(variant.name, other.name)
                && match (variant.body, other.body) {
                    (None, None) => true,
                    (Some(view), Some(of)) => is_alike(view, of, roots),
                    _ => false,
                });
            view.len() == of.len() && alike == of.len()
        }
        (Ty::Marked(view_text, view), Ty::Marked(of_text, of)) => same(view_text, of_text) && is_alike(view, of, roots),
        _ => false,
    }
}
