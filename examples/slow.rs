//! Slow consumers: half of the clients stop reading while everybody is broadcast to. The others notice nothing, the memory
//! stays small, and who does not read is closed.
//!
//! The program is the server and starts itself again as the client process. The pages that reach the readers are 256 MiB in
//! all: to send 256 MiB to each of them would be 128 GiB, which two cores do not carry in a minute. Half of those that do not
//! read speak JSON, the others are native clients that allow any number of packets, so that nothing but the full socket holds
//! the server back; the system's buffers are made small, so that they are full soon. It ends with an error after 60 s, or if a
//! promise is not kept. Other numbers may be given: readers, non-readers, MiB.
//!
//! ```text
//! $ cargo run --release --example slow 500 500 256
//! server: 500 readers, 500 that do not read, 256 MiB in 65 pages
//! client: 1000 connections open
//! server: 500 connections are blocked
//! promise: every page arrives at every reader, in order; measured: 0 missing, 0 out of order
//! promise: 99 of 100 pages arrive within 100 ms, or 5 times the 13.4 ms of before; measured: 26.1 ms
//! promise: who does not read is closed as slow-consumer within 11 s; measured: 500 closed, after 7.4 s
//! promise: the memory grows by less than 96 MiB; measured: 8 MiB
//! promise: and comes back, but for 32 MiB; measured: 6 MiB
//! done in 13.6 s
//! ```

use std::{
    collections::{HashMap, HashSet},
    error::Error,
    io,
    net::SocketAddr,
    pin::Pin,
    process::{Child, Command},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use futures_util::{StreamExt, TryStreamExt, stream};
use pnet::{
    Client, CloseCode, Closed, ConnectionId, Hub, Limits, Packet, Peer, action, actions, protocol,
    transport::{PeerAddr, tcp::TcpAcceptor},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpSocket, TcpStream},
    sync::Notify,
    time::sleep,
};

/// Says what the client will do.
#[derive(Packet, Serialize, Deserialize)]
pub struct Hello {
    reads: bool,
}

/// What the readers have seen; times in microseconds.
#[derive(Clone, Packet, Serialize, Deserialize)]
pub struct Report {
    received: u64,
    wrong: u64,
    before: u64,
    meanwhile: u64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Page {
    number: u64,
    /// Microseconds since 1970.
    sent: u64,
    /// Whether everybody reads still.
    before: bool,
    text: String,
}

/// There are no more pages.
#[derive(Packet, Serialize, Deserialize)]
pub struct End {}

protocol! {
    pub Slow {
        client { Hello, Report -> () }
        server { Page, End }
    }
}

// The server process.

/// What the server knows of its clients.
#[derive(Default)]
pub struct Seen {
    readers: Mutex<HashSet<ConnectionId>>,
    others: Mutex<HashSet<ConnectionId>>,
    /// When those went that do not read, and why.
    left: Mutex<HashMap<ConnectionId, (Instant, CloseCode)>>,
    report: Mutex<Option<Report>>,
    reported: Notify,
}

#[action("HELLO")]
fn hello(p: Hello, me: Peer<Slow>, seen: &Seen) {
    locked(if p.reads { &seen.readers } else { &seen.others }).insert(me.id());
}

#[action("REPORT")]
fn report(p: Report, seen: &Seen) {
    *locked(&seen.report) = Some(p);
    seen.reported.notify_one();
}

#[action(disconnect)]
fn left(me: Peer<Slow>, why: &Closed, seen: &Seen) {
    locked(&seen.left).insert(me.id(), (Instant::now(), why.code()));
}

actions! { pub server SlowServer(Seen) for Slow: hello, report, left }

// The client process.

/// What all readers have received.
#[derive(Default)]
pub struct All {
    received: AtomicU64,
    wrong: AtomicU64,
    ended: AtomicUsize,
    progress: Notify,
    before: Mutex<Vec<u64>>,
    meanwhile: Mutex<Vec<u64>>,
}

/// One reader.
pub struct Reader {
    next: AtomicU64,
    all: Arc<All>,
}

#[action("PAGE")]
fn page(p: Page, me: &Reader) {
    let delay = now_us().saturating_sub(p.sent);
    locked(if p.before { &me.all.before } else { &me.all.meanwhile }).push(delay);
    me.all.received.fetch_add(1, Relaxed);
    if me.next.fetch_add(1, Relaxed) != p.number {
        me.all.wrong.fetch_add(1, Relaxed);
    }
}

#[action("END")]
fn end(_: End, me: &Reader) {
    me.all.ended.fetch_add(1, Relaxed);
    me.all.progress.notify_one();
}

actions! { pub client SlowClient(Reader) for Slow: page, end }

/// How much is to be done.
#[derive(Clone, Copy)]
struct Size {
    readers: usize,
    others: usize,
    mib: usize,
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
    let Size { readers, others, mib } = size;
    let pages = size.pages();
    println!("server: {readers} readers, {others} that do not read, {mib} MiB in {pages} pages");
    let seen = Arc::new(Seen::default());
    let socket = TcpSocket::new_v4()?;
    // What is accepted inherits it.
    socket.set_send_buffer_size(SYSTEM_BUFFER)?;
    socket.bind("127.0.0.1:0".parse()?)?;
    let server = pnet::serve(SlowServer, Arc::clone(&seen)).listen(TcpAcceptor::try_from(socket.listen(1024)?)?);
    let hub: Hub<Slow> = server.hub();
    let mut client = Process::start(size, server.local_addr())?;
    while locked(&seen.readers).len() < readers || locked(&seen.others).len() < others {
        client.check()?;
        sleep(Duration::from_millis(10)).await;
    }

    // Only readers, for comparison.
    let reads = locked(&seen.readers).clone();
    let mut number = 0;
    for _ in 0..pages / 4 {
        hub.broadcast_if(&Page::new(&mut number, true), |peer| reads.contains(&peer.id()));
        sleep(PAUSE).await;
    }

    let memory = Memory::watch()?;
    let mut refused = 0;
    for _ in 0..pages / 2 {
        refused += hub.broadcast(&Page::new(&mut number, false)).dropped;
        sleep(PAUSE).await;
    }
    let stopped = Instant::now();
    let written = written(&hub, &seen);
    for _ in pages / 2..pages {
        refused += hub.broadcast(&Page::new(&mut number, false)).dropped;
        sleep(PAUSE).await;
    }
    let blocked = self::written(&hub, &seen).iter().filter(|(id, bytes)| written.get(id) == Some(bytes)).count();
    println!("server: {blocked} connections are blocked");
    hub.broadcast_if(&End {}, |peer| reads.contains(&peer.id()));
    seen.reported.notified().await;
    let report = locked(&seen.report).clone().ok_or("no report")?;
    while locked(&seen.left).len() < others && stopped.elapsed() < GONE {
        sleep(Duration::from_millis(10)).await;
    }
    let gone: Vec<_> = locked(&seen.left).values().copied().collect();
    sleep(Duration::from_secs(1)).await;
    let (grown, rest) = memory.end()?;
    drop(client);

    let expected = number * readers as u64;
    let missing = expected.saturating_sub(report.received);
    let allowed = Duration::from_millis(100).max(Duration::from_micros(report.before) * 5);
    let slow = gone.iter().filter(|(_, code)| *code == CloseCode::SlowConsumer).count();
    let last = gone.iter().map(|(at, _)| at.saturating_duration_since(stopped)).max().unwrap_or_default();
    println!(
        "promise: every page arrives at every reader, in order; measured: {missing} missing, {} out of order",
        report.wrong
    );
    println!(
        "promise: 99 of 100 pages arrive within 100 ms, or 5 times the {:.1} ms of before; measured: {:.1} ms",
        millis(report.before),
        millis(report.meanwhile)
    );
    println!(
        "promise: who does not read is closed as slow-consumer within 11 s; measured: {slow} closed, after {:.1} s",
        last.as_secs_f64()
    );
    println!("promise: the memory grows by less than {GROWTH} MiB; measured: {grown} MiB");
    println!("promise: and comes back, but for {REST} MiB; measured: {rest} MiB");
    let kept = [
        (missing == 0 && report.wrong == 0 && refused == 0, "pages"),
        (Duration::from_micros(report.meanwhile) <= allowed, "delay"),
        (blocked == others, "blocked"),
        (slow == others && last <= GONE, "closed"),
        (grown < GROWTH && rest < REST, "memory"),
    ];
    let broken: Vec<_> = kept.iter().filter(|(kept, _)| !kept).map(|(_, name)| *name).collect();
    if !broken.is_empty() {
        return Err(format!("promises that were not kept: {}", broken.join(", ")).into());
    }
    server.shutdown(Duration::from_secs(1)).await;
    println!("done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// How many bytes the sockets of those have taken that do not read and are still there.
fn written(hub: &Hub<Slow>, seen: &Seen) -> HashMap<ConnectionId, u64> {
    locked(&seen.others).iter().filter_map(|id| Some((*id, hub.info(*id)?.sent.bytes))).collect()
}

async fn run_client(size: Size, address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let all = Arc::new(All::default());
    let readers: Vec<Client<Slow>> = stream::iter(0..size.readers)
        .map(|_| reader(address, Arc::clone(&all)))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    // They are held until the end, and nothing is read from them.
    let native: Vec<Client<Slow>> = stream::iter(0..size.others / 2)
        .map(|_| native(address, Arc::clone(&all)))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    let json: Vec<TcpStream> =
        stream::iter(native.len()..size.others).map(|_| json(address)).buffer_unordered(AT_ONCE).try_collect().await?;
    println!("client: {} connections open", readers.len() + native.len() + json.len());
    while all.ended.load(Relaxed) < size.readers {
        all.progress.notified().await;
    }
    let report = Report {
        received: all.received.load(Relaxed),
        wrong: all.wrong.load(Relaxed),
        before: p99(&all.before),
        meanwhile: p99(&all.meanwhile),
    };
    readers.first().ok_or("there is no reader")?.call(report).await?;
    // The server ends this process, and with it the connections.
    std::future::pending().await
}

async fn reader(address: SocketAddr, all: Arc<All>) -> Result<Client<Slow>, Box<dyn Error>> {
    let client = pnet::connect(SlowClient, Reader { next: AtomicU64::new(0), all }).to(address).await?;
    client.send(Hello { reads: true }).await?;
    Ok(client)
}

/// A native client that reads nothing once it has shaken hands, and has promised to take any number of packets.
async fn native(address: SocketAddr, all: Arc<All>) -> Result<Client<Slow>, Box<dyn Error>> {
    let reads = Arc::new(AtomicBool::new(true));
    let io = Stuck { io: small(address).await?, reads: Arc::clone(&reads) };
    let mut limits = Limits::default();
    limits.packets(32_768).packet_bytes(1 << 30);
    let client = pnet::connect(SlowClient, Reader { next: AtomicU64::new(0), all })
        .limits(limits)
        .over(io, PeerAddr::Socket(address))
        .await?;
    client.send(Hello { reads: false }).await?;
    reads.store(false, Relaxed);
    Ok(client)
}

async fn json(address: SocketAddr) -> Result<TcpStream, Box<dyn Error>> {
    let mut io = small(address).await?;
    io.write_all(br#"{"action":"HELLO","data":{"reads":false}}"#).await?;
    Ok(io)
}

/// A socket for which the system buffers little.
async fn small(address: SocketAddr) -> Result<TcpStream, io::Error> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(SYSTEM_BUFFER)?;
    socket.connect(address).await
}

/// A socket that is not read any more from some time on.
struct Stuck {
    io: TcpStream,
    reads: Arc<AtomicBool>,
}

impl AsyncRead for Stuck {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.reads.load(Relaxed) { Pin::new(&mut self.io).poll_read(task, space) } else { Poll::Pending }
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(task, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

impl Page {
    fn new(number: &mut u64, before: bool) -> Self {
        let page = Self { number: *number, sent: now_us(), before, text: "x".repeat(PAGE) };
        *number += 1;
        page
    }
}

impl Size {
    /// The numbers, and the server's address if this is the client process.
    fn parse(arguments: &[String]) -> Result<(Self, Option<SocketAddr>), Box<dyn Error>> {
        let number = |index: usize, usual: usize| match arguments.get(index) {
            Some(text) => text.parse().map_err(|_| format!("{text:?} is no number")),
            None => Ok(usual),
        };
        let size = Self { readers: number(0, 500)?, others: number(1, 500)?, mib: number(2, 256)? };
        if size.readers == 0 || arguments.len() > 4 {
            return Err("usage: slow [READERS [NON_READERS [MIB]]], with at least one reader".into());
        }
        let server = arguments.get(3).map(|text| text.parse()).transpose()?;
        Ok((size, server))
    }

    /// How many pages each reader gets while others do not read.
    fn pages(self) -> usize {
        (self.mib << 20) / self.readers / PAGE
    }
}

/// The client process; killed at the end.
struct Process(Child);

impl Process {
    fn start(size: Size, address: SocketAddr) -> Result<Self, io::Error> {
        let arguments = [size.readers.to_string(), size.others.to_string(), size.mib.to_string(), address.to_string()];
        Command::new(std::env::current_exe()?).args(arguments).spawn().map(Self)
    }

    /// # Errors
    ///
    /// It has ended.
    fn check(&mut self) -> Result<(), Box<dyn Error>> {
        match self.0.try_wait()? {
            None => Ok(()),
            Some(status) => Err(format!("the client process has ended: {status}").into()),
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

/// What this process occupies, from some time on. Where the system does not tell, nothing.
struct Memory {
    first: usize,
    highest: Arc<AtomicUsize>,
    watching: tokio::task::JoinHandle<()>,
}

impl Memory {
    fn watch() -> Result<Self, Box<dyn Error>> {
        let first = resident_mib()?;
        let highest = Arc::new(AtomicUsize::new(first));
        let seen = Arc::clone(&highest);
        let watching = tokio::spawn(async move {
            while let Ok(now) = resident_mib() {
                seen.fetch_max(now, Relaxed);
                sleep(Duration::from_millis(20)).await;
            }
        });
        Ok(Self { first, highest, watching })
    }

    /// By how much it has grown at most, and by how much it is larger now, in MiB.
    fn end(self) -> Result<(usize, usize), Box<dyn Error>> {
        self.watching.abort();
        Ok((self.highest.load(Relaxed) - self.first, resident_mib()?.saturating_sub(self.first)))
    }
}

fn resident_mib() -> Result<usize, String> {
    let Ok(text) = std::fs::read_to_string("/proc/self/statm") else { return Ok(0) };
    let pages: usize = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).ok_or("statm cannot be read")?;
    Ok((pages * 4096) >> 20)
}

/// 99 of 100 are not longer.
fn p99(delays: &Mutex<Vec<u64>>) -> u64 {
    let mut delays = locked(delays);
    delays.sort_unstable();
    delays.get((delays.len() * 99 / 100).min(delays.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1000.0
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const LIMIT: Duration = Duration::from_secs(60);
/// By when those are gone that do not read.
const GONE: Duration = Duration::from_secs(11);
/// Between two pages.
const PAUSE: Duration = Duration::from_millis(100);
const PAGE: usize = 8 * 1024;
/// What is asked of the system for each socket; it takes twice that, and has a least size of its own.
const SYSTEM_BUFFER: u32 = 16 * 1024;
/// Connections that are opened at the same time.
const AT_ONCE: usize = 32;
/// In MiB.
const GROWTH: usize = 96;
const REST: usize = 32;
