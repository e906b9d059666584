//! The Python library at the other end: it takes one packet of at most 1,024 bytes with each read, and stops for good at
//! anything else.

use std::{sync::Arc, time::Duration};

use pnet::{Bytes, CallError, Client, Dialect, Hub, SendError, code, transport::PeerAddr};
use pnet_tests::talk::{Ask, Book, Divide, Echo, Note, Push, Quotient, Read, Talk, TalkClient, TalkServer, Touch};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::support::{Now, old_packet, read_as_old, read_now, settle, write};

const SERVER_TOKEN: &str = "7c2b1c40-6f0e-4d53-8a17-6a2b9b6c1d11";
const CLIENT_TOKEN: &str = "9f2f63e1-5aab-4c4e-b9a5-e33f097d08f5";

/// A server as the Python library's, which speaks first, pauses before it reads, and answers what it knows.
struct OldServer {
    io: DuplexStream,
    pause: Duration,
    /// What it has read: when, and what.
    seen: Vec<(Instant, Value)>,
}

impl OldServer {
    /// Its client sees a server that is `pause` late with each read.
    async fn start(pause: Duration) -> (Client<Talk>, Arc<Book>, JoinHandle<Self>) {
        let (here, there) = duplex(1 << 16);
        let serving = tokio::spawn(Self { io: there, pause, seen: Vec::new() }.run());
        let book = Arc::new(Book::default());
        let builder = pnet::connect(TalkClient, Arc::clone(&book)).dialect(Dialect::Json);
        let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("the server has said `handShake`");
        (client, book, serving)
    }

    async fn run(mut self) -> Self {
        self.say("handShake", &json!({"status": "success", "uuid": CLIENT_TOKEN, "remoteToken": SERVER_TOKEN})).await;
        loop {
            sleep(self.pause).await;
            let Some(packet) = read_as_old(&mut self.io).await else { return self };
            let (action, data) = (packet["action"].as_str().expect("a text").to_owned(), packet["data"].clone());
            assert_ne!(action, "handShake", "it has spoken first, and is owed none");
            assert_eq!(packet["token"], CLIENT_TOKEN, "{packet}");
            self.seen.push((Instant::now(), packet));
            // Somebody works.
            sleep(Duration::from_millis(30)).await;
            let more = read_now(&mut self.io).await;
            assert!(!matches!(more, Now::Bytes(_)), "a second packet before the first was answered: {more:?}");
            match action.as_str() {
                "DIVIDE" if data["b"] == 0 => self.say("BY_ZERO", &json!({})).await,
                "DIVIDE" => {
                    let q = data["a"].as_i64().expect("a number") / data["b"].as_i64().expect("a number");
                    self.say("QUOTIENT", &json!({"q": q})).await;
                }
                "READ" => self.say("LINES", &json!({"lines": ["é", "\u{1F600}"]})).await,
                "ECHO" => self.say("ECHOED", &data).await,
                "NOTE" if data["n"] == 999 => {
                    self.say("disconnect", &json!({"reason": "connection disconnected"})).await;
                }
                _ => {}
            }
        }
    }

    async fn say(&mut self, action: &str, data: &Value) {
        write(&mut self.io, &old_packet(action, data, &json!(SERVER_TOKEN))).await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_to_an_old_server_are_answered_one_by_one() {
    for pause in [0, 1, 400, 5_000] {
        let (client, _book, serving) = OldServer::start(Duration::from_millis(pause)).await;
        assert_eq!(client.dialect(), Dialect::Json);
        // All at once: the server sees one after the other.
        let divide = |a, b| client.call(Divide { a, b }).without_timeout();
        let read = client.call(Read {}).without_timeout();
        let echo = client.call(Echo { data: Bytes::from(vec![7; 200]) }).without_timeout();
        let (first, zero, read, second, echo) = tokio::join!(divide(6, 2), divide(1, 0), read, divide(9, 3), echo);
        assert_eq!(first.expect("is answered"), Quotient { q: 3 });
        assert!(zero.expect_err("by zero").declared().is_some());
        assert_eq!(read.expect("is answered").lines, ["é", "\u{1F600}"]);
        assert_eq!(second.expect("is answered"), Quotient { q: 3 });
        assert_eq!(echo.expect("is answered").data[..], [7; 200]);
        client.close().await;
        let server = serving.await.expect("its reads were whole packets");
        let actions: Vec<_> = server.seen.iter().map(|(_, packet)| packet["action"].clone()).collect();
        assert_eq!(actions[..5], ["DIVIDE", "DIVIDE", "READ", "DIVIDE", "ECHO"]);
        // The goodbye is a `disconnect`.
        assert_eq!(actions[5..], ["disconnect"], "{actions:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn packets_to_an_old_server_are_spaced() {
    for pause in [0, 700] {
        let (client, _book, serving) = OldServer::start(Duration::from_millis(pause)).await;
        for n in 0..20 {
            client.send(Note { n }).await.expect("is queued");
            if n % 5 == 4 {
                let answer = client.call(Divide { a: i64::from(n), b: 1 }).await.expect("is answered");
                assert_eq!(answer.q, i64::from(n));
            }
        }
        client.close().await;
        let server = serving.await.expect("its reads were whole packets");
        let numbers: Vec<_> = server
            .seen
            .iter()
            .filter(|(_, packet)| packet["action"] == "NOTE")
            .map(|(_, p)| p["data"].clone())
            .collect();
        assert_eq!(numbers, (0..20).map(|n| json!({"n": n})).collect::<Vec<_>>());
        for pair in server.seen.windows(2).filter(|pair| pause == 0 && pair[0].1["action"] == "NOTE") {
            assert!(pair[1].0 - pair[0].0 >= Duration::from_secs(1), "{pair:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_of_an_old_server_is_obeyed() {
    let (client, _book, serving) = OldServer::start(Duration::from_millis(100)).await;
    assert_eq!(client.call(Divide { a: 4, b: 2 }).await.expect("is answered").q, 2);
    client.send(Note { n: 999 }).await.expect("is queued");
    let closed = client.closed().await;
    assert_eq!((closed.reason(), closed.by()), ("connection disconnected", pnet::ClosedBy::Peer));
    let error = client.call(Divide { a: 4, b: 2 }).await.expect_err("nobody is there");
    assert!(matches!(error, CallError::Disconnected { .. }), "{error:?}");
    serving.await.expect("its reads were whole packets");
}

#[tokio::test(start_paused = true)]
async fn what_an_old_server_cannot_take_is_refused_here() {
    let (client, _book, serving) = OldServer::start(Duration::from_millis(10)).await;
    let error = client.call(Touch {}).await.expect_err("the old form acknowledges nothing");
    assert!(matches!(&error, CallError::Failed { code, .. } if code == code::UNSUPPORTED), "{error:?}");
    let error = client.call(Echo { data: Bytes::from(vec![1; 1_000]) }).await.expect_err("is too long");
    assert!(matches!(error, CallError::TooLong { max: 1024, .. }), "{error:?}");
    // The longest that fits, whatever else is in the packet.
    let fits = client.call(Echo { data: Bytes::from(vec![1; 400]) }).await.expect("is short enough");
    assert_eq!(fits.data.len(), 400);
    client.close().await;
    serving.await.expect("its reads were whole packets");
}

#[tokio::test(start_paused = true)]
async fn how_much_an_old_server_is_sent_at_once_is_a_setting() {
    for (bytes, fits, too_long) in [(4_096, 2_900, 3_000), (512, 250, 280), (0, 60, 90)] {
        let (here, mut there) = duplex(1 << 16);
        let token = json!(SERVER_TOKEN);
        write(&mut there, &old_packet("handShake", &json!({"uuid": CLIENT_TOKEN}), &token)).await;
        let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json).old_packet_bytes(bytes);
        let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("the server has said `handShake`");
        let error = client.call(Echo { data: Bytes::from(vec![1; too_long]) }).await.expect_err("is too long");
        let bound = bytes.max(256);
        let CallError::TooLong { len, max } = error else { panic!("{error:?}") };
        assert!(max == u64::from(bound) && len > max, "{len} of {max}");
        let told = format!("a frame of {len} bytes exceeds the peer's limit of {max}");
        assert_eq!(CallError::<std::convert::Infallible>::TooLong { len, max }.to_string(), told);

        let call = tokio::spawn(client.call(Echo { data: Bytes::from(vec![1; fits]) }));
        let mut read = vec![0; 1 << 16];
        let len = there.read(&mut read).await.expect("memory reads");
        assert!(len <= usize::try_from(bound).expect("it is small"), "{len} of {bound}");
        let echo: Value = serde_json::from_slice(&read[..len]).expect("one whole packet");
        write(&mut there, &old_packet("ECHOED", &echo["data"], &token)).await;
        assert_eq!(call.await.expect("no panic").expect("is answered").data.len(), fits);
    }
}

#[tokio::test(start_paused = true)]
async fn pushes_of_an_old_server_reach_handlers_also_while_a_call_is_open() {
    let (here, mut there) = duplex(1 << 16);
    let book = Arc::new(Book::default());
    let token = json!(SERVER_TOKEN);
    write(&mut there, &old_packet("handShake", &json!({"uuid": CLIENT_TOKEN}), &token)).await;
    let builder = pnet::connect(TalkClient, Arc::clone(&book)).dialect(Dialect::Json);
    let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("the server has said `handShake`");
    let call = tokio::spawn(client.call(Divide { a: 1, b: 1 }));
    assert_eq!(read_as_old(&mut there).await.expect("a call")["action"], "DIVIDE");
    // Several together, in any pieces: this side is no Python library.
    let pushes = [1, 2, 3].map(|n| old_packet("PUSH", &json!({"n": n}), &token)).concat();
    for piece in pushes.as_bytes().chunks(7) {
        there.write_all(piece).await.expect("memory writes");
        settle().await;
    }
    write(&mut there, &old_packet("QUOTIENT", &json!({"q": 5}), &token)).await;
    assert_eq!(call.await.expect("no panic").expect("is answered").q, 5);
    // An answer that nobody waits for any more is no packet of a server's, and harms nobody.
    write(&mut there, &old_packet("QUOTIENT", &json!({"q": 6}), &token)).await;
    write(&mut there, &old_packet("PUSH", &json!({"n": 4}), &token)).await;
    assert_eq!(book.after(4).await, ["push 1", "push 2", "push 3", "push 4"]);
}

/// A client as the Python library's: it sleeps 5 s before each read.
struct OldClient {
    io: DuplexStream,
    token: Value,
}

impl OldClient {
    async fn read(&mut self) -> Option<Value> {
        sleep(Duration::from_secs(5)).await;
        read_as_old(&mut self.io).await
    }

    async fn say(&mut self, action: &str, data: &Value) {
        write(&mut self.io, &old_packet(action, data, &self.token)).await;
    }
}

async fn an_old_client_is_left_alone(greets: bool) {
    let book = Arc::new(Book::default());
    let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
    let hub = server.hub();
    let (other, inbox) = server.connect_inbox().await.expect("memory connects");
    drop(inbox);
    // All the time, somebody makes the server send to everybody.
    let noise = tokio::spawn(broadcast_for_ever(hub.clone()));

    let io = server.connector().open().await.expect("opens");
    let mut old = OldClient { io, token: Value::Null };
    if greets {
        old.say("handShake", &json!({"username": "dev", "password": "test"})).await;
    }
    let welcome = old.read().await.expect("the handshake");
    assert_eq!(welcome["action"], "handShake");
    assert_eq!(welcome["data"]["status"], "success");
    let keys: Vec<_> = welcome["data"].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["remoteToken", "status", "uuid"], "nothing but what the old form has");
    assert_eq!(welcome["token"], welcome["data"]["remoteToken"]);
    assert_ne!(welcome["data"]["uuid"], welcome["data"]["remoteToken"]);
    old.token = welcome["data"]["uuid"].clone();

    let id = hub.latest().expect("is there").id();
    assert_ne!(id, other.id());
    let peer = hub.get(id).expect("is there");
    assert_eq!(peer.dialect(), Dialect::Json);
    for n in 1..=3 {
        old.say("DIVIDE", &json!({"a": 6, "b": n})).await;
        let answer = old.read().await.expect("the answer");
        assert_eq!((&answer["action"], &answer["data"]), (&json!("QUOTIENT"), &json!({"q": 6 / n})));
        assert!(answer.get("re").is_none(), "{answer}");
        old.say("DIVIDE", &json!({"a": 6, "b": 0})).await;
        assert_eq!(old.read().await.expect("the answer")["action"], "BY_ZERO");
        // What has no answer is handled, and not answered; nor is what nobody knows, nor a sign of life.
        old.say("NOTE", &json!({"n": n})).await;
        old.say("WHAT", &Value::Null).await;
        old.say("PING", &Value::Null).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(read_now(&mut old.io).await, Now::Nothing);

        let sent = hub.broadcast(&Push { n: 7 });
        assert_eq!((sent.skipped, sent.queued + sent.dropped), (1, 1), "{sent:?}");
        let error = peer.call(Ask { n: 1 }).await.expect_err("the old form answers nothing");
        assert!(matches!(&error, CallError::Failed { code, .. } if code == code::UNSUPPORTED), "{error:?}");
        let error = peer.send(Push { n: 1 }).await.expect_err("the old form takes answers only");
        assert!(matches!(error, SendError::Unsupported), "{error:?}");
    }
    assert_eq!(book.lines(), ["note 1", "note 2", "note 3"]);
    assert_eq!(peer.info().sent.packets, 0);

    assert!(hub.close(id, pnet::CloseCode::Normal, "the evening is over"));
    let goodbye = old.read().await.expect("the goodbye");
    assert_eq!(goodbye["action"], "disconnect");
    assert_eq!(goodbye["data"], json!({"reason": "the evening is over"}));
    assert_eq!(old.read().await, None);
    assert!(!noise.is_finished(), "there was something to be spared from");
    noise.abort();
    assert_eq!(hub.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_an_old_client_cannot_be_answered_is_told_in_one_short_packet() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let io = server.connector().open().await.expect("opens");
    let mut old = OldClient { io, token: Value::Null };
    old.say("handShake", &Value::Null).await;
    assert_eq!(old.read().await.expect("the handshake")["action"], "handShake");
    // An answer that would be too long, a call that cannot be read, and one whose handler goes wrong.
    let long = json!({"data": "QUFB".repeat(230)});
    let secret = json!({"how": "Secret"});
    for (action, data, code) in [
        ("ECHO", &long, code::TOO_LONG),
        ("DIVIDE", &json!({"a": "?".repeat(300)}), code::MALFORMED),
        ("BREAK", &secret, code::INTERNAL),
    ] {
        old.say(action, data).await;
        let failure = old.read().await.expect("the failure");
        assert_eq!((&failure["action"], &failure["data"]["code"]), (&json!("pnet.failure"), &json!(code)));
        assert!(failure.get("re").is_none(), "{failure}");
    }
    // An acknowledgement has no form, and nor has what is wrong with a packet that nobody waits for an answer to.
    for (action, data) in [("TOUCH", Value::Null), ("NOTE", json!({"n": "no number"})), ("NOTE", json!([]))] {
        old.say(action, &data).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(read_now(&mut old.io).await, Now::Nothing, "{action}");
    }
    old.say("DIVIDE", &json!({"a": 1, "b": 1})).await;
    assert_eq!(old.read().await.expect("the answer")["action"], "QUOTIENT");
}

#[tokio::test(start_paused = true)]
async fn how_much_an_old_client_is_answered_at_once_is_a_setting() {
    for (bytes, fits, too_long) in [(4_096, 2_900, 3_000), (512, 250, 300), (0, 60, 120)] {
        let server = pnet::serve(TalkServer, Book::default()).old_packet_bytes(bytes).in_memory();
        let mut io = server.connector().open().await.expect("opens");
        write(&mut io, &old_packet("handShake", &Value::Null, &Value::Null)).await;
        let bound = usize::try_from(bytes.max(256)).expect("it is small");
        let mut read = vec![0; 1 << 16];
        for (len, action) in [(0, "handShake"), (fits, "ECHOED"), (too_long, "pnet.failure")] {
            if len > 0 {
                let data = json!({"data": "QUFB".repeat(len / 3)});
                write(&mut io, &old_packet("ECHO", &data, &Value::Null)).await;
            }
            let len = io.read(&mut read).await.expect("memory reads");
            assert!(len <= bound, "{len} of {bound}");
            let answer: Value = serde_json::from_slice(&read[..len]).expect("one whole packet");
            assert_eq!(answer["action"], action, "{answer}");
            if action == "pnet.failure" {
                assert_eq!(answer["data"]["code"], code::TOO_LONG);
                let message = answer["data"]["message"].as_str().expect("a text");
                assert!(message.ends_with(&format!(" bytes exceeds the other side's limit of {bound}")), "{message}");
            }
        }
    }
}

async fn broadcast_for_ever(hub: Hub<Talk>) {
    for n in 0.. {
        hub.broadcast(&Push { n });
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_client_that_greets_gets_nothing_that_it_did_not_ask_for() {
    an_old_client_is_left_alone(true).await;
}

#[tokio::test(start_paused = true)]
async fn an_old_client_that_is_silent_gets_nothing_that_it_did_not_ask_for() {
    an_old_client_is_left_alone(false).await;
}
