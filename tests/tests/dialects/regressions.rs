//! What went wrong once with the JSON dialect: each test failed before its fix.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use pnet::{
    CallError, Client, ConnectError, Dialect, Packet, Protocol as _, Refused, StreamSender, action, actions, protocol,
    transport::PeerAddr,
};
use pnet_protocol::{
    json::{Form, Greeting, JsonHandshake, JsonReader},
    limits::Limits,
};
use pnet_tests::talk::{
    Ask, Book, Count, Divide, Note, Push, Quotient, Talk, TalkClient, TalkFromServer, TalkServer, Touch,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::Semaphore,
    time::timeout,
};

use super::support::{Now, old_packet, read_as_old, read_now, read_until, settle, write};

/// Each byte of an object was looked at again with every read.
#[test]
fn a_long_object_that_dribbles_is_looked_at_once() {
    let mut reader = JsonReader::client(Talk::INFO, &Limits::default(), Form::Pnet);
    let object = format!(r#"{{"action":"PUSH","data":{{"n":1,"more":[{}1]}}}}"#, "1,".repeat(250_000));
    let bytes = object.as_bytes();
    let first = bytes.len() - 4_000;
    let started = std::time::Instant::now();
    for end in first..bytes.len() {
        assert_eq!(reader.next(&bytes[..end]).expect("is no fault"), None);
    }
    assert!(reader.next(bytes).expect("is no fault").is_some());
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// There is no credit in JSON, so more may wait than an inbox had places: it dropped what was above.
#[tokio::test(start_paused = true)]
async fn an_inbox_that_is_read_later_loses_nothing() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let builder = pnet::connect_inbox::<Talk>().dialect(Dialect::Json);
    let (client, mut inbox) = server.connect_inbox_with(builder).await.expect("memory connects");
    client.call(Touch {}).await.expect("is answered");
    for n in 0..1_000 {
        assert_eq!(server.hub().broadcast(&Push { n }).queued, 1);
        if n % 100 == 0 {
            settle().await;
        }
    }
    settle().await;
    for wanted in 0..1_000 {
        let packet = timeout(Duration::from_secs(1), inbox.recv()).await.unwrap_or_else(|_| panic!("lost {wanted}"));
        match packet.expect("the connection is open") {
            TalkFromServer::Push(push) => assert_eq!(push.n, wanted),
            _ => panic!("something else than what was sent"),
        }
    }
}

/// The client took the server for one that reads at any time, and then waited for ever for it to have read.
#[tokio::test(start_paused = true)]
async fn a_handshake_of_the_old_form_that_comes_late_stops_nobody() {
    let (here, mut there) = duplex(1 << 16);
    let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json);
    let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("a server without handshake");
    assert_eq!(read_as_old(&mut there).await.expect("the client's")["action"], "handShake");
    client.send(Note { n: 1 }).await.expect("is sent");
    settle().await;
    assert_eq!(read_as_old(&mut there).await.expect("a packet")["action"], "NOTE");
    write(&mut there, &old_packet("handShake", &json!({"uuid": "9f2f63e1-5aab-4c4e-b9a5-e33f097d08f5"}), &Value::Null))
        .await;
    settle().await;
    let call = tokio::spawn(client.call(Divide { a: 6, b: 2 }));
    let asked = timeout(Duration::from_secs(5), read_as_old(&mut there)).await.expect("the call is sent");
    assert_eq!(asked.expect("the call")["action"], "DIVIDE");
    write(&mut there, &old_packet("QUOTIENT", &json!({"q": 3}), &Value::Null)).await;
    assert_eq!(call.await.expect("no panic").expect("is answered"), Quotient { q: 3 });
}

/// A call was given up before the server turned out to be of the old form: nothing could be sent any more.
#[tokio::test(start_paused = true)]
async fn a_call_given_up_before_a_late_handshake_ends_the_connection() {
    let (here, mut there) = duplex(1 << 16);
    let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json);
    let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("a server without handshake");
    let error = client.call(Divide { a: 6, b: 2 }).timeout(Duration::from_secs(1)).await.expect_err("nobody answers");
    assert!(matches!(error, CallError::TimedOut { .. }), "{error:?}");
    write(&mut there, &old_packet("handShake", &json!({"uuid": "x"}), &Value::Null)).await;
    timeout(Duration::from_secs(60), client.closed()).await.expect("the connection ends");
}

/// Its connect handler waits at the gate, and then lets in or refuses.
#[derive(Debug)]
pub(crate) struct Door {
    gate: Semaphore,
    refuses: bool,
    handled: AtomicUsize,
}

impl Door {
    fn new(refuses: bool) -> Arc<Self> {
        Arc::new(Self { gate: Semaphore::new(0), refuses, handled: AtomicUsize::new(0) })
    }
}

mod door {
    use super::*;

    pub(super) mod packets {
        use pnet::Packet;
        use serde::{Deserialize, Serialize};

        #[derive(Debug, Packet, Serialize, Deserialize)]
        pub(crate) struct Knock {
            pub(crate) n: u32,
        }

        #[derive(Debug, Packet, Serialize, Deserialize)]
        pub(crate) struct Opened {
            pub(crate) n: u32,
        }

        #[derive(Debug, Packet, Serialize, Deserialize)]
        pub(crate) struct Ring {
            pub(crate) n: u32,
        }
    }
    use packets::{Knock, Opened, Ring};

    pnet::protocol! { pub(crate) House { client { Knock -> Opened, Ring } } }

    #[action(connect)]
    async fn come(door: &Door) -> Result<(), Refused> {
        door.gate.acquire().await.expect("is never closed").forget();
        if door.refuses { Err(Refused::new("not today")) } else { Ok(()) }
    }

    #[action("KNOCK")]
    fn knock(p: Knock, door: &Door) -> Opened {
        door.handled.fetch_add(1, Ordering::Relaxed);
        Opened { n: p.n }
    }

    #[action("RING")]
    fn ring(_: Ring, door: &Door) {
        door.handled.fetch_add(1, Ordering::Relaxed);
    }

    actions! { pub(crate) server HouseServer(Door) for House: come, knock, ring }
}

/// `printf … | nc -N`: the end of the stream came while the connect handler waited, and all was dropped.
#[tokio::test(start_paused = true)]
async fn who_says_all_and_ends_the_stream_is_answered_after_the_connect_handler() {
    for welcome in [false, true] {
        let door = Door::new(false);
        let server = pnet::memory::serve(door::HouseServer, Arc::clone(&door));
        let mut io = server.connector().open().await.expect("opens");
        if welcome {
            write(&mut io, r#"{"action":"handShake","data":{"pnet":1}}"#).await;
        }
        write(&mut io, r#"{"action":"KNOCK","data":{"n":3},"id":1}{"action":"RING","data":{"n":3}}"#).await;
        io.shutdown().await.expect("memory ends");
        settle().await;
        door.gate.add_permits(1);
        let mut said = String::new();
        io.read_to_string(&mut said).await.expect("memory reads");
        assert!(said.contains(r#""action":"OPENED","data":{"n":3}"#), "{said:?}");
        assert_eq!(said.contains("handShake"), welcome, "{said:?}");
        assert!(!said.contains("pnet.close"), "{said:?}");
        assert_eq!(door.handled.load(Ordering::Relaxed), 2);
    }
}

/// The same, refused: nothing is handled.
#[tokio::test(start_paused = true)]
async fn who_says_all_and_is_refused_is_handled_nothing() {
    let door = Door::new(true);
    let server = pnet::memory::serve(door::HouseServer, Arc::clone(&door));
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"KNOCK","data":{"n":3},"id":1}"#).await;
    io.shutdown().await.expect("memory ends");
    settle().await;
    door.gate.add_permits(1);
    let mut said = String::new();
    io.read_to_string(&mut said).await.expect("memory reads");
    assert!(!said.contains("OPENED"), "{said:?}");
    assert_eq!(door.handled.load(Ordering::Relaxed), 0);
}

/// Who only opens and goes does not keep the connect handler.
#[tokio::test(start_paused = true)]
async fn who_goes_before_it_is_let_in_does_not_stay() {
    let door = Door::new(false);
    let server = pnet::memory::serve(door::HouseServer, Arc::clone(&door));
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"handShake","data":{"pnet":1}}"#).await;
    io.shutdown().await.expect("memory ends");
    settle().await;
    assert_eq!(read_now(&mut io).await, Now::Ended);
    door.gate.add_permits(1);
    settle().await;
    assert_eq!((server.hub().len(), door.gate.available_permits()), (0, 1));
}

/// Who began with something else and then said `handShake` was told its secret before the connect handler had let it in.
#[tokio::test(start_paused = true)]
async fn nobody_is_welcomed_before_the_connect_handler_is_done() {
    for refuses in [false, true] {
        let door = Door::new(refuses);
        let server = pnet::memory::serve(door::HouseServer, Arc::clone(&door));
        let mut io = server.connector().open().await.expect("opens");
        write(
            &mut io,
            r#"{"action":"PING"}{"action":"handShake","data":{"pnet":1}}{"action":"KNOCK","data":{"n":3},"id":1}"#,
        )
        .await;
        settle().await;
        assert_eq!(read_now(&mut io).await, Now::Nothing);
        door.gate.add_permits(1);
        let said = read_until(&mut io, if refuses { "pnet.close" } else { "OPENED" }).await;
        let actions: Vec<_> = said.iter().map(|object| object["action"].as_str().expect("text")).collect();
        assert_eq!(actions, if refuses { vec!["pnet.close"] } else { vec!["handShake", "OPENED"] });
    }
}

/// The client kept all that a server said as long as it was no object.
#[tokio::test(start_paused = true)]
async fn endless_whitespace_does_not_fill_a_client() {
    let (here, mut there) = duplex(1 << 16);
    let flood = tokio::spawn(async move {
        let space = [b' '; 1 << 16];
        let mut sent = 0_usize;
        // Bounded, in case nobody stops it.
        while sent < 64 << 20 && there.write_all(&space).await.is_ok() {
            sent += space.len();
        }
        sent
    });
    let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json);
    let connected: Result<Client<Talk>, ConnectError> = builder.over(here, PeerAddr::Memory).await;
    assert!(matches!(connected, Err(ConnectError::Handshake(_))), "{connected:?}");
    drop(connected);
    let sent = flood.await.expect("no panic");
    assert!(sent < 4 << 20, "{sent} bytes were taken");
}

/// One value of an unusual kind made the whole handshake one of the old form.
#[test]
fn a_handshake_is_read_field_by_field() {
    for data in [
        r#"{"pnet":null,"credentials":"c"}"#,
        r#"{"pnet":1,"credentials":"c","limits":null}"#,
        r#"{"pnet":1,"credentials":"c","limits":[]}"#,
        r#"{"pnet":1,"credentials":"c","limits":{"object":5000000000,"calls":4294967296}}"#,
        r#"{"pnet":1,"credentials":"c","limits":{"object":-1,"calls":1.5}}"#,
        r#"{"pnet":{"a":[]},"credentials":"c","limits":{"object":null,"more":true}}"#,
        r#"{"pnet":1,"credentials":"c","protocol":null}"#,
    ] {
        let object = format!(r#"{{"action":"handShake","data":{data}}}"#);
        let hello = Greeting::new(Talk::INFO).handle(object.as_bytes()).expect("is taken").expect("is whole").1;
        assert_eq!(hello.form, Form::Pnet, "{data}");
        assert_eq!(hello.credentials.as_bytes(), br#""c""#, "{data}");
        assert!((1..=1 << 31).contains(&hello.limits.calls) && hello.limits.max_frame_len >= 4096, "{data}");
    }
    for data in [r#"{"pnet":1,"limits":{"object":5000000000}}"#, r#"{"pnet":null,"limits":7,"uuid":5}"#] {
        let object = format!(r#"{{"action":"handShake","data":{data}}}"#);
        let welcome = JsonHandshake::new(Talk::INFO).handle(object.as_bytes()).expect("is taken").expect("is whole").1;
        assert_eq!(welcome.form, Form::Pnet, "{data}");
    }
}

/// A form feed is no whitespace of JSON.
#[test]
fn a_form_feed_begins_no_object() {
    let object = b" \x0c{\"action\":\"TOUCH\"}";
    assert!(Greeting::new(Talk::INFO).handle(object).is_err());
    assert!(JsonHandshake::new(Talk::INFO).handle(object).is_err());
}

/// The words of a peer went to terminals and logs as they came.
#[tokio::test(start_paused = true)]
async fn what_a_failure_says_is_shown_escaped() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"handShake","data":{"pnet":1}}"#).await;
    read_until(&mut io, "handShake").await;
    let peer = server.hub().latest().expect("is there");
    let call = tokio::spawn(peer.call(Ask { n: 1 }));
    let id = read_until(&mut io, "ASK").await[0]["id"].clone();
    let data = json!({"code": "a\u{1b}[31m", "message": "b\nERROR \u{202e}all is lost"});
    write(&mut io, &json!({"action": "pnet.failure", "re": id, "data": data}).to_string()).await;
    let error = call.await.expect("no panic").expect_err("it failed");
    let shown = error.to_string();
    assert!(!shown.contains(|char: char| char.is_control() || char == '\u{202e}'), "{shown:?}");
    // The program gets them as they are.
    assert!(matches!(error, CallError::Failed { message, .. } if message.starts_with("b\nERROR")));
}

/// An answer of exactly what the old form reads fits; it was refused from about 850 bytes on.
#[tokio::test(start_paused = true)]
async fn an_answer_of_just_what_an_old_client_reads_is_sent() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, &old_packet("handShake", &Value::Null, &Value::Null)).await;
    read_as_old(&mut io).await.expect("the handshake");
    let mut longest = 0;
    for groups in 150..256 {
        write(&mut io, &old_packet("ECHO", &json!({"data": "QUFB".repeat(groups)}), &Value::Null)).await;
        settle().await;
        let Now::Bytes(said) = read_now(&mut io).await else { panic!("no answer") };
        assert!(said.len() <= 1024, "{}", said.len());
        if said.starts_with(br#"{"action":"ECHOED""#) {
            longest = said.len();
        }
    }
    // The data comes in steps of four.
    assert!(longest > 1020, "{longest}");
}

/// The answer to a call whose id is long when it is written was longer than its caller takes.
#[tokio::test(start_paused = true)]
async fn no_answer_is_longer_than_the_caller_takes() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"handShake","data":{"pnet":1,"limits":{"object":4096}}}"#).await;
    read_until(&mut io, "handShake").await;
    let id = "\\u0001".repeat(64);
    for groups in 850..1_024 {
        let object = format!(r#"{{"action":"ECHO","data":{{"data":"{}"}},"id":"{id}"}}"#, "QUFB".repeat(groups));
        write(&mut io, &object).await;
        settle().await;
        let mut said = [0; 8192];
        let read = io.read(&mut said).await.expect("memory reads");
        // The line end is none of the object.
        assert!(read - 1 <= 4096, "{groups}: {read}");
    }
}

/// A `handShake` that was a client's first object might bring any token.
#[tokio::test(start_paused = true)]
async fn a_wrong_token_in_the_first_object_ends_the_connection() {
    for token in [r#""9f2f63e1-5aab-4c4e-b9a5-e33f097d08f5""#, "7", r#""""#] {
        for action in ["handShake", "TOUCH"] {
            let server = pnet::memory::serve(TalkServer, Book::default());
            let mut io = server.connector().open().await.expect("opens");
            write(&mut io, &format!(r#"{{"action":"{action}","data":{{"pnet":1}},"token":{token}}}"#)).await;
            let said = read_until(&mut io, "pnet.close").await;
            assert_eq!((said.len(), &said[0]["data"]["code"]), (1, &json!("unauthorized")), "{action} {token}");
        }
    }
}

/// What objects that come together repeat is not read again; a token that is another is no repetition.
#[tokio::test(start_paused = true)]
async fn a_wrong_token_behind_right_ones_ends_the_connection() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"handShake"}"#).await;
    let welcome = read_until(&mut io, "handShake").await.remove(0);
    let secret = welcome["data"]["uuid"].as_str().expect("a token").to_owned();
    let touch = |id: u32, time: &str, token: &str| {
        format!(r#"{{"action":"TOUCH","data":{{}},"packet-created":{time},"token":"{token}","id":{id}}}"#)
    };
    let mut wrong = secret.clone();
    wrong.replace_range(..1, if secret.starts_with('0') { "1" } else { "0" });
    let objects: String = [
        touch(1, "1700000000.5", &secret),
        touch(2, "1700000000.5", &secret),
        touch(3, "1700000001.5", &secret),
        touch(4, "1700000001.5", &secret),
        touch(5, "1700000001.5", &wrong),
        touch(6, "1700000001.5", &secret),
    ]
    .concat();
    write(&mut io, &objects).await;
    let said = read_until(&mut io, "pnet.close").await;
    let answered: Vec<_> =
        said.iter().filter(|object| object["action"] == "pnet.done").map(|object| &object["re"]).collect();
    assert_eq!(answered, [&json!(1), &json!(2), &json!(3), &json!(4)]);
    assert_eq!(said.last().expect("the close")["data"]["code"], json!("unauthorized"));
}

/// What a client said in a `handShake` that was not its first object was not heeded.
#[tokio::test(start_paused = true)]
async fn a_late_handshake_of_a_client_is_heeded() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"PING"}{"action":"handShake","data":{"pnet":1,"limits":{"object":4096,"calls":1}}}"#)
        .await;
    read_until(&mut io, "handShake").await;
    write(&mut io, &format!(r#"{{"action":"ECHO","data":{{"data":"{}"}},"id":1}}"#, "QUFB".repeat(1_100))).await;
    let said = read_until(&mut io, "pnet.failure").await;
    assert_eq!(said[0]["data"]["code"], json!("too-long"));
    let peer = server.hub().latest().expect("is there");
    let calls = [1, 2].map(|n| tokio::spawn(peer.call(Ask { n })));
    let asked = read_until(&mut io, "ASK").await;
    settle().await;
    assert_eq!(read_now(&mut io).await, Now::Nothing);
    write(&mut io, &json!({"action": "TOLD", "data": {"n": 2}, "re": asked[0]["id"]}).to_string()).await;
    read_until(&mut io, "ASK").await;
    calls.into_iter().for_each(|call| call.abort());

    write(&mut io, r#"{"action":"handShake","data":{"pnet":1,"protocol":"Chat"}}"#).await;
    let said = read_until(&mut io, "pnet.close").await;
    assert_eq!(said.last().expect("one")["data"]["code"], json!("protocol-mismatch"));
}

/// Nobody reads, whatever was asked for: closing and shutting down come to an end.
#[tokio::test(start_paused = true)]
async fn json_clients_that_never_read_hold_up_no_shutdown() {
    let book = Arc::new(Book::default());
    let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
    let mut stuck = Vec::new();
    for first in ["", r#"{"action":"handShake"}"#, r#"{"action":"handShake","data":{"pnet":1}}"#] {
        let mut io = server.connector().open().await.expect("opens");
        let asks = format!(r#"{{"action":"ECHO","data":{{"data":"{}"}}}}"#, "QUFB".repeat(10_000)).repeat(20);
        let all = [first, r#"{"action":"PING"}"#, &asks].concat();
        let _ = timeout(Duration::from_millis(100), io.write_all(all.as_bytes())).await;
        stuck.push(io);
    }
    settle().await;
    assert_eq!(server.hub().len(), 3);
    let started = tokio::time::Instant::now();
    let hub = server.hub();
    server.shutdown(Duration::from_secs(2)).await;
    settle().await;
    assert!(started.elapsed() <= Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(hub.len(), 0);
    assert_eq!(book.lines().len(), 3, "{:?}", book.lines());
}

/// A silent one that is a connection already, and has to go: its disconnect handler runs once.
#[tokio::test(start_paused = true)]
async fn a_silent_connection_that_has_to_go_leaves_once() {
    let book = Arc::new(Book::default());
    let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
    let mut all = Vec::new();
    for _ in 0..256 {
        all.push(server.connector().open().await.expect("opens"));
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(server.hub().len(), 256);
    // The first one speaks, so the second is the oldest that is silent.
    write(&mut all[0], r#"{"action":"NOTE","data":{"n":1}}"#).await;
    settle().await;
    all.push(server.connector().open().await.expect("opens"));
    all.push(server.connector().open().await.expect("opens"));
    settle().await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(server.hub().len(), 255);
    let left = book.lines().iter().filter(|line| line.starts_with("left: overloaded")).count();
    assert_eq!((left, book.lines().len()), (1, 2), "{:?}", book.lines());
    assert_eq!(read_until(&mut all[1], "disconnect").await.len(), 2);
    assert_eq!(read_until(&mut all[0], "handShake").await.len(), 1);
}

/// A server that refuses late, or in another way than by a text, was taken for one that lets in.
#[tokio::test(start_paused = true)]
async fn a_handshake_that_failed_is_a_refusal_whenever_it_comes() {
    for status in [json!("failed"), json!(false), json!({"ok": true})] {
        let refusal = old_packet("handShake", &json!({"status": status, "uuid": "x"}), &Value::Null);
        let (here, mut there) = duplex(1 << 16);
        write(&mut there, &refusal).await;
        let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json);
        let connected: Result<Client<Talk>, ConnectError> = builder.over(here, PeerAddr::Memory).await;
        assert!(matches!(connected, Err(ConnectError::Refused(_))), "{status}: {connected:?}");

        let (here, mut there) = duplex(1 << 16);
        let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json);
        let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("a server without handshake");
        write(&mut there, &refusal).await;
        let closed = timeout(Duration::from_secs(1), client.closed()).await.expect("the connection ends");
        assert_eq!(closed.code(), pnet::CloseCode::Unauthorized);
    }
}

/// Who was welcomed without a heartbeat, and later said that it was made for pnet, was expected to give signs of life.
#[tokio::test(start_paused = true)]
async fn nobody_owes_signs_of_life_that_were_not_announced() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    write(&mut io, r#"{"action":"handShake"}"#).await;
    let welcome = read_until(&mut io, "handShake").await;
    assert!(welcome[0]["data"].get("heartbeat").is_none(), "{welcome:?}");
    write(&mut io, r#"{"action":"handShake","data":{"pnet":1,"heartbeat":1000}}"#).await;
    settle().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    write(&mut io, r#"{"action":"TOUCH","id":1}"#).await;
    read_until(&mut io, "pnet.done").await;
    assert_eq!(server.hub().len(), 1);
}

/// A stream that was opened before the server's handshake had come got no credit and stood still.
#[tokio::test(start_paused = true)]
async fn a_stream_opened_before_a_late_handshake_goes_on() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let (here, mut near) = duplex(1 << 16);
    let connector = server.connector();
    tokio::spawn(async move {
        // Longer than the client waits for a handshake.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut far = connector.open().await.expect("opens");
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json);
    let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("a server without handshake");
    let mut stream = client.stream(Count { to: 1_000 });
    for n in 1..=1_000 {
        let item = timeout(Duration::from_secs(60), stream.next()).await.expect("it does not stand still");
        assert_eq!(item.expect("not the end").expect("an item").n, n);
    }
    assert!(stream.next().await.is_none());
}

/// Such a stream had no room for what this side had told the server to send, if its longest frame was short.
#[tokio::test(start_paused = true)]
async fn a_stream_opened_before_a_late_handshake_takes_what_was_told() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let (here, mut near) = duplex(1 << 16);
    let connector = server.connector();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut far = connector.open().await.expect("opens");
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    let mut limits = Limits::default();
    limits.max_frame_len(4096);
    let builder = pnet::connect(TalkClient, Book::default()).dialect(Dialect::Json).limits(limits);
    let client: Client<Talk> = builder.over(here, PeerAddr::Memory).await.expect("a server without handshake");
    let mut stream = client.stream(Count { to: 200 });
    for n in 1..=200 {
        assert_eq!(stream.next().await.expect("not the end").expect("an item").n, n);
        // Meanwhile comes what may come.
        settle().await;
    }
}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Feed {}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Tick {}

#[derive(Debug, Packet, Serialize, Deserialize)]
struct Tock {}

protocol! { Clock { client { Feed -> stream Tick } server { Tock } } }

#[action("FEED")]
async fn feed(_: Feed, kept: &Mutex<Option<StreamSender<Tick>>>, out: StreamSender<Tick>) {
    *kept.lock().expect("whole") = Some(out);
}

actions! { server ClockServer(Mutex<Option<StreamSender<Tick>>>) for Clock: feed }

/// An item that was refused took the time, and what was sent next had it.
#[tokio::test(start_paused = true)]
async fn a_packet_has_its_own_time_and_not_that_of_an_item_that_was_refused() {
    let kept = Arc::new(Mutex::new(None));
    let server = pnet::memory::serve(ClockServer, Arc::clone(&kept));
    let builder = pnet::connect_inbox::<Clock>().dialect(Dialect::Json);
    let (client, mut inbox) = server.connect_inbox_with(builder).await.expect("memory connects");
    assert!(client.stream(Feed {}).next().await.is_none());
    settle().await;
    let sender: StreamSender<Tick> = kept.lock().expect("whole").take().expect("was kept");
    assert!(sender.try_send(Tick {}).is_err(), "its stream has ended");
    let refused = SystemTime::now();
    while refused.elapsed().unwrap_or_default() < Duration::from_micros(10) {}
    assert_eq!(server.hub().broadcast(&Tock {}).queued, 1);
    assert!(matches!(inbox.recv().await, Some(ClockFromServer::Tock(_))));
    let created = inbox.meta().and_then(|meta| meta.created()).expect("says when it was written");
    assert!(created > refused, "{:?} too early", refused.duration_since(created));
}
