//! Decoding undoes encoding, in both codecs, for every type that has a schema built in; and what a packet refuses.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque},
    fmt::Debug,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    num::{NonZeroI8, NonZeroU64},
    time::{Duration, SystemTime},
};

use pnet::{Bytes, Fingerprint, Packet, Schema};
use pnet_protocol::{
    bytes::ByteBuf,
    packet::{Codec, DecodeError, EncodeError, OwnedPacket},
    schema,
};
use proptest::{collection, prelude::*};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Encodes and decodes in both codecs.
fn comes_back<P: OwnedPacket + PartialEq + Debug>(packet: &P) {
    for codec in [Codec::Postcard, Codec::Json] {
        let mut payload = b"before".to_vec();
        packet.encode(codec, &mut payload).unwrap();
        let (before, payload) = payload.split_at(6);
        assert_eq!(before, b"before");
        assert_eq!(&P::decode_owned(codec, payload).unwrap(), packet);
        let longer = [payload, &[0]].concat();
        assert!(P::decode_owned(codec, &longer).is_err(), "{codec:?} takes a byte too many");
    }
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Numbers {
    unsigned: (u8, u16, u32, u64, u128, usize),
    signed: (i8, i16, i32, i64, i128, isize),
    floats: (f32, f64),
    others: (bool, char, ()),
    not_zero: (NonZeroI8, NonZeroU64),
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Texts {
    string: String,
    boxed: Box<str>,
    cow: Cow<'static, str>,
    bytes: ByteBuf,
    numbers: Vec<u8>,
    option: Option<Box<u64>>,
    long_tuple: (u8, String, u8, String, u8, String, u8, String),
    one: (String,),
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Lists {
    vec: Vec<Option<u32>>,
    deque: VecDeque<String>,
    linked: LinkedList<i8>,
    boxed: Box<[u16]>,
    array: [i32; 3],
    none: [u8; 0],
    hash_set: HashSet<u16>,
    tree_set: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Maps {
    strings: HashMap<String, Vec<u8>>,
    numbers: BTreeMap<i64, bool>,
    wide: BTreeMap<u128, ()>,
    truth: BTreeMap<bool, u8>,
    chars: BTreeMap<char, char>,
    uuids: HashMap<Uuid, u8>,
    addresses: HashMap<IpAddr, u8>,
    kinds: BTreeMap<Kind, u8>,
    names: BTreeMap<Name, u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Schema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    FirstOne,
    SecondOne,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Schema, Serialize, Deserialize)]
struct Name(String);

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Places {
    uuid: Uuid,
    duration: Duration,
    time: SystemTime,
    ip: (IpAddr, Ipv4Addr, Ipv6Addr),
    socket: (SocketAddr, SocketAddrV4, SocketAddrV6),
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Shapes {
    all_of_them: Vec<Shape>,
    #[serde(rename = "x", alias = "y", default)]
    other: Option<Shape>,
    #[serde(skip)]
    left_out: u8,
    unit: Unit,
    empty: Empty,
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f32),
    Line(i32, i32),
    Named { name: String, inner: Unit },
    Nothing(),
}

#[derive(Clone, Debug, Default, PartialEq, Schema, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, Default, PartialEq, Schema, Serialize, Deserialize)]
struct Empty {}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(borrow)]
    data: Bytes<'a>,
}

fn float64() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has no other", |float| float.is_finite())
}

fn float32() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("JSON has no other", |float| float.is_finite())
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        Just(Shape::Nothing()),
        float32().prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(a, b)| Shape::Line(a, b)),
        any::<String>().prop_map(|name| Shape::Named { name, inner: Unit }),
    ]
}

prop_compose! {
    fn numbers()(
        unsigned in any::<(u8, u16, u32, u64, u128, usize)>(),
        signed in any::<(i8, i16, i32, i64, i128, isize)>(),
        floats in (float32(), float64()),
        others in any::<(bool, char, ())>(),
        not_zero in any::<(NonZeroI8, NonZeroU64)>(),
    ) -> Numbers {
        Numbers { unsigned, signed, floats, others, not_zero }
    }
}

prop_compose! {
    fn texts()(
        texts in any::<[String; 4]>(),
        bytes in any::<Vec<u8>>(),
        option in any::<Option<u64>>(),
        number in any::<u8>(),
    ) -> Texts {
        let [a, b, c, d] = texts;
        Texts {
            string: a.clone(),
            boxed: b.clone().into(),
            cow: c.clone().into(),
            bytes: bytes.clone().into(),
            numbers: bytes,
            option: option.map(Box::new),
            long_tuple: (number, a, number, b, number, c, number, d.clone()),
            one: (d,),
        }
    }
}

prop_compose! {
    fn lists()(
        vec in any::<Vec<Option<u32>>>(),
        deque in any::<VecDeque<String>>(),
        linked in any::<LinkedList<i8>>(),
        boxed in any::<Vec<u16>>(),
        array in any::<[i32; 3]>(),
        hash_set in any::<HashSet<u16>>(),
        tree_set in any::<BTreeSet<String>>(),
    ) -> Lists {
        Lists { vec, deque, linked, boxed: boxed.into(), array, none: [], hash_set, tree_set }
    }
}

prop_compose! {
    fn maps()(
        strings in any::<HashMap<String, Vec<u8>>>(),
        numbers in any::<BTreeMap<i64, bool>>(),
        wide in any::<BTreeMap<u128, ()>>(),
        truth in any::<BTreeMap<bool, u8>>(),
        chars in any::<BTreeMap<char, char>>(),
        uuids in collection::hash_map(uuid(), any::<u8>(), 0..4),
        addresses in any::<HashMap<IpAddr, u8>>(),
        kinds in collection::btree_map(prop_oneof![Just(Kind::FirstOne), Just(Kind::SecondOne)], any::<u8>(), 0..2),
        names in collection::btree_map(any::<String>().prop_map(Name), any::<u8>(), 0..4),
    ) -> Maps {
        Maps { strings, numbers, wide, truth, chars, uuids, addresses, kinds, names }
    }
}

prop_compose! {
    fn places()(
        uuid in uuid(),
        duration in any::<Duration>(),
        since in 0..u64::from(u32::MAX),
        ip in any::<(IpAddr, Ipv4Addr, Ipv6Addr)>(),
        ports in any::<(u16, u16)>(),
    ) -> Places {
        let (v4, v6) = (SocketAddrV4::new(ip.1, ports.0), SocketAddrV6::new(ip.2, ports.1, 0, 0));
        let time = SystemTime::UNIX_EPOCH + Duration::new(since, 5);
        Places { uuid, duration, time, ip, socket: (SocketAddr::new(ip.0, ports.0), v4, v6) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn numbers_come_back(packet in numbers()) {
        comes_back(&packet);
    }

    #[test]
    fn texts_come_back(packet in texts()) {
        comes_back(&packet);
    }

    #[test]
    fn lists_come_back(packet in lists()) {
        comes_back(&packet);
    }

    #[test]
    fn maps_come_back(packet in maps()) {
        comes_back(&packet);
    }

    #[test]
    fn places_come_back(packet in places()) {
        comes_back(&packet);
    }

    #[test]
    fn shapes_come_back(all_of_them in collection::vec(shape(), 0..8), other in proptest::option::of(shape())) {
        comes_back(&Shapes { all_of_them, other, left_out: 0, unit: Unit, empty: Empty {} });
    }

    #[test]
    fn borrowing_packets_come_back(text in any::<String>(), data in any::<Vec<u8>>()) {
        let packet = Borrowed { text: Cow::Borrowed(&text), data: Bytes::from(&data[..]) };
        for codec in [Codec::Postcard, Codec::Json] {
            let mut payload = Vec::new();
            packet.encode(codec, &mut payload).unwrap();
            let decoded = Borrowed::decode(codec, &payload).unwrap();
            prop_assert_eq!(&decoded, &packet);
            if codec == Codec::Postcard {
                prop_assert!(matches!(decoded.text, Cow::Borrowed(_)));
                prop_assert!(matches!(decoded.data.into_cow(), Cow::Borrowed(_)));
            }
        }
    }
}

#[test]
fn described_types_are_binary() {
    assert_eq!(Numbers::CODEC, Codec::Postcard);
    assert_eq!(Texts::CODEC, Codec::Postcard);
    assert_eq!(Lists::CODEC, Codec::Postcard);
    assert_eq!(Maps::CODEC, Codec::Postcard);
    assert_eq!(Places::CODEC, Codec::Postcard);
    assert_eq!(Shapes::CODEC, Codec::Postcard);
    assert_eq!(Borrowed::CODEC, Codec::Postcard);
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Flat {
    #[serde(flatten)]
    inner: Inner,
}

#[derive(Debug, PartialEq, Schema, Serialize, Deserialize)]
struct Inner {
    a: u8,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8 },
    B,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Sparse {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Tree {
    branches: Vec<Self>,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Hollow {
    units: Vec<Empty>,
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
struct Converted(u8);

impl Clone for Converted {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl From<u8> for Converted {
    fn from(value: u8) -> Self {
        Self(value)
    }
}

impl From<Converted> for u8 {
    fn from(value: Converted) -> Self {
        value.0
    }
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Heap {
    #[schema(opaque)]
    heap: BinaryHeap<u8>,
}

#[test]
fn types_that_describe_themselves_only_are_json() {
    let check = |codec: Codec, ty: &schema::Ty, text: &str| {
        assert_eq!((codec, ty.to_string().as_str()), (Codec::Json, text));
    };
    check(Flat::CODEC, Flat::SCHEMA, "{inner: {a: u8} #[serde(flatten)]}");
    check(Tagged::CODEC, Tagged::SCHEMA, r#"(A{x: u8} | B) #[serde(tag = "kind")]"#);
    check(Sparse::CODEC, Sparse::SCHEMA, r#"{note: str? #[serde(skip_serializing_if = "Option::is_none")] = default}"#);
    check(Tree::CODEC, Tree::SCHEMA, "{branches: [recursive Tree]}");
    check(Hollow::CODEC, Hollow::SCHEMA, "{units: [{}]}");
    check(Converted::CODEC, Converted::SCHEMA, r#"opaque Converted #[serde(from = "u8", into = "u8")]"#);
    check(Heap::CODEC, Heap::SCHEMA, "{heap: opaque BinaryHeap<u8>}");
    comes_back_as_json(&Flat { inner: Inner { a: 1 } }, r#"{"a":1}"#);
    comes_back_as_json(&Tagged::A { x: 1 }, r#"{"kind":"A","x":1}"#);
    comes_back_as_json(&Tagged::B, r#"{"kind":"B"}"#);
    comes_back_as_json(&Sparse { note: None }, "{}");
    comes_back_as_json(&Tree { branches: vec![Tree { branches: vec![] }] }, r#"{"branches":[{"branches":[]}]}"#);
    comes_back_as_json(&Hollow { units: vec![Empty {}] }, r#"{"units":[{}]}"#);
    comes_back_as_json(&Converted(7), "7");
}

fn comes_back_as_json<P: OwnedPacket + PartialEq + Debug>(packet: &P, json: &str) {
    let mut payload = Vec::new();
    packet.encode(P::CODEC, &mut payload).unwrap();
    assert_eq!(String::from_utf8_lossy(&payload), json);
    assert_eq!(&P::decode_owned(P::CODEC, &payload).unwrap(), packet);
}

#[test]
fn schemas_are_spelled_out() {
    assert_eq!(
        Shapes::SCHEMA.to_string(),
        "{allOfThem: [(Point | Circle(f32) | Line(i32, i32) | Named{name: str, inner: ()} | Nothing())], \
         x?: (Point | Circle(f32) | Line(i32, i32) | Named{name: str, inner: ()} | Nothing()) = default, unit: (), empty: {}}"
    );
    assert_eq!(
        Lists::SCHEMA.to_string(),
        "{vec: [u32?], deque: [str], linked: [i8], boxed: [u16], array: [i32; 3], none: [u8; 0], hash_set: [u16], \
         tree_set: [str]}"
    );
    assert!(Maps::SCHEMA.to_string().contains("kinds: {[(first-one | second-one)]: u8}, names: {[str]: u8}"));
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Float {
    list: Vec<Option<f64>>,
}

#[test]
fn numbers_that_json_lacks_are_refused_in_words() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let packet = Float { list: vec![None, Some(number)] };
        let mut payload = b"x".to_vec();
        let error = packet.encode(Codec::Json, &mut payload).unwrap_err();
        assert!(matches!(error, EncodeError::NotFinite { action: "FLOAT" }), "{error}");
        assert_eq!(payload, b"x");
        packet.encode(Codec::Postcard, &mut payload).unwrap();
    }
}

#[derive(Debug, Packet, Serialize)]
struct Lopsided {
    value: u8,
}

impl<'de> Deserialize<'de> for Lopsided {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <(u8, u8)>::deserialize(deserializer).map(|(value, _)| Self { value })
    }
}

#[test]
fn debug_builds_notice_what_does_not_decode() {
    let mut payload = b"x".to_vec();
    let result = Lopsided { value: 1 }.encode(Codec::Postcard, &mut payload);
    if cfg!(debug_assertions) {
        assert!(matches!(result, Err(EncodeError::DoesNotDecode { action: "LOPSIDED", .. })));
        assert_eq!(payload, b"x");
    }
}

#[test]
fn bytes_after_the_packet_are_refused() {
    let error = Inner2::decode_owned(Codec::Postcard, &[1, 2, 3]).unwrap_err();
    assert!(matches!(error, DecodeError::TrailingBytes { action: "INNER2", extra: 2 }), "{error}");
    assert!(matches!(Inner2::decode_owned(Codec::Json, br#"{"a":1} x"#), Err(DecodeError::Malformed { .. })));
    assert!(matches!(Inner2::decode_owned(Codec::Json, b"{"), Err(DecodeError::Malformed { .. })));
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Inner2 {
    a: u8,
}

mod changed {
    use super::{Deserialize, Packet, Serialize};

    #[derive(Packet, Serialize, Deserialize)]
    pub(crate) struct Inner2 {
        pub(crate) b: u8,
    }
}

#[test]
fn hashes_see_every_difference_but_type_names() {
    assert_eq!(schema::hash(Inner::SCHEMA), schema::hash(Inner2::SCHEMA));
    assert_ne!(schema::hash(Inner2::SCHEMA), schema::hash(changed::Inner2::SCHEMA));
    assert_ne!(schema::hash(Flat::SCHEMA), schema::hash(Inner::SCHEMA));
    assert_eq!(
        schema::hash(Inner::SCHEMA),
        0x93f9_2f87_26e7_0612,
        "the hash is part of the wire: a change needs a new format version"
    );
}

#[test]
fn fingerprints_are_texts_also_as_keys_of_maps() {
    #[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
    struct Friends {
        names: BTreeMap<Fingerprint, String>,
        latest: Option<Fingerprint>,
    }

    let ada = Fingerprint::from_bytes([7; 32]);
    let friends = Friends { names: BTreeMap::from([(ada, "ada".to_owned())]), latest: Some(ada) };
    comes_back(&friends);
    let json = serde_json::to_value(&friends).unwrap();
    assert_eq!(json["latest"], serde_json::json!(ada.to_string()));
    assert!(serde_json::from_str::<Fingerprint>("\"SHA256:short\"").is_err());
}
