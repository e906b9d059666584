//! What the tests speak: packets with secrets in them, handlers that go wrong, and a server to be visited, in plain text or
//! over TLS.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use pnet::{
    Arrival, Client, Failure, Identity, Packet, Peer, Refused, Schema, Secret, SendError, ServerBuilder, StreamSender,
    action, actions, memory::MemoryServer, protocol,
};
use serde::{Deserialize, Serialize};

/// A packet that is shown by its `Debug`, with a field that is secret.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Secret,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Welcome {
    pub(crate) key: Secret,
}

/// A declared error, which callers print.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Denied {
    pub(crate) tried: Secret,
}

/// A packet whose text is nobody's business.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Keep {
    pub(crate) text: String,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) text: String,
}

/// A call that goes wrong.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Fail {
    pub(crate) how: How,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Schema, Serialize, Deserialize)]
pub(crate) enum How {
    Panic,
    Error,
    Words,
    Never,
}

/// One-way.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Whisper {
    pub(crate) text: String,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct List {
    pub(crate) count: u8,
    pub(crate) text: String,
}

/// What is easily malformed.
#[derive(Debug, Packet, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Strict {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
}

#[derive(Debug, Schema, Serialize, Deserialize)]
pub(crate) enum Kind {
    One,
    Two,
}

/// Pushed to one client.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) text: Secret,
}

/// Pushed to all.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct News {
    pub(crate) n: u32,
}

/// Asked by the server.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Ask {
    pub(crate) text: String,
}

protocol! {
    /// What the visits speak.
    pub(crate) Talk {
        credentials String;
        client {
            Login -> Result<Welcome, Denied>,
            Keep -> Kept,
            Fail -> (),
            Whisper,
            List -> stream Kept,
            Strict -> (),
        }
        server { Told, News, Ask -> Kept, Strict -> () }
    }
}

/// What the server's handlers know.
#[derive(Default)]
pub(crate) struct House {
    /// The connect handler refuses everybody.
    pub(crate) shut: AtomicBool,
}

/// Who has shown this.
pub(crate) struct Guest {
    pub(crate) shown: String,
}

#[action(authenticate)]
async fn look(shown: String, _from: &Arrival) -> Result<Guest, Refused> {
    if shown.starts_with(LETMEIN) { Ok(Guest { shown }) } else { Err("nobody is let in with that".into()) }
}

#[action(connect)]
fn arrive(house: &House) -> Result<(), Refused> {
    if house.shut.load(Ordering::SeqCst) { Err("not today".into()) } else { Ok(()) }
}

#[action("LOGIN")]
fn login(p: Login) -> Result<Welcome, Denied> {
    if p.user == "nobody" { Err(Denied { tried: p.password }) } else { Ok(Welcome { key: p.password }) }
}

#[action("KEEP")]
fn keep(p: Keep, guest: &Guest) -> Kept {
    assert!(guest.shown.starts_with(LETMEIN), "is let in");
    Kept { text: p.text }
}

#[action("FAIL")]
async fn fail(p: Fail, peer: Peer<Talk>) -> Result<(), Failure> {
    match p.how {
        How::Panic => panic!("a handler panics, as the test wants"),
        How::Error => {
            // What the client answers may be something else than was declared, and then the log shows why.
            peer.call(Strict { number: 0, kind: Kind::One }).await?;
            Err(io::Error::other("the disk is full"))?;
        }
        How::Words => return Err(Failure::public("too-early", "come back at nine")),
        How::Never => std::future::pending().await,
    }
    Ok(())
}

#[action("WHISPER")]
fn whisper(_: Whisper) {}

#[action("LIST")]
async fn list(p: List, out: StreamSender<Kept>) -> Result<(), SendError> {
    for _ in 0..p.count {
        out.send(Kept { text: p.text.clone() }).await?;
    }
    Ok(())
}

#[action("STRICT")]
fn strict(_: Strict) {}

actions! { pub(crate) server HouseServer(House) for Talk: look, arrive, login, keep, fail, whisper, list, strict }

#[action("TOLD")]
fn told(_: Told) {}

#[action("NEWS")]
fn news(_: News) {}

#[action("ASK")]
async fn ask(p: Ask, _client: Client<Talk>) -> Kept {
    Kept { text: p.text }
}

#[action("STRICT")]
fn answer_strict(_: Strict) {}

actions! { pub(crate) client HouseClient for Talk: told, news, ask, answer_strict }

/// What the credentials of all who may come in begin with.
pub(crate) const LETMEIN: &str = "letmein";

/// A server that wants credentials.
pub(crate) fn builder(house: &Arc<House>) -> ServerBuilder<HouseServer> {
    pnet::serve(HouseServer, Arc::clone(house))
}

/// The same server, with a key.
pub(crate) fn with_key(house: &Arc<House>, identity: Identity) -> MemoryServer<Talk> {
    builder(house).identity(identity).in_memory()
}
