//! Values to JSON text, byte for byte as serde_json writes it.
//!
//! Most of a packet's JSON are names, texts and what stands between them. serde_json looks at each byte of a text, and hands over
//! what it writes in many small pieces; here texts are looked through by eight bytes, and go to the buffer as they are. Numbers,
//! keys of maps and texts in which something is escaped are left to serde_json.

use std::fmt::Display;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Error;

use crate::find::find_special;

/// Appends values to a buffer.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// The next text is JSON already.
    raw: bool,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, raw: false }
    }

    /// For what serde_json writes itself.
    #[inline]
    fn json(&mut self) -> serde_json::Serializer<&mut Vec<u8>> {
        serde_json::Serializer::new(&mut *self.out)
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        if self.raw {
            self.out.extend_from_slice(text.as_bytes());
        } else if find_special(text.as_bytes()).is_some() {
            return self.json().serialize_str(text);
        } else {
            self.out.reserve(text.len() + 2);
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        }
        Ok(())
    }

    /// The name of a field, behind the one before.
    fn name(&mut self, name: &str, first: bool) -> Result<(), Error> {
        if !first {
            self.out.push(b',');
        }
        self.text(name)?;
        self.out.push(b':');
        Ok(())
    }

    /// The name of a variant, and what opens the value behind it.
    fn variant(&mut self, name: &str, open: &[u8]) -> Result<(), Error> {
        self.out.push(b'{');
        self.name(name, true)?;
        self.out.extend_from_slice(open);
        Ok(())
    }
}

/// Several values between brackets.
pub(crate) struct Inside<'w, 'a> {
    writer: &'w mut Writer<'a>,
    first: bool,
    close: &'static [u8],
}

impl<'w, 'a> Inside<'w, 'a> {
    fn new(writer: &'w mut Writer<'a>, close: &'static [u8]) -> Self {
        Self { writer, first: true, close }
    }

    #[inline]
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        if !std::mem::replace(&mut self.first, false) {
            self.writer.out.push(b',');
        }
        value.serialize(&mut *self.writer)
    }

    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        if !self.writer.raw {
            self.writer.name(name, self.first)?;
            self.first = false;
        }
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> Result<(), Error> {
        if !std::mem::take(&mut self.writer.raw) {
            self.writer.out.extend_from_slice(self.close);
        }
        Ok(())
    }
}

impl<'w, 'a> Serializer for &'w mut Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Inside<'w, 'a>;
    type SerializeTuple = Inside<'w, 'a>;
    type SerializeTupleStruct = Inside<'w, 'a>;
    type SerializeTupleVariant = Inside<'w, 'a>;
    type SerializeMap = Inside<'w, 'a>;
    type SerializeStruct = Inside<'w, 'a>;
    type SerializeStructVariant = Inside<'w, 'a>;

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Error> {
        self.json().serialize_i8(value)
    }

    fn serialize_i16(self, value: i16) -> Result<(), Error> {
        self.json().serialize_i16(value)
    }

    fn serialize_i32(self, value: i32) -> Result<(), Error> {
        self.json().serialize_i32(value)
    }

    fn serialize_i64(self, value: i64) -> Result<(), Error> {
        self.json().serialize_i64(value)
    }

    fn serialize_i128(self, value: i128) -> Result<(), Error> {
        self.json().serialize_i128(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Error> {
        self.json().serialize_u8(value)
    }

    fn serialize_u16(self, value: u16) -> Result<(), Error> {
        self.json().serialize_u16(value)
    }

    fn serialize_u32(self, value: u32) -> Result<(), Error> {
        self.json().serialize_u32(value)
    }

    fn serialize_u64(self, value: u64) -> Result<(), Error> {
        self.json().serialize_u64(value)
    }

    fn serialize_u128(self, value: u128) -> Result<(), Error> {
        self.json().serialize_u128(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Error> {
        self.json().serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<(), Error> {
        self.json().serialize_f64(value)
    }

    fn serialize_char(self, value: char) -> Result<(), Error> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.text(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.json().serialize_bytes(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.text(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant, b"")?;
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Inside<'w, 'a>, Error> {
        self.out.push(b'[');
        Ok(Inside::new(self, b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Inside<'w, 'a>, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'w, 'a>, Error> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'w, 'a>, Error> {
        self.variant(variant, b"[")?;
        Ok(Inside::new(self, b"]}"))
    }

    /// The bracket comes with the first key.
    fn serialize_map(self, _: Option<usize>) -> Result<Inside<'w, 'a>, Error> {
        Ok(Inside::new(self, b"}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Inside<'w, 'a>, Error> {
        if name.starts_with(OWN) {
            self.raw = true;
        } else {
            self.out.push(b'{');
        }
        Ok(Inside::new(self, b"}"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'w, 'a>, Error> {
        self.variant(variant, b"{")?;
        Ok(Inside::new(self, b"}}"))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.json().collect_str(value)
    }
}

macro_rules! parts {
    ($($kind:ident: $put:ident($($name:ident)?) by $by:ident;)*) => {$(
        impl $kind for Inside<'_, '_> {
            type Ok = ();
            type Error = Error;

            #[inline]
            fn $put<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Result<(), Error> {
                self.$by($($name,)? value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element() by item;
    SerializeTuple: serialize_element() by item;
    SerializeTupleStruct: serialize_field() by item;
    SerializeTupleVariant: serialize_field() by item;
    SerializeStruct: serialize_field(name) by field;
    SerializeStructVariant: serialize_field(name) by field;
}

/// What may be a key, and how it is written, is serde_json's: as the first of a map, whose bracket is that of this one, or
/// becomes the comma in front.
impl SerializeMap for Inside<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let start = self.writer.out.len();
        let mut json = self.writer.json();
        SerializeMap::serialize_key(&mut json.serialize_map(None)?, key)?;
        if !std::mem::replace(&mut self.first, false)
            && let Some(bracket) = self.writer.out.get_mut(start)
        {
            *bracket = b',';
        }
        Ok(())
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.writer.out.push(b':');
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Result<(), Error> {
        if self.first {
            self.writer.out.push(b'{');
        }
        self.close()
    }
}

/// How serde_json calls the types whose one field is JSON text: raw values, and numbers of any precision.
const OWN: &str = "$serde_json::private::";

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, HashMap},
        net::IpAddr,
    };

    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Value, value::RawValue};

    use super::*;

    fn written<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
        let mut out = b"before".to_vec();
        value.serialize(&mut Writer::new(&mut out)).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned())
    }

    #[track_caller]
    fn same<T: Serialize + ?Sized>(value: &T) {
        assert_eq!(written(value), serde_json::to_string(value).map_err(|error| error.to_string()));
    }

    #[derive(Serialize)]
    struct Unit;

    #[derive(Serialize)]
    struct Empty {}

    #[derive(Serialize)]
    struct New(u8);

    #[derive(Serialize)]
    struct Two(u8, String);

    #[derive(Serialize)]
    struct Odd {
        #[serde(rename = "with \"quotes\"\n")]
        quoted: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u8>,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    }

    #[derive(Serialize)]
    enum Kind {
        Unit,
        New(String),
        Tuple(i8, i8),
        Struct { a: Option<u8>, b: Vec<Self> },
        Nothing {},
    }

    #[derive(Serialize)]
    #[serde(tag = "kind", content = "data")]
    enum Tagged {
        Text(String),
        Place { x: i32 },
    }

    #[derive(Serialize)]
    #[serde(untagged)]
    enum Any {
        Text(String),
        Pair((u8, bool)),
    }

    struct Blob<'a>(&'a [u8]);

    impl Serialize for Blob<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    struct Shown<'a>(&'a str);

    impl Serialize for Shown<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self.0)
        }
    }

    #[test]
    fn every_kind_of_value_is_written_as_serde_json_does() {
        same(&(Unit, Empty {}, New(3), Two(4, "five".into()), (), true, false));
        same(&(i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN, u8::MAX, u16::MAX, u32::MAX));
        same(&(u64::MAX, u128::MAX, 1.5_f32, -0.0_f64, 1e300, f64::NAN, f32::INFINITY));
        same(&('a', '"', '\\', '\u{7}', '\u{7F}', 'ü', '🦀', Some("text"), None::<u8>));
        same(&vec![vec![1_u8, 2], vec![], vec![3]]);
        same(&(Blob(b""), Blob(&[0, 127, 255]), Shown("it says \"hi\""), Shown("plain")));
        for kind in [
            Kind::Unit,
            Kind::New("n".into()),
            Kind::Tuple(-1, 1),
            Kind::Struct { a: None, b: vec![] },
            Kind::Struct { a: Some(1), b: vec![Kind::Unit, Kind::Nothing {}, Kind::Struct { a: None, b: vec![] }] },
            Kind::Nothing {},
        ] {
            same(&kind);
            same(&(&kind, &kind));
        }
        same(&[Tagged::Text("t".into()), Tagged::Place { x: -3 }]);
        same(&[Any::Text("t".into()), Any::Pair((1, true))]);
        let rest = BTreeMap::from([("more".to_owned(), serde_json::json!({"a": [1, null]}))]);
        same(&Odd { quoted: 1, absent: None, rest: rest.clone() });
        same(&Odd { quoted: 1, absent: Some(2), rest: BTreeMap::new() });
        let addresses: Vec<IpAddr> = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        same(&addresses);
    }

    #[test]
    fn keys_are_those_of_serde_json() {
        same(&BTreeMap::<String, u8>::new());
        same(&BTreeMap::from([("a", 1), ("b\"", 2)]));
        same(&BTreeMap::from([(1_u64, BTreeMap::from([(-1_i8, ())])), (2, BTreeMap::new())]));
        same(&BTreeMap::from([(true, 'x'), (false, 'y')]));
        same(&BTreeMap::from([('k', 1)]));
        same(&HashMap::from([("10.0.0.1".parse::<IpAddr>().unwrap(), Some(1))]));
        // No key.
        same(&BTreeMap::from([((1, 2), 3)]));
        same(&BTreeMap::from([(Some(1), 3)]));
        same(&BTreeMap::from([(vec![1], 3)]));
    }

    #[test]
    fn json_text_stays_what_it_is() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        same(&raw(r#"{"a": [1, "x\n"] }"#));
        same(&vec![raw("null"), raw(r#""text \"quoted\"""#), raw("[ ]")]);
        same(&(raw("1"), "text \"quoted\"", Two(1, "a".into())));
        same(&BTreeMap::from([("raw", raw("{}"))]));
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            r#"[ -~"\\\x00-\x1f]{0,40}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_value_is_written_as_serde_json_does(value in value()) {
            prop_assert_eq!(written(&value), Ok(value.to_string()));
        }

        #[test]
        fn any_text_is_written_as_serde_json_does(text: String, ascii in r#"[ -~"\\\x00-\x1f]{0,80}"#) {
            same(&(&text, &ascii, Shown(&text)));
        }
    }
}
