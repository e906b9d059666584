//! Values without parts, as serde would write them.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    str::FromStr,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer};
use serde_json::Value;
use uuid::Uuid;

use super::{MAX_NAME, MisfitReason};
use crate::{
    bytes::ByteBuf,
    schema::{Prim, Ty},
    text::escape,
};

/// A value without parts. Those of one type are in the order in which a `BTreeMap` has its keys.
#[derive(Debug, PartialEq, PartialOrd)]
pub(super) enum Scalar<'a> {
    Unit,
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    U128(u128),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    I128(i128),
    F32(f32),
    F64(f64),
    Char(char),
    Str(&'a str),
    Bytes(ByteBuf),
    Uuid(Uuid),
    Ip(IpAddr),
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
    SocketAddr(SocketAddr),
    SocketAddrV4(SocketAddrV4),
    SocketAddrV6(SocketAddrV6),
    Variant(u32, &'static str),
}

/// The integer of this type, read by `$read`; `None` if `$prim` is no integer.
macro_rules! integers {
    ($prim:expr, $read:expr) => {
        integers!(@ $prim, $read, U8 U16 U32 U64 U128 I8 I16 I32 I64 I128)
    };
    (@ $prim:expr, $read:expr, $($variant:ident)*) => {
        match $prim {
            $(Prim::$variant => Some($read.map(Self::$variant)),)*
            _ => None,
        }
    };
}

impl<'a> Scalar<'a> {
    /// `value` as a `prim`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn of(value: &'a Value, prim: Prim) -> Result<Self, MisfitReason> {
        match prim {
            Prim::Unit if value.is_null() => Ok(Self::Unit),
            Prim::Unit => Err(MisfitReason::kind("null", value)),
            Prim::Bool => value.as_bool().map(Self::Bool).ok_or_else(|| MisfitReason::kind("a boolean", value)),
            Prim::F32 | Prim::F64 => float(value, prim),
            // They have parts in JSON, and are written as structs.
            Prim::Duration | Prim::Time => Err(MisfitReason::Undescribed),
            _ => match (integers!(prim, integer(value, prim)), value) {
                (Some(integer), _) => integer,
                (None, Value::String(text)) => Self::of_text(text, prim),
                (None, _) => Err(MisfitReason::kind("a string", value)),
            },
        }
    }

    /// The key of a map, written as the name of a member.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or with keys of this type.
    pub(super) fn of_key(key: &'a str, ty: &Ty) -> Result<Self, MisfitReason> {
        match ty {
            Ty::Named(_, ty) => Self::of_key(key, ty),
            Ty::Enum(variants) if variants.iter().all(|variant| variant.body.is_none()) => {
                let found = (0..).zip(*variants).find(|(_, variant)| variant.name == key);
                found.map(|(index, variant)| Self::Variant(index, variant.name)).ok_or_else(|| {
                    MisfitReason::UnknownVariant {
                        found: escape(key, MAX_NAME),
                        known: variants.iter().map(|variant| variant.name).collect(),
                    }
                })
            }
            Ty::Prim(prim) => match prim {
                Prim::Bool => match key {
                    "true" => Ok(Self::Bool(true)),
                    "false" => Ok(Self::Bool(false)),
                    _ => Err(MisfitReason::Text { wanted: "`true` or `false`" }),
                },
                prim => integers!(prim, integer_key(key, *prim)).unwrap_or_else(|| Self::of_text(key, *prim)),
            },
            _ => Err(MisfitReason::Keys),
        }
    }

    /// What is text in JSON, whether it is a value or a key.
    fn of_text(text: &'a str, prim: Prim) -> Result<Self, MisfitReason> {
        match prim {
            Prim::Str => Ok(Self::Str(text)),
            Prim::Char => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => Ok(Self::Char(char)),
                    (None, _) => Err(MisfitReason::Kind { wanted: "one character", found: "an empty text" }),
                    _ => Err(MisfitReason::Kind { wanted: "one character", found: "a longer text" }),
                }
            }
            Prim::Bytes => match STANDARD.decode(text) {
                Ok(bytes) => Ok(Self::Bytes(bytes.into())),
                Err(_) => Err(MisfitReason::Text { wanted: "base64 (standard, padded)" }),
            },
            Prim::Uuid => parse(text, "a uuid").map(Self::Uuid),
            Prim::Ip => parse(text, "an IP address").map(Self::Ip),
            Prim::Ipv4 => parse(text, "an IPv4 address").map(Self::Ipv4),
            Prim::Ipv6 => parse(text, "an IPv6 address").map(Self::Ipv6),
            Prim::SocketAddr => parse(text, "an IP address with port").map(Self::SocketAddr),
            Prim::SocketAddrV4 => parse(text, "an IPv4 address with port").map(Self::SocketAddrV4),
            Prim::SocketAddrV6 => parse(text, "an IPv6 address with port").map(Self::SocketAddrV6),
            _ => Err(MisfitReason::Keys),
        }
    }
}

impl Serialize for Scalar<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        macro_rules! serialize {
            ($($variant:ident)*) => {
                match self {
                    Self::Unit => serializer.serialize_unit(),
                    Self::Variant(index, name) => serializer.serialize_unit_variant("", *index, name),
                    $(Self::$variant(value) => value.serialize(serializer),)*
                }
            };
        }

        serialize! {
            Bool U8 U16 U32 U64 U128 I8 I16 I32 I64 I128 F32 F64 Char Str Bytes Uuid Ip Ipv4 Ipv6 SocketAddr SocketAddrV4
            SocketAddrV6
        }
    }
}

fn integer<T: TryFrom<i128> + TryFrom<u128>>(value: &Value, prim: Prim) -> Result<T, MisfitReason> {
    let Value::Number(number) = value else { return Err(MisfitReason::kind("an integer", value)) };
    let (signed, unsigned) = (number.as_i128(), number.as_u128());
    if signed.is_none() && unsigned.is_none() && number.is_f64() {
        // Which of the three it was is lost with the text.
        let found = "a float (a point, an exponent, or more than 64 bits)";
        return Err(MisfitReason::Kind { wanted: "an integer", found });
    }
    let fits = signed.and_then(|number| number.try_into().ok());
    fits.or_else(|| unsigned.and_then(|number| number.try_into().ok()))
        .ok_or_else(|| MisfitReason::out_of_range(&number.to_string(), prim))
}

#[expect(clippy::cast_possible_truncation, reason = "as serde reads numbers into floats")]
fn float(value: &Value, prim: Prim) -> Result<Scalar<'static>, MisfitReason> {
    let Value::Number(number) = value else { return Err(MisfitReason::kind("a number", value)) };
    let float = match prim {
        Prim::F32 => {
            let whole =
                number.as_u64().map(|number| number as f32).or_else(|| number.as_i64().map(|number| number as f32));
            let float = whole.or_else(|| number.as_f64().map(|number| number as f32));
            float.filter(|float| float.is_finite()).map(Scalar::F32)
        }
        _ => number.as_f64().filter(|float| float.is_finite()).map(Scalar::F64),
    };
    float.ok_or_else(|| MisfitReason::out_of_range(&number.to_string(), prim))
}

/// An integer as `Display` writes it: no plus, no zeros in front, so that no two keys are the same number.
fn integer_key<T: FromStr + Display>(key: &str, prim: Prim) -> Result<T, MisfitReason> {
    let digits = key.strip_prefix('-').unwrap_or(key);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || (digits.starts_with('0') && key != "0") {
        return Err(MisfitReason::Text { wanted: "an integer" });
    }
    key.parse().map_err(|_| MisfitReason::out_of_range(key, prim))
}

fn parse<T: FromStr>(text: &str, wanted: &'static str) -> Result<T, MisfitReason> {
    text.parse().map_err(|_| MisfitReason::Text { wanted })
}
