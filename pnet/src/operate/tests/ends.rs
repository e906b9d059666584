//! Operators who leave, connections that end, and servers that stop, while a handler runs.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use pnet_protocol::close::CloseCode;
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};

use super::town::{DEADLINE, Served, answer, serve, until};
use crate::{
    calls::json::Json,
    connection::Conn,
    inspect::operated::Drained,
    operate::{TriggerError, Triggered},
};

type Run = JoinHandle<Result<Triggered, TriggerError>>;

fn start(town: &Served, action: &'static str, conn: Option<&Arc<Conn>>) -> Run {
    let (inspector, conn) = (town.inspector.clone(), conn.cloned());
    tokio::spawn(async move { inspector.trigger(&Json::new(action, json!({"n": 1})), conn.as_ref(), "ada").await })
}

async fn end(run: Run) -> Result<Triggered, TriggerError> {
    timeout(DEADLINE, run).await.expect("it ends").expect("it does not panic")
}

#[tokio::test]
async fn an_operator_who_leaves_cancels_the_handler() {
    let town = serve();
    let (client, _) = town.client().await;
    for (count, conn) in [(1, None), (2, Some(town.conn()))] {
        let run = start(&town, "WAIT", conn.as_ref());
        town.book.begun(count).await;
        run.abort();
        town.book.dropped(count).await;
    }
    // The place of a one-way packet is free, too.
    let run = start(&town, "ASIDE", Some(&town.conn()));
    town.book.begun(3).await;
    run.abort();
    town.book.dropped(3).await;
    assert_eq!(answer(town.run_as(&town.conn(), "ADD", json!({"a": 1, "b": 1})).await), json!({"sum": 2}));
    drop(client);
}

#[tokio::test]
async fn a_handler_that_finishes_runs_on_without_its_operator() {
    let town = serve();
    let (client, _) = town.client().await;
    for (count, conn) in [(1, None), (2, Some(town.conn()))] {
        let run = start(&town, "FINISH", conn.as_ref());
        town.book.begun(count).await;
        run.abort();
        tokio::task::yield_now().await;
        town.book.gate.add_permits(1);
        until("it finishes", || town.book.ended.load(Ordering::SeqCst) == count).await;
    }
    drop(client);
}

#[tokio::test]
async fn what_waits_for_its_turn_is_taken_back() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    client.send(super::town::Remember { word: "slowly".to_owned() }).await.expect("it is sent");
    town.book.begun(1).await;
    let run = {
        let (inspector, conn) = (town.inspector.clone(), Arc::clone(&conn));
        tokio::spawn(async move {
            inspector.trigger(&Json::new("REMEMBER", json!({"word": "never"})), Some(&conn), "ada").await
        })
    };
    until("it is there", || conn.out().rare.operators.is_some()).await;
    client.ping().await.expect("the driver has looked");
    run.abort();
    until("it is taken back", || conn.out().rare.operators.as_ref().is_some_and(|operators| operators.is_idle())).await;
    client.ping().await.expect("the driver has looked");
    town.book.gate.add_permits(1);
    client.send(super::town::Remember { word: "last".to_owned() }).await.expect("it is sent");
    until("the last is there", || town.book.lines().len() == 3).await;
    assert_eq!(town.book.lines(), ["comes", "slowly", "last"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_has_the_call_timeout() {
    let town = serve();
    let (client, _) = town.client().await;
    for (count, conn) in [(1, None), (2, Some(town.conn()))] {
        let began = Instant::now();
        let error = end(start(&town, "WAIT", conn.as_ref())).await.expect_err("it takes too long");
        assert!(matches!(error, TriggerError::TimedOut(after) if after == Duration::from_secs(30)), "{error:?}");
        assert_eq!(began.elapsed().as_secs(), 30);
        town.book.dropped(count).await;
    }
    drop(client);
}

#[tokio::test]
async fn a_connection_that_ends_leaves_no_operator_waiting() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let run = start(&town, "WAIT", Some(&conn));
    town.book.begun(1).await;
    town.inspector.disconnect(&conn, CloseCode::Normal, "that will do").expect("it is there");
    let error = end(run).await.expect_err("the connection ends");
    assert!(matches!(&error, TriggerError::Gone(closed) if closed.reason() == "that will do"), "{error:?}");
    town.book.dropped(1).await;
    assert_eq!(client.closed().await.reason(), "that will do");
    // And none comes in behind it.
    let error = end(start(&town, "WAIT", Some(&conn))).await.expect_err("the connection is gone");
    assert!(matches!(error, TriggerError::Gone(_)), "{error:?}");
}

#[tokio::test]
async fn a_client_that_leaves_leaves_no_operator_waiting() {
    let town = serve();
    let (client, _) = town.client().await;
    let run = start(&town, "WAIT", Some(&town.conn()));
    town.book.begun(1).await;
    drop(client);
    let error = end(run).await.expect_err("the connection ends");
    assert!(matches!(error, TriggerError::Gone(_)), "{error:?}");
}

#[tokio::test]
async fn a_drain_lets_handlers_finish_and_takes_no_others() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let runs = [start(&town, "WAIT", None), start(&town, "WAIT", Some(&conn))];
    town.book.begun(2).await;
    let drain = tokio::spawn({
        let inspector = town.inspector.clone();
        async move { inspector.drain(Duration::from_secs(10)).await }
    });
    until("it drains", || town.inspector.snapshot().about.draining).await;
    let refused = end(start(&town, "WAIT", None)).await.expect_err("nothing new is taken");
    assert!(matches!(refused, TriggerError::GoingAway), "{refused:?}");
    let refused = end(start(&town, "WAIT", Some(&conn))).await.expect_err("nothing new is taken");
    assert!(matches!(&refused, TriggerError::Failed { code, .. } if code == "going-away"), "{refused:?}");
    town.book.gate.add_permits(2);
    for run in runs {
        assert_eq!(answer(end(run).await), json!({"sum": 1}));
    }
    let drained = timeout(DEADLINE, drain).await.expect("it ends").expect("no panic");
    let Drained::Server(shutdown) = drained else { panic!("{drained:?}") };
    assert_eq!((shutdown.finished, shutdown.cut_off, shutdown.calls), (1, 0, 0));
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn an_operators_runs_are_no_calls_of_a_shutdown() {
    let town = serve();
    let (client, _) = town.client().await;
    let runs = [start(&town, "FINISH", Some(&town.conn())), start(&town, "FINISH", None)];
    town.book.begun(2).await;
    let drained = timeout(DEADLINE, town.inspector.drain(Duration::from_secs(2))).await.expect("it ends");
    let Drained::Server(shutdown) = drained else { panic!("{drained:?}") };
    assert_eq!(shutdown.calls, 0, "nobody's call was lost");
    let [with, without] = runs;
    assert!(matches!(end(with).await, Err(TriggerError::Gone(_))));
    assert!(matches!(end(without).await, Err(TriggerError::Dropped)));
    town.book.dropped(2).await;
    drop(client);
}
