//! Peers that begin TLS and do something odd, and what of the rest is the same inside TLS as outside.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{Backoff, Client, CloseCode, Dialect, LinkState, Refused, Retry, TlsPolicy, transport::PeerAddr};
use pnet_protocol::frame::PREFACE;
use pnet_tests::{
    gate::{Gate, GateClient, GateServer, Pass, Porter},
    keys,
    log::Log,
    talk::{Book, Flood, Note, Talk, TalkClient, TalkServer, Touch},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    time::{Instant, sleep, timeout},
};

use super::support::{Served, client, connect, foreign, serve, why_not};

fn secure() -> Served {
    serve(|builder| builder.identity(keys::server()))
}

/// What a client of pnet says first.
async fn hello() -> Vec<u8> {
    let (here, mut near) = duplex(64 * 1024);
    tokio::spawn(client().pin(keys::server().fingerprint()).over::<Talk>(here, PeerAddr::Memory));
    let mut hello = vec![0; 4096];
    let len = near.read(&mut hello).await.expect("the client speaks");
    hello.truncate(len);
    hello
}

/// Writes, ends the stream, and reads what is answered.
async fn answer_to(served: &Served, bytes: &[u8]) -> Vec<u8> {
    let mut io = served.open().await;
    // Who is refused early does not read all of it.
    let _ = io.write_all(bytes).await;
    let _ = io.shutdown().await;
    let mut answer = Vec::new();
    let _ = io.read_to_end(&mut answer).await;
    answer
}

async fn works(served: &Served) {
    let io = served.open().await;
    let client = connect(client().pin(keys::server().fingerprint()), io).await.expect("others are served");
    client.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_is_cut_anywhere_is_told_from_others() {
    let (hello, served) = (hello().await, secure());
    for len in 1..hello.len() {
        let (log, _guard) = Log::keep();
        let answer = answer_to(&served, &hello[..len]).await;
        assert!(answer.is_empty(), "{len} bytes are answered with {answer:?}");
        tokio::task::yield_now().await;
        assert_eq!(why_not(&log), "the client ended its stream during the TLS handshake", "of {len} bytes");
    }
    works(&served).await;
    assert_eq!(served.end().await.len(), 1, "nobody but the last one was there");
}

#[tokio::test(start_paused = true)]
async fn a_hello_with_any_byte_changed_ends_in_time_and_stops_nobody() {
    let (hello, served) = (hello().await, secure());
    for at in 1..hello.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = hello.clone();
            changed[at] ^= change;
            let began = Instant::now();
            // Whoever is answered with a hello does not know how to go on.
            let answer = timeout(Duration::from_secs(10), answer_to(&served, &changed)).await;
            let answer = answer.unwrap_or_else(|_| panic!("byte {at} changed by {change:#x}: nothing ends"));
            assert!(matches!(answer.first(), None | Some(21 | 22)), "byte {at}: {answer:?}");
            assert!(began.elapsed() < Duration::from_secs(7), "byte {at}: {:?}", began.elapsed());
        }
    }
    works(&served).await;
}

#[tokio::test(start_paused = true)]
async fn a_hello_of_a_hundred_kib_is_refused_at_once() {
    let served = secure();
    let (log, _guard) = Log::keep();
    // A client's hello that says it has 100 KiB, in records of 16 KiB.
    let mut hello = vec![1, 1, 0x90, 0, 3, 3];
    hello.resize(4 + 0x19000, 7);
    let mut bytes = Vec::new();
    for part in hello.chunks(1 << 14) {
        bytes.extend_from_slice(&[22, 3, 1]);
        bytes.extend_from_slice(&u16::try_from(part.len()).expect("it is short").to_be_bytes());
        bytes.extend_from_slice(part);
    }
    let began = Instant::now();
    let answer = answer_to(&served, &bytes).await;
    assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}, {}", log.text());
    assert!(began.elapsed() < Duration::from_secs(2));
    tokio::task::yield_now().await;
    assert!(why_not(&log).starts_with("the TLS handshake failed: what came is not TLS"), "{}", why_not(&log));
    works(&served).await;
}

#[tokio::test(start_paused = true)]
async fn whoever_dribbles_its_handshake_is_closed_in_time_and_keeps_nobody_waiting() {
    let (hello, served) = (hello().await, secure());
    let mut slow = Vec::new();
    for _ in 0..50 {
        slow.push(served.open().await);
    }
    let began = Instant::now();
    for byte in &hello {
        for io in &mut slow {
            let _ = io.write_all(&[*byte]).await;
        }
        sleep(Duration::from_millis(50)).await;
        works(&served).await;
        if began.elapsed() > Duration::from_secs(6) {
            break;
        }
    }
    for io in &mut slow {
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_millis(10), io.read_to_end(&mut answer)).await.expect("it is closed by now");
    }
    assert!(served.server.hub().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_protocol_inside_is_refused_and_none_is_taken() {
    let served = secure();
    let (log, guard) = Log::keep();
    let error = foreign(served.open().await, &["h2", "http/1.1"]).await.expect_err("it is another protocol");
    assert!(error.to_string().contains("NoApplicationProtocol"), "{error}");
    tokio::task::yield_now().await;
    assert!(why_not(&log).contains("another protocol than `pnet/1`"), "{}", why_not(&log));
    drop(guard);
    for alpn in [&[][..], &["pnet/1"], &["h2", "pnet/1"]] {
        let mut tls = foreign(served.open().await, alpn).await.expect("is taken");
        tls.write_all(br#"{"action":"TOUCH","id":1}"#).await.expect("is written");
        let mut answer = vec![0; 1024];
        let len = tls.read(&mut answer).await.expect("is answered");
        let answer = String::from_utf8_lossy(&answer[..len]);
        assert!(answer.starts_with(r#"{"action":"pnet.done","#), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_decoded_that_an_unlisted_client_says() {
    let served = serve(|builder| builder.identity(keys::server()).clients([keys::client().fingerprint()]));
    // Whatever a decoder would say to this, it is not asked.
    let garbage = [&PREFACE[..], &[0xff; 64]].concat();
    let mut tls = foreign(served.open().await, &["pnet/1"]).await.expect("the handshake succeeds");
    tls.write_all(&garbage).await.expect("is written");
    let mut answer = Vec::new();
    tls.read_to_end(&mut answer).await.expect("is told, and the end, too");
    let told = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with(&PREFACE) && told.contains("the server wants a client key"), "{told}");
    // And in JSON.
    let mut tls = foreign(served.open().await, &[]).await.expect("the handshake succeeds");
    tls.write_all(b"{{{{]]]]").await.expect("is written");
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.expect("is told, and the end, too");
    assert!(
        answer.contains(r#""code":"unauthorized""#) && answer.contains("the server wants a client key"),
        "{answer}"
    );
    // Who says nothing is not spoken to.
    let mut tls = foreign(served.open().await, &[]).await.expect("the handshake succeeds");
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer).await;
    assert!(answer.is_empty(), "{answer:?}");
    assert!(served.end().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_requires_tls_never_speaks_first() {
    for policy in [TlsPolicy::Required, TlsPolicy::Optional] {
        let served = serve(|builder| builder.identity(keys::server()).tls(policy).old_clients(true));
        let mut io = served.open().await;
        let mut answer = vec![0; 4096];
        let read = timeout(Duration::from_secs(4), io.read(&mut answer)).await;
        // Where plain text is taken, the old form of it is, too.
        assert_eq!(read.is_ok(), policy == TlsPolicy::Optional, "{policy:?}: {read:?}");
        let mut tls = foreign(served.open().await, &[]).await.expect("the handshake succeeds");
        let read = timeout(Duration::from_secs(4), tls.read(&mut answer)).await;
        assert!(read.is_err(), "{policy:?}: {read:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_is_a_goodbye_only_if_tls_says_so() {
    for (announced, code, by) in
        [(true, "lost", "the peer ended its stream"), (false, "lost", "ended without close_notify")]
    {
        let served = secure();
        let mut tls = foreign(served.open().await, &[]).await.expect("the handshake succeeds");
        tls.write_all(br#"{"action":"NOTE","data":{"n":1}}{"action":"HOLD","data":{"n":2},"id":1}"#)
            .await
            .expect("sent");
        served.book.after(2).await;
        if announced {
            tls.shutdown().await.expect("is written");
            // It may still read, as outside of TLS.
            served.book.open(1);
            let mut answer = String::new();
            tls.read_to_string(&mut answer).await.expect("answers, and an end that is announced");
            assert!(answer.contains(r#""action":"DONE""#), "{answer}");
        } else {
            let (io, _) = tls.into_inner();
            drop(io);
        }
        let left = served.book.after(4).await;
        let left = left.last().expect("a line").clone();
        assert!(left.starts_with(&format!("left: {code}")) && left.contains(by), "{announced}: {left}");
    }
}

/// Passes so many bytes a second from the server to the client.
async fn throttle(mut client: DuplexStream, mut server: DuplexStream, per_second: usize) {
    let mut bytes = vec![0; per_second / 4];
    let mut back = vec![0; 4096];
    loop {
        tokio::select! {
            read = client.read(&mut back) => match read {
                Ok(0) | Err(_) => return,
                Ok(read) => if server.write_all(&back[..read]).await.is_err() { return },
            },
            read = server.read(&mut bytes) => match read {
                Ok(0) | Err(_) => return,
                Ok(read) => {
                    if client.write_all(&bytes[..read]).await.is_err() {
                        return;
                    }
                    sleep(Duration::from_secs(1).mul_f64(read as f64 / per_second as f64)).await;
                }
            },
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_of_four_kib_a_second_lives_and_one_of_a_quarter_does_not() {
    for tls in [true, false] {
        for (per_second, lives) in [(4096, true), (1024, false)] {
            let served = serve(|builder| if tls { builder.identity(keys::server()) } else { builder });
            // Little room between the two, so that what is not passed on waits at the server.
            let (near, there) = duplex(2048);
            served.door.send(there).await.expect("the server accepts");
            let (here, far) = duplex(64 * 1024);
            tokio::spawn(throttle(far, near, per_second));
            let book = Arc::new(Book::default());
            let mut builder = pnet::connect(TalkClient, Arc::clone(&book)).dialect(Dialect::Json);
            if tls {
                builder = builder.pin(keys::server().fingerprint());
            }
            let client = builder.handshake_timeout(Duration::from_secs(60)).over::<Talk>(here, PeerAddr::Memory).await;
            let client = client.expect("it is slow and honest");
            // Some 400 KiB of pushes.
            client.send(Flood { pushes: 4_000 }).await.expect("is sent");
            let began = Instant::now();
            let closed = timeout(Duration::from_secs(300), client.closed()).await;
            let what = format!("{per_second} bytes a second, TLS: {tls}: {closed:?} after {:?}", began.elapsed());
            assert_eq!(closed.is_err(), lives, "{what}");
            if lives {
                let came = book.lines().len();
                assert!(came > 3_990, "{came} pushes came: {what}");
                client.send(Note { n: 9 }).await.expect("still there");
            }
        }
    }
}

/// What the handlers of a server know of who is there.
mod who {
    use pnet::{Meta, Packet, Peer, action, actions, protocol};
    use serde::{Deserialize, Serialize};

    #[derive(Packet, Serialize, Deserialize)]
    pub(super) struct Ask {}

    #[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
    pub(super) struct Told {
        pub(super) by_peer: Option<String>,
        pub(super) by_meta: Option<String>,
        pub(super) when_joined: Option<String>,
    }

    protocol! {
        pub(super) Who {
            client { Ask -> Told }
        }
    }

    pub(super) struct Member(Option<String>);

    #[action(connect)]
    fn joined(meta: Meta) -> Member {
        Member(meta.key().map(ToString::to_string))
    }

    #[action("ASK")]
    fn ask(_: Ask, peer: Peer<Who>, meta: &Meta, member: &Member) -> Told {
        let text = |key: Option<&pnet::Fingerprint>| key.map(ToString::to_string);
        Told { by_peer: text(peer.key()), by_meta: text(meta.key()), when_joined: member.0.clone() }
    }

    actions! { pub(super) server WhoServer for Who(Member): joined, ask }
    actions! { pub(super) client WhoClient for Who: }
}

#[tokio::test]
async fn handlers_know_the_key_of_who_is_there() {
    let server = pnet::serve(who::WhoServer, ()).identity(keys::server()).in_memory();
    for identity in [None, Some(keys::client())] {
        let key = identity.as_ref().map(|identity| identity.fingerprint().to_string());
        let mut builder = pnet::connect(who::WhoClient, ());
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        let client = server.connect_with(builder).await.expect("connects");
        let told = client.call(who::Ask {}).await.expect("is answered");
        assert_eq!(told, who::Told { by_peer: key.clone(), by_meta: key.clone(), when_joined: key });
    }
}

#[tokio::test]
async fn a_reader_of_an_inbox_knows_the_key_of_its_server() {
    let server = pnet::serve(TalkServer, Book::default()).identity(keys::server()).in_memory();
    let (client, mut inbox) = server.connect_inbox().await.expect("connects");
    client.send(Flood { pushes: 1 }).await.expect("is sent");
    inbox.recv().await.expect("a push comes");
    assert_eq!(inbox.meta().and_then(|meta| meta.key().copied()), Some(keys::server().fingerprint()));
}

#[tokio::test(start_paused = true)]
async fn credentials_do_not_travel_in_plain_text_by_accident() {
    let far = || PeerAddr::Other("the moon".to_owned());
    let served = pnet::memory::serve(GateServer, Porter::wants("secret"));
    let open = || async { served.connector().open().await.expect("the server listens") };
    let client = || pnet::connect(GateClient, ()).credentials(&Pass::new("secret"));
    let error = client().over::<Gate>(open().await, far()).await.expect_err("refused");
    assert!(matches!(error, pnet::ConnectError::PlaintextCredentials), "{error:?}");
    assert!(error.to_string().contains(".plaintext_credentials()"), "{error}");
    // By name, and on this machine they may.
    client().over::<Gate>(open().await, PeerAddr::Memory).await.expect("stays here");
    client().plaintext_credentials().over::<Gate>(open().await, far()).await.expect("was allowed");
    // Inside TLS, too.
    let served = pnet::serve(GateServer, Porter::wants("secret")).identity(keys::server()).in_memory();
    let io = served.connector().open().await.expect("the server listens");
    client().pin(keys::server().fingerprint()).over::<Gate>(io, far()).await.expect("is not plain text");
}

#[tokio::test(start_paused = true)]
async fn what_tls_holds_of_a_record_counts_in_the_servers_memory() {
    const BEGUN: usize = 12 * 1024;
    let served = secure();
    let (here, near) = duplex(64 * 1024);
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (split(near), split(served.open().await));
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let share = Arc::clone(&left);
    tokio::spawn(async move {
        let mut bytes = vec![0; 1024];
        while let Ok(read @ 1..) = from_client.read(&mut bytes).await {
            let passed = read.min(share.load(Relaxed));
            to_server.write_all(&bytes[..passed]).await.expect("the server is there");
            if share.load(Relaxed) != usize::MAX {
                share.fetch_sub(passed, Relaxed);
            }
        }
    });
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut tls = foreign(here, &[]).await.expect("the handshake succeeds");
    tls.write_all(br#"{"action":"TOUCH","id":1}"#).await.expect("is written");
    let mut answer = vec![0; 1024];
    let _ = tls.read(&mut answer).await.expect("is answered");
    assert_eq!(served.server.memory_used(), 0);
    // The beginning of a record of 16 KiB comes, and no more.
    left.store(BEGUN, Relaxed);
    tls.write_all(&[b' '; 16 * 1024]).await.expect("is written");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let used = served.server.memory_used();
    assert!((BEGUN..=20 * 1024).contains(&used), "{used} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_handshake_in_hundreds_of_pieces_is_broken_off() {
    let served = secure();
    let (log, _guard) = Log::keep();
    let mut io = served.open().await;
    // A hello that is announced and comes a byte to a record.
    let pieces: Vec<u8> = [1, 0, 4, 0].into_iter().chain(std::iter::repeat_n(3, 1020)).collect();
    for piece in pieces {
        if io.write_all(&[22, 3, 1, 0, 1, piece]).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let mut answer = Vec::new();
    let _ = io.read_to_end(&mut answer).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(why_not(&log), "the TLS handshake failed: the handshake comes in too many pieces");
    works(&served).await;
}

/// Waits until the client has lost its connection.
async fn down(client: &Client<Talk>) {
    let mut states = client.states();
    states.wait_for(|state| matches!(state, LinkState::Waiting { .. })).await.expect("the client is there");
}

/// What has no key, a network that wants its users to log in first for one, is tried again; a wrong key is the end.
#[tokio::test(start_paused = true)]
async fn what_anybody_on_the_way_can_say_ends_no_reconnecting_client() {
    let (served, others) = (Arc::new(secure()), Arc::new(serve(|builder| builder.identity(keys::stranger()))));
    let attempts = Arc::new(AtomicUsize::new(0));
    let made = Arc::clone(&attempts);
    let honest = Arc::clone(&served);
    let dial = move || {
        let (honest, others, attempt) = (Arc::clone(&honest), Arc::clone(&others), made.fetch_add(1, Relaxed));
        async move {
            let io = match attempt {
                0 | 4 => honest.open().await,
                5.. => others.open().await,
                _ => {
                    let said = [
                        &b""[..],
                        b"\x15\x03\x03\x00\x02\x02\x46",
                        b"HTTP/1.1 302 Found\r\n\r\n",
                        b"\x15\x03\x03\x00\x02\x02\x2b",
                    ];
                    let (here, mut there) = duplex(64 * 1024);
                    there.write_all(said[attempt]).await.expect("there is room");
                    tokio::spawn(async move { tokio::io::copy(&mut there, &mut tokio::io::sink()).await });
                    here
                }
            };
            Ok((io, PeerAddr::Memory))
        }
    };
    let builder = client().pin(keys::server().fingerprint()).reconnect(Backoff::default().seed(1));
    let client: Client<Talk> = builder.via(dial).await.expect("connects");
    let hub = served.server.hub();
    hub.peers().pop().expect("it is there").close(CloseCode::GoingAway, "back soon");
    down(&client).await;
    client.call(Touch {}).without_timeout().await.expect("is made on the next connection");
    assert_eq!(attempts.load(Relaxed), 5);
    hub.peers().pop().expect("it is there").close(CloseCode::GoingAway, "and another is here now");
    let closed = client.closed().await;
    assert_eq!((closed.retry(), attempts.load(Relaxed)), (Retry::Never, 6), "{closed}");
    assert!(closed.reason().contains("has shown another key"), "{closed}");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_fails_itself_sends_no_client_away_for_good() {
    let turn = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&turn);
    let served = serve(|builder| {
        builder.identity(keys::server()).clients_by(move |_, _| {
            let turn = asked.fetch_add(1, Relaxed);
            async move {
                match turn {
                    1 => panic!("the check panics, as the test wants"),
                    2 => std::future::pending().await,
                    3 => Err(Refused::new("the database is down").come_back(Duration::from_secs(5))),
                    5 => Err(Refused::new("you are no member any more")),
                    _ => Ok(()),
                }
            }
        })
    });
    let served = Arc::new(served);
    let dialed = Arc::clone(&served);
    let dial = move || {
        let served = Arc::clone(&dialed);
        async move { Ok((served.open().await, PeerAddr::Memory)) }
    };
    let builder = client().pin(keys::server().fingerprint()).identity(keys::client());
    let client: Client<Talk> = builder.reconnect(Backoff::default().seed(1)).via(dial).await.expect("connects");
    let hub = served.server.hub();
    hub.peers().pop().expect("it is there").close(CloseCode::GoingAway, "back soon");
    down(&client).await;
    client.call(Touch {}).without_timeout().await.expect("is made once the check works again");
    assert_eq!(turn.load(Relaxed), 5);
    hub.peers().pop().expect("it is there").close(CloseCode::GoingAway, "back soon");
    let closed = client.closed().await;
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Unauthorized, "you are no member any more"));
}
