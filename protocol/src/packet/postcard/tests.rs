//! Beside the crate: what it writes, and what it reads of any bytes.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt::{self, Debug},
};

use proptest::{collection::vec, prelude::*};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, IgnoredAny, MapAccess, Visitor},
    ser::Error as _,
};

use super::Reader;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct All<'a> {
    signed: (i8, i16, i32, i64, i128),
    unsigned: (u8, u16, u32, u64, u128),
    floats: (f32, f64),
    flag: bool,
    letter: char,
    #[serde(borrow)]
    text: Cow<'a, str>,
    bytes: crate::bytes::ByteBuf,
    list: Vec<Option<i64>>,
    array: [u16; 3],
    map: BTreeMap<String, Kind>,
    nothing: (),
    unit: Unit,
    inner: Newtype,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Unit;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Newtype(u32);

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Kind {
    Unit,
    Newtype(String),
    Tuple(u8, i16),
    Struct { a: bool, b: Vec<u8> },
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any::<String>().prop_map(Kind::Newtype),
        any::<(u8, i16)>().prop_map(|(a, b)| Kind::Tuple(a, b)),
        any::<(bool, Vec<u8>)>().prop_map(|(a, b)| Kind::Struct { a, b }),
    ]
}

/// Numbers of every length.
fn wide<T: Arbitrary + Copy + std::ops::Shr<u32, Output = T>>(bits: u32) -> impl Strategy<Value = T> {
    (any::<T>(), 0..bits).prop_map(|(number, shift)| number >> shift)
}

fn values() -> impl Strategy<Value = All<'static>> {
    let signed = (any::<i8>(), wide(16), wide(32), wide(64), wide(128));
    let unsigned = (any::<u8>(), wide(16), wide(32), wide(64), wide(128));
    let rest = (vec(any::<Option<i64>>(), 0..4), any::<[u16; 3]>(), any::<u32>());
    let map = proptest::collection::btree_map(any::<String>(), kinds(), 0..4);
    (signed, unsigned, any::<(bool, char, String)>(), any::<Vec<u8>>(), rest, map, any::<(i32, i64)>()).prop_map(
        |(signed, unsigned, (flag, letter, text), bytes, (list, array, number), map, (a, b))| All {
            signed,
            unsigned,
            floats: (a as f32, b as f64),
            flag,
            letter,
            text: text.into(),
            bytes: bytes.into(),
            list,
            array,
            map,
            nothing: (),
            unit: Unit,
            inner: Newtype(number),
        },
    )
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    super::write(value, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<(T, &'de [u8]), String> {
    let mut reader = Reader::new(bytes);
    let value = T::deserialize(&mut reader).map_err(|error| error.to_string())?;
    Ok((value, reader.rest()))
}

/// Both read the same of the same bytes, or both refuse them.
fn check<'de, T: Deserialize<'de> + PartialEq + Debug>(bytes: &'de [u8]) {
    let (ours, theirs) = (read::<T>(bytes), postcard::take_from_bytes::<T>(bytes));
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs),
        (Err(_), Err(_)) => {}
        _ => panic!("{bytes:?}: {ours:?}, {theirs:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_the_crate_writes(value in values()) {
        let bytes = written(&value).unwrap();
        prop_assert_eq!(&bytes, &postcard::to_allocvec(&value).unwrap());
        let (back, rest) = read::<All<'_>>(&bytes).unwrap();
        prop_assert!(rest.is_empty() && back == value && matches!(back.text, Cow::Borrowed(_)));
        // Cut off anywhere, nothing is read.
        for len in 0..bytes.len() {
            prop_assert!(read::<All<'_>>(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_as_the_crate_reads_them(bytes in vec(any::<u8>(), 0..24)) {
        check::<(u16, u32)>(&bytes);
        check::<(i16, i32, i64)>(&bytes);
        check::<u64>(&bytes);
        check::<u128>(&bytes);
        check::<i128>(&bytes);
        check::<Vec<Option<i8>>>(&bytes);
        check::<BTreeMap<bool, Kind>>(&bytes);
        check::<(&str, &[u8])>(&bytes);
        check::<Vec<Kind>>(&bytes);
    }

    #[test]
    fn changed_bytes_are_read_as_the_crate_reads_them(value in values(), at: prop::sample::Index, byte: u8) {
        let mut bytes = written(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let (ours, theirs) = (read::<All<'_>>(&bytes), postcard::take_from_bytes::<All<'_>>(&bytes));
        // A character must be the only one of its text, which the crate does not ask for.
        prop_assert!(ours.is_ok() == theirs.is_ok() || ours.is_err_and(|error| error == "a text is not one character"));
    }
}

#[test]
fn numbers_end_where_their_types_do() {
    let mut long = [0xff; 20];
    for (len, last) in [(3, 0x03), (5, 0x0f), (10, 0x01), (19, 0x03)] {
        for last in [last, last + 1] {
            long[len - 1] = last;
            let bytes = &long[..len];
            check::<u16>(bytes);
            check::<u32>(bytes);
            check::<u64>(bytes);
            check::<u128>(bytes);
        }
        long[len - 1] = 0xff;
    }
    assert_eq!(read::<u64>(&[0xff; 20]).unwrap_err(), "a number is too large for its type");
    assert_eq!(read::<u64>(&[0xff; 9]).unwrap_err(), "the payload ends too early");
    // More bytes than it takes, but no more than the type may have.
    check::<u16>(&[0x80, 0x80, 0x00]);
    check::<u16>(&[0x80, 0x80, 0x80, 0x00]);
}

#[test]
fn faults_say_what_is_wrong() {
    assert_eq!(read::<bool>(&[2]).unwrap_err(), "0x02 is neither 0 nor 1");
    assert_eq!(read::<Option<u8>>(&[3, 1]).unwrap_err(), "0x03 is neither 0 nor 1");
    assert_eq!(read::<&str>(&[1, 0xff]).unwrap_err(), "a text is not UTF-8");
    assert_eq!(read::<&str>(&[2, b'a']).unwrap_err(), "the payload ends too early");
    assert_eq!(read::<char>(&[2, b'a', b'b']).unwrap_err(), "a text is not one character");
    assert_eq!(read::<char>(&[0]).unwrap_err(), "a text is not one character");
    assert_eq!(read::<Kind>(&[4]).unwrap_err(), "invalid value: integer `4`, expected variant index 0 <= i < 4");
    let any = "the type needs a format that describes itself, such as JSON";
    assert_eq!(Reader::new(&[]).rest(), b"");
    assert_eq!(read::<IgnoredAny>(&[0]).map(|_| ()).unwrap_err(), any);
}

#[test]
fn a_length_that_is_not_there_takes_no_memory() {
    assert_eq!(read::<Vec<u64>>(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]).unwrap_err(), "the payload ends too early");
    assert_eq!(read::<String>(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]).unwrap_err(), "the payload ends too early");
}

/// What a map says of how many entries come.
#[derive(Debug)]
struct Announced(Option<usize>);

impl<'de> Deserialize<'de> for Announced {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(None))
    }
}

impl<'de> Visitor<'de> for Announced {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self, A::Error> {
        Ok(Self(map.size_hint()))
    }
}

#[test]
fn a_map_announces_no_more_than_the_bytes_hold() {
    assert_eq!(read::<Announced>(&[2, 1, 2, 3]).unwrap().0.0, Some(2));
    assert_eq!(read::<Announced>(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]).unwrap().0.0, Some(1));
}

/// A number that its type takes for none.
#[derive(Debug)]
struct Odd;

impl Serialize for Odd {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("it is odd"))
    }
}

impl<'de> Deserialize<'de> for Odd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        Err(D::Error::custom(format_args!("{number} is odd")))
    }
}

#[test]
fn what_a_type_says_is_told() {
    assert_eq!(written(&vec![Odd]).unwrap_err(), "it is odd");
    assert_eq!(read::<Option<Odd>>(&[1, 7]).unwrap_err(), "7 is odd");
}

/// What a type does that only knows how to show itself.
struct Shown;

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}-{}", 1, 2))
    }
}

/// A list whose length is known behind it only.
struct Endless;

impl Serialize for Endless {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_seq(None)?;
        unreachable!("a list needs its length")
    }
}

#[test]
fn what_shows_itself_is_text_and_lists_need_their_length() {
    assert_eq!(written(&Shown).unwrap(), b"\x031-2");
    assert_eq!(written(&Endless).unwrap_err(), "the length of a list or map is not known beforehand");
}
