//! How long a caller waits, on its way through handlers that call.

use std::{sync::Arc, time::Duration};

use pnet::{CallError, Dialect, Limits, Meta, Packet, Peer, action, actions, protocol};
use pnet_protocol::frame::Frame;
use pnet_tests::talk::{Book, TalkServer};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    net,
    support::{Raw, id_of, settle},
};

#[tokio::test(start_paused = true)]
async fn a_nested_call_has_what_is_left_of_its_callers_time() {
    let book = Arc::new(Book::default());
    let server = net::serve(TalkServer, Arc::clone(&book));
    for (timeout_ms, nested) in [(5_000, 3_000), (0, 30_000), (60_000, 30_000)] {
        let mut raw = Raw::client(&server, &Limits::default()).await;
        // A one-way handler that waits holds the call back, whose time goes on.
        raw.send(Frame::Packet { action: id_of("WAIT"), payload: &[1] }).await;
        raw.send(Frame::Call { id: 1, action: id_of("ASK_BACK"), timeout_ms, payload: &[7] }).await;
        settle().await;
        tokio::time::advance(Duration::from_secs(2)).await;
        book.open(1);
        let told = raw
            .next(|frame| match frame {
                Frame::Call { timeout_ms, .. } => timeout_ms,
                frame => panic!("{frame:?}"),
            })
            .await;
        assert_eq!(told, nested, "of {timeout_ms} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_nested_call_is_not_made_when_the_time_is_over() {
    let book = Arc::new(Book::default());
    let server = net::serve(TalkServer, Arc::clone(&book));
    let mut raw = Raw::client(&server, &Limits::default()).await;
    raw.send(Frame::Packet { action: id_of("WAIT"), payload: &[1] }).await;
    raw.send(Frame::Call { id: 1, action: id_of("ASK_BACK"), timeout_ms: 1_000, payload: &[7] }).await;
    settle().await;
    tokio::time::advance(Duration::from_secs(2)).await;
    book.open(1);
    let answer = raw.next(|frame| frame.name().to_owned()).await;
    assert_eq!(answer, "FAILURE", "and no call back");
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Top {}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Deep {
    n: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Left {
    ms: Option<u64>,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Never {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Item {}

protocol! {
    /// Calls that go to and fro.
    pub Nested {
        client { Top -> Left, Deep -> Left, Never -> stream Item }
        server { Deep -> Left, Never -> stream Item }
    }
}

#[action("TOP")]
async fn top(_: Top, peer: Peer<Nested>) -> Result<Left, pnet::Failure> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(peer.call(Deep { n: 3 }).without_timeout().await?)
}

#[action("DEEP")]
async fn deep(p: Deep, meta: Meta, peer: Peer<Nested>) -> Result<Left, pnet::Failure> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    if p.n == 0 {
        return Ok(Left { ms: meta.remaining().map(|left| left.as_millis() as u64) });
    }
    Ok(peer.call(Deep { n: p.n - 1 }).await?)
}

#[action("NEVER")]
async fn never(_: Never, peer: Peer<Nested>, out: pnet::StreamSender<Item>) -> Result<(), pnet::Failure> {
    // A stream that a handler opens inherits, too.
    let mut inner = peer.stream(Never {});
    while let Some(item) = inner.next().await {
        out.send(item?).await?;
    }
    Ok(())
}

actions! { pub server NestedServer for Nested: top, deep, never }

#[action("DEEP")]
async fn client_deep(p: Deep, meta: &Meta, client: pnet::Client<Nested>) -> Result<Left, pnet::Failure> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    if p.n == 0 {
        return Ok(Left { ms: meta.remaining().map(|left| left.as_millis() as u64) });
    }
    Ok(client.call(Deep { n: p.n - 1 }).await?)
}

#[action("NEVER")]
async fn client_never(_: Never, out: pnet::StreamSender<Item>) {
    out.closed().await;
}

actions! { pub client NestedClient for Nested: client_deep, client_never }

#[tokio::test(start_paused = true)]
async fn the_time_left_goes_down_from_handler_to_handler() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let server = net::serve(NestedServer, ());
        let client = net::connect(NestedClient, ()).dialect(dialect);
        let client = server.connect_with(client).await.expect("connects");
        // Five handlers of a second each.
        let left = client.call(Top {}).timeout(Duration::from_secs(20)).await.expect("in time");
        assert_eq!(left.ms, Some(15_000), "{dialect}");
        let left = client.call(Top {}).without_timeout().await.expect("in time");
        assert_eq!(left.ms, Some(27_000), "{dialect}: the second call has a timeout of its own");
        // The innermost gives up first, and the failure comes before the outermost does.
        let began = Instant::now();
        let error = client.call(Top {}).timeout(Duration::from_secs(3)).await.expect_err("takes longer");
        assert!(matches!(error, CallError::TimedOut { .. } | CallError::Failed { .. }), "{error:?}");
        assert_eq!(began.elapsed(), Duration::from_secs(3));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_a_handler_opens_ends_with_its_callers_time() {
    let server = net::serve(NestedServer, ());
    let client = server.connect(NestedClient, ()).await.expect("connects");
    let began = Instant::now();
    let mut stream = client.stream(Never {}).timeout(Duration::from_secs(7));
    let Some(Err(error)) = stream.next().await else { panic!("times out") };
    assert!(matches!(error, CallError::TimedOut { .. } | CallError::Failed { .. }), "{error:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(7));
}
