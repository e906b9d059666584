//! Sums over connections that are there and those that were.

use std::time::Duration;

use pnet::{CloseCode, Dialect, transport::PeerAddr};
use pnet_tests::talk::{Note, Touch};
use tokio::io::AsyncWriteExt;

use super::support::{client, closes, serve, settle};

#[tokio::test(start_paused = true)]
async fn what_has_ended_stays_in_the_sums_once() {
    let served = serve(|builder| builder);
    let (mut packets, mut calls) = (0, 0);
    let mut kept = Vec::new();
    for round in 0..20_u32 {
        let client = served.connect(client()).await;
        for n in 0..round {
            client.send(Note { n }).await.expect("taken");
            packets += 1;
        }
        client.call(Touch {}).await.expect("answered");
        calls += 1;
        // Somebody may hold a handle on what is gone.
        kept.push(served.server.hub().get(client.id()).expect("there"));
        if round % 2 == 0 {
            client.close().await;
            settle().await;
        } else {
            std::mem::forget(client);
        }
        let seen = served.look();
        assert_eq!((seen.totals.received.packets, seen.totals.received.calls), (packets, calls));
        assert_eq!(seen.totals.accepted, u64::from(round) + 1);
    }
    let bytes: u64 = kept.iter().map(|peer| peer.info().received.bytes).sum();
    let sent: u64 = kept.iter().map(|peer| peer.info().sent.bytes).sum();
    let seen = served.look();
    assert_eq!((seen.totals.received.bytes, seen.totals.sent.bytes), (bytes, sent));
    assert_eq!((seen.totals.connections, closes(&seen, "normal", "peer")), (10, 10));
}

#[tokio::test(start_paused = true)]
async fn ends_are_told_by_code_and_side() {
    let served = serve(|builder| builder.max_connections(2).dialects([Dialect::Native]));
    let one = served.connect(client()).await;
    let two = served.connect(client()).await;
    let full = client().over::<pnet_tests::talk::Talk>(served.open().await, PeerAddr::Memory).await;
    full.expect_err("there are two already");
    served.server.hub().close(one.id(), CloseCode::Refused, "enough");
    one.closed().await;
    drop(two);
    settle().await;
    let json = client().dialect(Dialect::Json);
    let json = json.over::<pnet_tests::talk::Talk>(served.open().await, PeerAddr::Memory).await;
    json.expect_err("it speaks native only");
    // It is no dialect at all.
    served.open().await.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("memory writes");
    // It goes without a word.
    drop(served.raw().await);
    settle().await;
    let seen = served.look();
    assert_eq!(closes(&seen, "overloaded", "here"), 1);
    assert_eq!((closes(&seen, "refused", "here"), closes(&seen, "normal", "peer")), (2, 1));
    assert_eq!((closes(&seen, "protocol-error", "here"), closes(&seen, "lost", "peer")), (1, 1), "{:?}", seen.closes);
    assert_eq!(seen.closes.iter().map(|closes| closes.count).sum::<u64>(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_server_says_what_it_is() {
    let served = serve(|builder| builder);
    tokio::time::sleep(Duration::from_secs(90)).await;
    let about = served.look().about;
    assert_eq!((about.role.as_str(), about.protocol.as_str(), about.addr.as_str()), ("server", "Talk", "\"the test\""));
    assert_eq!((about.uptime_ms / 1000, about.draining, about.key), (90, false, None));
    assert_eq!(about.fingerprint, format!("{:016x}", <pnet_tests::talk::Talk as pnet::Protocol>::INFO.fingerprint));
    assert!(about.at_ms > 1_600_000_000_000);
    let inspector = pnet::inspect::Inspect::inspector(&served.server.handle());
    let ending = tokio::spawn(async move { served.server.shutdown(Duration::from_secs(1)).await });
    settle().await;
    assert!(inspector.snapshot().about.draining);
    ending.await.expect("no panic");
}
