//! What ends the look at a client, and what failed tries cost.

use std::{
    future::pending,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{CloseCode, Dialect, Refused, Retry, transport::PeerAddr};
use pnet_tests::{
    gate::{Porter, Who},
    log::Log,
};
use tokio::{
    io::AsyncReadExt,
    sync::{Semaphore, mpsc},
    time::{Instant, sleep},
};

use super::support::{client, far, refusal, serve, visitor};

const SOON: Retry = Retry::After(1000);

#[tokio::test(start_paused = true)]
async fn the_handshakes_deadline_is_its_own() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let porter = Porter::new(async |_, _| pending().await);
        let served = serve(porter, |builder| builder.handshake_timeout(Duration::from_secs(3)));
        let began = Instant::now();
        let closed = refusal(served.connect(client("ada").dialect(dialect), far("192.0.2.7")).await);
        assert_eq!((closed.code(), closed.retry()), (CloseCode::Unauthorized, SOON), "{closed}");
        assert_eq!(closed.reason(), "finding out who this client is took too long");
        assert!((3..=4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert_eq!(served.server.hub().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_refuses_and_says_nothing() {
    let (log, _guard) = Log::keep();
    let served = serve(Porter::new(async |_, _| panic!("the list of guests is gone")), |builder| builder);
    for dialect in [Dialect::Native, Dialect::Json] {
        let began = Instant::now();
        let closed = refusal(served.connect(client("ada").dialect(dialect), far("192.0.2.7")).await);
        assert_eq!((closed.code(), closed.reason(), closed.retry()), (CloseCode::Unauthorized, "internal error", SOON));
        // It is no failed try.
        assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    }
    assert!(log.text().contains("the list of guests is gone"), "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_refuses_whoever_is_looked_at() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let (begun, mut begins) = mpsc::unbounded_channel();
        let look = move |_, _| {
            let _ = begun.send(());
            pending()
        };
        let served = serve(Porter::new(look), |builder| builder);
        let handle = served.server.handle();
        let connecting = served.connect(client("ada").dialect(dialect), far("192.0.2.7"));
        let stopping = async {
            begins.recv().await.expect("is looked at");
            handle.shutdown(Duration::from_secs(5)).await
        };
        let (connected, done) = tokio::join!(connecting, stopping);
        assert_eq!(refusal(connected).code(), CloseCode::GoingAway);
        assert_eq!(done.cut_off, 0);
    }
}

/// How long the refusal of a wrong word takes, in milliseconds.
async fn fails(served: &super::support::Served, addr: PeerAddr, dialect: Dialect) -> u128 {
    let began = Instant::now();
    let closed = refusal(served.connect(client("herring").dialect(dialect), addr).await);
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Unauthorized, "you do not know the word"));
    began.elapsed().as_millis()
}

#[tokio::test(start_paused = true)]
async fn each_failed_try_costs_its_address_more_time() {
    let served = serve(Porter::wants("swordfish"), |builder| builder);
    let native = Dialect::Native;
    for expected in [100, 200, 400, 800, 1600, 3000, 3000] {
        assert_eq!(fails(&served, far("192.0.2.7"), native).await, expected);
    }
    // Another address pays for itself, another in the same /64 does not.
    assert_eq!(fails(&served, far("192.0.2.8"), native).await, 100);
    assert_eq!(fails(&served, far("2001:db8::1"), native).await, 100);
    assert_eq!(fails(&served, far("2001:db8::2:1"), native).await, 200);
    // Who knows the word does not wait.
    let began = Instant::now();
    served.connect(client("swordfish"), far("192.0.2.7")).await.expect("is let in");
    assert_eq!(began.elapsed(), Duration::ZERO);
    // What failed long ago is forgotten.
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(fails(&served, far("192.0.2.7"), native).await, 100);
    // In JSON, a client listens first whether its server speaks.
    assert_eq!(fails(&served, far("192.0.2.7"), Dialect::Json).await, 200 + 200);
    for local in [far("127.0.0.1"), far("::1"), PeerAddr::Memory] {
        assert_eq!(fails(&served, local.clone(), native).await, 0);
        assert_eq!(fails(&served, local, native).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_asked_to_come_back_has_failed_all_the_same() {
    let look = async |_, _| Err(Refused::new("the list cannot be read now").come_back(Duration::from_secs(9)));
    let served = serve(Porter::new(look), |builder| builder);
    // Else a ticket could be guessed for nothing.
    for millis in [100, 200, 400] {
        let began = Instant::now();
        let closed = refusal(served.connect(client("ada"), far("192.0.2.7")).await);
        assert_eq!((closed.retry(), began.elapsed().as_millis()), (Retry::After(9000), millis));
    }
}

/// Else whoever guesses would be let in to guess again.
#[tokio::test(start_paused = true)]
async fn a_delayed_refusal_keeps_its_place_even_if_its_client_is_gone() {
    let served = serve(Porter::wants("swordfish"), |builder| builder);
    for _ in 0..6 {
        fails(&served, far("192.0.2.7"), Dialect::Native).await;
    }
    let impatient = (0..32).map(|_| async {
        let connecting = served.connect(client("herring"), far("192.0.2.7"));
        assert!(tokio::time::timeout(Duration::from_millis(500), connecting).await.is_err(), "it is delayed");
    });
    futures_util::future::join_all(impatient).await;
    // All places of the address are taken, for 3 s.
    let mut io = served.open(far("192.0.2.7")).await;
    assert_eq!(io.read_u8().await.expect_err("is turned away").kind(), std::io::ErrorKind::UnexpectedEof);
    served.connect(client("swordfish"), far("192.0.2.8")).await.expect("is another");
    sleep(Duration::from_secs(3)).await;
    served.connect(client("swordfish"), far("192.0.2.7")).await.expect("is let in again");
}

#[tokio::test(start_paused = true)]
async fn a_full_server_looks_at_nobody() {
    let looked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked);
    let look = move |pass: pnet_tests::gate::Pass, _| {
        count.fetch_add(1, Relaxed);
        std::future::ready(visitor(&pass.word))
    };
    let served = serve(Porter::new(look), |builder| builder.max_connections(1));
    let first = served.connect(client("ada"), PeerAddr::Memory).await.expect("is let in");
    for dialect in [Dialect::Native, Dialect::Json] {
        let closed = refusal(served.connect(client("bob").dialect(dialect), PeerAddr::Memory).await);
        assert_eq!((closed.code(), closed.reason()), (CloseCode::Overloaded, "too many connections"));
    }
    assert_eq!(looked.load(Relaxed), 1);
    first.close().await;
}

#[tokio::test(start_paused = true)]
async fn few_are_looked_at_at_once_and_all_in_turn() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate, looked) = (Arc::new(Semaphore::new(0)), Arc::clone(&most));
    let open = Arc::clone(&gate);
    let look = move |pass: pnet_tests::gate::Pass, _| {
        let (now, most, gate) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&gate));
        async move {
            most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
            gate.acquire().await.expect("stays open").forget();
            now.fetch_sub(1, Relaxed);
            visitor(&pass.word)
        }
    };
    let served = serve(Porter::new(look), |builder| builder.max_authenticating(3));
    let clients =
        (0..12_u8).map(|n| served.connect(client("ada"), PeerAddr::Socket((IpAddr::from([10, 0, 0, n]), 1).into())));
    let opening = async {
        for _ in 0..12 {
            sleep(Duration::from_millis(10)).await;
            open.add_permits(1);
        }
    };
    let (clients, ()) = tokio::join!(futures_util::future::join_all(clients), opening);
    for client in clients {
        assert_eq!(client.expect("is let in").call(Who {}).await.expect("is answered").name, "ada");
    }
    assert_eq!(looked.load(Relaxed), 3);
}
