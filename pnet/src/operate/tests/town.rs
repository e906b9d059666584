//! A protocol with every kind of action and handler that an operator may run.

use std::{
    num::NonZeroU8,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pnet::{
    Arrival, Client, Cx, Extract, Failure, Hub, Meta, Packet, Peer, Refused, SendError, Service, StreamSender, action,
    actions, protocol,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::{
    calls::json::Json,
    connection::Conn,
    inspect::{Inspect, Inspector},
    memory::MemoryServer,
    operate::{TriggerError, Triggered},
};

macro_rules! packets {
    ($($name:ident { $($field:ident: $type:ty),* })*) => {$(
        #[derive(Clone, Debug, PartialEq, Packet, Serialize, Deserialize)]
        pub(super) struct $name { $(pub(super) $field: $type),* }
    )*};
}

packets! {
    Add { a: i64, b: i64 }
    Sum { sum: i64 }
    Divide { a: i64, b: i64 }
    ByZero { a: i64 }
    Touch {}
    Big { len: usize }
    Remember { word: String }
    Wait { n: u32 }
    Finish { n: u32 }
    Aside { n: u32 }
    Whoami {}
    WhoamiNow {}
    Badge {}
    Guest {}
    Name { name: String }
    Shout { text: String }
    Heard { text: String }
    Fail { how: String }
    Count { to: u32, fail: bool }
    Number { n: u32 }
    Odd { n: NonZeroU8 }
    Hint { n: u32 }
    Ask { n: u32 }
}

protocol! {
    pub(super) Town {
        client {
            Add -> Sum,
            Divide -> Result<Sum, ByZero>,
            Touch -> (),
            Big -> Name,
            Remember,
            Wait -> Sum,
            Finish -> Sum,
            Aside,
            Whoami -> Name,
            WhoamiNow -> Name,
            Badge -> Name,
            Guest -> Name,
            Shout,
            Fail -> Sum,
            Count -> stream Result<Number, ByZero>,
            Odd -> (),
        }
        server { Heard, Hint, Ask -> Sum }
    }
}

/// What the handlers of one side share.
#[derive(Debug)]
pub(super) struct Book {
    lines: Mutex<Vec<String>>,
    /// Handlers that wait take one.
    pub(super) gate: Semaphore,
    /// Handlers that have begun to wait, and those of them that were not dropped before their end.
    pub(super) begun: AtomicUsize,
    pub(super) ended: AtomicUsize,
    dropped: AtomicUsize,
}

impl Book {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            lines: Mutex::default(),
            gate: Semaphore::new(0),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
        })
    }

    fn note(&self, line: impl Into<String>) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until so many handlers have begun to wait at the gate.
    pub(super) async fn begun(&self, count: usize) {
        until("handlers begin", || self.begun.load(Ordering::SeqCst) >= count).await;
    }

    pub(super) async fn dropped(&self, count: usize) {
        until("handlers are dropped", || self.dropped.load(Ordering::SeqCst) >= count).await;
    }

    /// Handlers that have waited and are no more.
    pub(super) fn gone(&self) -> usize {
        self.ended.load(Ordering::SeqCst) + self.dropped.load(Ordering::SeqCst)
    }

    async fn wait(&self) {
        struct Dropped<'a>(&'a Book, bool);
        impl Drop for Dropped<'_> {
            fn drop(&mut self) {
                let count = if self.1 { &self.0.ended } else { &self.0.dropped };
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
        let mut here = Dropped(self, false);
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.expect("the gate stays").forget();
        here.1 = true;
    }
}

/// Waits for what another task does; not by the clock, which tests stop.
pub(super) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..100_000 {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("in vain: {what}");
}

/// Each connection's own.
#[derive(Debug)]
pub(super) struct Citizen {
    name: String,
}

#[action(connect)]
fn comes(book: &Book) -> Citizen {
    book.note("comes");
    Citizen { name: "a citizen".to_owned() }
}

#[action(disconnect)]
fn goes(book: &Book) {
    book.note("goes");
}

#[action("ADD")]
fn add(p: Add) -> Sum {
    Sum { sum: p.a + p.b }
}

#[action("DIVIDE")]
async fn divide(p: Divide) -> Result<Sum, ByZero> {
    tokio::task::yield_now().await;
    if p.b == 0 { Err(ByZero { a: p.a }) } else { Ok(Sum { sum: p.a / p.b }) }
}

#[action("TOUCH")]
fn touch(_: Touch, meta: Meta) -> Result<(), Failure> {
    if meta.is_call() && meta.created().is_some() { Ok(()) } else { Err(Failure::internal("no call")) }
}

#[action("BIG")]
fn big(p: Big) -> Name {
    Name { name: "x".repeat(p.len) }
}

#[action("REMEMBER")]
async fn remember(p: Remember, book: &Book) {
    if p.word == "slowly" {
        book.wait().await;
    }
    book.note(p.word);
}

#[action("ASIDE", concurrent)]
async fn aside(p: Aside, book: &Book) {
    book.wait().await;
    book.note(format!("aside {}", p.n));
}

#[action("WAIT")]
async fn wait(p: Wait, book: &Book) -> Sum {
    book.wait().await;
    Sum { sum: p.n.into() }
}

#[action("FINISH", finish)]
async fn finish(p: Finish, book: &Book) -> Sum {
    book.wait().await;
    Sum { sum: p.n.into() }
}

#[action("WHOAMI")]
async fn whoami(_: Whoami, peer: Peer<Town>) -> Name {
    Name { name: peer.id().to_string() }
}

#[action("WHOAMI_NOW")]
fn whoami_now(_: WhoamiNow, peer: Peer<Town>) -> Name {
    Name { name: peer.id().to_string() }
}

#[action("BADGE")]
fn badge(_: Badge, citizen: &Citizen) -> Name {
    Name { name: citizen.name.clone() }
}

/// An extractor of the program's own that asks for the peer.
struct Address(String);

impl<S: Service<Protocol = Town, Side = pnet_protocol::protocol::ServerSide>> Extract<S> for Address {
    type Rejection = Failure;

    fn extract(cx: &Cx<S>) -> Result<Self, Failure> {
        Ok(Self(cx.peer::<Town>().addr().to_string()))
    }
}

#[action("GUEST")]
fn guest(_: Guest, address: Address) -> Name {
    Name { name: address.0 }
}

#[action("SHOUT")]
fn shout(p: Shout, hub: Hub<Town>) {
    hub.broadcast(&Heard { text: p.text });
}

#[action("FAIL")]
async fn fail(p: Fail) -> Result<Sum, Failure> {
    match p.how.as_str() {
        "public" => Err(Failure::public("no-luck", "there was no luck")),
        "internal" => Err(Failure::internal("the cellar is flooded")),
        _ => panic!("the roof is gone"),
    }
}

#[action("COUNT")]
async fn count(p: Count, out: StreamSender<Number>, book: &Book) -> Result<Result<(), ByZero>, SendError> {
    for n in 1..=p.to {
        out.send(Number { n }).await?;
    }
    if p.to == 0 {
        book.note(format!("{:?}", out.closed().await));
    }
    Ok(if p.fail { Err(ByZero { a: 0 }) } else { Ok(()) })
}

#[action("ODD")]
fn odd(_: Odd) {}

actions! {
    pub(super) server TownServer(Book) for Town(Citizen):
        comes, goes, add, divide, touch, big, remember, aside, wait, finish, whoami, whoami_now, badge, guest, shout, fail, count, odd
}

#[action("HEARD")]
fn heard(p: Heard, book: &Book) {
    book.note(p.text);
}

#[action("HINT")]
fn hint(p: Hint, book: &Book) {
    book.note(format!("hint {}", p.n));
}

#[action("ASK")]
async fn ask(p: Ask, client: Client<Town>) -> Result<Sum, Failure> {
    Ok(client.call(Add { a: p.n.into(), b: 1 }).await?)
}

actions! { pub(super) client Ui(Book) for Town: heard, hint, ask }

/// A server in memory, its operator's handle, and its book.
pub(super) struct Served {
    pub(super) server: MemoryServer<Town>,
    pub(super) inspector: Inspector,
    pub(super) book: Arc<Book>,
}

pub(super) fn serve() -> Served {
    let book = Book::new();
    let server = pnet::serve(TownServer, Arc::clone(&book)).in_memory();
    let inspector = server.inspector();
    Served { server, inspector, book }
}

impl Served {
    pub(super) async fn client(&self) -> (Client<Town>, Arc<Book>) {
        let ui = Book::new();
        let client = self.server.connect(Ui, Arc::clone(&ui)).await.expect("memory connects");
        (client, ui)
    }

    /// The connection that came last.
    pub(super) fn conn(&self) -> Arc<Conn> {
        self.inspector.conns().pop().expect("there is a connection")
    }

    pub(super) async fn run(&self, action: &str, data: serde_json::Value) -> Result<Triggered, TriggerError> {
        self.inspector.trigger(&Json::new(action, data), None, "ada").await
    }

    pub(super) async fn run_as(
        &self,
        conn: &Arc<Conn>,
        action: &str,
        data: serde_json::Value,
    ) -> Result<Triggered, TriggerError> {
        self.inspector.trigger(&Json::new(action, data), Some(conn), "ada").await
    }
}

/// The data of the answer.
pub(super) fn answer(triggered: Result<Triggered, TriggerError>) -> serde_json::Value {
    match triggered {
        Ok(Triggered::Answer(json)) => json.into_data(),
        Ok(Triggered::Done) => json!("done"),
        other => panic!("no answer: {other:?}"),
    }
}

/// In so long all is over, or nothing will come of it.
pub(super) const DEADLINE: Duration = Duration::from_secs(60);

// ── A town whose gate is guarded ──

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Pass {
    pub(super) name: String,
}

#[derive(Debug)]
pub(super) struct User(String);

protocol! {
    pub(super) Gated {
        credentials Pass;
        client { Whoami -> Name, Guest -> Name, Add -> Sum }
    }
}

#[action(authenticate)]
fn look(pass: Pass, _: &Arrival) -> Result<User, Refused> {
    Ok(User(pass.name))
}

mod gated {
    use super::*;

    #[action("WHOAMI")]
    pub(super) fn whoami(_: Whoami, user: &User) -> Name {
        Name { name: user.0.clone() }
    }

    /// An extractor that asks for the user by itself.
    pub(super) struct Known(String);

    impl<S: Service> Extract<S> for Known {
        type Rejection = Failure;

        fn extract(cx: &Cx<S>) -> Result<Self, Failure> {
            cx.user::<User>().map(|user| Self(user.0.clone())).ok_or_else(|| Failure::public("unknown", "who are you?"))
        }
    }

    #[action("GUEST")]
    pub(super) fn guest(_: Guest, known: Known) -> Name {
        Name { name: known.0 }
    }
}

actions! { pub(super) server GatedServer for Gated: look, gated::whoami, gated::guest, add }
actions! { pub(super) client GatedUi for Gated: }
