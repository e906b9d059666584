//! What starts before what.

use pnet_tests::talk::{Aside, Consult, Hold, Note, Push, Read, Wait};

use super::support::pair;

#[tokio::test(start_paused = true)]
async fn a_call_sees_what_earlier_packets_did() {
    let pair = pair().await;
    for n in 0..500 {
        pair.client.send(Note { n }).await.expect("is sent");
    }
    let read = pair.client.call(Read {}).await.expect("is answered");
    let expected: Vec<String> = (0..500).map(|n| format!("note {n}")).collect();
    assert_eq!(read.lines, expected);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_one_way_handler_holds_back_what_came_after_it() {
    let pair = pair().await;
    pair.client.send(Wait { n: 1 }).await.expect("is sent");
    pair.client.send(Note { n: 2 }).await.expect("is sent");
    let read = tokio::spawn({
        let client = pair.client.clone();
        async move { client.call(Read {}).await }
    });
    pair.book.line("wait 1 begins").await;
    tokio::task::yield_now().await;
    assert_eq!(pair.book.lines(), ["wait 1 begins"], "neither the packet nor the call has started");
    pair.book.open(1);
    let read = read.await.expect("no panic").expect("is answered");
    assert_eq!(read.lines, ["wait 1 begins", "wait 1 ends", "note 2"]);
}

#[tokio::test(start_paused = true)]
async fn a_concurrent_handler_is_stepped_over() {
    let pair = pair().await;
    pair.client.send(Aside { n: 1 }).await.expect("is sent");
    pair.client.send(Note { n: 2 }).await.expect("is sent");
    let read = pair.client.call(Read {}).await.expect("is answered");
    assert_eq!(read.lines, ["aside 1 begins", "note 2"]);
    pair.book.open(1);
    pair.book.line("aside 1 ends").await;
}

#[tokio::test(start_paused = true)]
async fn calls_hold_nothing_back() {
    let pair = pair().await;
    let hold = tokio::spawn(pair.client.call(Hold { n: 1 }));
    pair.book.line("hold 1 begins").await;
    pair.client.send(Note { n: 2 }).await.expect("is sent");
    let read = pair.client.call(Read {}).await.expect("is answered");
    assert_eq!(read.lines, ["hold 1 begins", "note 2"]);
    pair.book.open(1);
    hold.await.expect("no panic").expect("is answered");
}

#[tokio::test(start_paused = true)]
async fn a_one_way_handler_that_waits_for_its_own_peer_is_stepped_over() {
    let pair = pair().await;
    // The client's handler for ASK answers at once, but its answer is behind nothing; what matters is that a handler
    // waiting for the peer does not stop the packets behind it.
    for n in 0..64 {
        pair.client.send(Consult { n }).await.expect("is sent");
    }
    for n in 0..64 {
        pair.book.line(&format!("consult {n} was told {}", n * 2)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_handler_may_call_the_server_while_a_thousand_pushes_are_queued() {
    let pair = pair().await;
    let peer = pair.server.hub().peers().pop().expect("the client is there");
    for n in 0..1_000 {
        peer.send(Push { n }).await.expect("is sent");
    }
    let lines = pair.ui.after(1_000).await;
    // Push 0 waits for its own peer, so the others may overtake its end; among themselves they keep their order.
    let others: Vec<&String> = lines.iter().filter(|line| !line.starts_with("push 0")).collect();
    let expected: Vec<String> = (1..1_000).map(|n| format!("push {n}")).collect();
    assert_eq!(others.len(), expected.len());
    assert!(others.into_iter().eq(expected.iter()));
    assert!(lines.iter().any(|line| line.starts_with("push 0 after reading")));
}

#[tokio::test(start_paused = true)]
async fn packets_of_several_senders_keep_each_senders_order() {
    let pair = pair().await;
    let senders = (0..8).map(|sender| {
        let client = pair.client.clone();
        tokio::spawn(async move {
            for n in 0..200 {
                client.send(Note { n: sender * 1_000 + n }).await.expect("is sent");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.expect("no panic");
    }
    let lines = pair.client.call(Read {}).await.expect("is answered").lines;
    for sender in 0..8 {
        let of_sender: Vec<u32> = lines
            .iter()
            .map(|line| line["note ".len()..].parse().expect("a number"))
            .filter(|n: &u32| n / 1_000 == sender)
            .collect();
        assert_eq!(of_sender, (0..200).map(|n| sender * 1_000 + n).collect::<Vec<_>>());
    }
}
