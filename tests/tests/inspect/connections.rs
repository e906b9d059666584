//! The list of connections.

use std::time::Duration;

use pnet::{Bytes, CloseCode, Dialect, TlsPolicy};
use pnet_tests::{
    keys,
    talk::{Ask, Book, Count, Echo, Hold, Note, Push, Talk, TalkServer, Touch, Wait},
};
use tokio::io::AsyncReadExt;

use super::support::{client, connection, serve, settle, soon};

#[tokio::test(start_paused = true)]
async fn each_form_is_told_apart() {
    let served = serve(|builder| builder.identity(keys::server()).tls(TlsPolicy::Optional));
    let native = served.connect(client()).await;
    let json = served.connect(client().dialect(Dialect::Json)).await;
    let tls = client().identity(keys::client()).pin(keys::server().fingerprint());
    let tls = served.connect(tls).await;
    // It says nothing, so the server speaks first.
    let mut old = served.open().await;
    assert_ne!(soon(old.read(&mut [0; 1024])).await.expect("memory reads"), 0);
    settle().await;

    let seen = served.look();
    let of = |id: String| {
        let connection = connection(&seen, &id);
        assert_eq!(connection.addr, "memory");
        (connection.form.as_str(), connection.tls, connection.key.clone())
    };
    assert_eq!(of(native.id().to_string()), ("native", false, None));
    assert_eq!(of(json.id().to_string()), ("json", false, None));
    let key = keys::client().fingerprint().to_string();
    assert_eq!(of(tls.id().to_string()), ("native", true, Some(key.clone())));
    let last = seen.connections.last().expect("there are four");
    assert_eq!((last.form.as_str(), last.tls), ("old", false));
    assert_eq!((seen.connections.len(), seen.totals.connections, seen.totals.accepted), (4, 4, 4));
    assert_eq!(seen.about.key, Some(keys::server().fingerprint().to_string()));

    // The same from the other side.
    let inside = pnet::inspect::Inspect::inspector(&tls).snapshot();
    let connection = &inside.connections[0];
    assert!(connection.tls);
    assert_eq!((connection.form.as_str(), inside.about.key), ("native", Some(key)));
    assert_eq!(connection.key, Some(keys::server().fingerprint().to_string()));
}

#[tokio::test(start_paused = true)]
async fn traffic_ages_and_round_trips_are_those_of_the_connection() {
    let served = serve(|builder| builder);
    let one = served.connect(client()).await;
    let other = served.connect(client()).await;
    for n in 0..3 {
        one.send(Note { n }).await.expect("taken");
    }
    for _ in 0..5 {
        one.call(Touch {}).await.expect("answered");
    }
    let peer = served.server.hub().get(one.id()).expect("there");
    peer.send(Push { n: 1 }).await.expect("taken");
    peer.call(Ask { n: 1 }).await.expect("answered");
    peer.ping().await.expect("answered");
    settle().await;

    let seen = served.look();
    let busy = connection(&seen, &one.id().to_string());
    assert_eq!((busy.received.packets, busy.received.calls), (3, 5));
    assert_eq!((busy.sent.packets, busy.sent.calls), (1, 1));
    let info = peer.info();
    assert_eq!((busy.received.bytes, busy.sent.bytes), (info.received.bytes, info.sent.bytes));
    assert!(busy.rtt_us.is_some());
    let idle = connection(&seen, &other.id().to_string());
    assert_eq!((idle.received.calls, idle.sent.packets, idle.rtt_us), (0, 0, None));

    tokio::time::sleep(Duration::from_secs(7)).await;
    one.call(Touch {}).await.expect("answered");
    tokio::time::sleep(Duration::from_secs(2)).await;
    settle().await;
    let seen = served.look();
    assert_eq!(connection(&seen, &one.id().to_string()).idle_ms / 1000, 2);
    assert_eq!(connection(&seen, &other.id().to_string()).idle_ms / 1000, 9);
}

#[tokio::test(start_paused = true)]
async fn what_is_unfinished_shows_on_both_sides() {
    let served = serve(|builder| builder);
    let mut raw = served.raw().await;
    raw.call(1, &Hold { n: 1 }).await;
    raw.call(2, &Hold { n: 2 }).await;
    raw.packet(&Wait { n: 3 }).await;
    raw.packet(&Note { n: 4 }).await;
    settle().await;
    let peer = served.server.hub().latest().expect("there");
    let calls = [1, 2].map(|n| tokio::spawn(peer.call(Ask { n })));
    settle().await;
    let seen = served.look();
    // The note waits behind the packet whose handler waits.
    assert_eq!((seen.connections[0].in_flight, seen.totals.in_flight), (4, 4));
    assert_eq!(seen.connections[0].awaited, 2);

    served.book.open(3);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    settle().await;
    let seen = served.look();
    assert_eq!((seen.connections[0].in_flight, seen.connections[0].awaited), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_inbox_has_in_flight_what_it_has_not_handled() {
    let server = pnet::memory::serve::<_, Talk>(TalkServer, Book::default());
    let (client, mut inbox) = server.connect_inbox().await.expect("connects");
    let peer = server.hub().latest().expect("there");
    for n in 0..5 {
        peer.send(Push { n }).await.expect("taken");
    }
    settle().await;
    let inspector = pnet::inspect::Inspect::inspector(&client);
    assert_eq!(inspector.snapshot().connections[0].in_flight, 5);
    for _ in 0..3 {
        inbox.recv().await.expect("a push");
    }
    settle().await;
    // The third is in the program's hands.
    assert_eq!(inspector.snapshot().connections[0].in_flight, 3);
}

#[tokio::test(start_paused = true)]
async fn queues_show_what_waits_and_suspension_shows() {
    let served = serve(|builder| builder);
    let mut raw = served.raw().await;
    let peer = served.server.hub().latest().expect("there");
    // It gives no credit beyond the first 64 packets.
    for n in 0..100 {
        peer.try_send(Push { n }).expect("there is room");
    }
    settle().await;
    let seen = served.look();
    let queue = &seen.connections[0];
    assert_eq!((queue.queue_packets, queue.queue_limit, seen.totals.queued), (36, 1024, 36));
    assert!(queue.queue_bytes >= 36 * 7, "{}", queue.queue_bytes);
    assert!(!queue.suspended);
    assert_eq!(queue.sent.packets, 64);
    peer.suspend();
    assert!(served.look().connections[0].suspended);
    peer.resume();
    assert!(!served.look().connections[0].suspended);

    // It does not read what is long.
    raw.call(1, &Count { to: 0 }).await;
    settle().await;
    peer.close(CloseCode::Normal, "");
    // It is not waited for longer than a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(served.look().connections.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_the_transport_refuses_wait_too() {
    let served = serve(|builder| builder);
    let mut raw = served.raw().await;
    for id in 1..=4 {
        raw.call(id, &Echo { data: Bytes::from(vec![0; 40_000]) }).await;
        settle().await;
    }
    // The transport holds 64 KiB.
    let waits = served.look().connections[0].queue_bytes;
    assert!((90_000..110_000).contains(&waits), "{waits}");
}
