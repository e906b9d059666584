//! Receiving without handlers: a loop over the enum that `protocol!` generates.

use std::{
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use pnet_protocol::{
    connection::{ReplyTo, StreamId},
    failure::{Failure, code},
    packet::{Codec, DecodeError},
    protocol::{ClientSide, Protocol, Side},
    reply::{IntoReply, Reply, StreamOf, Streamable, Verdict},
    secret::Hidden,
};
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    buffers,
    calls::stream::StreamSender,
    connection::{Addressed, Conn, Done, Meta},
    counts::Stopwatch,
    driver::dispatch::{Answering, Dispatch, Job, JobKind},
    error::{Closed, Refused},
    unwind::panicked,
};

/// Implemented by `protocol!`: the enum of what side `Si` may receive.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a protocol",
    label = "no `protocol!` declares `{Self}`",
    note = "an inbox is of the protocol itself: `connect_inbox::<Chat>()` for `protocol! {{ pub Chat {{ … }} }}`"
)]
pub trait Receive<Si: Side>: Protocol {
    /// The generated enum.
    type Packet<'de>;

    /// Decodes the packet with the numeric action `id`.
    ///
    /// # Errors
    ///
    /// The payload does not fit the action, or the action is out of range.
    fn decode<'de>(
        id: u16,
        codec_override: Option<Codec>,
        payload: &'de [u8],
        asked: Asked,
    ) -> Result<Self::Packet<'de>, DecodeError>;
}

/// What arrives on a connection without handlers, in order.
///
/// A one-way packet counts against the server's credit until the next call of [`recv`](Self::recv): a program that does
/// not read its inbox slows the server down instead of growing. Why the connection has ended says the client that came with
/// it: [`Client::closed`](crate::Client::closed).
pub struct Inbox<P: Receive<ClientSide>> {
    items: Items,
    protocol: PhantomData<fn() -> P>,
}

impl<P: Receive<ClientSide>> Inbox<P> {
    /// Waits for the next packet; `None` when the connection is gone (and, of a client that
    /// [reconnects](crate::InboxBuilder::reconnect), no other will follow) and everything was read.
    ///
    /// The packet may borrow from the inbox: it has to be done with before the next one is asked for.
    ///
    /// # Cancel safety
    ///
    /// No packet is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<P::Packet<'_>> {
        let Item { conn, job, payload } = self.items.next().await?;
        // The driver has tried it already, so a packet that does not decode is one whose `Deserialize` changes its mind.
        P::decode(job.action, conn.dialect.codec_override(), payload, Asked::new(conn, job)).ok()
    }

    /// The metadata of the packet that [`recv`](Self::recv) gave last.
    #[must_use]
    pub fn meta(&self) -> Option<&Meta> {
        self.items.current.as_ref().map(|item| &item.job.meta)
    }
}

/// What has arrived, whatever reads it.
pub(crate) struct Items {
    receiver: mpsc::Receiver<Item>,
    /// What was read last, and is not done with.
    current: Option<Item>,
}

impl Items {
    /// The next one; the one before is done with.
    pub(crate) async fn next(&mut self) -> Option<&Item> {
        self.finish_current();
        let item = self.receiver.recv().await?;
        Some(self.current.insert(item))
    }

    fn finish_current(&mut self) {
        if let Some(item) = self.current.take() {
            if let JobKind::OneWay { frame_len } = item.job.kind {
                item.job.timed.stop(item.job.action, &item.conn.trace);
                item.conn.finished(Done::Packet(frame_len));
            }
            buffers::give(item.payload);
        }
    }
}

/// What was not read gives its credit back, and calls are told that nobody reads.
impl Drop for Items {
    fn drop(&mut self) {
        self.finish_current();
        self.receiver.close();
        while let Ok(Item { conn, job, .. }) = self.receiver.try_recv() {
            match job.kind {
                JobKind::OneWay { frame_len } => conn.finished(Done::Packet(frame_len)),
                JobKind::Call { .. } => Asked::new(&conn, &job).answer(&Err(nobody_reads()), &[]),
                #[cfg(feature = "console")]
                JobKind::Operator { .. } => {}
            }
        }
    }
}

impl<P: Receive<ClientSide>> fmt::Debug for Inbox<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("current", &self.items.current).finish_non_exhaustive()
    }
}

/// A call that arrived in an inbox: answers it. Dropped without an answer, it answers with a failure.
pub struct Responder<R> {
    asked: Asked,
    reply: PhantomData<fn(R)>,
}

impl<R: Reply> Responder<R> {
    #[doc(hidden)]
    #[must_use]
    pub const fn new(asked: Asked) -> Self {
        Self { asked, reply: PhantomData }
    }

    /// Answers the call with what a handler might return: the declared reply, or a failure.
    pub fn reply(mut self, answer: impl IntoReply<R>) {
        let mut payload = buffers::take();
        let codec_override = self.asked.due.as_ref().and_then(|(conn, ..)| conn.dialect.codec_override());
        let outcome = answer.into_reply(codec_override, &mut payload);
        self.asked.answer(&outcome, &payload);
        buffers::give(payload);
    }
}

impl<R: Streamable> Responder<StreamOf<R>> {
    /// The producer's end of the stream. It lasts until the responder has replied or is dropped.
    #[must_use]
    pub fn sender(&self) -> StreamSender<R::Ok> {
        StreamSender::new(self.asked.due.as_ref().map(|(conn, ..)| Arc::clone(conn)).zip(self.asked.stream))
    }
}

impl<R> fmt::Debug for Responder<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("action", &self.asked.action).finish_non_exhaustive()
    }
}

/// A call whose answer is due; what [`Responder`]s are made of.
#[doc(hidden)]
pub struct Asked {
    /// `None` for one-way packets, for the driver's trial, and once it is answered.
    due: Option<(Arc<Conn>, u32, ReplyTo)>,
    /// The stream that the call opened.
    stream: Option<StreamId>,
    action: &'static str,
    number: u16,
    timed: Stopwatch,
}

impl Asked {
    pub(crate) fn new(conn: &Arc<Conn>, job: &Job) -> Self {
        let due = match job.kind {
            JobKind::Call { id } => Some((Arc::clone(conn), id, job.to.clone())),
            _ => None,
        };
        Self { due, stream: job.meta.stream, action: job.meta.action, number: job.action, timed: job.timed }
    }

    /// Where the answer goes, while it is due; with the stream that the call opened.
    pub(crate) fn due(&self) -> Option<(&Arc<Conn>, Option<StreamId>)> {
        self.due.as_ref().map(|(conn, ..)| (conn, self.stream))
    }

    pub(crate) fn answer(&mut self, outcome: &Result<Verdict, Failure>, payload: &[u8]) {
        let Some((conn, id, to)) = self.due.take() else { return };
        self.timed.stop(self.number, &conn.trace);
        if let Err(failure) = outcome {
            conn.trace.failed(self.number);
            if failure.code() == code::INTERNAL {
                tracing::error!(action = self.action, failure = %failure.log_text(), "a call in an inbox failed");
            }
        }
        // First the place, then the answer: who has the answer may use the place.
        if self.stream.is_some() {
            conn.close_producer(id);
        }
        conn.finished(Done::Call(id));
        let answer = Addressed { to: &to, action: self.action, stream: self.stream.is_some() };
        conn.answer(answer, outcome, payload);
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.answer(&Err(Failure::internal("the call was dropped without an answer")), &[]);
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked").field("action", &self.action).finish_non_exhaustive()
    }
}

/// The driver's end of an inbox. `R` says what is packets.
pub(crate) struct Feed<R> {
    items: Queue,
    conn: Arc<Conn>,
    reads: PhantomData<fn() -> R>,
}

/// Tries whether what has arrived can be read.
pub(crate) trait Reads: Send + 'static {
    /// Reads the payload of an action, for nothing but to see whether it can be read.
    ///
    /// # Errors
    ///
    /// What its sender is told.
    fn read(conn: &Conn, action: u16, payload: &[u8]) -> Result<(), Failure>;
}

/// Reads the packets of a protocol's type.
pub(crate) struct Typed<P>(PhantomData<fn() -> P>);

impl<P: Receive<ClientSide>> Reads for Typed<P> {
    fn read(conn: &Conn, action: u16, payload: &[u8]) -> Result<(), Failure> {
        let nobody = Asked { due: None, stream: None, action: "", number: action, timed: Stopwatch::NONE };
        P::decode(action, conn.dialect.codec_override(), payload, nobody)
            .map(drop)
            .map_err(|error| Failure::malformed(&error))
    }
}

/// Where the items of an inbox are put.
pub(crate) type Queue = mpsc::Sender<Item>;

/// What an inbox holds; of which connection, as there may be another by the time it is read.
pub(crate) struct Item {
    pub(crate) conn: Arc<Conn>,
    pub(crate) job: Job,
    pub(crate) payload: Vec<u8>,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("connection", &self.conn.id)
            .field("action", &self.job.meta.action)
            .field("payload", &Hidden::of(&self.payload))
            .finish_non_exhaustive()
    }
}

/// `places`: as many packets and calls as the limits let the server have unfinished, so the queue is never full.
pub(crate) fn channel<P: Receive<ClientSide>>(places: usize) -> (Queue, Inbox<P>) {
    let (sender, items) = queue(places);
    (sender, Inbox { items, protocol: PhantomData })
}

/// The same, whatever reads it.
pub(crate) fn queue(places: usize) -> (Queue, Items) {
    let (sender, receiver) = mpsc::channel(places.max(1));
    (sender, Items { receiver, current: None })
}

impl<R> Feed<R> {
    pub(crate) const fn new(items: Queue, conn: Arc<Conn>) -> Self {
        Self { items, conn, reads: PhantomData }
    }
}

impl<R: Reads> Dispatch for Feed<R> {
    fn poll_join(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    /// There are no handlers.
    fn admit(&mut self, job: &Job, payload: &[u8], _: &Waker, answering: &mut dyn Answering) {
        #[cfg(feature = "console")]
        if let JobKind::Operator { .. } = job.kind {
            let failure = Failure::public(code::UNSUPPORTED, "there are no handlers: this client reads an inbox");
            answering.fail(job, failure);
            return;
        }
        // A malformed packet is answered at once and never reaches the loop. It is decoded again there, since what is
        // decoded may borrow from the payload; a program that minds takes handlers.
        let trial = catch_unwind(AssertUnwindSafe(|| R::read(&self.conn, job.action, payload)));
        let failure = match trial {
            Ok(Ok(())) => None,
            Ok(Err(failure)) => Some(failure),
            Err(panic) => Some(panicked("Deserialize", &*panic)),
        };
        if let Some(failure) = failure {
            answering.fail(job, failure);
            return;
        }
        let meta = Meta { key: self.conn.key.clone(), ..job.meta.clone() };
        let item =
            Item { conn: Arc::clone(&self.conn), job: Job { meta, ..job.clone() }, payload: buffers::keep(payload) };
        if let Err(refused) = self.items.try_send(item) {
            let (TrySendError::Full(item) | TrySendError::Closed(item)) = refused;
            answering.fail(&item.job, nobody_reads());
        }
    }

    fn poll(&mut self, _: &Waker, _: &mut dyn Answering) -> bool {
        false
    }

    fn rest(&mut self) {}

    /// Only the program knows what it does about a call that it has read.
    fn cancel(&mut self, _: JobKind) -> bool {
        false
    }

    fn cancel_all(&mut self) {}

    fn kill(&mut self) -> usize {
        0
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn has_queued(&self) -> bool {
        false
    }

    /// Clients have no budget.
    fn holds(&self) -> usize {
        0
    }

    fn poll_leave(&mut self, _: &Arc<Closed>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl<R> fmt::Debug for Feed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").finish_non_exhaustive()
    }
}

fn nobody_reads() -> Failure {
    Failure::public(code::UNSUPPORTED, "nobody reads the inbox")
}

/// As [`NotReceived`](crate::service::handler::NotReceived), for an answer that is none.
pub trait NotAnswered: Sized {
    /// Never runs.
    fn new(_: Asked) -> Self {
        unreachable!("a protocol with other answers than packets does not compile")
    }
}

impl<R> NotAnswered for Responder<R> {}
