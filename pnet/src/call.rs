//! The futures that `send` and `call` return.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use pnet_protocol::{
    dialect::Dialect,
    failure::code,
    packet::EncodeError,
    protocol::{ActionInfo, Answered, OneWay},
    reply::Reply,
    wire,
};
use tokio::time::{Instant, Sleep};

use crate::{
    buffers,
    connection::{AnswerBytes, CallState, Conn, Enqueued, waiting, wake},
    error::{CallError, SendError, TrySendError, TrySendReason},
    json::JsonError,
    reconnect::Route,
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
    frame: Result<Vec<u8>, Option<SendError>>,
    /// In the queue for room.
    ticket: Option<u64>,
    route: Route,
    /// Ends the wait for a connection.
    down: Option<Pin<Box<Sleep>>>,
}

impl Sending {
    pub(crate) fn new<T, K: OneWay<T>>(conn: &Arc<Conn>, id: u16, packet: &T) -> Self {
        Self {
            conn: Arc::clone(conn),
            frame: packet_frame::<T, K>(conn.dialect, conn.action(id), id, packet)
                .map_err(|error| Some(SendError::Encode(error))),
            ticket: None,
            route: Route::Fixed,
            down: None,
        }
    }
}

impl Sending {
    /// A packet that was made at run time.
    pub(crate) fn dynamic(conn: &Arc<Conn>, frame: Result<Vec<u8>, JsonError>) -> Self {
        let frame = frame.map_err(|error| Some(error.into()));
        Self { conn: Arc::clone(conn), frame, ticket: None, route: Route::Fixed, down: None }
    }

    /// Goes where the route says if its connection is gone.
    pub(crate) fn routed(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Waits for a connection, up to the call timeout.
    fn poll_route(&mut self, task: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        match self.route.poll(&mut self.conn, task) {
            Poll::Ready(found) => Poll::Ready(found.map_err(SendError::Disconnected)),
            Poll::Pending => {
                if let Some(after) = self.conn.call_timeout {
                    let timer = self.down.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
                    ready!(timer.as_mut().poll(task));
                    let why = self.route.why().unwrap_or_else(|| Arc::new(crate::error::Closed::unknown()));
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
            return Poll::Ready(Err(error));
        }
        let waker = loop {
            ready!(this.poll_route(task))?;
            let Ok(frame) = &this.frame else { unreachable!("only its end takes the frame") };
            let mut out = this.conn.out();
            if let Some(closed) = &out.gone {
                let closed = Arc::clone(closed);
                drop(out);
                this.ticket = None;
                this.route.leave(&mut this.conn, closed).map_err(SendError::Disconnected)?;
                continue;
            }
            match out.packet(frame) {
                Enqueued::Taken(waker) => break waker,
                Enqueued::Full => {
                    out.wait_for_room(&mut this.ticket, task.waker());
                    drop(out);
                    waiting::note(&this.conn);
                    return Poll::Pending;
                }
                Enqueued::TooLong { len, max } => return Poll::Ready(Err(SendError::TooLong { len, max })),
                Enqueued::Unsupported => return Poll::Ready(Err(SendError::Unsupported)),
                Enqueued::Suspended => return Poll::Ready(Err(SendError::Suspended)),
            }
        };
        wake(waker);
        if let Ok(frame) = std::mem::replace(&mut this.frame, Err(None)) {
            buffers::give(frame);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
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
/// `finish`. Whether it had run by then is unknown. Of more than 100 calls dropped in a second, the others' handlers run
/// on, as peers close connections that cancel too much.
#[must_use = "a call is made when this is awaited"]
pub struct Calling<R: Reply> {
    conn: Arc<Conn>,
    state: State,
    timeout: Option<Duration>,
    /// Ends the wait for a connection and for room in the queue; the wait for the answer is timed by the driver.
    unqueued: Option<Pin<Box<Sleep>>>,
    /// In the queue for room.
    ticket: Option<u64>,
    route: Route,
    reply: PhantomData<fn() -> R>,
}

enum State {
    /// Encoded, not queued.
    Ready {
        action: u16,
        payload: Vec<u8>,
    },
    Refused(EncodeError),
    /// Queued under this id.
    Waiting(u32),
    Done,
}

impl<R: Reply> Calling<R> {
    pub(crate) fn new<T, K: Answered<T, Reply = R>>(conn: &Arc<Conn>, action: u16, packet: &T) -> Self {
        let mut payload = buffers::take();
        let state = match K::encode(packet, conn.dialect.codec_override(), &mut payload) {
            Ok(()) => State::Ready { action, payload },
            Err(error) => State::Refused(error),
        };
        Self::starting(conn, state)
    }

    /// A call that was made at run time.
    pub(crate) fn dynamic(conn: &Arc<Conn>, action: u16, payload: Vec<u8>) -> Self {
        Self::starting(conn, State::Ready { action, payload })
    }

    fn starting(conn: &Arc<Conn>, state: State) -> Self {
        let timeout = conn.call_timeout;
        let (conn, route) = (Arc::clone(conn), Route::Fixed);
        Self { conn, state, timeout, unqueued: None, ticket: None, route, reply: PhantomData }
    }

    /// Goes where the route says if its connection is gone.
    pub(crate) fn routed(mut self, route: Route) -> Self {
        self.route = route;
        self
    }

    /// Waits at most `timeout` for the answer, instead of the connection's default (30 s unless set). Counted from the
    /// first poll, with the runtime's grain of a millisecond.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits as long as the connection lives.
    pub const fn without_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }

    fn enqueue(&mut self, task: &mut Context<'_>) -> Result<Poll<()>, CallError<R::Err>> {
        let (action, payload) = match std::mem::replace(&mut self.state, State::Done) {
            State::Ready { action, payload } => (action, payload),
            State::Refused(error) => return Err(CallError::Encode(error)),
            state => {
                self.state = state;
                return Ok(Poll::Ready(()));
            }
        };
        let disconnected = |why| CallError::Disconnected { sent: false, why };
        let mut out = loop {
            match self.route.poll(&mut self.conn, task) {
                Poll::Ready(found) => found.map_err(disconnected)?,
                Poll::Pending => return self.stay(State::Ready { action, payload }, task),
            }
            let out = self.conn.out();
            let Some(closed) = out.unanswerable().cloned() else { break out };
            drop(out);
            self.ticket = None;
            self.route.leave(&mut self.conn, closed).map_err(disconnected)?;
        };
        let (timeout_ms, deadline) = match &self.unqueued {
            Some(timer) => {
                let left = timer.deadline().saturating_duration_since(Instant::now());
                (millis(left).max(1), Some(timer.deadline()))
            }
            None => {
                let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
                (self.timeout.map_or(0, millis), deadline)
            }
        };
        match out.call((action, self.conn.action(action)), &payload, timeout_ms, deadline, task.waker()) {
            Ok((id, waker)) => {
                drop(out);
                wake(waker);
                buffers::give(payload);
                self.state = State::Waiting(id);
                Ok(Poll::Ready(()))
            }
            Err(Enqueued::TooLong { len, max }) => Err(CallError::TooLong { len, max }),
            Err(Enqueued::Unsupported) => {
                let message = "a peer of the old form cannot answer this call".to_owned();
                Err(CallError::Failed { code: code::UNSUPPORTED.to_owned(), message })
            }
            Err(Enqueued::Suspended) => Err(CallError::Suspended),
            Err(_) => {
                out.wait_for_room(&mut self.ticket, task.waker());
                drop(out);
                waiting::note(&self.conn);
                self.stay(State::Ready { action, payload }, task)
            }
        }
    }

    /// Is not queued yet, and does not become so after its time.
    fn stay(&mut self, state: State, task: &mut Context<'_>) -> Result<Poll<()>, CallError<R::Err>> {
        self.state = state;
        if let Some(after) = self.timeout {
            let timer = self.unqueued.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
            if timer.as_mut().poll(task).is_ready() {
                self.state = State::Done;
                return Err(CallError::TimedOut { after });
            }
        }
        Ok(Poll::Pending)
    }
}

impl<R: Reply> Future for Calling<R> {
    type Output = Result<R::Ok, CallError<R::Err>>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match this.enqueue(task) {
            Err(error) => return Poll::Ready(Err(error)),
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => {}
        }
        let State::Waiting(id) = this.state else { panic!("a call was polled after it was ready") };
        let mut wakers = Vec::new();
        let outcome = {
            let mut out = this.conn.out();
            out.take_outcome(id, task.waker(), &mut wakers).map(|state| (state, out.unanswerable().cloned()))
        };
        wakers.into_iter().for_each(Waker::wake);
        let Some((state, closed)) = outcome else {
            waiting::note(&this.conn);
            return Poll::Pending;
        };
        this.state = State::Done;
        Poll::Ready(match state {
            CallState::Answered(AnswerBytes::Reply(payload)) => {
                R::decode_ok(this.conn.dialect.codec_override(), &payload).map_err(CallError::Decode)
            }
            CallState::Answered(AnswerBytes::Error(payload)) => {
                Err(R::decode_err(this.conn.dialect.codec_override(), &payload)
                    .map_or_else(CallError::Decode, CallError::Declared))
            }
            CallState::Answered(AnswerBytes::Failure { code, message }) => Err(CallError::Failed { code, message }),
            CallState::TimedOut { .. } => Err(CallError::TimedOut { after: this.timeout.unwrap_or_default() }),
            CallState::Lost { sent } => {
                let why = closed.unwrap_or_else(|| Arc::new(crate::error::Closed::unknown()));
                Err(CallError::Disconnected { sent, why })
            }
            CallState::Parked | CallState::Sent | CallState::Abandoned => unreachable!("the outcome is an end"),
        })
    }
}

impl<R: Reply> Drop for Calling<R> {
    fn drop(&mut self) {
        let mut wakers = Vec::new();
        if let State::Waiting(id) = self.state {
            self.conn.out().cancel_call(id, &mut wakers);
        } else if let Some(ticket) = self.ticket {
            self.conn.out().leave_queue(ticket);
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<R: Reply> fmt::Debug for Calling<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").field("connection", &self.conn.id).finish_non_exhaustive()
    }
}

/// Queues a packet if there is room.
pub(crate) fn try_send<T, K: OneWay<T>>(conn: &Conn, id: u16, packet: T) -> Result<(), TrySendError<T>> {
    let failed = |packet, error| Err(TrySendError { packet, reason: TrySendReason::Failed(error) });
    let frame = match packet_frame::<T, K>(conn.dialect, conn.action(id), id, &packet) {
        Ok(frame) => frame,
        Err(error) => return failed(packet, SendError::Encode(error)),
    };
    let enqueued = {
        let mut out = conn.out();
        if let Some(closed) = &out.gone {
            let closed = Arc::clone(closed);
            drop(out);
            return failed(packet, SendError::Disconnected(closed));
        }
        out.packet(&frame)
    };
    buffers::give(frame);
    match enqueued {
        Enqueued::Taken(waker) => {
            wake(waker);
            Ok(())
        }
        Enqueued::Full => Err(TrySendError { packet, reason: TrySendReason::Full }),
        Enqueued::TooLong { len, max } => failed(packet, SendError::TooLong { len, max }),
        Enqueued::Unsupported => failed(packet, SendError::Unsupported),
        Enqueued::Suspended => failed(packet, SendError::Suspended),
    }
}

/// A one-way packet as it waits to be written. User code runs here, under no lock.
pub(crate) fn packet_frame<T, K: OneWay<T>>(
    dialect: Dialect,
    action: &ActionInfo,
    id: u16,
    packet: &T,
) -> Result<Vec<u8>, EncodeError> {
    let mut payload = buffers::take();
    let encoded = K::encode(packet, dialect.codec_override(), &mut payload);
    let mut frame = buffers::take();
    if encoded.is_ok() {
        wire::packet_frame(dialect, action, id, &payload, &mut frame);
    }
    buffers::give(payload);
    encoded.map(|()| frame)
}

/// Whole milliseconds, rounded up, so that the peer never gives up before this side does.
fn millis(timeout: Duration) -> u32 {
    u32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(0)
}
