//! Each limit is met once, and shows as met.

use std::{collections::BTreeSet, future::pending, time::Duration};

use pnet::{
    Bytes, Limits, ServerBuilder,
    inspect::{Inspect, Snapshot},
    transport::PeerAddr,
};
use pnet_protocol::frame::Frame;
use pnet_tests::{
    gate::{Gate, GateClient, GateServer, Pass, Porter, Visitor},
    talk::{Ask, Echo, Follow, Hold, Number, Push, Tail, TalkServer, Then, Wait},
};
use tokio::{
    io::AsyncWriteExt,
    time::{advance, sleep},
};

use super::support::{Served, client, met, payload, serve, settle};

fn with(limits: impl FnOnce(&mut Limits)) -> impl FnOnce(ServerBuilder<TalkServer>) -> ServerBuilder<TalkServer> {
    let mut all = Limits::default();
    limits(&mut all);
    move |builder| builder.limits(all)
}

fn used(seen: &Snapshot, name: &str) -> Option<u64> {
    seen.limits.iter().find(|limit| limit.name == name).expect("there is one").used
}

/// These were met, and nothing else.
async fn only(served: &Served, names: &[&str]) {
    settle().await;
    let seen = served.look();
    let found: BTreeSet<_> =
        seen.limits.iter().filter(|limit| limit.met > 0).map(|limit| limit.name.as_str()).collect();
    assert_eq!(found, names.iter().copied().collect());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_met_by_those_who_keep_to_the_limits() {
    let served = serve(|builder| builder);
    let client = served.connect(client()).await;
    for _ in 0..200 {
        client.call(pnet_tests::talk::Touch {}).await.expect("answered");
    }
    only(&served, &[]).await;
    let seen = served.look();
    let allowed = |name| seen.limits.iter().find(|limit| limit.name == name).map(|limit| limit.allowed);
    assert_eq!((allowed("max_connections"), allowed("max_memory")), (Some(10_000), Some(512 << 20)));
    assert_eq!(
        (allowed("heartbeat"), allowed("call_timeout"), allowed("calls")),
        (Some(15_000), Some(30_000), Some(64))
    );
    let names: BTreeSet<_> = seen.limits.iter().map(|limit| limit.name.as_str()).collect();
    assert_eq!((names.len(), seen.limits.len()), (23, 23), "each is there once");
    let endless = serve(|builder| builder.call_timeout(None));
    assert!(!endless.look().limits.iter().any(|limit| limit.name == "call_timeout"), "what has no end is no limit");
}

#[tokio::test(start_paused = true)]
async fn connections() {
    let served = serve(|builder| builder.max_connections(1));
    let _one = served.connect(client()).await;
    let two = client().over::<pnet_tests::talk::Talk>(served.open().await, PeerAddr::Memory).await;
    two.expect_err("there is one");
    only(&served, &["max_connections"]).await;
    assert_eq!(used(&served.look(), "max_connections"), Some(1));
}

#[tokio::test(start_paused = true)]
async fn memory() {
    let served = serve(|builder| builder.max_memory(1));
    // Of 1 MiB, which is the least, three quarters: then nothing more is read, and the last ones cannot write.
    let mut writing = Vec::new();
    for _ in 0..12 {
        let mut raw = served.raw().await;
        writing.push(tokio::spawn(async move {
            raw.call(1, &Echo { data: Bytes::from(vec![0; 150_000]) }).await;
            pending::<()>().await;
        }));
        settle().await;
    }
    let seen = served.look();
    assert!(seen.totals.memory >= 3 << 18, "{}", seen.totals.memory);
    assert_eq!(used(&seen, "max_memory"), Some(seen.totals.memory));
    only(&served, &["max_memory"]).await;
}

#[tokio::test(start_paused = true)]
async fn handshakes_that_wait() {
    let served = serve(|builder| builder);
    let mut silent = Vec::new();
    for _ in 0..300 {
        silent.push(served.open().await);
        settle().await;
        advance(Duration::from_millis(3)).await;
    }
    only(&served, &["waiting_silent"]).await;
    assert!(used(&served.look(), "waiting_silent") >= Some(250));

    let served = serve(|builder| builder);
    let mut begun = Vec::new();
    for _ in 0..300 {
        let mut io = served.open().await;
        io.write_all(b"{").await.expect("memory writes");
        begun.push(io);
        settle().await;
        advance(Duration::from_millis(3)).await;
    }
    only(&served, &["waiting_handshakes"]).await;

    let served = serve(|builder| builder);
    let far = PeerAddr::Socket(([10, 0, 0, 1], 4000).into());
    let mut all = Vec::new();
    for _ in 0..33 {
        all.push(served.open_from(far.clone()).await);
    }
    only(&served, &["waiting_per_address"]).await;
    assert_eq!(met(&served.look(), "waiting_per_address"), 1);
}

#[tokio::test(start_paused = true)]
async fn handshakes_that_take_too_long() {
    let served = serve(|builder| builder);
    let mut io = served.open().await;
    io.write_all(b"{").await.expect("memory writes");
    sleep(Duration::from_secs(6)).await;
    only(&served, &["handshake_timeout"]).await;
    assert_eq!(super::support::closes(&served.look(), "handshake-timeout", "here"), 1);
}

#[tokio::test(start_paused = true)]
async fn logins() {
    let porter = Porter::new(|pass, _| async move {
        if pass.word == "wait" {
            pending::<()>().await;
        }
        Err::<Visitor, _>("no".into())
    });
    let server = pnet::serve(GateServer, porter).max_authenticating(1).in_memory::<Gate>();
    let inspector = server.handle().inspector();
    let show = |word| server.connect_with(pnet::connect(GateClient, ()).credentials(&Pass::new(word)));
    let (first, second) = tokio::join!(show("wait"), async {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(used(&inspector.snapshot(), "max_authenticating"), Some(1));
        show("no").await
    });
    first.expect_err("it takes too long");
    second.expect_err("it is not let in when its turn has come");
    sleep(Duration::from_secs(1)).await;
    let seen = inspector.snapshot();
    assert_eq!((met(&seen, "max_authenticating"), met(&seen, "handshake_timeout")), (1, 1));
    assert_eq!(
        (met(&seen, "login_delay"), used(&seen, "max_authenticating")),
        (0, Some(0)),
        "this machine does not wait"
    );
    assert_eq!(super::support::closes(&seen, "unauthorized", "here"), 2);
}

#[tokio::test(start_paused = true)]
async fn failed_logins_wait() {
    let (door, handed) = tokio::sync::mpsc::channel(1);
    let server = pnet::serve(GateServer, Porter::wants("open")).listen::<Gate, _>(super::support::handed(handed));
    let (here, there) = tokio::io::duplex(4096);
    door.send((there, PeerAddr::Socket(([10, 0, 0, 1], 4000).into()))).await.expect("the server accepts");
    let client = pnet::connect(GateClient, ()).credentials(&Pass::new("shut"));
    client.over::<Gate>(here, PeerAddr::Memory).await.expect_err("that is not the word");
    let seen = server.inspector().snapshot();
    assert_eq!((met(&seen, "login_delay"), super::support::closes(&seen, "unauthorized", "here")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn times() {
    let served = serve(|builder| builder);
    let _silent = served.raw().await;
    sleep(Duration::from_secs(60)).await;
    only(&served, &["heartbeat"]).await;
    assert_eq!(super::support::closes(&served.look(), "timeout", "here"), 1);

    let served = serve(|builder| builder.heartbeat(Duration::ZERO));
    let mut raw = served.raw().await;
    let peer = served.server.hub().latest().expect("there");
    peer.call(Ask { n: 1 }).timeout(Duration::from_millis(10)).await.expect_err("nobody answers");
    only(&served, &["call_timeout"]).await;

    raw.0.write_all(&[200, 0, 0, 0]).await.expect("memory writes");
    sleep(Duration::from_secs(31)).await;
    only(&served, &["call_timeout", "frame_timeout"]).await;

    let served = serve(|builder| builder.heartbeat(Duration::ZERO));
    let mut raw = served.raw().await;
    for id in 1..=4 {
        raw.call(id, &Echo { data: Bytes::from(vec![0; 40_000]) }).await;
        settle().await;
    }
    sleep(Duration::from_secs(11)).await;
    only(&served, &["write_timeout"]).await;
    assert_eq!(super::support::closes(&served.look(), "slow-consumer", "here"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_one_client_may_have_open() {
    // Two of one: the second is refused. The first has reached the limit already.
    let served = serve(with(|limits| _ = limits.calls(1)));
    let mut raw = served.raw().await;
    raw.call(1, &Hold { n: 1 }).await;
    settle().await;
    assert_eq!(met(&served.look(), "calls"), 1);
    raw.call(2, &Hold { n: 2 }).await;
    only(&served, &["calls"]).await;
    assert_eq!(met(&served.look(), "calls"), 2);

    let served = serve(with(|limits| _ = limits.streams(1)));
    let mut raw = served.raw().await;
    raw.call(1, &Follow { to: 0, then: Then::Gate }).await;
    raw.call(2, &Follow { to: 0, then: Then::Gate }).await;
    only(&served, &["streams"]).await;

    let served = serve(with(|limits| _ = limits.packets(2)));
    let mut raw = served.raw().await;
    raw.packet(&Wait { n: 1 }).await;
    raw.packet(&Wait { n: 2 }).await;
    only(&served, &["packets"]).await;
    assert_eq!(met(&served.look(), "packets"), 1, "it has to wait now");
    raw.packet(&Wait { n: 3 }).await;
    only(&served, &["packets"]).await;
    assert_eq!(met(&served.look(), "packets"), 2, "and did not");

    let served = serve(with(|limits| _ = limits.packet_bytes(1)));
    let mut raw = served.raw().await;
    raw.packet(&Wait { n: 1 }).await;
    only(&served, &["packet_bytes"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_or_too_much() {
    let served = serve(|builder| builder);
    let mut raw = served.raw().await;
    raw.0.write_all(&(2_u32 << 20).to_le_bytes()).await.expect("memory writes");
    only(&served, &["max_frame_len"]).await;

    let served = serve(with(|limits| _ = limits.stream_items(2)));
    let mut raw = served.raw().await;
    let peer = served.server.hub().latest().expect("there");
    let mut numbers = peer.stream(Tail { to: 3 });
    let first = tokio::spawn(async move {
        let first = numbers.next().await;
        pending::<()>().await;
        drop((first, numbers));
    });
    let id = raw.called().await;
    for n in 1..=6 {
        let item = payload(&Number { n });
        raw.send(Frame::Item { id, payload: &item }).await;
    }
    only(&served, &["stream_items"]).await;
    first.abort();

    let served = serve(|builder| builder);
    let mut json = served.json().await;
    for _ in 0..33 {
        json.write_all(b"{\"action\":\"NOBODY\",\"data\":{}}\n").await.expect("memory writes");
    }
    only(&served, &["mistakes"]).await;
    assert_eq!(super::support::closes(&served.look(), "abuse", "here"), 1);

    let served = serve(|builder| builder);
    let mut raw = served.raw().await;
    for id in 1..=201 {
        raw.call(id, &Hold { n: id }).await;
        raw.send(Frame::Cancel { id }).await;
    }
    only(&served, &["cancellations"]).await;
}

#[tokio::test(start_paused = true)]
async fn queues() {
    // It speaks JSON, so nothing waits for credit.
    let served = serve(|builder| builder.heartbeat(Duration::ZERO));
    let _json = served.json().await;
    let peer = served.server.hub().latest().expect("there");
    let mut taken = 0;
    while peer.try_send(Push { n: 1 }).is_ok() {
        taken += 1;
    }
    assert!(taken > 1024, "{taken}");
    let seen = served.look();
    assert!(met(&seen, "out_buffer") > 0);
    assert_eq!((met(&seen, "queue_packets"), met(&seen, "queue_bytes")), (1, 0));

    // A client, whose server does not read.
    let (here, there) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(super::support::welcome(there));
    let client = client().over::<pnet_tests::talk::Talk>(here, PeerAddr::Memory).await.expect("it is welcomed");
    let _there = serving.await.expect("no panic");
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.call(Echo { data: Bytes::from(vec![0; 60_000]) }).await.map(drop) })
        })
        .collect();
    settle().await;
    let seen = client.inspector().snapshot();
    assert!(met(&seen, "queue_bytes") > 0, "{:?}", seen.limits);
    assert_eq!(met(&seen, "queue_packets"), 0);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
}
