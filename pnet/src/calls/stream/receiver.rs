//! The consumer's end.

use std::{
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use pnet_protocol::{failure::code, protocol::Streamed, reply::Reply};

use crate::{
    buffers,
    calls::{
        asking::{Asking, Next, failed},
        line::Route,
    },
    connection::{AnswerBytes, CallState, Conn, SHORT_LEN, Told},
    error::CallError,
};

/// The consumer's end of a stream; what [`Client::stream`](crate::Client::stream) and
/// [`Peer::stream`](crate::Peer::stream) return. For a packet declared `-> stream B`, `R` is `B`; for
/// `-> stream Result<B, E>` it is `Result<B, E>`.
///
/// The call that opens the stream is encoded by then, and queued when the first item is asked for. Items come in order:
///
/// | what comes | means |
/// |---|---|
/// | `Some(Ok(item))` | an item |
/// | `None` | the producer has sent all there is |
/// | `Some(Err(CallError::Declared(e)))` | the producer ended with its declared error |
/// | `Some(Err(CallError::Failed { .. }))` | the producer failed, or `busy`: as many streams are open as the peer takes |
/// | `Some(Err(CallError::Disconnected { .. }))` | the connection is gone, with the reason |
/// | `Some(Err(..))`, others | as for [`call`](crate::Client::call); an item that does not decode ends the stream |
///
/// After an error, and after `None`, there is only `None`. Items that have arrived come before the end, whatever it is.
///
/// A stream has no time limit unless [`timeout`](Self::timeout) sets one, or the handler that opens it is itself called with
/// one. That the peer is gone is known all the same.
///
/// It does not keep the connection open: when a client's last handle is dropped, its streams end with it.
///
/// # Back-pressure
///
/// The peer may send as many items ahead as this side's [`Limits`](crate::Limits) say: 64, and 256 KiB of them. Who reads
/// slowly stops the producer, and nothing else on the connection.
///
/// # Cancel safety
///
/// Dropping it tells the producer, whose handler stops at its next `.await`. [`next`](Self::next) is cancel safe: no item is
/// lost.
#[must_use = "a stream is opened when its first item is asked for"]
pub struct Streaming<R: Reply> {
    asking: Asking,
    ended: bool,
    reply: PhantomData<fn() -> R>,
}

/// What comes of a stream.
type Item<R> = Result<<R as Reply>::Ok, CallError<<R as Reply>::Err>>;

impl<R: Reply> Streaming<R> {
    /// A stream on `conn`, or where the route says if that is gone before it is open.
    pub(crate) fn new<T, K: Streamed<T, Reply = R>>(conn: Arc<Conn>, route: Route, action: u16, packet: &T) -> Self {
        let codec = conn.dialect.codec_override();
        let asking = Asking::new(conn, route, action, None, |payload| K::encode(packet, codec, payload));
        Self { asking, ended: false, reply: PhantomData }
    }

    /// A stream that was made at run time.
    pub(crate) fn dynamic(conn: Arc<Conn>, route: Route, action: u16, payload: Vec<u8>) -> Self {
        let encode = |encoded: &mut Vec<u8>| {
            *encoded = payload;
            Ok(())
        };
        Self { asking: Asking::new(conn, route, action, None, encode), ended: false, reply: PhantomData }
    }

    pub(crate) const fn conn(&self) -> &Arc<Conn> {
        self.asking.conn()
    }

    /// Ends the whole stream with [`CallError::TimedOut`] if it is not over by then, counted from the first poll.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.asking.set_timeout(Some(timeout));
        self
    }

    /// The next item; `None` at the end. See the type for what the errors mean.
    ///
    /// # Errors
    ///
    /// How the stream ended, if not as it should.
    pub async fn next(&mut self) -> Option<Result<R::Ok, CallError<R::Err>>> {
        poll_fn(|task| self.poll_item(task)).await
    }

    pub(in crate::calls) fn poll_item(&mut self, task: &mut Context<'_>) -> Poll<Option<Item<R>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = ready!(self.poll_any(task));
        self.ended = !matches!(item, Some(Ok(_)));
        Poll::Ready(item)
    }

    fn poll_any(&mut self, task: &mut Context<'_>) -> Poll<Option<Item<R>>> {
        let Some(id) = self.asking.queued() else {
            return match ready!(self.asking.poll_queued(task)) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Some(Err(error.into()))),
            };
        };
        let codec = self.asking.conn().dialect.codec_override();
        let mut short = [0; SHORT_LEN];
        let (state, closed) = match ready!(self.asking.poll_item(id, task, &mut short)) {
            Next::Item(payload) => {
                let item = R::decode_ok(codec, &payload).map_err(CallError::Decode);
                buffers::give(payload);
                if item.is_err() {
                    self.asking.give_up();
                }
                return Poll::Ready(Some(item));
            }
            Next::End(state, closed) => (state, closed),
        };
        Poll::Ready(Some(Err(match state {
            CallState::Answered(AnswerBytes::End) => return Poll::Ready(None),
            CallState::Answered(AnswerBytes::Error(payload)) => {
                R::decode_err(codec, payload.bytes(&short)).map_or_else(CallError::Decode, CallError::Declared)
            }
            CallState::Answered(AnswerBytes::Failure(told)) => {
                let Told { code, message } = *told;
                CallError::Failed { code, message }
            }
            CallState::Answered(AnswerBytes::Reply(_)) => {
                failed(code::MALFORMED, "the answer is a packet, and not a stream")
            }
            state => self.asking.unanswered(&state, closed),
        })))
    }
}

impl<R: Reply> Stream for Streaming<R> {
    type Item = Result<R::Ok, CallError<R::Err>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(task)
    }
}

impl<R: Reply> fmt::Debug for Streaming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("connection", &self.asking.conn().id).finish_non_exhaustive()
    }
}
