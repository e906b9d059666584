//! The other acts.

use std::{sync::Arc, time::Duration};

use pnet_protocol::close::CloseCode;
use serde_json::json;
use tokio::time::timeout;

use super::town::{Book, DEADLINE, Remember, Touch, Ui, serve, until};
use crate::{
    calls::json::Json,
    client::connect,
    error::{CallError, JsonError, SendError},
    inspect::{Inspect, operated::Drained},
    operate::ActError,
    transport::{Connect, memory},
};

#[tokio::test]
async fn packets_go_to_one_and_to_all() {
    let town = serve();
    let (first, one) = town.client().await;
    let (second, two) = town.client().await;
    let conns = town.inspector.conns();
    assert_eq!(conns.iter().map(|conn| conn.id).collect::<Vec<_>>(), [first.id(), second.id()]);

    town.inspector.send(&conns[1], &Json::new("HINT", json!({"n": 1}))).await.expect("it is sent");
    let broadcast = town.inspector.broadcast(&Json::new("HEARD", json!({"text": "all"}))).expect("it fits");
    assert_eq!((broadcast.queued, broadcast.dropped), (2, 0));
    until("both have it", || one.lines() == ["all"] && two.lines() == ["hint 1", "all"]).await;

    let sum =
        timeout(DEADLINE, town.inspector.call(&conns[0], Json::new("ASK", json!({"n": 1})))).await.expect("it comes");
    assert_eq!(sum.expect("it is answered"), Json::new("SUM", json!({"sum": 2})));

    let misfit = town.inspector.broadcast(&Json::new("HEARD", json!({"text": 1}))).expect_err("it does not fit");
    assert_eq!(
        misfit.to_string(),
        "the data does not fit `HEARD`: `data.text`: a string is wanted, and this is a number"
    );
    let unknown = town.inspector.send(&conns[0], &Json::new("ADD", json!({}))).await;
    assert!(matches!(unknown, Err(SendError::Json(JsonError::UnknownAction { .. }))), "{unknown:?}");
}

#[tokio::test]
async fn delivery_is_suspended_and_resumed() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let hint = Json::new("HINT", json!({"n": 1}));
    town.inspector.suspend(&conn).expect("it is there");
    assert!(matches!(town.inspector.send(&conn, &hint).await, Err(SendError::Suspended)));
    assert_eq!(town.inspector.broadcast(&hint).expect("it fits").skipped, 1);
    client.call(Touch {}).await.expect("it is answered all the same");
    town.inspector.resume(&conn).expect("it is there");
    town.inspector.send(&conn, &hint).await.expect("it is sent");
}

#[tokio::test]
async fn what_is_gone_says_so() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    town.inspector.disconnect(&conn, CloseCode::Refused, "go away").expect("it is there");
    let closed = timeout(DEADLINE, client.closed()).await.expect("it ends");
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Refused, "go away"));
    let inspector = &town.inspector;
    for done in [inspector.suspend(&conn), inspector.resume(&conn), inspector.disconnect(&conn, CloseCode::Normal, "")]
    {
        let error = done.expect_err("it is gone");
        assert!(matches!(&error, ActError::Gone(closed) if closed.reason() == "go away"), "{error:?}");
        assert!(error.to_string().ends_with("(go away)"), "{error}");
    }
    assert!(matches!(inspector.ping(&conn, DEADLINE).await, Err(ActError::Gone(_))));
    assert!(matches!(
        inspector.send(&conn, &Json::new("HINT", json!({"n": 1}))).await,
        Err(SendError::Disconnected(_))
    ));
    let call = inspector.call(&conn, Json::new("ASK", json!({"n": 1}))).await;
    assert!(matches!(call, Err(CallError::Disconnected { sent: false, .. })), "{call:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_not_waited_for_without_end() {
    let town = serve();
    let (client, _) = town.client().await;
    let measured = town.inspector.ping(&town.conn(), DEADLINE).await.expect("it is answered");
    assert!(measured < DEADLINE);
    client.close().await;
    until("it has left", || town.inspector.conns().is_empty()).await;

    // One that knows no pings.
    let mut io = town.server.connector().open().await.expect("memory connects");
    tokio::io::AsyncWriteExt::write_all(&mut io, br#"{"action":"TOUCH","data":{},"id":1}"#).await.expect("it takes it");
    until("it is let in", || town.inspector.conns().len() == 1).await;
    let never = town.inspector.ping(&town.conn(), Duration::from_secs(3)).await;
    assert!(matches!(never, Err(ActError::TimedOut(after)) if after.as_secs() == 3), "{never:?}");
    drop(io);
}

#[tokio::test]
async fn a_client_cannot_do_what_only_servers_can() {
    let town = serve();
    let (client, _) = town.client().await;
    let inspector = client.inspector();
    let conn = inspector.conns().pop().expect("there is one");
    for (done, what) in [
        (inspector.suspend(&conn), "suspend"),
        (inspector.resume(&conn), "resume"),
        (inspector.broadcast(&Json::new("TOUCH", json!({}))).map(drop), "broadcast"),
    ] {
        assert_eq!(done.expect_err("it cannot").to_string(), format!("this is a client: only a server can {what}"));
    }
    inspector.send(&conn, &Json::new("REMEMBER", json!({"word": "bread"}))).await.expect("it is sent");
    let sum = inspector.call(&conn, Json::new("ADD", json!({"a": 1, "b": 2}))).await.expect("it is answered");
    assert_eq!(sum.into_data(), json!({"sum": 3}));
    assert!(inspector.ping(&conn, DEADLINE).await.is_ok());
}

#[tokio::test]
async fn a_client_drains_and_stops() {
    let town = serve();
    let (client, _) = town.client().await;
    client.send(Remember { word: "last words".to_owned() }).await.expect("it is sent");
    let drained = timeout(DEADLINE, client.inspector().drain(Duration::from_secs(5))).await.expect("it ends");
    assert!(matches!(&drained, Drained::Client(closed) if closed.code() == CloseCode::Normal), "{drained:?}");
    until("they were heard", || town.book.lines().contains(&"last words".to_owned())).await;
    assert!(client.is_closed());

    let (client, _) = town.client().await;
    client.inspector().stop();
    assert_eq!(timeout(DEADLINE, client.closed()).await.expect("it ends").code(), CloseCode::Normal);
}

#[tokio::test]
async fn a_client_that_reconnects_stays_away_after_both() {
    let town = serve();
    for stops in [false, true] {
        let connector = town.server.connector();
        let client = connect(Ui, Book::new())
            .reconnect(crate::reconnect::Backoff::default())
            .via(move || {
                let connector: memory::Connector = connector.clone();
                async move { connector.connect().await }
            })
            .await
            .expect("memory connects");
        let inspector = client.inspector();
        if stops {
            inspector.stop();
        } else {
            let drained = timeout(DEADLINE, inspector.drain(Duration::from_secs(5))).await.expect("it ends");
            assert!(matches!(drained, Drained::Client(_)));
        }
        assert_eq!(timeout(DEADLINE, client.closed()).await.expect("for good").code(), CloseCode::Normal);
        assert!(inspector.conns().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_stops_at_once_and_says_so() {
    let town = serve();
    let (client, _) = town.client().await;
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.call(super::town::Wait { n: 1 }).await }
    });
    town.book.begun(1).await;
    let handle = town.server.handle();
    town.inspector.stop();
    let closed = timeout(Duration::from_secs(2), client.closed()).await.expect("it ends at once");
    assert_eq!((closed.code(), closed.reason()), (CloseCode::GoingAway, "the server is shutting down"));
    timeout(Duration::from_secs(2), handle.closed()).await.expect("nothing is left");
    assert!(call.await.expect("no panic").is_err());
    assert!(town.inspector.conns().is_empty());
    // Again is no mistake.
    town.inspector.stop();
    assert!(matches!(town.inspector.drain(Duration::ZERO).await, Drained::Server(_)));
    drop(Arc::clone(&town.book));
}
