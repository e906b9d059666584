//! Drives one connection: the only task that touches its transport.
//!
//! A [`Driver`] is polled, never awaited, so nothing of it can be cancelled half-way. One turn handles every whole frame
//! of a read, lets handlers run, and writes what has gathered in one go; after some turns it yields to other tasks.
//! Reading does not stop while the connection is open: answers, credit and cancellations must get through, and what new
//! work may arrive is bounded by the limits. But where a server's connections together hold too much, nothing is read unless
//! this side waits for it.

mod alarm;
mod answers;
#[cfg(feature = "console")]
pub(crate) mod detached;
pub(crate) mod dispatch;
mod ending;
mod incoming;
#[cfg(feature = "inspect")]
pub(crate) mod limits;
#[cfg(feature = "console")]
mod operated;
mod outgoing;
mod sink;

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use pnet_protocol::{
    close::CloseCode,
    connection::{Life, Mistakes, Sign, sooner},
    json::Form,
    protocol::{Direction, Role},
    wire::Reader,
};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    time::Instant,
};

#[cfg(feature = "console")]
use self::sink::ended_early;
use self::{alarm::Alarm, answers::Answers, sink::Sink};
use crate::{
    buffers, config,
    connection::{Conn, Done, half_open::Waiting, outbox::weight},
    counts::{Met, Tally},
    driver::dispatch::Dispatch,
    error::{Closed, ClosedBy},
    seldom::{Empty, Seldom},
    transport::driven::Driven,
};

/// A connection at the end of its handshake.
pub(crate) struct Opening {
    pub(crate) io: Box<dyn Driven>,
    /// This side's.
    pub(crate) role: Role,
    /// What this side takes, and how it is read.
    pub(crate) reader: Reader,
    /// How long work may take that was accepted before the peer ended its stream.
    pub(crate) grace: Duration,
    /// Written first, once the connect handler lets the connection in.
    pub(crate) welcome: Vec<u8>,
    /// How much of the welcome is written if it does not.
    pub(crate) preface_len: usize,
    /// Read behind the handshake.
    pub(crate) tail: Vec<u8>,
    /// When the connect handler has to be done.
    pub(crate) deadline: Instant,
    /// Of a peer that has not sent a byte: dropped when it does.
    pub(crate) silent: Option<Waiting>,
    /// Each side speaks at least once in this time; `None` if no signs of life were agreed on.
    pub(crate) heartbeat: Option<Duration>,
}

/// One connection's task.
pub(crate) struct Driver {
    /// `None` once the connection is over and only handlers are left.
    io: Option<Box<dyn Driven>>,
    conn: Arc<Conn>,
    dispatch: Box<dyn Dispatch>,
    /// Whether it was given anything that it may not be done with. Where only this side speaks it is left alone.
    engaged: bool,
    stage: Stage,
    reader: Reader,
    /// What the peer of a JSON connection was known to be when it was last looked at.
    form: Option<Form>,
    role: Role,
    incoming: &'static Direction,
    /// What was answered in this turn.
    answers: Answers,
    /// The batch that is being written, from `written` on.
    batch: Vec<u8>,
    written: usize,
    /// What few connections have for long.
    odd: Seldom<Odd>,
    /// The beginning of a frame that is not whole yet.
    tail: Vec<u8>,
    /// Whether `tail` came with the handshake and was never looked at.
    unread: bool,
    pong: Option<Option<u64>>,
    created: Option<SystemTime>,
    /// The time of the current read, looked up once.
    now: Option<Instant>,
    eof: bool,
    /// Whether the transport refuses the batch.
    blocked: bool,
    /// Whether so much waits to be written that no new work should be started, as of the last answer or turn.
    overfull: bool,
    /// Whether other threads run tasks of the same runtime.
    side_by_side: bool,
    /// Whether others were let run before the next write.
    waited: bool,
    alarm: Alarm,
    life: Life,
    tally: Tally,
    /// How long work may take that was accepted before the peer ended its stream.
    grace: Duration,
}

/// What belongs to the beginning, or to peers that are slow or mistaken.
struct Odd {
    /// What precedes the first batch: the handshake's last words, held back until the connect handler is done.
    welcome: Vec<u8>,
    preface_len: usize,
    silent: Option<Waiting>,
    begun: Option<Begun>,
    slow: Option<Slow>,
    /// Since when nothing is read, because the server holds too much.
    stopped: Option<Instant>,
    mistakes: Mistakes,
    cancellations: Mistakes,
}

impl Empty for Odd {
    const EMPTY: Self = Self {
        welcome: Vec::new(),
        preface_len: 0,
        silent: None,
        begun: None,
        slow: None,
        stopped: None,
        mistakes: Mistakes::in_packets(),
        cancellations: Mistakes::in_cancelling(),
    };
    const READ: &'static Self = &Self::EMPTY;
}

impl Odd {
    /// Whether there is nothing odd about the connection any more.
    fn is_over(&self) -> bool {
        let waits = self.begun.is_some() || self.slow.is_some() || self.stopped.is_some();
        let mistaken = self.mistakes.were_made() || self.cancellations.were_made();
        self.welcome.is_empty() && self.silent.is_none() && !waits && !mistaken
    }
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
        closed: Box<Closed>,
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

impl Driver {
    pub(crate) fn new(opening: Opening, conn: Arc<Conn>, dispatch: Box<dyn Dispatch>) -> Self {
        let Opening { io, role, reader, grace, welcome, preface_len, tail, deadline, silent, heartbeat } = opening;
        let mut odd = Seldom::<Odd>::new();
        if !welcome.is_empty() || silent.is_some() {
            *odd = Odd { welcome, preface_len, silent, ..Odd::EMPTY };
        }
        let incoming = conn.info.received_by(role);
        let answers = Answers::new(&conn.out().writer);
        Self {
            io: Some(io),
            dispatch,
            engaged: false,
            stage: Stage::Joining { deadline },
            form: reader.form(),
            reader,
            role,
            tally: Tally::new(conn.id),
            conn,
            incoming,
            answers,
            batch: Vec::new(),
            written: 0,
            odd,
            unread: !tail.is_empty(),
            tail,
            pong: None,
            created: None,
            now: None,
            eof: false,
            blocked: false,
            overfull: false,
            side_by_side: Handle::try_current()
                .is_ok_and(|runtime| runtime.runtime_flavor() != RuntimeFlavor::CurrentThread),
            waited: false,
            alarm: Alarm::default(),
            life: Life::new(heartbeat, Instant::now().into_std()),
            grace,
        }
    }

    fn drive(&mut self, task: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            self.now = None;
            let mut progress = self.join(task);
            self.obey(task);
            if matches!(self.stage, Stage::Leaving) {
                return self.poll_leave(task);
            }
            progress |= self.work(task);
            let read = self.read(task);
            if read == Reading::Nothing && !progress && self.lets_others_call(task) {
                return Poll::Pending;
            }
            let wrote = self.write(task);
            progress |= self.advance(task);
            // Where the transport has no more, and nothing waits for what was written, another turn would find nothing.
            let more = match read {
                Reading::Nothing => wrote && !self.is_settled(),
                Reading::All => !self.is_settled(),
                Reading::Some => true,
            };
            if !progress && !more && !self.fall_asleep(task) {
                self.rest();
                return Poll::Pending;
            }
        }
        // A peer that keeps this side busy does not stop the clock.
        self.fall_asleep(task);
        self.rest();
        task.waker().wake_by_ref();
        Poll::Pending
    }

    /// Where threads run tasks side by side, the first of many callers wakes the driver at once, and the others' calls would
    /// go one by one: so it lets them run before it writes, once for each batch.
    fn lets_others_call(&mut self, task: &Context<'_>) -> bool {
        if !self.side_by_side {
            return false;
        }
        self.waited = !self.waited && self.written == self.batch.len() && self.conn.lock().has_callers();
        if self.waited {
            self.rest();
            task.waker().wake_by_ref();
        }
        self.waited
    }

    /// Nothing is to be done for now: gives back what others may use meanwhile.
    fn rest(&mut self) {
        if self.engaged {
            self.dispatch.rest();
            self.engaged = !self.dispatch.is_idle();
        }
        self.answers.rest();
        if self.written == self.batch.len() && self.batch.capacity() != 0 {
            self.written = 0;
            buffers::give(std::mem::take(&mut self.batch));
        }
    }

    /// Whether what was just read and written can have no other effect than it had.
    fn is_settled(&self) -> bool {
        let waits = self.engaged && self.dispatch.has_queued();
        matches!(self.stage, Stage::Open) && !self.eof && !self.overfull && !waits
    }

    /// Does what handles have asked for since the last turn.
    fn obey(&mut self, task: &mut Context<'_>) {
        #[cfg(feature = "console")]
        let operators;
        let (close, drain, kill, cut_off) = {
            let mut guard = self.conn.look();
            let out = &mut *guard;
            out.see();
            if !out.driver_runs(task.waker()) {
                // The alarm knows another waker.
                self.alarm.disarm();
            }
            self.overfull = out.is_overfull();
            if !out.has_requests() && !out.queue.awaits_room() {
                return;
            }
            out.wake_room();
            for done in out.finished.drain(..) {
                match done {
                    Done::Call(id) => self.reader.call_finished(id),
                    // Nothing follows a close frame.
                    Done::Packet(_) if out.gone.is_some() => {}
                    Done::Packet(frame_len) => self.reader.packet_finished(frame_len, &mut out.buf),
                }
            }
            if !out.rare.has_requests() {
                return;
            }
            let rare = &mut *out.rare;
            #[cfg(feature = "console")]
            {
                operators = rare.operators.as_mut().map(|operators| operators.take());
            }
            let (kill, cut_off) = (std::mem::take(&mut rare.kill), std::mem::take(&mut rare.cut_off));
            (rare.close.take(), rare.drain.take(), kill, cut_off)
        };
        if kill {
            self.cut_off(drain.map(|(closed, _)| closed), task);
        } else if cut_off {
            tracing::debug!("cut off");
            self.leave(Closed::unknown());
        } else if let Some(closed) = close {
            self.close(closed);
        } else if let Some((closed, deadline)) = drain
            && matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. })
        {
            if matches!(self.stage, Stage::Joining { .. }) {
                self.close(closed);
            } else {
                // Whoever asked first has said why; whoever gives less time is obeyed.
                match &mut self.stage {
                    Stage::Draining { closed: known, deadline: until } => {
                        *until = deadline.min(*until);
                        if known.by() != ClosedBy::Here {
                            **known = closed;
                        }
                    }
                    stage => *stage = Stage::Draining { closed: Box::new(closed), deadline },
                }
            }
        }
        #[cfg(feature = "console")]
        if let Some(operators) = operators {
            self.operate(operators, task);
        }
    }

    /// Goes on with the connect handler.
    fn join(&mut self, task: &mut Context<'_>) -> bool {
        if !matches!(self.stage, Stage::Joining { .. }) {
            return false;
        }
        match self.dispatch.poll_join(task) {
            Poll::Ready(Ok(())) => {
                // The peer may have said all it had to say, and ended its stream.
                let ended = self.conn.out().unanswerable().map(|closed| Closed::clone(closed));
                self.stage = match ended {
                    Some(closed) => Stage::Draining { closed: Box::new(closed), deadline: config::after(self.grace) },
                    None => Stage::Open,
                };
                self.release_welcome();
                self.life.begin(Instant::now().into_std());
                self.conn.trace.joined();
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
        if !self.odd.welcome.is_empty() {
            // A JSON client that asked for its welcome late may be in the middle of an answer.
            self.batch.append(&mut std::mem::take(&mut self.odd.welcome));
            self.odd.tidy(Odd::is_over);
        }
    }

    /// A client that was not welcomed yet hears only the close frame, behind the preface, and its `connect` fails.
    fn unwelcome(&mut self) {
        if !self.odd.welcome.is_empty() {
            let preface_len = self.odd.preface_len;
            self.odd.welcome.truncate(preface_len);
            self.release_welcome();
            self.conn.out().buf.clear();
        }
    }

    /// Lets handlers go on; when the connection ends, only those are left that run to their end.
    fn work(&mut self, task: &Context<'_>) -> bool {
        if !self.engaged {
            return false;
        }
        let (dispatch, mut sink) = self.split();
        let progress = dispatch.poll(task.waker(), &mut sink);
        self.check_mistakes();
        progress
    }

    /// Sets the alarm for whatever is due next. `true` if something is due already.
    fn fall_asleep(&mut self, task: &mut Context<'_>) -> bool {
        let mut due = match &self.stage {
            Stage::Joining { deadline }
            | Stage::Draining { deadline, .. }
            | Stage::Flushing { deadline }
            | Stage::Lingering { deadline } => Some(*deadline),
            Stage::Open | Stage::Leaving => None,
        };
        if self.odd.is_taken() {
            due = sooner(due, self.odd.slow.as_ref().map(|slow| slow.since + config::WRITE));
            due = sooner(due, self.begun_until());
        }
        due = sooner(due, self.life.due().filter(|_| self.listens()).map(Instant::from_std));
        let held = self.holds();
        let writes = self.written == self.batch.len()
            && self.odd.welcome.is_empty()
            && !matches!(self.stage, Stage::Lingering { .. } | Stage::Leaving);
        {
            let mut out = self.conn.lock();
            out.settle_driver(held);
            let left = || (self.reader.in_flight(), self.batch.len() - self.written);
            out.sends.rest(&mut self.tally, &self.conn.trace, left);
            if out.has_requests() || writes && !out.rest_empty() {
                return true;
            }
            due = sooner(due, out.due());
        }
        let Some(due) = due else { return false };
        if self.alarm.poll(due, task).is_pending() {
            return false;
        }
        let now = Instant::now();
        let late = self.alarm.late(now);
        self.life.excuse(late, now.into_std());
        self.time_is_up(now, task);
        true
    }

    /// Ends what has waited long enough.
    fn time_is_up(&mut self, now: Instant, task: &mut Context<'_>) {
        self.conn.out().handle_timeout(now);
        self.excuse_peer(now);
        if self.odd.slow.as_ref().is_some_and(|slow| slow.since + config::WRITE <= now) {
            tracing::warn!("the peer does not read");
            self.conn.trace.met(Met::WriteTimeout);
            self.leave(Closed::new(CloseCode::SlowConsumer, "the peer does not read", ClosedBy::Here));
            return;
        }
        let refused_since = self.conn.out().refused_since();
        if refused_since.is_some_and(|since| since + config::WRITE <= now) {
            tracing::warn!("the queue stays full");
            self.conn.trace.met(Met::WriteTimeout);
            let reason = "the queue stayed full, and packets were refused";
            self.leave(Closed::new(CloseCode::SlowConsumer, reason, ClosedBy::Here));
            return;
        }
        if self.begun_until().is_some_and(|until| until <= now) {
            tracing::warn!("the peer does not finish what it has begun to send");
            self.conn.trace.met(Met::FrameTimeout);
            let reason = "a packet was begun and did not go on";
            self.close(Closed::new(CloseCode::Timeout, reason, ClosedBy::Here));
            return;
        }
        if self.listens() {
            match self.life.look(now.into_std()) {
                Sign::Nothing => {}
                Sign::Ping => self.conn.out().pings.ask(true),
                Sign::Gone => {
                    tracing::warn!("the peer gives no sign of life");
                    self.conn.trace.met(Met::Heartbeat);
                    let reason = format!("nothing was heard from the peer for {:?}", self.life.patience());
                    self.give_up_on(Closed::new(CloseCode::Timeout, reason, ClosedBy::Here), task);
                    return;
                }
            }
        }
        match &self.stage {
            Stage::Joining { deadline } if *deadline <= now => {
                self.conn.trace.met(Met::HandshakeTimeout);
                let reason = "the connect handler did not finish in time";
                self.close(Closed::new(CloseCode::HandshakeTimeout, reason, ClosedBy::Here));
            }
            Stage::Draining { closed, deadline } if *deadline <= now => {
                let closed = Closed::clone(closed);
                if closed.code() == CloseCode::GoingAway && closed.by() == ClosedBy::Here {
                    // A handler that ended from now on could not be answered any more.
                    let calls = self.dispatch.kill();
                    self.conn.cut.count(calls);
                }
                self.close(closed);
            }
            Stage::Flushing { deadline } | Stage::Lingering { deadline } if *deadline <= now => self.forsake(),
            _ => {}
        }
    }

    /// Whether the peer is expected to speak: it was told that it may, and has not ended its stream.
    fn listens(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Draining { .. }) && !self.eof
    }

    /// By when more has to come of what the peer has begun to send.
    fn begun_until(&self) -> Option<Instant> {
        let reads = matches!(self.stage, Stage::Joining { .. } | Stage::Open | Stage::Draining { .. });
        self.odd.begun.as_ref().filter(|_| reads && self.odd.stopped.is_none()).map(|begun| begun.since + BEGUN)
    }

    /// The peer is not to blame for the time in which nothing was read.
    fn excuse_peer(&mut self, now: Instant) {
        let Some(since) = self.odd.stopped else { return };
        let paused = now.saturating_duration_since(since);
        self.odd.stopped = Some(now);
        self.life.pause(paused, now.into_std());
        if let Some(begun) = &mut self.odd.begun {
            begun.since += paused;
        }
    }

    /// What the driver and its handlers hold of the server's memory.
    fn holds(&self) -> usize {
        let batch = if self.written < self.batch.len() { weight(&self.batch) } else { 0 };
        let handlers = if self.engaged { self.dispatch.holds() } else { 0 };
        let transport = self.io.as_ref().map_or(0, |io| io.holds());
        batch + self.tail.capacity() + handlers + transport
    }

    fn split(&mut self) -> (&mut dyn Dispatch, Sink<'_>) {
        let (conn, reader, answers) = (&*self.conn, &mut self.reader, &mut self.answers);
        let sink = Sink { conn, reader, answers, odd: &mut self.odd, overfull: &mut self.overfull };
        (&mut *self.dispatch, sink)
    }
}

/// Runs the connection to its end. A future by itself: an `async fn` that takes the driver would hold it twice.
impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        self.drive(task)
    }
}

/// A driver that is dropped half-way, with its runtime for one, leaves nobody waiting.
impl Drop for Driver {
    fn drop(&mut self) {
        self.conn.set_gone(Closed::new(CloseCode::Lost, "the connection's task has ended", ClosedBy::Here));
        self.conn.out().settle_driver(0);
        self.conn.set_written();
        self.tally.flush(&self.conn.trace);
        #[cfg(feature = "inspect")]
        self.conn.fold();
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("conn", &self.conn.id).field("stage", &self.stage).finish_non_exhaustive()
    }
}

/// What a look at the transport has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Nothing came.
    Nothing,
    /// Something came, and there may be more.
    Some,
    /// Something came, and that was all: the transport will wake the driver.
    All,
}

/// The transport has refused bytes and not taken enough since.
#[derive(Clone, Copy, Debug)]
struct Slow {
    since: Instant,
    /// How much the network had taken by then, in all.
    taken: u64,
}

/// A frame or an object that is not whole.
#[derive(Debug)]
struct Begun {
    since: Instant,
    /// How much of it was there then.
    len: usize,
}

/// In this time a peer finishes a frame or object that it has begun, or sends another [`BEGUN_LEN`] bytes of it. So nobody
/// is held by a peer that dribbles, and long packets may take their time.
pub(crate) const BEGUN: Duration = Duration::from_secs(30);
const BEGUN_LEN: usize = 32 * 1024;

/// A peer that reads takes as much as this in [`config::WRITE`], or all there is.
const PROGRESS: u64 = 32 * 1024;

/// Turns before other tasks get theirs.
const TURNS: usize = 8;
