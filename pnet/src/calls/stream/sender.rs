//! The producer's end.

use std::{
    convert::Infallible,
    fmt,
    future::poll_fn,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pnet_protocol::{
    connection::StreamId,
    packet::{EncodeError, OwnedPacket},
    reply::{StreamOf, Streamable},
    unknown::Unknown,
};

use crate::{
    buffers,
    connection::{Conn, waiting},
    error::{JsonError, SendError, TrySendError, TrySendReason},
    service::{Service, context::Cx, extract::Extract, handler::SenderOf},
};

/// The producer's end of a stream of `B`: an argument of the handler of a packet declared `-> stream B` or
/// `-> stream Result<B, E>`, or what [`Responder::sender`](crate::Responder::sender) gives.
///
/// The stream ends when the handler returns: with `()` or `Ok(())` as it should, with an error as failed. It is cheap to
/// clone, and a clone may be kept elsewhere, by whoever has the items; after the stream's end it sends nothing any more.
///
/// The consumer gives credit: 64 items and 256 KiB may be on their way unless its [`Limits`](crate::Limits) say otherwise.
/// Whoever sends faster waits, and holds up nothing but this stream.
///
/// ```
/// # use pnet::{Packet, SendError, StreamSender, action, actions, protocol};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Count { to: u32 }
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Number { n: u32 }
/// # protocol! { pub Counting { client { Count -> stream Number } } }
/// #[action("COUNT")]
/// async fn count(p: Count, out: StreamSender<Number>) -> Result<(), SendError> {
///     for n in 1..=p.to {
///         out.send(Number { n }).await?;
///     }
///     Ok(())
/// }
/// # actions! { pub server Counter for Counting: count }
/// # actions! { pub client Ui for Counting: }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let counting = pnet::memory::serve(Counter, ()).connect(Ui, ()).await?;
/// let mut numbers = counting.stream(Count { to: 3 });
/// let mut sum = 0;
/// while let Some(number) = numbers.next().await {
///     sum += number?.n;
/// }
/// assert_eq!(sum, 6);
/// # Ok(()) }
/// ```
pub struct StreamSender<B> {
    /// `None`: what was called is no stream.
    place: Option<(Arc<Conn>, StreamId)>,
    item: PhantomData<fn(B)>,
}

impl<B> StreamSender<B> {
    pub(crate) const fn new(place: Option<(Arc<Conn>, StreamId)>) -> Self {
        Self { place, item: PhantomData }
    }

    /// That of the call that is being handled.
    pub(crate) fn of_call<S: Service>(cx: &Cx<S>) -> Self {
        Self::new(cx.meta().stream.map(|id| (Arc::clone(&cx.link().conn), id)))
    }

    /// Waits until the stream should come to its end, and says why: the consumer does not want it any more or the handler
    /// has returned ([`SendError::Cancelled`]), the connection is gone ([`SendError::Disconnected`]), or this side is
    /// shutting down ([`SendError::ShuttingDown`]). In the last case items may still be sent, within the grace; a stream
    /// without an end of its own should return then, or else it is cut off.
    ///
    /// When its consumer leaves, a handler is cancelled at its next `.await` anyway. So this is for handlers marked `finish`,
    /// for tasks that hold a clone, and for feeds that would go on for ever.
    ///
    /// # Cancel safety
    ///
    /// Safe: it changes nothing.
    pub async fn closed(&self) -> SendError {
        let mut waiting = WaitingFor { place: self.place.clone(), ticket: None };
        poll_fn(|task| {
            let Some((conn, id)) = &self.place else { return Poll::Ready(SendError::Cancelled) };
            conn.out().poll_unwanted(*id, &mut waiting.ticket, task.waker())
        })
        .await
    }
}

impl<B: OwnedPacket> StreamSender<B> {
    /// Sends an item, as soon as the consumer has given credit and the connection has room.
    ///
    /// # Errors
    ///
    /// [`SendError::Cancelled`] if nobody wants it any more, [`SendError::Disconnected`], [`SendError::Encode`],
    /// [`SendError::TooLong`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::send`](crate::Client::send): dropped before it is ready, the item is not sent.
    pub fn send(&self, item: B) -> SendingItem {
        let mut payload = buffers::take();
        let encoded = match &self.place {
            Some((conn, _)) => encode(conn, &item, &mut payload).map_err(SendError::Encode),
            None => Err(SendError::Cancelled),
        };
        let waiting = WaitingFor { place: self.place.clone(), ticket: None };
        SendingItem { waiting, payload: encoded.map(|()| payload).map_err(Some) }
    }

    /// Sends an item if it can be sent now.
    ///
    /// # Errors
    ///
    /// The item comes back: [`TrySendReason::Full`] if there is no credit or no room, else as [`send`](Self::send).
    pub fn try_send(&self, item: B) -> Result<(), TrySendError<B>> {
        let failed = |packet, reason| Err(TrySendError { packet, reason });
        let Some((conn, id)) = &self.place else {
            return failed(item, TrySendReason::Failed(SendError::Cancelled));
        };
        let mut payload = buffers::take();
        if let Err(error) = encode(conn, &item, &mut payload) {
            return failed(item, TrySendReason::Failed(SendError::Encode(error)));
        }
        let sent = conn.out().item(*id, &payload, None);
        buffers::give(payload);
        match sent {
            Ok(()) => Ok(()),
            Err(SendError::Full) => failed(item, TrySendReason::Full),
            Err(error) => failed(item, TrySendReason::Failed(error)),
        }
    }
}

/// User code: under no lock.
fn encode<B: OwnedPacket>(conn: &Conn, item: &B, payload: &mut Vec<u8>) -> Result<(), EncodeError> {
    item.encode(conn.dialect.codec_override().unwrap_or(B::CODEC), payload)
}

/// An item that was made at run time, for the stream that `place` says.
pub(crate) fn item_json(place: Option<(Arc<Conn>, StreamId)>, payload: Result<Vec<u8>, JsonError>) -> SendingItem {
    let payload = payload.map_err(|error| Some(error.into()));
    SendingItem { waiting: WaitingFor { place, ticket: None }, payload }
}

/// An item on its way; what [`StreamSender::send`] returns.
///
/// # Cancel safety
///
/// Dropped before it is ready, the item is not sent; once it is ready, it is.
#[must_use = "an item is sent when this is awaited"]
pub struct SendingItem {
    waiting: WaitingFor,
    payload: Result<Vec<u8>, Option<SendError>>,
}

impl Future for SendingItem {
    type Output = Result<(), SendError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let payload = match &mut this.payload {
            Ok(payload) => payload,
            Err(error) => {
                let error = error.take().expect("a future is not polled after it was ready");
                return Poll::Ready(Err(error));
            }
        };
        let WaitingFor { place, ticket } = &mut this.waiting;
        let Some((conn, id)) = place else { return Poll::Ready(Err(SendError::Cancelled)) };
        let result = conn.out().item(*id, payload, Some((ticket, task.waker())));
        if let Err(SendError::Full) = result {
            waiting::note(conn);
            return Poll::Pending;
        }
        buffers::give(std::mem::take(payload));
        this.payload = Err(None);
        Poll::Ready(result)
    }
}

/// Somebody who waits for something of a stream. Dropped, nobody is woken for it.
struct WaitingFor {
    place: Option<(Arc<Conn>, StreamId)>,
    ticket: Option<u64>,
}

impl Drop for WaitingFor {
    fn drop(&mut self) {
        if let (Some((conn, id)), Some(ticket)) = (&self.place, self.ticket) {
            conn.out().leave_stream(*id, ticket);
        }
    }
}

impl<B> Clone for StreamSender<B> {
    fn clone(&self) -> Self {
        Self::new(self.place.clone())
    }
}

impl<B> fmt::Debug for StreamSender<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = self.place.as_ref().map(|(conn, _)| conn.id);
        f.debug_struct("StreamSender").field("connection", &connection).finish_non_exhaustive()
    }
}

impl fmt::Debug for SendingItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendingItem").finish_non_exhaustive()
    }
}

/// `#[action]` knows a `StreamSender` by its name, and takes it for the packet's stream. Under another name it comes here,
/// to be refused in words: [`Nameless`] has no implementations.
impl<S: Service, B> Extract<S> for StreamSender<B>
where
    Self: Nameless,
{
    type Rejection = Infallible;

    fn extract(_: &Cx<S>) -> Result<Self, Infallible> {
        unreachable!("there is no such sender")
    }
}

/// Nobody implements this.
#[diagnostic::on_unimplemented(
    message = "a handler takes its `{Self}` by that name, not by another one",
    label = "takes a `{Self}` by another name",
    note = "write `StreamSender<Item>` for the type of the argument, without an alias"
)]
pub trait Nameless: sealed::Nobody {}

mod sealed {
    /// Keeps [`Nameless`](crate::Nameless) without implementations.
    #[expect(unnameable_types, reason = "that is its purpose")]
    pub trait Nobody {}
}

#[diagnostic::do_not_recommend]
impl<B> SenderOf<Unknown> for StreamSender<B> {}

impl<B, R: Streamable> SenderOf<StreamOf<R>> for StreamSender<B> where R::Ok: MadeOf<B> {}

/// The items of a stream, which its sender must name: `B` itself. A bound in words, instead of an equality.
#[diagnostic::on_unimplemented(
    message = "this handler takes a `StreamSender<{B}>`, but its packet is answered with a stream of `{Self}`",
    label = "the handler sends `{B}`, but the stream is made of `{Self}`",
    note = "write `StreamSender<{Self}>`, or declare another stream in the protocol: `-> stream {B}`"
)]
pub trait MadeOf<B> {}

impl<B> MadeOf<B> for B {}

/// Makes the end of a stream. The fallback of [`NotSender`] steps in for a type that has only the name, which is reported
/// by [`SenderOf`].
#[derive(Debug)]
pub struct Sender<T>(PhantomData<T>);

impl<B> Sender<StreamSender<B>> {
    /// That of the call that is being handled.
    #[must_use]
    pub fn of<S: Service>(cx: &Cx<S>) -> StreamSender<B> {
        StreamSender::of_call(cx)
    }
}

/// See [`Sender`].
pub trait NotSender<T> {
    /// Never runs.
    fn of<S: Service>(_: &Cx<S>) -> T {
        unreachable!("a handler with another `StreamSender` does not compile")
    }
}

impl<T> NotSender<T> for Sender<T> {}
