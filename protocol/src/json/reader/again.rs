//! Objects that repeat what stood around the data of the one before, which is most of them: that is compared, and not read.

use super::{
    super::{
        Form, action, payload_of,
        quick::{self, Around, Number, name_in},
    },
    JsonReader, with_line_end,
};
use crate::{
    connection::{Call, CallId, Packet, ReplyTo, Usual},
    info::{ReplyInfo, Role},
    utf8,
};

impl JsonReader {
    /// Takes the object that begins at `at`, if it says around its data what the object before has said; how many bytes it
    /// was. All the bytes are the same since [`begin`](Self::begin). `None`, and nothing has happened, if it says anything
    /// else, or if anything is to be said against it: [`next_at`](Self::next_at) tells what it is.
    ///
    /// [`created`](Self::created) and [`form`](Self::form) stay as they are.
    pub fn usual<'a>(&mut self, bytes: &'a [u8], at: usize) -> Option<(Usual<'a>, usize)> {
        let (object, before) = self.read_again(bytes, at)?;
        let taken = with_line_end(bytes.get(at..)?, object.len);
        let id = match object.number {
            Number::None => None,
            Number::Id(id) => Some(u32::try_from(id).ok()?),
            Number::Re(_) => return Some((answer(bytes, before, object)?, taken)),
        };
        let action = match (object.action, before.action) {
            (None, Some(number)) => number,
            (None, None) => self.incoming.find(before.name(bytes)?)?,
            (Some(name), _) => self.incoming.find(name)?,
        };
        let info = self.incoming.get(action)?;
        let payload = payload_of(Some(object.data), info.schema);
        let timeout_ms = before.timeout_ms;
        let usual = match (id, &info.reply) {
            (Some(number), reply) if !matches!(reply, ReplyInfo::None) && !reply.is_stream() => {
                if self.form == Form::Old || !self.has_room() || self.is_open(number) {
                    return None;
                }
                let to = ReplyTo::Json { id: Some(CallId::Number(u64::from(number))), action: Some(action) };
                let id = self.calls.insert(to)?;
                Usual::Call(Call { id, action, timeout_ms, payload })
            }
            // Where nothing is numbered it may be an answer.
            (None, ReplyInfo::None) if self.role == Role::Server || self.form == Form::Pnet => {
                let frame_len = u32::try_from(object.len).ok()?;
                self.arrive(frame_len).ok()?;
                Usual::Packet(Packet { action, payload, frame_len })
            }
            _ => return None,
        };
        let before = self.before.as_mut()?;
        if object.action.is_some() {
            before.around.head = (at, at + object.head_len);
        }
        before.action = Some(action);
        Some((usual, taken))
    }

    /// The same for the answer to a call of this side only.
    pub fn reply<'a>(&self, bytes: &'a [u8], at: usize) -> Option<(Usual<'a>, usize)> {
        let (object, before) = self.read_again(bytes, at)?;
        let taken = with_line_end(bytes.get(at..)?, object.len);
        Some((answer(bytes, before, object)?, taken))
    }

    #[inline]
    fn read_again<'a>(&self, bytes: &'a [u8], at: usize) -> Option<(quick::Again<'a>, &Before)> {
        let before = self.before.as_ref()?;
        if self.closed || self.scanner.has_begun() {
            return None;
        }
        let input = bytes.get(at..)?;
        let window = input.get(..usize::try_from(self.limits.max_frame_len).ok()?).unwrap_or(input);
        let Around { head, stamp, rest } = before.around;
        let within = |(start, end)| bytes.get(start..end);
        Some((quick::again(window, within(head)?, within(stamp)?, within(rest)?)?, before))
    }
}

/// What an object says around its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// Places in the bytes that are read now.
    pub(super) around: Around,
    pub(super) timeout_ms: u32,
    /// The number of its action, once that was looked for.
    pub(super) action: Option<u16>,
}

impl Before {
    fn name<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        let (start, end) = self.around.head;
        utf8::text(name_in(bytes.get(start..end)?)?).ok()
    }
}

fn answer<'a>(bytes: &'a [u8], before: &Before, object: quick::Again<'a>) -> Option<Usual<'a>> {
    let Number::Re(re) = object.number else { return None };
    let action = match object.action {
        Some(action) => action,
        None => before.name(bytes)?,
    };
    // Of the dialect's own actions only these two answer calls.
    if action::is_reserved(action) && action != action::DONE && action != action::END {
        return None;
    }
    Some(Usual::Object { re: u32::try_from(re).unwrap_or(0), action, data: object.data, len: object.len })
}
