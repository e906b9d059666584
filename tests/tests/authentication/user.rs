//! The answer: which handlers get it, for how long it lives, and what the handler that gives it is told.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use pnet::{Dialect, Hub, Meta, Packet, Refused, action, actions, protocol, transport::PeerAddr};
use pnet_tests::{
    gate::{GateClient, GateServer, Pass, Porter, Who},
    keys,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{client, far, serve, visitor};

#[tokio::test]
async fn connect_handlers_handlers_and_disconnect_handlers_get_it() {
    for dialect in [Dialect::Native, Dialect::Json] {
        for over_tls in [false, true] {
            let (porter, mut events) = Porter::new(async |pass, _| visitor(&pass.word)).telling();
            let builder = pnet::serve(GateServer, porter);
            let builder = if over_tls { builder.identity(keys::server()) } else { builder };
            let server = builder.in_memory();
            let client = pnet::connect(GateClient, ()).dialect(dialect).credentials(&Pass::new("ada"));
            let client = server.connect_with(client).await.expect("is let in");
            assert_eq!(events.recv().await.as_deref(), Some("ada comes"));
            assert_eq!(client.call(Who {}).await.expect("is answered").name, "ada");
            client.close().await;
            assert_eq!(events.recv().await.as_deref(), Some("ada goes"));
        }
    }
}

#[tokio::test]
async fn the_handler_is_told_who_arrives() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let look = move |_, arrival: pnet::Arrival| {
        let key = arrival.key().map(ToString::to_string);
        keep.lock().expect("no panic").push((
            arrival.addr().to_string(),
            key.is_some(),
            arrival.dialect(),
            arrival.is_encrypted(),
            arrival.transport::<u32>().copied(),
            arrival.transport::<String>().is_some(),
        ));
        std::future::ready(visitor("anybody"))
    };
    let served = serve(Porter::new(look), |builder| {
        builder.identity(keys::server()).tls(pnet::TlsPolicy::Optional).plaintext_on_network()
    });
    let secured = || client("ada").pin(keys::server().fingerprint());
    served.connect(secured(), far("192.0.2.7")).await.expect("is let in");
    served.connect(secured().identity(keys::client()), far("192.0.2.7")).await.expect("is let in");
    served.connect(client("ada").dialect(Dialect::Json), far("2001:db8::7")).await.expect("is let in");
    let io = served.open_with(PeerAddr::Other("a radio".to_owned()), Some(7)).await;
    client("ada").over(io, PeerAddr::Memory).await.expect("is let in");
    let (native, json) = (Dialect::Native, Dialect::Json);
    let expected = [
        ("192.0.2.7:4000".to_owned(), false, native, true, None, false),
        ("192.0.2.7:4000".to_owned(), true, native, true, None, false),
        ("[2001:db8::7]:4000".to_owned(), false, json, false, None, false),
        ("a radio".to_owned(), false, native, true, Some(7), false),
    ];
    assert_eq!(*seen.lock().expect("no panic"), expected);
}

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A user of another kind than the connection's own state.
struct Counted(String);

impl Counted {
    fn new(name: String) -> Self {
        ALIVE.fetch_add(1, Relaxed);
        Self(name)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

struct Seat {
    number: usize,
}

struct Hall {
    seats: AtomicUsize,
}

#[derive(Packet, Serialize, Deserialize)]
struct Where {}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct There {
    name: String,
    number: usize,
    action: String,
    others: usize,
}

protocol! {
    Theatre {
        credentials (String, Option<u32>);
        client { Where -> There }
    }
}

#[action(authenticate)]
async fn look(
    hall: Arc<Hall>,
    shown: (String, Option<u32>),
    hub: Hub<Theatre>,
    same: &Hall,
) -> Result<Counted, String> {
    if hub.len() > 1 || hall.seats.load(Relaxed) != same.seats.load(Relaxed) {
        return Err("the hall is full".to_owned());
    }
    Ok(Counted::new(shown.0))
}

#[action(connect)]
fn seat(user: &Counted, hall: &Hall) -> Result<Seat, Refused> {
    if user.0.is_empty() {
        return Err("nobody gets no seat".into());
    }
    Ok(Seat { number: hall.seats.fetch_add(1, Relaxed) })
}

#[action("WHERE")]
async fn find(_: Where, user: &Counted, seat: &Seat, meta: &Meta, hub: Hub<Theatre>) -> There {
    There { name: user.0.clone(), number: seat.number, action: meta.action().to_owned(), others: hub.len() - 1 }
}

actions! { server TheatreServer(Hall) for Theatre(Seat): find, look, seat }
actions! { client TheatreClient for Theatre: }

#[tokio::test]
async fn it_is_apart_from_the_connections_own_state_and_ends_with_the_connection() {
    let server = pnet::memory::serve(TheatreServer, Hall { seats: AtomicUsize::new(40) });
    let connect = |name: &str| {
        let client = pnet::connect(TheatreClient, ()).credentials(&(name.to_owned(), None));
        server.connect_with(client)
    };
    let ada = connect("ada").await.expect("is let in");
    let there = ada.call(Where {}).await.expect("is answered");
    assert_eq!(there, There { name: "ada".to_owned(), number: 40, action: "WHERE".to_owned(), others: 0 });
    // The connect handler may refuse whom the other has let in.
    let error = connect("").await.expect_err("has no name");
    assert!(error.to_string().contains("nobody gets no seat"), "{error}");
    let bob = connect("bob").await.expect("is let in");
    assert_eq!(bob.call(Where {}).await.expect("is answered").others, 1);
    let error = connect("eve").await.expect_err("the hall is full");
    assert!(error.to_string().contains("the hall is full"), "{error}");
    assert_eq!(ALIVE.load(Relaxed), 2);
    ada.close().await;
    bob.close().await;
    server.shutdown(std::time::Duration::from_secs(5)).await;
    assert_eq!(ALIVE.load(Relaxed), 0);
}

#[derive(Packet, Serialize, Deserialize)]
struct Ask {}

#[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
struct Told {
    guest: bool,
}

protocol! {
    Inn {
        credentials Option<String>;
        client { Ask -> Told }
    }
}

struct Patron(Option<String>);

/// Not every function has to wait.
#[action(authenticate)]
fn welcome(shown: Option<String>) -> Result<Patron, Refused> {
    if shown.as_deref() == Some("eve") { Err("not you".into()) } else { Ok(Patron(shown)) }
}

#[action("ASK")]
fn told(_: Ask, patron: &Patron) -> Told {
    Told { guest: patron.0.is_none() }
}

actions! { server InnServer for Inn: welcome, told }
actions! { client InnClient for Inn: }

#[tokio::test(start_paused = true)]
async fn guests_show_nothing() {
    let server = pnet::memory::serve(InnServer, ());
    for dialect in [Dialect::Native, Dialect::Json] {
        let client = || pnet::connect(InnClient, ()).dialect(dialect);
        let shows = |name: &str| client().credentials(&Some(name.to_owned()));
        for (client, guest) in [(client(), true), (client().credentials(&None), true), (shows("ada"), false)] {
            let client = server.connect_with(client).await.expect("is let in");
            assert_eq!(client.call(Ask {}).await.expect("is answered"), Told { guest }, "{dialect}");
        }
        server.connect_with(shows("eve")).await.expect_err("is refused");
    }
    // Whoever types by hand says nothing either, and neither does who waits to be spoken to.
    for patience in [0, 3] {
        let mut io = server.connector().open().await.expect("opens");
        tokio::time::sleep(std::time::Duration::from_secs(patience)).await;
        io.write_all(br#"{"action":"ASK","data":{},"id":1}"#).await.expect("memory writes");
        let mut said = Vec::new();
        while !String::from_utf8_lossy(&said).contains(r#"{"guest":true}"#) {
            assert_ne!(io.read_buf(&mut said).await.expect("memory reads"), 0, "{patience} s");
        }
    }
}
