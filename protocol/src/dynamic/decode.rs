//! A payload and a shape to a value.

use std::{
    cell::{Cell, OnceCell},
    fmt::{self, Formatter},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    time::{Duration, SystemTime},
};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeSeed, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor},
};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::{DecodeFault, MAX_NAME, Path, Place, Scope, field, is_elsewhere, is_marked};
use crate::{
    bytes::Bytes,
    packet::{Codec, postcard},
    schema::{Prim, Ty, Variant},
    text::escape,
};

/// Reads the payload of a packet of shape `ty`, all of which must be used up.
///
/// The value is the one that [`serde_json::to_value`] makes of the typed packet, whichever the codec was, so
/// [`encode`](super::encode()) takes it back. From JSON, members that the shape does not have are left out, as typed code
/// ignores them; options that are absent become `null`; and what serde would fill in stays absent.
///
/// Nothing is reserved by a length that the payload claims, and lists never have more elements than the payload bytes:
/// memory is bounded by the length of the payload, times what the shape makes of a byte. That may be much, since a
/// [`Value`] is no compact thing: a list of structs that hold one byte each takes some 700 bytes for each of them. Limit
/// the payload accordingly.
///
/// # Errors
///
/// [`DecodeFault`] if the payload is not of that shape or goes on after it; also if it holds a number that no [`Value`]
/// can hold.
///
/// # Examples
///
/// ```
/// use pnet_protocol::{dynamic, packet::Codec, schema::Schema};
/// use serde_json::json;
///
/// let ty = <(u16, Option<char>)>::SCHEMA;
/// let value = json!([300, "ñ"]);
/// assert_eq!(dynamic::decode(&[0xac, 0x02, 1, 2, 0xc3, 0xb1], ty, Codec::Postcard)?, value);
/// assert_eq!(dynamic::decode(r#"[300, "ñ"]"#.as_bytes(), ty, Codec::Json)?, value);
/// assert!(dynamic::decode(b"[300]", ty, Codec::Json).is_err());
/// # Ok::<(), dynamic::DecodeFault>(())
/// ```
pub fn decode(payload: &[u8], ty: &Ty, codec: Codec) -> Result<Value, DecodeFault> {
    let walk = Walk { codec, elements_left: Cell::new(payload.len()), fault: OnceCell::new() };
    let seed = Seed { ty, place: Place::root(), walk: &walk };
    let read = match codec {
        Codec::Postcard => {
            let mut reader = postcard::Reader::new(payload);
            seed.deserialize(&mut reader).map(|value| (value, reader.rest().len()))
        }
        Codec::Json => {
            // As typed code: also what is left out has to be text.
            let text = str::from_utf8(payload).map_err(serde_json::Error::custom);
            text.and_then(|text| {
                let mut deserializer = serde_json::Deserializer::from_str(text);
                let value = seed.deserialize(&mut deserializer)?;
                deserializer.end().map(|()| (value, 0))
            })
        }
    };
    match read {
        Ok((value, 0)) => Ok(value),
        Ok((_, extra)) => Err(DecodeFault::TrailingBytes { extra }),
        Err(error) => Err(match walk.fault.into_inner() {
            Some((path, Fault::Malformed)) => DecodeFault::Malformed { path, source: error.into() },
            Some((path, Fault::TooDeep)) => DecodeFault::TooDeep { path },
            Some((path, Fault::TooMany)) => DecodeFault::TooMany { path },
            Some((path, Fault::Number)) => DecodeFault::Number { path },
            Some((path, Fault::Undescribed)) => DecodeFault::Undescribed { path },
            None => DecodeFault::Malformed { path: Path::Root.to_string(), source: error.into() },
        }),
    }
}

/// What all parts share.
struct Walk {
    codec: Codec,
    /// How many more elements lists and maps may have: one for each byte of the payload. Only elements that take no
    /// bytes can be more.
    elements_left: Cell<usize>,
    /// The first fault, with the part where it was found; deserializers have no place for it in their errors.
    fault: OnceCell<(String, Fault)>,
}

enum Fault {
    Malformed,
    TooDeep,
    TooMany,
    Number,
    Undescribed,
}

/// A part that is to be read, by its shape.
#[derive(Clone, Copy)]
struct Seed<'a> {
    ty: &'a Ty,
    place: Place<'a>,
    walk: &'a Walk,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let read = match self.ty {
            Ty::Prim(prim) => self.scalar(*prim, deserializer),
            Ty::Opaque(_) | Ty::Marked(..) => self.anything(deserializer),
            Ty::Ref(name) => match self.place.enclosing(name) {
                Some(scope) if scope.level < self.place.level => {
                    self.named(scope.name, scope.ty, scope.outer, deserializer)
                }
                Some(_) => Err(self.fault(Fault::TooDeep)),
                None => Err(self.fault(Fault::Undescribed)),
            },
            Ty::Named(name, ty) => self.named(name, ty, self.place.scope, deserializer),
            Ty::Option(_) => deserializer.deserialize_option(self),
            Ty::Seq(_) => self.inside().and_then(|inside| deserializer.deserialize_seq(inside)),
            Ty::Array(_, len) => self.inside().and_then(|inside| deserializer.deserialize_tuple(*len, inside)),
            Ty::Tuple(parts) => self.inside().and_then(|inside| deserializer.deserialize_tuple(parts.len(), inside)),
            Ty::Map(..) => self.inside().and_then(|inside| deserializer.deserialize_map(inside)),
            Ty::Struct(fields) => self.inside().and_then(|inside| match self.walk.codec {
                Codec::Postcard => deserializer.deserialize_tuple(fields.len(), inside),
                Codec::Json => deserializer.deserialize_map(inside),
            }),
            Ty::Enum(variants) if is_marked(variants) => self.anything(deserializer),
            Ty::Enum(_) => deserializer.deserialize_enum("", &[], self),
        };
        if read.is_err() {
            self.note(Fault::Malformed);
        }
        read
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.ty {
            Ty::Seq(_) => "a list",
            Ty::Array(..) => "an array",
            Ty::Tuple(_) => "a tuple",
            Ty::Map(..) => "a map",
            Ty::Struct(_) => "a struct",
            Ty::Enum(_) => "an enum",
            _ => "a value",
        })
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.ty {
            Ty::Option(ty) => Seed { ty, ..self }.deserialize(deserializer),
            _ => Err(Error::invalid_type(Unexpected::Option, &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        match self.ty {
            Ty::Seq(ty) => {
                let mut list = Vec::new();
                loop {
                    let path = Path::Element(self.place.path, list.len());
                    let seed = Seed { ty, place: self.place.at(&path), walk: self.walk };
                    let Some(value) = access.next_element_seed(seed)? else { break };
                    self.count()?;
                    list.push(value);
                }
                Ok(Value::Array(list))
            }
            Ty::Array(ty, len) => self.elements(*len, |_| Some(ty), access),
            Ty::Tuple(parts) => self.elements(parts.len(), |index| parts.get(index).copied(), access),
            Ty::Struct(fields) => {
                let mut object = Map::new();
                for (index, field) in fields.iter().enumerate() {
                    let path = Path::Member(self.place.path, field.name);
                    let seed = Seed { ty: field.ty, place: self.place.at(&path), walk: self.walk };
                    let value = access.next_element_seed(seed)?.ok_or_else(|| Error::invalid_length(index, &self))?;
                    object.insert(field.name.to_owned(), value);
                }
                Ok(Value::Object(object))
            }
            _ => Err(Error::invalid_type(Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        match self.ty {
            Ty::Map(key, ty) => {
                while let Some(name) = access.next_key_seed(KeySeed { ty: key, map: self })? {
                    self.count()?;
                    let path = Path::Member(self.place.path, &name);
                    let value = access.next_value_seed(Seed { ty, place: self.place.at(&path), walk: self.walk })?;
                    object.insert(name, value);
                }
            }
            Ty::Struct(fields) => {
                let is_open = fields.iter().any(is_elsewhere);
                while let Some(name) = access.next_key::<String>()? {
                    let path = Path::Member(self.place.path, &name);
                    let ty = match field(fields, &name) {
                        Some(field) if object.contains_key(field.name) => {
                            return Err(Error::duplicate_field(field.name));
                        }
                        Some(field) => field.ty,
                        None if is_open => &Ty::Opaque(""),
                        None => {
                            access.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let value = access.next_value_seed(Seed { ty, place: self.place.at(&path), walk: self.walk })?;
                    object.insert(name, value);
                }
                for field in *fields {
                    match field.ty {
                        _ if object.contains_key(field.name) || field.default => {}
                        Ty::Marked(..) => {}
                        Ty::Option(_) => {
                            object.insert(field.name.to_owned(), Value::Null);
                        }
                        _ => return Err(Error::missing_field(field.name)),
                    }
                }
            }
            _ => return Err(Error::invalid_type(Unexpected::Map, &self)),
        }
        Ok(Value::Object(object))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let Ty::Enum(variants) = self.ty else { return Err(Error::invalid_type(Unexpected::Enum, &self)) };
        let (variant, access) = access.variant_seed(VariantSeed(variants))?;
        let Some(ty) = variant.body else {
            return access.unit_variant().map(|()| Value::String(variant.name.to_owned()));
        };
        let inside = self.inside()?;
        let path = Path::Member(inside.place.path, variant.name);
        // What tuples and structs look like is the same in a variant as outside.
        let value = access.newtype_variant_seed(Seed { ty, place: inside.place.at(&path), walk: self.walk })?;
        Ok(Value::Object(Map::from_iter([(variant.name.to_owned(), value)])))
    }
}

impl Seed<'_> {
    fn named<'de, D: Deserializer<'de>>(
        self,
        name: &str,
        ty: &Ty,
        outer: Option<&Scope<'_>>,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        let scope = Scope { name, ty, level: self.place.level, outer };
        Seed { ty, place: self.place.within(&scope), ..self }.deserialize(deserializer)
    }

    fn scalar<'de, D: Deserializer<'de>>(self, prim: Prim, deserializer: D) -> Result<Value, D::Error> {
        match prim {
            Prim::Unit => plain::<(), D>(deserializer),
            Prim::Bool => plain::<bool, D>(deserializer),
            Prim::U8 => plain::<u8, D>(deserializer),
            Prim::U16 => plain::<u16, D>(deserializer),
            Prim::U32 => plain::<u32, D>(deserializer),
            Prim::U64 => plain::<u64, D>(deserializer),
            Prim::U128 => self.number(Number::from_u128(u128::deserialize(deserializer)?)),
            Prim::I8 => plain::<i8, D>(deserializer),
            Prim::I16 => plain::<i16, D>(deserializer),
            Prim::I32 => plain::<i32, D>(deserializer),
            Prim::I64 => plain::<i64, D>(deserializer),
            Prim::I128 => self.number(Number::from_i128(i128::deserialize(deserializer)?)),
            Prim::F32 => self.number(Number::from_f64(f32::deserialize(deserializer)?.into())),
            Prim::F64 => self.number(Number::from_f64(f64::deserialize(deserializer)?)),
            Prim::Char => plain::<char, D>(deserializer),
            Prim::Str => String::deserialize(deserializer).map(Value::String),
            Prim::Bytes => plain::<Bytes<'de>, D>(deserializer),
            Prim::Uuid => plain::<Uuid, D>(deserializer),
            Prim::Duration => plain::<Duration, D>(deserializer),
            Prim::Time => plain::<SystemTime, D>(deserializer),
            Prim::Ip => plain::<IpAddr, D>(deserializer),
            Prim::Ipv4 => plain::<Ipv4Addr, D>(deserializer),
            Prim::Ipv6 => plain::<Ipv6Addr, D>(deserializer),
            Prim::SocketAddr => plain::<SocketAddr, D>(deserializer),
            Prim::SocketAddrV4 => plain::<SocketAddrV4, D>(deserializer),
            Prim::SocketAddrV6 => plain::<SocketAddrV6, D>(deserializer),
        }
    }

    fn number<E: Error>(self, number: Option<Number>) -> Result<Value, E> {
        number.map(Value::Number).ok_or_else(|| self.fault(Fault::Number))
    }

    /// What the shape does not describe. `serde_json` limits its depth.
    fn anything<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.walk.codec {
            Codec::Postcard => Err(self.fault(Fault::Undescribed)),
            Codec::Json => Value::deserialize(deserializer),
        }
    }

    /// The elements of an array or tuple, as many as its type says.
    fn elements<'de, 't, A: SeqAccess<'de>>(
        self,
        len: usize,
        part: impl Fn(usize) -> Option<&'t Ty>,
        mut access: A,
    ) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        for index in 0..len {
            let Some(ty) = part(index) else { break };
            let path = Path::Element(self.place.path, index);
            let seed = Seed { ty, place: self.place.at(&path), walk: self.walk };
            list.push(access.next_element_seed(seed)?.ok_or_else(|| Error::invalid_length(index, &self))?);
        }
        Ok(Value::Array(list))
    }

    fn inside<E: Error>(self) -> Result<Self, E> {
        match self.place.inside() {
            Some(place) => Ok(Self { place, ..self }),
            None => Err(self.fault(Fault::TooDeep)),
        }
    }

    /// Counts an element of a list or map.
    fn count<E: Error>(self) -> Result<(), E> {
        match self.walk.elements_left.get().checked_sub(1) {
            Some(left) => {
                self.walk.elements_left.set(left);
                Ok(())
            }
            None => Err(self.fault(Fault::TooMany)),
        }
    }

    /// Keeps the fault with this part, and makes an error that ends the walk.
    fn fault<E: Error>(self, fault: Fault) -> E {
        self.note(fault);
        E::custom("the payload does not fit the shape")
    }

    fn note(self, fault: Fault) {
        self.walk.fault.get_or_init(|| (self.place.path.to_string(), fault));
    }
}

/// A value that JSON writes as serde does, read by its Rust type.
fn plain<'de, T: Deserialize<'de> + Serialize, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    serde_json::to_value(T::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The key of a map, read as JSON writes it.
struct KeySeed<'a> {
    ty: &'a Ty,
    map: Seed<'a>,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let mut ty = self.ty;
        while let Ty::Named(_, inner) = ty {
            ty = inner;
        }
        match ty {
            // Text has room for what a number in a value does not hold.
            Ty::Prim(Prim::U128) => return u128::deserialize(deserializer).map(|number| number.to_string()),
            Ty::Prim(Prim::I128) => return i128::deserialize(deserializer).map(|number| number.to_string()),
            Ty::Prim(_) | Ty::Enum(_) => {}
            _ => return Err(self.map.fault(Fault::Undescribed)),
        }
        match (Seed { ty, ..self.map }).deserialize(deserializer)? {
            Value::String(text) => Ok(text),
            Value::Bool(is) => Ok(is.to_string()),
            Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
            _ => Err(self.map.fault(Fault::Undescribed)),
        }
    }
}

/// The variant of an enum, by its name or place.
struct VariantSeed(&'static [Variant]);

impl<'de> DeserializeSeed<'de> for VariantSeed {
    type Value = &'static Variant;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for VariantSeed {
    type Value = &'static Variant;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "one of {} variants", self.0.len())
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<Self::Value, E> {
        let variant = usize::try_from(index).ok().and_then(|index| self.0.get(index));
        variant.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(index), &self))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let variant = self.0.iter().find(|variant| variant.name == name);
        variant.ok_or_else(|| E::custom(format_args!("no variant `{}`", escape(name, MAX_NAME))))
    }
}
