//! Drives one connection: the only task that touches its transport.
//!
//! A [`Driver`] is polled, never awaited, so nothing of it can be cancelled half-way. One turn handles every whole frame
//! of a read, lets handlers run, and writes what has gathered in one go; after some turns it yields to other tasks.
//! Reading never stops while the connection is open: answers, credit and cancellations must get through, and what new
//! work may arrive is bounded by the limits.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet_protocol::{
    close::{CloseCode, close_for},
    connection::{Event, Inbound, Rate, Violation},
    failure::{Failure, code},
    frame::{self, Frame},
    limits::Limits,
    protocol::{Direction, ReplyInfo, Role},
    reply::Verdict,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::{
    Conn, close_frame,
    lanes::{Ended, Job, JobKind},
};
use crate::{
    buffers, config,
    context::Meta,
    error::{Closed, ClosedBy, Refused},
    transport::Transport,
};

/// What becomes of the packets and calls that arrive: a service's handlers, or an inbox.
pub(crate) trait Dispatch: Send + Unpin + 'static {
    /// Runs the connect handler; nothing is started before it is done.
    fn poll_join(&mut self, task: &mut Context<'_>) -> Poll<Result<(), Refused>>;
    /// Takes a job.
    fn admit(&mut self, job: Job, payload: &[u8], waker: &Waker, ended: &mut impl Ended);
    /// Goes on with what was woken. `true` if anything happened.
    fn poll(&mut self, waker: &Waker, ended: &mut impl Ended) -> bool;
    /// The caller does not wait any more. `true` if the call is gone, `false` if it runs on.
    fn cancel(&mut self, id: u32) -> bool;
    /// The peer is gone: drops everything but handlers that run to their end.
    fn cancel_all(&mut self);
    /// Drops everything.
    fn kill(&mut self);
    /// Whether nothing runs and nothing waits.
    fn is_idle(&self) -> bool;
    /// Runs the disconnect handler, last and once.
    fn poll_leave(&mut self, closed: &Arc<Closed>, task: &mut Context<'_>) -> Poll<()>;
}

/// How long things may take on one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// A write that makes no progress.
    pub(crate) write: Duration,
    /// Work that was accepted before the peer ended its stream.
    pub(crate) grace: Duration,
}

/// A connection at the end of its handshake.
pub(crate) struct Opening {
    pub(crate) io: Box<dyn Transport>,
    /// This side's.
    pub(crate) role: Role,
    /// What this side takes.
    pub(crate) limits: Limits,
    pub(crate) times: Times,
    /// Written first, once the connect handler lets the connection in.
    pub(crate) welcome: Vec<u8>,
    /// Read behind the handshake.
    pub(crate) tail: Vec<u8>,
    /// When the connect handler has to be done.
    pub(crate) deadline: Instant,
}

/// One connection's task.
pub(crate) struct Driver<D> {
    /// `None` once the connection is over and only handlers are left.
    io: Option<Box<dyn Transport>>,
    conn: Arc<Conn>,
    dispatch: D,
    stage: Stage,
    inbound: Inbound,
    role: Role,
    incoming: &'static Direction,
    max_frame_len: u32,
    /// The batch that is being written, from `written` on.
    batch: Vec<u8>,
    written: usize,
    /// What precedes the first batch: the handshake's last words, held back until the connect handler is done.
    welcome: Vec<u8>,
    /// The beginning of a frame that is not whole yet.
    tail: Vec<u8>,
    /// Whether `tail` came with the handshake and was never looked at.
    unread: bool,
    pong: Option<u64>,
    created: Option<SystemTime>,
    /// The time of the current read, looked up once.
    now: Option<Instant>,
    eof: bool,
    stalled_since: Option<Instant>,
    mistakes: Mistakes,
    cancellations: Mistakes,
    timer: Option<Pin<Box<Sleep>>>,
    times: Times,
}

/// Where the connection's life is.
#[derive(Debug)]
enum Stage {
    /// The connect handler runs.
    Joining {
        deadline: Instant,
    },
    Open,
    /// What was accepted is finished, then the connection closes.
    Draining {
        closed: Closed,
        deadline: Instant,
    },
    /// The last frames are written.
    Flushing {
        deadline: Instant,
    },
    /// This side has ended its stream and waits for the end of the other, so that no reset destroys the last frames.
    Lingering {
        deadline: Instant,
    },
    /// The transport is gone; handlers that run to their end, then the disconnect handler.
    Leaving,
}

impl<D: Dispatch> Driver<D> {
    pub(crate) fn new(opening: Opening, conn: Arc<Conn>, dispatch: D) -> Self {
        let Opening { io, role, limits, times, welcome, tail, deadline } = opening;
        let incoming = conn.info.received_by(role);
        Self {
            io: Some(io),
            conn,
            dispatch,
            stage: Stage::Joining { deadline },
            inbound: Inbound::new(&limits),
            role,
            incoming,
            max_frame_len: limits.max_frame_len,
            batch: Vec::new(),
            written: 0,
            welcome,
            unread: !tail.is_empty(),
            tail,
            pong: None,
            created: None,
            now: None,
            eof: false,
            stalled_since: None,
            mistakes: Mistakes::new("mistakes", MISTAKES, MISTAKES_WINDOW_MS),
            cancellations: Mistakes::new("cancellations", CANCELLATIONS, CANCELLATIONS_WINDOW_MS),
            timer: None,
            times,
        }
    }

    /// Runs the connection to its end.
    pub(crate) async fn run(mut self) {
        std::future::poll_fn(move |task| self.poll(task)).await;
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            self.now = None;
            let mut progress = self.join(task);
            self.obey(task);
            if matches!(self.stage, Stage::Leaving) {
                return self.poll_leave(task);
            }
            progress |= self.work(task);
            progress |= self.read(task);
            progress |= self.write(task);
            progress |= self.advance(task);
            if !progress && !self.fall_asleep(task) {
                return Poll::Pending;
            }
        }
        // A peer that keeps this side busy does not stop the clock.
        self.fall_asleep(task);
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does what handles have asked for since the last turn.
    fn obey(&mut self, task: &Context<'_>) {
        let (close, drain, kill) = {
            let mut out = self.conn.out();
            out.driver_runs(task.waker());
            for id in std::mem::take(&mut out.finished_calls) {
                self.inbound.call_finished(id);
            }
            for frame_len in std::mem::take(&mut out.finished_packets) {
                // Nothing follows a close frame.
                if out.gone.is_none() {
                    self.inbound.packet_finished(frame_len, &mut out.buf);
                }
            }
            (out.close.take(), out.drain.take(), out.kill)
        };
        if kill {
            self.dispatch.kill();
            self.leave(Closed::new(CloseCode::GoingAway, "the grace of the shutdown is over", ClosedBy::Here));
        } else if let Some(closed) = close {
            self.close(closed);
        } else if let Some((closed, deadline)) = drain
            && matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. })
        {
            if matches!(self.stage, Stage::Joining { .. }) {
                self.close(closed);
            } else {
                self.stage = Stage::Draining { closed, deadline };
            }
        }
    }

    /// Goes on with the connect handler.
    fn join(&mut self, task: &mut Context<'_>) -> bool {
        if !matches!(self.stage, Stage::Joining { .. }) {
            return false;
        }
        match self.dispatch.poll_join(task) {
            Poll::Ready(Ok(())) => {
                self.stage = Stage::Open;
                self.release_welcome();
                true
            }
            Poll::Ready(Err(refused)) => {
                tracing::debug!(reason = refused.reason(), "the connect handler refuses");
                self.close(Closed::refused(&refused));
                true
            }
            Poll::Pending => false,
        }
    }

    fn release_welcome(&mut self) {
        if !self.welcome.is_empty() {
            debug_assert!(self.batch.is_empty(), "nothing is written before the welcome");
            self.batch = std::mem::take(&mut self.welcome);
        }
    }

    /// A client that was not welcomed yet hears only the close frame, behind the preface, and its `connect` fails.
    fn unwelcome(&mut self) {
        if !self.welcome.is_empty() {
            self.welcome.truncate(frame::PREFACE.len());
            self.release_welcome();
            self.conn.out().buf.clear();
        }
    }

    /// Lets handlers go on; when the connection ends, only those are left that run to their end.
    fn work(&mut self, task: &Context<'_>) -> bool {
        let (dispatch, mut ended) = self.split();
        let progress = dispatch.poll(task.waker(), &mut ended);
        self.check_mistakes();
        progress
    }

    /// One read, and every whole frame in it.
    fn read(&mut self, task: &mut Context<'_>) -> bool {
        if self.eof || matches!(self.stage, Stage::Leaving) {
            return false;
        }
        if std::mem::take(&mut self.unread) {
            let tail = std::mem::take(&mut self.tail);
            let used = self.handle(&tail, task);
            self.tail.extend_from_slice(tail.get(used..).unwrap_or_default());
            return true;
        }
        let Some(io) = &mut self.io else { return false };
        // A long frame that has begun to arrive is read on where it is; anything else goes through the thread's buffer.
        let mut filled = self.tail.len();
        let own = filled >= buffers::READ_LEN / 2;
        let mut buffer = if own {
            let mut buffer = std::mem::take(&mut self.tail);
            buffer.resize(filled + buffers::READ_LEN, 0);
            buffer
        } else {
            let mut buffer = buffers::take_read();
            buffer[..filled].copy_from_slice(&self.tail);
            buffer
        };
        let mut space = ReadBuf::new(&mut buffer[filled..]);
        let polled = Pin::new(io).poll_read(task, &mut space);
        let read = space.filled().len();
        let progress = match polled {
            Poll::Pending => {
                if own {
                    buffer.truncate(filled);
                    self.tail = buffer;
                } else {
                    buffers::give_read(buffer);
                }
                return false;
            }
            Poll::Ready(Err(error)) => {
                self.broken(&error);
                true
            }
            Poll::Ready(Ok(())) if read == 0 => {
                self.ended(filled > 0);
                true
            }
            Poll::Ready(Ok(())) => {
                filled += read;
                let used = self.handle(&buffer[..filled], task);
                self.tail.clear();
                if own {
                    buffer.truncate(filled);
                    buffer.drain(..used);
                    // A frame that was whole leaves its memory to others.
                    self.tail = if buffer.is_empty() { Vec::new() } else { buffer };
                    return true;
                }
                if used < filled {
                    self.tail.extend_from_slice(&buffer[used..filled]);
                } else {
                    self.tail = Vec::new();
                }
                true
            }
        };
        if !own {
            buffers::give_read(buffer);
        }
        progress
    }

    /// Handles the whole frames of `bytes`; how many bytes they were.
    fn handle(&mut self, bytes: &[u8], task: &Context<'_>) -> usize {
        let mut used = 0;
        while let Some(rest) = bytes.get(used..) {
            if !matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. }) {
                // The connection is ending: what still arrives is not looked at.
                return bytes.len();
            }
            match frame::decode(rest, self.max_frame_len) {
                Ok(Some((frame, len))) => {
                    used += len;
                    self.handle_frame(frame, task);
                }
                Ok(None) => break,
                Err(error) => {
                    let (code, reason) = close_for(&error);
                    tracing::warn!(%error, "the peer's bytes are no frame");
                    self.close(Closed::new(code, reason, ClosedBy::Here));
                }
            }
        }
        self.check_mistakes();
        used
    }

    fn handle_frame(&mut self, frame: Frame<'_>, task: &Context<'_>) {
        let event = match self.inbound.handle(frame) {
            Ok(event) => event,
            Err(violation) => {
                self.punish(&violation);
                return;
            }
        };
        match event {
            Event::Time { micros } => self.created = system_time(micros),
            Event::Packet { action, payload, frame_len } => {
                self.admit(action, JobKind::OneWay { frame_len }, 0, payload, task);
            }
            Event::Call { id, action, timeout_ms, payload } => {
                self.admit(action, JobKind::Call { id }, timeout_ms, payload, task);
            }
            Event::Busy { id } => {
                let failure = Failure::public(code::BUSY, "too many calls are open");
                self.conn.answer(id, &Err(failure), &[], "");
                self.mistakes.count();
            }
            Event::Answer { id, answer } => {
                let mut wakers = Vec::new();
                {
                    let mut out = self.conn.out();
                    wakers.extend(out.answered(id, &answer));
                    out.unpark(&mut wakers);
                }
                wakers.into_iter().for_each(Waker::wake);
            }
            Event::Cancel { id } => self.cancel(id),
            Event::Credit { packets, bytes } => {
                let mut wakers = Vec::new();
                let credited = {
                    let mut out = self.conn.out();
                    let credited = out.credit(packets, bytes);
                    out.unpark(&mut wakers);
                    credited
                };
                wakers.into_iter().for_each(Waker::wake);
                if let Err(violation) = credited {
                    self.punish(&violation);
                }
            }
            // Only the newest matters, so a flood of pings makes one pong.
            Event::Ping { nonce } => self.pong = Some(nonce),
            Event::Close(close) => self.leave(Closed::from_peer(&close)),
            _ => {}
        }
    }

    /// The caller does not wait any more. It is answered all the same: until then the call counts at both ends.
    fn cancel(&mut self, id: u32) {
        self.cancellations.count();
        if self.dispatch.cancel(id) {
            self.inbound.call_finished(id);
            let failure = Failure::public(code::CANCELLED, "the caller did not wait");
            self.conn.answer(id, &Err(failure), &[], "");
        }
    }

    /// Hands a packet or call to its handler, if this side knows the action.
    fn admit(&mut self, action: u16, kind: JobKind, timeout_ms: u32, payload: &[u8], task: &Context<'_>) {
        let known = self.incoming.get(action);
        let call = matches!(kind, JobKind::Call { .. });
        let deadline = (timeout_ms != 0)
            .then(|| *self.now.get_or_insert_with(Instant::now) + Duration::from_millis(u64::from(timeout_ms)));
        let meta = Meta { action: known.map_or("", |info| info.action), created: self.created, deadline, call };
        let job = Job { action, kind, meta };
        // A client that ends goes on serving while it waits for answers itself: they may depend on it.
        let draining = matches!(self.stage, Stage::Draining { .. })
            && !(matches!(self.role, Role::Client) && self.conn.out().awaits_answers());
        let (dispatch, mut ended) = self.split();
        match known {
            None => {
                ended.mistakes.count();
                let failure = Failure::public(code::UNKNOWN_ACTION, "this side knows no such action");
                ended.ended(&job, Err(failure), &[]);
            }
            Some(_) if draining => {
                if ended.conn.out().is_overfull() {
                    // It asks for more without having read what it got.
                    ended.mistakes.count();
                }
                let failure = Failure::public(code::GOING_AWAY, "this side is shutting down and takes nothing new");
                ended.ended(&job, Err(failure), &[]);
            }
            Some(info) if call == matches!(info.reply, ReplyInfo::None) => {
                ended.mistakes.count();
                let failure = if call {
                    Failure::public(code::NO_REPLY, "this action has no answer")
                } else {
                    Failure::public(code::MALFORMED, "this action is a call")
                };
                ended.ended(&job, Err(failure), &[]);
            }
            Some(_) => dispatch.admit(job, payload, task.waker(), &mut ended),
        }
    }

    /// Writes until the transport refuses or nothing is left.
    fn write(&mut self, task: &mut Context<'_>) -> bool {
        let mut progress = false;
        loop {
            if self.written == self.batch.len() && !self.next_batch() {
                return progress | self.flush(task);
            }
            let Some(io) = &mut self.io else { return progress };
            let Some(rest) = self.batch.get(self.written..) else { return progress };
            match Pin::new(io).poll_write(task, rest) {
                Poll::Pending => {
                    self.stalled_since.get_or_insert_with(Instant::now);
                    return progress;
                }
                Poll::Ready(Ok(0)) => {
                    self.broken(&io::ErrorKind::WriteZero.into());
                    return true;
                }
                Poll::Ready(Ok(written)) => {
                    self.written += written;
                    self.stalled_since = None;
                    progress = true;
                }
                Poll::Ready(Err(error)) => {
                    self.broken(&error);
                    return true;
                }
            }
        }
    }

    /// Takes what has gathered. `false`: nothing.
    fn next_batch(&mut self) -> bool {
        self.batch.clear();
        self.written = 0;
        if matches!(self.stage, Stage::Lingering { .. } | Stage::Leaving) {
            return false;
        }
        if !self.welcome.is_empty() {
            // Held back until the connect handler is done, unless it has something to say: that needs a client that
            // listens.
            let speaks = self.conn.out().rest();
            if speaks {
                self.release_welcome();
            }
            return speaks;
        }
        if self.batch.capacity() == 0 {
            self.batch = buffers::take();
        }
        let mut wakers = Vec::new();
        let taken = {
            let mut out = self.conn.out();
            if let Some(nonce) = self.pong.take()
                && out.gone.is_none()
            {
                Frame::Pong { nonce }.encode(&mut out.buf);
            }
            out.unpark(&mut wakers);
            let taken = out.take_batch(&mut self.batch);
            if taken {
                // The buffer is empty again, so what was parked for want of room may follow.
                out.unpark(&mut wakers);
            }
            taken
        };
        wakers.into_iter().for_each(Waker::wake);
        if !taken {
            buffers::give(std::mem::take(&mut self.batch));
        }
        taken
    }

    /// Everything was handed over; some transports hold it back until told.
    fn flush(&mut self, task: &mut Context<'_>) -> bool {
        let Some(io) = &mut self.io else { return false };
        match Pin::new(io).poll_flush(task) {
            Poll::Pending => {
                self.stalled_since.get_or_insert_with(Instant::now);
                false
            }
            Poll::Ready(Ok(())) => {
                self.stalled_since = None;
                false
            }
            Poll::Ready(Err(error)) => {
                self.broken(&error);
                true
            }
        }
    }

    /// Moves on to the next stage when this one is done.
    fn advance(&mut self, task: &mut Context<'_>) -> bool {
        let all_written = self.written == self.batch.len();
        match &mut self.stage {
            Stage::Draining { closed, .. } => {
                if all_written && self.dispatch.is_idle() && self.conn.out().is_drained() {
                    let closed = closed.clone();
                    self.close(closed);
                    return true;
                }
                false
            }
            Stage::Flushing { deadline } => {
                if !all_written || !self.conn.out().buf.is_empty() {
                    return false;
                }
                let deadline = *deadline;
                let Some(io) = &mut self.io else { return false };
                match Pin::new(io).poll_shutdown(task) {
                    Poll::Pending => false,
                    Poll::Ready(Ok(())) if !self.eof => {
                        self.conn.set_written();
                        self.stage = Stage::Lingering { deadline };
                        true
                    }
                    Poll::Ready(_) => {
                        self.forsake();
                        true
                    }
                }
            }
            Stage::Lingering { .. } if self.eof => {
                self.forsake();
                true
            }
            _ => false,
        }
    }

    /// Arms the timer for whatever is due next. `true` if something is due already.
    fn fall_asleep(&mut self, task: &mut Context<'_>) -> bool {
        let stage = match &self.stage {
            Stage::Joining { deadline }
            | Stage::Draining { deadline, .. }
            | Stage::Flushing { deadline }
            | Stage::Lingering { deadline } => Some(*deadline),
            Stage::Open | Stage::Leaving => None,
        };
        let stalled = self.stalled_since.map(|since| since + self.times.write);
        let calls = {
            let out = self.conn.out();
            if out.has_requests() {
                return true;
            }
            out.earliest
        };
        let Some(due) = [stage, stalled, calls].into_iter().flatten().min() else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        if timer.as_mut().poll(task).is_pending() {
            return false;
        }
        self.time_is_up(Instant::now());
        true
    }

    /// Ends what has waited long enough.
    fn time_is_up(&mut self, now: Instant) {
        let mut wakers = Vec::new();
        {
            let mut out = self.conn.out();
            out.expire_calls(now, &mut wakers);
            out.unpark(&mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
        if self.stalled_since.is_some_and(|since| since + self.times.write <= now) {
            tracing::warn!("the peer does not read");
            self.leave(Closed::new(CloseCode::SlowConsumer, "the peer does not read", ClosedBy::Here));
            return;
        }
        match &self.stage {
            Stage::Joining { deadline } if *deadline <= now => {
                let reason = "the connect handler did not finish in time";
                self.close(Closed::new(CloseCode::HandshakeTimeout, reason, ClosedBy::Here));
            }
            Stage::Draining { closed, deadline } if *deadline <= now => {
                let closed = closed.clone();
                self.close(closed);
            }
            Stage::Flushing { deadline } | Stage::Lingering { deadline } if *deadline <= now => self.forsake(),
            _ => {}
        }
    }

    /// Ends the connection by this side's will: the peer is told, after what was already accepted for it.
    fn close(&mut self, closed: Closed) {
        if matches!(self.stage, Stage::Flushing { .. } | Stage::Lingering { .. } | Stage::Leaving) {
            return;
        }
        tracing::debug!(%closed, "closing");
        self.dispatch.cancel_all();
        let closed = self.conn.set_gone(closed);
        self.unwelcome();
        let mut frame = buffers::take();
        close_frame(&closed).encode(&mut frame);
        self.conn.out().buf.extend_from_slice(&frame);
        buffers::give(frame);
        self.stage = Stage::Flushing { deadline: Instant::now() + LINGER };
    }

    /// The peer has ended its stream. It may still read: what was accepted is finished and answered.
    fn ended(&mut self, in_a_frame: bool) {
        self.eof = true;
        let reason = if in_a_frame {
            "the peer ended its stream in the middle of a frame"
        } else {
            "the peer ended its stream without a close frame"
        };
        let closed = Closed::new(CloseCode::Lost, reason, ClosedBy::Peer);
        self.tail = Vec::new();
        match self.stage {
            Stage::Joining { .. } => self.leave(closed),
            Stage::Open => {
                tracing::debug!(%closed, "draining");
                let mut wakers = Vec::new();
                self.conn.out().deafen(&Arc::new(closed.clone()), &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
                self.stage = Stage::Draining { closed, deadline: config::after(self.times.grace) };
            }
            Stage::Draining { .. } => {
                let mut wakers = Vec::new();
                self.conn.out().deafen(&Arc::new(closed), &mut wakers);
                wakers.into_iter().for_each(Waker::wake);
            }
            Stage::Flushing { .. } | Stage::Lingering { .. } | Stage::Leaving => {}
        }
    }

    /// The transport failed: nobody is left to be told anything.
    fn broken(&mut self, error: &io::Error) {
        if matches!(self.stage, Stage::Flushing { .. } | Stage::Lingering { .. }) {
            self.forsake();
            return;
        }
        tracing::debug!(%error, "the transport broke");
        self.leave(Closed::new(CloseCode::Lost, error.to_string(), ClosedBy::Transport));
    }

    /// Ends the connection without another word to the peer.
    fn leave(&mut self, closed: Closed) {
        self.dispatch.cancel_all();
        let closed = self.conn.set_gone(closed);
        tracing::debug!(%closed, "gone");
        self.forsake();
    }

    /// Lets go of the transport. The reason is known already.
    fn forsake(&mut self) {
        self.io = None;
        self.tail = Vec::new();
        self.batch = Vec::new();
        self.welcome = Vec::new();
        self.written = 0;
        self.timer = None;
        self.stalled_since = None;
        self.conn.out().buf = Vec::new();
        self.conn.set_written();
        self.stage = Stage::Leaving;
    }

    /// The connection is over: handlers that run to their end, then the disconnect handler.
    fn poll_leave(&mut self, task: &mut Context<'_>) -> Poll<()> {
        for turn in 0.. {
            if self.dispatch.is_idle() {
                break;
            }
            if turn == TURNS {
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            let (dispatch, mut ended) = self.split();
            if !dispatch.poll(task.waker(), &mut ended) {
                self.conn.out().rest();
                return Poll::Pending;
            }
        }
        let Some(closed) = self.conn.gone() else { return Poll::Ready(()) };
        let left = self.dispatch.poll_leave(&closed, task);
        self.conn.out().rest();
        left
    }

    /// The peer breaks the protocol: the connection is closed with the code for it.
    fn punish(&mut self, violation: &Violation) {
        tracing::warn!(%violation, "the peer breaks the protocol");
        let (code, reason) = close_for(violation);
        self.close(Closed::new(code, reason, ClosedBy::Here));
    }

    fn check_mistakes(&mut self) {
        if let Some(violation) = self.mistakes.too_many.take().or_else(|| self.cancellations.too_many.take()) {
            self.punish(&violation);
        }
    }

    fn split(&mut self) -> (&mut D, Sink<'_>) {
        let sink = Sink { conn: &self.conn, inbound: &mut self.inbound, mistakes: &mut self.mistakes };
        (&mut self.dispatch, sink)
    }
}

/// What happens when a job ends.
struct Sink<'a> {
    conn: &'a Conn,
    inbound: &'a mut Inbound,
    mistakes: &'a mut Mistakes,
}

impl Ended for Sink<'_> {
    fn ended(&mut self, job: &Job, outcome: Result<Verdict, Failure>, payload: &[u8]) {
        if let Err(failure) = &outcome {
            if failure.is_malformed() {
                self.mistakes.count();
                tracing::warn!(action = job.meta.action, failure = %failure.log_text(), "malformed packet");
            } else if failure.code() == code::INTERNAL {
                tracing::error!(action = job.meta.action, failure = %failure.log_text(), "a handler failed");
            } else {
                tracing::debug!(action = job.meta.action, failure = %failure.log_text(), "not handled");
            }
        }
        match job.kind {
            JobKind::Call { id } => {
                self.inbound.call_finished(id);
                self.conn.answer(id, &outcome, payload, job.meta.action);
            }
            JobKind::OneWay { frame_len } => {
                let mut out = self.conn.out();
                // Nothing follows a close frame.
                if out.gone.is_none() {
                    self.inbound.packet_finished(frame_len, &mut out.buf);
                }
            }
        }
    }
}

/// Counts the peer's mistakes that do not end a connection by themselves.
#[derive(Debug)]
struct Mistakes {
    rate: Rate,
    start: Instant,
    too_many: Option<Violation>,
}

impl Mistakes {
    fn new(what: &'static str, limit: u32, window_ms: u64) -> Self {
        Self { rate: Rate::new(what, limit, window_ms), start: Instant::now(), too_many: None }
    }

    fn count(&mut self) {
        let now_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Err(violation) = self.rate.hit(now_ms) {
            self.too_many = Some(violation);
        }
    }
}

/// A driver that is dropped half-way, with its runtime for one, leaves nobody waiting.
impl<D> Drop for Driver<D> {
    fn drop(&mut self) {
        self.conn.set_gone(Closed::new(CloseCode::Lost, "the connection's task has ended", ClosedBy::Here));
        self.conn.set_written();
    }
}

impl<D> std::fmt::Debug for Driver<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("conn", &self.conn.id).field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// The peer's clock, as far as this side can represent it.
fn system_time(micros: i64) -> Option<SystemTime> {
    let distance = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// Turns before other tasks get theirs.
const TURNS: usize = 8;
/// Time to write the last frames, and then to wait for the peer's end.
const LINGER: Duration = Duration::from_secs(1);
/// The peer's mistakes in one window, beyond which the connection is closed as abuse.
const MISTAKES: u32 = 32;
const MISTAKES_WINDOW_MS: u64 = 60_000;
/// Cancelled calls in one window: each costs the peer less than this side.
const CANCELLATIONS: u32 = 200;
const CANCELLATIONS_WINDOW_MS: u64 = 1_000;
