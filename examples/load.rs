//! Many connections between two processes: every call is answered, every push arrives in order, and nothing is left over.
//!
//! The program is the server and starts itself again as the client process. Each connection makes its calls, eight at a
//! time, while the server pushes numbered packets to it. When the client process has ended, the server shuts down; then
//! both must have no task and no file descriptor more than before. It ends with an error after 60 s, or if anything is
//! missing, late, doubled or out of order. Other numbers may be given: connections, calls, pushes.
//!
//! ```text
//! $ cargo run --release --example load 500 100000 100000
//! server: 500 connections, 100000 calls, 100000 pushes
//! client: 500 connections open
//! client: 100000 calls answered and 100000 pushes received in order in 1.21 s
//! client: 500 connections closed, 0 tasks left, 0 descriptors left
//! server: 100000 calls handled and 100000 pushes sent
//! server: shut down, 0 connections left, 0 tasks left, 0 descriptors left
//! done in 1.53 s
//! ```

use std::{
    error::Error,
    net::SocketAddr,
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use pnet::{Client, Failure, Packet, Peer, action, actions, protocol};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Handle, sync::Notify, task::JoinSet};

#[derive(Packet, Serialize, Deserialize)]
pub struct Square {
    n: u64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Squared {
    n: u64,
}

/// Asks for `count` pushes; answered when all are on their way.
#[derive(Packet, Serialize, Deserialize)]
pub struct Watch {
    count: u64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Tick {
    number: u64,
}

protocol! {
    pub Load {
        client { Square -> Squared, Watch -> () }
        server { Tick }
    }
}

// The server process.

/// What the server has done.
#[derive(Default)]
pub struct Done {
    calls: AtomicU64,
    pushes: AtomicU64,
}

#[action("SQUARE")]
fn square(p: Square, done: &Done) -> Squared {
    done.calls.fetch_add(1, Relaxed);
    Squared { n: p.n.wrapping_mul(p.n) }
}

#[action("WATCH")]
async fn watch(p: Watch, me: Peer<Load>, done: &Done) -> Result<(), Failure> {
    for number in 0..p.count {
        me.send(Tick { number }).await?;
        done.pushes.fetch_add(1, Relaxed);
    }
    Ok(())
}

actions! { pub server LoadServer(Done) for Load: square, watch }

// The client process.

/// What one connection has received.
pub struct Seen {
    expected: u64,
    next: AtomicU64,
    wrong: AtomicU64,
    all: Notify,
}

#[action("TICK")]
fn tick(p: Tick, seen: &Seen) {
    let next = seen.next.fetch_add(1, Relaxed);
    if p.number != next {
        seen.wrong.fetch_add(1, Relaxed);
    }
    if next + 1 == seen.expected {
        seen.all.notify_one();
    }
}

actions! { pub client LoadClient(Seen) for Load: tick }

/// How much is to be done.
#[derive(Clone, Copy)]
struct Size {
    connections: u64,
    calls: u64,
    pushes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (size, server) = Size::parse(&arguments)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let work = async {
            match server {
                Some(address) => run_client(size, address).await,
                None => run_server(size).await,
            }
        };
        tokio::time::timeout(LIMIT, work).await.map_err(|_| format!("not done within {LIMIT:?}"))?
    })
}

async fn run_server(size: Size) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let before = Left::now();
    let done = Arc::new(Done::default());
    let Size { connections, calls, pushes } = size;
    println!("server: {connections} connections, {calls} calls, {pushes} pushes");
    let server = pnet::serve(LoadServer, Arc::clone(&done)).bind("127.0.0.1:0").await?;
    let address = server.local_addr();
    let hub = server.hub();

    let mut client = Process::start(size, address)?;
    while client.runs()? {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let (calls, pushes) = (done.calls.load(Relaxed), done.pushes.load(Relaxed));
    println!("server: {calls} calls handled and {pushes} pushes sent");
    if (calls, pushes) != (size.calls, size.pushes) {
        return Err("the server has not done what was asked for".into());
    }
    let shutdown = server.shutdown(Duration::from_secs(5)).await;
    let left = before.settle().await;
    println!("server: shut down, {} connections left, {left}", hub.len());
    if shutdown.cut_off > 0 || !hub.is_empty() {
        return Err("connections were left over".into());
    }
    left.check()?;
    println!("done in {:.2} s", start.elapsed().as_secs_f64());
    Ok(())
}

async fn run_client(size: Size, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let before = Left::now();
    let mut opened = Vec::new();
    for index in 0..size.connections {
        let (calls, pushes) = size.share(index);
        let seen =
            Arc::new(Seen { expected: pushes, next: AtomicU64::new(0), wrong: AtomicU64::new(0), all: Notify::new() });
        let client = pnet::connect(LoadClient, Arc::clone(&seen)).to(address).await?;
        opened.push((client, seen, calls));
    }
    println!("client: {} connections open", opened.len());

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (client, seen, calls) in opened {
        tasks.spawn(async move { connection(client, &seen, calls).await.map_err(|error| error.to_string()) });
    }
    let (mut answered, mut received) = (0, 0);
    let mut clients = Vec::new();
    while let Some(result) = tasks.join_next().await {
        let (client, calls, pushes) = result??;
        answered += calls;
        received += pushes;
        clients.push(client);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("client: {answered} calls answered and {received} pushes received in order in {seconds:.2} s");
    if (answered, received) != (size.calls, size.pushes) {
        return Err("answers or pushes are missing".into());
    }

    let count = clients.len();
    for client in &clients {
        client.close().await;
    }
    drop(clients);
    let left = before.settle().await;
    println!("client: {count} connections closed, {left}");
    left.check()
}

/// One connection's share of the work; how many calls were answered and pushes received.
async fn connection(
    client: Client<Load>,
    seen: &Seen,
    calls: u64,
) -> Result<(Client<Load>, u64, u64), Box<dyn Error + Send + Sync>> {
    let watching = async {
        client.call(Watch { count: seen.expected }).await?;
        if seen.expected > 0 {
            seen.all.notified().await;
        }
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    let calling = async {
        let lanes = (0..LANES).map(|lane| {
            let client = &client;
            async move {
                let mut answered = 0;
                for n in (lane..calls).step_by(LANES as usize) {
                    let answer = client.call(Square { n }).await?;
                    if answer.n != n.wrapping_mul(n) {
                        return Err(format!("the answer to {n} is {}", answer.n).into());
                    }
                    answered += 1;
                }
                Ok::<u64, Box<dyn Error + Send + Sync>>(answered)
            }
        });
        Ok(try_join_all(lanes).await?.into_iter().sum::<u64>())
    };
    let ((), answered) = tokio::try_join!(watching, calling)?;
    match seen.wrong.load(Relaxed) {
        0 => Ok((client, answered, seen.next.load(Relaxed))),
        wrong => Err(format!("{wrong} pushes out of order").into()),
    }
}

impl Size {
    /// The numbers, and the server's address if this is the client process.
    fn parse(arguments: &[String]) -> Result<(Self, Option<SocketAddr>), Box<dyn Error>> {
        let number = |index: usize, usual: u64| match arguments.get(index) {
            Some(text) => text.parse().map_err(|_| format!("{text:?} is no number")),
            None => Ok(usual),
        };
        let size = Self { connections: number(0, 500)?, calls: number(1, 100_000)?, pushes: number(2, 100_000)? };
        if size.connections == 0 || arguments.len() > 4 {
            return Err("usage: load [CONNECTIONS [CALLS [PUSHES]]], with at least one connection".into());
        }
        let server = arguments.get(3).map(|text| text.parse()).transpose()?;
        Ok((size, server))
    }

    /// The calls and pushes of one connection; the first ones take what does not divide.
    fn share(self, index: u64) -> (u64, u64) {
        let of = |all: u64| all / self.connections + u64::from(index < all % self.connections);
        (of(self.calls), of(self.pushes))
    }
}

/// The client process; killed if the server gives up on it.
struct Process(Child);

impl Process {
    fn start(size: Size, address: SocketAddr) -> Result<Self, std::io::Error> {
        let arguments =
            [size.connections.to_string(), size.calls.to_string(), size.pushes.to_string(), address.to_string()];
        Command::new(std::env::current_exe()?).args(arguments).spawn().map(Self)
    }

    /// Whether it still runs.
    ///
    /// # Errors
    ///
    /// It has failed.
    fn runs(&mut self) -> Result<bool, Box<dyn Error>> {
        match self.0.try_wait()? {
            None => Ok(true),
            Some(status) if status.success() => Ok(false),
            Some(status) => Err(format!("the client process failed: {status}").into()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tasks and file descriptors of this process: all of them, or those beyond an earlier count.
#[derive(Clone, Copy, Debug)]
struct Left {
    tasks: usize,
    /// `None` where the system does not tell.
    descriptors: Option<usize>,
}

impl Left {
    fn now() -> Self {
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            descriptors: std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
        }
    }

    /// What is there beyond this count. Waits a while until it is nothing, since a task may be about to end.
    async fn settle(self) -> Self {
        for _ in 0..500 {
            if self.beyond().check().is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.beyond()
    }

    fn beyond(self) -> Self {
        let now = Self::now();
        Self {
            tasks: now.tasks.saturating_sub(self.tasks),
            descriptors: now.descriptors.map(|count| count.saturating_sub(self.descriptors.unwrap_or_default())),
        }
    }

    fn check(self) -> Result<(), Box<dyn Error>> {
        if self.tasks > 0 || self.descriptors.is_some_and(|count| count > 0) {
            return Err("tasks or descriptors were left over".into());
        }
        Ok(())
    }
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} tasks left, ", self.tasks)?;
        match self.descriptors {
            Some(count) => write!(f, "{count} descriptors left"),
            None => f.write_str("descriptors not counted here"),
        }
    }
}

const LIMIT: Duration = Duration::from_secs(60);

/// Calls of one connection that are open at the same time.
const LANES: u64 = 8;
