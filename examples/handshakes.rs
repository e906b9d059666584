//! Handshakes beside calls: while new clients shake hands in TLS, each of which costs the server a signature with its RSA key,
//! those that are connected have their calls answered as before.
//!
//! A hundred clients make a call every 100 ms each, first by themselves and then beside so many new clients a second, for so
//! many seconds. A new client pins the server's key, connects and closes; 128 do so at the same time at most, so that a
//! machine that is too slow for the rate makes fewer of them and says how many. The server, the clients with calls and the new
//! ones are one process, with a runtime each. A call counts from when it was due, and timers have whole milliseconds. It ends
//! with an error if a promise is not kept; a bound on time is only told, since a machine may stall. Other numbers may be given:
//! handshakes a second, seconds.
//!
//! ```text
//! $ cargo run --release --example handshakes 500 30
//! server: a key of 2048 bits, 100 connections open
//! alone: 5001 calls answered, half of them within 1.7 ms, 99 of 100 within 8.9 ms
//! beside: 29999 calls answered, half of them within 1.6 ms, 99 of 100 within 5.6 ms
//! beside: 15000 handshakes in 30.0 s, 500 a second
//! promise: every call is answered, and every new client welcomed; measured: 0 calls failed, 0 clients failed
//! bound: 99 of 100 calls answered within 100 ms, or 5 times the 8.9 ms of before; measured: 5.6 ms
//! done in 35.3 s
//! ```

use std::{error::Error, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use pnet::{Client, ConnectError, Fingerprint, Identity, Server, action, actions, protocol};
use pnet_examples::calls::{Calls, Square, Squared, millis, squared};
use tokio::{
    runtime::Runtime,
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

protocol! {
    pub Squares {
        client { Square -> Squared }
    }
}

#[action("SQUARE")]
fn square(p: Square) -> Squared {
    squared(&p)
}

actions! { pub server SquaresServer for Squares: square }
actions! { pub client SquaresClient for Squares: }

/// How much is to be done.
#[derive(Clone, Copy)]
struct Size {
    per_second: u32,
    seconds: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let size = Size::parse(&arguments)?;
    let (servers, callers, newcomers) = (Runtime::new()?, Runtime::new()?, Runtime::new()?);
    let (server, pin) = servers.block_on(serve())?;
    callers.block_on(async {
        let limit = LIMIT + size.time();
        timeout(limit, run(size, server, pin, &newcomers)).await.map_err(|_| format!("not done within {limit:?}"))?
    })
}

/// A server with a key of its own, and what its clients are to pin.
async fn serve() -> Result<(Server<Squares>, Fingerprint), Box<dyn Error>> {
    let identity = Identity::generate_with(BITS).await?;
    let pin = identity.fingerprint();
    Ok((pnet::serve(SquaresServer, ()).identity(identity).bind("127.0.0.1:0").await?, pin))
}

async fn run(size: Size, server: Server<Squares>, pin: Fingerprint, newcomers: &Runtime) -> Result<(), Box<dyn Error>> {
    let (start, address) = (Instant::now(), server.local_addr());
    let clients = try_join_all((0..CONNECTIONS).map(|_| connect(address, pin))).await?;
    println!("server: a key of {BITS} bits, {} connections open", clients.len());

    let calls = Arc::new(Calls::default());
    let mut calling = JoinSet::new();
    for (index, client) in (0..).zip(clients) {
        let calls = Arc::clone(&calls);
        calling.spawn(async move {
            calls.make(index, CONNECTIONS, |square| client.call(square)).await;
            client
        });
    }
    sleep(ALONE).await;
    calls.go_beside();
    let made = newcomers.spawn(shake(size, address, pin)).await?;
    calls.end();
    while let Some(ended) = calling.join_next().await {
        ended?.close().await;
    }

    let (alone, beside) = (calls.alone(), calls.beside());
    println!("alone: {alone}");
    println!("beside: {beside}");
    let seconds = made.time.as_secs_f64();
    println!("beside: {} handshakes in {seconds:.1} s, {:.0} a second", made.count, f64::from(made.count) / seconds);
    let failed = calls.failed();
    println!(
        "promise: every call is answered, and every new client welcomed; measured: {failed} calls failed, {} clients failed",
        made.failed
    );
    println!(
        "bound: 99 of 100 calls answered within 100 ms, or 5 times the {:.1} ms of before; measured: {:.1} ms",
        millis(alone.p99),
        millis(beside.p99)
    );
    if failed > 0 || made.failed > 0 {
        return Err("a promise was not kept".into());
    }
    server.shutdown(Duration::from_secs(1)).await;
    println!("done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

async fn connect(address: SocketAddr, pin: Fingerprint) -> Result<Client<Squares>, ConnectError> {
    pnet::connect(SquaresClient, ()).pin(pin).to(address).await
}

// Those that come new.

/// What was made of them.
#[derive(Default)]
struct Made {
    count: u32,
    failed: u32,
    time: Duration,
}

/// New clients, as many as are due and at once.
async fn shake(size: Size, address: SocketAddr, pin: Fingerprint) -> Made {
    let (room, start, mut made) = (Arc::new(Semaphore::new(AT_ONCE)), Instant::now(), Made::default());
    let mut tasks = JoinSet::new();
    for index in 0..size.per_second * size.seconds {
        sleep_until(start + Duration::from_secs(1) * index / size.per_second).await;
        let place = Arc::clone(&room).acquire_owned().await;
        if start.elapsed() >= size.time() {
            break;
        }
        tasks.spawn(async move {
            let client = connect(address, pin).await?;
            client.close().await;
            drop(place);
            Ok(())
        });
        while let Some(ended) = tasks.try_join_next() {
            made.add(ended);
        }
    }
    while let Some(ended) = tasks.join_next().await {
        made.add(ended);
    }
    Made { time: start.elapsed(), ..made }
}

impl Made {
    fn add(&mut self, ended: Result<Result<(), ConnectError>, tokio::task::JoinError>) {
        match ended {
            Ok(Ok(())) => self.count += 1,
            error => {
                if self.failed == 0 {
                    println!("a new client failed: {error:?}");
                }
                self.failed += 1;
            }
        }
    }
}

impl Size {
    fn parse(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let number = |index: usize, usual: u32| match arguments.get(index) {
            Some(text) => text.parse().map_err(|_| format!("{text:?} is no number")),
            None => Ok(usual),
        };
        let size = Self { per_second: number(0, 500)?, seconds: number(1, 30)? };
        let all = size.per_second.checked_mul(size.seconds);
        if arguments.len() > 2 || all.is_none_or(|all| all == 0) {
            return Err("usage: handshakes [PER_SECOND [SECONDS]], with at least one handshake".into());
        }
        Ok(size)
    }

    fn time(self) -> Duration {
        Duration::from_secs(self.seconds.into())
    }
}

/// Beside the seconds that were asked for.
const LIMIT: Duration = Duration::from_secs(60);
const BITS: u32 = 2048;
/// That make calls.
const CONNECTIONS: u32 = 100;
/// How long they are alone.
const ALONE: Duration = Duration::from_secs(5);
/// Handshakes that are under way; the server takes 256.
const AT_ONCE: usize = 128;
