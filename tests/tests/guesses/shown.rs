//! Clients whose program has trouble to say what they are to show.

use std::{
    future::{pending, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{Backoff, Client, CloseCode, ConnectError, Refused, Retry, memory::MemoryServer};
use pnet_tests::gate::{Gate, GateClient, GateServer, Pass, Porter, Who};
use tokio::time::{Instant, sleep};

use super::WORD;

type Asked = Result<Pass, Refused>;

fn right() -> Asked {
    Ok(Pass::new(WORD))
}

fn server() -> MemoryServer<Gate> {
    pnet::memory::serve(GateServer, Porter::wants(WORD))
}

/// A client that is connected, and will be asked again with `ask` whenever it has to connect again.
async fn come_back<F>(server: &MemoryServer<Gate>, ask: impl Fn(usize) -> F + Send + Sync + 'static) -> Client<Gate>
where
    F: Future<Output = Asked> + Send + 'static,
{
    let times = Arc::new(AtomicUsize::new(0));
    let builder = pnet::connect(GateClient, ())
        .credentials_with(move || ask(times.fetch_add(1, Relaxed)))
        .reconnect(Backoff::default());
    builder.via(server.connector()).await.expect("is let in")
}

async fn cut(server: &MemoryServer<Gate>) {
    let peer = server.hub().peers().pop().expect("is there");
    peer.close_with(CloseCode::GoingAway, "again", Retry::after(Duration::from_millis(10)));
    peer.closed().await;
}

/// What the program says the second time, when it is asked to connect again.
type Odd = fn() -> std::pin::Pin<Box<dyn Future<Output = Asked> + Send>>;

#[tokio::test(start_paused = true)]
async fn trouble_with_credentials_is_over_the_next_time() {
    let odd: [(&str, Odd); 6] = [
        ("refuses", || Box::pin(ready(Err("no ticket yet".into())))),
        ("panics at once", || panic!("asked")),
        ("panics when polled", || Box::pin(async { panic!("polled") })),
        ("panics when polled again", || {
            Box::pin(async {
                sleep(Duration::from_millis(10)).await;
                panic!("polled")
            })
        }),
        ("hangs", || Box::pin(pending())),
        ("shows too much", || Box::pin(ready(Ok(Pass::new(&"x".repeat(4000)))))),
    ];
    for (name, odd) in odd {
        let server = server();
        let client = come_back(&server, move |time| match time {
            1 => odd(),
            _ => Box::pin(ready(right())),
        })
        .await;
        let since = Instant::now();
        cut(&server).await;
        let answer = client.call(Who {}).await;
        if name == "shows too much" {
            // It is the program's own fault, and will be again.
            answer.expect_err("cannot be shown");
            let closed = client.closed().await;
            assert!(closed.reason().contains("the credentials are 4011 bytes"), "{closed}");
            continue;
        }
        assert_eq!(answer.unwrap_or_else(|error| panic!("{name}: {error}")).name, WORD, "{name}");
        assert!(since.elapsed() < Duration::from_secs(8), "{name}: {:?}", since.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_with_the_first_credentials_is_an_error() {
    let server = server();
    let connect = async |ask: Odd| {
        let builder = pnet::connect(GateClient, ()).credentials_with(ask);
        server.connect_with(builder).await.expect_err("is not let in")
    };
    let error = connect(|| Box::pin(ready(Err("no ticket yet".into())))).await;
    assert!(matches!(&error, ConnectError::NothingToShow(refused) if refused.reason() == "no ticket yet"), "{error:?}");
    for panics in [(|| panic!("asked")) as Odd, || Box::pin(async { panic!("polled") })] {
        let error = connect(panics).await;
        assert!(
            matches!(&error, ConnectError::NothingToShow(refused) if refused.reason() == "internal error"),
            "{error:?}"
        );
    }
    let since = Instant::now();
    let error = connect(|| Box::pin(pending())).await;
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert_eq!(since.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn who_has_no_credentials_for_good_stays_away() {
    let server = server();
    let client =
        come_back(&server, |time| ready(if time == 0 { right() } else { Err(Refused::new("fired").for_good()) })).await;
    cut(&server).await;
    let closed = client.closed().await;
    assert_eq!((closed.code(), closed.reason()), (CloseCode::Refused, "fired"));
}
