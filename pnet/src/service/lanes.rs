//! Runs the handlers of one connection: in order where order is promised, side by side where it is not.
//!
//! A packet or call starts when every one-way packet before it has finished. Calls hold nothing back. A one-way handler
//! marked `concurrent`, or one that waits for the other end of its own connection, is stepped over: what is behind it
//! goes on. Everything waiting here is bounded by the calls and the one-way credit that the limits grant.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use pnet_protocol::{
    failure::{Failure, code},
    reply::Verdict,
};

use super::{
    MakeSlot, Route, Run, Service,
    context::{Cx, Link, slot::Seat},
    ready::Ready,
};
use crate::{
    buffers,
    connection::{Conn, Meta, waiting},
    driver::dispatch::{Answering, Job, JobKind},
    seldom::{Empty, Seldom},
    unwind::{drop_quietly, panicked},
};

/// The handlers of one connection.
pub(crate) struct Lanes<S: Service> {
    link: Arc<Link<S>>,
    /// What the next `fn` handler runs in, and the others take their own from.
    cx: Option<Cx<S>>,
    waits: Seldom<Waits<S>>,
    max_places: u32,
    /// Bytes of what waits and of what runs.
    holds: usize,
    /// Nothing starts before the connect handler is done.
    held: bool,
    /// That of the `async fn` that ended last; the pool's again when the connection rests.
    seat: Option<Seat<S>>,
}

/// What waits, and what runs in handlers that wait: there from the first one on.
struct Waits<S: Service> {
    /// The place of the one-way handler that holds back what came after it.
    ordered: Option<usize>,
    queue: VecDeque<(Job, Vec<u8>)>,
    places: Vec<Option<Running<S>>>,
    free: Vec<usize>,
    ready: Option<Ready>,
    woken: Vec<usize>,
}

impl<S: Service> Empty for Waits<S> {
    const EMPTY: Self = Self {
        ordered: None,
        queue: VecDeque::new(),
        places: Vec::new(),
        free: Vec::new(),
        ready: None,
        woken: Vec::new(),
    };
    const READ: &'static Self = &Self::EMPTY;
}

/// A handler that was not ready at once.
struct Running<S: Service> {
    job: Job,
    seat: Seat<S>,
    /// Of the frame that it owns.
    weight: usize,
}

impl<S: Service> Lanes<S> {
    /// `max_places`: as many handlers as the limits let the peer have unfinished.
    pub(crate) fn new(link: Arc<Link<S>>, max_places: usize) -> Self {
        let max_places = u32::try_from(max_places).unwrap_or(u32::MAX);
        Self { link, cx: None, waits: Seldom::new(), max_places, holds: 0, held: true, seat: None }
    }

    /// From now on jobs start.
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// Takes a job, and starts it if nothing has to run before it; `payload` is the read buffer's.
    #[inline]
    pub(crate) fn admit(&mut self, job: &Job, payload: &[u8], waker: &Waker, answering: &mut dyn Answering) {
        if !self.is_held(answering) && (!self.waits.is_taken() || self.is_free()) {
            self.start(job, payload, waker, answering);
        } else {
            let frame = buffers::keep(payload);
            self.holds += weight(&frame);
            self.waits.queue.push_back((job.clone(), frame));
        }
    }

    /// Runs what was woken, and starts what no longer waits. `true` if anything happened.
    pub(crate) fn poll(&mut self, waker: &Waker, answering: &mut dyn Answering) -> bool {
        let mut progress = false;
        if self.waits.ready.is_some() {
            let waits = &mut *self.waits;
            let mut woken = std::mem::take(&mut waits.woken);
            if let Some(ready) = &mut waits.ready {
                ready.set_driver(waker);
                ready.take(&mut woken);
            }
            for index in woken.drain(..) {
                progress |= self.poll_place(index, answering);
            }
            self.waits.woken = woken;
        }
        while !self.waits.queue.is_empty()
            && self.waits.ordered.is_none()
            && self.has_place()
            && !self.is_held(answering)
        {
            let Some((mut job, frame)) = self.waits.queue.pop_front() else { break };
            // How long it has waited for its turn is not the handler's time.
            job.timed = job.timed.again(&self.link.conn.trace);
            self.holds -= weight(&frame);
            self.start(&job, &frame, waker, answering);
            buffers::give(frame);
            progress = true;
        }
        progress
    }

    /// The connection is about to wait: what it does not need meanwhile goes to others.
    #[inline]
    pub(crate) fn rest(&mut self) {
        if let Some(seat) = self.seat.take() {
            self.link().shared.pool.give(seat);
        }
    }

    /// Drops the handler of what this is, unless it is marked `finish`. `true` if it is gone.
    pub(crate) fn cancel(&mut self, kind: JobKind) -> bool {
        if let Some(index) = self.waits.queue.iter().position(|(job, _)| job.kind == kind) {
            self.holds -= self.waits.queue.remove(index).map_or(0, |(_, frame)| weight(&frame));
            return true;
        }
        let Some(index) = self.waits.places.iter().position(|place| {
            place.as_ref().is_some_and(|running| running.job.kind == kind && !finishes::<S>(&running.job))
        }) else {
            return false;
        };
        self.drop_place(index);
        true
    }

    /// The peer is gone: drops what waits and what runs, but for the handlers marked `finish`.
    pub(crate) fn cancel_all(&mut self) {
        self.clear_queue();
        self.drop_where(|job| !finishes::<S>(job));
    }

    /// Drops everything, also the handlers marked `finish`; how many calls that were.
    pub(crate) fn kill(&mut self) -> usize {
        let running = self.waits.places.iter().flatten().map(|running| &running.job);
        let jobs = running.chain(self.waits.queue.iter().map(|(job, _)| job));
        let calls = jobs.filter(|job| matches!(job.kind, JobKind::Call { .. })).count();
        self.clear_queue();
        self.drop_where(|_| true);
        calls
    }

    /// Nothing runs and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.waits.queue.is_empty() && self.waits.free.len() == self.waits.places.len()
    }

    /// Whether a job waits that may have become able to start.
    pub(crate) fn has_queued(&self) -> bool {
        !self.waits.queue.is_empty()
    }

    /// Bytes of what waits and of what runs.
    pub(crate) const fn holds(&self) -> usize {
        self.holds
    }

    fn clear_queue(&mut self) {
        if !self.waits.queue.is_empty() {
            self.holds -= self.waits.queue.iter().map(|(_, frame)| weight(frame)).sum::<usize>();
            self.waits.queue = VecDeque::new();
        }
    }

    pub(crate) fn link(&self) -> &Arc<Link<S>> {
        &self.link
    }

    /// Whether nothing runs or waits that has to come first, and there is a place.
    fn is_free(&self) -> bool {
        self.waits.ordered.is_none() && self.waits.queue.is_empty() && self.has_place()
    }

    /// Whether nothing is started now: before the connect handler is done, and while answers would find no room.
    fn is_held(&self, answering: &dyn Answering) -> bool {
        self.held || answering.is_overfull()
    }

    /// Runs a job's handler as far as it goes.
    #[inline]
    fn start(&mut self, job: &Job, payload: &[u8], waker: &Waker, answering: &mut dyn Answering) {
        let Some(route) = S::ROUTES.get(usize::from(job.action)) else {
            answering.fail(job, unknown_action());
            return;
        };
        match route.run {
            Run::Now(run) => {
                let cx = self.around();
                cx.set_meta(&job.meta);
                let out = answering.begin(job);
                let outcome = catch_unwind(AssertUnwindSafe(|| run(cx, payload, out)));
                answering.end(job, outcome.unwrap_or_else(|panic| Err(panicked(route.handler, &*panic))));
            }
            Run::Later(make) => self.start_later(job, payload, (make, route), waker, answering),
        }
    }

    /// Polls an `async fn` for the first time. It takes a place only if it waits.
    fn start_later(
        &mut self,
        job: &Job,
        payload: &[u8],
        (make, route): (MakeSlot<S>, &Route<S>),
        waker: &Waker,
        answering: &mut dyn Answering,
    ) {
        let Some(index) = self.next_place() else {
            // The limits make this impossible; an answer is still better than none.
            answering.fail(job, Failure::public(code::BUSY, "too many handlers are running"));
            return;
        };
        self.find_seat(job.action);
        let Self { link, cx, waits, seat, .. } = self;
        let seat = seat.get_or_insert_with(|| Seat::new(job.action, make()));
        let cx = cx.get_or_insert_with(|| Cx::new(Arc::clone(link), Meta::none()));
        let weight = OVERHEAD + seat.start(cx, &job.meta, payload);
        let ready = waits.ready.get_or_insert_with(|| Ready::new(waker));
        // It stays where it is unless its handler waits: to move it would cost more than to poll it.
        let (polled, waits_for_peer) = poll_seat(&link.conn, &job.meta, seat, ready.waker(index));
        match polled {
            Ok(Poll::Ready(outcome)) => {
                answering.begin(job).extend_from_slice(seat.answer());
                answering.end(job, outcome);
            }
            Ok(Poll::Pending) => {
                self.take_place(index);
                if !job.meta.call && !route.concurrent && !waits_for_peer {
                    self.waits.ordered = Some(index);
                }
                self.holds += weight;
                self.waits.places[index] = self.seat.take().map(|seat| Running { job: job.clone(), seat, weight });
            }
            Err(panic) => {
                drop_quietly(self.seat.take());
                answering.fail(job, panicked(route.handler, &*panic));
            }
        }
    }

    /// Polls one handler. `false` if there is none: it was cancelled, or woken after its end.
    fn poll_place(&mut self, index: usize, answering: &mut dyn Answering) -> bool {
        let waits = &mut *self.waits;
        let Some(ready) = &mut waits.ready else { return false };
        let Some(mut running) = waits.places.get_mut(index).and_then(Option::take) else { return false };
        let conn: &Conn = &self.link.conn;
        let (polled, waits_for_peer) = poll_seat(conn, &running.job.meta, &mut running.seat, ready.waker(index));
        if matches!(polled, Ok(Poll::Pending)) {
            if waits_for_peer && self.waits.ordered == Some(index) {
                self.waits.ordered = None;
            }
            self.waits.places[index] = Some(running);
            return true;
        }
        self.holds -= running.weight;
        self.free_place(index);
        match polled {
            Ok(Poll::Ready(outcome)) => {
                answering.begin(&running.job).extend_from_slice(running.seat.answer());
                answering.end(&running.job, outcome);
                self.keep(running.seat);
            }
            Err(panic) => {
                let handler = S::ROUTES.get(usize::from(running.job.action)).map_or("", |route| route.handler);
                answering.fail(&running.job, panicked(handler, &*panic));
                drop_quietly(running.seat);
            }
            Ok(Poll::Pending) => {}
        }
        true
    }

    /// A handler has ended: its seat is there for the next one.
    #[inline]
    fn keep(&mut self, seat: Seat<S>) {
        if let Some(seat) = self.seat.replace(seat) {
            self.link.shared.pool.give(seat);
        }
    }

    /// The surroundings of a handler, with the metadata of whichever came last.
    #[inline]
    fn around(&mut self) -> &mut Cx<S> {
        let link = &self.link;
        self.cx.get_or_insert_with(|| Cx::new(Arc::clone(link), Meta::none()))
    }

    /// Sees to it that the seat is one of the action, if there is one: the one that was used last, or one of the server's.
    #[inline]
    fn find_seat(&mut self, action: u16) {
        if self.seat.as_ref().is_some_and(|seat| seat.action() == usize::from(action)) {
            return;
        }
        let pool = &self.link.shared.pool;
        if let Some(other) = std::mem::replace(&mut self.seat, pool.take(action)) {
            pool.give(other);
        }
    }

    fn drop_where(&mut self, which: impl Fn(&Job) -> bool) {
        for index in 0..self.waits.places.len() {
            if self.waits.places[index].as_ref().is_some_and(|running| which(&running.job)) {
                self.drop_place(index);
            }
        }
    }

    fn drop_place(&mut self, index: usize) {
        if let Some(mut running) = self.waits.places[index].take() {
            self.holds -= running.weight;
            // The handler's own drops are user code; the seat is fit for use again only if they went well.
            if catch_unwind(AssertUnwindSafe(|| running.seat.clear())).is_ok() {
                self.link.shared.pool.give(running.seat);
            } else {
                drop_quietly(running.seat);
            }
            self.free_place(index);
        }
    }

    /// Whether another handler may run. Those who have credit keep to it; those who have none wait here.
    fn has_place(&self) -> bool {
        !self.waits.free.is_empty() || self.waits.places.len() < self.max_places as usize
    }

    /// The place that the next handler takes if it waits; `None` if the limits have none.
    fn next_place(&self) -> Option<usize> {
        let next = self.waits.free.last().copied().unwrap_or(self.waits.places.len());
        (next < self.max_places as usize).then_some(next)
    }

    /// Takes the place that [`next_place`](Self::next_place) gave.
    fn take_place(&mut self, index: usize) {
        if self.waits.free.pop().is_none() {
            self.waits.places.push(None);
        }
        debug_assert!(self.waits.places.get(index).is_some_and(Option::is_none), "the place was free");
    }

    fn free_place(&mut self, index: usize) {
        if self.waits.ordered == Some(index) {
            self.waits.ordered = None;
        }
        self.waits.free.push(index);
    }
}

impl<S: Service> std::fmt::Debug for Lanes<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lanes")
            .field("queued", &self.waits.queue.len())
            .field("running", &(self.waits.places.len() - self.waits.free.len()))
            .finish_non_exhaustive()
    }
}

/// Polls a handler; whether something in it waits for the other end of its own connection.
#[inline]
fn poll_seat<S: Service>(
    conn: &Conn,
    meta: &Meta,
    seat: &mut Seat<S>,
    waker: &Waker,
) -> (std::thread::Result<Poll<Result<Verdict, Failure>>>, bool) {
    waiting::watch(conn, meta.deadline, || {
        catch_unwind(AssertUnwindSafe(|| seat.poll(&mut Context::from_waker(waker))))
    })
}

/// Whether the job's handler runs to its end once it has started.
fn finishes<S: Service>(job: &Job) -> bool {
    S::ROUTES.get(usize::from(job.action)).is_some_and(|route| route.finish)
}

/// What a queued job occupies.
const fn weight(frame: &Vec<u8>) -> usize {
    frame.capacity() + OVERHEAD
}

fn unknown_action() -> Failure {
    Failure::public(code::UNKNOWN_ACTION, "this side knows no such action")
}

/// What a job occupies beside its payload.
const OVERHEAD: usize = size_of::<(Job, Vec<u8>)>();
