//! Unit tests over shapes written by hand; properties over derived packets stand in the `tests` package.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    bytes::ByteBuf,
    packet::Codec,
    schema::{Prim, Schema},
};

const BOTH: [Codec; 2] = [Codec::Postcard, Codec::Json];

const U8: Ty = Ty::Prim(Prim::U8);
const STR: Ty = Ty::Prim(Prim::Str);

const fn required(name: &'static str, ty: &'static Ty) -> Field {
    Field { name, ty, default: false }
}

const WHY: Ty = Ty::Named(
    "Why",
    &Ty::Enum(&[
        Variant { name: "A", body: None },
        Variant { name: "B", body: Some(&U8) },
        Variant { name: "C", body: Some(&Ty::Tuple(&[&U8, &STR])) },
        Variant { name: "D", body: Some(&Ty::Struct(&[required("by", &Ty::Seq(&STR))])) },
        Variant { name: "E", body: Some(&Ty::Prim(Prim::Unit)) },
    ]),
);

const SAY: Ty = Ty::Named(
    "Say",
    &Ty::Struct(&[
        required("text", &STR),
        required("why", &Ty::Option(&WHY)),
        Field { name: "age", ty: &U8, default: true },
        Field { name: "note", ty: &Ty::Option(&STR), default: true },
    ]),
);

const TREE: Ty = Ty::Named("Tree", &Ty::Struct(&[required("branches", &Ty::Seq(&Ty::Ref("Tree")))]));

const LIST: Ty = Ty::Named("List", &Ty::Seq(&Ty::Option(&Ty::Ref("List"))));

const ENDLESS: Ty = Ty::Named("Endless", &Ty::Option(&Ty::Ref("Endless")));

const FLAT: Ty = Ty::Struct(&[required("a", &U8), required("inner", &Ty::Marked("flatten", &WHY))]);

const SPARSE: Ty = Ty::Struct(&[Field {
    name: "note",
    ty: &Ty::Marked("skip_serializing_if = \"Option::is_none\"", &Ty::Option(&STR)),
    default: true,
}]);

const OPAQUE: Ty = Ty::Struct(&[required("x", &Ty::Opaque("X"))]);

const INNER: Ty = Ty::Named("Node", &Ty::Struct(&[required("b", &Ty::Option(&Ty::Ref("Node")))]));

const OUTER: Ty =
    Ty::Named("Node", &Ty::Struct(&[required("inner", &INNER), required("next", &Ty::Option(&Ty::Ref("Node")))]));

fn encoded(value: &Value, ty: &Ty, codec: Codec) -> Vec<u8> {
    let mut payload = b"before".to_vec();
    encode(value, ty, codec, &mut payload).unwrap();
    assert!(payload.starts_with(b"before"));
    payload.split_off(6)
}

/// Both ways; `read` is what becomes of `value`.
fn check(value: &Value, ty: &Ty, postcard: &[u8], read: &Value) {
    assert_eq!(encoded(value, ty, Codec::Postcard), postcard, "{value}");
    assert_eq!(&decode(postcard, ty, Codec::Postcard).unwrap(), read);
    let json = encoded(value, ty, Codec::Json);
    assert_eq!(&serde_json::from_slice::<Value>(&json).unwrap(), read);
    assert_eq!(&decode(&json, ty, Codec::Json).unwrap(), read);
}

fn same(value: &Value, ty: &Ty, postcard: &[u8]) {
    check(value, ty, postcard, value);
}

/// The one misfit of a value, whatever the codec.
fn misfits(value: &Value, ty: &Ty, expected: &str) {
    for codec in BOTH {
        misfits_in(codec, value, ty, expected);
    }
}

fn misfits_in(codec: Codec, value: &Value, ty: &Ty, expected: &str) {
    let mut out = b"before".to_vec();
    let misfit = encode(value, ty, codec, &mut out).expect_err(expected);
    assert_eq!(misfit.to_string(), expected);
    assert!(expected.starts_with(&format!("`{}`", misfit.path())) && expected.ends_with(&misfit.reason().to_string()));
    assert_eq!(out, b"before");
}

fn faults(payload: &[u8], ty: &Ty, codec: Codec, expected: &str) {
    assert_eq!(decode(payload, ty, codec).expect_err(expected).to_string(), expected);
}

#[test]
fn values_without_parts_are_as_the_wire_document_says() {
    same(&json!(true), bool::SCHEMA, &[1]);
    same(&json!(200), u8::SCHEMA, &[200]);
    same(&json!(300), u16::SCHEMA, &[0xac, 0x02]);
    same(&json!(-1), i32::SCHEMA, &[0x01]);
    same(&json!(-1), i8::SCHEMA, &[0xff]);
    same(&json!(u64::MAX), u64::SCHEMA, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    same(&json!(u64::MAX), u128::SCHEMA, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    same(&json!(i64::MIN), i128::SCHEMA, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    same(&json!(0.5), f32::SCHEMA, &[0, 0, 0, 0x3f]);
    check(&json!(1), f64::SCHEMA, &1f64.to_le_bytes(), &json!(1.0));
    check(&json!(-16_777_217), f32::SCHEMA, &(-16_777_216f32).to_le_bytes(), &json!(-16_777_216.0));
    same(&json!("ñ"), char::SCHEMA, &[2, 0xc3, 0xb1]);
    same(&json!("añ"), str::SCHEMA, &[3, b'a', 0xc3, 0xb1]);
    same(&json!("/wA="), ByteBuf::SCHEMA, &[2, 0xff, 0]);
    same(&json!(null), <()>::SCHEMA, &[]);
    let uuid = [16, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    same(&json!("00010203-0405-0607-0809-0a0b0c0d0e0f"), Uuid::SCHEMA, &uuid);
    let read = json!("00010203-0405-0607-0809-0a0b0c0d0e0f");
    check(&json!("000102030405060708090A0B0C0D0E0F"), Uuid::SCHEMA, &uuid, &read);
    same(&json!({ "secs": 300, "nanos": 2 }), &Ty::Prim(Prim::Duration), &[0xac, 0x02, 2]);
    same(&json!({ "secs_since_epoch": 1, "nanos_since_epoch": 2 }), &Ty::Prim(Prim::Time), &[1, 2]);
    same(&json!("127.0.0.1"), &Ty::Prim(Prim::Ip), &[0, 127, 0, 0, 1]);
    same(&json!("127.0.0.1"), &Ty::Prim(Prim::Ipv4), &[127, 0, 0, 1]);
    let v6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    same(&json!("::1"), &Ty::Prim(Prim::Ip), &[&[1], &v6[..]].concat());
    same(&json!("::1"), &Ty::Prim(Prim::Ipv6), &v6);
    same(&json!("127.0.0.1:80"), &Ty::Prim(Prim::SocketAddr), &[0, 127, 0, 0, 1, 80]);
    same(&json!("127.0.0.1:300"), &Ty::Prim(Prim::SocketAddrV4), &[127, 0, 0, 1, 0xac, 0x02]);
    same(&json!("[::1]:80"), &Ty::Prim(Prim::SocketAddr), &[&[1], &v6[..], &[80]].concat());
    same(&json!("[::1]:80"), &Ty::Prim(Prim::SocketAddrV6), &[&v6[..], &[80]].concat());
}

#[test]
fn values_with_parts_are_as_the_wire_document_says() {
    same(&json!([1, 2]), <Vec<u8>>::SCHEMA, &[2, 1, 2]);
    same(&json!([1, 2]), <[u8; 2]>::SCHEMA, &[1, 2]);
    same(&json!([]), <[u8; 0]>::SCHEMA, &[]);
    same(&json!([1, "a"]), <(u8, String)>::SCHEMA, &[1, 1, b'a']);
    same(&json!([]), &Ty::Tuple(&[]), &[]);
    same(&json!({}), &Ty::Struct(&[]), &[]);
    same(&json!([null, 7]), <Vec<Option<u8>>>::SCHEMA, &[2, 0, 1, 7]);
    same(&json!("A"), &WHY, &[0]);
    same(&json!({ "B": 7 }), &WHY, &[1, 7]);
    same(&json!({ "C": [7, ""] }), &WHY, &[2, 7, 0]);
    same(&json!({ "D": { "by": ["x"] } }), &WHY, &[3, 1, 1, b'x']);
    same(&json!({ "E": null }), &WHY, &[4]);
    let read = json!({ "text": "", "why": null, "age": 9, "note": null });
    check(&json!({ "text": "", "age": 9 }), &SAY, &[0, 0, 9, 0], &read);
    same(&json!({ "branches": [{ "branches": [] }] }), &TREE, &[1, 0]);
    same(&json!(null), &ENDLESS, &[0]);
}

#[test]
fn keys_are_written_in_the_order_of_what_they_say() {
    same(&json!({ "-2": 0, "10": 1, "9": 2 }), <BTreeMap<i16, u8>>::SCHEMA, &[3, 3, 0, 18, 2, 20, 1]);
    same(&json!({ "true": 0, "false": 1 }), <BTreeMap<bool, u8>>::SCHEMA, &[2, 0, 1, 1, 0]);
    same(&json!({ "é": 0, "z": 1 }), <BTreeMap<char, u8>>::SCHEMA, &[2, 1, b'z', 1, 2, 0xc3, 0xa9, 0]);
    same(&json!({ "/w==": 0 }), <BTreeMap<ByteBuf, u8>>::SCHEMA, &[1, 1, 0xff, 0]);
    let kinds = Ty::Map(
        &Ty::Enum(&[Variant { name: "z", body: None }, Variant { name: "a", body: None }]),
        &Ty::Prim(Prim::Unit),
    );
    same(&json!({ "a": null, "z": null }), &kinds, &[2, 0, 1]);
    let wide = u128::MAX.to_string();
    let bytes = [&[1], &[0xff; 18][..], &[0x03, 5]].concat();
    same(&json!({ wide: 5 }), <BTreeMap<u128, u8>>::SCHEMA, &bytes);
}

#[test]
fn misfits_are_told_in_words() {
    let say = |member: &str, value: Value| {
        let mut say = json!({ "text": "", "age": 1 });
        say[member] = value;
        say
    };
    misfits(&say("text", json!(5)), &SAY, "`data.text`: a string is wanted, and this is a number");
    misfits(&say("text", json!(null)), &SAY, "`data.text`: a string is wanted, and this is null");
    misfits(&say("text", json!([])), &SAY, "`data.text`: a string is wanted, and this is an array");
    misfits(&say("text", json!({})), &SAY, "`data.text`: a string is wanted, and this is an object");
    misfits(&say("text", json!(true)), &SAY, "`data.text`: a string is wanted, and this is a boolean");
    let known = "is no field; there are `text`: str (required), `why`: WHY, `age`: u8 (required), `note`: str"
        .replace("WHY", &WHY.to_string());
    misfits(&say("colour", json!(1)), &SAY, &format!("`data.colour` {known}"));
    misfits(&say("a b", json!(1)), &SAY, &format!("`data[\"a b\"]` {known}"));
    misfits(&say("", json!(1)), &SAY, &format!("`data[\"\"]` {known}"));
    misfits(&say("\u{1b}[31m", json!(1)), &SAY, &format!(r#"`data["\u{{1b}}[31m"]` {known}"#));
    misfits(&json!({ "age": 1 }), &SAY, "`data.text` is missing");
    misfits(&json!({ "text": "" }), &SAY, "`data.age` must be given: its default is known only to the type");
    misfits(&json!(null), &SAY, "`data`: an object is wanted, and this is null");
    misfits(&json!([""]), &SAY, "`data`: an object is wanted, and this is an array");
    misfits(&say("age", json!(300)), &SAY, "`data.age`: 300 does not fit u8");
    misfits(&say("age", json!(-1)), &SAY, "`data.age`: -1 does not fit u8");
    let float = "`data.age`: an integer is wanted, and this is a float (a point, an exponent, or more than 64 bits)";
    misfits(&say("age", json!(1.0)), &SAY, float);
    misfits(&say("age", json!("1")), &SAY, "`data.age`: an integer is wanted, and this is a string");
    misfits(&say("note", json!(1)), &SAY, "`data.note`: a string is wanted, and this is a number");

    let why = |value: Value| say("why", value);
    let list = "`data.why.D.by[2]`: a string is wanted, and this is a number";
    misfits(&why(json!({ "D": { "by": ["a", "b", 3] } })), &SAY, list);
    misfits(&why(json!({ "D": { "by": {} } })), &SAY, "`data.why.D.by`: an array is wanted, and this is an object");
    misfits(&why(json!({ "D": {} })), &SAY, "`data.why.D.by` is missing");
    misfits(&why(json!("Foo")), &SAY, "`data.why`: no variant `Foo`; there are `A`, `B`, `C`, `D`, `E`");
    misfits(&why(json!({ "\n": 1 })), &SAY, r"`data.why`: no variant `\u{a}`; there are `A`, `B`, `C`, `D`, `E`");
    misfits(&why(json!("B")), &SAY, "`data.why`: variant `B` holds something: write {\"B\": …}");
    misfits(&why(json!({ "A": null })), &SAY, "`data.why`: variant `A` holds nothing: write \"A\"");
    misfits(&why(json!({ "B": null })), &SAY, "`data.why.B`: an integer is wanted, and this is null");
    let variant = "`data.why`: a variant (a string, or an object with one member) is wanted, and this is";
    misfits(&why(json!(1)), &SAY, &format!("{variant} a number"));
    misfits(&why(json!({})), &SAY, &format!("{variant} an empty object"));
    misfits(&why(json!({ "A": 1, "B": 1 })), &SAY, &format!("{variant} an object with several members"));
    misfits(&why(json!({ "C": [1] })), &SAY, "`data.why.C`: 2 elements are wanted, and there is 1");
    misfits(&json!([]), <[u8; 1]>::SCHEMA, "`data`: 1 element is wanted, and there is none");
    misfits(&json!([1, 2, 3]), <[u8; 1]>::SCHEMA, "`data`: 1 element is wanted, and there are 3");
    misfits(&json!("A"), &Ty::Enum(&[]), "`data`: no variant `A`; there is none at all");
    misfits(&json!("A"), &Ty::Enum(&[Variant { name: "B", body: None }]), "`data`: no variant `A`; there is `B`");

    misfits(&json!(0), <()>::SCHEMA, "`data`: null is wanted, and this is a number");
    misfits(&json!(0), bool::SCHEMA, "`data`: a boolean is wanted, and this is a number");
    misfits(&json!("0"), f64::SCHEMA, "`data`: a number is wanted, and this is a string");
    let large = json!(-1e39);
    misfits(&large, f32::SCHEMA, &format!("`data`: {large} does not fit f32"));
    misfits(&json!(u64::MAX), i64::SCHEMA, "`data`: 18446744073709551615 does not fit i64");
    misfits(&json!(-1), u128::SCHEMA, "`data`: -1 does not fit u128");
    misfits(&json!(""), char::SCHEMA, "`data`: one character is wanted, and this is an empty text");
    misfits(&json!("ab"), char::SCHEMA, "`data`: one character is wanted, and this is a longer text");
    misfits(&json!("/wA"), ByteBuf::SCHEMA, "`data`: base64 (standard, padded) is wanted, and this text is none");
    misfits(&json!("_wA="), ByteBuf::SCHEMA, "`data`: base64 (standard, padded) is wanted, and this text is none");
    misfits(&json!([1]), ByteBuf::SCHEMA, "`data`: a string is wanted, and this is an array");
    misfits(&json!("0001"), Uuid::SCHEMA, "`data`: a uuid is wanted, and this text is none");
    misfits(&json!("1.2.3"), &Ty::Prim(Prim::Ip), "`data`: an IP address is wanted, and this text is none");
    misfits(&json!("::1"), &Ty::Prim(Prim::Ipv4), "`data`: an IPv4 address is wanted, and this text is none");
    misfits(&json!("1.2.3.4"), &Ty::Prim(Prim::Ipv6), "`data`: an IPv6 address is wanted, and this text is none");
    let with_port = "`data`: an IP address with port is wanted, and this text is none";
    misfits(&json!("1.2.3.4"), &Ty::Prim(Prim::SocketAddr), with_port);
    let with_port = "`data`: an IPv4 address with port is wanted, and this text is none";
    misfits(&json!("[::1]:80"), &Ty::Prim(Prim::SocketAddrV4), with_port);
    let with_port = "`data`: an IPv6 address with port is wanted, and this text is none";
    misfits(&json!("::1:80:"), &Ty::Prim(Prim::SocketAddrV6), with_port);

    let duration = &Ty::Prim(Prim::Duration);
    misfits(&json!(5), duration, "`data`: an object is wanted, and this is a number");
    misfits(&json!({ "secs": 1 }), duration, "`data.nanos` is missing");
    let nanos = "`data.nanos`: 1000000000 does not fit the nanoseconds of a second";
    misfits(&json!({ "secs": 1, "nanos": 1_000_000_000 }), duration, nanos);
    let nanos = "`data.nanos`: 5000000000 does not fit u32";
    misfits(&json!({ "secs": 1, "nanos": 5_000_000_000_u64 }), duration, nanos);
    misfits(&json!({ "secs": -1, "nanos": 0 }), duration, "`data.secs`: -1 does not fit u64");
    misfits(
        &json!({ "secs": 1, "nanos": 0, "x": 0 }),
        duration,
        "`data.x` is no field; there are `secs`: u64 (required), `nanos`: u32 (required)",
    );
    let far = "`data.secs_since_epoch`: 18446744073709551615 does not fit time";
    misfits(&json!({ "secs_since_epoch": u64::MAX, "nanos_since_epoch": 0 }), &Ty::Prim(Prim::Time), far);
}

#[test]
fn misfits_of_keys_are_told_in_words() {
    let numbers = <BTreeMap<u8, u8>>::SCHEMA;
    misfits(&json!({ "256": 1 }), numbers, "`data.256`: 256 does not fit u8");
    misfits(&json!({ "-1": 1 }), numbers, "`data.-1`: -1 does not fit u8");
    for key in ["", "-", "+1", "01", "-0", "1.0", " 1", "1e2", "١"] {
        let path = Path::Member(&Path::Root, key);
        misfits(&json!({ key: 1 }), numbers, &format!("`{path}`: an integer is wanted, and this text is none"));
    }
    misfits(&json!({ "1": 256 }), numbers, "`data.1`: 256 does not fit u8");
    misfits(&json!([1]), numbers, "`data`: an object is wanted, and this is an array");
    let truth = "`data.yes`: `true` or `false` is wanted, and this text is none";
    misfits(&json!({ "yes": 1 }), <BTreeMap<bool, u8>>::SCHEMA, truth);
    let kinds = Ty::Map(&Ty::Enum(&[Variant { name: "A", body: None }]), &U8);
    misfits(&json!({ "B": 1 }), &kinds, "`data.B`: no variant `B`; there is `A`");
    let twice = json!({ "00010203-0405-0607-0809-0a0b0c0d0e0f": 1, "00010203-0405-0607-0809-0A0B0C0D0E0F": 2 });
    let path = "`data.00010203-0405-0607-0809-0a0b0c0d0e0f`";
    let twice_told = format!("{path} is a key that the map has already, written in another way");
    misfits(&twice, <BTreeMap<Uuid, u8>>::SCHEMA, &twice_told);
    for key in [&Ty::Prim(Prim::F32), &Ty::Prim(Prim::Unit), &Ty::Prim(Prim::Time), &WHY, &SPARSE] {
        misfits(&json!({ "A": 1 }), &Ty::Map(key, &U8), "`data` is a map with keys that JSON cannot carry");
    }
}

#[test]
fn what_is_not_described_goes_as_json_only() {
    let undescribed = "is not described by the schema, so it cannot be written";
    for value in [json!({ "x": [1, { "any": "thing" }] }), json!({ "x": null })] {
        assert_eq!(encoded(&value, &OPAQUE, Codec::Json), value.to_string().as_bytes());
        assert_eq!(decode(value.to_string().as_bytes(), &OPAQUE, Codec::Json).unwrap(), value);
        misfits_in(Codec::Postcard, &value, &OPAQUE, &format!("`data.x` {undescribed}"));
    }
    faults(&[0], &OPAQUE, Codec::Postcard, "`data.x` is not described by the schema, so it cannot be read");
    misfits(&json!({}), &OPAQUE, "`data.x` is missing");
    misfits(&json!(1), &Ty::Ref("Nobody"), &format!("`data` {undescribed}"));
    faults(b"1", &Ty::Ref("Nobody"), Codec::Json, "`data` is not described by the schema, so it cannot be read");
}

#[test]
fn attributes_that_move_fields_are_left_to_serde() {
    let value = json!({ "a": 1, "b": [2] });
    assert_eq!(encoded(&value, &FLAT, Codec::Json), value.to_string().as_bytes());
    assert_eq!(decode(value.to_string().as_bytes(), &FLAT, Codec::Json).unwrap(), value);
    misfits_in(Codec::Json, &json!({ "a": "1" }), &FLAT, "`data.a`: an integer is wanted, and this is a string");
    let undescribed = "`data.inner` is not described by the schema, so it cannot be written";
    misfits_in(Codec::Postcard, &value, &FLAT, undescribed);
    for value in [json!({}), json!({ "note": "x" })] {
        assert_eq!(encoded(&value, &SPARSE, Codec::Json), value.to_string().as_bytes());
        assert_eq!(decode(value.to_string().as_bytes(), &SPARSE, Codec::Json).unwrap(), value);
    }
    misfits_in(Codec::Json, &json!({ "n": 1 }), &SPARSE, "`data.n` is no field; there is `note`: str");
    let marked = Ty::Enum(&[
        Variant { name: "A", body: None },
        Variant { name: "B", body: Some(&Ty::Marked("other", &Ty::Prim(Prim::Unit))) },
    ]);
    for value in [json!("A"), json!("whatever"), json!({ "B": 1 })] {
        assert_eq!(encoded(&value, &marked, Codec::Json), value.to_string().as_bytes());
        assert_eq!(decode(value.to_string().as_bytes(), &marked, Codec::Json).unwrap(), value);
    }
}

/// So many levels: a tree has two for each of its own.
fn nested(levels: usize) -> Value {
    let mut value = json!({ "branches": [] });
    for _ in 1..levels / 2 {
        value = json!({ "branches": [value] });
    }
    value
}

#[test]
fn depth_is_limited_as_in_json() {
    let value = nested(126);
    for codec in BOTH {
        let payload = encoded(&value, &TREE, codec);
        assert_eq!(decode(&payload, &TREE, codec).unwrap(), value);
    }
    let deeper = nested(128);
    let misfit = encode(&deeper, &TREE, Codec::Json, &mut Vec::new()).unwrap_err();
    assert!(misfit.to_string().ends_with("[0].branches` is nested too deep: 127 levels are the most"), "{misfit}");
    misfits(&deeper, &TREE, &misfit.to_string());
    misfits(&nested(1_000), &TREE, &misfit.to_string());
    let fault = decode(&[1; 10_000], &TREE, Codec::Postcard).unwrap_err();
    assert_eq!(fault.path(), misfit.path());
    assert!(matches!(fault, DecodeFault::TooDeep { .. }));
    assert!(decode(deeper.to_string().as_bytes(), &TREE, Codec::Json).is_err());
    assert!(serde_json::from_str::<Value>(&deeper.to_string()).is_err());
}

#[test]
fn every_level_may_be_of_its_own_type() {
    let nested = |levels| (1..levels).fold(json!([]), |value, _| json!([value]));
    for codec in BOTH {
        let payload = encoded(&nested(127), &LIST, codec);
        assert_eq!(decode(&payload, &LIST, codec).unwrap(), nested(127));
    }
    let misfit = encode(&nested(128), &LIST, Codec::Json, &mut Vec::new()).unwrap_err();
    assert_eq!(misfit.path(), format!("data{}", "[0]".repeat(127)));
    misfits(&nested(128), &LIST, &misfit.to_string());
}

#[test]
fn depth_is_limited_where_nothing_is_described() {
    let nested = |levels| (0..levels).fold(json!(1), |value, _| json!([value]));
    let ty = Ty::Seq(&Ty::Opaque(""));
    let payload = encoded(&nested(127), &ty, Codec::Json);
    assert_eq!(decode(&payload, &ty, Codec::Json).unwrap(), nested(127));
    misfits_in(Codec::Json, &nested(128), &ty, "`data[0]` is nested too deep: 127 levels are the most");
}

#[test]
fn types_that_are_nothing_but_themselves_end() {
    misfits(&json!(1), &ENDLESS, "`data` is nested too deep: 127 levels are the most");
    faults(&[1; 100_000], &ENDLESS, Codec::Postcard, "`data` is nested too deep: 127 levels are the most");
    faults(b"1", &ENDLESS, Codec::Json, "`data` is nested too deep: 127 levels are the most");
}

#[test]
fn names_refer_to_the_innermost_type() {
    let value = json!({ "inner": { "b": { "b": null } }, "next": { "inner": { "b": null }, "next": null } });
    same(&value, &OUTER, &[1, 0, 1, 0, 0]);
    let wrong = json!({ "inner": { "b": { "next": null } } });
    misfits(&wrong, &OUTER, "`data.inner.b.next` is no field; there is `b`: recursive Node");
}

#[test]
fn payloads_that_do_not_fit_are_refused() {
    let postcard = |payload: &[u8], ty: &Ty, expected: &str| faults(payload, ty, Codec::Postcard, expected);
    postcard(&[], &SAY, "`data.text` cannot be read");
    postcard(&[1, 0xff, 0, 0, 0], &SAY, "`data.text` cannot be read");
    postcard(&[0, 2, 0, 0], &SAY, "`data.why` cannot be read");
    postcard(&[0, 1, 5, 0, 0], &SAY, "`data.why` cannot be read");
    postcard(&[0, 1, 3, 2, 0], &SAY, "`data.why.D.by[1]` cannot be read");
    postcard(&[0, 0, 0, 0, 1, 2], &SAY, "2 bytes too many in the payload");
    postcard(&[1, 1, 2], <BTreeMap<bool, Option<u8>>>::SCHEMA, "`data.true` cannot be read");
    postcard(&[1, 2, 0], <BTreeMap<bool, u8>>::SCHEMA, "`data` cannot be read");
    postcard(&[2], bool::SCHEMA, "`data` cannot be read");
    postcard(&[0xff, 0xff, 0x04], u16::SCHEMA, "`data` cannot be read");
    postcard(&[1, 7], Uuid::SCHEMA, "`data` cannot be read");
    let json = |payload: &str, ty: &Ty, expected: &str| faults(payload.as_bytes(), ty, Codec::Json, expected);
    json("", &SAY, "`data` cannot be read");
    json("{}", &SAY, "`data` cannot be read");
    json(r#"{"text": 1}"#, &SAY, "`data.text` cannot be read");
    json(r#"{"text": "", "text": ""}"#, &SAY, "`data` cannot be read");
    json(r#"{"text": ""} x"#, &SAY, "`data` cannot be read");
    json(r#"["", null, 0, null]"#, &SAY, "`data` cannot be read");
    json(r#"{"text": "", "why": {"D": {"by": ["", 1]}}}"#, &SAY, "`data.why.D.by[1]` cannot be read");
    json(r#"{"text": "", "why": {"A": 1}}"#, &SAY, "`data.why` cannot be read");
    json(r#"{"a\nb": 1}"#, <BTreeMap<String, bool>>::SCHEMA, r#"`data["a\u{a}b"]` cannot be read"#);
    json(r#"{"300": 1}"#, <BTreeMap<u8, u8>>::SCHEMA, "`data` cannot be read");
    json("[1, 2, 3]", <[u8; 2]>::SCHEMA, "`data` cannot be read");
    json("[1]", <[u8; 2]>::SCHEMA, "`data` cannot be read");
}

#[test]
fn json_may_leave_out_and_add_as_typed_code_allows() {
    let value = decode(br#"{"other": [{}], "text": "x", "why": "A"} "#, &SAY, Codec::Json).unwrap();
    assert_eq!(value, json!({ "text": "x", "why": "A" }));
    let value = decode(br#"{"text": "x", "age": 1}"#, &SAY, Codec::Json).unwrap();
    assert_eq!(value, json!({ "text": "x", "why": null, "age": 1 }));
}

#[test]
fn numbers_that_json_lacks_are_refused() {
    for number in [f64::NAN, f64::INFINITY] {
        let payload = [&[1], &number.to_le_bytes()[..]].concat();
        let number = "`data[0]` is a number that a JSON value cannot hold";
        faults(&payload, <Vec<f64>>::SCHEMA, Codec::Postcard, number);
    }
    let number = "`data` is a number that a JSON value cannot hold";
    faults(b"1e39", f32::SCHEMA, Codec::Json, "`data` cannot be read");
    faults(b"18446744073709551616", u128::SCHEMA, Codec::Json, number);
    faults(&[&[0xff; 18][..], &[0x03]].concat(), i128::SCHEMA, Codec::Postcard, number);
}

#[test]
fn lists_of_nothing_do_not_fill_the_memory() {
    let many = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    faults(&many, <Vec<()>>::SCHEMA, Codec::Postcard, "`data` has more elements than the payload has bytes");
    faults(&many, <Vec<u8>>::SCHEMA, Codec::Postcard, "`data[0]` cannot be read");
    let nested = [&[4][..], &many[..]].concat();
    let expected = "`data[0]` has more elements than the payload has bytes";
    faults(&nested, <Vec<Vec<()>>>::SCHEMA, Codec::Postcard, expected);
    same(&json!([null]), <Vec<()>>::SCHEMA, &[1]);
}

#[test]
fn what_is_shown_of_a_path_is_bounded() {
    let long = "x".repeat(10_000);
    let misfit = encode(&json!({ long.clone(): 1 }), &SAY, Codec::Json, &mut Vec::new()).unwrap_err();
    assert!(misfit.to_string().len() < 300, "{misfit}");
    let ty: Ty = Ty::Tuple(vec![&U8; 1000].leak());
    let many: &'static Ty = Box::leak(Box::new(Ty::Struct(
        (0..40)
            .map(|i| required(format!("f{i}").leak(), Box::leak(Box::new(Ty::Array(&U8, i)))))
            .collect::<Vec<_>>()
            .leak(),
    )));
    let misfit = encode(&json!({ "x": 1 }), many, Codec::Json, &mut Vec::new()).unwrap_err().to_string();
    assert!(misfit.ends_with("`f15`: [u8; 15] (required), and 24 more"), "{misfit}");
    let wide: &'static Ty = Box::leak(Box::new(Ty::Struct(vec![required("f", Box::leak(Box::new(ty)))].leak())));
    let misfit = encode(&json!({ "x": 1 }), wide, Codec::Json, &mut Vec::new()).unwrap_err().to_string();
    assert!(misfit.ends_with("u8… (required)") || misfit.contains("… (required)"), "{misfit}");
    assert!(misfit.len() < 200, "{misfit}");
    let misfit = encode(&json!(long), &WHY, Codec::Json, &mut Vec::new()).unwrap_err();
    assert!(misfit.to_string().len() < 150, "{misfit}");
    let misfit = encode(&json!({ "1".repeat(1000): 1 }), <BTreeMap<u8, u8>>::SCHEMA, Codec::Json, &mut Vec::new());
    assert!(misfit.unwrap_err().to_string().len() < 200);
}
