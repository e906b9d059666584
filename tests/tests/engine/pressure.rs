//! Back-pressure: nothing grows without bound, nothing is lost.

use std::{future::poll_fn, task::Poll};

use pnet::TrySendReason;
use pnet_tests::talk::{Flood, Note, Push, Read, Touch, Wait};

use super::support::pair;

#[tokio::test(start_paused = true)]
async fn senders_wait_when_the_peer_does_not_handle() {
    let pair = pair().await;
    pair.client.send(Wait { n: 0 }).await.expect("is sent");
    let mut taken = 0;
    let refused = loop {
        match pair.client.try_send(Note { n: taken }) {
            Ok(()) => taken += 1,
            Err(refused) => break refused,
        }
        assert!(taken < 10_000, "the queue is bounded");
        tokio::task::yield_now().await;
    };
    assert!(matches!(refused.reason, TrySendReason::Full), "{refused:?}");
    assert_eq!(refused.packet, Note { n: taken }, "the packet comes back");
    // 63 of the credit and 1,024 that are parked.
    assert!((1_024..=1_024 + 64).contains(&taken), "{taken}");
    let mut waiting = Box::pin(pair.client.send(Note { n: taken }));
    poll_fn(|task| {
        assert!(waiting.as_mut().poll(task).is_pending());
        Poll::Ready(())
    })
    .await;
    pair.book.open(1);
    waiting.await.expect("is sent once there is room");
    let lines = pair.client.call(Read {}).await.expect("is answered").lines;
    let expected: Vec<String> = (0..=taken).map(|n| format!("note {n}")).collect();
    assert_eq!(lines[2..], expected[..], "nothing was lost, and all in order");
}

#[tokio::test(start_paused = true)]
async fn a_call_behind_a_full_queue_still_times_out() {
    let pair = pair().await;
    pair.client.send(Wait { n: 0 }).await.expect("is sent");
    while pair.client.try_send(Note { n: 0 }).is_ok() {
        tokio::task::yield_now().await;
    }
    // Sooner than a queue that stays full ends the connection.
    let calling = pair.client.call(Touch {}).timeout(std::time::Duration::from_secs(5));
    let error = calling.await.expect_err("no room, no answer");
    assert!(matches!(error, pnet::CallError::TimedOut { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn handlers_that_flood_each_others_connections_finish() {
    let pair = pair().await;
    for _ in 0..10 {
        pair.client.send(Flood { pushes: 500 }).await.expect("is sent");
    }
    // Every flood pushes 0..500 again; push 0 calls the server.
    let lines = pair.ui.after(5_000).await;
    assert_eq!(lines.len(), 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_counts_whom_it_reaches() {
    let pair = pair().await;
    let hub = pair.server.hub();
    let result = hub.broadcast(&Push { n: 7 });
    assert_eq!((result.queued, result.skipped, result.dropped), (1, 0, 0));
    pair.ui.line("push 7").await;
    let peer = hub.peers().pop().expect("the client is there");
    let result = hub.broadcast_except(peer.id(), &Push { n: 8 });
    assert_eq!((result.queued, result.skipped, result.dropped), (0, 1, 0));
    // Nobody lets the driver run: the queue fills up, and then the broadcast says so.
    let mut dropped = 0;
    for n in 1..3_000 {
        dropped += hub.broadcast(&Push { n }).dropped;
    }
    assert!(dropped > 1_000, "{dropped}");
}
