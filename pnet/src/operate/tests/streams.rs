//! Streams that an operator opens.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::town::{DEADLINE, serve, until};
use crate::{
    calls::json::Json,
    operate::{StreamEnd, TriggerError, Triggered},
};

fn items(triggered: Result<Triggered, TriggerError>) -> (Vec<Value>, StreamEnd) {
    match triggered {
        Ok(Triggered::Items { items, end }) => {
            assert!(items.iter().all(|item| item.action() == "NUMBER"));
            (items.into_iter().map(Json::into_data).collect(), end)
        }
        other => panic!("no items: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn items_come_up_to_a_bound() {
    let town = serve();
    let (client, _) = town.client().await;
    for conn in [None, Some(town.conn())] {
        let run = async |to: u32, fail: bool| {
            let packet = Json::new("COUNT", json!({"to": to, "fail": fail}));
            town.inspector.trigger(&packet, conn.as_ref(), "ada").await
        };
        let (few, end) = items(run(3, false).await);
        assert_eq!(few, [json!({"n": 1}), json!({"n": 2}), json!({"n": 3})]);
        assert!(matches!(end, StreamEnd::Complete));

        let (all, end) = items(run(100, false).await);
        assert_eq!(all.len(), 100);
        assert!(matches!(end, StreamEnd::Complete), "{end:?}");

        let (most, end) = items(run(101, false).await);
        assert_eq!((most.len(), most.last()), (100, Some(&json!({"n": 100}))));
        assert!(matches!(end, StreamEnd::Cut), "{end:?}");

        let (before, end) = items(run(2, true).await);
        assert_eq!(before.len(), 2);
        let StreamEnd::Failed(error) = end else { panic!("{end:?}") };
        assert!(matches!(*error, TriggerError::Declared(json) if json == Json::new("BY_ZERO", json!({"a": 0}))));
    }
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_an_end_is_cut_and_its_handler_cancelled() {
    let town = serve();
    let began = Instant::now();
    let (none, end) =
        items(timeout(DEADLINE, town.run("COUNT", json!({"to": 0, "fail": false}))).await.expect("it ends"));
    assert!(none.is_empty() && matches!(end, StreamEnd::Cut), "{none:?} {end:?}");
    assert_eq!(began.elapsed().as_secs(), Duration::from_secs(5).as_secs());
    assert!(town.book.lines().is_empty(), "its handler did not come to its end");
}

#[tokio::test]
async fn an_operators_stream_is_none_of_the_peers() {
    let town = serve();
    let (client, _) = town.client().await;
    let conn = town.conn();
    let mut stream = client.stream(super::town::Count { to: 70, fail: false });
    let first = timeout(DEADLINE, stream.next()).await.expect("it comes").expect("there is one").expect("it is one");
    assert_eq!(first.n, 1);
    // The peer's is in the middle, and waits for credit.
    let (few, end) = items(town.run_as(&conn, "COUNT", json!({"to": 5, "fail": false})).await);
    assert_eq!(few.len(), 5);
    assert!(matches!(end, StreamEnd::Complete));
    let mut last = first.n;
    while let Some(item) = timeout(DEADLINE, stream.next()).await.expect("it comes") {
        let n = item.expect("it is one").n;
        assert_eq!(n, last + 1);
        last = n;
    }
    assert_eq!(last, 70);
    until("nothing is left", || conn.out().rare.operators.as_ref().is_some_and(|operators| operators.is_idle())).await;
}
