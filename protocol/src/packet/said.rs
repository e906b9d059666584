//! What serde says about a value, without the value.

/// What is wrong with a value, in the words of serde and the codec, and of the type where it has its own.
///
/// serde quotes what it found: `invalid type: string "secret", expected u32`. Errors go to logs and to the other side, where
/// the contents of packets have no place. So the quotation is left out, and its kind, and what was expected, stay.
pub(super) fn without_values(said: &str) -> String {
    let Some((start, mark)) = MARKS.iter().filter_map(|mark| Some((said.find(mark.text)?, mark))).min_by_key(first)
    else {
        return said.to_owned();
    };
    let after = start + mark.text.len();
    let (head, found) = (said.get(..start).unwrap_or_default(), said.get(after..).unwrap_or_default());
    let kind = mark.kinds.iter().find(|kind| found.starts_with(**kind)).copied().unwrap_or_default();
    // The last one: what the value holds stands before it.
    let rest =
        ENDS.iter().filter_map(|end| found.rfind(end)).max().and_then(|end| found.get(end..)).unwrap_or_default();
    let rest = without_values(rest);
    format!("{head}{}{kind}{rest}", if kind.is_empty() { mark.bare } else { mark.text })
}

/// What serde puts in front of a value that it quotes.
struct Mark {
    text: &'static str,
    /// The same, if nothing of what follows is shown.
    bare: &'static str,
    /// How serde calls the kinds of values, behind the mark.
    kinds: &'static [&'static str],
}

const MARKS: [Mark; 4] = [
    Mark { text: "invalid type: ", bare: "invalid type", kinds: KINDS },
    Mark { text: "invalid value: ", bare: "invalid value", kinds: KINDS },
    Mark { text: "unknown variant `", bare: "unknown variant", kinds: &[] },
    Mark { text: "unknown field `", bare: "unknown field", kinds: &[] },
];

const KINDS: &[&str] = &[
    "Option value",
    "boolean",
    "byte array",
    "character",
    "enum",
    "floating point",
    "integer",
    "map",
    "newtype struct",
    "newtype variant",
    "null",
    "sequence",
    "string",
    "struct variant",
    "tuple variant",
    "unit value",
    "unit variant",
];

/// Where serde goes on behind the value.
const ENDS: [&str; 3] = [", expected ", ", there are no variants", ", there are no fields"];

const fn first(found: &(usize, &Mark)) -> usize {
    found.0
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, fmt::Debug, net::IpAddr, num::NonZeroU8};

    use proptest::prelude::*;
    use serde::{Deserialize, de::DeserializeOwned};

    use super::*;

    #[track_caller]
    fn check<T: Debug + DeserializeOwned>(json: &str, expected: &str) {
        let said = serde_json::from_str::<T>(json).unwrap_err().to_string();
        let at = said.rfind(" at line ").unwrap();
        let shown = without_values(&said);
        assert_eq!(shown.strip_suffix(&said[at..]), Some(expected), "{said}");
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Strict {
        _a: u8,
        _b: Option<Kind>,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        One,
        Two { _c: u8 },
    }

    #[derive(Debug, Deserialize)]
    enum Never {}

    #[test]
    fn values_are_left_out_and_their_kinds_stay() {
        check::<u32>(r#""secret""#, "invalid type: string, expected u32");
        check::<u32>(r#""a\", expected b""#, "invalid type: string, expected u32");
        check::<u32>(r#""invalid type: \"secret\", expected `x`""#, "invalid type: string, expected u32");
        check::<bool>("1234567", "invalid type: integer, expected a boolean");
        check::<String>("-1.5", "invalid type: floating point, expected a string");
        check::<String>("true", "invalid type: boolean, expected a string");
        check::<String>("null", "invalid type: null, expected a string");
        check::<Vec<u8>>("{}", "invalid type: map, expected a sequence");
        check::<u8>("1234567", "invalid value: integer, expected u8");
        check::<NonZeroU8>("0", "invalid value: integer, expected a nonzero u8");
        check::<char>(r#""secret""#, "invalid value: string, expected a character");
        check::<HashMap<u8, u8>>(r#"{"12345": 1}"#, "invalid value: integer, expected u8");
        check::<Kind>(r#""secret""#, "unknown variant, expected `One` or `Two`");
        check::<Kind>(r#""x`, expected `secret""#, "unknown variant, expected `One` or `Two`");
        check::<Never>(r#""secret""#, "unknown variant, there are no variants");
        check::<Strict>(r#"{"secret": 1}"#, "unknown field, expected `_a` or `_b`");
        check::<Strict>(r#"{"_a": 1, "_b": {"Two": {"_c": "secret"}}}"#, "invalid type: string, expected u8");
    }

    #[test]
    fn what_quotes_nothing_stays() {
        check::<Strict>("{}", "missing field `_a`");
        check::<Strict>(r#"{"_a": 1, "_a": 1}"#, "duplicate field `_a`");
        check::<IpAddr>(r#""secret""#, "invalid IP address syntax");
        check::<[u8; 2]>("[1]", "invalid length 1, expected an array of length 2");
        check::<u8>("", "EOF while parsing a value");
    }

    #[test]
    fn a_type_that_repeats_such_words_shows_no_value_either() {
        let own = r#"in `b`: invalid type: string "secret", expected u8; and unknown field `secret`"#;
        assert_eq!(without_values(own), "in `b`: invalid type: string, expected u8; and unknown field");
        assert_eq!(without_values("invalid type: secret"), "invalid type");
        assert_eq!(
            without_values("invalid value: odd secret, expected an even one"),
            "invalid value, expected an even one"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_shown(text in r#"[a-z`", ]{6,40}"#) {
            let json = serde_json::to_string(&format!("zq{text}")).unwrap();
            for said in [
                serde_json::from_str::<u32>(&json).unwrap_err(),
                serde_json::from_str::<Kind>(&json).unwrap_err(),
                serde_json::from_str::<Strict>(&format!("{{{json}: 1}}")).unwrap_err(),
                serde_json::from_str::<char>(&json).unwrap_err(),
            ] {
                let said = said.to_string();
                let shown = without_values(&said);
                prop_assert!(said.contains("zq") && !shown.contains("zq"), "{said}: {shown}");
                prop_assert!(shown.ends_with(&said[said.rfind(" at line ").unwrap()..]), "{said}: {shown}");
            }
        }
    }
}
