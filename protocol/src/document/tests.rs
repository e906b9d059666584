//! What is written is read as the same; what is no schema is refused with its place.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    info::{ActionInfo, Direction, PartInfo, ReplyInfo, Role},
    packet::{Codec, WhenFull},
    schema::{Field, Prim, Ty, Variant, codec},
};

const U8: Ty = Ty::Prim(Prim::U8);
const TREE: Ty =
    Ty::Named("Tree", &Ty::Struct(&[field("kids", &Ty::Seq(&Ty::Ref("Tree"))), field("twins", &Ty::Option(&PAIR))]));
/// Stands in `Tree` only, and refers to it.
const PAIR: Ty = Ty::Named("Pair", &Ty::Tuple(&[&Ty::Ref("Tree"), &Ty::Ref("Tree")]));
/// Of the same name, and nothing of the sort.
const OTHER_PAIR: Ty = Ty::Named("Pair", &Ty::Struct(&[field("left", &U8), field("right", &LEAF)]));
const LEAF: Ty = Ty::Named("Leaf", &Ty::Prim(Prim::Str));
const INNER: Ty = Ty::Named("Node", &Ty::Struct(&[field("b", &Ty::Option(&Ty::Ref("Node")))]));
/// Two of one name, each in itself, and one in the other.
const OUTER: Ty =
    Ty::Named("Node", &Ty::Struct(&[field("inner", &INNER), field("next", &Ty::Option(&Ty::Ref("Node")))]));
/// `A` in `B` in `A`, from either end.
const A: Ty =
    Ty::Named("A", &Ty::Struct(&[field("b", &Ty::Seq(&Ty::Named("B", &Ty::Struct(&[field("a", &Ty::Ref("A"))]))))]));
const B: Ty =
    Ty::Named("B", &Ty::Struct(&[field("a", &Ty::Named("A", &Ty::Struct(&[field("b", &Ty::Seq(&Ty::Ref("B")))])))]));

const ALL: Ty = Ty::Struct(&[
    field("prims", &Ty::Tuple(&[&Ty::Prim(Prim::Unit), &Ty::Prim(Prim::Bytes), &Ty::Prim(Prim::SocketAddrV6)])),
    Field { name: "list", ty: &Ty::Seq(&TREE), default: true },
    field("array", &Ty::Array(&OTHER_PAIR, 3)),
    field("map", &Ty::Map(&Ty::Prim(Prim::Str), &Ty::Option(&OUTER))),
    field("again", &TREE),
    field("inner", &INNER),
    field("a", &A),
    field("b", &B),
    field("opaque", &Ty::Opaque("serde_json :: Value")),
    field("flat", &Ty::Marked("flatten", &LEAF)),
    field(
        "kind",
        &Ty::Named(
            "Kind",
            &Ty::Enum(&[
                Variant { name: "Bare", body: None },
                Variant { name: "Empty", body: Some(&Ty::Tuple(&[])) },
                Variant { name: "One", body: Some(&U8) },
                Variant { name: "Said \"so\"", body: Some(&Ty::Struct(&[field("größe", &U8)])) },
            ]),
        ),
    ),
]);

const fn field(name: &'static str, ty: &'static Ty) -> Field {
    Field { name, ty, default: false }
}

const fn part(action: &'static str, schema: &'static Ty) -> PartInfo {
    PartInfo { action, type_name: action, codec: codec(schema), schema }
}

const fn action(role: Role, name: &'static str, schema: &'static Ty, reply: ReplyInfo) -> ActionInfo {
    let codec = codec(schema);
    let hash = crate::info::action_hash(role, name, codec, schema, &reply);
    ActionInfo { action: name, type_name: name, codec, schema, reply, when_full: WhenFull::Wait, hash }
}

const fn asked(name: &'static str, schema: &'static Ty, reply: ReplyInfo) -> ActionInfo {
    action(Role::Client, name, schema, reply)
}

static SAMPLE: ProtocolInfo = ProtocolInfo::new(
    "Sample",
    Direction {
        actions: &[
            asked("ACK", &LEAF, ReplyInfo::Ack),
            asked("ALL", &ALL, ReplyInfo::None),
            asked("CALL", &U8, ReplyInfo::Packet(part("REPLY", &TREE))),
            asked("RESULT", &OUTER, ReplyInfo::Result(part("REPLY", &B), part("ERROR", &A))),
            asked("STREAM", &U8, ReplyInfo::Stream { item: part("ITEM", &U8), error: Some(part("ERROR", &LEAF)) }),
            asked("WATCH", &U8, ReplyInfo::Stream { item: part("ITEM", &INNER), error: None }),
        ],
    },
    Direction {
        actions: &[
            ActionInfo { when_full: WhenFull::DropNew, ..action(Role::Server, "PUSH", &OTHER_PAIR, ReplyInfo::None) },
            ActionInfo { when_full: WhenFull::Disconnect, ..action(Role::Server, "SELF", &TREE, ReplyInfo::None) },
        ],
    },
)
.with_credentials("Login");

fn actions(info: &ProtocolInfo) -> impl Iterator<Item = &ActionInfo> {
    info.client.actions.iter().chain(info.server.actions)
}

#[test]
fn what_is_read_is_what_was_written() {
    let text = write(&SAMPLE, ShapePolicy::Shapes);
    let read = read(&text).unwrap();
    assert_eq!(write(read, ShapePolicy::Shapes), text);
    assert_eq!((read.name, read.fingerprint, read.credentials), (SAMPLE.name, SAMPLE.fingerprint, SAMPLE.credentials));
    assert_eq!(actions(read).count(), actions(&SAMPLE).count());
    for (read, written) in actions(read).zip(actions(&SAMPLE)) {
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        assert_eq!((read.hash, crate::schema::hash(read.schema)), (written.hash, crate::schema::hash(written.schema)));
    }
    // It is what the shapes give, too.
    let mut without: Value = serde_json::from_str(&text).unwrap();
    without.as_object_mut().unwrap().remove("fingerprint");
    assert_eq!(super::read(&without.to_string()).unwrap().fingerprint, SAMPLE.fingerprint);
}

#[test]
fn names_alone_say_nothing_of_shapes() {
    let text = write(&SAMPLE, ShapePolicy::Names);
    for told in ["kids", "left", "Tree", "Leaf", "postcard", "struct"] {
        assert!(!text.contains(told), "{told} in {text}");
    }
    let read = read(&text).unwrap();
    assert_eq!(write(read, ShapePolicy::Names), text);
    assert_eq!(read.fingerprint, SAMPLE.fingerprint);
    for (read, written) in actions(read).zip(actions(&SAMPLE)) {
        assert!(matches!((read.schema, read.codec), (Ty::Opaque(_), Codec::Json)));
        assert_eq!(
            (read.action, read.type_name, read.when_full),
            (written.action, written.type_name, written.when_full)
        );
        assert_eq!(std::mem::discriminant(&read.reply), std::mem::discriminant(&written.reply));
    }
}

#[test]
fn each_named_type_is_written_once() {
    let text: Value = serde_json::from_str(&write(&SAMPLE, ShapePolicy::Shapes)).unwrap();
    let keys: Vec<_> = text["types"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["A", "A#2", "B", "B#2", "Kind", "Leaf", "Node", "Node#2", "Pair", "Pair#2", "Tree"]);
    assert_eq!(text["types"]["Pair"], json!({ "tuple": [{ "ref": "Tree" }, { "ref": "Tree" }] }));
}

#[test]
fn the_same_text_is_the_same_protocol() {
    let text = write(&SAMPLE, ShapePolicy::Shapes);
    assert!(std::ptr::eq(read(&text).unwrap(), read(&text.clone()).unwrap()));
    let spaced = text.replacen(',', " ,", 1);
    assert!(!std::ptr::eq(read(&text).unwrap(), read(&spaced).unwrap()));
    assert!(std::ptr::eq(shared(&SAMPLE, ShapePolicy::Names), shared(&SAMPLE, ShapePolicy::Names)));
    assert_eq!(shared(&SAMPLE, ShapePolicy::Names), write(&SAMPLE, ShapePolicy::Names));
}

#[test]
fn actions_may_stand_in_any_order_and_unknown_keys_are_skipped() {
    let text = json!({
        "pnet-schema": 1, "protocol": "P", "phases": [1], "fingerprint": "00000000000000ff",
        "client": [
            { "action": "B", "packet": "B", "codec": "postcard", "data": { "list": "u8", "docs": "x" }, "docs": "y" },
            { "action": "A", "packet": "A", "data": { "struct": [{ "name": "x", "type": "u8", "docs": "z" }] }, "reply": null },
        ],
    });
    let read = read(&text.to_string()).unwrap();
    assert_eq!(read.client.actions.iter().map(|info| info.action).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(read.client.find("B"), Some(1));
    assert_eq!((read.fingerprint, read.server.actions.len()), (255, 0));
}

fn refused(text: &str, expected: &str) {
    assert_eq!(read(text).unwrap_err().to_string(), format!("schema: {expected}"), "{text}");
}

/// A protocol with one packet of this shape, and these types.
fn with(data: Value, types: Value) -> String {
    let client = json!([{ "action": "X", "packet": "X", "data": data }]);
    json!({ "pnet-schema": 1, "protocol": "P", "client": client, "types": types }).to_string()
}

#[test]
fn what_is_no_schema_is_refused_in_words() {
    refused("", "no JSON at line 1, column 0");
    refused("{\"pnet-schema\":1", "no JSON at line 1, column 16");
    refused("[]", "`pnet-schema` is missing, and this side reads 1");
    refused("{\"pnet-schema\":2}", "`pnet-schema` is 2, and this side reads 1");
    refused("{\"pnet-schema\":\"\\u001b\"}", r#"`pnet-schema` is "\u001b", and this side reads 1"#);
    refused(r#"{"pnet-schema":1}"#, "`protocol`: is missing");
    refused(r#"{"pnet-schema":1,"protocol":5}"#, "`protocol`: a text is wanted");
    refused(r#"{"pnet-schema":1,"protocol":""}"#, NAME_OF.replace("PATH", "protocol").as_str());
    refused(&" ".repeat(MAX_LEN + 1), &format!("{} bytes are more than {MAX_LEN}", MAX_LEN + 1));
    let hex = "`fingerprint`: a text of 16 hexadecimal digits is wanted";
    for wrong in ["1", "\"ff\"", "\"+00000000000000f\"", "\"000000000000000g\""] {
        refused(&format!(r#"{{"pnet-schema":1,"protocol":"P","fingerprint":{wrong}}}"#), hex);
    }
    let client = |client: Value| json!({ "pnet-schema": 1, "protocol": "P", "client": client }).to_string();
    refused(&client(json!({})), "`client`: a list is wanted");
    refused(&client(json!([1])), "`client[0]`: an object is wanted");
    refused(&client(json!([{}])), "`client[0].action`: is missing");
    let named = |name: &str| json!({ "action": name, "packet": "A" });
    refused(&client(json!([named("A"), named("B"), named("A")])), "`client[2].action`: \"A\" occurs twice");
    refused(&client(json!([named("")])), &NAME_OF.replace("PATH", "client[0].action").replace("256", "64"));
    refused(&client(json!([named("a\nb")])), &NAME_OF.replace("PATH", "client[0].action").replace("256", "64"));
    refused(&client(json!([named("\u{202e}")])), &NAME_OF.replace("PATH", "client[0].action").replace("256", "64"));
    for own in ["pnet.ping", "pnet.x", "handShake", "disconnect"] {
        let fault = format!("`client[0].action`: the action {own:?} belongs to the JSON dialect itself");
        refused(&client(json!([named(own)])), &fault);
    }
    let with = |key: &str, value: Value| {
        let mut action = named("A");
        action[key] = value;
        client(json!([action]))
    };
    refused(&with("codec", json!("xml")), "`client[0].codec`: \"postcard\" or \"json\" is wanted");
    refused(&with("when-full", json!(1)), "`client[0].when-full`: \"wait\", \"drop_new\" or \"disconnect\" is wanted");
    let reply = "`client[0].reply`: \"ack\", or an object with `packet`, `result` or `stream` is wanted";
    refused(&with("reply", json!("no")), reply);
    refused(&with("reply", json!({ "x": 1 })), reply);
    refused(&with("reply", json!({ "packet": {} })), "`client[0].reply.packet.action`: is missing");
    refused(
        &with("reply", json!({ "result": [named("B")] })),
        "`client[0].reply.result`: a list of two packets is wanted",
    );
    refused(&with("reply", json!({ "result": [named("B"), named("B")] })), "`client[0].reply`: \"B\" occurs twice");
    refused(
        &with("reply", json!({ "stream": named("B"), "error": named("B") })),
        "`client[0].reply`: \"B\" occurs twice",
    );
    refused(
        &with("reply", json!({ "stream": named("B"), "error": 1 })),
        "`client[0].reply.error`: an object is wanted",
    );
}

const NAME_OF: &str = "`PATH`: a name of 1 to 256 bytes without control characters is wanted";

#[test]
fn what_is_no_type_is_refused_in_words() {
    let data = |data: Value, expected: &str| refused(&with(data, json!({})), expected);
    data(json!(1), "`client[0].data`: a type is wanted");
    data(json!("u7"), "`client[0].data`: there is no type \"u7\"");
    data(json!({}), "`client[0].data`: there is no type \"\"");
    data(json!({ "set": "u8" }), "`client[0].data`: there is no type \"set\"");
    data(json!({ "list": "u8", "option": "u8" }), "`client[0].data`: this is a type of two kinds, `option` and `list`");
    data(json!({ "list": { "option": "x" } }), "`client[0].data.list.option`: there is no type \"x\"");
    data(json!({ "array": "u8" }), "`client[0].data.length`: the number of elements is wanted");
    data(json!({ "array": "u8", "length": -1 }), "`client[0].data.length`: the number of elements is wanted");
    data(json!({ "array": "u8", "length": u64::MAX }), "`client[0].data.length`: the number of elements is wanted");
    data(json!({ "map": { "key": "str" } }), "`client[0].data.map.value`: is missing");
    data(json!({ "tuple": { "x": 1 } }), "`client[0].data.tuple`: a list is wanted");
    data(json!({ "struct": [{ "type": "u8" }] }), "`client[0].data.struct[0].name`: is missing");
    data(json!({ "struct": [{ "name": "x" }] }), "`client[0].data.struct[0].type`: is missing");
    data(
        json!({ "struct": [{ "name": "x", "type": "u8", "default": 1 }] }),
        "`client[0].data.struct[0].default`: true or false is wanted",
    );
    let twice = json!([{ "name": "x", "type": "u8" }, { "name": "x", "type": "u8" }]);
    data(json!({ "struct": twice }), "`client[0].data.struct[1].name`: \"x\" occurs twice");
    let esc = json!([{ "name": "\u{1b}", "type": "u8" }]);
    data(json!({ "struct": esc }), &NAME_OF.replace("PATH", "client[0].data.struct[0].name"));
    data(json!({ "enum": [{ "name": "x", "holds": 1 }] }), "`client[0].data.enum[0].holds`: a type is wanted");
    data(json!({ "opaque": 1 }), "`client[0].data.opaque`: a text is wanted");
    data(json!({ "as-serde": "flatten" }), "`client[0].data.type`: is missing");
    data(json!({ "ref": 1 }), "`client[0].data.ref`: the name of a type is wanted");
    data(json!({ "ref": "T" }), "`client[0].data.ref`: `types` has no \"T\"");
}

#[test]
fn types_that_lead_nowhere_are_refused() {
    let list = |to: &str| json!({ "list": { "ref": to } });
    refused(&with(list("T"), json!({ "T": { "list": 1 } })), "`types.T.list`: a type is wanted");
    refused(&with(list("#2"), json!({ "#2": "u8" })), &NAME_OF.replace("PATH", "types.#2"));
    let itself = json!({ "T": { "ref": "T" } });
    refused(&with(list("T"), itself), "`types.T.ref`: the type \"T\" is nothing but itself");
    let in_turn = json!({ "T": { "ref": "U" }, "U": { "ref": "T" } });
    refused(&with(list("T"), in_turn), "`types.U.ref`: the type \"T\" is nothing but itself");
    let hidden = json!({ "T": list("T#2"), "T#2": list("T") });
    refused(
        &with(list("T"), hidden),
        "`types.T#2.list.ref`: it refers to \"T\", which another type of that name hides here",
    );
    assert!(
        read(&with(list("T"), json!({ "T": list("T"), "unused": 5 }))).is_ok(),
        "what nobody uses is not looked at"
    );
}

#[test]
fn what_would_take_long_to_walk_over_is_refused() {
    // Each has the one before twice.
    let laughs: serde_json::Map<_, _> = (1..60)
        .map(|i| {
            (format!("T{i}"), json!({ "tuple": [{ "ref": format!("T{}", i - 1) }, { "ref": format!("T{}", i - 1) }] }))
        })
        .chain([("T0".to_owned(), json!("u8"))])
        .collect();
    let error = read(&with(json!({ "ref": "T59" }), laughs.into())).unwrap_err();
    assert_eq!(error.to_string(), "schema: `client[0].data`: all types together have more than 1048576 parts");
    // The same, each referring to one that stands around it, so that it is another each time.
    let open: serde_json::Map<_, _> = (1..60)
        .map(|i| {
            let next = json!({ "ref": format!("T{}", i - 1) });
            (format!("T{i}"), json!({ "tuple": [next, next, { "list": { "ref": "T59" } }] }))
        })
        .chain([("T0".to_owned(), json!({ "list": { "ref": "T59" } }))])
        .collect();
    let error = read(&with(json!({ "ref": "T59" }), open.into())).unwrap_err().to_string();
    assert!(error.ends_with("all types together have more than 131072 parts"), "{error}");
    let deep: serde_json::Map<_, _> = (1..1000)
        .map(|i| (format!("T{i}"), json!({ "list": { "ref": format!("T{}", i - 1) } })))
        .chain([("T0".to_owned(), json!("u8"))])
        .collect();
    let error = read(&with(json!({ "ref": "T999" }), deep.clone().into())).unwrap_err().to_string();
    assert!(error.ends_with("more than 256 types stand in each other"), "{error}");
    // The same where the deep part is known already.
    let data = json!({ "tuple": [{ "ref": "T100" }, { "list": { "ref": "T200" } }] });
    let error = read(&with(data, deep.into())).unwrap_err().to_string();
    assert!(error.ends_with("more than 256 types stand in each other"), "{error}");
    let brackets = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(read(&brackets), Err(SchemaError::NotJson { .. })));
}

/// A change of a text.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, String)> {
    let words =
        "[\\[\\]{}:,\"a-z0-9#]{0,3}|\"(ref|list|option|struct|types|enum|T|Tree|Node|Node#2|A#2)\"|null|\\{\\}|\\[\\]";
    (any::<prop::sample::Index>(), 0..6_usize, words)
}

/// A change of a value somewhere in it: another part of the same text is put there.
fn transplant(value: &mut Value, from: &Value, at: &mut usize) {
    if *at == 0 {
        *value = from.clone();
    }
    *at = at.wrapping_sub(1);
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(|part| transplant(part, from, at)),
        Value::Object(parts) => parts.values_mut().for_each(|part| transplant(part, from, at)),
        _ => {}
    }
}

fn nth<'a>(value: &'a Value, at: &mut usize) -> Option<&'a Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(parts) => parts.iter().find_map(|part| nth(part, at)),
        Value::Object(parts) => parts.values().find_map(|part| nth(part, at)),
        _ => None,
    }
}

/// Whatever is read can be walked over, written, and read again as the same.
fn check_read(text: &str) {
    match find(text) {
        Ok(info) => {
            for info in actions(&info) {
                assert!(info.shape().to_string().len() < 1 << 26);
                let _ = crate::dynamic::decode(b"{}", info.schema, Codec::Json);
                let _ = crate::dynamic::encode(&json!({ "x": [{}] }), info.schema, Codec::Json, &mut Vec::new());
            }
            let written = write(&info, ShapePolicy::Shapes);
            let again = find(&written).expect("what is written can be read");
            assert_eq!(write(&again, ShapePolicy::Shapes), written);
        }
        Err(error) => {
            assert!(error.to_string().len() < 4096, "{error}");
            assert_eq!(check(text), Err(error));
        }
    }
}

/// As `read`, without its memory: so many texts would be too many for a process.
fn find(text: &str) -> Result<ProtocolInfo, SchemaError> {
    read::unkept(text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(changes in prop::collection::vec(change(), 1..5)) {
        let mut text = write(&SAMPLE, ShapePolicy::Shapes);
        for (at, len, put) in changes {
            let at = at.index(text.len() + 1);
            if let Some(end) = (at..=text.len()).find(|end| *end >= at + len && text.is_char_boundary(*end))
                && text.is_char_boundary(at)
            {
                text.replace_range(at..end, &put);
            }
        }
        check_read(&text);
    }

    #[test]
    fn no_schema_panics(swaps in prop::collection::vec((0..400_usize, 0..400_usize), 1..6)) {
        let mut value: Value = serde_json::from_str(&write(&SAMPLE, ShapePolicy::Shapes)).unwrap();
        for (mut from, mut to) in swaps {
            let Some(from) = nth(&value, &mut from).cloned() else { continue };
            if to != 0 {
                transplant(&mut value, &from, &mut to);
            }
        }
        check_read(&value.to_string());
    }
}
