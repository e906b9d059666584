//! A conversation over a wire that is cut after some bytes, wherever that is: nobody hangs, what was answered was done, and
//! nobody takes the cut for a goodbye.
//!
//! `PNET_CUTS=1` cuts after each number of bytes, and not after some of them only.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{Client, Dialect, transport::PeerAddr};
use pnet_tests::{
    keys,
    talk::{Book, Count, Divide, Note, Talk, TalkClient},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split},
    time::{Instant, timeout},
};

use super::support::serve;

/// One conversation.
#[derive(Clone, Copy, Debug)]
struct Case {
    dialect: Dialect,
    tls: bool,
}

/// After how many bytes the wire is cut, of those to the server and of those to the client.
#[derive(Clone, Copy, Debug)]
struct Cut {
    to_server: usize,
    to_client: usize,
}

const NEVER: Cut = Cut { to_server: usize::MAX, to_client: usize::MAX };

#[tokio::test(start_paused = true)]
async fn native_over_tls() {
    every(Case { dialect: Dialect::Native, tls: true }).await;
}

#[tokio::test(start_paused = true)]
async fn json_over_tls() {
    every(Case { dialect: Dialect::Json, tls: true }).await;
}

#[tokio::test(start_paused = true)]
async fn native_in_plain_text() {
    every(Case { dialect: Dialect::Native, tls: false }).await;
}

/// Cuts one conversation wherever that is possible.
async fn every(case: Case) {
    let step = std::env::var("PNET_CUTS").ok().and_then(|step| step.parse().ok()).unwrap_or(11);
    let whole = talk(case, NEVER).await;
    assert_eq!(whole.said, ["note 1", "note 2", "note 3", "count 3 ends"], "{case:?}");
    assert_eq!((whole.quotient, whole.items, &*whole.left), (Some(4), 3, "normal"), "{case:?}");
    for to_server in (0..whole.to_server).step_by(step) {
        let ended = talk(case, Cut { to_server, ..NEVER }).await;
        ended.check(case, to_server, whole.to_server - to_server);
    }
    for to_client in (0..whole.to_client).step_by(step) {
        let ended = talk(case, Cut { to_client, ..NEVER }).await;
        // What the client has said went through, its goodbye too.
        ended.check(case, to_client, 0);
    }
}

/// What came of a conversation.
#[derive(Debug)]
struct Ended {
    /// What the server's handlers have done.
    said: Vec<String>,
    /// Why its connection ended; empty if there was none.
    left: String,
    quotient: Option<i64>,
    items: u32,
    to_server: usize,
    to_client: usize,
}

impl Ended {
    /// `short`: so many bytes of what the client would have said have not come.
    fn check(&self, case: Case, at: usize, short: usize) {
        let what = format!("{case:?} cut at {at}: {self:?}");
        let all = ["note 1", "note 2", "note 3"];
        let notes: Vec<_> = self.said.iter().filter(|line| line.starts_with("note")).collect();
        assert!(all.iter().zip(&notes).all(|(expected, note)| expected == note), "{what}");
        // Whatever was answered was asked after the notes.
        if self.quotient.is_some() {
            assert_eq!((self.quotient, notes.len()), (Some(4), 3), "{what}");
        }
        assert!(self.items <= 3, "{what}");
        // The close frame is followed by TLS's own goodbye, of 24 bytes, and by nothing in plain text.
        let behind = if case.tls { 24 } else { 0 };
        if self.left == "normal" {
            assert!(short <= behind, "{what}");
        }
    }
}

async fn talk(case: Case, cut: Cut) -> Ended {
    let served = serve(|builder| if case.tls { builder.identity(keys::server()) } else { builder });
    let there = served.open().await;
    let (here, near) = duplex(64 * 1024);
    let wire = tokio::spawn(carry(near, there, cut));
    let book = Arc::new(Book::default());
    let mut builder = pnet::connect(TalkClient, book).dialect(case.dialect).call_timeout(Some(Duration::from_secs(20)));
    if case.tls {
        builder = builder.pin(keys::server().fingerprint());
    }
    let began = Instant::now();
    let (mut quotient, mut items) = (None, 0);
    if let Ok(client) = builder.over::<Talk>(here, PeerAddr::Memory).await {
        (quotient, items) = converse(&client).await;
        let closed = timeout(Duration::from_secs(60), client.close()).await;
        closed.expect("closing has an end");
    }
    let (to_server, to_client) = wire.await.expect("no panic");
    let mut said = served.end().await;
    assert!(began.elapsed() < Duration::from_secs(90), "{case:?} {cut:?} took {:?}", began.elapsed());
    let left = said.pop_if(|line| line.starts_with("left: "));
    let left = left.map(|line| line["left: ".len()..].split(' ').next().unwrap_or_default().to_owned());
    Ended { said, left: left.unwrap_or_default(), quotient, items, to_server, to_client }
}

async fn converse(client: &Client<Talk>) -> (Option<i64>, u32) {
    for n in 1..=3 {
        if client.send(Note { n }).await.is_err() {
            return (None, 0);
        }
    }
    let quotient = client.call(Divide { a: 8, b: 2 }).await.ok().map(|answer| answer.q);
    let (mut numbers, mut items) = (client.stream(Count { to: 3 }), 0);
    while let Some(Ok(number)) = numbers.next().await {
        items += 1;
        assert_eq!(number.n, items);
    }
    (quotient, items)
}

/// Carries bytes both ways until one way has had its share; then it is gone, both ways at once.
async fn carry(
    client: impl AsyncRead + AsyncWrite + Send + 'static,
    server: impl AsyncRead + AsyncWrite + Send + 'static,
    cut: Cut,
) -> (usize, usize) {
    let ((from_client, to_client), (from_server, to_server)) = (split(client), split(server));
    let (sent, received) = (AtomicUsize::new(0), AtomicUsize::new(0));
    {
        let up = pass(from_client, to_server, cut.to_server, &sent);
        let down = pass(from_server, to_client, cut.to_client, &received);
        let (mut up, mut down) = (std::pin::pin!(up), std::pin::pin!(down));
        // A way that has come to its own end leaves the other one open; one that is cut takes it along.
        tokio::select! {
            ended = &mut up => if ended { down.await; },
            ended = &mut down => if ended { up.await; },
        }
    }
    (sent.into_inner(), received.into_inner())
}

/// `true` if the stream has come to its end, `false` if it was cut.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    share: usize,
    passed: &AtomicUsize,
) -> bool {
    let mut bytes = vec![0; 4096];
    loop {
        let left = (share - passed.load(Relaxed)).min(bytes.len());
        if left == 0 {
            return false;
        }
        match from.read(&mut bytes[..left]).await {
            Ok(0) | Err(_) => {
                let _ = to.shutdown().await;
                return true;
            }
            Ok(read) => {
                passed.fetch_add(read, Relaxed);
                if to.write_all(&bytes[..read]).await.is_err() {
                    return true;
                }
            }
        }
    }
}
