//! Session tokens are known to the two ends of their connection and to nobody else: no log, no text that a program can
//! print, and no other connection shows one, whatever happens.

use std::{
    fmt::{Debug, Display, Write as _},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use super::support::{old_packet, read_as_old, read_until, settle, write};
use pnet::{Bytes, Client, Dialect, Packet as _, Protocol as _, transport::PeerAddr};
use pnet_protocol::{
    frame::{self, Frame},
    handshake::{ClientHandshake, ServerHandshake, ServerStep, ShapePolicy},
    id::{ConnectionId, SessionToken},
    limits::Limits,
};
use pnet_tests::{
    log::Log,
    talk::{Ask, AskBack, Book, Break, Divide, Echo, How, Note, Push, Read, Talk, TalkClient, TalkServer, Touch},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::sleep,
};

/// What goes over one connection, as its client's end sees it.
#[derive(Debug, Default)]
struct Tape {
    sent: Mutex<Vec<u8>>,
    received: Mutex<Vec<u8>>,
}

/// A transport that keeps every byte.
struct Recorded {
    io: DuplexStream,
    tape: Arc<Tape>,
}

impl AsyncRead for Recorded {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = space.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(task, space);
        lock(&self.tape.received).extend_from_slice(&space.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(task, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            lock(&self.tape.sent).extend_from_slice(&bytes[..*written]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

/// Everything that was shown and said.
#[derive(Default)]
struct Evening {
    tapes: Vec<Arc<Tape>>,
    shown: String,
}

impl Evening {
    /// Records what goes over `io`.
    fn record(&mut self, io: DuplexStream) -> Recorded {
        let tape = Arc::new(Tape::default());
        self.tapes.push(Arc::clone(&tape));
        Recorded { io, tape }
    }

    fn show(&mut self, value: &impl Debug) {
        let _ = write!(self.shown, "{value:?}\n{value:#?}\n");
    }

    /// An error, with all that it was caused by.
    fn show_error(&mut self, error: &(impl std::error::Error + 'static)) {
        self.show(error);
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            self.say(error);
            cause = error.source();
        }
    }

    fn say(&mut self, value: impl Display) {
        let _ = writeln!(self.shown, "{value}");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The secrets that one connection was given.
fn secrets(tape: &Tape) -> Vec<[u8; 16]> {
    let received = lock(&tape.received).clone();
    if received.starts_with(&frame::PREFACE) {
        let mut machine =
            ClientHandshake::new(Talk::INFO, b"", &Limits::default(), ShapePolicy::Names, &mut Vec::new());
        let welcomed = machine.handle(&received, &mut Vec::new()).ok().and_then(|(_, welcomed)| welcomed);
        let token = welcomed.and_then(|welcomed| welcomed.token);
        return token.map(|token| *token.expose_bytes()).into_iter().collect();
    }
    let objects = serde_json::Deserializer::from_slice(&received).into_iter::<Value>();
    objects
        .map_while(Result::ok)
        .filter(|object| object["action"] == "handShake")
        .filter_map(|object| SessionToken::from_text(object["data"]["uuid"].as_str()?))
        .map(|token| *token.expose_bytes())
        .collect()
}

/// The ways in which a secret might be written.
fn forms(secret: [u8; 16]) -> Vec<Vec<u8>> {
    let uuid = uuid::Uuid::from_bytes(secret);
    let texts = [
        uuid.hyphenated().to_string(),
        uuid.simple().to_string(),
        format!("{:X}", uuid.hyphenated()),
        format!("{:X}", uuid.simple()),
        format!("{secret:?}"),
        format!("{secret:#?}"),
        format!("{secret:02x?}"),
        uuid.as_u128().to_string(),
        serde_json::to_string(&secret).expect("numbers"),
    ];
    texts.into_iter().map(String::into_bytes).chain([secret.to_vec()]).collect()
}

fn count(all: &[u8], part: &[u8]) -> usize {
    all.windows(part.len()).filter(|window| *window == part).count()
}

/// A word in the data of packets that cannot be decoded.
const PAYLOAD: &str = "xylophone";

/// A native client and a JSON client of pnet: everything that can be done with them.
async fn well_behaved(evening: &mut Evening, server: &pnet::memory::MemoryServer<Talk>) {
    let hub = server.hub();
    let mut clients: Vec<Client<Talk>> = Vec::new();
    for dialect in [Dialect::Native, Dialect::Json] {
        let io = evening.record(server.connector().open().await.expect("opens"));
        let builder = pnet::connect(TalkClient, Book::default()).dialect(dialect);
        evening.show(&builder);
        clients.push(builder.over(io, PeerAddr::Memory).await.expect("is let in"));
    }
    for client in &clients {
        let peer = hub.get(client.id()).expect("is there");
        client.send(Note { n: 1 }).await.expect("is sent");
        evening.show(&client.call(Divide { a: 4, b: 2 }).await.expect("is answered"));
        evening.show_error(&client.call(Divide { a: 4, b: 0 }).await.expect_err("by zero"));
        evening.show(&client.call(Read {}).await.expect("is answered"));
        evening.show(&client.call(Echo { data: Bytes::from(vec![1; 99]) }).await.expect("is answered"));
        evening.show(&client.call(AskBack { n: 3 }).await.expect("is answered"));
        client.call(Touch {}).await.expect("is answered");
        for how in [How::Panic, How::Secret, How::Public] {
            evening.show_error(&client.call(Break { how }).await.expect_err("goes wrong"));
        }
        let too_long = client.call(Echo { data: Bytes::from(vec![1; 2 << 20]) });
        evening.show_error(&too_long.await.expect_err("is too long"));
        evening.show(&peer.call(Ask { n: 1 }).await.expect("is answered"));
        peer.send(Push { n: 1 }).await.expect("is sent");
        evening.show(&hub.broadcast(&Push { n: 2 }));
        peer.suspend();
        evening.show_error(&peer.send(Push { n: 1 }).await.expect_err("is suspended"));
        evening.show_error(&peer.try_send(Push { n: 1 }).expect_err("is suspended").reason);
        peer.resume();
        evening.show(client);
        evening.show(&peer);
        evening.show(&peer.info());
        evening.show(&client.call(Touch {}));
        evening.show(&client.send(Note { n: 2 }));
        evening.say(peer.addr());
        evening.say(client.id());
    }
    evening.show(&hub);
    evening.show(&hub.infos());
    evening.show(&hub.peers());
    evening.show(server);
    evening.show(&server.handle());
    let [native, json] = &clients[..] else { unreachable!("two") };
    let closed = native.close().await;
    evening.say(&*closed);
    evening.show(&closed);
    assert!(hub.close(json.id(), pnet::CloseCode::Normal, "enough"));
    let closed = json.closed().await;
    evening.say(&*closed);
    evening.show_error(&json.call(Touch {}).await.expect_err("is gone"));
    evening.show_error(&json.send(Note { n: 1 }).await.expect_err("is gone"));
}

/// Programs that speak JSON by themselves, well and badly.
async fn programs(evening: &mut Evening, server: &pnet::memory::MemoryServer<Talk>) {
    let greeting = r#"{"action":"handShake","data":{"pnet":1,"credentials":"letmein"},"token":null}"#;
    let mistakes: [fn(&str) -> String; 10] = [
        // The right token, again and again, and one that is nearly right at the end.
        |token| {
            format!(
                r#"{{"action":"NOTE","data":{{"n":1}},"token":"{token}"}}{{"action":"NOTE","data":{{"n":2}},"token":"{}"}}"#,
                token.replace('-', "")
            )
        },
        |_| r#"{"action":"NOTE","data":{"n":1},"token":"00000000-0000-4000-8000-000000000000"}"#.to_owned(),
        |_| r#"{"action":"NOTE","data":{"n":1},"token":17}"#.to_owned(),
        |token| format!(r#"{{"action":"NOTE","data":{{"n":1}},"token":"{}"}}"#, token.to_uppercase()),
        |token| format!(r#"{{"action":"NOTE","data":{{"n":"{PAYLOAD}"}},"token":"{token}"}}]"#),
        |token| {
            format!(
                r#"{{"action":"DIVIDE","id":1,"data":{{"{PAYLOAD}":0}},"token":"{token}"}}{{"action":"WHAT","id":2,"token":"{token}"}}}}"#
            )
        },
        |token| {
            format!(
                r#"{{"action":"NOTE","id":3,"token":"{token}","token":"{token}"}}{{"action":"BREAK","id":4,"data":{{"how":"{PAYLOAD}"}}}}x"#
            )
        },
        |token| {
            format!(
                r#"{{"action":"NOTE","token":"{token}",}}{{"token":"{token}"}}{{"action":"pnet.close","data":{{"reason":"over"}},"token":"{token}"}}"#
            )
        },
        |token| {
            format!(
                r#"{{"action":"handShake","data":{{"pnet":1}},"token":"{token}"}}{{"action":"handShake"}}{{"action":"disconnect"}}"#
            )
        },
        |token| {
            format!(
                r#"{{"action":"ECHO","id":"e","data":{{"data":"AAAA"}},"token":"{token}"}}{{"action":"NOTE","data":"#
            )
        },
    ];
    for mistake in mistakes {
        let mut io = evening.record(server.connector().open().await.expect("opens"));
        write(&mut io, greeting).await;
        let welcome = read_until(&mut io, "handShake").await;
        let token = welcome[0]["data"]["uuid"].as_str().expect("a text").to_owned();
        server.hub().broadcast(&Push { n: 9 });
        let peer = server.hub().latest().expect("is there");
        evening.show(&peer);
        write(&mut io, &mistake(&token)).await;
        io.shutdown().await.expect("memory ends");
        read_away(&mut io).await;
        let closed = peer.closed().await;
        evening.say(&*closed);
        evening.show(&(closed, peer));
    }
    // One that asks for its handshake late: it says nothing in the beginning that could let it in.
    let mut io = evening.record(server.connector().open().await.expect("opens"));
    write(&mut io, r#"{"action":"NOTE","data":{"n":1}}"#).await;
    read_away(&mut io).await;
    // Of the old form: greeting, and its token from then on.
    let mut io = evening.record(server.connector().open().await.expect("opens"));
    let letmein = json!({"username": "dev", "password": "letmein"});
    write(&mut io, &old_packet("handShake", &letmein, &Value::Null)).await;
    let welcome = read_as_old(&mut io).await.expect("the handshake");
    write(&mut io, &old_packet("DIVIDE", &json!({"a": 1, "b": 1}), &welcome["data"]["uuid"])).await;
    read_as_old(&mut io).await.expect("the answer");
    let peer = server.hub().latest().expect("is there");
    evening.show_error(&peer.call(Ask { n: 1 }).await.expect_err("the old form answers nothing"));
    evening.show_error(&peer.send(Push { n: 1 }).await.expect_err("the old form takes answers only"));
    write(&mut io, &old_packet("disconnect", &json!({"reason": "bye"}), &welcome["data"]["uuid"])).await;
    read_away(&mut io).await;
}

/// A server that lets everybody in, and so speaks first.
async fn silent(evening: &mut Evening) {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = evening.record(server.connector().open().await.expect("opens"));
    assert_eq!(read_as_old(&mut io).await.expect("the handshake")["action"], "handShake");
    let mut late = evening.record(server.connector().open().await.expect("opens"));
    write(&mut late, r#"{"action":"TOUCH","id":1}"#).await;
    read_until(&mut late, "pnet.done").await;
    write(&mut late, r#"{"action":"handShake","data":{"pnet":1}}"#).await;
    read_until(&mut late, "handShake").await;
    evening.show(&server.hub().infos());
    evening.show(&server.shutdown(Duration::from_secs(1)).await);
    read_away(&mut io).await;
    read_away(&mut late).await;
}

/// Clients whose server hands out a token and then goes wrong.
async fn bad_servers(evening: &mut Evening) {
    let handshake = |status: &str, token: &str| {
        let data = json!({"status": status, "uuid": token, "remoteToken": "r", "pnet": 1});
        old_packet("handShake", &data, &Value::Null)
    };
    let token = || uuid::Uuid::new_v4().to_string();
    let good = handshake("success", &token());
    for bytes in [
        handshake("fail", &token()),
        handshake("success", &token()).replace(r#""pnet": 1"#, r#""pnet": 1, "protocol": "Other""#),
        handshake("success", &token()) + "]",
        // A second one, with another secret.
        good.clone() + &good + &handshake("success", &token()) + r#"{"action":"PUSH","data":{"n":"no"}}"#,
        handshake("success", &token()) + &old_packet("disconnect", &json!({"reason": "bye"}), &Value::Null),
    ] {
        let (here, mut there) = duplex(1 << 16);
        write(&mut there, &bytes).await;
        let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json);
        let io = evening.record(here);
        match builder.over::<Talk>(io, PeerAddr::Memory).await {
            Err(error) => evening.show_error(&error),
            Ok(client) => {
                evening.show(&client);
                let error = client.call(Touch {}).timeout(Duration::from_secs(1)).await.expect_err("nobody answers");
                evening.show_error(&error);
                evening.show(&client.close().await);
            }
        }
    }
    let (here, mut there) = duplex(1 << 16);
    let serving = tokio::spawn(async move {
        let (mut read, mut out) = (Vec::new(), Vec::new());
        let mut machine = ServerHandshake::new(Talk::INFO, &Limits::default());
        loop {
            assert_ne!(there.read_buf(&mut read).await.expect("memory reads"), 0);
            let (used, step) = machine.handle(&read, &mut out).expect("the handshake is fine");
            read.drain(..used);
            if let ServerStep::Hello(_) = step {
                break;
            }
        }
        machine.welcome(ConnectionId::random(), Some(&SessionToken::random()), 0, &mut out);
        let mut payload = Vec::new();
        Note { n: 1 }.encode(Note::CODEC, &mut payload).expect("encodes");
        Frame::Packet { action: 99, payload: &payload }.encode(&mut out);
        out.extend_from_slice(&[1, 0, 0, 0, 0xEE]);
        there.write_all(&out).await.expect("memory writes");
        there
    });
    let builder = pnet::connect(TalkClient, Book::default());
    let client: Client<Talk> = builder.over(evening.record(here), PeerAddr::Memory).await.expect("is welcomed");
    let closed = client.closed().await;
    evening.say(&*closed);
    evening.show(&(closed, client, serving.await.is_ok()));
}

async fn read_away(io: &mut Recorded) {
    let mut bytes = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(5), io.read_to_end(&mut bytes)).await;
    drop(reading);
}

#[tokio::test(start_paused = true)]
async fn no_session_token_is_shown_to_anybody_else() {
    let (log, _guard) = Log::keep();
    let mut evening = Evening::default();
    let builder = pnet::serve(TalkServer, Book::default());
    evening.show(&builder);
    let server = builder.in_memory();
    well_behaved(&mut evening, &server).await;
    programs(&mut evening, &server).await;
    let connector = server.connector();
    evening.show(&server.shutdown(Duration::from_secs(1)).await);
    evening.show(&connector);
    silent(&mut evening).await;
    bad_servers(&mut evening).await;
    sleep(Duration::from_secs(60)).await;
    settle().await;

    let log = log.text();
    let tapes = &evening.tapes;
    let mut found = Vec::new();
    for (owner, tape) in tapes.iter().enumerate() {
        for secret in secrets(tape) {
            found.push(owner);
            for form in forms(secret) {
                let text = String::from_utf8_lossy(&form);
                assert_eq!(count(log.as_bytes(), &form), 0, "the log shows {text}, of connection {owner}");
                assert_eq!(count(evening.shown.as_bytes(), &form), 0, "{text} is shown, of connection {owner}");
                for (other, tape) in tapes.iter().enumerate().filter(|(other, _)| *other != owner) {
                    for bytes in [&tape.sent, &tape.received] {
                        assert_eq!(count(&lock(bytes), &form), 0, "connection {other} shows {text} of {owner}");
                    }
                }
            }
        }
    }
    // Two clients, ten programs, one of the old form, one silent, one late; seven secrets of bad servers, one of them twice.
    assert_eq!(found.len(), 15 + 8, "{found:?} of {}", tapes.len());
    // There was something to be found: the public names are there, and what went wrong.
    assert!(log.contains("malformed packet") && log.contains("breaks the protocol"), "{log}");
    assert!(log.contains("panicked") && evening.shown.contains("closed"), "{}", evening.shown);
    // Data of packets is not in the log either.
    assert!(!log.contains(PAYLOAD), "{log}");
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = [0xAB; 16];
    for form in forms(secret) {
        let hidden = [b"before ".as_slice(), &form, b" after"].concat();
        assert_eq!(forms(secret).iter().filter(|form| count(&hidden, form) > 0).count(), 1);
    }
}
