//! The practical limit: a hand-written program with a length prefix and fixed binary fields. A read takes what there is,
//! every whole frame in it is answered into one buffer, and that is written in one go.
//!
//! Its client has no request API: one loop writes a batch of calls, reads answers, and writes as many calls again.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex as AsyncMutex,
};

use crate::{
    contestant::{Client, Contestant, Gauge, ITEM_LEN, Meter, NOTE, Result, expect},
    scenario::Kind,
};

/// See the module.
#[derive(Debug)]
pub struct Raw;

impl Contestant for Raw {
    const NAME: &'static str = "raw";
    const PLAYS: &'static [Kind] =
        &[Kind::Calls, Kind::Connect, Kind::Echo, Kind::OneWay, Kind::Broadcast, Kind::Stream];
    type Client = Arc<AsyncMutex<Option<Wire>>>;

    async fn serve(listener: TcpListener, meter: &'static Meter) -> Result<()> {
        let hub: Hub = Arc::default();
        loop {
            let (stream, _) = listener.accept().await?;
            let hub = Arc::clone(&hub);
            tokio::spawn(async move {
                // A client that leaves ends this task with an error, as often as not.
                let _ = serve_one(Wire::new(stream)?, hub, meter).await;
                Ok::<_, io::Error>(())
            });
        }
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Self::Client> {
        let mut wire = Wire::new(TcpStream::connect(addr).await?)?;
        wire.events = events;
        Ok(Arc::new(AsyncMutex::new(Some(wire))))
    }
}

/// Everybody who has subscribed.
type Hub = Arc<Mutex<Vec<Arc<OwnedWriteHalf>>>>;

async fn serve_one(mut wire: Wire, hub: Hub, meter: &'static Meter) -> io::Result<()> {
    let (mut out, mut handled) = (Vec::new(), 0_u64);
    loop {
        if !wire.read().await? {
            return Ok(());
        }
        meter.io.fetch_add(1, Relaxed);
        let mut used = 0;
        let mut calls = 0;
        while let Some((frame, len)) = next_frame(&wire.buffer[used..wire.filled]) {
            used += len;
            match frame {
                Frame::Add { id, a, b, note } => {
                    calls += 1;
                    put_sum(&mut out, id, a.wrapping_add(b), note);
                }
                Frame::Send { n, note } => {
                    std::hint::black_box((n, note));
                    handled += 1;
                }
                Frame::Count { id } => put(&mut out, COUNTED, id, &handled.to_le_bytes()),
                Frame::Echo { id, payload } => put(&mut out, ECHOED, id, payload),
                Frame::Subscribe { id } => {
                    lock(&hub).push(Arc::clone(&wire.write));
                    put(&mut out, DONE, id, &[]);
                }
                Frame::Publish { id, events } => {
                    let subscribers = lock(&hub).clone();
                    let mut event = Vec::new();
                    put(&mut event, EVENT, 0, NOTE.as_bytes());
                    for _ in 0..events {
                        for subscriber in &subscribers {
                            write_all(subscriber, &event).await?;
                        }
                    }
                    put(&mut out, DONE, id, &[]);
                }
                Frame::Stream { id, items } => {
                    for _ in 0..items {
                        put(&mut out, ITEM, id, &[7; ITEM_LEN]);
                        if out.len() >= FULL {
                            write_all(&wire.write, &out).await?;
                            out.clear();
                        }
                    }
                    put(&mut out, DONE, id, &[]);
                }
                Frame::Answer { .. } => return Err(io::ErrorKind::InvalidData.into()),
            }
            if out.len() >= FULL {
                write_all(&wire.write, &out).await?;
                meter.io.fetch_add(1, Relaxed);
                out.clear();
            }
        }
        wire.consume(used);
        if !out.is_empty() {
            write_all(&wire.write, &out).await?;
            meter.io.fetch_add(1, Relaxed);
            out.clear();
        }
        meter.calls.fetch_add(calls, Relaxed);
    }
}

impl Client for Arc<AsyncMutex<Option<Wire>>> {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        let mut wire = self.lock().await;
        let wire = wire.as_mut().ok_or("subscribed")?;
        let mut out = Vec::with_capacity(64);
        put_add(&mut out, 1, a, b, note);
        wire.call(&out, |frame| match frame {
            Frame::Answer { kind: SUM, body, .. } => sum_of(body),
            _ => None,
        })
        .await
    }

    async fn echo(&self, payload: Bytes) -> Result<usize> {
        let mut wire = self.lock().await;
        let mut out = Vec::with_capacity(payload.len() + 9);
        put(&mut out, ECHO, 1, &payload);
        wire.as_mut().ok_or("subscribed")?.call(&out, |frame| answer(frame, ECHOED).map(<[u8]>::len)).await
    }

    async fn subscribe(&self) -> Result<()> {
        let mut place = self.lock().await;
        let mut wire = place.take().ok_or("subscribed")?;
        let mut out = Vec::new();
        put(&mut out, SUBSCRIBE, 1, &[]);
        wire.call(&out, |frame| answer(frame, DONE).map(drop)).await?;
        tokio::spawn(async move {
            while wire.read().await? {
                let (mut used, mut events) = (0, 0);
                while let Some((_, len)) = next_frame(&wire.buffer[used..wire.filled]) {
                    used += len;
                    events += 1;
                }
                wire.consume(used);
                wire.events.fetch_add(events, Relaxed);
            }
            io::Result::Ok(())
        });
        Ok(())
    }

    async fn publish(&self, events: u32) -> Result<()> {
        let mut wire = self.lock().await;
        let mut out = Vec::new();
        put(&mut out, PUBLISH, 1, &events.to_le_bytes());
        wire.as_mut().ok_or("subscribed")?.call(&out, |frame| answer(frame, DONE).map(drop)).await
    }

    async fn stream(&self, items: u64) -> Result<u64> {
        let mut wire = self.lock().await;
        let wire = wire.as_mut().ok_or("subscribed")?;
        let mut out = Vec::new();
        put(&mut out, STREAM, 1, &items.to_le_bytes());
        write_all(&wire.write, &out).await?;
        let mut came = 0;
        loop {
            let mut used = 0;
            while let Some((frame, len)) = next_frame(&wire.buffer[used..wire.filled]) {
                used += len;
                match frame {
                    Frame::Answer { kind: ITEM, body, .. } if body.len() == ITEM_LEN => came += 1,
                    _ => {
                        wire.consume(used);
                        return Ok(came);
                    }
                }
            }
            wire.consume(used);
            if !wire.read().await? {
                return Err("the server has gone".into());
            }
        }
    }

    async fn drive(self, in_flight: usize, gauge: Arc<Gauge>) -> Result<()> {
        let mut wire = self.lock().await;
        let wire = wire.as_mut().ok_or("subscribed")?;
        let mut out = Vec::new();
        for id in 0..u32::try_from(in_flight)? {
            put_add(&mut out, id, i64::from(id), 1, NOTE);
        }
        let mut open = in_flight;
        write_all(&wire.write, &out).await?;
        while open > 0 {
            if !wire.read().await? {
                return Err("the server has gone".into());
            }
            out.clear();
            let stop = gauge.stop.load(Relaxed);
            let (mut used, mut done) = (0, 0);
            while let Some((frame, len)) = next_frame(&wire.buffer[used..wire.filled]) {
                used += len;
                let Frame::Answer { kind: SUM, id, body } = frame else { return Err("no sum".into()) };
                expect(sum_of(body).ok_or("no sum")?, i64::from(id) + 1)?;
                done += 1;
                if stop {
                    open -= 1;
                } else {
                    put_add(&mut out, id, i64::from(id), 1, NOTE);
                }
            }
            wire.consume(used);
            gauge.done.fetch_add(done, Relaxed);
            if !out.is_empty() {
                write_all(&wire.write, &out).await?;
            }
        }
        Ok(())
    }

    async fn pour(self, gauge: Arc<Gauge>) -> Result<()> {
        let mut wire = self.lock().await;
        let wire = wire.as_mut().ok_or("subscribed")?;
        let (mut out, mut n) = (Vec::new(), 0_u64);
        while !gauge.stop.load(Relaxed) {
            let before = n;
            while out.len() < FULL {
                put_send(&mut out, n, NOTE);
                n += 1;
            }
            write_all(&wire.write, &out).await?;
            out.clear();
            gauge.done.fetch_add(n - before, Relaxed);
        }
        put(&mut out, COUNT, 1, &[]);
        let handled = wire.call(&out, |frame| answer(frame, COUNTED)?.try_into().ok().map(u64::from_le_bytes)).await?;
        if handled == n { Ok(()) } else { Err(format!("{handled} of {n} packets were handled").into()) }
    }
}

/// A connection, and what was read of it.
#[derive(Debug)]
pub struct Wire {
    read: OwnedReadHalf,
    pub write: Arc<OwnedWriteHalf>,
    pub buffer: Vec<u8>,
    pub filled: usize,
    events: Arc<AtomicU64>,
}

impl Wire {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        Ok(Self { read, write: Arc::new(write), buffer: vec![0; 64 * 1024], filled: 0, events: Arc::default() })
    }

    /// Reads what there is. `false`: nothing will come any more.
    pub async fn read(&mut self) -> io::Result<bool> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        let mut space = ReadBuf::new(&mut self.buffer[self.filled..]);
        poll_fn(|task| Pin::new(&mut self.read).poll_read(task, &mut space)).await?;
        let read = space.filled().len();
        self.filled += read;
        Ok(read > 0)
    }

    /// The first bytes are done with.
    pub fn consume(&mut self, used: usize) {
        if used == self.filled {
            self.filled = 0;
        } else if used > 0 {
            self.buffer.copy_within(used..self.filled, 0);
            self.filled -= used;
        }
    }

    /// Writes a call, and waits for its answer.
    async fn call<T>(&mut self, call: &[u8], answer: impl Fn(Frame<'_>) -> Option<T>) -> Result<T> {
        write_all(&self.write, call).await?;
        loop {
            if let Some((frame, len)) = next_frame(&self.buffer[..self.filled]) {
                let answer = answer(frame);
                self.consume(len);
                return answer.ok_or_else(|| "another answer was expected".into());
            }
            if !self.read().await? {
                return Err("the server has gone".into());
            }
        }
    }
}

/// Writes everything; at once, as a rule.
pub async fn write_all(write: &OwnedWriteHalf, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => write.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One frame: a length (of what follows), a kind, an id, and fields.
#[derive(Debug)]
pub enum Frame<'a> {
    Add {
        id: u32,
        a: i64,
        b: i64,
        note: &'a str,
    },
    Send {
        n: u64,
        note: &'a str,
    },
    Count {
        id: u32,
    },
    Echo {
        id: u32,
        payload: &'a [u8],
    },
    Subscribe {
        id: u32,
    },
    Publish {
        id: u32,
        events: u32,
    },
    Stream {
        id: u32,
        items: u64,
    },
    /// What a server sends.
    Answer {
        kind: u8,
        id: u32,
        body: &'a [u8],
    },
}

/// The first frame and its length; `None` if it is not whole, or no frame.
pub fn next_frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let len = u32::from_le_bytes(*len) as usize;
    let ([kind, a, b, c, d], body) = rest.get(..len)?.split_first_chunk::<5>()?;
    let id = u32::from_le_bytes([*a, *b, *c, *d]);
    let frame = match *kind {
        ADD => {
            let (a, rest) = body.split_first_chunk::<8>()?;
            let (b, note) = rest.split_first_chunk::<8>()?;
            let note = str::from_utf8(note).ok()?;
            Frame::Add { id, a: i64::from_le_bytes(*a), b: i64::from_le_bytes(*b), note }
        }
        SEND => {
            let (n, note) = body.split_first_chunk::<8>()?;
            Frame::Send { n: u64::from_le_bytes(*n), note: str::from_utf8(note).ok()? }
        }
        COUNT => Frame::Count { id },
        ECHO => Frame::Echo { id, payload: body },
        SUBSCRIBE => Frame::Subscribe { id },
        PUBLISH => Frame::Publish { id, events: u32::from_le_bytes(body.try_into().ok()?) },
        STREAM => Frame::Stream { id, items: u64::from_le_bytes(body.try_into().ok()?) },
        kind => Frame::Answer { kind, id, body },
    };
    Some((frame, 4 + len))
}

fn answer(frame: Frame<'_>, expected: u8) -> Option<&[u8]> {
    match frame {
        Frame::Answer { kind, body, .. } if kind == expected => Some(body),
        _ => None,
    }
}

/// The sum in an answer, whose note has to be the one that was sent.
pub fn sum_of(body: &[u8]) -> Option<i64> {
    let (sum, note) = body.split_first_chunk::<8>()?;
    let note = str::from_utf8(note).ok()?;
    (note == NOTE).then(|| i64::from_le_bytes(*sum))
}

/// Writes a frame.
pub fn put(out: &mut Vec<u8>, kind: u8, id: u32, body: &[u8]) {
    let len = u32::try_from(body.len() + 5).expect("frames are short");
    out.reserve(9 + body.len());
    out.extend_from_slice(&len.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(body);
}

/// Writes a call.
pub fn put_add(out: &mut Vec<u8>, id: u32, a: i64, b: i64, note: &str) {
    let mut fields = [0; 16];
    fields[..8].copy_from_slice(&a.to_le_bytes());
    fields[8..].copy_from_slice(&b.to_le_bytes());
    put_with_note(out, ADD, id, &fields, note);
}

fn put_sum(out: &mut Vec<u8>, id: u32, sum: i64, note: &str) {
    put_with_note(out, SUM, id, &sum.to_le_bytes(), note);
}

/// Writes a one-way packet.
pub fn put_send(out: &mut Vec<u8>, n: u64, note: &str) {
    put_with_note(out, SEND, 0, &n.to_le_bytes(), note);
}

fn put_with_note(out: &mut Vec<u8>, kind: u8, id: u32, fields: &[u8], note: &str) {
    let len = u32::try_from(5 + fields.len() + note.len()).expect("frames are short");
    out.reserve(4 + len as usize);
    out.extend_from_slice(&len.to_le_bytes());
    out.push(kind);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(fields);
    out.extend_from_slice(note.as_bytes());
}

pub const ADD: u8 = 1;
pub const SUM: u8 = 2;
pub const SEND: u8 = 3;
pub const COUNT: u8 = 4;
pub const COUNTED: u8 = 5;
pub const ECHO: u8 = 6;
pub const ECHOED: u8 = 7;
pub const SUBSCRIBE: u8 = 8;
pub const DONE: u8 = 9;
pub const PUBLISH: u8 = 10;
pub const EVENT: u8 = 11;
pub const STREAM: u8 = 12;
pub const ITEM: u8 = 13;

/// What has gathered is written from this length on.
const FULL: usize = 64 * 1024;
