//! Handlers that are run as a peer's.

use std::sync::{Arc, atomic::Ordering};

use pnet_protocol::dialect::Dialect;
use serde_json::json;
use tokio::{io::AsyncWriteExt, time::timeout};

use super::town::{Book, DEADLINE, Remember, Town, Ui, Wait, answer, serve, until};
use crate::{
    calls::json::Json,
    client::connect,
    inspect::Inspect,
    operate::{TriggerError, Triggered},
};

#[tokio::test]
async fn both_dialects_have_their_payloads() {
    let town = serve();
    for dialect in [Dialect::Native, Dialect::Json] {
        let builder = connect(Ui, Book::new()).dialect(dialect);
        let client = town.server.connect_with(builder).await.expect("memory connects");
        let conn = town.conn();
        assert_eq!(conn.dialect, dialect);
        assert_eq!(answer(town.run_as(&conn, "ADD", json!({"a": 40, "b": 2})).await), json!({"sum": 42}));
        assert_eq!(answer(town.run_as(&conn, "BADGE", json!({})).await), json!({"name": "a citizen"}));
        assert_eq!(answer(town.run_as(&conn, "GUEST", json!({})).await), json!({"name": "memory"}));
        let error = town.run_as(&conn, "DIVIDE", json!({"a": 1, "b": 0})).await.expect_err("nobody divides by zero");
        assert!(matches!(error, TriggerError::Declared(json) if json == Json::new("BY_ZERO", json!({"a": 1}))));
        drop(client);
    }
}

#[tokio::test]
async fn it_waits_its_turn_behind_the_packets_of_the_peer() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    client.send(Remember { word: "slowly".to_owned() }).await.expect("it is sent");
    town.book.begun(1).await;

    let inspector = town.inspector.clone();
    let triggered = tokio::spawn(async move {
        inspector.trigger(&Json::new("REMEMBER", json!({"word": "second"})), Some(&conn), "ada").await
    });
    until("it is queued", || town.conn().out().rare.operators.is_some()).await;
    client.send(Remember { word: "third".to_owned() }).await.expect("it is sent");
    client.ping().await.expect("it has arrived");
    assert_eq!(town.book.lines(), ["comes"]);
    town.book.gate.add_permits(1);
    let done = timeout(DEADLINE, triggered).await.expect("its turn comes").expect("it does not panic");
    assert!(matches!(done, Ok(Triggered::Done)));
    until("all are remembered", || town.book.lines().len() == 4).await;
    assert_eq!(town.book.lines(), ["comes", "slowly", "second", "third"]);
}

#[tokio::test]
async fn it_holds_back_what_comes_after_it() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let inspector = town.inspector.clone();
    let triggered = tokio::spawn(async move {
        inspector.trigger(&Json::new("REMEMBER", json!({"word": "slowly"})), Some(&conn), "ada").await
    });
    town.book.begun(1).await;
    client.send(Remember { word: "after".to_owned() }).await.expect("it is sent");
    client.ping().await.expect("it has arrived");
    assert_eq!(town.book.lines(), ["comes"]);
    town.book.gate.add_permits(1);
    assert!(matches!(timeout(DEADLINE, triggered).await.expect("it ends").expect("no panic"), Ok(Triggered::Done)));
    until("both are remembered", || town.book.lines().len() == 3).await;
    assert_eq!(town.book.lines(), ["comes", "slowly", "after"]);
}

#[tokio::test]
async fn the_peer_is_told_nothing_and_charged_nothing() {
    let town = serve();
    let (client, ui) = town.client().await;
    let conn = town.conn();
    client.ping().await.expect("all is said");
    let (before, written) = (client_view(&conn), conn.counters.bytes_written.get());
    // More than a peer may get wrong in a minute.
    for _ in 0..100 {
        let error = town.run_as(&conn, "ODD", json!({"n": 0})).await.expect_err("zero is no such number");
        assert!(matches!(&error, TriggerError::Failed { code, .. } if code == "malformed"), "{error:?}");
        town.run_as(&conn, "FAIL", json!({"how": "public"})).await.expect_err("it fails");
        town.run_as(&conn, "ADD", json!({"a": 1, "b": 2})).await.expect("it is answered");
    }
    assert_eq!((client_view(&conn), conn.counters.bytes_written.get()), (before, written));
    assert!(!client.is_closed());
    assert!(ui.lines().is_empty());
}

fn client_view(conn: &crate::connection::Conn) -> (u64, u64, u64) {
    let counters = &conn.counters;
    (counters.packets_received.get(), counters.calls_received.get(), counters.bytes_received.get())
}

#[tokio::test]
async fn a_peers_calls_go_on_beside_it() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let inspector = town.inspector.clone();
    let triggered =
        tokio::spawn(async move { inspector.trigger(&Json::new("WAIT", json!({"n": 5})), Some(&conn), "ada").await });
    town.book.begun(1).await;
    // As many as the peer may have open, and its place is not taken.
    let calls: Vec<_> = (0..64)
        .map(|n| {
            tokio::spawn({
                let client = client.clone();
                async move { client.call(Wait { n }).await.map(|sum| sum.sum) }
            })
        })
        .collect();
    town.book.begun(65).await;
    town.book.gate.add_permits(65);
    assert_eq!(answer(timeout(DEADLINE, triggered).await.expect("it ends").expect("no panic")), json!({"sum": 5}));
    for (n, call) in (0..).zip(calls) {
        assert_eq!(timeout(DEADLINE, call).await.expect("it ends").expect("no panic").expect("it is answered"), n);
    }
}

#[tokio::test]
async fn places_are_bounded() {
    let town = serve();
    let (client, _) = town.client().await;
    for conn in [None, Some(town.conn())] {
        let runs: Vec<_> = (0..64)
            .map(|n| {
                tokio::spawn({
                    let (inspector, conn) = (town.inspector.clone(), conn.clone());
                    async move { inspector.trigger(&Json::new("WAIT", json!({"n": n})), conn.as_ref(), "ada").await }
                })
            })
            .collect();
        let begun = if conn.is_some() { 128 } else { 64 };
        town.book.begun(begun).await;
        let busy = town.inspector.trigger(&Json::new("ADD", json!({"a": 1, "b": 1})), conn.as_ref(), "eve").await;
        assert!(matches!(busy, Err(TriggerError::Busy(64))), "{busy:?}");
        town.book.gate.add_permits(64);
        for run in runs {
            timeout(DEADLINE, run).await.expect("it ends").expect("no panic").expect("it is answered");
        }
        let sum = town.inspector.trigger(&Json::new("ADD", json!({"a": 1, "b": 1})), conn.as_ref(), "ada").await;
        assert_eq!(answer(sum), json!({"sum": 2}));
    }
    drop(client);
}

#[tokio::test]
async fn it_waits_while_too_much_is_to_be_written() {
    let town = serve();
    // A peer that asks for much and reads nothing. What is being written does not count, so it asks again.
    let mut io = town.server.connector().open().await.expect("memory connects");
    let mut ask = async |id: u32| {
        let ask = json!({"action": "BIG", "id": id, "data": {"len": 500_000}}).to_string();
        io.write_all(ask.as_bytes()).await.expect("it is taken");
    };
    ask(1).await;
    until("it is let in", || town.inspector.conns().len() == 1).await;
    let conn = town.conn();
    until("it is being written", || conn.counters.bytes_written.get() > 0).await;
    for id in 2..=6 {
        ask(id).await;
    }
    until("much waits", || conn.out().is_overfull()).await;
    let run = {
        let (inspector, conn) = (town.inspector.clone(), Arc::clone(&conn));
        tokio::spawn(
            async move { inspector.trigger(&Json::new("ADD", json!({"a": 1, "b": 1})), Some(&conn), "ada").await },
        )
    };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!run.is_finished(), "nothing new is begun");
    let reader = tokio::spawn(async move { tokio::io::copy(&mut io, &mut tokio::io::sink()).await });
    assert_eq!(answer(timeout(DEADLINE, run).await.expect("it is read").expect("no panic")), json!({"sum": 2}));
    reader.abort();
}

#[tokio::test]
async fn a_client_runs_its_own_handlers() {
    let town = serve();
    let (client, ui) = town.client().await;
    let inspector = client.inspector();
    let trigger = async |action, data| inspector.trigger(&Json::new(action, data), None, "ada").await;
    assert!(matches!(trigger("HINT", json!({"n": 3})).await, Ok(Triggered::Done)));
    assert_eq!(ui.lines(), ["hint 3"]);
    // The handler calls the server, whose driver has to be let run.
    assert_eq!(answer(trigger("ASK", json!({"n": 4})).await), json!({"sum": 5}));
    assert!(matches!(
        trigger("ADD", json!({"a": 1, "b": 1})).await,
        Err(TriggerError::UnknownAction { outgoing: true, .. })
    ));
    client.close().await;
    let gone = trigger("HINT", json!({"n": 4})).await;
    assert!(matches!(gone, Err(TriggerError::Gone(_))), "{gone:?}");
}

#[tokio::test]
async fn an_inbox_has_no_handlers() {
    let town = serve();
    let (client, mut inbox) = town.server.connect_inbox().await.expect("memory connects");
    let _: &crate::client::Client<Town> = &client;
    let refused = client.inspector().trigger(&Json::new("HINT", json!({"n": 3})), None, "ada").await;
    assert_eq!(
        refused.expect_err("there are none").to_string(),
        "the handler failed: there are no handlers: this client reads an inbox (unsupported)"
    );
    // What the server sends comes as ever.
    town.run("SHOUT", json!({"text": "fire"})).await.expect("it is handled");
    assert!(timeout(DEADLINE, inbox.recv()).await.expect("it comes").is_some());
    assert_eq!(town.book.ended.load(Ordering::SeqCst), 0);
    drop(Arc::clone(&town.book));
}
