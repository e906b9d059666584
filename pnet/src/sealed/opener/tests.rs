use std::future::Future;

use super::*;
use crate::{
    identity::Identity,
    sealed::{
        VerifiedSealingKey,
        fixtures::{Note, Post, ada, announced, bob, bobs_key, eve, eves_key, note, verified},
        jwe::{Jwe, fill_random},
        key::DECRYPTED,
        letter::{Heading, ID_LEN, Unsealed},
    },
};

/// Runs a test whose clock stands still while anything works.
fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime can be made").block_on(test)
}

fn bobs() -> VerifiedSealingKey {
    verified(&bobs_key(), &bob())
}

/// What a sender does who writes there what he likes.
fn sealed_at(created: SystemTime, from: Option<&Identity>) -> Sealed<Note> {
    sealed_with(created, bob().fingerprint(), bobs_key().fingerprint(), from)
}

fn sealed_with(created: SystemTime, to: Fingerprint, key: Fingerprint, from: Option<&Identity>) -> Sealed<Note> {
    let unsealed = Unsealed::new::<Post, Note>(&note("at noon")).expect("it is JSON");
    let id = random_id();
    let text = unsealed.into_text(Heading { to, key, created, id }, from).expect("it can be signed");
    Sealed::new(Jwe::seal(bobs().key(), text).expect("it can be sealed"))
}

fn random_id() -> [u8; ID_LEN] {
    let mut id = [0; ID_LEN];
    fill_random(&mut id).expect("there are random numbers");
    id
}

/// Its error, and after how long it came.
async fn refused(opener: &Opener<Post>, sealed: Sealed<Note>) -> (OpenError, Duration) {
    let begun = Instant::now();
    let error = opener.open(&sealed, &random_id()).await.expect_err("it is refused");
    (error, begun.elapsed())
}

const NOT_OPENED: (OpenError, Duration) = (OpenError::NotOpened, STEP);

#[test]
fn whatever_is_wrong_looks_the_same() {
    let opener = Opener::<Post>::new(&bob(), bobs_key());
    let now = SystemTime::now();
    let good = || sealed_at(SystemTime::now(), Some(&ada()));
    run(async {
        opener.open(&good(), "ada").await.expect("nothing is wrong");
        let again = good();
        opener.open(&again, "ada").await.expect("nothing is wrong");
        let mut changed = good();
        changed.jwe.tag = good().jwe.tag;
        let mut no_key = good();
        no_key.jwe.encrypted_key = good().jwe.encrypted_key;
        let mut header = good();
        header.jwe.protected.push('A');
        let cases = [
            ("opened before", again),
            ("changed", changed),
            ("with another key", no_key),
            ("with another header", header),
            ("older than the opener", sealed_at(now - Duration::from_secs(1), Some(&ada()))),
            ("of the future", sealed_at(now + Duration::from_secs(120), Some(&ada()))),
            ("for another", sealed_with(now, eve().fingerprint(), bobs_key().fingerprint(), Some(&ada()))),
            ("for another, unsigned", sealed_with(now, eve().fingerprint(), bobs_key().fingerprint(), None)),
            ("for another key", sealed_with(now, bob().fingerprint(), eves_key().fingerprint(), Some(&ada()))),
        ];
        for (what, sealed) in cases {
            assert_eq!(refused(&opener, sealed).await, NOT_OPENED, "{what}");
        }
    });
}

#[test]
fn what_was_forgotten_looks_the_same() {
    let mut opener = Opener::<Post>::new(&bob(), bobs_key());
    opener.replay = Replay::with_bounds(SystemTime::now(), 1, 2);
    let start = SystemTime::now();
    let at = |millis, from| sealed_at(start + Duration::from_millis(millis), Some(from));
    let (ada, bob, eve) = (ada(), bob(), eve());
    let letters = [at(10, &ada), at(20, &ada), at(30, &ada)];
    run(async {
        for letter in &letters {
            opener.open(letter, "ada").await.expect("it is new");
        }
        for letter in &letters {
            assert_eq!(refused(&opener, letter.clone()).await, NOT_OPENED);
        }
        assert_eq!(refused(&opener, at(15, &ada)).await, NOT_OPENED, "older than the oldest kept");
        opener.open(&at(40, &eve), "eve").await.expect("it is new");
        // Ada has been forgotten.
        for letter in &letters {
            assert_eq!(refused(&opener, letter.clone()).await, NOT_OPENED);
        }
        assert_eq!(refused(&opener, at(30, &bob)).await, NOT_OPENED, "of one who is not known, and no newer than hers");
        opener.open(&at(41, &ada), "ada").await.expect("it is new");
    });
}

#[test]
fn of_many_at_once_one_opens() {
    let opener = Opener::<Post>::new(&bob(), bobs_key());
    let letter = sealed_at(SystemTime::now(), Some(&ada()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build();
    let runtime = runtime.expect("a runtime can be made");
    let opener = Arc::new(opener);
    let opened = runtime.block_on(async {
        let tries: Vec<_> = (0..20)
            .map(|_| {
                let (opener, letter) = (Arc::clone(&opener), letter.clone());
                tokio::spawn(async move { opener.open(&letter, "ada").await.is_ok() })
            })
            .collect();
        let mut opened = 0;
        for one in tries {
            opened += usize::from(one.await.expect("no panic"));
        }
        opened
    });
    assert_eq!(opened, 1);
}

#[test]
fn more_than_may_wait_are_busy_and_nothing_is_counted() {
    let opener = Opener::<Post>::new(&bob(), bobs_key());
    let letter = sealed_at(SystemTime::now(), None);
    run(async {
        let all = opener.places.available_permits();
        assert_eq!(all, opener.pool.available_permits() + 64);
        let places = Arc::clone(&opener.places).try_acquire_many_owned(u32::try_from(all).expect("they are few"));
        for _ in 0..200 {
            let begun = Instant::now();
            assert_eq!(opener.open(&letter, "ada").await.err(), Some(OpenError::Busy));
            assert_eq!(begun.elapsed(), Duration::ZERO);
        }
        drop(places.expect("nobody else is there"));
        opener.open(&letter, "ada").await.expect("there is room again");
        assert_eq!(opener.places.available_permits(), all);
    });
}

#[test]
fn one_who_fails_often_is_refused_without_a_look() {
    let opener = Opener::<Post>::new(&bob(), bobs_key());
    let (good, mut bad) = (sealed_at(SystemTime::now(), None), sealed_at(SystemTime::now(), None));
    bad.jwe.protected.clear();
    run(async {
        for n in 0..100 {
            assert_eq!(opener.open(&bad, "eve").await.err(), Some(OpenError::NotOpened), "{n}");
        }
        let begun = Instant::now();
        for letter in [&good, &bad] {
            assert_eq!(opener.open(letter, "eve").await.err(), Some(OpenError::TooMany));
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        opener.open(&good, "ada").await.expect("nothing is wrong with it");
        tokio::time::advance(Duration::from_secs(3600)).await;
        opener.open(&good, "eve").await.expect("an hour is over");
        // 31 more at once.
        for _ in 0..31 {
            opener.open(&good, "eve").await.expect("nothing is wrong with it");
        }
        assert_eq!(opener.open(&good, "eve").await.err(), Some(OpenError::TooMany));
    });
}

/// Begins to open, drops that, and waits for the work, which goes on. `false`: it was done before it could be dropped.
async fn is_dropped_half_way(opener: &Opener<Post>, sealed: &Sealed<Note>) -> bool {
    let all = opener.places.available_permits();
    let is_dropped = tokio::select! {
        biased;
        _ = opener.open(sealed, "ada") => false,
        () = std::future::ready(()) => true,
    };
    while opener.places.available_permits() < all {
        tokio::task::yield_now().await;
    }
    is_dropped
}

#[test]
fn a_dropped_open_remembers_nothing_but_its_failure() {
    let opener = Opener::<Post>::new(&bob(), bobs_key());
    run(async {
        // Dropped while it is worked on. Where this thread was kept from its processor, the work may be done by then.
        let letter = loop {
            let letter = sealed_at(SystemTime::now(), Some(&ada()));
            if is_dropped_half_way(&opener, &letter).await {
                break letter;
            }
        };
        let mut bad = letter.clone();
        bad.jwe.iv.clear();
        // Whatever happens, its error is late.
        assert!(is_dropped_half_way(&opener, &bad).await);
        opener.open(&letter, "ada").await.expect("it is new");
        // One failure is counted already.
        for n in 1..100 {
            assert_eq!(opener.open(&bad, "ada").await.err(), Some(OpenError::NotOpened), "{n}");
        }
        assert_eq!(opener.open(&bad, "ada").await.err(), Some(OpenError::TooMany));
    });
}

#[test]
fn signatures_are_of_the_one_who_is_named() {
    let opener = Opener::<Post>::new(&bob(), bobs_key());
    let (ada, eve) = (ada(), eve());
    let signed = || sealed_at(SystemTime::now(), Some(&ada));
    run(async {
        let opened = opener.open(&signed(), "relay").await.expect("nothing is wrong");
        assert_eq!(opened.sender(), Some(ada.fingerprint()));
        assert_eq!(opener.open_from(&signed(), &ada.fingerprint()).await, Ok(note("at noon")));
        assert_eq!(opener.open_from(&signed(), &eve.fingerprint()).await, Err(OpenError::NotOpened));
        let unsigned = sealed_at(SystemTime::now(), None);
        assert_eq!(opener.open_from(&unsigned, &ada.fingerprint()).await, Err(OpenError::NotOpened));
        assert_eq!(opener.open(&unsigned, "relay").await.expect("nothing is wrong").sender(), None);
    });
}

#[test]
fn an_announcement_of_anothers_key_opens_nothing() {
    // Eve announces Bob's sealing key as hers; Ada writes to Eve; Eve hands it on to Bob.
    let eves = announced(&bobs_key(), &eve()).verify(&eve().fingerprint()).expect("it is announced");
    let opener = Opener::<Post>::new(&bob(), bobs_key());
    run(async {
        let letter = Sealed::seal_signed::<Post>(&note("for Eve"), &eves, &ada()).await.expect("it can be sealed");
        assert_eq!(refused(&opener, letter).await, NOT_OPENED);
        let letter = Sealed::seal::<Post>(&note("for Eve"), &eves).expect("it can be sealed");
        assert_eq!(refused(&opener, letter).await, NOT_OPENED);
    });
}

#[test]
fn the_key_is_not_used_for_what_is_malformed() {
    let before = DECRYPTED.get();
    let mut letter = sealed_at(SystemTime::now(), None);
    letter.jwe.protected = String::new();
    assert!(letter.jwe.open(&bobs_key()).is_none());
    assert_eq!(DECRYPTED.get(), before);
}
