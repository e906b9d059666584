//! Odd programs: handlers that panic at any moment, never end, or make users that panic when they are dropped.

use std::{
    future::{Future, pending, poll_fn, ready},
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use pnet::{CloseCode, ConnectError, Dialect, Packet, Refused, Retry, action, actions, protocol};
use pnet_tests::gate::{GateServer, Porter, Visitor, Who};
use serde::{Deserialize, Serialize};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use super::{WORD, address, town::Town};

const FAR: [u8; 4] = [192, 0, 2, 1];

fn far() -> IpAddr {
    FAR.into()
}

/// A future that panics when it is dropped.
struct Fragile<F>(Pin<Box<F>>);

impl<F: Future> Future for Fragile<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        self.0.as_mut().poll(task)
    }
}

impl<F> Drop for Fragile<F> {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

fn fragile<F: Future>(future: F) -> Fragile<F> {
    Fragile(Box::pin(future))
}

type Outcome = Result<Visitor, Refused>;

type MakePorter = fn() -> Porter;

fn panics() -> Outcome {
    panic!("looked at")
}

/// What a client of such a server is told, in both dialects.
async fn told(porter: impl Fn() -> Porter) -> Vec<(CloseCode, String, Retry)> {
    let mut told = Vec::new();
    for dialect in [Dialect::Native, Dialect::Json] {
        // The server is done before its clients are tired of waiting.
        let builder = pnet::serve(GateServer, porter()).handshake_timeout(Duration::from_secs(3));
        let town = Town::of(builder);
        let error = town.show(WORD, far(), dialect).await.expect_err("is not let in");
        let ConnectError::Refused(closed) = error else { panic!("{dialect}: {error:?}") };
        told.push((closed.code(), closed.reason().to_owned(), closed.retry()));
    }
    told
}

#[tokio::test(start_paused = true)]
async fn panics_refuse_wherever_they_are() {
    let porters: [(&str, MakePorter); 6] = [
        ("at once", || Porter::new(|_, _| -> std::future::Ready<Outcome> { panic!("asked") })),
        ("when polled", || Porter::new(|_, _| async { panics() })),
        ("when polled again", || {
            Porter::new(|_, _| async {
                sleep(Duration::from_millis(10)).await;
                panics()
            })
        }),
        ("when dropped, done", || Porter::new(|pass, _| fragile(ready(Ok(Visitor { name: pass.word }))))),
        ("with a value that is no text", || Porter::new(|_, _| async { std::panic::panic_any(7) })),
        ("with a value that panics when dropped", || {
            Porter::new(|_, _| async { std::panic::panic_any(fragile(ready(()))) })
        }),
    ];
    for (name, porter) in porters {
        for (code, reason, retry) in told(porter).await {
            assert_eq!((code, &*reason), (CloseCode::Unauthorized, "internal error"), "{name}");
            assert!(matches!(retry, Retry::After(_)), "{name}: {retry:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_its_time_is_over_refuses() {
    for (code, reason, _) in told(|| Porter::new(|_, _| fragile(pending()))).await {
        assert_eq!(code, CloseCode::Unauthorized);
        assert!(reason.contains("took too long"), "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_behind_handlers_that_never_end_are_told_in_time() {
    let builder = pnet::serve(GateServer, Porter::new(|_, _| pending())).max_authenticating(1);
    let town = Town::of(builder.handshake_timeout(Duration::from_secs(3)));
    let since = Instant::now();
    let waiting = (1..=20).map(|n| {
        let town = town.clone();
        tokio::spawn(async move { town.show(WORD, [192, 0, 2, n].into(), Dialect::Native).await })
    });
    for waiting in waiting.collect::<Vec<_>>() {
        let error = waiting.await.expect("no panic").expect_err("is not let in");
        let ConnectError::Refused(closed) = error else { panic!("{error:?}") };
        assert!(matches!(closed.retry(), Retry::After(_)), "{closed:?}");
    }
    assert_eq!(since.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_sends_nobody_away_whom_the_handler_looks_at() {
    let builder = pnet::serve(
        GateServer,
        Porter::new(|pass, _| async {
            sleep(Duration::from_secs(2)).await;
            Ok(Visitor { name: pass.word })
        }),
    );
    let town = Town::of(builder.max_authenticating(1));
    let mut coming = (0..600).map(|n| {
        let town = town.clone();
        let dialect = if n % 2 == 0 { Dialect::Native } else { Dialect::Json };
        async move { town.show(WORD, address(n), dialect).await }
    });
    let first = tokio::spawn(coming.next().expect("there are some"));
    town.settle().await;
    let mut others = JoinSet::new();
    for (n, coming) in coming.enumerate() {
        if n == 300 {
            // From now on the oldest of more than 256 have to go.
            sleep(Duration::from_secs(1)).await;
        }
        others.spawn(coming);
    }
    first.await.expect("no panic").expect("is let in").call(Who {}).await.expect("is answered");
    let (mut let_in, mut sent_away) = (0, 0);
    while let Some(other) = others.join_next().await {
        match other.expect("no panic") {
            Ok(_) => let_in += 1,
            Err(ConnectError::Refused(closed)) if closed.code() == CloseCode::Overloaded => {
                assert_eq!(closed.reason(), "too many wait to be let in");
                sent_away += 1;
            }
            Err(ConnectError::TimedOut { .. } | ConnectError::Refused(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    assert!(sent_away > 200, "the oldest have to go, and learn why: {sent_away}");
    assert!((1..=2).contains(&let_in), "one after the other for as long as a handshake may take: {let_in}");
}

#[tokio::test(start_paused = true)]
async fn a_time_out_is_no_failed_try() {
    let calls = Arc::new(AtomicUsize::new(0));
    let builder = pnet::serve(
        GateServer,
        Porter::new(move |_, _| {
            let first = calls.fetch_add(1, Relaxed) == 0;
            async move { if first { pending().await } else { Err("you do not know the word".into()) } }
        }),
    );
    let town = Town::of(builder.handshake_timeout(Duration::from_secs(3)));
    town.show(WORD, far(), Dialect::Native).await.expect_err("is not let in");
    let since = Instant::now();
    town.show(WORD, far(), Dialect::Native).await.expect_err("is not let in");
    assert_eq!(since.elapsed(), Duration::from_millis(100), "the first failed try");
}

#[tokio::test(start_paused = true)]
async fn a_client_in_json_waits_as_long_as_the_handler_may_take() {
    let town = Town::with(Porter::new(|pass, _| async move {
        sleep(Duration::from_secs(4)).await;
        if pass.word == WORD { Ok(Visitor { name: pass.word }) } else { Err("you do not know the word".into()) }
    }));
    let client = town.show(WORD, far(), Dialect::Json).await.expect("is let in");
    assert_eq!(client.call(Who {}).await.expect("is answered").name, WORD);
    let error = town.show("herring", far(), Dialect::Json).await.expect_err("is not let in");
    assert!(matches!(&error, ConnectError::Refused(closed) if closed.code() == CloseCode::Unauthorized), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_poisoned_lock_of_the_handlers_is_theirs() {
    let lock = Arc::new(Mutex::new(()));
    let town = Town::with(Porter::new(move |pass, _| {
        let lock = Arc::clone(&lock);
        async move {
            let _held = lock.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(pass.word == WORD, "does not know the word");
            Ok(Visitor { name: pass.word })
        }
    }));
    town.show("herring", far(), Dialect::Native).await.expect_err("is not let in");
    town.show(WORD, far(), Dialect::Native).await.expect("is let in");
}

#[tokio::test(start_paused = true)]
async fn who_vanishes_meanwhile_leaves_nothing() {
    let (porter, mut events) = Porter::new(|pass, _| async {
        sleep(Duration::from_secs(1)).await;
        Ok(Visitor { name: pass.word })
    })
    .telling();
    let town = Town::with(porter);
    for dialect in [Dialect::Native, Dialect::Json] {
        for n in 0..40 {
            let town = town.clone();
            let coming = tokio::spawn(async move { town.show(WORD, [192, 0, 2, n].into(), dialect).await });
            sleep(Duration::from_millis(10 * u64::from(n))).await;
            coming.abort();
        }
    }
    sleep(Duration::from_secs(10)).await;
    assert!(town.server.hub().is_empty());
    let (mut came, mut went) = (0, 0);
    while let Ok(event) = events.try_recv() {
        if event.ends_with("comes") { came += 1 } else { went += 1 }
    }
    assert_eq!(came, went, "who was let in has left");
    town.show(WORD, far(), Dialect::Native).await.expect("there is a place");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_it_at_every_moment() {
    for dialect in [Dialect::Native, Dialect::Json] {
        for moment in (0..2_000).step_by(50) {
            // Looks for half a second, and keeps the refusal back for three.
            let town = Town::with(Porter::new(|_, _| async {
                sleep(Duration::from_millis(500)).await;
                Err("you do not know the word".into())
            }));
            for _ in 0..5 {
                town.show("herring", far(), Dialect::Native).await.expect_err("is not let in");
            }
            let coming = tokio::spawn({
                let town = town.clone();
                async move { town.show("herring", far(), dialect).await }
            });
            sleep(Duration::from_millis(moment)).await;
            let since = Instant::now();
            let handle = town.server.handle();
            let shutdown = tokio::spawn(async move { handle.shutdown(Duration::from_secs(1)).await });
            let error = coming.await.expect("no panic").expect_err("is not let in");
            match &error {
                ConnectError::Refused(closed) => {
                    assert!(
                        [CloseCode::GoingAway, CloseCode::Unauthorized].contains(&closed.code()),
                        "{moment}: {closed:?}"
                    );
                }
                // It had not said anything, and so there was no dialect to tell it in.
                ConnectError::Broken(_) | ConnectError::Handshake(_) => assert!(moment <= 200, "{moment}: {error:?}"),
                _ => panic!("{moment}: {error:?}"),
            }
            shutdown.await.expect("no panic");
            assert!(since.elapsed() <= Duration::from_millis(1_200), "{moment}: {:?}", since.elapsed());
        }
    }
}

#[derive(Packet, Serialize, Deserialize)]
struct Ping {}

protocol! {
    /// With users that are hard to get rid of.
    Hard {
        credentials String;
        client { Ping -> () }
    }
}

struct Sticky;

impl Drop for Sticky {
    fn drop(&mut self) {
        panic!("a user is dropped");
    }
}

#[action(authenticate)]
async fn stick(_: String) -> Result<Sticky, Refused> {
    poll_fn(|_| Poll::Ready(Ok(Sticky))).await
}

#[action("PING")]
fn ping(_: Ping, _: &Sticky) {}

actions! { server HardServer for Hard: stick, ping }
actions! { client HardClient for Hard: }

#[tokio::test(start_paused = true)]
async fn users_that_panic_when_dropped_harm_nobody() {
    let server = pnet::memory::serve(HardServer, ());
    let connect = async || {
        let builder = pnet::connect(HardClient, ()).credentials(&String::new());
        server.connect_with(builder).await.expect("is let in")
    };
    let stays = connect().await;
    for _ in 0..10 {
        let client = connect().await;
        client.call(Ping {}).await.expect("is answered");
        client.close().await;
    }
    stays.call(Ping {}).await.expect("is answered");
    drop(stays);
    while !server.hub().is_empty() {
        tokio::task::yield_now().await;
    }
    connect().await.call(Ping {}).await.expect("is answered");
    server.shutdown(Duration::from_secs(1)).await;
}
