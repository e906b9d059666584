//! Connect and disconnect handlers, refusals, versions that differ, shutdown.

use std::{sync::Arc, time::Duration};

use pnet::{
    CallError, CloseCode, ConnectError, HandshakeError, Hub, Packet, Peer, Refused, action, actions, protocol,
    transport::PeerAddr,
};
use pnet_tests::{
    gate::{self, GateClient, GateServer, Pass, Porter},
    talk::{AskBack, Book, Hold, Pay, Talk, TalkClient, TalkServer, Touch},
};
use serde::{Deserialize, Serialize};

use super::{net, support::pair};

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Who {}

#[derive(Debug, PartialEq, Eq, Packet, Serialize, Deserialize)]
struct You {
    number: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Password {}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Word {
    word: String,
}

protocol! {
    /// Each member has a number.
    Club {
        client { Who -> You }
        server { Password -> Word }
    }
}

struct Member {
    number: u32,
}

#[action(connect)]
async fn joined(peer: Peer<Club>, hub: Hub<Club>, book: &Book) -> Result<Member, Refused> {
    book.write("joining");
    if book.gate.available_permits() > 0 {
        let word = peer.call(Password {}).await.map_err(|error| error.to_string())?.word;
        if word != "swordfish" {
            return Err(Refused::new("wrong password").for_good());
        }
    } else if hub.len() >= 2 {
        return Err(Refused::from("the club is full"));
    }
    Ok(Member { number: u32::try_from(hub.len()).expect("a small club") + 1 })
}

#[action(disconnect)]
async fn gone(member: &Member, book: &Book) {
    book.write(format!("member {} left", member.number));
}

#[action("WHO")]
fn who(_: Who, member: &Member) -> You {
    You { number: member.number }
}

/// What a visitor knows.
struct Knows(&'static str);

#[action("PASSWORD")]
fn password(_: Password, knows: &Knows) -> Word {
    Word { word: knows.0.to_owned() }
}

actions! { server ClubServer(Book) for Club(Member): joined, gone, who }
actions! { client Visitor(Knows) for Club: password }

#[tokio::test(start_paused = true)]
async fn the_connect_handler_makes_each_connections_own_state() {
    let book = Arc::new(Book::default());
    let server = net::serve(ClubServer, Arc::clone(&book));
    let first = server.connect(Visitor, Knows("")).await.expect("is let in");
    let second = server.connect(Visitor, Knows("")).await.expect("is let in");
    assert_eq!(second.call(Who {}).await.expect("is told"), You { number: 2 });
    assert_eq!(first.call(Who {}).await.expect("is told"), You { number: 1 });
    let refused = server.connect(Visitor, Knows("")).await.expect_err("is not let in");
    let ConnectError::Refused(closed) = refused else { panic!("{refused:?}") };
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Refused, "the club is full"));
    first.close().await;
    book.line("member 1 left").await;
    drop(second);
    book.line("member 2 left").await;
    assert!(server.hub().is_empty());
    let left = book.lines().iter().filter(|line| line.ends_with("left")).count();
    assert_eq!(left, 2, "who was refused does not leave");
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_may_ask_the_client_first() {
    let book = Arc::new(Book::default());
    book.open(1);
    let server = net::serve(ClubServer, Arc::clone(&book));
    let member = server.connect(Visitor, Knows("swordfish")).await.expect("is asked");
    assert_eq!(member.call(Who {}).await.expect("knows the word"), You { number: 1 });
    let stranger = server.connect(Visitor, Knows("herring")).await.expect("is asked");
    let error = stranger.call(Who {}).await.expect_err("does not know the word");
    assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
    let closed = stranger.closed().await;
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Refused, "wrong password"));
    assert_eq!(closed.retry(), pnet::Retry::Never);
}

mod newer {
    use super::{Deserialize, Packet, Serialize, protocol};

    #[derive(Debug, Packet, Serialize, Deserialize)]
    pub(super) struct Who {
        pub(super) secret_hint: Option<String>,
    }

    #[derive(Debug, Packet, Serialize, Deserialize)]
    pub(super) struct You {
        pub(super) number: u64,
    }

    protocol! {
        pub(super) Club {
            client { Who -> You }
        }
    }
}

/// The club, for those who know the word.
mod guarded {
    use pnet::{Refused, action, actions, protocol};

    use super::{Who, You};

    protocol! {
        pub(super) Club {
            credentials String;
            client { Who -> You }
        }
    }

    #[action(authenticate)]
    fn look(word: String) -> Result<(), Refused> {
        if word == "let me in" { Ok(()) } else { Err("that is not the word".into()) }
    }

    #[action("WHO")]
    fn who(_: Who) -> You {
        You { number: 1 }
    }

    actions! { pub(super) server ClubServer for Club: look, who }
}

#[tokio::test(start_paused = true)]
async fn two_versions_that_meet_name_the_packet_and_the_field() {
    let server = net::serve(ClubServer, Book::default());
    let io = server.connector().open().await.expect("memory connects");
    let error = net::connect_inbox::<newer::Club>().over(io, PeerAddr::Memory).await.expect_err("they differ");
    let ConnectError::Handshake(HandshakeError::Mismatch(report)) = error else { panic!("{error:?}") };
    let text = report.to_string();
    assert!(text.contains("WHO"), "{text}");
    assert!(text.contains("secret_hint"), "{text}");
    assert!(text.contains("number: u64") && text.contains("number: u32"), "{text}");
    assert!(text.len() <= 64 * 1024);
}

#[tokio::test(start_paused = true)]
async fn a_distant_peer_learns_names_only() {
    use pnet_protocol::{handshake::ClientHandshake, handshake::ShapePolicy};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Memory, but as seen from far away.
    struct Far(tokio::sync::mpsc::Receiver<tokio::io::DuplexStream>);

    impl pnet::transport::Listener for Far {
        type Io = tokio::io::DuplexStream;
        type Addr = ();

        async fn accept(&mut self) -> std::io::Result<(Self::Io, PeerAddr)> {
            let io = self.0.recv().await.ok_or(std::io::ErrorKind::NotConnected)?;
            Ok((io, PeerAddr::Socket(([203, 0, 113, 9], 4_000).into())))
        }

        fn local_addr(&self) {}
    }

    for (credentials, told) in [(&b""[..], false), (b"\"let me in\"", true)] {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let (_anyone, _guarded);
        if told {
            _guarded = pnet::serve(guarded::ClubServer, ()).listen(Far(receiver));
        } else {
            _anyone = pnet::serve(ClubServer, Book::default()).listen(Far(receiver));
        }
        let (mut here, there) = tokio::io::duplex(1 << 16);
        sender.send(there).await.expect("the server accepts");
        let mut out = Vec::new();
        let info = <newer::Club as pnet::Protocol>::INFO;
        let limits = pnet::Limits::default();
        let mut machine = ClientHandshake::new(info, credentials, &limits, ShapePolicy::Shapes, &mut out);
        let (mut read, mut all) = (Vec::new(), Vec::new());
        let error = loop {
            here.write_all(&out).await.expect("memory writes");
            out.clear();
            let before = read.len();
            let count = here.read_buf(&mut read).await.expect("memory reads");
            all.extend_from_slice(&read[before..]);
            if count == 0 {
                break machine.ended();
            }
            match machine.handle(&read, &mut out) {
                Ok((used, _)) => drop(read.drain(..used)),
                Err(error) => break error,
            }
        };
        let text = error.to_string();
        assert!(text.contains("WHO"), "{text}");
        let shown = all.windows(6).any(|window| window == b"number");
        assert_eq!(shown, told, "the server's field is on the wire: {shown}, credentials {credentials:?}");
        assert_eq!(text.contains("number: u32"), told, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_named() {
    let server = net::serve(ClubServer, Book::default());
    let io = server.connector().open().await.expect("memory connects");
    let error = net::connect_inbox::<Talk>().over(io, PeerAddr::Memory).await.expect_err("they differ");
    let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let whole = format!("{error}: {text}");
    assert!(whole.contains("Talk") || whole.contains("Club"), "{whole}");
}

#[tokio::test(start_paused = true)]
async fn credentials_decide_who_is_let_in() {
    let server = net::serve(GateServer, Porter::wants("swordfish"));
    let client = net::connect(GateClient, ()).credentials(&Pass::new("swordfish"));
    let client = server.connect_with(client).await.expect("is let in");
    assert_eq!(client.call(gate::Who {}).await.expect("is answered").name, "swordfish");
    let client = net::connect(GateClient, ()).credentials(&Pass::new("herring"));
    let error = server.connect_with(client).await.expect_err("is not let in");
    let ConnectError::Refused(closed) = error else { panic!("{error:?}") };
    assert_eq!(closed.code(), CloseCode::Unauthorized);
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_calls_finish_and_tells_the_client() {
    let pair = pair().await;
    let hold = tokio::spawn(pair.client.call(Hold { n: 1 }));
    pair.book.line("hold 1 begins").await;
    let handle = pair.server.handle();
    let shutdown = tokio::spawn(async move { handle.shutdown(Duration::from_secs(10)).await });
    // A call made meanwhile is told to go elsewhere.
    let error = loop {
        match pair.client.call(Touch {}).await {
            Ok(()) => tokio::task::yield_now().await,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, CallError::Failed { code, .. } if code == pnet::code::GOING_AWAY), "{error:?}");
    pair.book.open(1);
    assert_eq!(hold.await.expect("no panic").expect("is answered").n, 1);
    let done = shutdown.await.expect("no panic");
    assert_eq!((done.finished, done.cut_off), (1, 0));
    let closed = pair.client.closed().await;
    assert_eq!((closed.code(), closed.by()), (CloseCode::GoingAway, pnet::ClosedBy::Peer));
    pair.server.connect(TalkClient, Book::default()).await.expect_err("nobody accepts any more");
}

#[tokio::test(start_paused = true)]
async fn shutdown_never_outlasts_its_grace() {
    let pair = pair().await;
    let _hold = tokio::spawn(pair.client.call(Hold { n: 1 }));
    let _pay = tokio::spawn(pair.client.call(Pay { n: 2 }));
    pair.book.after(2).await;
    let started = tokio::time::Instant::now();
    let done = pair.server.handle().shutdown(Duration::from_secs(3)).await;
    let took = started.elapsed();
    assert!(took <= Duration::from_millis(3_010), "{took:?}");
    assert_eq!((done.finished, done.cut_off, done.calls), (1, 0, 2), "all is told in good order");
    pair.book.line("pay 2 was cancelled").await;
    let lines = pair.book.after(5).await;
    assert!(lines.last().is_some_and(|line| line.starts_with("left: ")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_client_handle_closes_the_connection() {
    let pair = pair().await;
    let clone = pair.client.clone();
    drop(pair.client);
    clone.call(Touch {}).await.expect("one is left");
    // A call outlives the handle it was made with.
    let call = clone.call(AskBack { n: 4 });
    let call = tokio::spawn(call);
    tokio::task::yield_now().await;
    drop(clone);
    assert_eq!(call.await.expect("no panic").expect("is answered").n, 8);
    pair.book.line("left: normal (the last client handle was dropped), 0 remain").await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_only_sends_loses_nothing() {
    let book = Arc::new(Book::default());
    let server = net::serve(TalkServer, Arc::clone(&book));
    let client = server.connect(TalkClient, Book::default()).await.expect("memory connects");
    for n in 0..1_000 {
        client.send(pnet_tests::talk::Note { n }).await.expect("is sent");
    }
    drop(client);
    let lines = book.after(1_001).await;
    let expected: Vec<String> = (0..1_000).map(|n| format!("note {n}")).collect();
    assert_eq!(lines[..1_000], expected[..]);
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_server_that_shuts_down_are_told_to_come_back_one_after_the_other() {
    let server = net::builder(TalkServer, Book::default()).come_back(Duration::from_secs(3)).in_memory::<Talk>();
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(server.connect(TalkClient, Book::default()).await.expect("connects"));
    }
    server.shutdown(Duration::from_secs(10)).await;
    let mut times = Vec::new();
    for client in &clients {
        let closed = client.closed().await;
        assert_eq!(closed.code(), CloseCode::GoingAway);
        let pnet::Retry::After(millis) = closed.retry() else { panic!("{closed:?}") };
        times.push(millis);
    }
    times.sort_unstable();
    assert!(times[0] >= 3_000 && times[199] < 5_000, "{times:?}");
    let second = times.iter().filter(|millis| **millis < 4_000).count();
    assert!((98..=102).contains(&second), "{second}");
}

#[tokio::test(start_paused = true)]
async fn of_two_shutdowns_the_shorter_grace_counts() {
    let pair = pair().await;
    let holding = tokio::spawn({
        let client = pair.client.clone();
        async move { client.call(Hold { n: 1 }).await }
    });
    pair.client.call(Touch {}).await.expect("the call before has arrived");
    let started = tokio::time::Instant::now();
    let (long, short) = (pair.server.handle(), pair.server.handle());
    tokio::join!(long.shutdown(Duration::from_secs(60)), short.shutdown(Duration::from_secs(4)));
    assert!(started.elapsed() <= Duration::from_secs(4), "{:?}", started.elapsed());
    let error = holding.await.expect("runs").expect_err("was cut off");
    assert!(matches!(&error, CallError::Disconnected { .. }), "{error:?}");
}
