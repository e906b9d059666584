//! Packets as payloads: decoding undoes encoding in both codecs, and no bytes make a decoder panic.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pnet::{Packet, Schema};
use pnet_protocol::packet::{Codec, OwnedPacket};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::hostile::Random;

#[derive(Clone, Debug, Deserialize, Packet, PartialEq, Serialize)]
struct Everything {
    numbers: (u8, i16, u32, i64, u128),
    float: f64,
    text: String,
    letter: char,
    perhaps: Option<u16>,
    list: Vec<Shape>,
    map: BTreeMap<String, bool>,
    four: [u8; 4],
}

#[derive(Clone, Debug, Deserialize, PartialEq, Schema, Serialize)]
enum Shape {
    Point,
    Circle(u32),
    Line(i32, i32),
    Named { name: String, inner: Vec<u8> },
}

#[derive(Debug, Deserialize, Packet, PartialEq, Serialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    number: u64,
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Point),
        any::<u32>().prop_map(Shape::Circle),
        any::<(i32, i32)>().prop_map(|(x, y)| Shape::Line(x, y)),
        (".{0,20}", any::<Vec<u8>>()).prop_map(|(name, inner)| Shape::Named { name, inner }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let lists =
        (proptest::collection::vec(shapes(), 0..8), proptest::collection::btree_map(".{0,8}", any::<bool>(), 0..8));
    let float = any::<f64>().prop_filter("JSON has no other", |float| float.is_finite());
    (any::<(u8, i16, u32, i64, u128)>(), float, ".{0,40}", any::<char>(), any::<Option<u16>>(), lists, any::<[u8; 4]>())
        .prop_map(|(numbers, float, text, letter, perhaps, (list, map), four)| Everything {
            numbers,
            float,
            text,
            letter,
            perhaps,
            list,
            map,
            four,
        })
}

proptest! {
    #[test]
    fn packets_come_back(packet in everything()) {
        for codec in [Codec::Postcard, Codec::Json] {
            let mut payload = Vec::new();
            packet.encode(codec, &mut payload).unwrap();
            prop_assert_eq!(&Everything::decode_owned(codec, &payload).unwrap(), &packet);
            payload.push(b'1');
            prop_assert!(Everything::decode_owned(codec, &payload).is_err(), "the whole payload must be used up");
        }
    }

    #[test]
    fn borrowing_packets_come_back(text in ".{0,40}", number: u64) {
        let packet = Borrowed { text: Cow::Borrowed(&text), number };
        for codec in [Codec::Postcard, Codec::Json] {
            let mut payload = Vec::new();
            packet.encode(codec, &mut payload).unwrap();
            prop_assert_eq!(&Borrowed::decode(codec, &payload).unwrap(), &packet);
        }
    }
}

#[test]
fn no_payload_panics() {
    let list = vec![Shape::Point, Shape::Line(-1, 300), Shape::Named { name: "n".to_owned(), inner: vec![1, 2] }];
    let packet = Everything {
        numbers: (1, -2, 3, -4, 5),
        float: 0.5,
        text: "text".to_owned(),
        letter: 'ñ',
        perhaps: Some(7),
        list,
        map: BTreeMap::from([("key".to_owned(), true)]),
        four: [1, 2, 3, 4],
    };
    for codec in [Codec::Postcard, Codec::Json] {
        let mut good = Vec::new();
        packet.encode(codec, &mut good).unwrap();
        for seed in 0..50_000 {
            let mut random = Random::new(seed);
            let mut payload = good.clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(payload.len());
                match random.below(4) {
                    0 => payload.truncate(at + 1),
                    1 => payload.insert(at, random.byte()),
                    _ => payload[at] = random.byte(),
                }
            }
            let decode = || (Everything::decode(codec, &payload).is_ok(), Borrowed::decode(codec, &payload).is_ok());
            if let Err(panic) = catch_unwind(AssertUnwindSafe(decode)) {
                eprintln!("seed {seed}, {codec:?}: {payload:02x?}");
                std::panic::resume_unwind(panic);
            }
        }
    }
}
