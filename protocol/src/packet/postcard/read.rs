//! Bytes to values.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::U32Deserializer,
};

use super::{
    MAX_VARINT,
    error::{Error, Fault},
};
use crate::utf8;

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

    #[inline]
    fn byte(&mut self) -> Result<u8, Error> {
        let Some((byte, rest)) = self.0.split_first() else { return Err(Fault::End.error()) };
        self.0 = rest;
        Ok(*byte)
    }

    #[inline]
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let Some((chunk, rest)) = self.0.split_first_chunk() else { return Err(Fault::End.error()) };
        self.0 = rest;
        Ok(*chunk)
    }

    #[inline]
    fn bytes(&mut self) -> Result<&'de [u8], Error> {
        let len = usize::try_from(self.varint(u64::MAX)?).map_err(|_| Fault::End.error())?;
        let Some((bytes, rest)) = self.0.split_at_checked(len) else { return Err(Fault::End.error()) };
        self.0 = rest;
        Ok(bytes)
    }

    #[inline]
    fn text(&mut self) -> Result<&'de str, Error> {
        let bytes = self.bytes()?;
        match utf8::text(bytes) {
            // It never is of another length. Asked, the compiler takes the length from where it is anyway, instead of
            // reading both halves of the text at once from where they were just written one by one.
            Ok(text) if text.len() == bytes.len() => Ok(text),
            _ => Err(Fault::NoText.error()),
        }
    }

    /// A number of at most `max`.
    #[inline]
    fn varint(&mut self, max: u64) -> Result<u64, Error> {
        match self.0.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.0 = rest;
                Ok((*byte).into())
            }
            _ => self.long_varint(max),
        }
    }

    /// No more bytes than `max` needs are looked at. One at a time: where a number ends is then guessed rightly as often as
    /// not, and what follows it is read meanwhile; worked out from eight bytes at once, it would have to be waited for.
    fn long_varint(&mut self, max: u64) -> Result<u64, Error> {
        let (mut number, mut shift) = (0, 0);
        let mut rest = self.0.iter();
        for byte in rest.by_ref() {
            let seven = u64::from(byte & 0x7F);
            if seven > max >> shift {
                return Err(Fault::TooLarge.error());
            }
            number |= seven << shift;
            if *byte < 0x80 {
                self.0 = rest.as_slice();
                return Ok(number);
            }
            shift += 7;
            if shift > max.ilog2() {
                return Err(Fault::TooLarge.error());
            }
        }
        Err(Fault::End.error())
    }

    fn varint_128(&mut self) -> Result<u128, Error> {
        let mut number = 0;
        for place in 0..MAX_VARINT {
            let byte = self.byte()?;
            let seven = u128::from(byte & 0x7F);
            let shift = 7 * place;
            if seven > u128::MAX >> shift {
                break;
            }
            number |= seven << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Fault::TooLarge.error())
    }

    /// A number below 2^`bits`, with its sign.
    #[inline]
    fn zigzag(&mut self, max: u64) -> Result<i64, Error> {
        let number = self.varint(max)?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    #[inline]
    fn flag(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            byte => Err(Fault::NoBool(byte).error()),
        }
    }

    #[inline]
    fn index(&mut self) -> Result<u32, Error> {
        self.fits(u32::MAX.into())
    }

    /// A number of a type whose largest is `max`.
    #[inline]
    fn fits<T: TryFrom<u64>>(&mut self, max: u64) -> Result<T, Error> {
        self.varint(max).and_then(|number| T::try_from(number).map_err(|_| Fault::TooLarge.error()))
    }

    #[inline]
    fn fits_signed<T: TryFrom<i64>>(&mut self, max: u64) -> Result<T, Error> {
        self.zigzag(max).and_then(|number| T::try_from(number).map_err(|_| Fault::TooLarge.error()))
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Fault::NotSelfDescribing.error())
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.flag()?)
    }

    #[inline]
    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i8(self.byte()?.cast_signed())
    }

    #[inline]
    fn deserialize_i16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i16(self.fits_signed(u16::MAX.into())?)
    }

    #[inline]
    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i32(self.fits_signed(u32::MAX.into())?)
    }

    #[inline]
    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_i64(self.zigzag(u64::MAX)?)
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let number = self.varint_128()?;
        visitor.visit_i128((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    #[inline]
    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u8(self.byte()?)
    }

    #[inline]
    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u16(self.fits(u16::MAX.into())?)
    }

    #[inline]
    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u32(self.fits(u32::MAX.into())?)
    }

    #[inline]
    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u64(self.varint(u64::MAX)?)
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_u128(self.varint_128()?)
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(f32::from_le_bytes(self.chunk()?))
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(f64::from_le_bytes(self.chunk()?))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut chars = self.text()?.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => visitor.visit_char(only),
            _ => Err(Fault::NoChar.error()),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text()?)
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_bytes(self.bytes()?)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
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
        let left = self.varint(u64::MAX)?;
        visitor.visit_seq(Elements { reader: self, left })
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(Elements { reader: self, left: len as u64 })
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
        let left = self.varint(u64::MAX)?;
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

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Fault::NotSelfDescribing.error())
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Fault::NotSelfDescribing.error())
    }
}

/// What follows of a list, a tuple or a map.
struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    left: u64,
}

impl Elements<'_, '_> {
    #[inline]
    const fn next(&mut self) -> bool {
        let comes = self.left > 0;
        if comes {
            self.left -= 1;
        }
        comes
    }

    /// As many as are announced, or fewer if the bytes cannot be so many: memory is taken for them at once.
    #[inline]
    fn hint(&self) -> Option<usize> {
        usize::try_from(self.left).ok().map(|left| left.min(self.reader.0.len()))
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.next() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
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
        if self.next() { seed.deserialize(&mut *self.reader).map(Some) } else { Ok(None) }
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
        let index: U32Deserializer<Error> = self.index()?.into_deserializer();
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
