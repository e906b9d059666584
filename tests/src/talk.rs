//! A protocol whose handlers do whatever a test of the engine needs: wait at a gate, fail, panic, call back.
//!
//! Handlers write down what they do; gates are opened by the tests. Nothing here depends on time.

use std::sync::{Mutex, PoisonError};

use pnet::{
    ByteBuf, Bytes, Client, Closed, Failure, Hub, Packet, Peer, SendError, StreamSender, action, actions, protocol,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

/// One-way: noted on the spot.
#[derive(Clone, Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct Note {
    /// Which one.
    pub n: u32,
}

/// One-way: waits at the gate.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Wait {
    /// Which one.
    pub n: u32,
}

/// One-way, concurrent: waits at the gate.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Aside {
    /// Which one.
    pub n: u32,
}

/// One-way: its handler calls the client back before it ends.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Consult {
    /// Which one.
    pub n: u32,
}

/// Answered with what was written down so far.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Read {}

/// What was written down.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Lines {
    /// In order.
    pub lines: Vec<String>,
}

/// A call that waits at the gate.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Hold {
    /// Which one.
    pub n: u32,
}

/// A call that waits at the gate and runs to its end.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Pay {
    /// Which one.
    pub n: u32,
}

/// The answer to most calls.
#[derive(Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct Done {
    /// Which one.
    pub n: u32,
}

/// Answered with a quotient or a declared error.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Divide {
    /// Dividend.
    pub a: i64,
    /// Divisor.
    pub b: i64,
}

/// The quotient.
#[derive(Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct Quotient {
    /// The quotient.
    pub q: i64,
}

/// Why there is none.
#[derive(Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct ByZero {}

/// Answered with the same bytes.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Echo<'a> {
    /// Anything.
    #[serde(borrow)]
    pub data: Bytes<'a>,
}

/// The same bytes.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Echoed {
    /// Anything.
    pub data: ByteBuf,
}

/// A call whose handler goes wrong.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Break {
    /// In which way.
    pub how: How,
}

/// Ways to go wrong.
#[expect(clippy::exhaustive_enums, reason = "the tests name every way")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, pnet::Schema, Serialize, Deserialize)]
pub enum How {
    /// Panics at once.
    Panic,
    /// Panics after having waited.
    PanicLater,
    /// Fails with an error of its own, which stays secret.
    Secret,
    /// Fails with words for the caller.
    Public,
    /// Is fine.
    Not,
}

/// One-way: its handler panics.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Stumble {}

/// A call whose handler asks the client first.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct AskBack {
    /// Which one.
    pub n: u32,
}

/// One-way: that many pushes come back.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Flood {
    /// How many.
    pub pushes: u32,
}

/// Answered with nothing.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Touch {}

/// Answered with the numbers from 1.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Count {
    /// The last one.
    pub to: u32,
}

/// Answered with numbers, and an end as asked for.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Follow {
    /// The last one.
    pub to: u32,
    /// What comes then.
    pub then: Then,
}

/// Answered with numbers by a handler that runs to its end.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Drip {
    /// Which one.
    pub n: u32,
}

/// Answered with large items.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Fetch {
    /// How many.
    pub items: u32,
    /// Bytes of each.
    pub len: u32,
}

/// How a stream ends.
#[expect(clippy::exhaustive_enums, reason = "the tests name every way")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, pnet::Schema, Serialize, Deserialize)]
pub enum Then {
    /// As it should.
    Done,
    /// With the declared error.
    Declared,
    /// With words for the consumer.
    Public,
    /// With a panic.
    Panic,
    /// At the gate, then as it should.
    Gate,
    /// When nobody wants it any more.
    Never,
    /// When it is told that it should.
    WhenTold,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct Number {
    /// Which one.
    pub n: u32,
}

/// Asked by the server, answered with the numbers from 1.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Tail {
    /// The last one.
    pub to: u32,
}

/// Pushed by the server.
#[derive(Clone, Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct Push {
    /// Which one.
    pub n: u32,
}

/// Asked by the server.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Ask {
    /// Which one.
    pub n: u32,
}

/// The client's answer.
#[derive(Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
pub struct Told {
    /// Which one, doubled.
    pub n: u32,
}

protocol! {
    /// What the tests of the engine speak.
    pub Talk {
        client {
            Note, Wait, Aside, Consult, Stumble, Flood,
            Read -> Lines,
            Hold -> Done,
            Pay -> Done,
            Divide -> Result<Quotient, ByZero>,
            Echo<'_> -> Echoed,
            Break -> Done,
            AskBack -> Done,
            Touch -> (),
            Count -> stream Number,
            Follow -> stream Result<Number, ByZero>,
            Drip -> stream Number,
            Fetch -> stream Echoed,
        }
        server { Push, Ask -> Told, Note, Tail -> stream Number }
    }
}

/// What the handlers of one side share: lines written down, and a gate.
#[derive(Debug)]
pub struct Book {
    lines: Mutex<Vec<String>>,
    changed: tokio::sync::watch::Sender<usize>,
    /// Handlers that wait take a permit.
    pub gate: Semaphore,
}

impl Default for Book {
    fn default() -> Self {
        Self { lines: Mutex::default(), changed: tokio::sync::watch::Sender::new(0), gate: Semaphore::new(0) }
    }
}

impl Book {
    /// Writes a line.
    pub fn write(&self, line: impl Into<String>) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push(line.into());
        self.changed.send_replace(lines.len());
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until there are that many lines, and gives all of them.
    pub async fn after(&self, count: usize) -> Vec<String> {
        let mut changed = self.changed.subscribe();
        changed.wait_for(|lines| *lines >= count).await.expect("the book is still there");
        self.lines()
    }

    /// Waits for a line.
    pub async fn line(&self, line: &str) {
        let mut changed = self.changed.subscribe();
        changed.wait_for(|_| self.lines().iter().any(|known| known == line)).await.expect("the book is still there");
    }

    /// Lets `count` waiting handlers go on.
    pub fn open(&self, count: usize) {
        self.gate.add_permits(count);
    }

    async fn pass(&self) {
        self.gate.acquire().await.expect("the gate is never closed").forget();
    }
}

/// Writes a line if it is dropped before its end.
struct Unfinished<'a>(&'a Book, Option<String>);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.1.take() {
            self.0.write(line);
        }
    }
}

#[action("NOTE")]
fn note(p: Note, book: &Book) {
    book.write(format!("note {}", p.n));
}

#[action("WAIT")]
async fn wait(p: Wait, book: &Book) {
    book.write(format!("wait {} begins", p.n));
    book.pass().await;
    book.write(format!("wait {} ends", p.n));
}

#[action("ASIDE", concurrent)]
async fn aside(p: Aside, book: &Book) {
    book.write(format!("aside {} begins", p.n));
    book.pass().await;
    book.write(format!("aside {} ends", p.n));
}

#[action("CONSULT")]
async fn consult(p: Consult, book: &Book, peer: Peer<Talk>) -> Result<(), Failure> {
    book.write(format!("consult {} begins", p.n));
    let told = peer.call(Ask { n: p.n }).await?;
    book.write(format!("consult {} was told {}", p.n, told.n));
    Ok(())
}

#[action("STUMBLE")]
fn stumble(_: Stumble) {
    panic!("a one-way handler panics, as the test wants");
}

#[action("FLOOD")]
async fn flood(p: Flood, peer: Peer<Talk>) -> Result<(), Failure> {
    for n in 0..p.pushes {
        peer.send(Push { n }).await?;
    }
    Ok(())
}

#[action("READ")]
fn read(_: Read, book: &Book) -> Lines {
    Lines { lines: book.lines() }
}

#[action("HOLD")]
async fn hold(p: Hold, book: &Book) -> Done {
    book.write(format!("hold {} begins", p.n));
    let mut unfinished = Unfinished(book, Some(format!("hold {} was cancelled", p.n)));
    book.pass().await;
    unfinished.1 = None;
    book.write(format!("hold {} ends", p.n));
    Done { n: p.n }
}

#[action("PAY", finish)]
async fn pay(p: Pay, book: &Book) -> Done {
    book.write(format!("pay {} begins", p.n));
    let mut unfinished = Unfinished(book, Some(format!("pay {} was cancelled", p.n)));
    book.pass().await;
    unfinished.1 = None;
    book.write(format!("pay {} ends", p.n));
    Done { n: p.n }
}

#[action("DIVIDE")]
fn divide(p: Divide) -> Result<Quotient, ByZero> {
    p.a.checked_div(p.b).map(|q| Quotient { q }).ok_or(ByZero {})
}

#[action("ECHO")]
fn echo(p: Echo<'_>) -> Echoed {
    Echoed { data: p.data.into() }
}

#[action("BREAK")]
async fn go_wrong(p: Break, book: &Book) -> Result<Done, Failure> {
    match p.how {
        How::Panic => panic!("a handler panics, as the test wants"),
        How::PanicLater => {
            book.pass().await;
            panic!("a handler panics later, as the test wants");
        }
        How::Secret => {
            Err(std::io::Error::other("the database password is hunter2"))?;
        }
        How::Public => return Err(Failure::public("too-early", "come back at nine")),
        How::Not => {}
    }
    Ok(Done { n: 0 })
}

#[action("ASK_BACK")]
async fn ask_back(p: AskBack, peer: Peer<Talk>) -> Result<Done, Failure> {
    let told = peer.call(Ask { n: p.n }).await?;
    Ok(Done { n: told.n })
}

#[action("TOUCH")]
fn touch(_: Touch) {}

#[action("COUNT")]
async fn count(p: Count, book: &Book, out: StreamSender<Number>) -> Result<(), SendError> {
    let mut unfinished = Unfinished(book, Some(format!("count {} was cancelled", p.to)));
    for n in 1..=p.to {
        out.send(Number { n }).await?;
    }
    unfinished.1 = None;
    book.write(format!("count {} ends", p.to));
    Ok(())
}

#[action("FOLLOW")]
async fn follow(out: StreamSender<Number>, p: Follow, book: &Book) -> Result<Result<(), ByZero>, Failure> {
    for n in 1..=p.to {
        out.send(Number { n }).await?;
    }
    let mut unfinished = Unfinished(book, Some("follow was cancelled".into()));
    match p.then {
        Then::Done => {}
        Then::Declared => {
            unfinished.1 = None;
            return Ok(Err(ByZero {}));
        }
        Then::Public => {
            unfinished.1 = None;
            return Err(Failure::public("no-more", "that is all"));
        }
        Then::Panic => {
            unfinished.1 = None;
            panic!("the handler of a stream panics, as the test wants");
        }
        Then::Gate => book.pass().await,
        Then::Never => std::future::pending().await,
        Then::WhenTold => {
            let why = out.closed().await;
            unfinished.1 = None;
            book.write(format!("follow was told: {why}"));
            return Err(why.into());
        }
    }
    unfinished.1 = None;
    book.write("follow ends");
    Ok(Ok(()))
}

#[action("DRIP", finish)]
async fn drip(p: Drip, book: &Book, out: StreamSender<Number>) {
    let mut n = 0;
    let why = loop {
        n += 1;
        book.pass().await;
        if let Err(why) = out.send(Number { n }).await {
            break why;
        }
    };
    book.write(format!("drip {} ends: {why}", p.n));
}

#[action("FETCH")]
async fn fetch(p: Fetch, out: StreamSender<Echoed>, book: &Book) -> Result<(), SendError> {
    for n in 0..p.items {
        out.send(Echoed { data: ByteBuf::from(vec![0; p.len as usize]) }).await?;
        book.write(format!("fetched {n}"));
    }
    Ok(())
}

#[action(disconnect)]
fn left(book: &Book, why: &Closed, hub: Hub<Talk>) {
    book.write(format!("left: {} ({}), {} remain", why.code(), why.reason(), hub.len()));
}

actions! {
    /// Does what the tests want.
    pub server TalkServer(Book) for Talk:
        note, wait, aside, consult, stumble, flood, read, hold, pay, divide, echo, go_wrong, ask_back, touch,
        count, follow, drip, fetch, left
}

#[action("PUSH")]
async fn push(p: Push, book: &Book, client: Client<Talk>) -> Result<(), Failure> {
    if p.n == 0 {
        // Calls the server while other pushes wait behind this one.
        let lines = client.call(Read {}).await?;
        book.write(format!("push 0 after reading {}", lines.lines.len()));
    } else {
        book.write(format!("push {}", p.n));
    }
    Ok(())
}

#[action("ASK")]
async fn ask(p: Ask, book: &Book) -> Told {
    book.write(format!("asked {}", p.n));
    Told { n: p.n * 2 }
}

#[action("NOTE")]
fn noted(p: Note, book: &Book) {
    book.write(format!("noted {}", p.n));
}

#[action("TAIL")]
async fn tail(p: Tail, book: &Book, out: StreamSender<Number>) -> Result<(), SendError> {
    for n in 1..=p.to {
        out.send(Number { n }).await?;
    }
    book.write(format!("tail {} ends", p.to));
    Ok(())
}

actions! {
    /// Answers what the server asks.
    pub client TalkClient(Book) for Talk: push, ask, noted, tail
}
