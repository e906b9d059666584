//! Many connections, and several threads.

use std::sync::Arc;

use pnet::{Client, Dialect, inspect::Inspect, memory};
use pnet_tests::talk::{Book, Divide, Note, Talk, TalkClient, TalkServer, Touch};
use tokio::io::AsyncWriteExt;

use super::support::{action, closes, serve, settle};

/// Each call and packet is counted, whichever thread its driver runs on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_right_under_two_threads() {
    const CONNECTIONS: u64 = 40;
    const ROUNDS: u64 = 100;
    let server = memory::serve::<_, Talk>(TalkServer, Book::default());
    let server = Arc::new(server);
    let tasks: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let dialect = if number % 2 == 0 { Dialect::Native } else { Dialect::Json };
                let builder = pnet::connect(TalkClient, Book::default()).dialect(dialect);
                let client: Client<Talk> = server.connect_with(builder).await.expect("connects");
                for n in 0..ROUNDS {
                    let note = client.send(Note { n: 1 });
                    let (touch, divide) = (client.call(Touch {}), client.call(Divide { a: 1, b: 1 }));
                    let (note, touch, divide) = tokio::join!(note, touch, divide);
                    note.expect("taken");
                    touch.expect("answered");
                    divide.expect("answered");
                    if n % 10 == 0 {
                        assert!(server.handle().inspector().snapshot().totals.connections > 0);
                    }
                }
                client.close().await;
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let inspector = server.handle().inspector();
    let ended = async {
        while closes(&inspector.snapshot(), "normal", "peer") < CONNECTIONS
            || inspector.snapshot().totals.connections > 0
        {
            tokio::task::yield_now().await;
        }
        server.handle().shutdown(std::time::Duration::from_secs(5)).await;
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), ended).await.expect("they end");
    let seen = inspector.snapshot();
    for name in ["NOTE", "TOUCH", "DIVIDE"] {
        let action = action(&seen, "in", name);
        assert_eq!((action.handled, action.failed), (CONNECTIONS * ROUNDS, 0), "{name}");
        let expected = CONNECTIONS * ROUNDS / 64;
        assert!((expected / 3..expected * 3).contains(&action.samples), "{name}: {}", action.samples);
    }
    let received = seen.totals.received;
    assert_eq!((received.packets, received.calls), (CONNECTIONS * ROUNDS, 2 * CONNECTIONS * ROUNDS));
    assert_eq!(seen.totals.accepted, CONNECTIONS);
}

/// A snapshot asks nobody to do anything: it is there before any other task has run.
#[tokio::test]
async fn ten_thousand_connections_are_seen_at_once() {
    let served = serve(|builder| builder.max_connections(10_000));
    let mut clients = Vec::with_capacity(10_000);
    for _ in 0..10_000 {
        let mut io = served.open().await;
        io.write_all(b"{\"action\":\"NOTE\",\"data\":{\"n\":1}}\n").await.expect("memory writes");
        clients.push(io);
        tokio::task::yield_now().await;
    }
    settle().await;
    let seen = served.look();
    assert_eq!((seen.connections.len(), seen.totals.accepted), (10_000, 10_000));
    assert_eq!((seen.totals.received.packets, action(&seen, "in", "NOTE").handled), (10_000, 10_000));
    assert!(seen.connections.iter().all(|connection| connection.received.packets == 1 && connection.form == "json"));
    let samples = action(&seen, "in", "NOTE").samples;
    assert!((100..220).contains(&samples), "one in 64, though each has sent one packet only: {samples}");
    let limit = seen.limits.iter().find(|limit| limit.name == "max_connections").expect("a server has it");
    assert_eq!((limit.allowed, limit.used), (10_000, Some(10_000)));
}
