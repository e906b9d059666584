//! What arrives, whatever the bytes look like.

use super::ReadError;
use crate::{
    connection::{Event, InFlight, Named, ReplyTo, Usual},
    dialect::Dialect,
    frame,
    info::Direction,
    json::{Form, JsonReader},
    limits::Limits,
    native::Inbound,
};

/// The receiving half of a connection.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "whoever makes a connection makes one of them")]
pub enum Reader {
    /// Frames.
    Native(Inbound),
    /// Objects.
    Json(Box<JsonReader>),
}

impl Reader {
    /// For frames, from a side that was told `local`, and sends `incoming`.
    pub const fn native(local: &Limits, incoming: &'static Direction) -> Self {
        Self::Native(Inbound::new(local, incoming))
    }

    /// Which dialect it reads.
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Native(_) => Dialect::Native,
            Self::Json(_) => Dialect::Json,
        }
    }

    /// Takes what comes next, and says how many bytes that was. `None` if it is not whole: call again with the same bytes
    /// and more.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the connection has to end.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Event<'a>, usize)>, ReadError> {
        match self {
            Self::Native(inbound) => {
                let max = inbound.limits().max_frame_len;
                let Some((frame, len)) = frame::decode(input, max)? else { return Ok(None) };
                Ok(Some((inbound.handle(frame)?, len)))
            }
            Self::Json(reader) => reader.next(input),
        }
    }

    /// Other bytes are read from now on than before: see [`next_at`](Self::next_at).
    #[inline]
    pub const fn begin(&mut self) {
        if let Self::Json(reader) = self {
            reader.begin();
        }
    }

    /// The same as [`next`](Self::next) for the bytes from `at` on, all of which are the same since [`begin`](Self::begin):
    /// what objects repeat that were written together is not read again.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn next_at<'a>(&mut self, bytes: &'a [u8], at: usize) -> Result<Option<(Event<'a>, usize)>, ReadError> {
        match self {
            Self::Native(_) => self.next(bytes.get(at..).unwrap_or_default()),
            Self::Json(reader) => reader.next_at(bytes, at),
        }
    }

    /// The short way: takes what comes again and again in one look, from the bytes at `at`, all of which are the same since
    /// [`begin`](Self::begin); how many bytes it was. `None`, and nothing has happened, if it is anything else, or anything is
    /// to be said against it: [`next_at`](Self::next_at) tells what it is.
    #[inline(always)]
    pub fn usual<'a>(&mut self, bytes: &'a [u8], at: usize) -> Option<(Usual<'a>, usize)> {
        match self {
            Self::Native(inbound) => inbound.usual(bytes.get(at..)?),
            Self::Json(reader) => reader.usual(bytes, at),
        }
    }

    /// The same for the answer to a call of this side only.
    #[inline]
    pub fn reply<'a>(&self, bytes: &'a [u8], at: usize) -> Option<(Usual<'a>, usize)> {
        match self {
            Self::Native(inbound) => inbound.reply(bytes.get(at..)?),
            Self::Json(reader) => reader.reply(bytes, at),
        }
    }

    /// What an object means that was taken for an answer, and was none.
    ///
    /// # Errors
    ///
    /// As [`next`](Self::next).
    pub fn packet<'a>(&mut self, named: Named<'a>) -> Result<Event<'a>, ReadError> {
        let Self::Json(reader) = self else { return Ok(Event::Ignored) };
        reader.packet(named)
    }

    /// When the object that was read last was written, in microseconds since the Unix epoch, as its sender says. Frames
    /// say it of all that follow, with [`Usual::Time`](crate::connection::Usual::Time).
    pub const fn created(&self) -> Option<i64> {
        let Self::Json(reader) = self else { return None };
        reader.created()
    }

    /// Where the answer to the open call goes; or where the fault of a one-way packet is told, to whoever understands it: nobody
    /// waits for that.
    #[inline]
    pub fn to(&mut self, call: Option<u32>) -> ReplyTo {
        match (self, call) {
            (Self::Native(_), Some(id)) => ReplyTo::Native(id),
            (Self::Native(_), None) => ReplyTo::Nobody,
            (Self::Json(reader), Some(id)) => reader.reply_to(id),
            (Self::Json(_), None) => ReplyTo::Json { id: None, action: None },
        }
    }

    /// Forgets a call, because its answer was written.
    #[inline]
    pub fn call_finished(&mut self, id: u32) {
        match self {
            Self::Native(inbound) => inbound.call_finished(id),
            Self::Json(reader) => reader.call_finished(id),
        }
    }

    /// Takes back the `frame_len` bytes that a one-way packet occupied, because it was handled or dropped, and writes
    /// credit when it is due.
    #[inline]
    pub fn packet_finished(&mut self, frame_len: u32, out: &mut Vec<u8>) {
        match self {
            Self::Native(inbound) => inbound.packet_finished(frame_len, out),
            Self::Json(reader) => reader.packet_finished(frame_len),
        }
    }

    /// What the other side has sent that is not finished here.
    #[inline]
    pub fn in_flight(&self) -> InFlight {
        match self {
            Self::Native(inbound) => inbound.in_flight(),
            Self::Json(reader) => reader.in_flight(),
        }
    }

    /// What the other side of a JSON connection is known to be by now.
    pub const fn form(&self) -> Option<Form> {
        let Self::Json(reader) = self else { return None };
        Some(reader.form())
    }

    /// The heartbeat that a JSON server has announced, or will, in milliseconds; 0 for none.
    pub const fn heartbeat_ms(&self) -> u32 {
        let Self::Json(reader) = self else { return 0 };
        reader.heartbeat_ms()
    }

    /// Writes a server's `handShake`, if it was not written yet. `micros` is the time, since the Unix epoch.
    pub fn greet(&mut self, micros: i64, out: &mut Vec<u8>) {
        if let Self::Json(reader) = self {
            reader.greet(micros, out);
        }
    }
}
