//! Peers without a program: transports that say what was prepared, and count what they hear.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use pnet::{
    Limits, Protocol,
    transport::{Listener, PeerAddr},
};
use pnet_protocol::{
    dialect::Dialect,
    frame::{put_call, put_packet, put_time},
    handshake::{ClientHandshake, ShapePolicy},
    protocol::{Incoming, ServerSide},
};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use crate::{
    adder::{Add, AddAfter, AddLater, AddOwned, Adding, Count, NOTE, Note, STREAM_LEN},
    answerer::{Answerer, frames},
};

/// What a client sends again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the counts name every kind")]
pub enum Kind {
    /// Calls of a `fn`.
    Add,
    /// Calls of an `async fn` that does not wait.
    AddLater,
    /// Calls of an `async fn` that waits once.
    AddAfter,
    /// Calls of a `fn` whose packet owns a text.
    AddOwned,
    /// Calls that are answered with a stream of [`STREAM_LEN`] items.
    Count,
    /// One-way packets to a `fn`.
    Note,
}

/// A client that sends one batch over and over, and then ends its stream. Between two batches it looks as if the second had
/// not come yet; calls whose handlers wait have to be answered first.
#[derive(Debug)]
pub struct Feed {
    /// What it says first.
    hello: Vec<u8>,
    batch: Vec<u8>,
    /// What of the batch was read.
    read: usize,
    left: u64,
    /// Whether the last batch was read, so that the next one is not there yet.
    rests: bool,
    dialect: Dialect,
    /// How many answers there are to a batch that has to be answered before the next one, and how many are still due.
    answers: u64,
    due: u64,
    reader: Option<Waker>,
    heard: Arc<AtomicU64>,
    _end: oneshot::Sender<()>,
}

/// What becomes known of a [`Feed`] that has gone.
#[derive(Debug)]
pub struct Heard {
    bytes: Arc<AtomicU64>,
    end: oneshot::Receiver<()>,
}

impl Feed {
    /// Says `hello`, and then `batch` so many times.
    #[must_use]
    pub fn new(hello: Vec<u8>, batch: Vec<u8>, batches: u64) -> (Self, Heard) {
        let (sender, end) = oneshot::channel();
        let heard = Arc::new(AtomicU64::new(0));
        let feed = Self {
            hello,
            batch,
            read: 0,
            left: batches,
            rests: false,
            dialect: Dialect::Native,
            answers: 0,
            due: 0,
            reader: None,
            heard: Arc::clone(&heard),
            _end: sender,
        };
        (feed, Heard { bytes: heard, end })
    }

    /// So many answers have to come before the next batch: REPLY and END frames, or objects of any kind.
    #[must_use]
    pub const fn answered(mut self, dialect: Dialect, answers: u64) -> Self {
        (self.dialect, self.answers) = (dialect, answers);
        self
    }

    fn count_answers(&mut self, bytes: &[u8]) {
        self.due -= match self.dialect {
            Dialect::Json => bytes.iter().filter(|byte| **byte == b'\n').count() as u64,
            _ => frames(bytes).filter(|frame| matches!(frame, [REPLY | END, ..])).count() as u64,
        };
        if self.due == 0
            && let Some(waker) = self.reader.take()
        {
            waker.wake();
        }
    }
}

impl Heard {
    /// Waits for the end of the connection; how many bytes the feed was answered in all.
    pub async fn all(self) -> u64 {
        // The sender sends nothing, it is dropped.
        let _ = self.end.await;
        self.bytes.load(Ordering::Relaxed)
    }
}

impl AsyncRead for Feed {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.hello.is_empty() {
            buf.put_slice(&std::mem::take(&mut self.hello));
            return Poll::Ready(Ok(()));
        }
        if self.due > 0 {
            self.reader = Some(task.waker().clone());
            return Poll::Pending;
        }
        if self.left == 0 {
            return Poll::Ready(Ok(()));
        }
        self.rests = !self.rests && self.read == 0;
        if self.rests {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = &self.batch[self.read..];
        let len = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..len]);
        self.read += len;
        if self.read == self.batch.len() {
            self.read = 0;
            self.left -= 1;
            self.due = self.answers;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Feed {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.due > 0 {
            self.count_answers(buf);
        }
        self.heard.fetch_add(buf.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A server that answers every call with the same sum, on the spot.
#[derive(Debug)]
pub struct Oracle {
    answerer: Answerer,
    answers: Vec<u8>,
    reader: Option<Waker>,
}

impl Oracle {
    /// Not shaken hands with yet.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self { answerer: Answerer::new(dialect), answers: Vec::new(), reader: None }
    }
}

impl AsyncRead for Oracle {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.answers.is_empty() {
            self.reader = Some(task.waker().clone());
            return Poll::Pending;
        }
        let len = self.answers.len().min(buf.remaining());
        buf.put_slice(&self.answers[..len]);
        self.answers.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Oracle {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.answerer.hear(buf, &mut this.answers);
        if !this.answers.is_empty()
            && let Some(waker) = this.reader.take()
        {
            waker.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A client that says `first`, and then only listens.
#[derive(Debug)]
pub struct Ear {
    first: Vec<u8>,
    writes: Arc<AtomicU64>,
}

impl Ear {
    /// Counts in `writes` how often it is written to.
    #[must_use]
    pub const fn new(first: Vec<u8>, writes: Arc<AtomicU64>) -> Self {
        Self { first, writes }
    }
}

impl AsyncRead for Ear {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            // Nothing ever comes, so nobody has to be woken.
            return Poll::Pending;
        }
        buf.put_slice(&std::mem::take(&mut self.first));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ear {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Kinds of frames (`docs/wire.md` §4).
const REPLY: u8 = 0x13;
const END: u8 = 0x17;

/// A listener for transports that a program makes itself.
#[derive(Debug)]
pub struct Handed<T>(pub Vec<T>);

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Listener for Handed<T> {
    type Io = T;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(T, PeerAddr)> {
        match self.0.pop() {
            Some(io) => Ok((io, PeerAddr::Memory)),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) {}
}

/// What a client says before its first packet; in JSON that is nothing.
#[must_use]
pub fn hello(dialect: Dialect) -> Vec<u8> {
    let mut hello = Vec::new();
    if dialect == Dialect::Native {
        // It takes whatever comes, without giving credit.
        let limits = *Limits::default().stream_items(u32::MAX).packets(u32::MAX).packet_bytes(u32::MAX);
        ClientHandshake::new(Adding::INFO, b"", &limits, ShapePolicy::Names, &mut hello);
    }
    hello
}

/// One batch: what pnet's own client would write for `size` packets.
#[must_use]
pub fn batch(dialect: Dialect, kind: Kind, size: u32) -> Vec<u8> {
    let mut batch = Vec::new();
    if dialect == Dialect::Native {
        put_time(&mut batch, 1_795_549_028_530_096);
    }
    for n in 1..=size {
        let number = i64::from(n);
        match kind {
            Kind::Add => call(dialect, &mut batch, n, &Add { a: number, b: 1_000_000, note: NOTE.into() }),
            Kind::AddLater => call(dialect, &mut batch, n, &AddLater { a: number, b: 1_000_000, note: NOTE.into() }),
            Kind::AddAfter => {
                call(dialect, &mut batch, n, &AddAfter { a: number, b: 1_000_000, note: NOTE.into() });
            }
            Kind::AddOwned => {
                call(dialect, &mut batch, n, &AddOwned { a: number, b: 1_000_000, note: NOTE.into() });
            }
            Kind::Count => call(dialect, &mut batch, n, &Count { sums: STREAM_LEN }),
            Kind::Note => one_way(dialect, &mut batch, &Note { n: u64::from(n), note: NOTE.into() }),
        }
    }
    batch
}

fn call<P>(dialect: Dialect, batch: &mut Vec<u8>, id: u32, packet: &P)
where
    P: pnet::Packet + Serialize + Incoming<Adding, ServerSide>,
{
    match dialect {
        Dialect::Json => object(batch, P::ACTION, packet, Some(id)),
        _ => put_call(batch, id, P::ID, 30_000, &postcard::to_allocvec(packet).expect("numbers are encoded")),
    }
}

fn one_way<P>(dialect: Dialect, batch: &mut Vec<u8>, packet: &P)
where
    P: pnet::Packet + Serialize + Incoming<Adding, ServerSide>,
{
    match dialect {
        Dialect::Json => object(batch, P::ACTION, packet, None),
        _ => put_packet(batch, P::ID, &postcard::to_allocvec(packet).expect("numbers are encoded")),
    }
}

fn object(batch: &mut Vec<u8>, action: &str, packet: &impl Serialize, id: Option<u32>) {
    let data = serde_json::to_string(packet).expect("numbers are encoded");
    batch.extend_from_slice(format!(r#"{{"action":"{action}","data":{data}"#).as_bytes());
    batch.extend_from_slice(br#","packet-created":1795549028.530096,"token":null"#);
    if let Some(id) = id {
        batch.extend_from_slice(format!(r#","id":{id},"timeout":30000"#).as_bytes());
    }
    batch.extend_from_slice(b"}\n");
}
