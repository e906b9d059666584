//! Nothing that anybody can see shows what is sealed, or a private key: not the wire, not the log of any thread at any level,
//! not what values and errors print. Each of these is searched in every form, and finds what is put there on purpose.

use std::{
    error::Error,
    fmt::{Debug, Write as _},
    io,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use pnet::{Codec, Dialect, Identity, Opener, Packet as _, Sealed, SealingKey, connect_inbox, transport::PeerAddr};
use pnet_tests::log::Log;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::{
    relay::{PostOffice, Relay},
    support::{
        ADA, Arrived, BOB, BOB_SEALING, EVE, Post, PostFromServer, SealedNote, base64url, fingerprint, identity, note,
        pem, rsa, sealing_key, verified,
    },
};

/// How all begins that is sealed here.
const CANARY: &str = "the canary that is sealed in round";

/// Longer than any handshake takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// What all threads log that have no log of their own.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).expect("nobody else has set one");
    log
});

/// A transport that keeps every byte, in both directions.
struct Recorded {
    io: DuplexStream,
    tape: Arc<Mutex<Vec<u8>>>,
}

impl Recorded {
    fn keep(&self, bytes: &[u8]) {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
    }
}

impl AsyncRead for Recorded {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = space.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(task, space);
        self.keep(&space.filled()[before..]);
        polled
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(task, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.keep(&bytes[..*written]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

/// All forms in which a secret may stand somewhere: itself, in hex, and in base64 of both alphabets behind any number of bytes.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let mut forms = vec![secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()];
    // As `Debug` prints bytes.
    forms.push(format!("{secret:?}").trim_matches(['[', ']']).as_bytes().to_vec());
    for behind in 0..3 {
        let moved = [&vec![0; behind][..], secret].concat();
        // The letters that other bytes have no part in.
        let (from, to) = ((behind * 8).div_ceil(6), moved.len() * 8 / 6);
        for text in [STANDARD_NO_PAD.encode(&moved), base64url(&moved)] {
            forms.push(text.as_bytes()[from..to].to_vec());
        }
    }
    forms
}

/// Where something may be seen.
struct Sink {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Sink {
    /// In how many forms a secret is in it.
    fn finds(&self, secret: &[u8]) -> usize {
        forms(secret).iter().filter(|form| self.bytes.windows(form.len()).any(|part| part == *form)).count()
    }
}

#[derive(Default)]
struct Shown(String);

impl Shown {
    fn value(&mut self, value: &impl Debug) {
        let _ = writeln!(self.0, "{value:?}\n{value:#?}");
    }

    fn error(&mut self, error: &dyn Error) {
        let _ = writeln!(self.0, "{error:?}\n{error:#?}");
        let mut cause = Some(error);
        while let Some(error) = cause {
            let _ = writeln!(self.0, "{error}");
            cause = error.source();
        }
    }
}

/// A part of a key's PEM that is in no other.
fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).nth(8).expect("it is long").to_owned()
}

#[tokio::test(start_paused = true)]
async fn nobody_sees_what_is_sealed() {
    let log = LazyLock::force(&LOG).clone();
    let rounds: usize = std::env::var("PNET_CANARIES").map_or(20, |text| text.parse().expect("it is a number"));
    let (tape, mut shown) = (Arc::new(Mutex::new(Vec::new())), Shown::default());
    let me = identity(ADA);
    let to_bob = verified(BOB_SEALING, BOB).await;
    let opener = Opener::<Post>::new(&identity(BOB), sealing_key(BOB_SEALING));
    let mut secrets: Vec<Vec<u8>> = vec![CANARY.as_bytes().to_vec()];

    let state = Arc::new(Relay::default());
    let relay = || pnet::serve(PostOffice, Arc::clone(&state)).handshake_timeout(PATIENCE);
    let (in_plain_text, in_tls) = (relay().in_memory(), relay().identity(identity(EVE)).in_memory());
    for round in 0..rounds {
        let is_tls = round % 4 >= 2;
        let server = if is_tls { &in_tls } else { &in_plain_text };
        let dialect = if round % 2 == 0 { Dialect::Native } else { Dialect::Json };
        let mut joined = Vec::new();
        for _ in 0..2 {
            let io = server.connector().open().await.expect("the relay is there");
            let io = Recorded { io, tape: Arc::clone(&tape) };
            let builder = connect_inbox::<Post>().dialect(dialect).handshake_timeout(PATIENCE);
            let builder = if is_tls { builder.pin(fingerprint(EVE)) } else { builder };
            joined.push(builder.over(io, PeerAddr::Memory).await.expect("memory connects"));
        }
        let (bob, mut inbox) = joined.pop().expect("there are two");
        let (ada, _others) = joined.pop().expect("there are two");
        let canary = format!("{CANARY} {round}");

        let signed = Sealed::seal_signed::<Post>(&note(&canary), &to_bob, &me).await.expect("it can be sealed");
        let plain = Sealed::seal::<Post>(&note(&canary), &to_bob).expect("it can be sealed");
        for letter in [signed, plain] {
            shown.value(&letter);
            ada.send(letter).await.expect("it is sent");
            let Some(PostFromServer::SealedNote(letter)) = inbox.recv().await else { panic!("another packet") };
            let opened = opener.open(&letter, &round).await.expect("nothing is wrong");
            assert_eq!(opened.packet().text, canary);
            shown.value(&opened);
            // Whatever goes wrong with it.
            let mut value = serde_json::to_value(&letter).expect("it can be written");
            for part in ["protected", "encrypted_key", "iv", "ciphertext", "tag"] {
                let good = value[part].take();
                value[part] = base64url(part).into();
                let bad: SealedNote = serde_json::from_value(value.clone()).expect("it has five texts");
                shown.error(&opener.open(&bad, &(round, part)).await.expect_err(part));
                value[part] = good;
            }
            if opened.sender().is_some() {
                shown.error(&opener.open(&letter, &(round, "again")).await.expect_err("a second time"));
            }
            let other = Opener::<Post>::new(fingerprint(ADA), sealing_key(BOB_SEALING));
            shown.error(&other.open(&letter, &round).await.expect_err("it is for another"));
        }
        drop((ada, bob));
    }

    // Keys, and what is said of them where they cannot be read.
    let keys = [pem(rsa(ADA)), pem(rsa(BOB)), pem(rsa(BOB_SEALING)), pem(rsa(EVE))];
    for pem in &keys {
        let body = body(pem);
        let der = base64::engine::general_purpose::STANDARD.decode(&body).expect("it is base64");
        secrets.extend([body.into_bytes(), der]);
        for bad in [
            pem.replace("END", "DNE"),
            pem.replace("PRIVATE", "PUBLIC"),
            pem.replace('\n', " "),
            pem.replacen('M', "!", 1),
        ] {
            shown.error(&SealingKey::from_pem(&bad).expect_err("it is broken"));
            shown.error(&Identity::from_pem(&bad).expect_err("it is broken"));
        }
    }
    let announcement = sealing_key(BOB_SEALING).announce(&identity(BOB)).await.expect("it can be announced");
    shown.value(&announcement);
    shown.error(&announcement.verify(&fingerprint(ADA)).expect_err("it is Bob's"));
    shown.value(&(&to_bob, sealing_key(BOB_SEALING), &me));
    shown.value(&opener);
    let arrived = Arrived { name: "Bob".to_owned(), key: announcement };
    shown.value(&arrived);
    let mut payload = Vec::new();
    arrived.encode(Codec::Json, &mut payload).expect("it can be written");

    // One that is there in each place.
    let planted = b"a canary that is planted";
    tracing::trace!("{}", String::from_utf8_lossy(planted));
    shown.value(&String::from_utf8_lossy(planted));
    let wire = |tape: &Mutex<Vec<u8>>| tape.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let seen = state.seen().join("\n").into_bytes();
    let mut sinks = [
        Sink { name: "wire", bytes: wire(&tape) },
        Sink { name: "what the relay has read", bytes: seen },
        Sink { name: "announcement", bytes: payload },
        Sink { name: "log", bytes: log.text().into_bytes() },
        Sink { name: "what is shown", bytes: shown.0.into_bytes() },
    ];
    for sink in &mut sinks {
        assert!(sink.bytes.len() > 1000, "{}: {} bytes", sink.name, sink.bytes.len());
        for secret in &secrets {
            assert_eq!(sink.finds(secret), 0, "{}: {}", sink.name, String::from_utf8_lossy(secret));
        }
    }
    for sink in &mut sinks[3..] {
        assert_eq!(sink.finds(planted), 1, "{} does not show what is there", sink.name);
    }
    for sink in &mut sinks {
        for form in forms(planted) {
            let before = sink.bytes.clone();
            sink.bytes.extend(form);
            assert!(sink.finds(planted) > 0, "{}", sink.name);
            sink.bytes = before;
        }
    }
}

#[tokio::test]
async fn the_wire_and_the_log_show_what_is_not_sealed() {
    let log = LazyLock::force(&LOG).clone();
    let tape = Arc::new(Mutex::new(Vec::new()));
    let server = pnet::memory::serve(PostOffice, Relay::default());
    for (dialect, name) in [(Dialect::Native, "a canary in plain text"), (Dialect::Json, "another in plain text")] {
        let io = server.connector().open().await.expect("the relay is there");
        let io = Recorded { io, tape: Arc::clone(&tape) };
        let (client, _inbox) =
            connect_inbox::<Post>().dialect(dialect).over(io, PeerAddr::Memory).await.expect("memory connects");
        let key = sealing_key(BOB_SEALING).announce(&identity(BOB)).await.expect("it can be announced");
        client.send(Arrived { name: name.to_owned(), key }).await.expect("it is sent");
        client.close().await;
        let bytes = tape.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert!(Sink { name: "wire", bytes }.finds(name.as_bytes()) > 0, "{name}");
    }
    // Blocking threads log to it, too.
    tokio::task::spawn_blocking(|| tracing::trace!("a canary on a thread")).await.expect("no panic");
    let bytes = log.text().into_bytes();
    assert!(Sink { name: "log", bytes }.finds(b"a canary on a thread") > 0);
}
