//! What connections and handlers take of a server's heap: over TCP, while they come, and after one call, with nothing left
//! to do.

#![expect(clippy::print_stdout, reason = "the figures are worth a look")]

use std::{
    alloc::System,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
};

use pnet::{Dialect, transport::tcp::TcpAcceptor};
use pnet_counted::{
    adder::{Adder, Adding},
    loops::runtime,
    script::{Kind, batch, hello},
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::{net::TcpListener, task::yield_now};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What connections take, in bytes. Their clients are bare sockets, whose memory is the system's.
struct Taken {
    /// Held by each while it is idle.
    idle: usize,
    /// Asked for by each from its beginning to its first answer: the futures of its two tasks are most of it.
    coming: usize,
}

async fn each(dialect: Dialect, kind: Kind, connections: usize) -> Taken {
    let server = serve().await;
    let greeting = [hello(dialect), batch(dialect, kind, 1)].concat();
    let mut clients = Vec::with_capacity(connections + WARM);
    let mut answer = Vec::with_capacity(1024);
    for _ in 0..WARM {
        clients.push(open(server.local_addr(), &greeting, &mut answer).await);
    }
    let region = Region::new(ALLOCATOR);
    let mut coming = usize::MAX;
    for _ in 0..connections {
        let region = Region::new(ALLOCATOR);
        clients.push(open(server.local_addr(), &greeting, &mut answer).await);
        // The lists of connections grow now and then.
        coming = coming.min(region.change().bytes_allocated);
    }
    settle().await;
    let change = region.change();
    let held = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    drop(clients);
    Taken { idle: held / connections, coming }
}

/// What the first call of an `async fn` asks for, when everything else is warm: its slot, which holds its future.
async fn first_call(kind: Kind) -> usize {
    let server = serve().await;
    let greeting = [hello(Dialect::Native), batch(Dialect::Native, Kind::Add, 1)].concat();
    let mut answer = Vec::with_capacity(1024);
    let mut client = open(server.local_addr(), &greeting, &mut answer).await;
    let call = batch(Dialect::Native, kind, 1);
    let region = Region::new(ALLOCATOR);
    client.write_all(&call).expect("it fits");
    answered(&mut client, &mut answer).await;
    settle().await;
    region.change().bytes_allocated
}

async fn serve() -> pnet::Server<Adding> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let acceptor = TcpAcceptor::try_from(listener).expect("it has an address");
    pnet::serve(Adder, ()).listen(acceptor)
}

/// Connects, calls, and waits for the answer.
async fn open(addr: SocketAddr, greeting: &[u8], answer: &mut Vec<u8>) -> TcpStream {
    let mut client = TcpStream::connect(addr).expect("it listens");
    client.set_nonblocking(true).expect("it can be asked");
    client.write_all(greeting).expect("it fits");
    answered(&mut client, answer).await;
    client
}

async fn answered(client: &mut TcpStream, answer: &mut Vec<u8>) {
    let mut buffer = [0; 1024];
    answer.clear();
    // The sum, in either dialect: 1,000,001 as postcard writes it, or in digits.
    while !answer.windows(3).any(|bytes| bytes == [0x82, 0x89, 0x7A] || bytes == b"001") {
        match client.read(&mut buffer) {
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Lets everything that is due happen.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// One test, as the allocator counts for all threads.
#[test]
fn connections_and_handlers_take_little() {
    // What is kept for those who look in, of each connection.
    let kept = if pnet::__private::INSPECTED { KEPT } else { 0 };
    for (name, dialect, kind, idle, coming) in [
        ("native", Dialect::Native, Kind::Add, 2300, 5120),
        ("native, async fn", Dialect::Native, Kind::AddLater, 2640, 5456),
        ("JSON", Dialect::Json, Kind::Add, 3040, 5312),
    ] {
        let taken = runtime().block_on(each(dialect, kind, 500));
        check(&format!("{name}: an idle connection holds"), taken.idle, idle + kept);
        check(&format!("{name}: a connection that comes asks for"), taken.coming, coming + kept);
    }
    let measured = if pnet::__private::INSPECTED { MEASURED } else { 0 };
    for (name, kind, bound) in [("ready at once", Kind::AddLater, 872), ("that waits", Kind::AddAfter, 1728)] {
        let taken = runtime().block_on(first_call(kind));
        check(&format!("the first call of an async fn {name} asks for"), taken, bound + kept + measured);
    }
}

fn check(what: &str, bytes: usize, bound: usize) {
    println!("{what} {bytes} bytes, {bound} at most");
    assert!(bytes <= bound, "{what} {bytes} bytes, {bound} at most");
}

/// With the feature `inspect`: counters, when something came last, who is there.
const KEPT: usize = 104;
/// The same for each action of a server: its durations. Whether this call is the one in 64 that is measured is drawn.
const MEASURED: usize = 2752;
/// Connections that set up what is set up once.
const WARM: usize = 20;
