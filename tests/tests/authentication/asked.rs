//! Credentials that the client's program is asked for at each connection.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{Backoff, Client, CloseCode, ConnectError, Dialect, LinkState, Refused, Retry, transport::PeerAddr};
use pnet_tests::gate::{Gate, GateClient, Pass, Porter, Who};
use tokio::time::Instant;

use super::support::{serve, visitor};

fn backoff() -> Backoff {
    Backoff::default()
}

/// Words that are each good for one connection.
fn rising(from: u32) -> impl Fn() -> std::future::Ready<Pass> + Send + Sync + 'static {
    let next = AtomicU32::new(from);
    move || std::future::ready(Pass::new(&next.fetch_add(1, Relaxed).to_string()))
}

#[tokio::test(start_paused = true)]
async fn each_connection_shows_what_it_is_given_then() {
    let server = pnet::memory::serve(pnet_tests::gate::GateServer, Porter::new(async |pass, _| visitor(&pass.word)));
    let client: Client<Gate> = pnet::connect(GateClient, ())
        .credentials_with(rising(1))
        .reconnect(backoff())
        .via(server.connector())
        .await
        .expect("connects");
    for name in ["1", "2", "3"] {
        assert_eq!(client.call(Who {}).await.expect("is answered").name, name);
        let peer = server.hub().peers().pop().expect("is there");
        peer.close_with(CloseCode::GoingAway, "", Retry::after(Duration::from_millis(1)));
        peer.closed().await;
        client.states().wait_for(|state| !matches!(state, LinkState::Up)).await.expect("the client is there");
    }
    client.close().await;
}

#[tokio::test(start_paused = true)]
async fn async_closures_give_them_or_say_why_not() {
    let served = serve(Porter::wants("ada"), |builder| builder);
    let given = pnet::connect(GateClient, ()).credentials_with(async || Pass::new("ada"));
    served.connect(given, PeerAddr::Memory).await.expect("is let in");
    let given = pnet::connect(GateClient, ()).credentials_with(async || Ok::<_, Refused>(Pass::new("ada")));
    served.connect(given, PeerAddr::Memory).await.expect("is let in");
    let none = pnet::connect(GateClient, ()).credentials_with(async || Err::<Pass, _>("the safe is locked"));
    let error = served.connect(none, PeerAddr::Memory).await.expect_err("has nothing to show");
    let ConnectError::NothingToShow(refused) = error else { panic!("{error:?}") };
    assert_eq!(refused.reason(), "the safe is locked");
}

#[tokio::test(start_paused = true)]
async fn it_has_no_more_time_than_the_handshake() {
    let served = serve(Porter::wants("ada"), |builder| builder);
    let slow = pnet::connect(GateClient, ())
        .credentials_with(async || pending::<Pass>().await)
        .handshake_timeout(Duration::from_secs(2));
    let began = Instant::now();
    let error = served.connect(slow, PeerAddr::Memory).await.expect_err("takes too long");
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_shows_something_else_or_nothing_more() {
    // What is refused is the second; whether there is a third, and whether the server says when to come back.
    for (changes, comes_back) in [(false, false), (true, false), (true, true)] {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let porter = Porter::new(move |pass, _| {
            let expired = Refused::new("expired");
            let expired = if comes_back { expired.come_back(Duration::from_millis(5)) } else { expired };
            std::future::ready(if pass.word == "2" { Err(expired) } else { visitor(&pass.word) })
        });
        let server = pnet::memory::serve(pnet_tests::gate::GateServer, porter);
        let client: Client<Gate> = pnet::connect(GateClient, ())
            .credentials_with(move || {
                let number = count.fetch_add(1, Relaxed) + 1;
                let number = if changes { number } else { number.min(2) };
                std::future::ready(Pass::new(&number.to_string()))
            })
            .reconnect(backoff())
            .via(server.connector())
            .await
            .expect("connects");
        let peer = server.hub().peers().pop().expect("is there");
        peer.close_with(CloseCode::GoingAway, "", Retry::after(Duration::from_millis(1)));
        peer.closed().await;
        if changes {
            client.states().wait_for(|state| !matches!(state, LinkState::Up)).await.expect("the client is there");
            assert_eq!(client.call(Who {}).await.expect("is answered").name, "3");
        } else {
            let closed = client.closed().await;
            assert_eq!((closed.code(), closed.reason()), (CloseCode::Unauthorized, "expired"));
        }
        assert_eq!(asked.load(Relaxed), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_has_nothing_to_show_is_asked_again_or_never() {
    for for_good in [false, true] {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let server =
            pnet::memory::serve(pnet_tests::gate::GateServer, Porter::new(async |pass, _| visitor(&pass.word)));
        let client: Client<Gate> = pnet::connect(GateClient, ())
            .credentials_with(move || {
                let n = count.fetch_add(1, Relaxed);
                let locked = Refused::new("the safe is locked");
                let locked = if for_good { locked.for_good() } else { locked };
                std::future::ready(if n == 1 { Err(locked) } else { Ok(Pass::new("ada")) })
            })
            .reconnect(backoff())
            .via(server.connector())
            .await
            .expect("connects");
        let peer = server.hub().peers().pop().expect("is there");
        peer.close_with(CloseCode::GoingAway, "", Retry::after(Duration::from_millis(1)));
        peer.closed().await;
        client.states().wait_for(|state| !matches!(state, LinkState::Up)).await.expect("the client is there");
        if for_good {
            assert_eq!(client.closed().await.reason(), "the safe is locked");
        } else {
            assert_eq!(client.call(Who {}).await.expect("is answered").name, "ada");
        }
        assert_eq!(asked.load(Relaxed), if for_good { 2 } else { 3 });
    }
}

/// A server speaks first to those who say nothing for 2 s, and takes them for clients in JSON.
#[tokio::test(start_paused = true)]
async fn a_program_may_take_longer_than_a_server_waits_for_a_first_byte() {
    let server = pnet::memory::serve(pnet_tests::gate::GateServer, Porter::wants("ada"));
    for dialect in [Dialect::Native, Dialect::Json] {
        let slow = pnet::connect(GateClient, ()).dialect(dialect).credentials_with(async || {
            tokio::time::sleep(Duration::from_millis(2500)).await;
            Pass::new("ada")
        });
        let client: Client<Gate> =
            slow.reconnect(backoff()).via(server.connector()).await.expect("is connected to when the pass is there");
        assert_eq!(client.call(Who {}).await.expect("is answered").name, "ada");
    }
}
