//! Many operators at once, on several threads, who leave at any time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use serde_json::json;
use tokio::time::{sleep, timeout};

use super::town::{Add, DEADLINE, Remember, answer, serve};
use crate::{calls::json::Json, operate::TriggerError};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn operators_who_come_and_go_leave_nothing_behind() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let mut tasks = Vec::new();
    for operator in 0..8_u32 {
        let (inspector, conn, client) = (town.inspector.clone(), Arc::clone(&conn), client.clone());
        tasks.push(tokio::spawn(async move {
            for round in 0..100_u32 {
                let as_ = ((operator + round) % 2 == 0).then_some(&conn);
                let (action, data) = match round % 5 {
                    0 => ("WAIT", json!({"n": 1})),
                    1 => ("ASIDE", json!({"n": 1})),
                    2 => ("DIVIDE", json!({"a": 6, "b": 3})),
                    3 => ("COUNT", json!({"to": 200, "fail": false})),
                    _ => ("ADD", json!({"a": round, "b": operator})),
                };
                let packet = Json::new(action, data);
                let patience = Duration::from_micros(u64::from(round * 37 % 400));
                let run = timeout(patience, inspector.trigger(&packet, as_, "ada")).await;
                if let Ok(Err(error)) = run {
                    assert!(matches!(error, TriggerError::Busy(_)), "{error:?}");
                }
                let sum = client.call(Add { a: round.into(), b: 1 }).await.expect("a peer's calls go on").sum;
                assert_eq!(sum, i64::from(round) + 1);
            }
        }));
    }
    for task in tasks {
        timeout(DEADLINE, task).await.expect("in time").expect("no panic");
    }
    // Nobody waits any more, so every handler that waited at the gate is gone.
    client.send(Remember { word: "last".to_owned() }).await.expect("it is sent");
    timeout(DEADLINE, async {
        while !town.book.lines().contains(&"last".to_owned()) {
            sleep(Duration::from_millis(1)).await;
        }
        while conn.out().rare.operators.as_ref().is_some_and(|operators| !operators.is_idle()) {
            sleep(Duration::from_millis(1)).await;
        }
        while town.book.begun.load(Ordering::SeqCst) != town.book.gone() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("nothing is left");
    for conn in [None, Some(&conn)] {
        let sum = town.inspector.trigger(&Json::new("ADD", json!({"a": 1, "b": 1})), conn, "ada").await;
        assert_eq!(answer(sum), json!({"sum": 2}));
    }
}
