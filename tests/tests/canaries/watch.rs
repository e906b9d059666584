//! What is secret, and where it is looked for. A secret more, or a sink more, is one line.

use std::{
    error::Error,
    fmt::{Debug, Display, Write as _},
    io,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use pnet::Closed;
use pnet_tests::log::Log;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::search::Search;

/// Secrets and sinks of one test.
#[derive(Default)]
pub(crate) struct Watch {
    secrets: Mutex<Vec<Kept>>,
    shown: Mutex<String>,
    reasons: Mutex<String>,
    tapes: Mutex<Vec<Arc<Tape>>>,
}

/// A secret.
struct Kept {
    name: String,
    bytes: Vec<u8>,
    /// The tapes where it has its place.
    on: Vec<usize>,
}

/// What went over one transport.
#[derive(Default)]
pub(crate) struct Tape {
    pub(crate) to_server: Mutex<Vec<u8>>,
    pub(crate) to_client: Mutex<Vec<u8>>,
}

/// Where a secret must not be.
struct Sink {
    name: String,
    bytes: Vec<u8>,
    tape: Option<usize>,
}

/// What the whole program logs. Tests share it, and their secrets are not the same.
static LOG: LazyLock<Log> = LazyLock::new(Log::keep_everywhere);

impl Watch {
    pub(crate) fn new() -> Self {
        LazyLock::force(&LOG);
        Self::default()
    }

    /// From now on this is looked for, everywhere but on these tapes.
    pub(crate) fn secret(&self, name: impl Into<String>, bytes: impl AsRef<[u8]>, on: &[usize]) {
        let kept = Kept { name: name.into(), bytes: bytes.as_ref().to_vec(), on: on.to_vec() };
        lock(&self.secrets).push(kept);
    }

    /// A new secret text, which is looked for everywhere but on these tapes.
    pub(crate) fn text(&self, name: &str, on: &[usize]) -> String {
        let text = format!("{name}-{}", uuid::Uuid::new_v4().simple());
        self.secret(name, &text, on);
        text
    }

    /// A new secret number of 18 digits, which JSON and 64 bits can carry; looked for everywhere.
    pub(crate) fn digits(&self, name: &str) -> String {
        let digits = (uuid::Uuid::new_v4().as_u128() % 900_000_000_000_000_000 + 100_000_000_000_000_000).to_string();
        self.secret(name, &digits, &[]);
        digits
    }

    /// A secret has its place on this tape, too.
    pub(crate) fn allow(&self, secret: &str, tape: usize) {
        let mut secrets = lock(&self.secrets);
        secrets.iter_mut().filter(|kept| kept.bytes == secret.as_bytes()).for_each(|kept| kept.on.push(tape));
    }

    /// Records what goes over a transport, whose owner is the client or the server.
    pub(crate) fn record<T>(&self, io: T, by: By) -> (Recorded<T>, usize) {
        let mut tapes = lock(&self.tapes);
        let tape = Arc::new(Tape::default());
        tapes.push(Arc::clone(&tape));
        (Recorded { io, by, tape }, tapes.len() - 1)
    }

    pub(crate) fn tapes(&self) -> Vec<Arc<Tape>> {
        lock(&self.tapes).clone()
    }

    pub(crate) fn tape(&self, number: usize) -> Arc<Tape> {
        Arc::clone(&lock(&self.tapes)[number])
    }

    /// What a program prints for its developers.
    pub(crate) fn show(&self, value: &(impl Debug + ?Sized)) {
        let _ = write!(lock(&self.shown), "{value:?}\n{value:#?}\n");
    }

    /// What a program prints for people.
    pub(crate) fn say(&self, value: impl Display) {
        let _ = write!(lock(&self.shown), "{value}\n{value:#}\n");
    }

    /// An error with all that it was caused by, in every form.
    pub(crate) fn show_error(&self, error: &(dyn Error + 'static)) {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.show(error);
            self.say(error);
            cause = error.source();
        }
    }

    /// Why a connection was closed.
    pub(crate) fn reason(&self, closed: &Closed) {
        self.show_error(closed);
        let _ = writeln!(lock(&self.reasons), "{}", closed.reason());
    }

    /// What was shown so far.
    pub(crate) fn shown(&self) -> String {
        lock(&self.shown).clone()
    }

    /// What the program has logged so far, other tests included.
    pub(crate) fn log(&self) -> String {
        LOG.text()
    }

    fn sinks(&self) -> Vec<Sink> {
        let sink = |name: &str, text: String| Sink { name: name.to_owned(), bytes: text.into_bytes(), tape: None };
        let mut sinks =
            vec![sink("log", LOG.text()), sink("shown", self.shown()), sink("reasons", lock(&self.reasons).clone())];
        for (number, tape) in self.tapes().iter().enumerate() {
            for (way, bytes) in [("server", &tape.to_server), ("client", &tape.to_client)] {
                let (name, bytes) = (format!("tape {number} to the {way}"), lock(bytes).clone());
                sinks.push(Sink { name, bytes, tape: Some(number) });
            }
        }
        sinks
    }

    /// Every secret that is where it has no place: its name, its form, the sink.
    pub(crate) fn leaks(&self) -> Vec<String> {
        let secrets = lock(&self.secrets);
        let search = Search::new(secrets.iter().map(|kept| kept.bytes.as_slice()));
        let mut leaks = Vec::new();
        for Sink { name, bytes, tape } in self.sinks() {
            for found in search.find(&bytes) {
                let kept = &secrets[found.secret];
                if tape.is_none_or(|tape| !kept.on.contains(&tape)) {
                    let before = &bytes[found.at.saturating_sub(80).min(bytes.len())..found.at.min(bytes.len())];
                    let before = String::from_utf8_lossy(before).into_owned();
                    leaks.push(format!("{} as {} in {name}, behind {before:?}", kept.name, found.form));
                }
            }
        }
        leaks
    }

    pub(crate) fn assert_kept(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks[..leaks.len().min(30)].join("\n"));
    }
}

/// Whose end of a transport it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Client,
    Server,
}

/// A transport that keeps every byte.
pub(crate) struct Recorded<T> {
    io: T,
    by: By,
    tape: Arc<Tape>,
}

impl<T> Recorded<T> {
    /// The same tape, around another transport.
    pub(crate) fn map<U>(self, map: impl FnOnce(T) -> U) -> Recorded<U> {
        Recorded { io: map(self.io), by: self.by, tape: self.tape }
    }

    fn came(&self) -> &Mutex<Vec<u8>> {
        if self.by == By::Client { &self.tape.to_client } else { &self.tape.to_server }
    }

    fn went(&self) -> &Mutex<Vec<u8>> {
        if self.by == By::Client { &self.tape.to_server } else { &self.tape.to_client }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Recorded<T> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, space: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = space.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(task, space);
        lock(self.came()).extend_from_slice(&space.filled()[before..]);
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Recorded<T> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(task, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            lock(self.went()).extend_from_slice(&bytes[..*written]);
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
