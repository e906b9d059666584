//! Each sink finds what is planted in it: a sink that hears nothing would find no leak either.

use std::{error::Error, fmt, io, thread};

use pnet::{Client, CloseCode, transport::PeerAddr};
use pnet_tests::talk::{Book, Talk, TalkClient, TalkServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::{
    search::forms,
    watch::{By, Watch},
};

/// Plants a secret, and fails if nobody finds it there.
fn check(sink: &str, plant: impl FnOnce(&Watch, &str)) {
    let watch = Watch::new();
    let secret = watch.text("planted", &[]);
    watch.assert_kept();
    plant(&watch, &secret);
    let leaks = watch.leaks();
    assert!(!leaks.is_empty(), "{sink} is deaf");
    assert!(leaks.iter().all(|leak| leak.starts_with("planted as ")), "{leaks:?}");
}

/// An error that says nothing but what it was caused by.
struct Level(Box<dyn Error + Send + Sync>);

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Level")
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one level")
    }
}

impl Error for Level {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

struct Only<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Debug for Only<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Only<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

fn chain(secret: &str) -> Level {
    Level(Box::new(Level(Box::new(io::Error::other(secret.to_owned())))))
}

#[test]
fn the_log_finds_what_is_planted_in_it() {
    check("a text", |_, secret| tracing::trace!(secret, "text"));
    check("a message", |_, secret| tracing::debug!("{secret}"));
    check("a field in Display", |_, secret| tracing::info!(field = %secret, "display"));
    check("a field in Debug", |_, secret| tracing::warn!(field = ?Some(secret), "debug"));
    check("a field of a span", |_, secret| drop(tracing::trace_span!("span", %secret)));
    check("a field of a span, later", |_, secret| {
        let span = tracing::debug_span!("span", field = tracing::field::Empty);
        span.record("field", secret);
    });
    check("a span that an event is in", |_, secret| {
        tracing::info_span!("span", %secret).in_scope(|| tracing::info!("inside"));
    });
    check("the cause of an error", |_, secret| {
        let error = chain(secret);
        tracing::error!(error = &error as &(dyn Error + 'static), "error");
    });
    check("another thread", |_, secret| {
        let secret = secret.to_owned();
        thread::spawn(move || tracing::trace!(%secret, "elsewhere")).join().expect("no panic");
    });
    check("bytes", |_, secret| tracing::trace!(bytes = secret.as_bytes(), "bytes"));
}

#[test]
fn what_is_shown_finds_what_is_planted_in_it() {
    check("Debug", |watch, secret| watch.show(&secret));
    check("alternate Debug", |watch, secret| {
        watch.show(&Only(|f| if f.alternate() { f.write_str(secret) } else { Ok(()) }));
    });
    check("Display", |watch, secret| watch.say(secret));
    check("alternate Display", |watch, secret| {
        watch.say(Only(|f| if f.alternate() { f.write_str(secret) } else { Ok(()) }));
    });
    check("an error", |watch, secret| watch.show_error(&io::Error::other(secret.to_owned())));
    check("the cause of an error", |watch, secret| watch.show_error(&chain(secret)));
}

#[tokio::test]
async fn reasons_and_tapes_find_what_is_planted_in_them() {
    let server = pnet::memory::serve(TalkServer, Book::default());
    let watch = Watch::new();
    let secret = watch.text("planted", &[]);
    let (io, tape) = watch.record(server.connector().open().await.expect("opens"), By::Client);
    let builder = pnet::connect(TalkClient, Book::default());
    let client: Client<Talk> = builder.over(io, PeerAddr::Memory).await.expect("connects");
    assert!(server.hub().close(client.id(), CloseCode::Normal, secret));
    watch.reason(&*client.closed().await);
    for sink in ["log".to_owned(), "shown".to_owned(), "reasons".to_owned(), format!("tape {tape} to the client")] {
        let wanted = format!("planted as raw in {sink}");
        assert!(watch.leaks().iter().any(|leak| leak.starts_with(&wanted)), "{wanted}");
    }

    for by in [By::Client, By::Server] {
        for writes in [true, false] {
            let watch = Watch::new();
            let secret = watch.text("planted", &[]);
            let (here, mut there) = duplex(1024);
            let (mut here, tape) = watch.record(here, by);
            // In two pieces.
            let (head, tail) = secret.split_at(9);
            for piece in [head, tail] {
                if writes {
                    here.write_all(piece.as_bytes()).await.expect("memory writes");
                } else {
                    there.write_all(piece.as_bytes()).await.expect("memory writes");
                    here.read_exact(&mut vec![0; piece.len()]).await.expect("memory reads");
                }
            }
            let leaks = watch.leaks();
            assert!(!leaks.is_empty() && leaks.iter().all(|leak| leak.contains("in tape 0 to the ")), "{leaks:?}");
            // Only where it has no place.
            watch.allow(&secret, tape + 1);
            assert!(!watch.leaks().is_empty());
            watch.allow(&secret, tape);
            watch.assert_kept();
        }
    }
}

#[test]
fn every_form_is_found_in_every_sink() {
    for (form, bytes) in forms(b"correct-horse-battery") {
        let text = String::from_utf8(bytes).expect("the forms of a text are texts");
        for sink in ["log", "shown"] {
            let watch = Watch::new();
            watch.secret("planted", b"correct-horse-battery", &[]);
            match sink {
                "log" => tracing::trace!(%text, "planted"),
                _ => watch.say(&text),
            }
            let wanted = format!("planted as {form} in {sink}");
            assert!(watch.leaks().iter().any(|leak| leak.starts_with(&wanted)), "{wanted}");
        }
    }
}
