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

use super::stream::{Framing, HEAD, Underlay};
use crate::transport::Transport;

/// What has come and was not handed over, and what is to go.
#[derive(Default)]
pub(super) struct Records {
    came: Vec<u8>,
    /// Of what was handed over.
    framing: Framing,
    /// Nothing more will come.
    ended: bool,
    pub(super) going: Vec<u8>,
}

impl Records {
    /// Hands over whole records only, until nothing more will come.
    pub(super) fn poll_read(&mut self, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let whole = if self.ended { self.came.len() } else { whole_records(&self.came) };
        if whole == 0 && !self.ended {
            return Poll::Pending;
        }
        let len = whole.min(buf.remaining());
        let part = self.came.get(..len).unwrap_or_default();
        buf.put_slice(part);
        self.framing.see(part);
        self.came.drain(..len);
        Poll::Ready(Ok(()))
    }

    /// What belongs behind the handshake, and none of the room that its longest record has taken: it lives on. And how much
    /// of its first record was handed over already.
    pub(super) fn take_rest(&mut self) -> (Vec<u8>, Framing) {
        let mut rest = std::mem::take(&mut self.came);
        rest.shrink_to_fit();
        (rest, std::mem::take(&mut self.framing))
    }
}

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
        let records = Arc::new(Mutex::new(Records { came, ..Records::default() }));
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
                if records.ended || whole_records(&records.came) > 0 {
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

/// How many of these bytes are whole records. One that is longer than any may be counts as whole, so that TLS says so.
fn whole_records(bytes: &[u8]) -> usize {
    let mut whole = 0;
    while let Some(&[_, _, _, high, low]) = bytes.get(whole..whole + HEAD) {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len > MAX_RECORD {
            return bytes.len();
        }
        if bytes.len() < whole + HEAD + len {
            break;
        }
        whole += HEAD + len;
    }
    whole
}

/// A record of TLS 1.3 is no longer (RFC 8446 §5.2).
const MAX_RECORD: usize = (1 << 14) + 256;
/// A handshake takes some five turns, each of which may be computed by a thread of its own. Whoever sends its records in
/// pieces and one by one makes more of them, and keeps others waiting.
const MAX_TURNS: u32 = 128;
const READ_LEN: usize = 4096;
const LINGER: Duration = Duration::from_secs(1);
/// What is read on, at most.
const LINGER_READS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_records_are_told_from_begun_ones() {
        let record = [22, 3, 1, 0, 2, 7, 7];
        let two = [record, record].concat();
        for len in 0..=two.len() {
            assert_eq!(whole_records(&two[..len]), len / 7 * 7, "of {len} bytes");
        }
        // Longer than any record may be: handed over, so that it is refused at once and not waited for.
        assert_eq!(whole_records(&[22, 3, 1, 0xff, 0xff]), 5);
        assert_eq!(whole_records(&[]), 0);
    }

    #[test]
    fn no_room_of_the_handshake_is_kept_for_the_connection() {
        for rest in [&[][..], &[23, 3, 3, 0, 9, 1]] {
            let mut records = Records::default();
            records.came.extend([22, 3, 3, 0x40, 0]);
            records.came.resize(HEAD + (1 << 14), 0);
            records.came.extend_from_slice(rest);
            let mut bytes = vec![0; 1 << 16];
            assert!(records.poll_read(&mut ReadBuf::new(&mut bytes)).is_ready());
            let (kept, framing) = records.take_rest();
            assert_eq!((&kept[..], framing.begun), (rest, 0));
            assert!(kept.capacity() <= rest.len(), "{} bytes", kept.capacity());
        }
    }
}
