//! Streams: items in order, ends told apart, and a slow reader that stops its producer and nothing else.

use std::{sync::Arc, time::Duration};

use pnet::{CallError, CloseCode, Dialect, Limits, SendError, Streaming, TrySendReason, code};
use pnet_protocol::frame::{Frame, StreamEnd};
use pnet_tests::talk::{
    Book, ByZero, Count, Drip, Echoed, Fetch, Follow, Hold, Number, Tail, TalkClient, TalkFromServer, TalkServer, Then,
    Touch,
};
use tokio::time::Instant;

use super::{
    net,
    support::{Pair, Raw, pair, poll_once, settle},
};

/// As [`pair`], in JSON.
async fn json_pair() -> Pair {
    let (book, ui) = (Arc::new(Book::default()), Arc::new(Book::default()));
    let server = net::serve(TalkServer, Arc::clone(&book));
    let builder = net::connect(TalkClient, Arc::clone(&ui)).dialect(Dialect::Json);
    let client = server.connect_with(builder).await.expect("memory connects");
    Pair { server, client, book, ui }
}

async fn numbers(mut stream: Streaming<Number>) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(number) = stream.next().await {
        numbers.push(number.expect("an item").n);
    }
    assert!(stream.next().await.is_none(), "the end stays");
    numbers
}

#[tokio::test(start_paused = true)]
async fn items_come_in_order_and_then_the_end() {
    for pair in [pair().await, json_pair().await] {
        assert_eq!(numbers(pair.client.stream(Count { to: 1000 })).await, (1..=1000).collect::<Vec<_>>());
        pair.book.line("count 1000 ends").await;
        assert!(numbers(pair.client.stream(Count { to: 0 })).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn clients_produce_streams_too() {
    for pair in [pair().await, json_pair().await] {
        let peer = pair.server.hub().latest().expect("there");
        assert_eq!(numbers(peer.stream(Tail { to: 200 })).await, (1..=200).collect::<Vec<_>>());
        pair.ui.line("tail 200 ends").await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_ways_to_end_are_told_apart() {
    for pair in [pair().await, json_pair().await] {
        let end = async |then| {
            let mut stream = pair.client.stream(Follow { to: 2, then });
            for n in 1..=2 {
                assert_eq!(stream.next().await.expect("not the end").expect("an item"), Number { n });
            }
            let end = stream.next().await;
            assert!(stream.next().await.is_none(), "nothing comes after the end");
            end
        };
        assert!(end(Then::Done).await.is_none());
        assert!(matches!(end(Then::Declared).await, Some(Err(CallError::Declared(ByZero {})))));
        let Some(Err(CallError::Failed { code, message })) = end(Then::Public).await else { panic!("fails") };
        assert_eq!((code.as_str(), message.as_str()), ("no-more", "that is all"));
        let Some(Err(CallError::Failed { code, message })) = end(Then::Panic).await else { panic!("fails") };
        assert_eq!((code.as_str(), message.as_str()), (code::INTERNAL, ""));
        pair.client.call(Touch {}).await.expect("the connection lives");
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_arrived_comes_before_the_reason_why_the_peer_is_gone() {
    for pair in [pair().await, json_pair().await] {
        let mut stream = pair.client.stream(Follow { to: 3, then: Then::Never });
        assert_eq!(stream.next().await.expect("not the end").expect("an item").n, 1);
        settle().await;
        pair.server.hub().latest().expect("there").close(CloseCode::Normal, "enough");
        pair.client.closed().await;
        for n in 2..=3 {
            assert_eq!(stream.next().await.expect("not the end").expect("an item").n, n);
        }
        let Some(Err(CallError::Disconnected { sent: true, why })) = stream.next().await else { panic!("gone") };
        assert_eq!((why.code(), why.reason()), (CloseCode::Normal, "enough"));
        assert!(stream.next().await.is_none());
        pair.book.line("follow was cancelled").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_stops_its_producer_and_nothing_else() {
    for pair in [pair().await, json_pair().await] {
        let mut slow = pair.client.stream(Fetch { items: 1000, len: 10 });
        assert!(slow.next().await.is_some());
        settle().await;
        let sent = || pair.book.lines().iter().filter(|line| line.starts_with("fetched")).count();
        assert_eq!(sent(), 64, "the credit of a stream");
        assert_eq!(numbers(pair.client.stream(Count { to: 500 })).await.len(), 500);
        pair.client.call(Touch {}).await.expect("answered");
        assert_eq!(sent(), 64);
        for _ in 1..1000 {
            assert!(slow.next().await.expect("not the end").is_ok());
        }
        assert!(slow.next().await.is_none());
        assert_eq!(sent(), 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn large_items_have_a_credit_in_bytes() {
    for pair in [pair().await, json_pair().await] {
        let mut slow = pair.client.stream(Fetch { items: 100, len: 50_000 });
        assert!(slow.next().await.is_some());
        settle().await;
        let sent = pair.book.lines().iter().filter(|line| line.starts_with("fetched")).count();
        assert!((4..=6).contains(&sent), "256 KiB, and the one that overruns it: {sent}");
        let mut items = 1;
        while let Some(item) = slow.next().await {
            assert_eq!(item.expect("an item").data.len(), 50_000);
            items += 1;
        }
        assert_eq!(items, 100);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_a_stream_cancels_its_handler() {
    for pair in [pair().await, json_pair().await] {
        let mut stream = pair.client.stream(Follow { to: 1, then: Then::Never });
        assert!(stream.next().await.is_some());
        drop(stream);
        pair.book.line("follow was cancelled").await;
        // Also while the producer waits for credit.
        let mut stream = pair.client.stream(Count { to: 1000 });
        assert!(stream.next().await.is_some());
        settle().await;
        drop(stream);
        pair.book.line("count 1000 was cancelled").await;
        // And before it was opened.
        drop(pair.client.stream(Count { to: 7 }));
        pair.client.call(Touch {}).await.expect("the connection lives");
        assert!(!pair.book.lines().iter().any(|line| line.starts_with("count 7")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_finish_handler_learns_that_nobody_reads() {
    let pair = pair().await;
    pair.book.open(1);
    let mut stream = pair.client.stream(Drip { n: 4 });
    assert!(stream.next().await.is_some());
    drop(stream);
    settle().await;
    pair.book.open(1);
    pair.book.line("drip 4 ends: not sent: nobody wants the stream any more").await;
}

#[tokio::test(start_paused = true)]
async fn streams_have_a_limit_of_their_own() {
    for pair in [pair().await, json_pair().await] {
        let mut streams = Vec::new();
        for _ in 0..64 {
            let mut stream = pair.client.stream(Follow { to: 1, then: Then::Never });
            assert!(stream.next().await.expect("opened").is_ok());
            streams.push(stream);
        }
        let mut more = pair.client.stream(Count { to: 1 });
        let Some(Err(CallError::Failed { code, .. })) = more.next().await else { panic!("one too many") };
        assert_eq!(code, code::BUSY);
        pair.book.open(64);
        let calls: Vec<_> = (0..64).map(|n| tokio::spawn(pair.client.call(Hold { n }))).collect();
        for call in calls {
            call.await.expect("no panic").expect("calls have their own places");
        }
        streams.pop();
        pair.book.line("follow was cancelled").await;
        settle().await;
        assert_eq!(numbers(pair.client.stream(Count { to: 3 })).await, [1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_have_a_time_limit() {
    let pair = pair().await;
    let began = Instant::now();
    let mut stream = pair.client.stream(Follow { to: 2, then: Then::Never }).timeout(Duration::from_secs(100));
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(stream.next().await.expect("an item").is_ok());
    assert!(stream.next().await.expect("an item").is_ok());
    let Some(Err(CallError::TimedOut { after })) = stream.next().await else { panic!("times out") };
    assert_eq!(after, Duration::from_secs(100));
    assert_eq!(began.elapsed().as_secs(), 107, "counted from the first poll");
    pair.book.line("follow was cancelled").await;
    // Without one it lasts.
    let mut stream = pair.client.stream(Follow { to: 1, then: Then::Never });
    assert!(stream.next().await.expect("an item").is_ok());
    let mut next = Box::pin(stream.next());
    tokio::time::advance(Duration::from_secs(40)).await;
    assert!(!poll_once(next.as_mut()).await);
}

#[tokio::test(start_paused = true)]
async fn a_feed_without_an_end_is_told_that_its_server_shuts_down() {
    for pair in [pair().await, json_pair().await] {
        let mut stream = pair.client.stream(Follow { to: 1, then: Then::WhenTold });
        assert!(stream.next().await.expect("an item").is_ok());
        let began = Instant::now();
        let shutdown = pair.server.handle().shutdown(Duration::from_secs(10)).await;
        assert_eq!((shutdown.cut_off, began.elapsed()), (0, Duration::ZERO));
        pair.book.line("follow was told: this side is shutting down").await;
        let Some(Err(CallError::Failed { code, .. })) = stream.next().await else { panic!("ends") };
        assert_eq!(code, code::GOING_AWAY);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_ends_does_not_hold_up_a_shutdown() {
    for pair in [pair().await, json_pair().await] {
        let mut stream = pair.client.stream(Follow { to: 1, then: Then::Never });
        assert!(stream.next().await.expect("an item").is_ok());
        let began = Instant::now();
        pair.server.handle().shutdown(Duration::from_secs(10)).await;
        assert!(began.elapsed() <= Duration::from_secs(10), "{:?}", began.elapsed());
        let Some(Err(CallError::Disconnected { why, .. })) = stream.next().await else { panic!("gone") };
        assert_eq!(why.code(), CloseCode::GoingAway);
        pair.book.line("follow was cancelled").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_an_end_is_finished_by_a_shutdown() {
    let pair = pair().await;
    let mut stream = pair.client.stream(Follow { to: 100, then: Then::Gate });
    assert!(stream.next().await.expect("an item").is_ok());
    let shutdown = tokio::spawn({
        let handle = pair.server.handle();
        async move { handle.shutdown(Duration::from_secs(10)).await }
    });
    settle().await;
    pair.book.open(1);
    for _ in 1..100 {
        assert!(stream.next().await.expect("an item").is_ok());
    }
    assert!(stream.next().await.is_none(), "as it should end");
    assert_eq!(shutdown.await.expect("no panic").cut_off, 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_does_not_wait_for_streams() {
    let pair = pair().await;
    let mut stream = pair.client.stream(Follow { to: 1, then: Then::Never });
    assert!(stream.next().await.expect("an item").is_ok());
    let began = Instant::now();
    pair.client.close().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(matches!(stream.next().await, Some(Err(CallError::Disconnected { .. }))));
}

#[tokio::test(start_paused = true)]
async fn an_inbox_produces_streams() {
    let server = net::serve(TalkServer, Book::default());
    let (_client, mut inbox) = server.connect_inbox().await.expect("connects");
    let peer = server.hub().latest().expect("there");
    let reading = tokio::spawn(numbers(peer.stream(Tail { to: 100 })));
    let Some(TalkFromServer::Tail(tail, responder)) = inbox.recv().await else { panic!("a stream is opened") };
    let sender = responder.sender();
    for n in 1..=tail.to {
        sender.send(Number { n }).await.expect("is wanted");
    }
    responder.reply(());
    assert_eq!(reading.await.expect("no panic").len(), 100);
    assert!(matches!(sender.send(Number { n: 0 }).await, Err(SendError::Cancelled)), "the stream is at its end");
    assert!(matches!(sender.try_send(Number { n: 0 }).expect_err("too").reason, TrySendReason::Failed(_)));

    let mut stream = peer.stream(Tail { to: 1 });
    assert!(!poll_once(Box::pin(stream.next()).as_mut()).await);
    let Some(TalkFromServer::Tail(_, responder)) = inbox.recv().await else { panic!("a stream is opened") };
    let sender = responder.sender();
    for n in 0..64 {
        sender.try_send(Number { n }).expect("there is credit");
    }
    assert!(matches!(sender.try_send(Number { n: 9 }).expect_err("none is left").reason, TrySendReason::Full));
    drop(stream);
    assert!(matches!(sender.closed().await, SendError::Cancelled));
}

// ── Peers that break the rules ──

#[tokio::test(start_paused = true)]
async fn items_beyond_the_credit_close_the_connection() {
    let (mut server, client, _) = Raw::with_client(&Limits::default()).await;
    let mut stream = client.stream(Count { to: 1 });
    assert!(!poll_once(Box::pin(stream.next()).as_mut()).await);
    let id = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    for _ in 0..65 {
        server.send(Frame::Item { id, payload: &[1] }).await;
    }
    assert_eq!(server.close_code().await, CloseCode::ProtocolError);
    for _ in 0..64 {
        assert!(stream.next().await.expect("came in time").is_ok());
    }
    let Some(Err(CallError::Disconnected { why, .. })) = stream.next().await else { panic!("gone") };
    assert_eq!(why.code(), CloseCode::ProtocolError);
    assert!(why.reason().contains("beyond the credit of 64 items"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_comes_for_no_open_stream_is_ignored() {
    let (mut server, client, _) = Raw::with_client(&Limits::default()).await;
    let mut stream = client.stream(Count { to: 1 });
    assert!(!poll_once(Box::pin(stream.next()).as_mut()).await);
    let id = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    for other in [id ^ 1, id ^ 0x2000, u32::MAX] {
        server.send(Frame::Item { id: other, payload: &[1] }).await;
        server.send(Frame::End { id: other, end: StreamEnd::Done }).await;
        server.send(Frame::Credit { id: other, packets: u32::MAX, bytes: u32::MAX }).await;
    }
    server.send(Frame::Item { id, payload: &[5] }).await;
    for _ in 0..2 {
        server.send(Frame::End { id, end: StreamEnd::Done }).await;
        server.send(Frame::Item { id, payload: &[6] }).await;
    }
    assert_eq!(stream.next().await.expect("an item").expect("an item").n, 5);
    assert!(stream.next().await.is_none(), "two ends are one");
    // The item of a call that opens no stream, and the reply to one that does.
    let mut call = Box::pin(client.call(Touch {}));
    assert!(!poll_once(call.as_mut()).await);
    let id = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    server.send(Frame::Item { id, payload: &[5] }).await;
    server.send(Frame::Reply { id, payload: &[] }).await;
    call.await.expect("is answered");
    let mut stream = client.stream(Count { to: 1 });
    assert!(!poll_once(Box::pin(stream.next()).as_mut()).await);
    let id = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    server.send(Frame::Reply { id, payload: &[5] }).await;
    assert!(matches!(stream.next().await, Some(Err(CallError::Failed { .. }))));
    assert!(!client.is_closed());
}

#[tokio::test(start_paused = true)]
async fn an_item_that_does_not_decode_ends_its_stream() {
    let (mut server, client, _) = Raw::with_client(&Limits::default()).await;
    let mut stream = client.stream(Count { to: 1 });
    assert!(!poll_once(Box::pin(stream.next()).as_mut()).await);
    let id = server.next(|frame| if let Frame::Call { id, .. } = frame { id } else { panic!("{frame:?}") }).await;
    server.send(Frame::Item { id, payload: &[0xff; 9] }).await;
    assert!(matches!(stream.next().await, Some(Err(CallError::Decode(_)))));
    assert!(stream.next().await.is_none());
    let cancelled = server.next(|frame| matches!(frame, Frame::Cancel { id: cancelled } if cancelled == id)).await;
    assert!(cancelled);
}

#[tokio::test(start_paused = true)]
async fn credit_that_cannot_be_counted_closes_the_connection() {
    let server = net::serve(TalkServer, Book::default());
    let mut raw = Raw::client(&server, &Limits::default()).await;
    raw.call(7, &Follow { to: 0, then: Then::Never }).await;
    raw.send(Frame::Credit { id: 8, packets: u32::MAX, bytes: u32::MAX }).await;
    raw.send(Frame::Credit { id: 7, packets: 1 << 30, bytes: 1 << 30 }).await;
    settle().await;
    assert_eq!(server.hub().len(), 1, "credit for no stream, and much of it, is no fault");
    raw.send(Frame::Credit { id: 7, packets: 1 << 31, bytes: 0 }).await;
    assert_eq!(raw.close_code().await, CloseCode::ProtocolError);
}

#[tokio::test(start_paused = true)]
async fn streams_beyond_the_limit_are_answered_busy() {
    let book = Arc::new(Book::default());
    let server = net::serve(TalkServer, Arc::clone(&book));
    let mut raw = Raw::client(&server, &Limits::default()).await;
    // Ten thousand would be abuse after 32.
    for id in 1..=96 {
        raw.call(id, &Follow { to: 0, then: Then::Never }).await;
    }
    for id in 65..=96 {
        let (refused, code) = raw
            .next(|frame| match frame {
                Frame::Failure { id, code, .. } => (id, code.to_owned()),
                frame => panic!("{frame:?}"),
            })
            .await;
        assert_eq!((refused, code.as_str()), (id, code::BUSY));
    }
    raw.call(97, &Follow { to: 0, then: Then::Never }).await;
    assert_eq!(raw.close_code().await, CloseCode::Abuse);
    book.line("follow was cancelled").await;
}

#[tokio::test(start_paused = true)]
async fn all_streams_may_be_cancelled_at_once() {
    let pair = pair().await;
    for _ in 0..5 {
        let mut streams = Vec::new();
        for _ in 0..64 {
            let mut stream = pair.client.stream(Follow { to: 1, then: Then::Never });
            assert!(stream.next().await.expect("opened").is_ok());
            streams.push(stream);
        }
        drop(streams);
        // Of more than 100 in a second, the peer is told later: no stream stays open.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert_eq!(pair.book.lines().iter().filter(|line| *line == "follow was cancelled").count(), 320);
    pair.client.call(Touch {}).await.expect("the connection lives");
}

#[tokio::test(start_paused = true)]
async fn too_many_cancellations_are_told_later() {
    let pair = pair().await;
    let mut calls = Vec::new();
    for n in 0..64 {
        let mut call = Box::pin(pair.client.call(Hold { n }));
        assert!(!poll_once(call.as_mut()).await);
        calls.push(call);
    }
    settle().await;
    drop(calls);
    settle().await;
    let mut streams: Vec<_> = (0..64).map(|_| pair.client.stream(Follow { to: 1, then: Then::Never })).collect();
    for stream in &mut streams {
        assert!(stream.next().await.expect("opened").is_ok());
    }
    drop(streams);
    settle().await;
    let cancelled = || pair.book.lines().iter().filter(|line| line.contains("was cancelled")).count();
    assert_eq!(cancelled(), 100, "in the first second");
    tokio::time::sleep(Duration::from_secs(1)).await;
    settle().await;
    assert_eq!(cancelled(), 128);
}

#[tokio::test(start_paused = true)]
async fn streams_are_not_for_peers_that_send_no_id() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    io.write_all(b"{\"action\":\"COUNT\",\"data\":{\"to\":2}}").await.expect("writes");
    io.write_all(b"{\"action\":\"COUNT\",\"data\":{\"to\":2},\"id\":\"x\"}").await.expect("writes");
    io.shutdown().await.expect("half-closes");
    let mut text = String::new();
    io.read_to_string(&mut text).await.expect("text");
    let actions: Vec<_> = text
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).expect("an object");
            (object["action"].to_string(), object["re"].to_string())
        })
        .collect();
    let expected = [("pnet.failure", "null"), ("NUMBER", "\"x\""), ("NUMBER", "\"x\""), ("pnet.end", "\"x\"")];
    let expected: Vec<_> = expected.iter().map(|(action, re)| (format!("{action:?}"), (*re).to_owned())).collect();
    assert_eq!(actions, expected, "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_plain_json_peer_gets_a_stream_without_giving_credit() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let server = net::serve(TalkServer, Book::default());
    let mut io = server.connector().open().await.expect("opens");
    io.write_all(b"{\"action\":\"COUNT\",\"data\":{\"to\":5000},\"id\":1}").await.expect("writes");
    let mut text = Vec::new();
    while !text.ends_with(b"\"re\":1}\n") || !text.windows(8).any(|window| window == b"pnet.end") {
        assert_ne!(io.read_buf(&mut text).await.expect("reads"), 0);
    }
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 5001);
}

#[tokio::test(start_paused = true)]
async fn an_item_may_be_longer_than_the_whole_window() {
    let pair = pair().await;
    let mut stream = pair.client.stream(Fetch { items: 3, len: 600_000 });
    for _ in 0..3 {
        let Echoed { data } = stream.next().await.expect("an item").expect("an item");
        assert_eq!(data.len(), 600_000);
    }
    assert!(stream.next().await.is_none());
    let mut stream = pair.client.stream(Fetch { items: 3, len: 1 << 20 });
    assert!(matches!(stream.next().await, Some(Err(CallError::Failed { .. }))), "longer than any frame");
}
