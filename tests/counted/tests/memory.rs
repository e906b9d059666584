//! What an idle connection holds of a server's heap: over TCP, after one call, with nothing left to do.

#![expect(clippy::print_stdout, reason = "the figures are worth a look")]

use std::{
    alloc::System,
    io::{ErrorKind, Read, Write},
    net::TcpStream,
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

/// Bytes for each of so many connections. Their clients are bare sockets, whose memory is the system's.
async fn each(dialect: Dialect, kind: Kind, connections: usize) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let acceptor = TcpAcceptor::try_from(listener).expect("it has an address");
    let server = pnet::serve(Adder, ()).listen::<Adding, _>(acceptor);
    let greeting = [hello(dialect), batch(dialect, kind, 1)].concat();
    let mut clients = Vec::with_capacity(connections + WARM);
    for _ in 0..WARM {
        clients.push(open(server.local_addr(), &greeting).await);
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..connections {
        clients.push(open(server.local_addr(), &greeting).await);
    }
    for _ in 0..100 {
        yield_now().await;
    }
    let change = region.change();
    let held = change.bytes_allocated.saturating_sub(change.bytes_deallocated);
    drop(clients);
    held / connections
}

/// Connects, calls, and waits for the answer.
async fn open(addr: std::net::SocketAddr, greeting: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(addr).expect("it listens");
    client.set_nonblocking(true).expect("it can be asked");
    client.write_all(greeting).expect("it fits");
    let (mut buffer, mut answer) = ([0; 1024], Vec::new());
    // The sum, in either dialect: 1,000,001 as postcard writes it, or in digits.
    while !answer.windows(3).any(|bytes| bytes == [0x82, 0x89, 0x7A] || bytes == b"001") {
        match client.read(&mut buffer) {
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    client
}

/// One test, as the allocator counts for all threads.
#[test]
fn an_idle_connection_holds_little() {
    for (name, dialect, kind, bound) in [
        ("native", Dialect::Native, Kind::Add, 2944),
        ("native, async fn", Dialect::Native, Kind::AddLater, 3136),
        ("JSON", Dialect::Json, Kind::Add, 3584),
    ] {
        let held = runtime().block_on(each(dialect, kind, 500));
        println!("{name}: {held} bytes an idle connection, {bound} at most");
        assert!(held <= bound, "{name}: an idle connection holds {held} bytes");
    }
}

/// Connections that set up what is set up once.
const WARM: usize = 20;
