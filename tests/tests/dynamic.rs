//! Payloads made from JSON values and shapes are those of the typed packets, and come back as the same values.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque},
    fmt::Debug,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    num::{NonZeroI8, NonZeroU64},
    time::{Duration, SystemTime},
};

use pnet::{ByteBuf, Packet, Schema};
use pnet_protocol::{
    dynamic::{self, DecodeFault, MisfitReason},
    packet::{Codec, OwnedPacket},
    schema::{self, Ty},
};
use proptest::{collection, option, prelude::*, sample};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

const BOTH: [Codec; 2] = [Codec::Postcard, Codec::Json];

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Scalars {
    unsigned: (u8, u16, u32, u64, u128, usize),
    signed: (i8, i16, i32, i64, i128, isize),
    floats: (f32, f64),
    others: (bool, char, (), String, ByteBuf),
    uuid: Uuid,
    duration: Duration,
    time: SystemTime,
    ip: (IpAddr, Ipv4Addr, Ipv6Addr),
    socket: (SocketAddr, SocketAddrV4, SocketAddrV6),
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Lists {
    vec: Vec<Option<u32>>,
    bytes: Vec<u8>,
    deque: VecDeque<String>,
    linked: LinkedList<i8>,
    boxed: Box<[u16]>,
    array: [i32; 3],
    none: [u8; 0],
    one: (String,),
    long: (u8, String, u8, String, u8, String, u8, Box<u64>),
    result: Result<u16, String>,
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Maps {
    strings: BTreeMap<String, Vec<u8>>,
    numbers: BTreeMap<i64, bool>,
    bytes: BTreeMap<u8, Option<char>>,
    wide: BTreeMap<u128, ()>,
    negative: BTreeMap<i128, i8>,
    truth: BTreeMap<bool, u8>,
    chars: BTreeMap<char, char>,
    blobs: BTreeMap<ByteBuf, u8>,
    uuids: BTreeMap<Uuid, f32>,
    addresses: BTreeMap<IpAddr, u8>,
    sockets: BTreeMap<SocketAddr, u8>,
    kinds: BTreeMap<Kind, BTreeMap<Name, u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Schema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    SecondOne,
    FirstOne,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Schema, Serialize, Deserialize)]
struct Name(String);

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shapes {
    all_of_them: Vec<Shape>,
    #[serde(rename = "x")]
    other: Option<Shape>,
    #[serde(skip)]
    left_out: u8,
    unit: Unit,
    empty: Empty,
    nothing: Nothing,
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f32),
    Line(i32, i32),
    Named { name: String, inner: Unit },
    Nothing(),
    Nested(Inner),
    Perhaps(Option<Inner>),
    Unit(Unit),
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
enum Inner {
    A,
    B { list: Vec<Kind> },
}

#[derive(Clone, Debug, Default, PartialEq, Schema, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, Default, PartialEq, Schema, Serialize, Deserialize)]
struct Empty {}

#[derive(Clone, Debug, Default, PartialEq, Schema, Serialize, Deserialize)]
struct Nothing();

/// Postcard could be made to carry it.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Tree {
    name: String,
    branches: Vec<Self>,
    twins: Option<Box<(Self, Self)>>,
}

/// Only JSON carries it.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Loose {
    #[schema(opaque)]
    any: Value,
    #[schema(opaque)]
    list: LinkedList<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    tagged: Tagged,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { x: u8 },
    B,
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
struct Rest {
    more: u8,
}

/// Sets, heaps and hash maps come in an order of their own.
#[derive(Debug, Packet, Serialize, Deserialize)]
struct Unordered {
    hash_set: HashSet<u16>,
    tree_set: BTreeSet<String>,
    heap: BinaryHeap<i8>,
    hash_map: HashMap<u32, String>,
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
struct NotZero {
    numbers: (NonZeroI8, NonZeroU64),
}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Single(u8);

/// Both ways, with the typed code as the measure.
fn check<P: OwnedPacket + Serialize + PartialEq + Debug>(packet: &P, codecs: &[Codec]) {
    let value = serde_json::to_value(packet).unwrap();
    for codec in codecs {
        let (mut typed, mut payload) = (Vec::new(), b"before".to_vec());
        packet.encode(*codec, &mut typed).unwrap();
        dynamic::encode(&value, P::SCHEMA, *codec, &mut payload).unwrap();
        let payload = payload.strip_prefix(b"before").unwrap();
        match codec {
            Codec::Json => {
                let read = |json| serde_json::from_slice::<Value>(json).unwrap();
                assert_eq!(read(payload), read(&typed));
            }
            _ => assert_eq!(payload, typed),
        }
        assert_eq!(&P::decode_owned(*codec, payload).unwrap(), packet);
        assert_eq!(dynamic::decode(&typed, P::SCHEMA, *codec).unwrap(), value);
        let longer = [&typed, &b"}"[..]].concat();
        assert!(dynamic::decode(&longer, P::SCHEMA, *codec).is_err());
    }
}

/// A change of a payload: bytes written over, cut off, or put in.
#[derive(Clone, Debug)]
enum Change {
    Set(sample::Index, u8),
    Flip(sample::Index, u8),
    Cut(sample::Index),
    Insert(sample::Index, Vec<u8>),
}

impl Change {
    fn apply(self, payload: &mut Vec<u8>) {
        if payload.is_empty() {
            return;
        }
        let len = payload.len();
        match self {
            Self::Set(at, byte) => payload[at.index(len)] = byte,
            Self::Flip(at, bit) => payload[at.index(len)] ^= 1 << bit,
            Self::Cut(at) => payload.truncate(at.index(len)),
            Self::Insert(at, bytes) => {
                let at = at.index(len);
                payload.splice(at..at, bytes);
            }
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (any::<sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<sample::Index>(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        any::<sample::Index>().prop_map(Change::Cut),
        (any::<sample::Index>(), collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<sample::Index>(), "[\\[\\]{}:,\"0-9a-z.e-]{1,3}")
            .prop_map(|(at, text)| Change::Insert(at, text.into_bytes())),
    ];
    collection::vec(change, 1..4)
}

/// Reads a payload that was tampered with: nothing panics, and the verdict is that of the typed code.
fn check_changed<P: OwnedPacket + Serialize>(packet: &P, codecs: &[Codec], changes: &[Change]) {
    for codec in codecs {
        let mut payload = Vec::new();
        packet.encode(*codec, &mut payload).unwrap();
        for change in changes {
            change.clone().apply(&mut payload);
        }
        let typed = P::decode_owned(*codec, &payload);
        match (dynamic::decode(&payload, P::SCHEMA, *codec), typed) {
            (Ok(value), Ok(packet)) => {
                assert_eq!(value, serde_json::to_value(&packet).unwrap());
                let mut again = Vec::new();
                dynamic::encode(&value, P::SCHEMA, *codec, &mut again).unwrap();
                assert_eq!(dynamic::decode(&again, P::SCHEMA, *codec).unwrap(), value);
            }
            (Err(DecodeFault::Number { .. }), _) | (Err(_), Err(_)) => {}
            (Err(fault), Ok(packet)) => panic!("{fault:?}, but it is {:?}", serde_json::to_string(&packet)),
            (Ok(value), Err(error)) => panic!("{value}, but {error:?}"),
        }
    }
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

fn bytes() -> impl Strategy<Value = ByteBuf> {
    any::<Vec<u8>>().prop_map(ByteBuf::from)
}

fn socket() -> impl Strategy<Value = SocketAddr> {
    any::<(IpAddr, u16)>().prop_map(SocketAddr::from)
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::FirstOne), Just(Kind::SecondOne)]
}

fn inner() -> impl Strategy<Value = Inner> {
    prop_oneof![Just(Inner::A), collection::vec(kind(), 0..4).prop_map(|list| Inner::B { list })]
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        Just(Shape::Nothing()),
        Just(Shape::Unit(Unit)),
        float32().prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(a, b)| Shape::Line(a, b)),
        any::<String>().prop_map(|name| Shape::Named { name, inner: Unit }),
        inner().prop_map(Shape::Nested),
        option::of(inner()).prop_map(Shape::Perhaps),
    ]
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = any::<String>().prop_map(|name| Tree { name, branches: Vec::new(), twins: None });
    leaf.prop_recursive(5, 24, 3, |inner| {
        let twins = option::of((inner.clone(), inner.clone()).prop_map(Box::new));
        (any::<String>(), collection::vec(inner, 0..3), twins).prop_map(|(name, branches, twins)| Tree {
            name,
            branches,
            twins,
        })
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        float64().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

prop_compose! {
    fn scalars()(
        // More than 64 bits do not go into a `Value`.
        unsigned in any::<(u8, u16, u32, u64, u64, usize)>(),
        signed in any::<(i8, i16, i32, i64, i64, isize)>(),
        floats in (float32(), float64()),
        others in (any::<(bool, char, (), String)>(), bytes()),
        uuid in uuid(),
        duration in any::<Duration>(),
        since in (0..u64::from(u32::MAX), 0..1_000_000_000u32),
        ip in any::<(IpAddr, Ipv4Addr, Ipv6Addr)>(),
        ports in any::<(u16, u16, u16)>(),
    ) -> Scalars {
        let (a, b, c, d, e, f) = unsigned;
        let (g, h, i, j, k, l) = signed;
        let ((flag, char, unit, text), blob) = others;
        let socket = (
            SocketAddr::new(ip.0, ports.0),
            SocketAddrV4::new(ip.1, ports.1),
            SocketAddrV6::new(ip.2, ports.2, 0, 0),
        );
        Scalars {
            unsigned: (a, b, c, d, e.into(), f),
            signed: (g, h, i, j, k.into(), l),
            floats,
            others: (flag, char, unit, text, blob),
            uuid,
            duration,
            time: SystemTime::UNIX_EPOCH + Duration::new(since.0, since.1),
            ip,
            socket,
        }
    }
}

prop_compose! {
    fn lists()(
        vec in any::<Vec<Option<u32>>>(),
        bytes in any::<Vec<u8>>(),
        deque in any::<VecDeque<String>>(),
        linked in any::<LinkedList<i8>>(),
        boxed in any::<Vec<u16>>(),
        array in any::<[i32; 3]>(),
        texts in any::<[String; 4]>(),
        number in any::<u8>(),
        large in any::<u64>(),
        result in any::<Result<u16, String>>(),
    ) -> Lists {
        let [a, b, c, d] = texts;
        let long = (number, a, number, b, number, c, number, Box::new(large));
        Lists { vec, bytes, deque, linked, boxed: boxed.into(), array, none: [], one: (d,), long, result }
    }
}

prop_compose! {
    fn maps()(
        plain in any::<(BTreeMap<String, Vec<u8>>, BTreeMap<i64, bool>, BTreeMap<u8, Option<char>>)>(),
        wide in any::<(BTreeMap<u128, ()>, BTreeMap<i128, i8>)>(),
        small in any::<(BTreeMap<bool, u8>, BTreeMap<char, char>)>(),
        blobs in collection::btree_map(bytes(), any::<u8>(), 0..6),
        uuids in collection::btree_map(uuid(), float32(), 0..6),
        addresses in any::<BTreeMap<IpAddr, u8>>(),
        sockets in collection::btree_map(socket(), any::<u8>(), 0..6),
        kinds in collection::btree_map(
            kind(),
            collection::btree_map(any::<String>().prop_map(Name), any::<u8>(), 0..4),
            0..3,
        ),
    ) -> Maps {
        let ((strings, numbers, bytes), (wide, negative), (truth, chars)) = (plain, wide, small);
        Maps { strings, numbers, bytes, wide, negative, truth, chars, blobs, uuids, addresses, sockets, kinds }
    }
}

prop_compose! {
    fn shapes()(all_of_them in collection::vec(shape(), 0..8), other in option::of(shape())) -> Shapes {
        Shapes { all_of_them, other, left_out: 0, unit: Unit, empty: Empty {}, nothing: Nothing() }
    }
}

prop_compose! {
    fn loose()(
        any in json_value(),
        list in any::<LinkedList<u8>>(),
        note in any::<Option<String>>(),
        tagged in prop_oneof![Just(Tagged::B), any::<u8>().prop_map(|x| Tagged::A { x })],
        more in any::<u8>(),
    ) -> Loose {
        Loose { any, list, note, tagged, rest: Rest { more } }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn scalars_are_as_typed(packet in scalars(), changes in changes()) {
        check(&packet, &BOTH);
        check_changed(&packet, &BOTH, &changes);
    }

    #[test]
    fn lists_are_as_typed(packet in lists(), changes in changes()) {
        check(&packet, &BOTH);
        check_changed(&packet, &BOTH, &changes);
    }

    #[test]
    fn maps_are_as_typed(packet in maps(), changes in changes()) {
        check(&packet, &BOTH);
        check_changed(&packet, &BOTH, &changes);
    }

    #[test]
    fn enums_are_as_typed(packet in shapes(), changes in changes()) {
        check(&packet, &BOTH);
        check_changed(&packet, &BOTH, &changes);
    }

    #[test]
    fn recursion_is_as_typed(packet in tree(), changes in changes()) {
        check(&packet, &BOTH);
        check_changed(&packet, &BOTH, &changes);
    }

    #[test]
    fn what_is_not_described_is_as_typed(packet in loose()) {
        check(&packet, &[Codec::Json]);
        let value = serde_json::to_value(&packet).unwrap();
        let misfit = dynamic::encode(&value, Loose::SCHEMA, Codec::Postcard, &mut Vec::new()).unwrap_err();
        prop_assert!(matches!(misfit.reason(), MisfitReason::Undescribed), "{}", misfit);
    }

    #[test]
    fn numbers_above_zero_are_as_typed(numbers in any::<(NonZeroI8, NonZeroU64)>()) {
        check(&NotZero { numbers }, &BOTH);
        check(&Single(numbers.0.get().unsigned_abs()), &BOTH);
    }

    #[test]
    fn what_has_no_order_is_as_typed(
        hash_set in any::<HashSet<u16>>(),
        tree_set in any::<BTreeSet<String>>(),
        heap in any::<Vec<i8>>(),
        hash_map in any::<HashMap<u32, String>>(),
    ) {
        let packet = Unordered { hash_set, tree_set, heap: heap.into(), hash_map };
        let value = serde_json::to_value(&packet).unwrap();
        for codec in BOTH {
            let (mut typed, mut payload) = (Vec::new(), Vec::new());
            packet.encode(codec, &mut typed).unwrap();
            dynamic::encode(&value, Unordered::SCHEMA, codec, &mut payload).unwrap();
            prop_assert_eq!(dynamic::decode(&typed, Unordered::SCHEMA, codec).unwrap(), value.clone());
            let read = Unordered::decode_owned(codec, &payload).unwrap();
            prop_assert_eq!(&read.hash_set, &packet.hash_set);
            prop_assert_eq!(&read.tree_set, &packet.tree_set);
            prop_assert_eq!(&read.hash_map, &packet.hash_map);
            prop_assert_eq!(read.heap.into_sorted_vec(), packet.heap.clone().into_sorted_vec());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(payload in collection::vec(any::<u8>(), 0..256)) {
        for ty in [Scalars::SCHEMA, Lists::SCHEMA, Maps::SCHEMA, Shapes::SCHEMA, Tree::SCHEMA, Loose::SCHEMA] {
            for codec in BOTH {
                if let Ok(value) = dynamic::decode(&payload, ty, codec) {
                    dynamic::encode(&value, ty, codec, &mut Vec::new()).unwrap();
                }
            }
        }
    }

    #[test]
    fn any_value_has_one_verdict(value in json_value(), packet in shapes(), at in any::<sample::Index>()) {
        // What is written in place of a part of a fitting value is another value now and then.
        let mut fitting = serde_json::to_value(&packet).unwrap();
        let object = fitting.as_object_mut().unwrap();
        let name = object.keys().nth(at.index(object.len())).unwrap().clone();
        object.insert(name, value.clone());
        for (value, ty) in [
            (&value, Scalars::SCHEMA),
            (&value, Tree::SCHEMA),
            (&value, <Vec<Option<BTreeMap<String, f32>>>>::SCHEMA),
            (&fitting, Shapes::SCHEMA),
        ] {
            one_verdict(value, ty);
        }
    }
}

/// Encodes in both codecs, which agree, down to the text of the error.
fn one_verdict(value: &Value, ty: &Ty) {
    let [postcard, json] = BOTH.map(|codec| {
        let mut payload = b"before".to_vec();
        let result = dynamic::encode(value, ty, codec, &mut payload).map_err(|misfit| misfit.to_string());
        assert!(payload.starts_with(b"before") && (result.is_ok() || payload.len() == 6));
        result.map(|()| dynamic::decode(&payload[6..], ty, codec).unwrap())
    });
    assert_eq!(postcard, json);
}

#[test]
fn codecs_are_what_the_cases_take_them_for() {
    for ty in [Scalars::SCHEMA, Lists::SCHEMA, Maps::SCHEMA, Shapes::SCHEMA, Unordered::SCHEMA, NotZero::SCHEMA] {
        assert_eq!(schema::codec(ty), Codec::Postcard);
    }
    assert_eq!((Tree::CODEC, Loose::CODEC), (Codec::Json, Codec::Json));
}

#[test]
fn a_float_that_rounds_twice_is_read_once() {
    // Read as a 64-bit float first, this text would become the next 32-bit one.
    let value = f32::from_bits(0x15ae_43fd);
    assert_eq!(value.to_string().parse::<f64>().unwrap() as f32, f32::from_bits(0x15ae_43fe));
    let list = serde_json::to_vec(&[value]).unwrap();
    assert_eq!(dynamic::decode(&list, <Vec<f32>>::SCHEMA, Codec::Json).unwrap(), json!([value]));
}

#[test]
fn a_zero_where_there_may_be_none_fits_but_does_not_decode() {
    let mut payload = Vec::new();
    dynamic::encode(&json!({ "numbers": [0, 1] }), NotZero::SCHEMA, Codec::Postcard, &mut payload).unwrap();
    assert!(NotZero::decode_owned(Codec::Postcard, &payload).is_err());
}

#[test]
fn misfits_of_derived_packets_are_told_in_words() {
    let check = |value: Value, ty: &Ty, expected: &str| {
        for codec in BOTH {
            let misfit = dynamic::encode(&value, ty, codec, &mut Vec::new()).unwrap_err();
            assert_eq!(misfit.to_string(), expected);
        }
    };
    let shapes = |shape: Value| json!({ "allOfThem": [shape], "unit": null, "empty": {}, "nothing": [] });
    let kinds = "no variant `FirstOne`; there are `second-one`, `first-one`";
    check(
        shapes(json!({ "Nested": { "B": { "list": ["first-one", "FirstOne"] } } })),
        Shapes::SCHEMA,
        &format!("`data.allOfThem[0].Nested.B.list[1]`: {kinds}"),
    );
    let known = "is no field; there are `allOfThem`: [(Point | Circle(f32) | Line(i32, i32) | Named{name: str, inner: ()} | \
        Nothing() | Nested(A | B{list… (required), `x`: Point";
    for (data, path) in [(json!({ "all_of_them": [] }), "all_of_them"), (json!({ "y": null }), "y")] {
        let misfit = dynamic::encode(&data, Shapes::SCHEMA, Codec::Json, &mut Vec::new()).unwrap_err().to_string();
        assert!(misfit.starts_with(&format!("`data.{path}` {known}")), "{misfit}");
    }
    check(json!({}), Shapes::SCHEMA, "`data.allOfThem` is missing");
    check(json!({ "numbers": [1] }), NotZero::SCHEMA, "`data.numbers`: 2 elements are wanted, and there is 1");
    check(json!([1]), Single::SCHEMA, "`data`: an integer is wanted, and this is an array");
    let tree = json!({ "name": "", "branches": [{ "name": "", "branches": [{ "nam": "" }] }] });
    check(
        tree,
        Tree::SCHEMA,
        "`data.branches[0].branches[0].nam` is no field; there are `name`: str (required), `branches`: [recursive Tree] (required), `twins`: (recursive Tree, recursive Tree)",
    );
}
