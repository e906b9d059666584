//! The protocol that the rows assume, and what its handlers do.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use pnet::{
    Closed, Failure, Hub, Meta, Packet, Peer, Refused, Retry, SendError, StreamSender, action, actions, protocol,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Echo {
    pub(crate) text: String,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Half {
    pub(crate) n: i64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Halved {
    pub(crate) n: i64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Odd {
    pub(crate) n: i64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Touch {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct When {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Time {
    pub(crate) us: Option<i64>,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Maybe {
    pub(crate) n: Option<u32>,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Hold {
    pub(crate) n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Held {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Pause {
    pub(crate) ms: u64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Shout {
    pub(crate) text: String,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) q: String,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) yes: bool,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Boom {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) to: u32,
    pub(crate) odd: Option<bool>,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Left {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Ms {
    pub(crate) ms: Option<u64>,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct News {
    pub(crate) text: String,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Confirm {
    pub(crate) q: String,
}

protocol! {
    pub(crate) Table {
        credentials Option<Value>;
        client {
            Echo -> Echo,
            Note,
            Half -> Result<Halved, Odd>,
            Touch -> (),
            When -> Time,
            Maybe -> Maybe,
            Hold -> Held,
            Pause,
            Shout,
            Ask -> Answer,
            Boom -> (),
            Count -> stream Result<Number, Odd>,
            Left -> Ms,
        }
        server { News, Confirm -> Answer }
    }
}

/// What handlers write down.
#[derive(Debug, Default)]
pub(crate) struct Book {
    lines: Mutex<Vec<String>>,
    opened: Mutex<u32>,
    left: Mutex<Vec<String>>,
    /// How long the connect handler takes.
    joining: Duration,
    /// What clients have to show.
    wanted: Option<Value>,
}

impl Book {
    /// One whose connect handler takes so long, and whose clients have to show this.
    pub(crate) fn new(joining: Duration, wanted: Option<Value>) -> Self {
        Self { joining, wanted, ..Self::default() }
    }

    pub(crate) fn write(&self, line: String) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections were opened.
    pub(crate) fn opened(&self) -> u32 {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The codes of those that have ended.
    pub(crate) fn left(&self) -> Vec<String> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[action(connect)]
async fn joined(book: &Book) {
    if !book.joining.is_zero() {
        tokio::time::sleep(book.joining).await;
    }
    *book.opened.lock().unwrap_or_else(PoisonError::into_inner) += 1;
}

#[action(disconnect)]
fn left(book: &Book, why: &Closed) {
    book.left.lock().unwrap_or_else(PoisonError::into_inner).push(shown(why));
}

/// A close as the table writes it.
pub(crate) fn shown(why: &Closed) -> String {
    match why.retry() {
        Retry::After(ms) => format!("{} retry {ms}", why.code()),
        Retry::Never => format!("{} retry never", why.code()),
        _ => why.code().to_string(),
    }
}

#[action("ECHO")]
fn echo(p: Echo, book: &Book) -> Echo {
    let shown: String = p.text.chars().take(20).collect();
    book.write(format!("ECHO {shown}"));
    p
}

#[action("NOTE")]
fn note(p: Note, book: &Book) {
    book.write(format!("NOTE {}", p.n));
}

#[action("HALF")]
fn half(p: Half, book: &Book) -> Result<Halved, Odd> {
    book.write(format!("HALF {}", p.n));
    if p.n % 2 == 0 { Ok(Halved { n: p.n / 2 }) } else { Err(Odd { n: p.n }) }
}

#[action("TOUCH")]
fn touch(_: Touch, book: &Book) {
    book.write("TOUCH".to_owned());
}

#[action("WHEN")]
fn when(_: When, meta: &Meta) -> Time {
    let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let us = meta.created().map(|time| match time.duration_since(UNIX_EPOCH) {
        Ok(after) => micros(after),
        Err(before) => -micros(before.duration()),
    });
    Time { us }
}

#[action("MAYBE")]
fn maybe(p: Maybe) -> Maybe {
    p
}

/// Lets in who shows what the row says; anybody, if it says nothing.
#[action(authenticate)]
fn look(shown: Option<Value>, book: &Book) -> Result<Shown, Refused> {
    if book.wanted.as_ref().is_none_or(|wanted| shown.as_ref() == Some(wanted)) {
        Ok(Shown)
    } else {
        Err("that is something else".into())
    }
}

/// Credentials as a row of the table writes them: JSON, or a text without quotes.
pub(crate) fn pass(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))
}

/// Nobody asks what it was.
pub(crate) struct Shown;

#[action("HOLD")]
async fn hold(p: Hold, book: &Book) -> Held {
    book.write(format!("HOLD {}", p.n));
    let _dropped = Dropped(book, "HOLD", p.n);
    std::future::pending().await
}

struct Dropped<'a>(&'a Book, &'static str, u32);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.write(format!("{} {} ends", self.1, self.2));
    }
}

#[action("PAUSE")]
async fn pause(p: Pause, book: &Book) {
    tokio::time::sleep(Duration::from_millis(p.ms)).await;
    book.write(format!("PAUSE {}", p.ms));
}

#[action("SHOUT")]
fn shout(p: Shout, hub: Hub<Table>, book: &Book) {
    let told = hub.broadcast(&News { text: p.text });
    book.write(format!("SHOUT to {}", told.queued));
}

#[action("ASK")]
async fn ask(p: Ask, peer: Peer<Table>) -> Result<Answer, Failure> {
    Ok(peer.call(Confirm { q: p.q }).await?)
}

#[action("BOOM")]
fn boom(_: Boom) -> Result<(), Failure> {
    Err(std::io::Error::other("a secret of the server"))?;
    Ok(())
}

#[action("COUNT")]
async fn count(p: Count, book: &Book, out: StreamSender<Number>) -> Result<Result<(), Odd>, SendError> {
    let _dropped = Dropped(book, "COUNT", p.to);
    for n in 1..=p.to {
        out.send(Number { n }).await?;
    }
    Ok(if p.odd == Some(true) { Err(Odd { n: i64::from(p.to) }) } else { Ok(()) })
}

#[action("LEFT")]
fn left_of(_: Left, meta: &Meta) -> Ms {
    Ms { ms: meta.remaining().and_then(|left| u64::try_from(left.as_millis()).ok()) }
}

actions! { pub(crate) server TableServer(Book) for Table: look, joined, left, echo, note, half, touch, when, maybe, hold, pause, shout, ask, boom, count, left_of }

#[action("NEWS")]
fn news(p: News, book: &Book) {
    book.write(format!("NEWS {}", p.text));
}

#[action("CONFIRM")]
fn confirm(p: Confirm, book: &Book) -> Answer {
    book.write(format!("CONFIRM {}", p.q));
    Answer { yes: p.q == "sure" }
}

actions! { pub(crate) client TableClient(Book) for Table: news, confirm }
