//! Sealed packets as values: what is on the wire, in both codecs, and what is refused there.

use pnet::{Codec, Packet, Schema, Sealed};
use serde_json::{Value, json};

use super::support::{
    Arrived, BOB, BOB_SEALING, Note, Order, Parcel, SealedNote, bytes, identity, note, sealing_key, verified,
};

async fn sealed_note() -> SealedNote {
    Sealed::seal::<super::support::Post>(&note("at noon"), &verified(BOB_SEALING, BOB).await).expect("it can be sealed")
}

const MEMBERS: [&str; 5] = ["protected", "encrypted_key", "iv", "ciphertext", "tag"];

#[tokio::test]
async fn a_sealed_packet_is_a_packet() {
    assert_eq!(SealedNote::ACTION, "SEALED_NOTE");
    assert_eq!(Sealed::<Order>::ACTION, "SEALED_ORDER");
    assert_eq!(Sealed::<Sealed<Note>>::ACTION, "SEALED_SEALED_NOTE");
    assert_eq!(SealedNote::CODEC, Codec::Postcard);
    let text = "{protected: str, encrypted_key: str, iv: str, ciphertext: str, tag: str}";
    assert_eq!(SealedNote::SCHEMA.to_string(), text);
    let sealed = sealed_note().await;
    for codec in [Codec::Json, Codec::Postcard] {
        let mut payload = Vec::new();
        sealed.encode(codec, &mut payload).expect("it can be written");
        assert_eq!(SealedNote::decode(codec, &payload).expect("it can be read"), sealed);
        let json = serde_json::to_value(&sealed).expect("it can be written");
        if codec == Codec::Json {
            assert_eq!(serde_json::from_slice::<Value>(&payload).expect("it is JSON"), json);
        } else {
            // Five texts, one after the other.
            let mut rest = &payload[..];
            for member in MEMBERS {
                let text = json[member].as_str().expect("it is a text");
                let len = text.len();
                let at = if len < 128 { 1 } else { 2 };
                assert_eq!(usize::from(rest[0] & 127) + if at == 2 { usize::from(rest[1]) << 7 } else { 0 }, len);
                assert_eq!(&rest[at..at + len], text.as_bytes());
                rest = &rest[at + len..];
            }
            assert_eq!(rest, b"");
        }
    }
}

#[tokio::test]
async fn debug_shows_type_and_length_only() {
    let sealed = sealed_note().await;
    let json = serde_json::to_value(&sealed).expect("it can be written");
    let len: usize = MEMBERS.iter().map(|member| json[*member].as_str().expect("it is a text").len()).sum();
    assert_eq!(format!("{sealed:?}"), format!("Sealed<Note>({len} bytes)"));
}

#[tokio::test]
async fn in_json_there_are_exactly_the_five_members() {
    let good = serde_json::to_value(sealed_note().await).expect("it can be written");
    let text = good.to_string();
    let read = |text: &str| {
        let direct = serde_json::from_str::<SealedNote>(text).is_ok();
        assert_eq!(SealedNote::decode(Codec::Json, text.as_bytes()).is_ok(), direct, "{text}");
        direct
    };
    assert!(read(&text));
    let mut bad = vec![
        "{}".to_owned(),
        "null".to_owned(),
        "\"\"".to_owned(),
        json!(MEMBERS.map(|member| good[member].clone())).to_string(),
        format!("{text} {text}"),
        text.replacen('{', r#"{"\u0069v":"AAAAAAAAAAAAAAAA","#, 1),
    ];
    // The general form, and what else RFC 7516 has.
    for more in ["recipients", "header", "unprotected", "aad", "zip", ""] {
        for value in [json!([]), json!({}), json!(""), Value::Null] {
            let mut other = good.clone();
            other[more] = value;
            bad.push(other.to_string());
        }
    }
    let mut general = good.clone();
    let key = general.as_object_mut().expect("it is an object").remove("encrypted_key");
    general["recipients"] = json!([{ "encrypted_key": key }]);
    bad.push(general.to_string());
    for member in MEMBERS {
        let mut without = good.clone();
        without.as_object_mut().expect("it is an object").remove(member).expect("it was there");
        bad.push(without.to_string());
        bad.push(text.replacen('{', &format!("{{\"{member}\":{},", good[member]), 1));
        for value in [Value::Null, json!(1), json!([]), json!({}), json!([good[member]])] {
            let mut other = good.clone();
            other[member] = value;
            bad.push(other.to_string());
        }
    }
    for bad in &bad {
        assert!(!read(bad), "{bad}");
    }
    assert!(bad.len() > 60, "{}", bad.len());
}

#[tokio::test]
async fn announcements_are_values_in_both_codecs() {
    let key = sealing_key(BOB_SEALING).announce(&identity(BOB)).await.expect("it can be announced");
    let arrived = Arrived { name: "Bob".to_owned(), key };
    assert_eq!(Arrived::SCHEMA.to_string(), "{name: str, key: {payload: str, protected: str, signature: str}}");
    for codec in [Codec::Json, Codec::Postcard] {
        let mut payload = Vec::new();
        arrived.encode(codec, &mut payload).expect("it can be written");
        assert_eq!(Arrived::decode(codec, &payload).expect("it can be read"), arrived);
    }
    let good = serde_json::to_value(&arrived).expect("it can be written");
    let text = good.to_string();
    for bad in [
        text.replacen("\"payload\"", "\"header\":{},\"payload\"", 1),
        text.replacen("\"payload\"", "\"signatures\":[],\"payload\"", 1),
        text.replacen("\"payload\"", "\"payload\":\"\",\"payload\"", 1),
        text.replacen("\"payload\"", "\"load\"", 1),
        json!({ "name": "Bob", "key": [good["key"]["payload"], good["key"]["protected"], good["key"]["signature"]] })
            .to_string(),
    ] {
        assert!(Arrived::decode(Codec::Json, bad.as_bytes()).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn packets_hold_them_in_any_place() {
    let one = sealed_note().await;
    let order = Order { text: "go".to_owned() };
    let order = Sealed::seal::<super::support::Post>(&order, &verified(BOB_SEALING, BOB).await).expect("can be sealed");
    let parcel = Parcel { to: "Bob".to_owned(), more: vec![sealed_note().await, one.clone()], one, order: Some(order) };
    for parcel in [parcel.clone(), Parcel { more: Vec::new(), order: None, ..parcel }] {
        for codec in [Codec::Json, Codec::Postcard] {
            let mut payload = Vec::new();
            parcel.encode(codec, &mut payload).expect("it can be written");
            assert_eq!(Parcel::decode(codec, &payload).expect("it can be read"), parcel);
        }
    }
}

#[tokio::test]
async fn lengths_are_what_the_documentation_says() {
    // Of the texts, for keys of 2048 bits: docs/sealed.md has these numbers.
    let sealed = serde_json::to_value(sealed_note().await).expect("it can be written");
    let lens = MEMBERS.map(|member| bytes(&sealed[member]).len());
    assert_eq!((lens[0], lens[1], lens[2], lens[4]), (117, 256, 12, 16));
}
