//! Moves the records of a handshake between the transport and TLS.
//!
//! TLS itself never touches the transport during its handshake: whole records are handed to it ([`Records`]), and what it has
//! to say is written afterwards. So its computing, of which signing takes a millisecond or more, is done by threads that
//! are there for such work, and never while a peer is waited for. A peer that sends a byte at a time costs a byte's read each
//! time and nothing else.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::Semaphore,
    time::timeout,
};

use super::{records::Records, stream::Underlay};
use crate::transport::Transport;

/// One side of a handshake that is under way.
pub(super) struct Moving {
    pub(super) io: Box<dyn Transport>,
    records: Arc<Mutex<Records>>,
    /// What is being written.
    out: Vec<u8>,
    /// How many of these may compute at once; a client computes without asking.
    permits: Option<Arc<Semaphore>>,
    /// How often TLS was given something.
    turns: u32,
}

impl Moving {
    /// `came` was read before.
    pub(super) fn new(io: Box<dyn Transport>, came: Vec<u8>, permits: Option<Arc<Semaphore>>) -> Self {
        let records = Arc::new(Mutex::new(Records::new(came)));
        Self { io, records, out: Vec::new(), permits, turns: 0 }
    }

    /// What TLS reads from and writes to.
    pub(super) fn underlay(&self) -> Underlay {
        Underlay::Handshake(Arc::clone(&self.records))
    }

    /// Whether there is nothing to write.
    pub(super) fn is_silent(&self) -> bool {
        self.out.is_empty() && self.records().going.is_empty()
    }

    /// What has to be said although TLS does not say it.
    pub(super) fn say(&self, bytes: &[u8]) {
        self.records().going.extend_from_slice(bytes);
    }

    /// Lets a part of the handshake say what it has to say first.
    pub(super) fn begin<F: Future + Unpin>(&self, part: &mut F) {
        // Nothing has come yet, so it cannot be ready.
        let _ = poll_now(part);
    }

    /// Runs a part of the handshake to its end, here: it computes nothing that takes long.
    pub(super) async fn run<F: Future + Unpin>(&mut self, mut part: F) -> io::Result<F::Output> {
        loop {
            let polled = poll_now(&mut part);
            if let Poll::Ready(done) = polled {
                return Ok(done);
            }
            self.move_on().await?;
        }
    }

    /// Runs a part of the handshake to its end, on threads where nobody else waits. `begin` makes it there.
    pub(super) async fn run_off_thread<F>(
        &mut self,
        begin: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<F::Output>
    where
        F: Future + Unpin + Send + 'static,
        F::Output: Send + 'static,
    {
        let (mut part, mut polled) = Self::compute(self.permits.clone(), move || poll_part(begin())).await?;
        loop {
            if let Poll::Ready(done) = polled {
                return Ok(done);
            }
            self.move_on().await?;
            (part, polled) = Self::compute(self.permits.clone(), move || poll_part(part)).await?;
        }
    }

    async fn compute<T: Send + 'static>(
        permits: Option<Arc<Semaphore>>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let permit = match permits {
            // Nobody closes it.
            Some(permits) => permits.acquire_owned().await.ok(),
            None => None,
        };
        let done = tokio::task::spawn_blocking(move || {
            // It is given back when the work is done, whoever still waits for it.
            let _permit = permit;
            work()
        });
        done.await.map_err(|_| io::Error::other("the runtime is shutting down"))
    }

    /// Writes what TLS has to say, and reads until it has something to go on with. Both at once: the other side may not read
    /// before all is read that it writes.
    async fn move_on(&mut self) -> io::Result<()> {
        self.turns += 1;
        if self.turns > MAX_TURNS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the handshake comes in too many pieces"));
        }
        poll_fn(|task| {
            let _ = self.poll_flush(task)?;
            loop {
                let records = self.records();
                if records.is_ready() {
                    return Poll::Ready(Ok(()));
                }
                drop(records);
                ready!(self.poll_read(task))?;
            }
        })
        .await
    }

    /// The first byte that comes in answer.
    pub(super) async fn first_byte(&mut self) -> io::Result<Option<u8>> {
        poll_fn(|task| {
            let _ = self.poll_flush(task)?;
            self.poll_read(task)
        })
        .await?;
        Ok(self.records().came.first().copied())
    }

    /// Reads once, by way of the stack, so that whoever dribbles makes this side hold no more than was sent.
    fn poll_read(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; READ_LEN];
        let mut space = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.io).poll_read(task, &mut space))?;
        let mut records = self.records();
        records.came.extend_from_slice(space.filled());
        records.ended = space.filled().is_empty();
        Poll::Ready(Ok(()))
    }

    /// Writes all that is to go.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|task| self.poll_flush(task)).await
    }

    fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut going = std::mem::take(&mut self.records().going);
        self.out.append(&mut going);
        while !self.out.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(task, &self.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.drain(..written);
        }
        Pin::new(&mut self.io).poll_flush(task)
    }

    /// Writes what is left, ends the stream, and reads on for a moment, so that no reset destroys what was said.
    pub(super) async fn last_words(mut self) {
        let _ = timeout(LINGER, async {
            if self.is_silent() || self.flush().await.is_err() || self.io.shutdown().await.is_err() {
                return;
            }
            let mut sink = vec![0; READ_LEN];
            for _ in 0..LINGER_READS {
                if matches!(self.io.read(&mut sink).await, Ok(0) | Err(_)) {
                    return;
                }
            }
        })
        .await;
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nobody has to be woken: what a handshake waits for is always more records.
fn poll_now<F: Future + Unpin>(part: &mut F) -> Poll<F::Output> {
    Pin::new(part).poll(&mut Context::from_waker(Waker::noop()))
}

fn poll_part<F: Future + Unpin>(mut part: F) -> (F, Poll<F::Output>) {
    let polled = poll_now(&mut part);
    (part, polled)
}

/// A handshake takes some five turns, each of which may be computed by a thread of its own. Whoever sends its records in
/// pieces and one by one makes more of them, and keeps others waiting.
const MAX_TURNS: u32 = 128;
const READ_LEN: usize = 4096;
const LINGER: Duration = Duration::from_secs(1);
/// What is read on, at most.
const LINGER_READS: usize = 64;
