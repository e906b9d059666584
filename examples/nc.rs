//! What a person types into `nc`, and what a server says to it: packets as JSON, without a client.
//!
//! The program starts a library's server and plays three sessions over raw sockets. `>` is typed, `<` is received. The
//! server's objects end in `"packet-created":…,"token":"…"`, which differ each time and are left out here; a secret is
//! shown as `…`.
//!
//! ```text
//! $ cargo run --example nc
//! -- a call: its answer brings back the id
//! > {"action":"BORROW","data":{"title":"Emma"},"id":1}
//! < {"action":"LENT","data":{"days":14},"re":1}
//! -- the id may be a text, and the answer an error that is declared
//! > {"action":"BORROW","data":{"title":"Emma"},"id":"again"}
//! < {"action":"NOT_LENT","data":{"why":"Taken"},"re":"again"}
//! -- an object ends with its last brace, wherever the lines end
//! > {"action": "RETURN",
//! >  "data": {"title": "Emma"}}   {"action": "BORROW",
//! >  "data": {"title": "Emma"}, "id": 2}
//! < {"action":"LENT","data":{"days":14},"re":2}
//! -- without an id, the answer is a packet like any other
//! > {"action":"BORROW","data":{"title":"Dracula"}}
//! < {"action":"LENT","data":{"days":14}}
//! -- mistakes are told, and end nothing
//! > {"action":"STEAL","data":{"title":"Emma"},"id":3}
//! < {"action":"pnet.failure","data":{"code":"unknown-action","message":"there is no action \"STEAL\""},"re":3}
//! > {"action":"BORROW","data":{"titel":"Emma"},"id":4}
//! < {"action":"pnet.failure","data":{"code":"malformed","message":"malformed payload for action `BORROW`: missing field `title` at line 1 column 16"},"re":4}
//! > {"action":"RETURN","data":{"title":"Dracula"},"id":5}
//! < {"action":"pnet.failure","data":{"code":"no-reply","message":"`RETURN` has no answer"},"re":5}
//! -- a client in Rust borrows a book meanwhile: a push
//! < {"action":"NEWS","data":{"text":"Ulysses is not here for 14 days"}}
//! -- is anybody there?
//! > {"action":"pnet.ping","data":7}
//! < {"action":"pnet.pong","data":7}
//! -- goodbye
//! > {"action":"pnet.close","data":{"reason":"bedtime"}}
//! < (end)
//! -- ends its input at once, as `printf … | nc -N` does: answered all the same
//! > {"action":"RETURN","data":{"title":"Emma"}}{"action":"BORROW","data":{"title":"Emma"},"id":1}
//! > (end)
//! < {"action":"LENT","data":{"days":14},"re":1}
//! < (end)
//! -- says nothing for 2 s: the server begins, as the Python library's does
//! < {"action":"handShake","data":{"status":"success","uuid":"…","remoteToken":"…"}}
//! > {"action":"BORROW","data":{"title":"Emma"}}
//! < {"action":"NOT_LENT","data":{"why":"Taken"}}
//! > {"action":"disconnect","data":{"reason":"connection disconnected"}}
//! < (end)
//! ```

use std::{
    collections::BTreeSet,
    error::Error,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

use pnet::{Hub, Packet, Peer, Schema, action, actions, protocol};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

// The library.

#[derive(Packet, Serialize, Deserialize)]
pub struct Borrow {
    title: String,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Lent {
    days: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct NotLent {
    why: Why,
}

#[derive(Debug, Schema, Serialize, Deserialize)]
pub enum Why {
    Taken,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Return {
    title: String,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct News {
    text: String,
}

protocol! {
    pub Library {
        client { Borrow -> Result<Lent, NotLent>, Return }
        server { News }
    }
}

/// The books that are not here.
#[derive(Default)]
pub struct Shelf(Mutex<BTreeSet<String>>);

#[action("BORROW")]
fn borrow(p: Borrow, shelf: &Shelf, reader: Peer<Library>, hub: Hub<Library>) -> Result<Lent, NotLent> {
    if !shelf.0.lock().unwrap_or_else(PoisonError::into_inner).insert(p.title.clone()) {
        return Err(NotLent { why: Why::Taken });
    }
    hub.broadcast_except(reader.id(), &News { text: format!("{} is not here for 14 days", p.title) });
    Ok(Lent { days: 14 })
}

#[action("RETURN")]
fn give_back(p: Return, shelf: &Shelf) {
    shelf.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&p.title);
}

actions! { pub server LibraryServer(Shelf) for Library: borrow, give_back }

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = pnet::serve(LibraryServer, Shelf::default()).bind("127.0.0.1:0").await?;
    let address = server.local_addr();
    a_person_with_nc(address).await?;
    a_pipe(address).await?;
    somebody_silent(address).await
}

async fn a_person_with_nc(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    let mut nc = Nc::connect(address).await?;
    println!("-- a call: its answer brings back the id");
    nc.types(r#"{"action":"BORROW","data":{"title":"Emma"},"id":1}"#).await?;
    nc.receives().await?;
    println!("-- the id may be a text, and the answer an error that is declared");
    nc.types(r#"{"action":"BORROW","data":{"title":"Emma"},"id":"again"}"#).await?;
    nc.receives().await?;
    println!("-- an object ends with its last brace, wherever the lines end");
    nc.types(r#"{"action": "RETURN","#).await?;
    nc.types(r#" "data": {"title": "Emma"}}   {"action": "BORROW","#).await?;
    nc.types(r#" "data": {"title": "Emma"}, "id": 2}"#).await?;
    nc.receives().await?;
    println!("-- without an id, the answer is a packet like any other");
    nc.types(r#"{"action":"BORROW","data":{"title":"Dracula"}}"#).await?;
    nc.receives().await?;
    println!("-- mistakes are told, and end nothing");
    nc.types(r#"{"action":"STEAL","data":{"title":"Emma"},"id":3}"#).await?;
    nc.receives().await?;
    nc.types(r#"{"action":"BORROW","data":{"titel":"Emma"},"id":4}"#).await?;
    nc.receives().await?;
    nc.types(r#"{"action":"RETURN","data":{"title":"Dracula"},"id":5}"#).await?;
    nc.receives().await?;
    println!("-- a client in Rust borrows a book meanwhile: a push");
    let (library, _inbox) = pnet::connect_inbox::<Library>().to(address).await?;
    library.call(Borrow { title: "Ulysses".into() }).await?;
    nc.receives().await?;
    library.close().await;
    println!("-- is anybody there?");
    nc.types(r#"{"action":"pnet.ping","data":7}"#).await?;
    nc.receives().await?;
    println!("-- goodbye");
    nc.types(r#"{"action":"pnet.close","data":{"reason":"bedtime"}}"#).await?;
    nc.receives().await
}

async fn a_pipe(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    println!("-- ends its input at once, as `printf … | nc -N` does: answered all the same");
    let mut nc = Nc::connect(address).await?;
    let packets = r#"{"action":"RETURN","data":{"title":"Emma"}}{"action":"BORROW","data":{"title":"Emma"},"id":1}"#;
    nc.types(packets).await?;
    nc.ends_input().await?;
    nc.receives().await?;
    nc.receives().await
}

async fn somebody_silent(address: SocketAddr) -> Result<(), Box<dyn Error>> {
    println!("-- says nothing for 2 s: the server begins, as the Python library's does");
    let mut nc = Nc::connect(address).await?;
    nc.receives().await?;
    nc.types(r#"{"action":"BORROW","data":{"title":"Emma"}}"#).await?;
    nc.receives().await?;
    nc.types(r#"{"action":"disconnect","data":{"reason":"connection disconnected"}}"#).await?;
    nc.receives().await
}

/// A raw socket, and both directions of it on the screen.
struct Nc {
    input: Lines<BufReader<OwnedReadHalf>>,
    output: OwnedWriteHalf,
}

impl Nc {
    async fn connect(address: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let (input, output) = TcpStream::connect(address).await?.into_split();
        Ok(Self { input: BufReader::new(input).lines(), output })
    }

    async fn types(&mut self, line: &str) -> Result<(), Box<dyn Error>> {
        println!("> {line}");
        self.output.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(())
    }

    async fn ends_input(&mut self) -> Result<(), Box<dyn Error>> {
        println!("> (end)");
        self.output.shutdown().await?;
        Ok(())
    }

    /// Waits for the server's next line, or for its end.
    async fn receives(&mut self) -> Result<(), Box<dyn Error>> {
        match self.input.next_line().await? {
            Some(line) => println!("< {}", shortened(line)),
            None => println!("< (end)"),
        }
        Ok(())
    }
}

/// Without what differs each time.
fn shortened(mut line: String) -> String {
    if let Some(start) = line.rfind(",\"packet-created\":") {
        let token = line[start..].find(",\"token\":").map_or(start, |token| start + token + 1);
        let end = line[token..].find([',', '}']).map_or(line.len(), |end| token + end);
        line.replace_range(start..end, "");
    }
    for key in ["\"uuid\":\"", "\"remoteToken\":\""] {
        if let Some(start) = line.find(key).map(|start| start + key.len()) {
            let end = line[start..].find('"').map_or(line.len(), |end| start + end);
            line.replace_range(start..end, "…");
        }
    }
    line
}
