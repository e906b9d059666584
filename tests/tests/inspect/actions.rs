//! What was said, and how long it took.

use std::time::Duration;

use pnet::Dialect;
use pnet_tests::talk::{
    Ask, AskBack, Break, Count, Divide, Flood, Follow, Hold, How, Note, Push, Stumble, Then, Touch,
};
use tokio::io::AsyncWriteExt;

use super::support::{Served, action, client, met, serve, settle, soon};

fn counted(served: &Served, direction: &str, name: &str) -> (u64, u64) {
    let seen = served.look();
    let action = action(&seen, direction, name);
    (action.handled, action.failed)
}

#[tokio::test(start_paused = true)]
async fn what_arrives_is_counted_by_how_it_ends() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let served = serve(|builder| builder);
        let client = served.connect(client().dialect(dialect)).await;
        for _ in 0..3 {
            client.call(Touch {}).await.expect("answered");
        }
        client.call(Divide { a: 6, b: 2 }).await.expect("answered");
        // A declared error is an answer.
        client.call(Divide { a: 6, b: 0 }).await.expect_err("by zero");
        for how in [How::Panic, How::PanicLater, How::Secret, How::Public, How::Not] {
            served.book.open(1);
            let _ = client.call(Break { how }).await;
        }
        client.send(Note { n: 1 }).await.expect("taken");
        client.send(Stumble {}).await.expect("taken");
        let mut numbers = client.stream(Count { to: 3 });
        while numbers.next().await.is_some() {}
        let mut numbers = client.stream(Follow { to: 1, then: Then::Public });
        while numbers.next().await.is_some() {}
        settle().await;

        assert_eq!(counted(&served, "in", "TOUCH"), (3, 0), "{dialect}");
        assert_eq!(counted(&served, "in", "DIVIDE"), (2, 0), "{dialect}");
        assert_eq!(counted(&served, "in", "BREAK"), (5, 4), "{dialect}");
        assert_eq!(counted(&served, "in", "NOTE"), (1, 0), "{dialect}");
        assert_eq!(counted(&served, "in", "STUMBLE"), (1, 1), "{dialect}");
        assert_eq!(counted(&served, "in", "COUNT"), (1, 0), "{dialect}");
        assert_eq!(counted(&served, "in", "FOLLOW"), (1, 1), "{dialect}");
        assert_eq!(counted(&served, "in", "HOLD"), (0, 0), "{dialect}");
        assert_eq!(counted(&served, "out", "NOTE"), (0, 0), "{dialect}");

        // The same from the other side.
        let inside = pnet::inspect::Inspect::inspector(&client).snapshot();
        let of = |name| {
            let action = action(&inside, "out", name);
            (action.handled, action.failed)
        };
        assert_eq!((of("TOUCH"), of("DIVIDE"), of("BREAK")), ((3, 0), (2, 0), (5, 4)), "{dialect}");
        assert_eq!((of("NOTE"), of("STUMBLE")), ((1, 0), (1, 0)), "{dialect}");
        assert_eq!((of("COUNT"), of("FOLLOW")), ((1, 0), (1, 1)), "{dialect}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_malformed_has_failed() {
    let served = serve(|builder| builder);
    let mut json = served.json().await;
    for line in [r#"{"action":"NOTE","data":{"n":"one"}}"#, r#"{"action":"DIVIDE","data":{"a":1},"id":7}"#] {
        json.write_all(line.as_bytes()).await.expect("memory writes");
        json.write_all(b"\n").await.expect("memory writes");
    }
    settle().await;
    assert_eq!(counted(&served, "in", "NOTE"), (1, 1));
    assert_eq!(counted(&served, "in", "DIVIDE"), (1, 1));
    assert_eq!(counted(&served, "in", "READ"), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_counted_for_each_who_gets_it() {
    let served = serve(|builder| builder);
    let clients = [
        served.connect(client()).await,
        served.connect(client()).await,
        served.connect(client().dialect(Dialect::Json)).await,
    ];
    let hub = served.server.hub();
    for n in 1..=4 {
        assert_eq!(hub.broadcast(&Push { n }).queued, 3);
    }
    clients[0].send(Flood { pushes: 5 }).await.expect("taken");
    clients[1].call(AskBack { n: 1 }).await.expect("answered");
    hub.broadcast(&Note { n: 1 });
    settle().await;
    assert_eq!(counted(&served, "out", "PUSH"), (17, 0));
    assert_eq!(counted(&served, "out", "NOTE"), (3, 0));
    assert_eq!(counted(&served, "out", "ASK"), (1, 0));
    let inside = pnet::inspect::Inspect::inspector(&clients[2]).snapshot();
    assert_eq!(action(&inside, "in", "PUSH").handled, 4);
}

#[tokio::test(start_paused = true)]
async fn calls_of_this_side_without_an_answer_have_failed() {
    let served = serve(|builder| builder);
    let raw = served.raw().await;
    let peer = served.server.hub().latest().expect("there");
    let late = peer.call(Ask { n: 1 }).timeout(Duration::from_secs(1));
    soon(late).await.expect_err("nobody answers");
    assert_eq!(counted(&served, "out", "ASK"), (1, 1));
    let lost = tokio::spawn(peer.call(Ask { n: 2 }).timeout(Duration::from_secs(60)));
    settle().await;
    assert_eq!(counted(&served, "out", "ASK"), (2, 1));
    drop(raw);
    soon(lost).await.expect("no panic").expect_err("the peer is gone");
    assert_eq!(counted(&served, "out", "ASK"), (2, 2));
    assert_eq!(met(&served.look(), "call_timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn one_in_64_is_timed() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let served = serve(|builder| builder);
        let client = served.connect(client().dialect(dialect)).await;
        for n in 0..6400 {
            client.call(Touch {}).await.expect("answered");
            client.send(Note { n }).await.expect("taken");
        }
        settle().await;
        let seen = served.look();
        for name in ["TOUCH", "NOTE"] {
            let action = action(&seen, "in", name);
            assert_eq!(action.handled, 6400);
            // 100 on the average, and a spread of less than 10.
            assert!((50..150).contains(&action.samples), "{dialect} {name}: {}", action.samples);
            assert!(action.p50_us.is_some() && action.p50_us <= action.p99_us, "{action:?}");
        }
        let inside = pnet::inspect::Inspect::inspector(&client).snapshot();
        let (calls, packets) = (action(&inside, "out", "TOUCH"), action(&inside, "out", "NOTE"));
        assert!((50..150).contains(&calls.samples), "{dialect}: {}", calls.samples);
        assert_eq!((packets.samples, packets.p50_us), (0, None), "what has no answer has no round trip");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_takes_the_time_that_it_waits() {
    let served = serve(|builder| builder);
    let client = served.connect(client()).await;
    for n in 0..200 {
        let call = client.call(Hold { n });
        let open = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            served.book.open(1);
        };
        tokio::join!(call, open).0.expect("answered");
    }
    settle().await;
    let (seen, inside) = (served.look(), pnet::inspect::Inspect::inspector(&client).snapshot());
    for action in [action(&seen, "in", "HOLD"), action(&inside, "out", "HOLD")] {
        assert_eq!(action.handled, 200);
        let p50 = action.p50_us.expect("of 127 calls one is timed");
        // Exact to an eighth.
        assert!((1_000_000.0..=1_135_000.0).contains(&p50), "{p50}");
    }
}

#[test]
fn answers_are_named_by_their_types() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    runtime.block_on(async {
        let served = serve(|builder| builder);
        let seen = served.look();
        for (direction, name, packet, reply) in [
            ("in", "NOTE", "Note", None),
            ("in", "TOUCH", "Touch", Some("()")),
            ("in", "DIVIDE", "Divide", Some("Quotient or ByZero")),
            ("in", "COUNT", "Count", Some("stream Number")),
            ("in", "FOLLOW", "Follow", Some("stream Number or ByZero")),
            ("out", "ASK", "Ask", Some("Told")),
        ] {
            let action = action(&seen, direction, name);
            assert_eq!((action.packet.as_str(), action.reply.as_deref()), (packet, reply), "{name}");
        }
        assert_eq!(seen.actions.len(), 22);
    });
}
