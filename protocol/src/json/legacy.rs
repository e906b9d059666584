//! Peers of the old form: the Python library, and programs like it (`docs/wire.md` §11.6, §11.7).
//!
//! Such a peer takes what one read gives it for exactly one packet, and ties no answer to its question. So a client of the
//! old form is sent answers and nothing else, and a server of the old form one packet at a time: the next one waits for
//! the answer, or until there was time to read. All that is done otherwise for them is decided here.

use std::time::{Duration, Instant};

use super::Form;
use crate::{
    close::{Close, CloseCode},
    info::{ReplyInfo, Role},
    limits::{MAX_LIMIT, TEXT_LEN},
};

impl Form {
    /// That of a peer whose `handShake` has the key `pnet`, or lacks it.
    pub(super) const fn of_handshake(has_pnet: bool) -> Self {
        if has_pnet { Self::Pnet } else { Self::Old }
    }

    /// That of a peer which has numbered a call: nobody of the old form does.
    pub(super) const fn with_ids(self) -> Self {
        if self.is_old() { Self::Plain } else { self }
    }

    /// Whether it is the old one.
    #[must_use]
    pub const fn is_old(self) -> bool {
        matches!(self, Self::Old)
    }

    pub(super) const fn is_pnet(self) -> bool {
        matches!(self, Self::Pnet)
    }
}

/// What the other side is known to be, and what it may be sent for that reason, and when.
#[derive(Clone, Debug)]
pub(super) struct Legacy {
    /// This side's.
    role: Role,
    pub(super) form: Form,
    max_len: u32,
    /// What was sent last may not be read yet.
    unread: bool,
    reads_until: Option<Instant>,
    answers_until: Option<Instant>,
}

impl Legacy {
    /// `unread`: the other side may have to read this side's handshake first.
    pub(super) const fn new(role: Role, form: Form, unread: bool) -> Self {
        Self { role, form, max_len: OLD_PACKET_BYTES, unread, reads_until: None, answers_until: None }
    }

    /// Sets how many bytes a packet may have, the line end included.
    pub(super) fn set_max_len(&mut self, bytes: u32) {
        self.max_len = bytes.clamp(MIN_PACKET_BYTES, MAX_LIMIT);
    }

    /// Whether the other side takes one packet at a time.
    pub(super) const fn is_one_by_one(&self) -> bool {
        matches!((self.role, self.form), (Role::Client, Form::Old))
    }

    /// Whether packets that nobody asked for may be sent.
    pub(super) const fn can_push(&self) -> bool {
        !matches!((self.role, self.form), (Role::Server, Form::Old))
    }

    /// Whether a call with this reply can be answered: a client of the old form answers none, and a server of the old form
    /// acknowledges none.
    pub(super) const fn can_answer(&self, reply: &ReplyInfo) -> bool {
        match (self.role, self.form) {
            (_, Form::Plain | Form::Pnet) => true,
            (Role::Server, Form::Old) => false,
            (Role::Client, Form::Old) => !matches!(reply, ReplyInfo::Ack | ReplyInfo::Stream { .. }),
        }
    }

    /// Whether it is known to understand a failure of something that it does not wait for.
    pub(super) const fn takes_failures(&self) -> bool {
        match self.role {
            Role::Server => !self.form.is_old(),
            Role::Client => self.form.is_pnet(),
        }
    }

    /// Whether something may go now, as far as reading is concerned.
    pub(super) const fn is_ready(&self) -> bool {
        !(self.is_one_by_one() && self.unread)
    }

    /// The longest packet, of a peer that has said to take `max`.
    pub(super) fn max_len(&self, max: u32) -> u32 {
        if self.form.is_old() { max.min(self.max_len) } else { max }
    }

    /// The length of what was written, as its limit counts: the old form has to read the line end, too.
    pub(super) const fn counted(&self, written: usize) -> usize {
        if self.form.is_old() { written } else { written.saturating_sub(1) }
    }

    /// Most bytes of a text for people.
    pub(super) fn text_len(&self) -> usize {
        if self.form.is_old() { usize::try_from(self.max_len / 4).unwrap_or(TEXT_LEN).min(TEXT_LEN) } else { TEXT_LEN }
    }

    /// A packet or a call was written.
    pub(super) const fn sent(&mut self) {
        self.unread = true;
    }

    /// A call was answered, so what was sent before is read.
    pub(super) const fn answered(&mut self) {
        self.unread = false;
        self.reads_until = None;
        self.answers_until = None;
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due. `has_calls` are open, and one of them is `given_up`, with its
    /// answer still to come. What is new of that, or was sent since, counts from `now` on.
    pub(super) fn due(&mut self, has_calls: bool, given_up: bool, now: impl Fn() -> Instant) -> Option<Instant> {
        if !self.is_one_by_one() {
            return None;
        }
        let until = |known: Option<Instant>, patience| known.unwrap_or_else(|| now() + patience);
        self.reads_until = (self.unread && !has_calls).then(|| until(self.reads_until, READING));
        self.answers_until = given_up.then(|| until(self.answers_until, ANSWERING));
        self.reads_until.into_iter().chain(self.answers_until).min()
    }

    /// What was sent last is read by now, if its time is over. A call that was given up and is not answered yet ends the
    /// connection some time: nothing ties its answer to it, so a late one would be taken for the next call's.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Close<'static>> {
        if self.reads_until.is_some_and(|until| until <= now) {
            self.reads_until = None;
            self.unread = false;
        }
        let over = self.answers_until.is_some_and(|until| until <= now);
        over.then(|| {
            self.answers_until = None;
            let reason = "a call was not answered, and a late answer could not be told from the next call's";
            Close::new(CloseCode::Timeout, reason)
        })
    }
}

/// Most bytes of a packet to a peer of the old form, the line end behind it included, unless said otherwise: what the Python
/// library reads at a time.
pub const OLD_PACKET_BYTES: u32 = 1024;

/// Any less, and neither a handshake nor a failure would fit.
const MIN_PACKET_BYTES: u32 = 256;

/// How long the other side may need to read a packet that it does not answer.
const READING: Duration = Duration::from_secs(1);

/// How long it may need to answer a call that was given up.
const ANSWERING: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn later(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_server_of_the_old_form_has_a_second_to_read() {
        let start = Instant::now();
        let mut server = Legacy::new(Role::Client, Form::Old, false);
        assert!(server.is_ready() && server.due(false, false, || start).is_none());
        server.sent();
        assert!(!server.is_ready());
        assert_eq!(server.due(false, false, || start), Some(later(start, 1000)));
        assert_eq!(
            server.due(false, false, || later(start, 500)),
            Some(later(start, 1000)),
            "it counts from the first"
        );
        assert!(server.handle_timeout(later(start, 999)).is_none() && !server.is_ready());
        assert!(server.handle_timeout(later(start, 1000)).is_none() && server.is_ready());
        assert_eq!(server.due(false, false, || later(start, 2000)), None);
    }

    #[test]
    fn an_answer_says_that_all_before_it_is_read() {
        let start = Instant::now();
        let mut server = Legacy::new(Role::Client, Form::Old, true);
        assert_eq!(server.due(true, false, || start), None, "the answer to a call tells");
        assert_eq!(server.due(true, true, || start), Some(later(start, 30_000)));
        server.answered();
        assert!(server.is_ready());
        server.sent();
        assert_eq!(server.due(false, false, || later(start, 10)), Some(later(start, 1010)));
    }

    #[test]
    fn a_call_without_answer_ends_the_connection_once() {
        let start = Instant::now();
        let mut server = Legacy::new(Role::Client, Form::Old, false);
        server.sent();
        assert_eq!(server.due(true, true, || start), Some(later(start, 30_000)));
        assert_eq!(server.handle_timeout(later(start, 29_999)), None);
        let close = server.handle_timeout(later(start, 30_000));
        assert_eq!(close.map(|close| close.code), Some(CloseCode::Timeout));
        assert_eq!(server.handle_timeout(later(start, 30_000)), None);
    }

    #[test]
    fn others_are_never_waited_for() {
        let now = Instant::now();
        for (role, form) in [(Role::Client, Form::Plain), (Role::Client, Form::Pnet), (Role::Server, Form::Old)] {
            let mut peer = Legacy::new(role, form, true);
            assert!(peer.is_ready() && peer.due(true, true, || now).is_none(), "{role:?} {form:?}");
        }
    }

    #[test]
    fn how_much_is_sent_at_once_is_a_setting() {
        let mut peer = Legacy::new(Role::Server, Form::Old, false);
        assert_eq!((peer.max_len(1 << 20), peer.text_len()), (1024, 256));
        for (bytes, max, text) in [(4096, 4096, 1024), (600, 600, 150), (0, 256, 64), (1 << 30, 1 << 20, 1024)] {
            peer.set_max_len(bytes);
            assert_eq!((peer.max_len(1 << 20), peer.text_len()), (max, text));
        }
        peer.form = Form::Plain;
        assert_eq!((peer.max_len(1 << 20), peer.text_len()), (1 << 20, TEXT_LEN));
    }
}
