//! Texts of which there is one form only: base64url, and JSON objects with exact members.

use std::{fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

/// Bytes as base64url without padding (RFC 7515 §2).
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a text, if it is the one that [`encode`] makes of them: without padding, white space, other letters, or bits
/// behind the end.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The same for exactly `N` bytes.
pub(super) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Longer texts are not even looked at.
    if text.len() != encoded_len(N) {
        return None;
    }
    decode(text)?.try_into().ok()
}

/// How long the text of this many bytes is.
pub(super) const fn encoded_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

/// Reads a JSON text that is one object. Which members it must have says `T`, where each name may occur once.
pub(super) fn object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Option<T> {
    let mut input = serde_json::Deserializer::from_slice(json);
    let value = object_of(&mut input).ok()?;
    input.end().ok()?;
    Some(value)
}

/// The same for an object that is a part of something. What serde derives would take an array, too.
pub(super) fn object_of<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    input.deserialize_map(Object(PhantomData))
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn bytes_have_one_text() {
        for len in 0..40_u8 {
            let bytes: Vec<u8> = (0..len).map(|n| n.wrapping_mul(89)).collect();
            let text = encode(&bytes);
            assert_eq!(text.len(), encoded_len(bytes.len()));
            assert_eq!(decode(&text), Some(bytes));
        }
        assert_eq!(decode_array::<2>("AQI"), Some([1, 2]));
        for bad in ["AQI=", "AQJ", "AQ I", "AQI\n", " AQI", "A", "AQIDB", "AQI+", "AQI/", "AQÍ", "AQI.", "AQIA"] {
            assert_eq!(decode_array::<2>(bad), None, "{bad}");
        }
        for bad in ["-_-+", "-_-/", "AB", "AAB", "A===", "AA==", "AAA="] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode("-_-_"), Some(vec![0xfb, 0xff, 0xbf]));
    }

    #[test]
    fn objects_are_objects_with_exact_members() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pair<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
            #[serde(borrow)]
            data: &'a RawValue,
        }

        let pair = |json: &'static str| object::<Pair<'_>>(json.as_bytes()).map(|pair| (pair.name, pair.data.get()));
        assert_eq!(pair(r#"{"name":"a","data":[1, 2]}"#), Some(("a".into(), "[1, 2]")));
        assert_eq!(pair(" {\"data\" : {} ,\n\"n\\u0061me\":\"\\u0061\"} "), Some(("a".into(), "{}")));
        for bad in [
            r#"["a",1]"#,
            r#"{"name":"a"}"#,
            r#"{"name":"a","data":1,"more":1}"#,
            r#"{"name":"a","data":1,"name":"a"}"#,
            r#"{"name":"a","data":1,"data":1}"#,
            r#"{"name":null,"data":1}"#,
            r#"{"name":"a","data":1} {}"#,
            r#"{"name":"a","data":1}x"#,
            r#"{"name":"a","data":1"#,
            r#"{"name":"a","data":}"#,
            "",
        ] {
            assert_eq!(pair(bad), None, "{bad}");
        }
    }
}
