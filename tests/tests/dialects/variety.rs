//! A protocol that holds every type with a built-in schema, enums in enums, borrowed data, and packets without a schema.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, LinkedList, VecDeque},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    num::{NonZeroI8, NonZeroU64},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use pnet::{ByteBuf, Bytes, Hub, Packet, Schema, action, actions, protocol};
use proptest::{collection, option, prelude::*};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) struct Numbers {
    unsigned: (u8, u16, u32, u64, u128, usize),
    signed: (i8, i16, i32, i64, i128, isize),
    floats: (f32, f64),
    others: (bool, char, ()),
    not_zero: (NonZeroI8, NonZeroU64),
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) struct Texts {
    string: String,
    boxed: Box<str>,
    cow: Cow<'static, str>,
    bytes: ByteBuf,
    numbers: Vec<u8>,
    option: Option<Box<u64>>,
    long_tuple: (u8, String, u8, String, u8, String, u8, String),
    one: (String,),
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) struct Lists {
    vec: Vec<Option<u32>>,
    deque: VecDeque<String>,
    linked: LinkedList<i8>,
    boxed: Box<[u16]>,
    array: [i32; 3],
    none: [u8; 0],
    hash_set: HashSet<u16>,
    tree_set: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) struct Maps {
    strings: HashMap<String, Vec<u8>>,
    numbers: BTreeMap<i64, bool>,
    wide: BTreeMap<u128, ()>,
    truth: BTreeMap<bool, u8>,
    chars: BTreeMap<char, char>,
    uuids: HashMap<Uuid, u8>,
    addresses: HashMap<IpAddr, u8>,
    kinds: BTreeMap<Kind, u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Schema, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    FirstOne,
    SecondOne,
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) struct Places {
    uuid: Uuid,
    duration: Duration,
    time: SystemTime,
    ip: (IpAddr, Ipv4Addr, Ipv6Addr),
    socket: (SocketAddr, SocketAddrV4, SocketAddrV6),
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Shapes {
    all_of_them: Vec<Shape>,
    #[serde(rename = "x", alias = "y", default)]
    other: Option<Shape>,
    unit: Unit,
    empty: Empty,
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) enum Shape {
    Point,
    Circle(f32),
    Line(i32, i32),
    Named { name: String, inner: Option<Inner> },
    Nothing(),
}

#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) enum Inner {
    Of(Kind),
    Both { left: Kind, right: Option<Kind> },
}

#[derive(Clone, Debug, Default, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) struct Unit;

#[derive(Clone, Debug, Default, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// Any of them.
#[derive(Clone, Debug, PartialEq, Schema, Serialize, Deserialize)]
pub(crate) enum Part {
    Numbers(Box<Numbers>),
    Texts(Box<Texts>),
    Lists(Box<Lists>),
    Maps(Box<Maps>),
    Places(Box<Places>),
    Shapes(Box<Shapes>),
    Nothing,
}

/// One-way, and passed on to everybody.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Tell {
    pub(crate) part: Part,
}

/// One-way, and noted.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Note<'a> {
    #[serde(borrow)]
    pub(crate) text: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) data: Bytes<'a>,
}

/// One-way, without a field.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Nod {}

/// One-way, without a schema: JSON text in either dialect.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Loose {
    #[serde(flatten)]
    pub(crate) more: BTreeMap<String, Option<f64>>,
}

/// Answered with the same.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) part: Part,
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) part: Part,
}

/// Answered with the same, or with the same as a declared error.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Judge {
    pub(crate) good: bool,
    pub(crate) part: Part,
}

#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Bad {
    pub(crate) part: Part,
}

/// Answered with nothing.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Touch {
    pub(crate) n: Option<u8>,
}

/// Pushed.
#[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) part: Part,
}

protocol! {
    pub(crate) Variety {
        client {
            Tell, Note<'_>, Nod, Loose,
            Ask -> Answer,
            Judge -> Result<Answer, Bad>,
            Touch -> (),
        }
        server { Told }
    }
}

/// What a handler was called with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Tell(Part),
    Note(String, Vec<u8>),
    Nod,
    Loose(BTreeMap<String, Option<f64>>),
    Ask(Part),
    Judge(bool, Part),
    Touch(Option<u8>),
    Told(Part),
}

/// What the handlers of one side have seen, in order.
#[derive(Debug, Default)]
pub(crate) struct Diary(Mutex<Vec<Seen>>);

impl Diary {
    fn write(&self, seen: Seen) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Takes what is there.
    pub(crate) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[action("TELL")]
fn tell(p: Tell, diary: &Diary, hub: Hub<Variety>) {
    let sent = hub.broadcast(&Told { part: p.part.clone() });
    assert_eq!((sent.dropped, sent.skipped), (0, 0), "{sent:?}");
    diary.write(Seen::Tell(p.part));
}

#[action("NOTE")]
fn note(p: Note<'_>, diary: &Diary) {
    diary.write(Seen::Note(p.text.into_owned(), p.data.to_vec()));
}

#[action("NOD")]
fn nod(_: Nod, diary: &Diary) {
    diary.write(Seen::Nod);
}

#[action("LOOSE")]
fn loose(p: Loose, diary: &Diary) {
    diary.write(Seen::Loose(p.more));
}

#[action("ASK")]
fn ask(p: Ask, diary: &Diary) -> Answer {
    diary.write(Seen::Ask(p.part.clone()));
    Answer { part: p.part }
}

#[action("JUDGE")]
fn judge(p: Judge, diary: &Diary) -> Result<Answer, Bad> {
    diary.write(Seen::Judge(p.good, p.part.clone()));
    if p.good { Ok(Answer { part: p.part }) } else { Err(Bad { part: p.part }) }
}

#[action("TOUCH")]
fn touch(p: Touch, diary: &Diary) {
    diary.write(Seen::Touch(p.n));
}

actions! { pub(crate) server VarietyServer(Diary) for Variety: tell, note, nod, loose, ask, judge, touch }

#[action("TOLD")]
fn told(p: Told, diary: &Diary) {
    diary.write(Seen::Told(p.part));
}

actions! { pub(crate) client VarietyClient(Diary) for Variety: told }

fn float64() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has no other", |float| float.is_finite())
}

fn float32() -> impl Strategy<Value = f32> {
    any::<f32>().prop_filter("JSON has no other", |float| float.is_finite())
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::FirstOne), Just(Kind::SecondOne)]
}

fn inner() -> impl Strategy<Value = Inner> {
    prop_oneof![
        kind().prop_map(Inner::Of),
        (kind(), option::of(kind())).prop_map(|(left, right)| Inner::Both { left, right }),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        Just(Shape::Nothing()),
        float32().prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(a, b)| Shape::Line(a, b)),
        (any::<String>(), option::of(inner())).prop_map(|(name, inner)| Shape::Named { name, inner }),
    ]
}

/// Any character, and those that are written in a special way more often.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let special = "[\"\\\\/{}\\[\\]:,\u{0}\u{1f}\u{7f}\n\u{2028}\u{feff}\u{ffff}é漢\u{1F600}\u{10ffff} ]{0,12}";
    prop_oneof![any::<String>(), special]
}

prop_compose! {
    fn numbers()(
        unsigned in any::<(u8, u16, u32, u64, u128, usize)>(),
        signed in any::<(i8, i16, i32, i64, i128, isize)>(),
        floats in (float32(), float64()),
        others in any::<(bool, char, ())>(),
        not_zero in any::<(NonZeroI8, NonZeroU64)>(),
    ) -> Part {
        Part::Numbers(Box::new(Numbers { unsigned, signed, floats, others, not_zero }))
    }
}

prop_compose! {
    fn texts()(
        (a, b, c, d) in (text(), text(), text(), text()),
        bytes in collection::vec(any::<u8>(), 0..300),
        option in any::<Option<u64>>(),
        number in any::<u8>(),
    ) -> Part {
        Part::Texts(Box::new(Texts {
            string: a.clone(),
            boxed: b.clone().into(),
            cow: c.clone().into(),
            bytes: bytes.clone().into(),
            numbers: bytes,
            option: option.map(Box::new),
            long_tuple: (number, a, number, b, number, c, number, d.clone()),
            one: (d,),
        }))
    }
}

prop_compose! {
    fn lists()(
        vec in collection::vec(any::<Option<u32>>(), 0..20),
        deque in collection::vec_deque(text(), 0..5),
        linked in collection::linked_list(any::<i8>(), 0..20),
        boxed in collection::vec(any::<u16>(), 0..20),
        array in any::<[i32; 3]>(),
        hash_set in collection::hash_set(any::<u16>(), 0..20),
        tree_set in collection::btree_set(text(), 0..5),
    ) -> Part {
        Part::Lists(Box::new(Lists { vec, deque, linked, boxed: boxed.into(), array, none: [], hash_set, tree_set }))
    }
}

prop_compose! {
    fn maps()(
        strings in collection::hash_map(text(), any::<Vec<u8>>(), 0..4),
        numbers in collection::btree_map(any::<i64>(), any::<bool>(), 0..8),
        wide in collection::btree_map(any::<u128>(), any::<()>(), 0..8),
        truth in any::<BTreeMap<bool, u8>>(),
        chars in collection::btree_map(any::<char>(), any::<char>(), 0..8),
        uuids in collection::hash_map(any::<u128>().prop_map(Uuid::from_u128), any::<u8>(), 0..4),
        addresses in collection::hash_map(any::<IpAddr>(), any::<u8>(), 0..4),
        kinds in collection::btree_map(kind(), any::<u8>(), 0..2),
    ) -> Part {
        Part::Maps(Box::new(Maps { strings, numbers, wide, truth, chars, uuids, addresses, kinds }))
    }
}

prop_compose! {
    fn places()(
        uuid in any::<u128>().prop_map(Uuid::from_u128),
        duration in any::<Duration>(),
        since in 0..u64::from(u32::MAX),
        ip in any::<(IpAddr, Ipv4Addr, Ipv6Addr)>(),
        ports in any::<(u16, u16)>(),
    ) -> Part {
        let (v4, v6) = (SocketAddrV4::new(ip.1, ports.0), SocketAddrV6::new(ip.2, ports.1, 0, 0));
        let time = SystemTime::UNIX_EPOCH + Duration::new(since, 5);
        Part::Places(Box::new(Places { uuid, duration, time, ip, socket: (SocketAddr::new(ip.0, ports.0), v4, v6) }))
    }
}

fn shapes() -> impl Strategy<Value = Part> {
    (collection::vec(shape(), 0..8), option::of(shape())).prop_map(|(all_of_them, other)| {
        Part::Shapes(Box::new(Shapes { all_of_them, other, unit: Unit, empty: Empty {} }))
    })
}

/// Any part.
pub(crate) fn part() -> impl Strategy<Value = Part> {
    prop_oneof![numbers(), texts(), lists(), maps(), places(), shapes(), Just(Part::Nothing)]
}

/// The rest of a packet without a schema.
pub(crate) fn loose_fields() -> impl Strategy<Value = BTreeMap<String, Option<f64>>> {
    collection::btree_map(text(), option::of(float64()), 0..5)
}
