//! How often the system is asked: reads and writes of the socket, and waits for the next event, of a pnet server and of a pnet
//! client. The other side is a bare socket in a thread of its own, whose calls do not count; it says all that goes together
//! in one write, and goes on when all of it was answered, so that exactly so many calls are in flight.
//!
//! Each conversation is held twice, short and long: what the longer one asks for beyond the shorter is the calls' own.

#![expect(clippy::print_stdout, reason = "the figures are worth a look")]

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    thread,
};

use pnet::{
    Dialect,
    transport::{Listener, PeerAddr},
};
use pnet_counted::{
    adder::{Add, Adder, Adding, Caller, NOTE},
    answerer::{Answerer, frames},
    loops::block_on,
    script::{Kind, batch, hello},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

/// A socket that counts its reads and writes. Those for which tokio knows that they would find nothing do not reach the system.
struct Counted {
    io: TcpStream,
    calls: Arc<AtomicU64>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.io.poll_read_ready(task))?;
        self.calls.fetch_add(1, Relaxed);
        Pin::new(&mut self.io).poll_read(task, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.io.poll_write_ready(task))?;
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
    type Addr = SocketAddr;

    async fn accept(&mut self) -> io::Result<(Counted, PeerAddr)> {
        let (io, addr) = self.listener.accept().await?;
        io.set_nodelay(true)?;
        Ok((Counted { io, calls: Arc::clone(&self.calls) }, PeerAddr::Socket(addr)))
    }

    fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("it is bound")
    }
}

/// What a server asks of the system in so many rounds of calls.
async fn server(dialect: Dialect, in_flight: u32, rounds: u32) -> u64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let calls = Arc::new(AtomicU64::new(0));
    let server = pnet::serve(Adder, ()).listen::<Adding, _>(Counting { listener, calls: Arc::clone(&calls) });
    let (addr, batch) = (server.local_addr(), batch(dialect, Kind::Add, in_flight));
    let (done, end) = oneshot::channel();
    let client = thread::spawn(move || {
        let mut client = StdStream::connect(addr).expect("it listens");
        client.set_nodelay(true).expect("it is a socket");
        client.write_all(&hello(dialect)).expect("it is open");
        let mut answers = Answers { dialect, came: Vec::new() };
        if dialect == Dialect::Native {
            answers.skip(&mut client, PREFACE_LEN);
        }
        for _ in 0..rounds {
            client.write_all(&batch).expect("it is open");
            answers.read(&mut client, in_flight);
        }
        done.send(client).expect("somebody waits");
    });
    let _open = end.await.expect("every call was answered");
    let asked = calls.load(Relaxed) + waits();
    client.join().expect("it has done all it had to do");
    asked
}

/// What came to a bare client and was not looked at.
struct Answers {
    dialect: Dialect,
    came: Vec<u8>,
}

impl Answers {
    fn skip(&mut self, client: &mut StdStream, len: usize) {
        while self.came.len() < len {
            self.more(client);
        }
        self.came.drain(..len);
    }

    /// Reads until so many calls were answered.
    fn read(&mut self, client: &mut StdStream, mut due: u32) {
        while due > 0 {
            self.more(client);
            let (answers, len) = match self.dialect {
                Dialect::Json => {
                    let lines = self.came.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
                    sum(lines.map(|line| (line.starts_with(br#"{"action":"SUM""#), line.len())))
                }
                _ => sum(frames(&self.came).map(|frame| (frame.first() == Some(&REPLY), LENGTH_FIELD + frame.len()))),
            };
            self.came.drain(..len);
            due -= answers;
        }
    }

    fn more(&mut self, client: &mut StdStream) {
        let mut buffer = [0; 16 * 1024];
        let len = client.read(&mut buffer).expect("it is open");
        assert!(len > 0, "the server has gone");
        self.came.extend_from_slice(&buffer[..len]);
    }
}

/// How many answers there are, and how long everything is.
fn sum(parts: impl Iterator<Item = (bool, usize)>) -> (u32, usize) {
    parts.fold((0, 0), |(answers, len), (is_answer, more)| (answers + u32::from(is_answer), len + more))
}

/// What a client asks of the system in so many rounds of calls.
async fn client(dialect: Dialect, in_flight: u32, rounds: u32) -> u64 {
    let listener = StdListener::bind("127.0.0.1:0").expect("a port is free");
    let addr = listener.local_addr().expect("it is bound");
    let server = thread::spawn(move || {
        let (mut server, _) = listener.accept().expect("somebody connects");
        server.set_nodelay(true).expect("it is a socket");
        let (mut answerer, mut answers) = (Answerer::new(dialect), Vec::new());
        let (mut buffer, mut due) = ([0; 16 * 1024], 0);
        while let Ok(len @ 1..) = server.read(&mut buffer) {
            due += answerer.hear(&buffer[..len], &mut answers);
            if due % u64::from(in_flight) == 0 {
                server.write_all(&answers).expect("it is open");
                answers.clear();
            }
        }
    });
    let calls = Arc::new(AtomicU64::new(0));
    let io = TcpStream::connect(addr).await.expect("it listens");
    io.set_nodelay(true).expect("it is a socket");
    let io = Counted { io, calls: Arc::clone(&calls) };
    let client = pnet::connect(Caller, ()).dialect(dialect).over::<Adding>(io, PeerAddr::Socket(addr));
    let client = client.await.expect("it answers");
    for _ in 0..rounds {
        let calls = (0..in_flight).map(|_| client.call(Add { a: 1, b: 2, note: NOTE.into() }));
        for answer in futures_util::future::join_all(calls).await {
            answer.expect("it is answered");
        }
    }
    let asked = calls.load(Relaxed) + waits();
    client.close().await;
    server.join().expect("it has answered all there was");
    asked
}

/// How often this runtime has waited for an event. Looks for events without a wait, one every 61 polls, are not among them.
fn waits() -> u64 {
    tokio::runtime::Handle::current().metrics().worker_park_count(0)
}

/// System calls for each call, with so many in flight.
fn each<F: Future<Output = u64>>(in_flight: u32, play: impl Fn(u32) -> F) -> f64 {
    let (few, many) = (block_on(play(SHORT)), block_on(play(LONG)));
    (many - few) as f64 / f64::from((LONG - SHORT) * in_flight)
}

#[test]
fn the_system_is_asked_once_for_many_calls() {
    for dialect in [Dialect::Native, Dialect::Json] {
        for (in_flight, bound) in [(64, 0.06), (16, 0.2), (1, 3.0)] {
            for (side, each) in [
                ("server", each(in_flight, |rounds| server(dialect, in_flight, rounds))),
                ("client", each(in_flight, |rounds| client(dialect, in_flight, rounds))),
            ] {
                println!("{side}, {dialect}, {in_flight} in flight: {each:.3} system calls a call, {bound} at most");
                assert!(each <= bound + STRAY / f64::from(in_flight), "{side}, {dialect}: {each} system calls a call");
            }
        }
    }
}

const SHORT: u32 = 20;
const LONG: u32 = 220;
/// Now and then the system wakes a thread for nothing, or splits what was written in one go.
const STRAY: f64 = 0.2;

/// The server's preface, before its first frame.
const PREFACE_LEN: usize = 4;
/// Bytes of a frame's length, which it does not count.
const LENGTH_FIELD: usize = 4;
/// Kinds of frames (`docs/wire.md` §4).
const REPLY: u8 = 0x13;
