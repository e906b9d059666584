//! Peers that begin an object and send a byte of it now and then: what they hold is bounded, and so is their time. A
//! binary of its own, since it counts the heap of its process.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use peak_alloc::PeakAlloc;
use pnet::transport::{Listener, PeerAddr};
use pnet_tests::talk::{Book, Talk, TalkServer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    runtime::Handle,
    sync::mpsc,
    time::{Instant, sleep},
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MEBIBYTE: usize = 1024 * 1024;

/// Gives a server the transports that a test has made before.
struct Handed(mpsc::UnboundedReceiver<Pipe>);

impl Listener for Handed {
    type Io = Pipe;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(Pipe, PeerAddr)> {
        let io = self.0.recv().await.ok_or(io::ErrorKind::NotConnected)?;
        Ok((io, PeerAddr::Memory))
    }

    fn local_addr(&self) {}
}

/// The server's end of a pipe. A pipe keeps the wakers of who has used it last, and a waker keeps its task's memory:
/// nothing that a socket would do. So this leaves other wakers behind.
struct Pipe(DuplexStream);

impl Drop for Pipe {
    fn drop(&mut self) {
        let mut task = Context::from_waker(Waker::noop());
        let mut bytes = [0; 64];
        let mut space = ReadBuf::new(&mut bytes);
        // What is there first, then nothing.
        for _ in 0..2 {
            space.clear();
            let _ = Pin::new(&mut self.0).poll_read(&mut task, &mut space);
        }
        for _ in 0..2 {
            let _ = Pin::new(&mut self.0).poll_write(&mut task, &[0; 64]);
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(task, space)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(task)
    }
}

/// One object that never ends, a byte at a time.
fn byte(at: usize) -> u8 {
    let begin = br#"{"action":"ECHO","data":{"data":"#;
    begin.get(at).copied().unwrap_or(b'[')
}

/// Writes the next byte to all that still listen; how many those were.
async fn dribble(pipes: &mut [DuplexStream], at: usize) -> usize {
    let mut listening = 0;
    for pipe in pipes {
        // Whoever is gone refuses it; the others have read the byte before.
        listening += usize::from(pipe.write_all(&[byte(at)]).await.is_ok());
    }
    listening
}

async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// One test after the other: both count the same heap.
#[tokio::test(start_paused = true)]
async fn objects_that_are_dribbled_hold_little_and_end_in_time() {
    first_objects().await;
    later_objects().await;
}

/// Ten thousand that have not said anything whole yet.
async fn first_objects() {
    const COUNT: usize = 10_000;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = pnet::serve(TalkServer, Book::default()).listen::<Talk, _>(Handed(receiver));
    let mut here = Vec::with_capacity(COUNT);
    let mut there = Vec::with_capacity(COUNT);
    for _ in 0..COUNT {
        let (one, other) = duplex(64);
        here.push(one);
        there.push(Pipe(other));
    }
    // The pipes are there before and after; what comes on top is the server's.
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let started = Instant::now();
    let mut most = 0;
    for (index, pipe) in there.into_iter().enumerate() {
        sender.send(pipe).expect("the server listens");
        // As they might come over a wire: some at a time.
        if index % 100 == 99 {
            settle().await;
        }
    }
    for at in 0..70 {
        most = most.max(dribble(&mut here, at).await);
        settle().await;
        sleep(Duration::from_millis(100)).await;
    }
    let held = HEAP.peak_usage() - before;
    eprintln!("{COUNT} first objects: {most} at most at a time, {} KiB at most", held / 1024);
    assert!(held < 8 * MEBIBYTE, "{held} bytes");
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(dribble(&mut here, 0).await, 0, "all are gone");
    assert!(server.hub().is_empty());
    // Only the accepting task is left.
    assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks + 1);
    let left = HEAP.current_usage().saturating_sub(before);
    assert!(left < MEBIBYTE / 2, "{left} bytes are left");
}

/// A thousand that are connected, and begin an object then.
async fn later_objects() {
    const COUNT: usize = 1_000;
    let server = pnet::serve(TalkServer, Book::default());
    let (sender, receiver) = mpsc::unbounded_channel();
    let server = server.listen::<Talk, _>(Handed(receiver));
    let mut here = Vec::with_capacity(COUNT);
    let mut answer = Vec::with_capacity(4096);
    for _ in 0..COUNT {
        let (mut one, other) = duplex(64);
        sender.send(Pipe(other)).expect("the server listens");
        one.write_all(b"{\"action\":\"TOUCH\",\"id\":1}").await.expect("the server reads");
        answer.clear();
        while !answer.ends_with(b"\n") {
            assert_ne!(one.read_buf(&mut answer).await.expect("memory reads"), 0);
        }
        here.push(one);
    }
    assert_eq!(server.hub().len(), COUNT);
    settle().await;
    let idle = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let mut at = 0;
    let started = Instant::now();
    while dribble(&mut here, at).await > 0 {
        at += 1;
        settle().await;
        if at == 290 {
            let held = HEAP.peak_usage() - idle;
            eprintln!("{COUNT} later objects: {} bytes each, of {at}", held / COUNT);
            assert!(held < MEBIBYTE, "{held} bytes");
            assert_eq!(server.hub().len(), COUNT);
        }
        sleep(Duration::from_millis(100)).await;
    }
    let took = started.elapsed();
    assert!(took > Duration::from_secs(29) && took < Duration::from_secs(33), "{took:?}");
    assert!(server.hub().is_empty());
}
