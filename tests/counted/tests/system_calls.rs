//! How often the system is asked: reads and writes that reached a socket, and waits for the next event, of a pnet server whose
//! client is a bare socket, and of a pnet client.
//!
//! Reads that found nothing are not seen from here; there are none as long as reads are shorter than the buffer, as tokio
//! waits for the next event then.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use pnet::{
    Dialect,
    transport::{Listener, PeerAddr},
};
use pnet_counted::{
    adder::{Add, Adder, Adding, Caller, NOTE},
    loops::block_on,
    script::{Kind, batch, hello},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// A socket that counts what gets through to the system.
struct Counted {
    io: TcpStream,
    calls: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_read(task, buf);
        self.calls.fetch_add(u64::from(polled.is_ready()), Relaxed);
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.calls.fetch_add(1, Relaxed);
        Pin::new(&mut self.io).poll_write(task, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

struct Counting {
    listener: TcpListener,
    calls: Arc<AtomicU64>,
}

impl Listener for Counting {
    type Io = Counted;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> io::Result<(Counted, PeerAddr)> {
        let (io, addr) = self.listener.accept().await?;
        io.set_nodelay(true)?;
        Ok((Counted { io, calls: Arc::clone(&self.calls) }, PeerAddr::Socket(addr)))
    }

    fn local_addr(&self) -> Self::Addr {
        self.listener.local_addr().expect("it is bound")
    }
}

/// System calls of a server for each call, with so many in flight. Waits for events are the whole runtime's, the bare client's
/// included.
async fn server(dialect: Dialect, in_flight: u32) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let calls = Arc::new(AtomicU64::new(0));
    let server = pnet::serve(Adder, ()).listen::<Adding, _>(Counting { listener, calls: Arc::clone(&calls) });
    let mut client = TcpStream::connect(server.local_addr()).await.expect("it listens");
    client.set_nodelay(true).expect("it is a socket");
    let batch = batch(dialect, Kind::Add, in_flight);
    client.write_all(&hello(dialect)).await.expect("it is open");
    let mut answers = Answers::default();
    let (mut before, rounds) = (0, 200);
    for round in 0..=rounds {
        if round == 1 {
            // The first round has shaken hands.
            before = calls.load(Relaxed) + waits();
        }
        client.write_all(&batch).await.expect("it is open");
        answers.read(&mut client, dialect, in_flight).await;
    }
    (calls.load(Relaxed) + waits() - before) as f64 / f64::from(rounds * in_flight)
}

/// What came and was not a whole answer.
#[derive(Default)]
struct Answers(Vec<u8>);

impl Answers {
    async fn read(&mut self, client: &mut TcpStream, dialect: Dialect, mut due: u32) {
        while due > 0 {
            assert!(client.read_buf(&mut self.0).await.expect("it is open") > 0, "the server has gone");
            while let Some((is_answer, len)) = first(&self.0, dialect) {
                self.0.drain(..len);
                due -= u32::from(is_answer);
            }
        }
    }
}

/// Whether the first thing in `bytes` is an answer, and how long it is.
fn first(bytes: &[u8], dialect: Dialect) -> Option<(bool, usize)> {
    if dialect == Dialect::Json {
        let len = bytes.iter().position(|byte| *byte == b'\n')? + 1;
        return Some((bytes[..len].windows(5).any(|part| part == b"\"re\":"), len));
    }
    if bytes.starts_with(&[0xF5]) {
        return (bytes.len() >= 4).then_some((false, 4));
    }
    let len = 4 + u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    let kind = bytes.get(..len)?[4];
    Some((kind == 0x13, len))
}

/// System calls of a pnet client for each call, with so many in flight; its server is pnet, too, and not counted. Waits for events
/// are those of both.
async fn client(in_flight: u32) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let uncounted = Counting { listener, calls: Arc::default() };
    let server = pnet::serve(Adder, ()).listen::<Adding, _>(uncounted);
    let addr = server.local_addr();
    let calls = Arc::new(AtomicU64::new(0));
    let io = TcpStream::connect(addr).await.expect("it listens");
    io.set_nodelay(true).expect("it is a socket");
    let io = Counted { io, calls: Arc::clone(&calls) };
    let client = pnet::connect(Caller, ()).over::<Adding>(io, PeerAddr::Socket(addr)).await.expect("it answers");
    let call = || client.call(Add { a: 1, b: 2, note: NOTE.into() });
    call().await.expect("it is answered");
    let (before, rounds) = (calls.load(Relaxed) + waits(), 200);
    for _ in 0..rounds {
        let calls: Vec<_> = (0..in_flight).map(|_| call()).collect();
        for answer in futures_util::future::join_all(calls).await {
            answer.expect("it is answered");
        }
    }
    (calls.load(Relaxed) + waits() - before) as f64 / f64::from(rounds * in_flight)
}

/// How often this runtime has waited for an event.
fn waits() -> u64 {
    tokio::runtime::Handle::current().metrics().worker_park_count(0)
}

#[test]
fn the_system_is_asked_once_for_many_calls() {
    for (name, each, bound) in [
        ("server, 64 in flight", block_on(server(Dialect::Native, 64)), 0.1),
        ("server in JSON, 64 in flight", block_on(server(Dialect::Json, 64)), 0.1),
        ("client, 64 in flight", block_on(client(64)), 0.1),
        ("server, one by one", block_on(server(Dialect::Native, 1)), 4.1),
        ("client, one by one", block_on(client(1)), 4.1),
    ] {
        println!("{name}: {each:.3} system calls a call, {bound} at most");
        assert!(each <= bound, "{name}: {each} system calls a call, {bound} at most");
    }
}
