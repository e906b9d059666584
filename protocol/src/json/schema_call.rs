//! A client that does not know the server's protocol asks for it (`docs/wire.md` §11.10).

use std::ops::Range;

use super::{
    Form, JsonFault, action,
    envelope::Envelope,
    first::{First, too_long},
    own::{closed, failure_of},
    welcome::JsonWelcome,
    write::{END, Key, NO_TOKEN, begin_head, put_stamp, put_tie},
};
use crate::{
    close::CloseCode,
    connection::CallId,
    handshake::HandshakeError,
    limits::{Limits, TEXT_LEN},
    text::escape,
};

/// A client's: asks for the schema of the server's protocol, right after the handshake, and finds the answer among what else
/// comes. That is left to the open connection.
#[derive(Debug)]
pub struct SchemaCall {
    form: Form,
    max_object_len: u32,
    /// Where the object is that is looked at.
    place: First,
}

/// What a server says to a [`SchemaCall`].
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SchemaAnswer<'a> {
    /// The schema.
    Schema(&'a str),
    /// It does not tell, in its own words, escaped.
    Refused(String),
}

impl SchemaCall {
    /// Begins; `local` is what this side takes.
    pub const fn new(welcome: &JsonWelcome, local: &Limits) -> Self {
        Self { form: welcome.form, max_object_len: local.max_frame_len, place: First::new() }
    }

    /// Writes the question.
    pub fn ask(&self, micros: i64, out: &mut Vec<u8>) {
        begin_head(out, action::SCHEMA);
        out.extend_from_slice(b"null");
        put_stamp(out, micros, NO_TOKEN);
        put_tie(out, (Key::Id, &CallId::Text(ID.into())));
        out.extend_from_slice(END);
    }

    /// Looks at all that the server has sent since the handshake. `None`: the answer is not there yet. The range is where the
    /// answer's object stands; all around it belongs to the open connection.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]: the server closes the connection, sends what is no object, or sends more before the answer than this
    /// side holds.
    pub fn handle<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Range<usize>, SchemaAnswer<'a>)>, HandshakeError> {
        loop {
            let unread = self.place.unread(input);
            if self.place.skipped > BEFORE {
                return Err(too_long(BEFORE));
            }
            let max = usize::try_from(self.max_object_len).unwrap_or(usize::MAX);
            let Some((object, len)) = self.place.read(unread.get(..max).unwrap_or(unread))? else {
                let too_long = JsonFault::TooLong { max: self.max_object_len };
                return if unread.len() > max { Err(too_long.into()) } else { Ok(None) };
            };
            let start = self.place.skipped;
            self.place.skipped += len;
            // What cannot be read is left to the connection, too, which will say so.
            if let Ok(object) = object
                && let Some(answer) = self.answer(&object)?
            {
                return Ok(Some((start..start + len, answer)));
            }
        }
    }

    fn answer<'a>(&self, object: &Envelope<'a>) -> Result<Option<SchemaAnswer<'a>>, HandshakeError> {
        let is_ours = matches!(&object.re, Some(CallId::Text(re)) if re == ID);
        if let Some(error) = closed(&object.action, object.data, CloseCode::Normal) {
            return Err(error);
        }
        let answer = match object.action.as_ref() {
            action::SCHEMA if is_ours => SchemaAnswer::Schema(object.data.unwrap_or("null")),
            // Nothing else was asked, so a failure of a server that does not know `re` can mean nothing else.
            action::FAILURE if is_ours || (object.re.is_none() && !self.form.is_pnet()) => {
                let (code, message) = failure_of(object.data);
                SchemaAnswer::Refused(escape(&format!("{message} ({code})"), TEXT_LEN))
            }
            other if is_ours => {
                SchemaAnswer::Refused(format!("it answers with the action \"{}\"", escape(other, TEXT_LEN)))
            }
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }
}

/// The `id` of the question. A text, as this side's calls have numbers.
const ID: &str = "pnet.schema";

/// How much may come before the answer, in bytes.
const BEFORE: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{json::JsonHandshake, limits::HANDSHAKE_FRAME_LEN};

    const ANSWER: &str = r#"{"action":"pnet.schema","data":{"pnet-schema":1},"re":"pnet.schema"}"#;

    fn call(limits: &Limits) -> SchemaCall {
        let welcome = r#"{"action":"handShake","data":{"status":"success","pnet":1}}"#;
        let (_, welcome) = JsonHandshake::asking().handle(welcome.as_bytes()).unwrap().unwrap();
        SchemaCall::new(&welcome, limits)
    }

    #[test]
    fn the_answer_is_found_wherever_it_stands_and_however_it_is_cut() {
        let before = r#" {"action":"A","re":1} {"action":"pnet.schema","data":1}"#;
        let text = format!("{before}{ANSWER}\n{{\"action\":\"B\"}}");
        for cut in 0..text.len() {
            let mut call = call(&Limits::default());
            let early = call.handle(&text.as_bytes()[..cut]).unwrap().map(|(place, _)| place);
            let place = early.unwrap_or_else(|| call.handle(text.as_bytes()).unwrap().expect("is whole").0);
            assert_eq!(&text[place], ANSWER, "cut at {cut}");
        }
        let (_, answer) = call(&Limits::default()).handle(ANSWER.as_bytes()).unwrap().unwrap();
        assert_eq!(answer, SchemaAnswer::Schema(r#"{"pnet-schema":1}"#));
    }

    #[test]
    fn refusals_are_told_in_harmless_words() {
        let failure = r#"{"action":"pnet.failure","data":{"code":"c","message":"no\u001b[2J"},"re":"pnet.schema"}"#;
        let (_, answer) = call(&Limits::default()).handle(failure.as_bytes()).unwrap().unwrap();
        assert_eq!(answer, SchemaAnswer::Refused(r"no\u{1b}[2J (c)".to_owned()));
        let close = r#"{"action":"pnet.close","data":{"code":"going-away","reason":"bye"}}"#;
        let error = call(&Limits::default()).handle(close.as_bytes()).unwrap_err();
        assert!(matches!(error, HandshakeError::Closed { code: CloseCode::GoingAway, .. }), "{error:?}");
    }

    #[test]
    fn what_comes_before_it_is_bounded() {
        let push = r#"{"action":"A","data":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#;
        let pushes = push.repeat(BEFORE / push.len() + 2);
        assert!(call(&Limits::default()).handle(pushes.as_bytes()).is_err());
        let mut limits = Limits::default();
        limits.max_frame_len(HANDSHAKE_FRAME_LEN);
        let long = format!(r#"{{"action":"pnet.schema","data":"{}""#, "x".repeat(5000));
        assert!(call(&limits).handle(long.as_bytes()).is_err());
        assert!(call(&limits).handle(b"[1]").is_err());
    }
}
