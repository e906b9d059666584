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
    frame::{put_call, put_credit, put_packet, put_reply, put_time},
    handshake::{ClientHandshake, ServerHandshake, ServerStep, ShapePolicy},
    id::{ConnectionId, SessionToken},
    protocol::{Incoming, ServerSide},
};
use serde::Serialize;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use crate::adder::{Add, AddAfter, AddLater, AddOwned, Adding, Count, NOTE, Note, Sum};

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
    /// How many answers there are to a batch that has to be answered before the next one, and how many are still due.
    answers: u32,
    due: u32,
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
            answers: 0,
            due: 0,
            reader: None,
            heard: Arc::clone(&heard),
            _end: sender,
        };
        (feed, Heard { bytes: heard, end })
    }

    /// So many answers (REPLY and END frames) have to come before the next batch.
    #[must_use]
    pub fn answered(mut self, answers: u32) -> Self {
        self.answers = answers;
        self
    }

    fn count_answers(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((len, behind)) = rest.split_first_chunk::<4>() {
            let (frame, behind) = behind.split_at(u32::from_le_bytes(*len) as usize);
            if let [REPLY | END, ..] = frame {
                self.due -= 1;
            }
            rest = behind;
        }
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

/// A native server that answers every call with the same sum, on the spot.
#[derive(Debug)]
pub struct Oracle {
    handshake: Option<ServerHandshake>,
    /// Bytes that are not a whole frame yet.
    heard: Vec<u8>,
    answers: Vec<u8>,
    sum: Vec<u8>,
    reader: Option<Waker>,
}

impl Oracle {
    /// Not shaken hands with yet.
    ///
    /// # Panics
    ///
    /// If postcard cannot encode two numbers.
    #[must_use]
    pub fn new() -> Self {
        let sum = Sum::of(1, 2, NOTE);
        // Nothing waits for credit, unless a batch is longer than this.
        let limits = *Limits::default().packets(4096);
        Self {
            handshake: Some(ServerHandshake::new(Adding::INFO, &limits)),
            heard: Vec::new(),
            answers: Vec::new(),
            sum: postcard::to_allocvec(&sum).expect("numbers are encoded"),
            reader: None,
        }
    }

    fn welcome(&mut self) {
        let Some(handshake) = &mut self.handshake else { return };
        let (used, step) = handshake.handle(&self.heard, &mut self.answers).expect("pnet says hello");
        self.heard.drain(..used);
        if let ServerStep::Hello(_) = step {
            let token = SessionToken::from_bytes([1; 16]);
            handshake.welcome(ConnectionId::from_bytes([2; 16]), &token, 0, &mut self.answers);
            self.handshake = None;
        }
    }

    /// Answers the calls among whole frames, and gives one-way packets their credit back.
    fn answer(&mut self, bytes: &[u8]) {
        let (mut rest, mut packets, mut packet_bytes) = (bytes, 0, 0);
        while let Some((len, behind)) = rest.split_first_chunk::<4>() {
            let len = u32::from_le_bytes(*len);
            let (frame, behind) = behind.split_at(len as usize);
            match frame {
                [CALL, a, b, c, d, ..] => {
                    put_reply(&mut self.answers, u32::from_le_bytes([*a, *b, *c, *d]), &self.sum);
                }
                [PACKET, ..] => {
                    packets += 1;
                    packet_bytes += len;
                }
                _ => {}
            }
            rest = behind;
        }
        if packets > 0 {
            put_credit(&mut self.answers, 0, packets, packet_bytes);
        }
        assert!(rest.is_empty(), "pnet writes whole frames");
    }
}

impl Default for Oracle {
    fn default() -> Self {
        Self::new()
    }
}

/// Kinds of frames (`docs/wire.md` §4).
const PACKET: u8 = 0x11;
const CALL: u8 = 0x12;
const REPLY: u8 = 0x13;
const END: u8 = 0x17;

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
        if self.handshake.is_some() {
            self.heard.extend_from_slice(buf);
            self.welcome();
        } else {
            self.answer(buf);
        }
        if !self.answers.is_empty()
            && let Some(waker) = self.reader.take()
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

/// The length of each stream.
pub const STREAM_LEN: u64 = 100;

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
        // It takes whatever is streamed, without giving credit.
        let limits = *Limits::default().stream_items(u32::MAX).packet_bytes(u32::MAX);
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
