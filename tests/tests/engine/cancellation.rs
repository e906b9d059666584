//! Who stops when nobody waits any more.

use std::future::poll_fn;

use pnet::CloseCode;
use pnet_tests::talk::{Hold, Pay, Touch, Wait};

use super::support::pair;

#[tokio::test(start_paused = true)]
async fn dropping_a_call_cancels_its_handler() {
    let pair = pair().await;
    let call = tokio::spawn(pair.client.call(Hold { n: 1 }));
    pair.book.line("hold 1 begins").await;
    call.abort();
    pair.book.line("hold 1 was cancelled").await;
    pair.client.call(Touch {}).await.expect("the connection lives");
}

#[tokio::test(start_paused = true)]
async fn a_finish_handler_runs_on_when_its_call_is_dropped() {
    let pair = pair().await;
    let call = tokio::spawn(pair.client.call(Pay { n: 1 }));
    pair.book.line("pay 1 begins").await;
    call.abort();
    pair.client.call(Touch {}).await.expect("the connection lives");
    pair.book.open(1);
    pair.book.line("pay 1 ends").await;
}

#[tokio::test(start_paused = true)]
async fn losing_the_peer_cancels_all_but_finish_handlers_and_the_disconnect_handler_is_last() {
    let pair = pair().await;
    let hold = tokio::spawn(pair.client.call(Hold { n: 1 }));
    let pay = tokio::spawn(pair.client.call(Pay { n: 2 }));
    pair.book.after(2).await;
    pair.client.send(Wait { n: 3 }).await.expect("is sent");
    pair.book.after(3).await;
    let peer = pair.server.hub().peers().pop().expect("the client is there");
    peer.close(CloseCode::Normal, "enough");
    pair.book.line("hold 1 was cancelled").await;
    pair.book.open(1);
    let lines = pair.book.after(6).await;
    assert_eq!(lines[lines.len() - 2..], ["pay 2 ends".to_owned(), "left: normal (enough), 0 remain".to_owned()]);
    assert!(!lines.iter().any(|line| line == "wait 3 ends"));
    for call in [hold, pay] {
        let error = call.await.expect("no panic").expect_err("the connection is gone");
        assert!(matches!(error, pnet::CallError::Disconnected { sent: true, .. }), "{error:?}");
    }
    assert_eq!(pair.client.closed().await.code(), CloseCode::Normal);
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_before_it_was_polled_is_never_made() {
    let pair = pair().await;
    drop(pair.client.call(Hold { n: 1 }));
    drop(pair.client.send(Wait { n: 2 }));
    pair.client.call(Touch {}).await.expect("is answered");
    assert!(pair.book.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn cancelled_calls_give_their_places_back() {
    let pair = pair().await;
    for round in 0..3 {
        let mut calls: Vec<_> = (0..64).map(|n| Box::pin(pair.client.call(Hold { n }))).collect();
        for call in &mut calls {
            poll_fn(|task| {
                assert!(call.as_mut().poll(task).is_pending());
                std::task::Poll::Ready(())
            })
            .await;
        }
        pair.book.after(round * 128 + 64).await;
        drop(calls);
        pair.book.after((round + 1) * 128).await;
        // More than a hundred in a second would not be told to the peer.
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
    }
    pair.client.call(Touch {}).await.expect("none is answered busy");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_a_lot_is_not_taken_for_an_attacker() {
    let pair = pair().await;
    pair.book.open(10_000);
    for n in 0..1_000 {
        let mut call = Box::pin(pair.client.call(Hold { n }));
        poll_fn(|task| {
            assert!(call.as_mut().poll(task).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        drop(call);
        tokio::task::yield_now().await;
    }
    pair.client.call(Touch {}).await.expect("the connection lives");
}
