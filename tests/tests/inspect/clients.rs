//! Looking into clients.

use std::time::Duration;

use pnet::{Backoff, Client, CloseCode, LinkState, inspect::Inspect, memory};
use pnet_tests::talk::{Ask, Book, Note, Talk, TalkClient, TalkServer, Touch};

use super::support::{action, client, closes, serve, settle};

#[tokio::test(start_paused = true)]
async fn a_client_shows_its_one_connection() {
    let served = serve(|builder| builder);
    let client = served.connect(client()).await;
    client.call(Touch {}).await.expect("answered");
    client.send(Note { n: 1 }).await.expect("taken");
    served.server.hub().latest().expect("there").call(Ask { n: 1 }).await.expect("answered");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let inspector = client.inspector();
    let seen = inspector.snapshot();
    assert_eq!((seen.about.role.as_str(), seen.about.protocol.as_str()), ("client", "Talk"));
    assert_eq!((seen.about.addr.as_str(), seen.about.uptime_ms / 1000, seen.about.draining), ("memory", 5, false));
    assert_eq!((seen.totals.accepted, seen.totals.connections), (1, 1));
    assert_eq!((seen.totals.sent.calls, seen.totals.sent.packets, seen.totals.received.calls), (1, 1, 1));
    assert_eq!(seen.connections[0].id, client.id().to_string());
    assert_eq!(action(&seen, "in", "ASK").handled, 1);
    assert!(seen.limits.iter().any(|limit| limit.name == "queue_packets"));
    assert!(!seen.limits.iter().any(|limit| limit.name == "max_connections"), "that is a server's");
    // Who looks keeps nothing open.
    drop(client);
    settle().await;
    let seen = inspector.snapshot();
    assert_eq!((seen.connections.len(), seen.totals.connections, seen.totals.sent.calls), (0, 0, 1));
    assert_eq!((closes(&seen, "normal", "here"), seen.about.draining), (1, true));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reconnects_counts_all_its_connections() {
    let server = memory::serve::<_, Talk>(TalkServer, Book::default());
    let backoff = Backoff::default();
    let client: Client<Talk> =
        pnet::connect(TalkClient, Book::default()).reconnect(backoff).via(server.connector()).await.expect("connects");
    let inspector = client.inspector();
    for round in 1..=3_u64 {
        for _ in 0..10 {
            client.call(Touch {}).await.expect("answered");
        }
        settle().await;
        let seen = inspector.snapshot();
        assert_eq!((seen.totals.accepted, seen.totals.connections, seen.connections.len()), (round, 1, 1));
        assert_eq!((seen.totals.sent.calls, action(&seen, "out", "TOUCH").handled), (10 * round, 10 * round));
        assert_eq!(closes(&seen, "internal", "peer"), round - 1);
        let mut states = client.states();
        server.hub().close(client.id(), CloseCode::Internal, "again");
        let down = |state: &LinkState| !matches!(state, LinkState::Up);
        let up = |state: &LinkState| matches!(state, LinkState::Up);
        tokio::time::timeout(Duration::from_secs(600), async {
            states.wait_for(down).await.expect("the client is there");
            let between = inspector.snapshot();
            assert_eq!((between.totals.sent.calls, between.connections.len()), (10 * round, 0));
            states.wait_for(up).await.expect("the client is there");
        })
        .await
        .expect("it comes back");
    }
}
