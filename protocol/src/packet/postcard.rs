//! postcard, the binary form of payloads (`docs/wire.md` §7.2), by the crate of that name.
//!
//! The crate writes values. Of what is read, it reads numbers and runs of bytes, and the rest is done here: the crate's error
//! does not keep what a type says, its maps take memory for as many entries as are announced, its `char` may be the first of
//! several (before 1.2), and a server's one-way packet with a text of 32 bytes takes 691 instructions by the crate alone, 611 so.
//!
//! Errors are those of `serde_json`: they keep what a type says, and are one pointer, since most results have none.

use std::fmt::Display;

use postcard::{Serializer, ser_flavors::Flavor};
use serde::{
    Deserialize, Serialize,
    de::{
        DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
        Visitor, value::U32Deserializer,
    },
};
use serde_json::Error;

use crate::utf8;

/// Appends `value` to `out`. What is there of a value that could not be written is the caller's to take away.
#[inline]
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    match value.serialize(&mut Serializer { output: Buffer(out) }) {
        Ok(()) => Ok(()),
        // What the type says it says in JSON, too.
        Err(postcard::Error::SerdeSerCustom) => Err(said(value.serialize(&mut serde_json::Serializer::new(out)))),
        Err(error) => Err(in_words(&error)),
    }
}

#[cold]
fn said(in_json: Result<(), Error>) -> Error {
    in_json.err().unwrap_or_else(|| fault("its type does not write the value"))
}

struct Buffer<'a>(&'a mut Vec<u8>);

impl Flavor for Buffer<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    /// Most are short numbers, which are copied without a call if their length is known.
    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        match bytes {
            [a] => self.0.push(*a),
            [a, b] => self.0.extend_from_slice(&[*a, *b]),
            [a, b, c] => self.0.extend_from_slice(&[*a, *b, *c]),
            _ => self.0.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Reads values from the beginning of what is left. Texts and bytes are borrowed.
pub(crate) struct Reader<'de>(&'de [u8]);

impl<'de> Reader<'de> {
    pub(crate) const fn new(payload: &'de [u8]) -> Self {
        Self(payload)
    }

    /// What was not read.
    pub(crate) const fn rest(&self) -> &'de [u8] {
        self.0
    }

    /// What the crate reads.
    #[inline]
    fn take<T: Deserialize<'de>>(&mut self) -> Result<T, Error> {
        match postcard::take_from_bytes(self.0) {
            Ok((value, rest)) => {
                self.0 = rest;
                Ok(value)
            }
            Err(error) => Err(in_words(&error)),
        }
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, Error> {
        utf8::text(self.take()?).map_err(|_| fault("a text is not UTF-8"))
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, Error> {
        match self.take::<u8>()? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(fault(format_args!("{byte:#04x} is neither 0 nor 1"))),
        }
    }
}

macro_rules! read {
    ($($name:ident: $visit:ident($take:ident);)*) => {$(
        #[inline]
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.$take()?)
        }
    )*};
}

macro_rules! refuse {
    ($($name:ident)*) => {$(
        fn $name<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(fault("the type needs a format that describes itself, such as JSON"))
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    read! {
        deserialize_bool: visit_bool(flag);
        deserialize_i8: visit_i8(take);
        deserialize_i16: visit_i16(take);
        deserialize_i32: visit_i32(take);
        deserialize_i64: visit_i64(take);
        deserialize_i128: visit_i128(take);
        deserialize_u8: visit_u8(take);
        deserialize_u16: visit_u16(take);
        deserialize_u32: visit_u32(take);
        deserialize_u64: visit_u64(take);
        deserialize_u128: visit_u128(take);
        deserialize_f32: visit_f32(take);
        deserialize_f64: visit_f64(take);
        deserialize_str: visit_borrowed_str(text);
        deserialize_string: visit_borrowed_str(text);
        deserialize_bytes: visit_borrowed_bytes(take);
        deserialize_byte_buf: visit_borrowed_bytes(take);
    }

    refuse! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut chars = self.text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => visitor.visit_char(only),
            _ => Err(fault("a text is not one character")),
        }
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.flag()? { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    #[inline]
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.take()?;
        visitor.visit_seq(Elements { reader: self, left })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements { reader: self, left: len })
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.take()?;
        visitor.visit_map(Elements { reader: self, left })
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }
}

/// What follows of a list, a tuple or a map.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: usize,
}

impl Elements<'_, '_> {
    /// As many as are announced, or fewer if the bytes cannot be so many: memory is taken for them at once.
    #[inline]
    fn hint(&self) -> Option<usize> {
        Some(self.left.min(self.reader.0.len()))
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.reader).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.reader)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.hint()
    }
}

impl<'de> EnumAccess<'de> for &mut Reader<'de> {
    type Error = Error;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let index: U32Deserializer<Error> = self.take::<u32>()?.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = Error;

    #[inline]
    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

#[cold]
fn fault(said: impl Display) -> Error {
    Error::custom(said)
}

/// What the crate says, as people are told.
#[cold]
fn in_words(error: &postcard::Error) -> Error {
    use postcard::Error as E;
    match error {
        E::DeserializeUnexpectedEnd => fault("the payload ends too early"),
        E::DeserializeBadVarint => fault("a number is too large for its type"),
        E::SerializeSeqLengthUnknown => fault("the length of a list or map is not known beforehand"),
        error => fault(error),
    }
}

#[cfg(test)]
mod tests;
