//! Calls in both directions, and how they can go wrong.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use pnet::{Bytes, CallError, code, transport::PeerAddr};
use pnet_tests::talk::{
    Ask, AskBack, Book, Break, ByZero, Divide, Done, Echo, Hold, How, Quotient, Talk, TalkClient, TalkServer, Told,
    Touch,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    runtime::Builder,
};

use super::{net, support::pair};

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_as_declared() {
    let pair = pair().await;
    assert_eq!(pair.client.call(Divide { a: 7, b: 2 }).await.expect("has a quotient"), Quotient { q: 3 });
    let error = pair.client.call(Divide { a: 7, b: 0 }).await.expect_err("has none");
    assert!(matches!(error, CallError::Declared(ByZero {})), "{error:?}");
    pair.client.call(Touch {}).await.expect("is acknowledged");
}

#[tokio::test(start_paused = true)]
async fn the_server_calls_the_client() {
    let pair = pair().await;
    let peer = pair.server.hub().peers().pop().expect("the client is there");
    assert_eq!(peer.call(Ask { n: 21 }).await.expect("is told"), Told { n: 42 });
    assert_eq!(pair.ui.lines(), ["asked 21"]);
}

#[tokio::test(start_paused = true)]
async fn sixty_four_handlers_that_call_back_all_finish() {
    for paths in 1..=2 {
        let pair = pair().await;
        let calls = (0..64 * paths).map(|n| {
            let call = pair.client.call(AskBack { n });
            tokio::spawn(async move { call.await.map(|done| (n, done)) })
        });
        for call in calls.collect::<Vec<_>>() {
            let (n, done) = call.await.expect("no panic").expect("is answered");
            assert_eq!(done, Done { n: n * 2 });
        }
    }
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_limit_wait_here() {
    let pair = pair().await;
    let calls: Vec<_> = (0..200)
        .map(|n| {
            let call = pair.client.call(Hold { n });
            tokio::spawn(async move { call.await.map(|done| done.n) })
        })
        .collect();
    let begun = pair.book.after(64).await;
    assert_eq!(begun.len(), 64, "no more than the limit run at once");
    pair.book.open(200);
    for (n, call) in (0..).zip(calls) {
        assert_eq!(call.await.expect("no panic").expect("none is answered busy"), n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_when_its_time_is_over() {
    let pair = pair().await;
    let started = tokio::time::Instant::now();
    let error = pair.client.call(Hold { n: 1 }).timeout(Duration::from_millis(250)).await.expect_err("nobody answers");
    assert!(matches!(error, CallError::TimedOut { after } if after == Duration::from_millis(250)), "{error:?}");
    let waited = started.elapsed();
    assert!((250..300).contains(&waited.as_millis()), "waited {waited:?}");
    pair.book.line("hold 1 was cancelled").await;
    // The default is 30 s.
    let started = tokio::time::Instant::now();
    let error = pair.client.call(Hold { n: 2 }).await.expect_err("nobody answers");
    assert!(matches!(error, CallError::TimedOut { after } if after == Duration::from_secs(30)), "{error:?}");
    assert!((30_000..30_100).contains(&started.elapsed().as_millis()));
    // Late permits find nobody; the connection goes on.
    pair.book.open(2);
    pair.client.call(Touch {}).await.expect("the connection lives");
}

#[tokio::test(start_paused = true)]
async fn failures_say_what_they_should_and_no_more() {
    let pair = pair().await;
    let failed = async |how| match pair.client.call(Break { how }).await {
        Err(CallError::Failed { code, message }) => (code, message),
        other => panic!("{other:?}"),
    };
    let secret = failed(How::Secret).await;
    assert_eq!(secret, (code::INTERNAL.to_owned(), String::new()), "the error's text stays on the server");
    assert_eq!(failed(How::Public).await, ("too-early".to_owned(), "come back at nine".to_owned()));
    pair.client.call(Break { how: How::Not }).await.expect("the connection lives");
}

#[tokio::test(start_paused = true)]
async fn large_payloads_travel_and_too_large_ones_are_refused_here() {
    let pair = pair().await;
    for len in [0, 1, 100, 65_535, 65_536, 65_537, 700_000, 1_048_000] {
        let data: Vec<u8> = (0..len).map(|i: u32| (i % 251) as u8).collect();
        let echoed = pair.client.call(Echo { data: Bytes::from(data.clone()) }).await.expect("fits");
        assert_eq!(&*echoed.data, &data[..], "{len} bytes");
    }
    let data = Bytes::from(vec![0; 1_048_577]);
    let error = pair.client.call(Echo { data }).await.expect_err("is too long");
    assert!(matches!(error, CallError::TooLong { max: 1_048_576, .. }), "{error:?}");
    pair.client.call(Touch {}).await.expect("the connection lives");
}

/// Its caller was told that it failed: the next connection of a client, or the same, must not see it.
#[tokio::test(start_paused = true)]
#[should_panic(expected = "polled after it was ready")]
async fn a_call_that_failed_is_not_made_after_all() {
    let pair = pair().await;
    let mut call = Box::pin(pair.client.call(Touch {}));
    pair.client.close().await;
    let error = call.as_mut().await.expect_err("the connection is gone");
    assert!(matches!(error, CallError::Disconnected { sent: false, .. }), "{error:?}");
    let _ = call.await;
}

/// Counts what is written to a transport.
struct Writes {
    io: DuplexStream,
    count: Arc<AtomicUsize>,
}

impl AsyncRead for Writes {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(task, buf)
    }
}

impl AsyncWrite for Writes {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.io).poll_write(task, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

/// On a runtime of several threads, a task that is woken runs before those that were woken before it: the first caller would
/// have the driver write its call alone.
#[test]
fn calls_of_many_tasks_are_written_together_on_any_runtime() {
    const CALLS: usize = 50;
    const TASKS: usize = 16;
    let one = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let many = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts");
    for (name, runtime) in [("current_thread", one), ("multi_thread", many)] {
        // As a task of its own: were the callers spawned from outside of the runtime, some of them would be a round ahead of the
        // others for good whenever the system took this thread off its core between two of them.
        let work = runtime.spawn(async {
            let server = net::serve(TalkServer, Book::default());
            let count = Arc::new(AtomicUsize::new(0));
            let io = Writes { io: server.connector().open().await.expect("opens"), count: Arc::clone(&count) };
            let client = net::connect(TalkClient, Book::default()).over::<Talk>(io, PeerAddr::Memory).await;
            let client = client.expect("connects");
            let callers: Vec<_> = (0..TASKS)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        for _ in 0..CALLS {
                            client.call(Touch {}).await.expect("is answered");
                        }
                    })
                })
                .collect();
            for caller in callers {
                caller.await.expect("no panic");
            }
            count.load(Ordering::Relaxed)
        });
        let writes = runtime.block_on(work).expect("no panic");
        assert!(writes < TASKS * CALLS / 4, "{name}: {writes} writes for {} calls", TASKS * CALLS);
    }
}
