//! Those who guess what lets them in: from very many addresses, or from one, in both dialects. A binary of its own, since it
//! counts the memory of its process.
//!
//! `PNET_GUESSES` says how many guesses; 5,000 otherwise.

mod hooks;
mod hostile;
mod shown;
mod town;

use std::{
    collections::HashSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use peak_alloc::PeakAlloc;
use pnet::{CloseCode, ConnectError, Dialect};
use pnet_tests::gate::{Gate, Porter, Who};
use tokio::{task::JoinSet, time::Instant};

use town::Town;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The word that lets in, and some that nearly do.
const WORD: &str = "swordfish";
const NEARLY: [&str; 8] =
    ["", "swordfis", "swordfish ", " swordfish", "Swordfish", "swordfish\0", "sw\u{f6}rdfish", "swordfishswordfish"];

/// As many addresses as there are numbers: of IPv4, and of networks of IPv6.
fn address(n: u32) -> IpAddr {
    if n.is_multiple_of(2) {
        Ipv4Addr::from_bits(0x0A00_0000 + n).into()
    } else {
        Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(n) << 64) | u128::from(n)).into()
    }
}

fn guess(n: u32) -> String {
    let nearly = NEARLY[n as usize % NEARLY.len()];
    if n.is_multiple_of(3) { nearly.to_owned() } else { format!("{nearly}{n}") }
}

/// What a guess is told, if it is told no.
fn told(guessed: Result<pnet::Client<Gate>, ConnectError>) -> String {
    match guessed {
        Ok(_) => panic!("a guess was let in"),
        Err(ConnectError::Refused(closed)) => {
            assert_eq!(closed.code(), CloseCode::Unauthorized, "{closed:?}");
            format!("{:?} {} {:?}", closed.code(), closed.reason(), closed.retry())
        }
        Err(other) => panic!("a guess was not told no: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn none_of_many_guesses_is_let_in() {
    let guesses = std::env::var("PNET_GUESSES").map_or(5_000, |text| text.parse().expect("PNET_GUESSES is a number"));
    let started = std::time::Instant::now();
    let town = Town::with(Porter::wants(WORD));
    let over = Arc::new(AtomicBool::new(false));
    // One goes on and on, while all the others come and go.
    let stubborn = tokio::spawn({
        let (town, over) = (town.clone(), Arc::clone(&over));
        async move {
            let mut delays = Vec::new();
            while !over.load(Relaxed) {
                let since = Instant::now();
                told(town.show("again", [198, 18, 0, 1].into(), Dialect::Native).await);
                delays.push(since.elapsed());
            }
            delays
        }
    });

    let before = HEAP.current_usage();
    let (mut guessing, mut all_told, mut most, mut honest) = (JoinSet::new(), HashSet::new(), 0, 0);
    for n in 0..guesses {
        if guessing.len() >= AT_ONCE
            && let Some(ended) = guessing.join_next().await
        {
            all_told.insert(ended.expect("no panic"));
        }
        guessing.spawn({
            let town = town.clone();
            async move { told(town.show(&guess(n), address(n), Dialect::Native).await) }
        });
        if n.is_multiple_of(100) {
            let since = Instant::now();
            // From where one guesses, too.
            let there = if n.is_multiple_of(200) { [198, 18, 0, 1] } else { [198, 18, 0, 2] };
            let client = town.show(WORD, there.into(), Dialect::Native).await.expect("knows the word");
            assert_eq!(client.call(Who {}).await.expect("is answered").name, WORD);
            assert_eq!(since.elapsed(), Duration::ZERO, "who knows the word does not wait");
            client.close().await;
            honest += 1;
            most = most.max(HEAP.current_usage().saturating_sub(before));
        }
    }
    while let Some(ended) = guessing.join_next().await {
        all_told.insert(ended.expect("no panic"));
    }
    over.store(true, Relaxed);
    let delays = stubborn.await.expect("no panic");

    assert_eq!(all_told.len(), 1, "all are told the same: {all_told:?}");
    assert!(most < MEMORY, "{most} bytes more than before");
    let left = HEAP.current_usage().saturating_sub(before);
    let expected: Vec<_> = (0..delays.len()).map(delay).collect();
    assert_eq!(delays, expected, "who goes on is never forgotten");
    assert!(delays.len() >= 3, "{} tries", delays.len());
    eprintln!(
        "{guesses} guesses and {} of one address in {:?}: none let in; {honest} who knew the word let in; at most {} KiB more, \
         {} KiB at the end",
        delays.len(),
        started.elapsed(),
        most >> 10,
        left >> 10,
    );
}

/// How long the nth refusal in a row takes, from 0.
fn delay(n: usize) -> Duration {
    Duration::from_millis([100, 200, 400, 800, 1600].get(n).copied().unwrap_or(3000))
}

#[tokio::test(start_paused = true)]
async fn neighbours_wait_together_and_are_forgiven() {
    let town = Town::with(Porter::wants(WORD));
    let wrong = async |from: &str, dialect| {
        let since = Instant::now();
        told(town.show("herring", from.parse().expect("an address"), dialect).await);
        since.elapsed()
    };
    // What a client in JSON waits for by itself before it says anything.
    let listens = Duration::from_millis(200);
    assert_eq!(wrong("2001:db8::1", Dialect::Native).await, delay(0));
    assert_eq!(wrong("2001:db8::ffff:1", Dialect::Json).await, delay(1) + listens);
    assert_eq!(wrong("2001:db8:0:1::1", Dialect::Native).await, delay(0));
    assert_eq!(wrong("192.0.2.1", Dialect::Native).await, delay(0));
    assert_eq!(wrong("::ffff:192.0.2.1", Dialect::Native).await, delay(1));
    assert_eq!(wrong("127.0.0.1", Dialect::Native).await, Duration::ZERO);
    assert_eq!(wrong("::1", Dialect::Native).await, Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(wrong("192.0.2.1", Dialect::Native).await, delay(1), "one of two is forgotten");
}

#[tokio::test(start_paused = true)]
async fn one_address_has_so_many_places_and_others_have_theirs() {
    let town = Town::with(Porter::wants(WORD));
    let crowd: IpAddr = [192, 0, 2, 1].into();
    let mut guessing = JoinSet::new();
    for n in 0..PLACES {
        let town = town.clone();
        guessing.spawn(async move { town.show(&guess(n), crowd, Dialect::Native).await });
    }
    town.settle().await;
    let since = Instant::now();
    let error = town.show(WORD, crowd, Dialect::Native).await.expect_err("all places are taken");
    assert!(matches!(error, ConnectError::Broken(_) | ConnectError::Handshake(_)), "{error:?}");
    town.show(WORD, [192, 0, 2, 2].into(), Dialect::Native).await.expect("has a place of its own");
    assert_eq!(since.elapsed(), Duration::ZERO);
    let mut all_told = HashSet::new();
    while let Some(ended) = guessing.join_next().await {
        all_told.insert(told(ended.expect("no panic")));
    }
    assert_eq!(all_told.len(), 1);
    assert_eq!(since.elapsed(), delay(5), "places are kept until the refusal is told");
    town.show(WORD, crowd, Dialect::Native).await.expect("there are places again");
}

/// Guesses under way: fewer than the server's 256 places.
const AT_ONCE: usize = 200;
/// Of one address.
const PLACES: u32 = 32;
/// More than what 200 handshakes and 16,384 remembered addresses take.
const MEMORY: usize = 8 << 20;
