//! The futures that `send` and `call` return.

mod view;

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use pnet_protocol::{
    dialect::Dialect,
    failure::code,
    packet::{Codec, DecodeError, EncodeError, WhenFull},
    protocol::{ActionInfo, Answered, OneWay},
    reply::Reply,
    view::ReadView,
    wire,
};
use tokio::time::Sleep;

pub use self::view::{CallView, Viewing};
use super::{
    asking::{Asking, failed},
    line::Route,
};
use crate::{
    buffers,
    connection::{AnswerBytes, CallState, Conn, Payload, SHORT_LEN, Short, Told, waiting},
    error::{CallError, Closed, JsonError, SendError, TrySendError, TrySendReason},
};

/// A packet on its way into the connection's queue; what [`send`](crate::Client::send) returns.
///
/// The packet is encoded by then, and queued when this is polled for the first time: at once if there is room, else as
/// soon as the peer has handled or read enough of what was queued before.
///
/// # Cancel safety
///
/// Dropped before it is ready, the packet is not sent; once it is ready, it is.
#[must_use = "a packet is sent when this is awaited"]
pub struct Sending {
    conn: Arc<Conn>,
    frame: Result<Vec<u8>, Option<Box<SendError>>>,
    action: u16,
    when_full: WhenFull,
    route: Route,
    /// There once it could not be queued at once.
    wait: Option<Box<Wait>>,
}

/// The wait for a connection, or for room in its queue.
#[derive(Default)]
struct Wait {
    /// In the queue for room.
    ticket: Option<u64>,
    /// Ends the wait for a connection.
    down: Option<Pin<Box<Sleep>>>,
}

impl Sending {
    /// A packet for `conn`, or for where the route says if that is gone.
    #[inline]
    pub(crate) fn new<T, K: OneWay<T>>(conn: Arc<Conn>, route: Route, id: u16, packet: &T) -> Self {
        let action = conn.action(id);
        let frame = packet_frame::<T, K>(conn.dialect, action, id, packet)
            .map_err(|error| Some(Box::new(SendError::Encode(error))));
        Self { conn, frame, action: id, when_full: action.when_full, route, wait: None }
    }
}

impl Sending {
    /// A packet that was made at run time.
    pub(crate) fn dynamic(
        conn: Arc<Conn>,
        route: Route,
        frame: Result<Vec<u8>, JsonError>,
        (action, when_full): (u16, WhenFull),
    ) -> Self {
        let frame = frame.map_err(|error| Some(Box::new(error.into())));
        Self { conn, frame, action, when_full, route, wait: None }
    }

    /// The packet is queued: its buffer is free.
    #[inline]
    fn give_back(&mut self) {
        if let Ok(frame) = std::mem::replace(&mut self.frame, Err(None)) {
            buffers::give(frame);
        }
    }

    /// Waits for a connection, up to the call timeout.
    fn poll_route(&mut self, task: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match self.route.poll(&mut self.conn, task) {
            Poll::Ready(found) => Poll::Ready(found.map_err(SendError::Disconnected)),
            Poll::Pending => {
                if let Some(after) = self.conn.call_timeout {
                    let down = &mut self.wait.get_or_insert_default().down;
                    let timer = down.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
                    ready!(timer.as_mut().poll(task));
                    let why = self.route.why().unwrap_or_else(|| Arc::new(Closed::unknown()));
                    return Poll::Ready(Err(SendError::Disconnected(why)));
                }
                Poll::Pending
            }
        }
    }
}

impl Future for Sending {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Err(error) = &mut this.frame {
            let error = error.take().expect("a future is not polled after it was ready");
            return Poll::Ready(Err(*error));
        }
        loop {
            ready!(this.poll_route(task))?;
            let Ok(frame) = &this.frame else { unreachable!("only its end takes the frame") };
            let mut out = this.conn.out();
            if out.makes_room_soon() {
                out.wait_for_room(&mut this.wait.get_or_insert_default().ticket, task.waker());
                return Poll::Pending;
            }
            let error = match out.send(this.action, frame, None) {
                Ok(()) => break,
                Err(error) => error,
            };
            match error {
                SendError::Disconnected(closed) => {
                    drop(out);
                    if let Some(wait) = &mut this.wait {
                        wait.ticket = None;
                    }
                    this.route.leave(&mut this.conn, closed).map_err(SendError::Disconnected)?;
                }
                SendError::Full if this.when_full == WhenFull::Disconnect => {
                    drop(out);
                    return Poll::Ready(Err(SendError::Disconnected(this.conn.overrun())));
                }
                SendError::Full if this.when_full != WhenFull::DropNew => {
                    out.wait_for_room(&mut this.wait.get_or_insert_default().ticket, task.waker());
                    drop(out);
                    waiting::note(&this.conn);
                    return Poll::Pending;
                }
                error => return Poll::Ready(Err(error)),
            }
        }
        this.give_back();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Sending {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.wait.as_ref().and_then(|wait| wait.ticket) {
            self.conn.out().leave_queue(ticket);
        }
    }
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("connection", &self.conn.id).finish_non_exhaustive()
    }
}

/// A call that waits for its answer; what [`call`](crate::Client::call) returns.
///
/// The packet is encoded by then, and queued when this is polled for the first time. The answer comes as the protocol
/// declares it: `A -> B` gives `B`, `A -> ()` gives `()`, `A -> Result<B, E>` gives `B` or
/// [`CallError::Declared`]`(E)`.
///
/// # Cancel safety
///
/// Dropping it cancels the call: the handler at the other end stops at its next `.await`, unless it is marked
/// `finish`. Whether it had run by then is unknown. Of more than 100 calls dropped in a second, the others' handlers are told
/// later, as peers close connections that cancel too much.
#[must_use = "a call is made when this is awaited"]
pub struct Calling<R: Reply> {
    asking: Asking,
    reply: PhantomData<fn() -> R>,
}

impl<R: Reply> Calling<R> {
    /// A call on `conn`, or where the route says if that is gone.
    #[inline]
    pub(crate) fn new<T, K: Answered<T, Reply = R>>(conn: Arc<Conn>, route: Route, action: u16, packet: &T) -> Self {
        let (codec, timeout) = (conn.dialect.codec_override(), conn.call_timeout);
        let encode = |payload: &mut Vec<u8>| K::encode(packet, codec, payload);
        Self { asking: Asking::new(conn, route, action, timeout, encode), reply: PhantomData }
    }

    /// A call that was made at run time.
    pub(crate) fn dynamic(conn: Arc<Conn>, route: Route, action: u16, payload: Vec<u8>) -> Self {
        let timeout = conn.call_timeout;
        let encode = |encoded: &mut Vec<u8>| {
            *encoded = payload;
            Ok(())
        };
        Self { asking: Asking::new(conn, route, action, timeout, encode), reply: PhantomData }
    }

    /// Waits at most `timeout` for the answer, instead of the connection's default (30 s unless set). Counted from the
    /// first poll, with the runtime's grain of a millisecond.
    ///
    /// A call that a handler makes while it runs has no more time than the handler's own caller gives it, whatever is
    /// asked for here: see [`Meta::deadline`](crate::Meta::deadline).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.asking.set_timeout(Some(timeout));
        self
    }

    /// Waits as long as the connection lives.
    pub const fn without_timeout(mut self) -> Self {
        self.asking.set_timeout(None);
        self
    }

    /// Reads the answer as a view, where it lies, instead of making one that owns what it holds: what its fields borrow is not copied
    /// once more, but for texts with escapes in the JSON dialect. [`read`](CallView::read) says what is done with it.
    ///
    /// `V` is a view of the declared answer, `#[packet(view_of = …)]` with `Deserialize`.
    ///
    /// # Errors
    ///
    /// Those of the call, declared errors among them; [`CallError::Decode`] also if the answer is none that `V` can read, and then
    /// nothing is done with it.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use pnet::{Packet, action, actions, protocol};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Packet, Serialize, Deserialize)]
    /// struct Load {}
    ///
    /// #[derive(Packet, Serialize, Deserialize)]
    /// struct Page {
    ///     text: String,
    /// }
    ///
    /// #[derive(Packet, Serialize, Deserialize)]
    /// #[packet(view_of = Page)]
    /// struct PageView<'a> {
    ///     #[serde(borrow)]
    ///     text: Cow<'a, str>,
    /// }
    ///
    /// protocol! {
    ///     Pages {
    ///         client { Load -> Page }
    ///     }
    /// }
    ///
    /// #[action("LOAD")]
    /// fn load<'a>(_: Load, text: &'a String) -> PageView<'a> {
    ///     PageView { text: text.into() }
    /// }
    ///
    /// actions! { server Library(String) for Pages: load }
    /// actions! { client Reader for Pages: }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pages = pnet::memory::serve(Library, "one two three".to_owned()).connect(Reader, ()).await?;
    /// let words = pages.call(Load {}).view::<PageView<'_>>().read(|page| page.text.split(' ').count()).await?;
    /// assert_eq!(words, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn view<V: ReadView<Of = R::Ok>>(self) -> CallView<R, V> {
        CallView::new(self)
    }

    /// The answer, made by `decode` if it is the declared one.
    #[inline]
    fn poll_with<T>(
        &mut self,
        task: &mut Context<'_>,
        decode: impl FnOnce(Option<Codec>, &[u8]) -> Result<T, DecodeError>,
    ) -> Poll<Result<T, CallError<R::Err>>> {
        let asking = &mut self.asking;
        let Some(id) = asking.queued() else {
            // Its waker is there by then, and whatever comes wakes it: there is nothing to look at yet.
            return match ready!(asking.poll_queued(task)) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error.into())),
            };
        };
        let mut short = [0; SHORT_LEN];
        let codec = asking.conn().dialect.codec_override();
        // There is one place where it is decoded, so that this is done on the spot.
        let kept;
        let payload = match asking.take_reply(id, &mut short) {
            // How most calls end.
            Some(payload) => payload,
            None => {
                kept = match ready!(self.poll_outcome(id, task, &mut short)) {
                    Ok(payload) => payload,
                    Err(error) => return Poll::Ready(Err(error)),
                };
                kept.bytes(&short)
            }
        };
        Poll::Ready(match decode(codec, payload) {
            Ok(reply) => Ok(reply),
            Err(error) => Err(CallError::Decode(error)),
        })
    }

    /// The reply, which is in `short` if it is, or what came instead.
    #[inline(never)]
    fn poll_outcome(
        &mut self,
        id: u32,
        task: &Context<'_>,
        short: &mut Short,
    ) -> Poll<Result<Payload, CallError<R::Err>>> {
        let asking = &mut self.asking;
        let (state, closed) = ready!(asking.poll_outcome(id, task, short));
        Poll::Ready(Err(match state {
            CallState::Answered(AnswerBytes::Reply(payload)) => return Poll::Ready(Ok(payload)),
            CallState::Answered(AnswerBytes::Error(payload)) => {
                let codec = asking.conn().dialect.codec_override();
                R::decode_err(codec, payload.bytes(short)).map_or_else(CallError::Decode, CallError::Declared)
            }
            CallState::Answered(AnswerBytes::End) => failed(code::MALFORMED, "the answer is the end of a stream"),
            CallState::Answered(AnswerBytes::Failure(told)) => {
                let Told { code, message } = *told;
                CallError::Failed { code, message }
            }
            state => asking.unanswered(&state, closed),
        }))
    }
}

impl<R: Reply> Future for Calling<R> {
    type Output = Result<R::Ok, CallError<R::Err>>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_with(task, R::decode_ok)
    }
}

impl<R: Reply> fmt::Debug for Calling<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").field("connection", &self.asking.conn().id).finish_non_exhaustive()
    }
}

/// Queues a packet if there is room.
pub(crate) fn try_send<T, K: OneWay<T>>(conn: &Conn, id: u16, packet: T) -> Result<(), TrySendError<T>> {
    let failed = |packet, error| Err(TrySendError { packet, reason: TrySendReason::Failed(error) });
    let frame = match packet_frame::<T, K>(conn.dialect, conn.action(id), id, &packet) {
        Ok(frame) => frame,
        Err(error) => return failed(packet, SendError::Encode(error)),
    };
    let mut out = conn.out();
    let sent = out.send(id, &frame, None);
    let rule = conn.action(id).when_full;
    if matches!(sent, Err(SendError::Full)) && rule == WhenFull::Wait {
        out.refuse();
    }
    drop(out);
    buffers::give(frame);
    match sent {
        Ok(()) => Ok(()),
        Err(SendError::Full) if rule == WhenFull::Disconnect => failed(packet, SendError::Disconnected(conn.overrun())),
        Err(SendError::Full) => Err(TrySendError { packet, reason: TrySendReason::Full }),
        Err(error) => failed(packet, error),
    }
}

/// A one-way packet as it waits to be written. User code runs here, under no lock.
pub(crate) fn packet_frame<T, K: OneWay<T>>(
    dialect: Dialect,
    action: &ActionInfo,
    id: u16,
    packet: &T,
) -> Result<Vec<u8>, EncodeError> {
    let mut frame = buffers::take();
    let encode = |frame: &mut Vec<u8>| K::encode(packet, dialect.codec_override(), frame);
    match wire::encode_packet_frame(dialect, action, id, &mut frame, encode) {
        Ok(()) => Ok(frame),
        Err(error) => {
            buffers::give(frame);
            Err(error)
        }
    }
}
