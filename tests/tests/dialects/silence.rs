//! Sockets that are opened and say nothing: they keep nobody waiting, and the oldest make room.

use std::time::Duration;

use pnet::{Dialect, memory::MemoryServer};
use pnet_tests::talk::{Book, Divide, Talk, TalkClient, TalkServer};
use tokio::{
    io::DuplexStream,
    net::TcpStream,
    time::{Instant, sleep},
};

use super::support::{is_over, settle};

/// How many may be silent; a crowd that has just come may be larger for a moment.
const SILENT: usize = 256;
const CROWD: usize = 1024;

async fn silent_ones(server: &MemoryServer<Talk>, count: usize) -> Vec<DuplexStream> {
    let connector = server.connector();
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(connector.open().await.expect("opens"));
    }
    settle().await;
    silent
}

/// Which of them were not closed.
async fn left(silent: &mut [DuplexStream]) -> Vec<usize> {
    settle().await;
    let mut left = Vec::new();
    for (index, io) in silent.iter_mut().enumerate() {
        if !is_over(io).await {
            left.push(index);
        }
    }
    left
}

/// Connects in both dialects; how long each of them took.
async fn newcomers(server: &MemoryServer<Talk>) -> [Duration; 2] {
    let mut took = [Duration::ZERO; 2];
    for (dialect, took) in [Dialect::Native, Dialect::Json].into_iter().zip(&mut took) {
        let started = Instant::now();
        let builder = pnet::connect(TalkClient, Book::default()).dialect(dialect);
        let client = server.connect_with(builder).await.expect("there is a place");
        *took = started.elapsed();
        assert_eq!(client.call(Divide { a: 6, b: 3 }).await.expect("is answered").q, 2);
        client.close().await;
    }
    took
}

/// A JSON client listens for so long by itself.
const LISTENS: Duration = Duration::from_millis(200);

async fn crowd(count: usize) {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let mut silent = silent_ones(&server, count).await;
    // In their first moments, in the middle of the server's patience, when it has spoken first, and long after.
    for (pause, bound) in [(0, CROWD), (600, SILENT), (2_000, SILENT), (60_000, SILENT)] {
        sleep(Duration::from_millis(pause)).await;
        let [native, json] = newcomers(&server).await;
        assert_eq!(native, Duration::ZERO, "{count} after {pause} ms");
        assert!(json <= LISTENS + Duration::from_millis(2), "{count} after {pause} ms: {json:?}");
        let left = left(&mut silent).await;
        assert!(left.len() <= bound.min(count), "{} of {count} are left after {pause} ms", left.len());
        assert!(left.len() + 8 >= bound.min(count).min(SILENT), "{} of {count} are left after {pause} ms", left.len());
        // Those that came last.
        let first = count - left.len();
        assert_eq!(left, (first..count).collect::<Vec<_>>(), "{count} after {pause} ms");
    }
    drop(silent);
    sleep(Duration::from_secs(15)).await;
    assert_eq!(server.hub().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_hundred_silent_ones_keep_nobody_waiting() {
    crowd(200).await;
}

#[tokio::test(start_paused = true)]
async fn three_hundred_silent_ones_keep_nobody_waiting() {
    crowd(300).await;
}

#[tokio::test(start_paused = true)]
async fn eleven_hundred_silent_ones_keep_nobody_waiting() {
    crowd(1_100).await;
}

#[tokio::test(start_paused = true)]
async fn silent_ones_that_keep_coming_push_out_the_oldest() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let (connector, mut all) = (server.connector(), Vec::new());
    // 100 a second, for a minute.
    for turn in 0..60 {
        for _ in 0..100 {
            all.push(connector.open().await.expect("opens"));
            sleep(Duration::from_millis(10)).await;
        }
        if turn % 10 == 9 {
            let left = left(&mut all).await;
            assert!(left.len() <= SILENT, "{} are left", left.len());
            assert_eq!(left, (all.len() - left.len()..all.len()).collect::<Vec<_>>());
            let [native, json] = newcomers(&server).await;
            assert!(native.is_zero() && json <= LISTENS + Duration::from_millis(2), "{native:?} {json:?}");
        }
    }
}

#[tokio::test]
async fn over_tcp_silent_ones_keep_nobody_waiting() {
    let server = pnet::serve(TalkServer, Book::default()).bind("127.0.0.1:0").await.expect("loopback binds");
    let address = server.local_addr();
    for count in [200, 300, 1_100] {
        let mut silent = Vec::new();
        for _ in 0..count {
            silent.push(TcpStream::connect(address).await.expect("loopback connects"));
        }
        for dialect in [Dialect::Native, Dialect::Json] {
            let started = Instant::now();
            let builder = pnet::connect(TalkClient, Book::default()).dialect(dialect);
            let client = builder.to(address).await.expect("there is a place");
            assert_eq!(client.call(Divide { a: 6, b: 3 }).await.expect("is answered").q, 2);
            let took = started.elapsed();
            assert!(took < Duration::from_secs(1), "{dialect} beside {count}: {took:?}");
            client.close().await;
        }
    }
}
