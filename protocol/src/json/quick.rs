//! The usual case, in one pass: an object that is there as a whole, with the fields that packets have and nothing odd.
//!
//! Where anything is unusual (an escape around the data, a field that is not known, a fault, the end of the input) this
//! gives up, and the scan and [`Envelope::from_marks`](super::Envelope) find out what it is. What is read here is read
//! there in the same way, but in two passes.

use std::borrow::Cow;

use super::{
    envelope::{Envelope, EnvelopeError, Token},
    number,
    scan::{next_mark, text_end},
};
use crate::{
    connection::CallId,
    find::{find_special, flat_end},
    utf8,
};

/// An object of the usual kind.
pub(super) struct Quick<'a> {
    pub(super) envelope: Envelope<'a>,
    pub(super) len: usize,
    /// What stands around its data, if [`again`] can make use of it.
    pub(super) around: Option<Around>,
}

/// What stands around the data of an object, but for `id` or `re`: places in it, which hold whole fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    /// From its `{` to its data, with nothing but the action.
    pub(super) head: Span,
    /// From behind its data to the comma before its number, or to its `}`.
    pub(super) stamp: Span,
    /// From there, or from behind its number, to behind its `}`.
    pub(super) rest: Span,
}

/// An object that says around its data what the object before has said.
pub(super) struct Again<'a> {
    /// Its action as bytes that are UTF-8; `None` if it is that of the object before, too.
    pub(super) action: Option<&'a str>,
    /// Its data, which is UTF-8.
    pub(super) data: &'a [u8],
    pub(super) number: Number,
    pub(super) len: usize,
    /// Where its data begins.
    pub(super) head_len: usize,
}

/// What ties an object to a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Number {
    None,
    Id(u64),
    Re(u64),
}

impl<'a> Envelope<'a> {
    /// Reads a whole object, from `{` to its `}`.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError`] if it is no object, not UTF-8, nested deeper than 128 levels, has more than 16 fields or one
    /// twice, lacks its `action`, has a field of the wrong kind, or has both `id` and `re`.
    #[inline]
    pub fn read(object: &'a [u8]) -> Result<Self, EnvelopeError> {
        if let Some(quick) = read(object)
            && quick.len == object.len()
        {
            return Ok(quick.envelope);
        }
        Self::read_unusual(object)
    }
}

/// The object at the beginning of `input`; `None` if it is not the usual one.
#[inline]
pub(super) fn read(input: &[u8]) -> Option<Quick<'_>> {
    if input.first() != Some(&b'{') {
        return None;
    }
    let mut cursor = Cursor { input, pos: 1 };
    let (mut action, mut data, mut created, mut token) = (None, None, None, None);
    let (mut id, mut re, mut timeout) = (None, None, None);
    // Where `id` or `re` begins and ends.
    let mut number = None;
    loop {
        let start = cursor.pos;
        // The letter behind the quote says which one it may be.
        let once = match cursor.input.get(cursor.pos + 1)? {
            b'a' if cursor.takes(b"\"action\":") => action.replace(cursor.plain_text()?).is_none(),
            b'd' if cursor.takes(b"\"data\":") => data.replace(cursor.value()?.0).is_none(),
            b'p' if cursor.takes(b"\"packet-created\":") => created.replace(cursor.take(number::time)?).is_none(),
            b't' if cursor.takes(b"\"token\":") => token.replace(cursor.token()?).is_none(),
            b'i' if cursor.takes(b"\"id\":") => {
                let once = id.replace(cursor.take(number::integer)?).is_none();
                number = Some((start, cursor.pos));
                once
            }
            b'r' if cursor.takes(b"\"re\":") => {
                let once = re.replace(cursor.take(number::integer)?).is_none();
                number = Some((start, cursor.pos));
                once
            }
            // Apart, so that what is in every packet is read as fast as without it.
            _ => rare(&mut cursor, &mut timeout)?,
        };
        if !once {
            return None;
        }
        match cursor.next()? {
            b',' => cursor.space(),
            b'}' => break,
            _ => return None,
        }
    }
    if id.is_some() && re.is_some() {
        return None;
    }
    let text = utf8::text(input.get(..cursor.pos)?).ok()?;
    let within = |(start, end)| text.get(start..end);
    let envelope = Envelope {
        action: Cow::Borrowed(within(action?)?),
        data: data.and_then(within),
        created,
        token: match token {
            Some(Some(token)) => Token::Text(Cow::Borrowed(within(token)?)),
            Some(None) | None => Token::None,
        },
        id: id.map(CallId::Number),
        re: re.map(CallId::Number),
        timeout,
    };
    let around = data.and_then(|data| around(input.get(..cursor.pos)?, action?, data, number));
    Some(Quick { envelope, len: cursor.pos, around })
}

/// What stands around the data of an object, if before that there is only the action, and if `id` or `re` is behind it; these
/// without spaces, as pnet writes them.
fn around(object: &[u8], action: Span, data: Span, number: Option<Span>) -> Option<Around> {
    let end = object.len() - 1;
    let (stamp_end, rest) = number.map_or((end, end), |(start, number_end)| (start - 1, number_end));
    let leads = action.0 == ACTION.len() && data.0 == action.1 + DATA.len();
    let follows = stamp_end >= data.1 && (number.is_none() || object.get(stamp_end) == Some(&b','));
    let (head, stamp, rest) = ((0, data.0), (data.1, stamp_end), (rest, object.len()));
    (leads && follows).then_some(Around { head, stamp, rest })
}

/// The object at the beginning of `input`, if it says around its data what the object before has said, whose parts these are
/// ([`Around`]); it may have another action and another number. `None`: [`read`] finds out.
///
/// What is read here is read there in the same way. The data ends where it ends there, since the same looks for its end; stamp
/// and rest are whole fields, which were read once; and action and number are read anew.
#[inline]
pub(super) fn again<'a>(input: &'a [u8], head: &[u8], stamp: &[u8], rest: &[u8]) -> Option<Again<'a>> {
    let mut cursor = Cursor { input, pos: head.len() };
    let mut action = None;
    if !input.starts_with(head) {
        cursor.pos = ACTION.len() - 1;
        if !input.starts_with(ACTION) {
            return None;
        }
        let (start, end) = cursor.plain_text()?;
        if !input.get(end..)?.starts_with(DATA) {
            return None;
        }
        action = Some(utf8::text(input.get(start..end)?).ok()?);
        cursor.pos = end + DATA.len();
    }
    let head_len = cursor.pos;
    let ((start, end), ascii) = cursor.value()?;
    let data = input.get(start..end)?;
    if !ascii {
        utf8::text(data).ok()?;
    }
    if !input.get(end..)?.starts_with(stamp) {
        return None;
    }
    cursor.pos += stamp.len();
    let number = match input.get(cursor.pos..)? {
        [b',', b'"', b'i', b'd', b'"', b':', ..] => {
            cursor.pos += 6;
            Number::Id(cursor.take(number::integer)?)
        }
        [b',', b'"', b'r', b'e', b'"', b':', ..] => {
            cursor.pos += 6;
            Number::Re(cursor.take(number::integer)?)
        }
        _ => Number::None,
    };
    let ends = input.get(cursor.pos..)?.starts_with(rest);
    ends.then_some(Again { action, data, number, len: cursor.pos + rest.len(), head_len })
}

/// The action in a head.
pub(super) fn name_in(head: &[u8]) -> Option<&[u8]> {
    head.strip_prefix(ACTION)?.strip_suffix(DATA)
}

/// How an object begins that pnet has written, and what it has between action and data.
const ACTION: &[u8] = b"{\"action\":\"";
const DATA: &[u8] = b"\",\"data\":";

/// A field that few packets have. Whether it stands there for the first time.
#[inline(never)]
#[cold]
fn rare(cursor: &mut Cursor<'_>, timeout: &mut Option<u32>) -> Option<bool> {
    if !cursor.takes(b"\"timeout\":") {
        return None;
    }
    let millis = u32::try_from(cursor.take(number::integer)?).unwrap_or(u32::MAX);
    Some(timeout.replace(millis).is_none())
}

type Span = (usize, usize);

struct Cursor<'a> {
    input: &'a [u8],
    pos: usize,
}

impl<'a> Cursor<'a> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.input.get(self.pos).copied();
        self.pos += 1;
        byte
    }

    /// What `read` finds here, and how long it is.
    #[inline]
    fn take<T>(&mut self, read: impl FnOnce(&[u8]) -> Option<(T, usize)>) -> Option<T> {
        let (value, len) = read(self.input.get(self.pos..)?)?;
        self.pos += len;
        Some(value)
    }

    /// The one space that some writers put between things.
    fn space(&mut self) {
        if self.input.get(self.pos) == Some(&b' ') {
            self.pos += 1;
        }
    }

    /// Takes a field's name and the colon behind it, if that is what comes.
    #[inline]
    fn takes<const N: usize>(&mut self, key: &[u8; N]) -> bool {
        let comes = self.input.get(self.pos..).and_then(<[u8]>::first_chunk::<N>) == Some(key);
        if comes {
            self.pos += N;
            self.space();
        }
        comes
    }

    /// A text in which nothing is escaped.
    fn plain_text(&mut self) -> Option<Span> {
        if self.next()? != b'"' {
            return None;
        }
        let start = self.pos;
        let end = start + find_special(self.input.get(start..)?)?;
        self.pos = end + 1;
        (self.input.get(end) == Some(&b'"')).then_some((start, end))
    }

    /// Any value, and whether it is known to be ASCII; what stands in it is its reader's to judge.
    #[inline]
    fn value(&mut self) -> Option<(Span, bool)> {
        let start = self.pos;
        if let Some((len, ascii)) = flat_end(self.input.get(start..)?)
            && let Some(b',' | b'}') = self.input.get(start + len)
        {
            self.pos += len;
            return Some(((start, self.pos), ascii));
        }
        Some((self.any_value()?, false))
    }

    fn any_value(&mut self) -> Option<Span> {
        let start = self.pos;
        // For each bracket that is open, whether it is that of an object; the innermost lowest.
        let (mut objects, mut depth) = (0_u64, 0_u32);
        let mut pos = start;
        loop {
            let (at, byte) = next_mark(self.input, pos)?;
            pos = at + 1;
            if byte == b'"' {
                pos = text_end(self.input, pos).ok()?;
            } else if byte == b':' || byte == b',' {
                if depth == 0 {
                    self.pos = at;
                    break;
                }
            } else if byte == b'{' || byte == b'[' {
                if depth == u64::BITS {
                    return None;
                }
                objects = objects << 1 | u64::from(byte == b'{');
                depth += 1;
            } else {
                if depth == 0 {
                    self.pos = at;
                    break;
                }
                if (objects & 1 == 1) != (byte == b'}') {
                    return None;
                }
                objects >>= 1;
                depth -= 1;
            }
        }
        let value = self.input.get(start..self.pos)?;
        let trimmed = !value.first()?.is_ascii_whitespace() && !value.last()?.is_ascii_whitespace();
        trimmed.then_some((start, self.pos))
    }

    fn token(&mut self) -> Option<Option<Span>> {
        if self.input.get(self.pos) == Some(&b'"') {
            return self.plain_text().map(Some);
        }
        self.input.get(self.pos..)?.strip_prefix(b"null")?;
        self.pos += 4;
        Some(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan::Scanner;

    /// What is read here is what is read in two passes.
    fn check(object: &[u8]) -> bool {
        let Some(Quick { envelope: quick, len, .. }) = read(object) else { return false };
        let mut scanner = Scanner::new();
        assert_eq!(scanner.scan(object).unwrap(), Some(len), "{}", object.escape_ascii());
        let slow = Envelope::from_marks(&object[..len], scanner.marks());
        assert_eq!(slow, Ok(quick), "{}", object.escape_ascii());
        true
    }

    const USUAL: [&str; 9] = [
        r#"{"action":"ADD","data":{"a":1,"b":[{},"]}"]},"packet-created":1700000000.123456,"token":null,"id":7}"#,
        r#"{"action": "ADD", "data": {"a": 1}, "packet-created": 1671900000.5, "token": "9f2f63e1-5aab"}"#,
        r#"{"re":9007199254740991,"token":"t","packet-created":0,"data":null,"action":"größe"}"#,
        r#"{"data":"\"\\","action":"A"}"#,
        r#"{"data":-1.5e3,"action":""}"#,
        r#"{"action":"A","data":[]}"#,
        r#"{"action":"A","data":nonsense}"#,
        r#"{"action":"A"}{"action":"B"}"#,
        r#"{"id":0,"action":"A"}"#,
    ];

    #[test]
    fn the_usual_objects_are_read_in_one_pass() {
        for object in USUAL {
            assert!(check(object.as_bytes()), "{object}");
        }
    }

    /// What is read by what the object before says is what is read without; whether it is read so.
    fn check_again(first: &str, second: &[u8]) -> bool {
        let quick = read(first.as_bytes()).unwrap();
        let Some(Around { head, stamp, rest }) = quick.around else { return false };
        let within = |(start, end)| &first.as_bytes()[start..end];
        let Some(again) = again(second, within(head), within(stamp), within(rest)) else { return false };
        let alone = read(second).unwrap_or_else(|| panic!("{}", second.escape_ascii()));
        let text = |text: &Token<'_>| match text {
            Token::Text(text) => Some(text.to_string()),
            _ => None,
        };
        let envelope = &alone.envelope;
        assert_eq!(again.len, alone.len, "{}", second.escape_ascii());
        assert_eq!(again.action.unwrap_or(&quick.envelope.action), envelope.action, "{}", second.escape_ascii());
        assert_eq!(Some(again.data), envelope.data.map(str::as_bytes), "{}", second.escape_ascii());
        assert_eq!(quick.envelope.created, envelope.created, "{}", second.escape_ascii());
        assert_eq!(quick.envelope.timeout, envelope.timeout, "{}", second.escape_ascii());
        assert_eq!(text(&quick.envelope.token), text(&envelope.token), "{}", second.escape_ascii());
        let (id, re) = match again.number {
            Number::None => (None, None),
            Number::Id(id) => (Some(CallId::Number(id)), None),
            Number::Re(re) => (None, Some(CallId::Number(re))),
        };
        assert_eq!((id, re), (envelope.id.clone(), envelope.re.clone()), "{}", second.escape_ascii());
        true
    }

    const AGAIN: [&str; 10] = [
        r#"{"action":"ADD","data":{"a":1,"b":2},"packet-created":1700000000.123456,"token":"secret","id":7}"#,
        r#"{"action":"ADD","data":{"a":1},"timeout":30000,"packet-created":1700000000.123456,"token":null,"id":12}"#,
        r#"{"action":"SUM","data":{"sum":3},"packet-created":1700000000.5,"token":"secret","re":7}"#,
        r#"{"action":"größe","data":[{"a":[]},"ü}"],"packet-created":1.5,"token":null}"#,
        r#"{"action":"A","data":-1.5e3,"token":null,"packet-created":0,"re":0}"#,
        r#"{"action":"","data":"\"}","id":9007199254740991}"#,
        r#"{"action":"A","data":nonsense}"#,
        r#"{"action":"B","data":{}, "token": null}"#,
        r#"{"action":"B","data":{},"packet-created":1.5,"id":1, "timeout":7,"token":"t"}"#,
        r#"{"action":"B","data":{},"re":1,"token":"t"}"#,
    ];

    #[test]
    fn what_is_said_again_is_not_read_again() {
        for first in AGAIN {
            assert!(check_again(first, first.as_bytes()), "{first}");
            assert!(check_again(first, [first, "\n{"].concat().as_bytes()), "{first}");
        }
        // Another action, other data, another number, and none.
        let [first, ..] = AGAIN;
        let stamp = r#","packet-created":1700000000.123456,"token":"secret""#;
        for head in [r#"{"action":"ADD","data":"#, r#"{"action":"AD","data":"#, r#"{"action":"größer","data":"#] {
            for data in
                ["null", "{}", r#"{"x":"ü"}"#, r#"[[{"":1}],"}",{}]"#, r#"{"token":"secret","id":1}"#, "nonsense"]
            {
                for end in ["}", r#","id":0}"#, r#","re":123456789012}"#] {
                    let second = [head, data, stamp, end].concat();
                    assert!(check_again(first, second.as_bytes()), "{second}");
                }
            }
        }
        // Time, token or timeout are others; there is more, or less; or in another order.
        for other in [
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secreT","id":7}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123457,"token":"secret","id":7}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secret","timeout":1,"id":7}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secret","id":7,"re":7}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secret","id":07}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secret","id":9007199254740992}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secret","id":}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secret","id":7"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456,"token":"secret""#,
            r#"{"action":"ADD","data":{},"token":"secret","packet-created":1700000000.123456,"id":7}"#,
            r#"{"action":"ADD","data":{},"packet-created":1700000000.123456}"#,
            r#"{"action":"ADD","data":,"packet-created":1700000000.123456,"token":"secret","id":7}"#,
            r#"{"action":"ADD","data":{]},"packet-created":1700000000.123456,"token":"secret","id":7}"#,
            r#"{"action":"ADD", "data":{},"packet-created":1700000000.123456,"token":"secret","id":7}"#,
            r#"{"action":"ADD"}"#,
        ] {
            assert!(!check_again(first, other.as_bytes()), "{other}");
        }
        let invalid = b"{\"action\":\"ADD\",\"data\":\"\xff\",\"packet-created\":1700000000.123456,\"token\":\"secret\",\"id\":7}";
        assert!(!check_again(first, invalid));
    }

    #[test]
    fn around_the_data_nothing_is_taken_for_granted() {
        for (object, known) in [
            (r#"{"action":"A","data":1,"packet-created":1.5,"token":null,"id":1}"#, true),
            (r#"{"action":"A","data":1}"#, true),
            (r#"{"action":"A","data":1,"id":1}"#, true),
            (r#"{"action":"A","data":1,"id":1,"token":null}"#, true),
            (r#"{"action":"A","data":1,"token":null, "id":1}"#, false),
            (r#"{"action":"A","data":1, "id":1}"#, false),
            (r#"{"action": "A","data":1,"id":1}"#, false),
            (r#"{"action":"A","data": 1,"id":1}"#, false),
            (r#"{"action":"A","id":1,"data":1}"#, false),
            (r#"{"id":1,"action":"A","data":1}"#, false),
            (r#"{"data":1,"action":"A","id":1}"#, false),
            (r#"{"token":null,"action":"A","data":1}"#, false),
            (r#"{"action":"A","token":null,"data":1}"#, false),
            (r#"{"action":"A"}"#, false),
        ] {
            assert_eq!(read(object.as_bytes()).unwrap().around.is_some(), known, "{object}");
        }
    }

    /// Every byte of every object, replaced by every byte that means something, left out and doubled, behind the same one
    /// and behind all others.
    #[test]
    fn damaged_objects_are_read_again_as_alone() {
        let mut read = 0;
        for first in AGAIN {
            for second in AGAIN {
                for at in 0..second.len() {
                    let (head, tail) = second.as_bytes().split_at(at);
                    for byte in b"\"\\{}[]:,. 0919-eAn\x00\x1f\n\xff\xc3" {
                        read += usize::from(check_again(first, &[head, &[*byte], &tail[1..]].concat()));
                        read += usize::from(check_again(first, &[head, &[*byte], tail].concat()));
                    }
                    read += usize::from(check_again(first, &[head, &tail[1..]].concat()));
                    read += usize::from(check_again(first, head));
                }
            }
        }
        assert!(read > 1000, "{read}");
    }

    #[test]
    fn what_is_unusual_is_left_to_the_others() {
        for object in [
            "{}",
            "{",
            r#"{"action":"A""#,
            r#"{"action":"\u0041"}"#,
            r#"{"action":"A","more":1}"#,
            r#"{"action":"A","action":"A"}"#,
            r#"{"action":"A","id":1,"re":1}"#,
            r#"{"action":"A","id":01}"#,
            r#"{"action":"A","id":9007199254740992}"#,
            r#"{"action":"A","packet-created":1.}"#,
            r#"{"action":"A","packet-created":1e3}"#,
            r#"{"action":"A","data":}"#,
            r#"{"action":"A","data":[}"#,
            r#"{"action":"A","data": 1 }"#,
            r#"{"action":"A",}"#,
            r#"{"data":1}"#,
        ] {
            assert!(read(object.as_bytes()).is_none(), "{object}");
        }
        let deep = format!(r#"{{"action":"A","data":{}{}}}"#, "[".repeat(65), "]".repeat(65));
        assert!(read(deep.as_bytes()).is_none());
        assert!(check(deep.replacen('[', "", 1).replacen(']', "", 1).as_bytes()));
    }

    /// Every byte of every usual object, replaced by every byte that means something, left out and doubled.
    #[test]
    fn both_ways_agree_on_damaged_objects() {
        let mut read = 0;
        for object in USUAL {
            for at in 0..object.len() {
                let (head, tail) = object.as_bytes().split_at(at);
                for byte in b"\"\\{}[]:,. 0919-eAn\x00\x1f\xff\xc3" {
                    read += usize::from(check(&[head, &[*byte], &tail[1..]].concat()));
                    read += usize::from(check(&[head, &[*byte], tail].concat()));
                }
                read += usize::from(check(&[head, &tail[1..]].concat()));
            }
        }
        assert!(read > 1000, "{read}");
    }
}
