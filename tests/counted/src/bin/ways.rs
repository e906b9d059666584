//! Sends packets or receives calls, one at a time, with a mark at each end of the way, for a profiler to look at what runs
//! between the two: `ways CASE PLAYS`.

use std::{
    hint::black_box,
    io,
    pin::Pin,
    process::ExitCode,
    task::{Context, Poll},
};

use pnet::{Limits, SendError, StreamSender, action, actions, transport::PeerAddr};
use pnet_counted::{
    adder::{Add, AddAfter, AddLater, AddOwned, Adding, Caller, Count, NOTE, Note, Sum},
    loops::block_on,
    script::{Feed, Handed, Kind, Oracle, batch, hello},
};
use pnet_protocol::dialect::Dialect;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (case, plays) = (args.next(), args.next().and_then(|plays| plays.parse().ok()));
    let (Some(case), Some(plays)) = (case, plays) else { return usage() };
    match case.as_str() {
        "send" => block_on(send(Dialect::Native, plays)),
        "json-send" => block_on(send(Dialect::Json, plays)),
        "call" => block_on(receive(Dialect::Native, plays)),
        "json-call" => block_on(receive(Dialect::Json, plays)),
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("ways CASE PLAYS, where CASE is one of: send, json-send, call, json-call");
    ExitCode::FAILURE
}

/// From the handle until the packet is in the out-buffer.
async fn send(dialect: Dialect, plays: u64) {
    let client = pnet::connect(Caller, ())
        .dialect(dialect)
        .limits(*Limits::default().stream_items(u32::MAX).packet_bytes(u32::MAX))
        .over::<Adding>(Oracle::new(dialect), PeerAddr::Memory)
        .await
        .expect("it answers");
    for n in 0..plays {
        way_begins();
        let sent = client.send(Note { n, note: NOTE.into() }).await;
        way_ends();
        sent.expect("it is taken");
        // It is written, and its credit comes back.
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }
}

/// From the transport's read to the handler.
async fn receive(dialect: Dialect, plays: u64) {
    let (feed, heard) = Feed::new(hello(dialect), batch(dialect, Kind::Add, 1), plays);
    let server = pnet::serve(Marked, ()).listen::<Adding, _>(Handed(vec![Read(feed)]));
    heard.all().await;
    drop(server);
}

/// What is dumped begins here.
#[inline(never)]
fn way_begins() {
    black_box(1);
}

/// What is dumped ends here.
#[inline(never)]
fn way_ends() {
    black_box(2);
}

/// A transport whose reads are the beginning of a way.
struct Read<T>(T);

impl<T: AsyncRead + Unpin> AsyncRead for Read<T> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.0).poll_read(task, buf);
        way_begins();
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Read<T> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(task, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(task)
    }
}

#[action("ADD")]
fn add(p: Add<'_>) -> Sum {
    way_ends();
    Sum::of(p.a, p.b, &p.note)
}

// The other packets of the protocol never come.

#[action("ADD_LATER")]
async fn add_later(p: AddLater<'_>) -> Sum {
    Sum::of(p.a, p.b, &p.note)
}

#[action("ADD_AFTER")]
async fn add_after(p: AddAfter<'_>) -> Sum {
    Sum::of(p.a, p.b, &p.note)
}

#[action("ADD_OWNED")]
fn add_owned(p: AddOwned) -> Sum {
    Sum::of(p.a, p.b, &p.note)
}

#[action("COUNT")]
async fn count(_: Count, _: StreamSender<Sum>) -> Result<(), SendError> {
    Ok(())
}

#[action("NOTE")]
fn note(_: Note<'_>) {}

actions! { server Marked for Adding: add, add_later, add_after, add_owned, count, note }

/// How often the other tasks may run between two packets.
const TURNS: usize = 10;
