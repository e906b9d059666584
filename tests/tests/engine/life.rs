//! Signs of life: who is silent is gone, and who is healthy stays.

use std::{sync::Arc, time::Duration};

use pnet::{CallError, CloseCode, Dialect, Limits, Protocol, transport::PeerAddr};
use pnet_protocol::frame::{self, Frame};
use pnet_tests::talk::{Book, Hold, Note, Talk, TalkClient, TalkServer, Touch};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep},
};

use super::{
    net,
    support::{pair, settle, shake},
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Counts pings, and answers them if told so, until the stream ends.
async fn pings(io: &mut DuplexStream, answer: bool) -> usize {
    let (mut read, mut count) = (Vec::new(), 0);
    while io.read_buf(&mut read).await.is_ok_and(|len| len > 0) {
        while let Some((frame, used)) = frame::decode(&read, 1 << 20).expect("frames") {
            if let Frame::Ping { nonce } = frame {
                count += 1;
                if answer {
                    let mut pong = Vec::new();
                    Frame::Pong { nonce }.encode(&mut pong);
                    io.write_all(&pong).await.expect("memory writes");
                }
            }
            read.drain(..used);
        }
    }
    count
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_gone_after_three_heartbeats() {
    let book = Arc::new(Book::default());
    let server = net::serve(TalkServer, Arc::clone(&book));
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    settle().await;
    let started = Instant::now();
    let peer = server.hub().latest().expect("there");
    let call = tokio::spawn({
        let peer = peer.clone();
        async move { peer.call(pnet_tests::talk::Ask { n: 1 }).timeout(HOUR).await }
    });
    assert_eq!(pings(&mut io, false).await, 2, "after one heartbeat, and after two");
    let waited = started.elapsed();
    assert!((Duration::from_secs(45)..=Duration::from_secs(46)).contains(&waited), "{waited:?}");
    let closed = peer.closed().await;
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Timeout, "nothing was heard from the peer for 45s"));
    let error = call.await.expect("runs").expect_err("is lost");
    assert!(matches!(&error, CallError::Disconnected { .. }), "{error:?}");
    let lines = book.after(1).await;
    assert!(lines[0].starts_with("left: timeout"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_gone_after_three_heartbeats() {
    let server = net::serve(TalkServer, Book::default());
    let (client_io, mut near) = tokio::io::duplex(1 << 16);
    let mut far = server.connector().open().await.expect("opens");
    let relay = tokio::spawn(async move {
        // As long as nothing is cut.
        let _ = tokio::time::timeout(Duration::from_secs(1), tokio::io::copy_bidirectional(&mut near, &mut far)).await;
        (near, far)
    });
    let client = net::connect(TalkClient, Book::default())
        .call_timeout(None)
        .over::<Talk>(client_io, PeerAddr::Memory)
        .await
        .expect("connects");
    client.call(Touch {}).await.expect("is answered");
    let heard = Instant::now();
    let _kept = relay.await.expect("runs");
    let error = client.call(Hold { n: 1 }).await.expect_err("is lost");
    assert!(matches!(&error, CallError::Disconnected { .. }), "{error:?}");
    let waited = heard.elapsed();
    assert!((Duration::from_secs(45)..=Duration::from_secs(46)).contains(&waited), "{waited:?}");
    assert_eq!(client.closed().await.code(), CloseCode::Timeout);
}

#[tokio::test(start_paused = true)]
async fn an_idle_pair_lives_and_says_little() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let server = net::serve(TalkServer, Book::default());
        let builder = net::connect(TalkClient, Book::default()).dialect(dialect);
        let client = server.connect_with(builder).await.expect("connects");
        let peer = server.hub().latest().expect("there");
        settle().await;
        let before = peer.info();
        sleep(HOUR).await;
        client.call(Touch {}).await.expect("lives");
        let bytes = peer.info().received.bytes - before.received.bytes;
        let each = if dialect == Dialect::Native { 13 } else { 200 };
        assert!((240 * each / 3..=2 * 242 * each).contains(&bytes), "{dialect}: {bytes}");
        assert!(client.rtt().is_some() || peer.rtt().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn who_only_answers_lives_and_who_is_told_nothing_may_be_silent() {
    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    shake(&mut io, Talk::INFO, &Limits::default()).await;
    let answering = tokio::spawn(async move { pings(&mut io, true).await });
    let mut plain = server.connector().open().await.expect("opens");
    plain.write_all(b"{\"action\":\"TOUCH\",\"id\":1}\n").await.expect("writes");
    let off = net::builder(TalkServer, Book::default()).heartbeat(Duration::ZERO).in_memory::<Talk>();
    let mut silent = off.connector().open().await.expect("opens");
    shake(&mut silent, Talk::INFO, &Limits::default()).await;
    sleep(HOUR).await;
    assert_eq!((server.hub().len(), off.hub().len()), (2, 1));
    drop(server);
    answering.abort();
}

#[tokio::test(start_paused = true)]
async fn a_packet_now_and_then_is_a_sign_of_life() {
    let pair = pair().await;
    for n in 0..60 {
        pair.client.send(Note { n }).await.expect("is sent");
        sleep(Duration::from_secs(14)).await;
    }
    assert!(!pair.client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_ends_nothing() {
    let pair = pair().await;
    for _ in 0..3 {
        tokio::time::advance(HOUR).await;
        settle().await;
    }
    pair.client.call(Touch {}).await.expect("lives");
}

#[tokio::test(start_paused = true)]
async fn the_client_may_wish_for_more() {
    let server = net::serve(TalkServer, Book::default());
    let (client_io, mut near) = tokio::io::duplex(1 << 16);
    let mut far = server.connector().open().await.expect("opens");
    let relay = tokio::spawn(async move {
        let _ = tokio::time::timeout(Duration::from_secs(1), tokio::io::copy_bidirectional(&mut near, &mut far)).await;
        (near, far)
    });
    let builder = net::connect(TalkClient, Book::default()).heartbeat(Duration::from_secs(2));
    let client = builder.over::<Talk>(client_io, PeerAddr::Memory).await.expect("connects");
    let peer = server.hub().latest().expect("there");
    let started = Instant::now();
    let _kept = relay.await.expect("runs");
    assert_eq!(client.closed().await.code(), CloseCode::Timeout);
    assert_eq!(peer.closed().await.code(), CloseCode::Timeout);
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_round_trip_is_measured() {
    let server = net::serve(TalkServer, Book::default());
    let (client_io, near) = tokio::io::duplex(1 << 16);
    let far = server.connector().open().await.expect("opens");
    let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
        (tokio::io::split(near), tokio::io::split(far));
    tokio::spawn(async move { tokio::io::copy(&mut near_read, &mut far_write).await });
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = far_read.read(&mut bytes).await {
            sleep(Duration::from_millis(70)).await;
            near_write.write_all(&bytes[..len]).await.expect("writes");
        }
    });
    let builder = net::connect(TalkClient, Book::default());
    let client = builder.over::<Talk>(client_io, PeerAddr::Memory).await.expect("connects");
    assert_eq!(client.rtt(), None);
    let (first, second) = tokio::join!(client.ping(), client.ping());
    for rtt in [first, second] {
        let rtt = rtt.expect("is answered").as_millis();
        assert!((70..=75).contains(&rtt), "{rtt}");
    }
    assert!(client.rtt().is_some());
    client.close().await;
    assert_eq!(client.ping().await.expect_err("is gone").code(), CloseCode::Normal);
}
