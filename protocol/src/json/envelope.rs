//! One object as a packet: the fields around its data, read without a parser from the marks that the scan has left.

use std::{borrow::Cow, time::Duration};

use serde::de::IgnoredAny;

use super::{
    number,
    scan::{MAX_DEPTH, MAX_FIELDS, Marks, Scanner},
};
use crate::{connection::CallId, fault::JsonFault, limits::CALL_ID_LEN, secret::Hidden, utf8};

/// An object of the JSON dialect: a packet whose `data` is still text (`docs/wire.md` §11.2).
///
/// Fields may stand in any order. What is not known is skipped, if it is JSON at all.
///
/// ```
/// use pnet_protocol::json::{CallId, Envelope};
///
/// let envelope = Envelope::read(br#"{"id": 7, "data": {"a": 1}, "action": "ADD"}"#).unwrap();
/// assert_eq!((envelope.action.as_ref(), envelope.data), ("ADD", Some(r#"{"a": 1}"#)));
/// assert_eq!(envelope.id, Some(CallId::Number(7)));
/// ```
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Envelope<'a> {
    /// What routes the packet.
    pub action: Cow<'a, str>,
    /// The data as it was sent: a piece of text that begins and ends like a value, and may be none. `None` if absent.
    pub data: Option<&'a str>,
    /// When the sender wrote it, in microseconds since the Unix epoch.
    pub created: Option<i64>,
    /// What the sender gave as its token.
    pub token: Token<'a>,
    /// Of a call: what its answer brings back.
    pub id: Option<CallId<'a>>,
    /// Of an answer: the `id` of the call.
    pub re: Option<CallId<'a>>,
    /// Of a call: how long its caller waits, in milliseconds; as long as there is a number for if it is more.
    pub timeout: Option<u32>,
}

/// The data is shown as its length, and the token not at all.
impl std::fmt::Debug for Envelope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Envelope")
            .field("action", &self.action)
            .field("data", &self.data.map(|data| Hidden(data.len())))
            .field("created", &self.created)
            .field("token", &self.token)
            .field("id", &self.id)
            .field("re", &self.re)
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// The field `token`.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum Token<'a> {
    /// Absent, or `null`.
    None,
    /// A text.
    Text(Cow<'a, str>),
    /// Something that is no text, and so nobody's token.
    Other,
}

/// Tokens are secret, also those that are wrong.
impl std::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Text(_) => "Text(redacted)",
            Self::Other => "Other",
        })
    }
}

/// Why an object is no packet. The sender's fault; later objects are unaffected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what}")]
#[non_exhaustive]
pub struct EnvelopeError {
    /// What is wrong, in words that name the field.
    pub what: Cow<'static, str>,
    /// The `id` of the call that it would have been, if that could be read.
    pub id: Option<CallId<'static>>,
}

impl<'a> Envelope<'a> {
    #[cold]
    pub(super) fn read_unusual(object: &'a [u8]) -> Result<Self, EnvelopeError> {
        match Self::scan(&mut Scanner::new(), object) {
            Ok(Some((envelope, len))) if len == object.len() && object.starts_with(b"{") => envelope,
            _ => Err(error("this is no object")),
        }
    }

    /// Reads the object that `input` begins with, once the scan has found its end; how many bytes it was.
    pub(super) fn scan(scanner: &mut Scanner, input: &'a [u8]) -> Result<Option<Scanned<'a>>, JsonFault> {
        let Some(len) = scanner.scan(input)? else { return Ok(None) };
        Ok(Some((Self::from_marks(input.get(..len).unwrap_or_default(), scanner.marks()), len)))
    }

    /// Reads a whole object in which the scan has found these marks.
    pub(crate) fn from_marks(object: &'a [u8], marks: &Marks) -> Result<Self, EnvelopeError> {
        let text = utf8::text(object).map_err(|_| error("the object is not UTF-8"))?;
        if marks.deep {
            return Err(error(format!("the object is nested deeper than {MAX_DEPTH} levels")));
        }
        if marks.crowded {
            return Err(error(format!("the object has more than {MAX_FIELDS} fields")));
        }
        let mut fields = Fields::default();
        let split = fields.split(text, marks);
        fields.read(split)
    }
}

/// An object whose end was found, and its length.
pub(super) type Scanned<'a> = (Result<Envelope<'a>, EnvelopeError>, usize);

/// The fields' values as they are written.
#[derive(Default)]
struct Fields<'a> {
    action: Option<&'a str>,
    data: Option<&'a str>,
    created: Option<&'a str>,
    token: Option<&'a str>,
    id: Option<&'a str>,
    re: Option<&'a str>,
    timeout: Option<&'a str>,
}

type What = Cow<'static, str>;

impl<'a> Fields<'a> {
    /// Goes through all fields; the first fault is kept until the end, since the id may stand behind it.
    fn split(&mut self, text: &'a str, marks: &Marks) -> Result<(), What> {
        let mut fault = Ok(());
        let mut start = 1;
        let mut positions = marks.positions();
        let end = text.len().saturating_sub(1);
        loop {
            let Some(colon) = positions.next() else {
                let rest = text.get(start..end).unwrap_or_default();
                // `{}`, or a comma at the end.
                let fits = rest.bytes().all(is_space) && start == 1;
                return fault.and_then(|()| if fits { Ok(()) } else { Err("a field has no value".into()) });
            };
            let stop = positions.next();
            let key = trim(text.get(start..colon).unwrap_or_default());
            let value = trim(text.get(colon + 1..stop.unwrap_or(end)).unwrap_or_default());
            let separated = text.as_bytes().get(colon) == Some(&b':')
                && stop.is_none_or(|stop| text.as_bytes().get(stop) == Some(&b','));
            let put = if separated { self.put(key, value) } else { Err("the object is not JSON".into()) };
            if fault.is_ok() {
                fault = put;
            }
            let Some(stop) = stop else { return fault };
            start = stop + 1;
        }
    }

    fn put(&mut self, key: &'a str, value: &'a str) -> Result<(), What> {
        let place = match key {
            "\"action\"" => &mut self.action,
            "\"data\"" => &mut self.data,
            "\"packet-created\"" => &mut self.created,
            "\"token\"" => &mut self.token,
            "\"id\"" => &mut self.id,
            "\"re\"" => &mut self.re,
            "\"timeout\"" => &mut self.timeout,
            _ => return self.put_rare(key, value),
        };
        if place.is_some() {
            return Err(format!("`{}` occurs twice", key.trim_matches('"')).into());
        }
        *place = Some(value);
        if value.is_empty() {
            return Err(format!("`{}` has no value", key.trim_matches('"')).into());
        }
        Ok(())
    }

    /// A field whose name is written with escapes, or not known here.
    fn put_rare(&mut self, key: &str, value: &'a str) -> Result<(), What> {
        let name = text_of(key).ok_or("a field's name is no text")?;
        for plain in ["\"action\"", "\"data\"", "\"packet-created\"", "\"token\"", "\"id\"", "\"re\"", "\"timeout\""] {
            if plain.trim_matches('"') == name {
                return self.put(plain, value);
            }
        }
        match serde_json::from_str::<IgnoredAny>(value) {
            Ok(_) => Ok(()),
            Err(_) => Err("a field that is not known here is not JSON".into()),
        }
    }

    fn read(&self, split: Result<(), What>) -> Result<Envelope<'a>, EnvelopeError> {
        let id = match self.id.map(id_of) {
            Some(None) => return Err(error(split.err().unwrap_or_else(|| no_id("id")))),
            Some(Some(id)) => id,
            None => None,
        };
        match self.read_others(split) {
            Ok(others) if others.re.is_none() || id.is_none() => Ok(Envelope { id, ..others }),
            Ok(_) => Err(error("an object has `id` or `re`, but not both")),
            // A call is told of its fault as such.
            Err(what) => Err(EnvelopeError { what, id: id.map(CallId::into_owned) }),
        }
    }

    /// All but the `id`.
    fn read_others(&self, split: Result<(), What>) -> Result<Envelope<'a>, What> {
        split?;
        Ok(Envelope {
            action: text_of(self.action.ok_or("`action` is missing")?).ok_or("`action` is no text")?,
            data: self.data,
            created: self.created.map_or(Ok(None), time_of)?,
            token: self.token.map_or(Ok(Token::None), token_of)?,
            id: None,
            re: self.re.map_or(Some(None), id_of).ok_or_else(|| no_id("re"))?,
            timeout: self.timeout.map_or(Ok(None), timeout_of)?,
        })
    }
}

fn error(what: impl Into<What>) -> EnvelopeError {
    EnvelopeError { what: what.into(), id: None }
}

fn no_id(key: &str) -> What {
    format!("`{key}` is no integer from 0 to 2^53-1 and no text of 1 to 64 bytes").into()
}

pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn trim(text: &str) -> &str {
    // Most of the time there is nothing to do.
    match text.as_bytes() {
        [first, .., last] if !is_space(*first) && !is_space(*last) => text,
        _ => text.trim_matches(|char: char| u8::try_from(char).is_ok_and(is_space)),
    }
}

/// The text between quotes; borrowed unless something in it is escaped.
pub(super) fn text_of(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    // A lone quote is prefix and suffix at once.
    if value.len() < 2 {
        return None;
    }
    // Without a way out of the loop it takes many bytes at a time.
    let special = inner.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if !special {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(value).ok().map(Cow::Owned)
}

fn id_of(value: &str) -> Option<Option<CallId<'_>>> {
    if value == "null" {
        return Some(None);
    }
    if value.starts_with('"') {
        let text = text_of(value).filter(|text| (1..=CALL_ID_LEN).contains(&text.len()))?;
        return Some(Some(CallId::Text(text)));
    }
    Some(Some(CallId::Number(number::whole(value, number::integer)?)))
}

fn token_of(value: &str) -> Result<Token<'_>, What> {
    match text_of(value) {
        Some(text) => Ok(Token::Text(text)),
        None if value == "null" => Ok(Token::None),
        None if serde_json::from_str::<IgnoredAny>(value).is_ok_and(|_| !value.starts_with('"')) => Ok(Token::Other),
        None => Err("`token` is not JSON".into()),
    }
}

/// Whole milliseconds.
fn timeout_of(value: &str) -> Result<Option<u32>, What> {
    if value == "null" {
        return Ok(None);
    }
    let millis = number::whole(value, number::integer).ok_or("`timeout` is no integer from 0 to 2^53-1")?;
    Ok(Some(u32::try_from(millis).unwrap_or(u32::MAX)))
}

/// Seconds, as a number with any fraction, in microseconds.
fn time_of(value: &str) -> Result<Option<i64>, What> {
    if value == "null" {
        return Ok(None);
    }
    if let Some(micros) = number::whole(value, number::time) {
        return Ok(Some(micros));
    }
    let seconds = serde_json::from_str::<f64>(value).map_err(|_| "`packet-created` is no finite number")?;
    let distance =
        Duration::try_from_secs_f64(seconds.abs()).ok().and_then(|time| i64::try_from(time.as_micros()).ok());
    let micros = distance.ok_or("`packet-created` is no time")?;
    Ok(Some(if seconds < 0.0 { -micros } else { micros }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Envelope<'_>, String> {
        Envelope::read(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn fields_stand_in_any_order() {
        let fields = [
            r#""action":"A""#,
            r#" "data" : {"x": [1,2]} "#,
            "\"packet-created\":1700000000.25",
            "\"token\":\"t\"",
            "\"id\":5",
            "\"more\":[{\"action\":2}]",
        ];
        for turn in 0..fields.len() {
            let mut fields = fields;
            fields.rotate_left(turn);
            let text = format!("{{{}}}", fields.join(","));
            let envelope = read(&text).unwrap();
            assert_eq!((envelope.action.as_ref(), envelope.data), ("A", Some(r#"{"x": [1,2]}"#)));
            assert_eq!((envelope.created, envelope.id), (Some(1_700_000_000_250_000), Some(CallId::Number(5))));
            assert_eq!(envelope.token, Token::Text("t".into()));
        }
    }

    #[test]
    fn what_is_null_is_absent() {
        let envelope = read(r#"{"action":"A","data":null,"packet-created":null,"token":null,"id":null,"re":null}"#);
        let envelope = envelope.unwrap();
        assert_eq!((envelope.data, envelope.created), (Some("null"), None));
        assert_eq!((envelope.token, envelope.id, envelope.re), (Token::None, None, None));
    }

    #[test]
    fn escapes_are_undone() {
        let envelope = read(r#"{"\u0061ction":"\u0045CHO\n","id":"\u00e9\ud83d\ude00"}"#).unwrap();
        assert_eq!(envelope.action, "ECHO\n");
        assert_eq!(envelope.id, Some(CallId::Text("é😀".into())));
    }

    #[test]
    fn rejects_what_is_no_packet() {
        for (text, wanted) in [
            ("{}", "`action` is missing"),
            (r#"{"data":1}"#, "`action` is missing"),
            (r#"{"action":1}"#, "`action` is no text"),
            (r#"{"action":null}"#, "`action` is no text"),
            (r#"{"action":"A" "B"}"#, "`action` is no text"),
            (r#"{"action":"\ud800"}"#, "`action` is no text"),
            ("{\"action\":\"a\u{1}\"}", "`action` is no text"),
            (r#"{"action":"A","action":"A"}"#, "`action` occurs twice"),
            (r#"{"action":"A","\u0061ction":"A"}"#, "`action` occurs twice"),
            (r#"{"action":"A","id":null,"id":1}"#, "`id` occurs twice"),
            (r#"{"action":"A","data":}"#, "`data` has no value"),
            (r#"{"action":"A",}"#, "a field has no value"),
            (r#"{"action"}"#, "a field has no value"),
            (r#"{,"action":"A"}"#, "the object is not JSON"),
            (r#"{"action":"A":"B"}"#, "the object is not JSON"),
            (r#"{"action","A"}"#, "the object is not JSON"),
            (r#"{action:"A"}"#, "a field's name is no text"),
            (r#"{"action":"A","x":NaN}"#, "a field that is not known here is not JSON"),
            (r#"{"action":"A","packet-created":NaN}"#, "`packet-created` is no finite number"),
            (r#"{"action":"A","packet-created":1e999}"#, "`packet-created` is no finite number"),
            (r#"{"action":"A","packet-created":1e300}"#, "`packet-created` is no time"),
            (r#"{"action":"A","packet-created":"now"}"#, "`packet-created` is no finite number"),
            (r#"{"action":"A","id":1,"re":1}"#, "an object has `id` or `re`, but not both"),
        ] {
            assert_eq!(read(text), Err(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn ids_are_integers_and_short_texts() {
        let long = format!("\"{}\"", "x".repeat(65));
        for id in ["-1", "-0", "1.0", "1e2", "9007199254740992", "01", "true", "[]", "{}", "\"\"", &long, "NaN", "+1"] {
            let text = format!(r#"{{"action":"A","id":{id}}}"#);
            assert!(read(&text).unwrap_err().starts_with("`id` is no integer"), "{text}");
        }
        for id in ["0", "9007199254740991", "\"x\"", &long[1..]] {
            let text = format!(r#"{{"action":"A","id":{}}}"#, id.replacen("xx", "\"x", usize::from(id.len() > 60)));
            assert!(read(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_fault_is_told_with_the_id_wherever_it_stands() {
        for text in [r#"{"id":3,"action":7}"#, r#"{"action":7,"id":3}"#, r#"{"data":1,"id":3}"#] {
            assert_eq!(Envelope::read(text.as_bytes()).unwrap_err().id, Some(CallId::Number(3)));
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, micros) in [
            ("1700000000.123456", 1_700_000_000_123_456),
            ("1700000000.1234569", 1_700_000_000_123_456),
            ("1700000000", 1_700_000_000_000_000),
            ("0", 0),
            ("0.5", 500_000),
            ("-1.5", -1_500_000),
            ("1.7e9", 1_700_000_000_000_000),
            ("1E3", 1_000_000_000),
        ] {
            assert_eq!(time_of(text), Ok(Some(micros)), "{text}");
        }
        for text in ["", "1.", ".5", "01", "1e", "--1", "Infinity", "-Infinity", "true", "[]"] {
            assert!(time_of(text).is_err(), "{text}");
        }
    }
}
