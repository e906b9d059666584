//! Looks for numbers that JSON cannot carry.
//!
//! `serde_json` writes NaN and the infinities as `null`, which the other side then refuses, and does not tell its formatter that
//! it is a number. A serializer that writes nothing finds them first.

use std::{
    cell::Cell,
    fmt::{self, Display},
};

use serde::ser::{self, Serialize};

/// `false` if `value` holds NaN or an infinity. Errors of the value's own `Serialize` are left to the codec.
pub(super) fn check<T: Serialize + ?Sized>(value: &T) -> bool {
    let found = Cell::new(false);
    value.serialize(Walk(&found)).is_ok() || !found.get()
}

/// What it has found is beside the error, which may be that of a type.
#[derive(Clone, Copy)]
struct Walk<'a>(&'a Cell<bool>);

macro_rules! skip {
    ($($name:ident($($ty:ty),*))*) => {$(
        #[inline]
        fn $name(self, $(_: $ty),*) -> fmt::Result {
            Ok(())
        }
    )*};
}

macro_rules! look {
    ($($name:ident($ty:ty))*) => {$(
        fn $name(self, number: $ty) -> fmt::Result {
            self.0.set(!number.is_finite());
            if self.0.get() { Err(fmt::Error) } else { Ok(()) }
        }
    )*};
}

macro_rules! go_on {
    ($($name:ident($($ty:ty),*))*) => {$(
        fn $name<T: Serialize + ?Sized>(self, $(_: $ty,)* value: &T) -> fmt::Result {
            value.serialize(self)
        }
    )*};
}

macro_rules! open {
    ($($name:ident($($ty:ty),*))*) => {$(
        fn $name(self, $(_: $ty),*) -> Result<Self, fmt::Error> {
            Ok(self)
        }
    )*};
}

impl ser::Serializer for Walk<'_> {
    type Ok = ();
    type Error = fmt::Error;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    skip! {
        serialize_bool(bool)
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64) serialize_i128(i128)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64) serialize_u128(u128)
        serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_none() serialize_unit() serialize_unit_struct(&'static str)
        serialize_unit_variant(&'static str, u32, &'static str)
    }

    look! { serialize_f32(f32) serialize_f64(f64) }

    go_on! {
        serialize_some() serialize_newtype_struct(&'static str)
        serialize_newtype_variant(&'static str, u32, &'static str)
    }

    open! {
        serialize_seq(Option<usize>) serialize_tuple(usize) serialize_tuple_struct(&'static str, usize)
        serialize_tuple_variant(&'static str, u32, &'static str, usize)
        serialize_map(Option<usize>) serialize_struct(&'static str, usize)
        serialize_struct_variant(&'static str, u32, &'static str, usize)
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> fmt::Result {
        Ok(())
    }
}

macro_rules! parts {
    ($($part:ident: $(($skipped:ident))? $name:ident($($key:ty)?);)*) => {$(
        impl ser::$part for Walk<'_> {
            type Ok = ();
            type Error = fmt::Error;

            $(fn $skipped<T: Serialize + ?Sized>(&mut self, _: &T) -> fmt::Result {
                Ok(())
            })?

            fn $name<T: Serialize + ?Sized>(&mut self, $(_: $key,)? value: &T) -> fmt::Result {
                value.serialize(*self)
            }

            fn end(self) -> fmt::Result {
                Ok(())
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element();
    SerializeTuple: serialize_element();
    SerializeTupleStruct: serialize_field();
    SerializeTupleVariant: serialize_field();
    // Keys are left to the codec, which refuses those that are no text.
    SerializeMap: (serialize_key) serialize_value();
    SerializeStruct: serialize_field(&'static str);
    SerializeStructVariant: serialize_field(&'static str);
}
