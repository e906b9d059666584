//! The handshake on a transport, for both roles: moves bytes between the transport and the sans-IO machines.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use pnet_protocol::{
    close::{Close, CloseCode, close_for},
    handshake::{ClientHandshake, ClientHello, HandshakeError, ServerHandshake, ServerStep, ShapePolicy, Welcomed},
    json::{self, Greeting, JsonHandshake, JsonHello, JsonWelcome, SchemaAnswer, SchemaCall},
    limits::Limits,
    protocol::ProtocolInfo,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::timeout,
};
use zeroize::Zeroize as _;

use super::micros_now;
use crate::{
    config,
    error::{ClosedBy, ConnectError},
    transport::{
        Transport,
        driven::{Driven, Plain},
    },
};

/// A transport in the middle of its handshake.
pub(crate) struct Joining {
    pub(crate) io: Box<dyn Driven>,
    /// Read, but not used yet.
    pub(crate) tail: Vec<u8>,
    /// Bytes read so far.
    pub(crate) read: u64,
    out: Vec<u8>,
}

/// Why a server did not open a connection; for its log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("the transport broke")]
    Broken(#[from] io::Error),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("the client was refused by its credentials: {0}")]
    Unauthorized(String),
    #[error("the client speaks a dialect that this server was told not to speak")]
    Dialect,
    #[error("the client speaks plain text, and this server takes TLS only")]
    PlainText,
    #[error("the client speaks TLS, which is turned off here: this server has no key, or was told so")]
    TlsOff,
    #[error("{0}")]
    Tls(String),
    #[error("the client was refused by its key: {0}")]
    Unlisted(String),
    #[error("others have come, and this one had waited for longest")]
    Crowded,
    #[error("there are too many connections")]
    Full,
    #[error("the server is shutting down")]
    GoingAway,
}

impl JoinError {
    /// The code that says it, and who has ended it. `None` where there is no code.
    pub(crate) fn end(&self) -> Option<(CloseCode, ClosedBy)> {
        Some(match self {
            Self::Broken(_) => (CloseCode::Lost, ClosedBy::Transport),
            Self::Handshake(HandshakeError::Ended) => (CloseCode::Lost, ClosedBy::Peer),
            Self::Handshake(HandshakeError::Closed { code, .. }) => (*code, ClosedBy::Peer),
            Self::Handshake(error) => (close_for(error).0, ClosedBy::Here),
            Self::Unauthorized(_) | Self::Unlisted(_) => (CloseCode::Unauthorized, ClosedBy::Here),
            Self::Dialect | Self::PlainText => (CloseCode::Refused, ClosedBy::Here),
            Self::Crowded | Self::Full => (CloseCode::Overloaded, ClosedBy::Here),
            Self::GoingAway => (CloseCode::GoingAway, ClosedBy::Here),
            // TLS has alerts of its own.
            Self::TlsOff | Self::Tls(_) => return None,
        })
    }
}

impl Joining {
    pub(crate) const fn new(io: Box<dyn Driven>) -> Self {
        Self { io, tail: Vec::new(), read: 0, out: Vec::new() }
    }

    /// Waits for the first byte. Nothing is allocated while there is none.
    pub(crate) async fn first_byte(&mut self) -> io::Result<u8> {
        self.read().await?;
        self.tail.first().copied().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The transport and what was read from it, for somebody else to go on with; [`give`](Self::give) puts in what came of it.
    pub(crate) fn take(&mut self) -> (Box<dyn Transport>, Vec<u8>) {
        let io = std::mem::replace(&mut self.io, Box::new(Plain(tokio::io::empty())));
        (io, std::mem::take(&mut self.tail))
    }

    pub(crate) fn give(&mut self, io: Box<dyn Driven>) {
        (self.io, self.read) = (io, 0);
    }

    /// Waits for the preface of the native dialect, and looks at nothing behind it.
    pub(crate) async fn preface(&mut self, machine: &mut ServerHandshake) -> Result<(), JoinError> {
        while !machine.handle_preface(&self.tail)? {
            if self.read().await? == 0 {
                return Err(machine.ended().into());
            }
        }
        Ok(())
    }

    /// Prepares bytes that are of no dialect. `last_words` writes them.
    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// The client's side towards a JSON server, until its handshake or the lack of one. The caller bounds it in time.
    pub(crate) async fn json_client(
        &mut self,
        mut machine: JsonHandshake,
        credentials: &[u8],
        limits: &Limits,
        heartbeat_ms: u32,
    ) -> Result<JsonWelcome, ConnectError> {
        if let Ok(welcome) = timeout(config::LISTEN, self.json_welcome(&mut machine)).await {
            return welcome;
        }
        machine.greet(credentials, limits, heartbeat_ms, micros_now(), &mut self.out);
        self.write().await.map_err(ConnectError::Broken)?;
        // Who has shown credentials is owed an answer, however long it takes to look at them.
        let patience = if credentials.is_empty() { config::NO_HANDSHAKE } else { Duration::MAX };
        match timeout(patience, self.json_welcome(&mut machine)).await {
            Ok(welcome) => welcome,
            Err(_) => Ok(machine.give_up()),
        }
    }

    /// Asks a JSON server for the schema of its protocol. What else comes is left in the tail. The caller bounds it in time.
    pub(crate) async fn json_schema(&mut self, welcome: &JsonWelcome, limits: &Limits) -> Result<String, ConnectError> {
        let refused = |why: &str| ConnectError::NoSchema { why: why.to_owned() };
        if welcome.form.is_old() {
            return Err(refused("it is of the old form"));
        }
        let mut machine = SchemaCall::new(welcome, limits);
        machine.ask(micros_now(), &mut self.out);
        self.write().await.map_err(ConnectError::Broken)?;
        loop {
            if let Some((place, answer)) = machine.handle(&self.tail)? {
                let text = match answer {
                    SchemaAnswer::Schema(text) => text.to_owned(),
                    SchemaAnswer::Refused(why) => return Err(refused(&why)),
                    _ => return Err(refused("")),
                };
                self.tail.drain(place);
                return Ok(text);
            }
            if self.read().await.map_err(ConnectError::Broken)? == 0 {
                return Err(refused("it has closed the connection"));
            }
        }
    }

    /// # Cancel safety
    ///
    /// What was read stays in the tail.
    async fn json_welcome(&mut self, machine: &mut JsonHandshake) -> Result<JsonWelcome, ConnectError> {
        loop {
            if let Some((used, welcome)) = machine.handle(&self.tail)? {
                self.tail.drain(..used);
                return Ok(welcome);
            }
            if self.read().await.map_err(ConnectError::Broken)? == 0 {
                return Err(HandshakeError::Ended.into());
            }
        }
    }

    /// The client's side, until the server's welcome. After an error, `last_words` is due.
    pub(crate) async fn client(
        &mut self,
        info: &'static ProtocolInfo,
        credentials: &[u8],
        limits: &Limits,
        shapes: ShapePolicy,
        heartbeat_ms: u32,
    ) -> Result<Welcomed, ConnectError> {
        let mut machine =
            ClientHandshake::with_heartbeat(info, credentials, limits, shapes, heartbeat_ms, &mut self.out);
        self.write().await.map_err(ConnectError::Broken)?;
        loop {
            let step = machine.handle(&self.tail, &mut self.out);
            // What goes with an error is left to `last_words`.
            if step.is_ok() {
                self.write().await.map_err(ConnectError::Broken)?;
            }
            match step {
                Ok((used, welcomed)) => {
                    self.tail.drain(..used);
                    if let Some(welcomed) = welcomed {
                        return Ok(welcomed);
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if self.read().await.map_err(ConnectError::Broken)? == 0 {
                return Err(machine.ended().into());
            }
        }
    }

    /// The server's side, up to the client's whole hello. After an error, `last_words` is due.
    pub(crate) async fn hello(&mut self, machine: &mut ServerHandshake) -> Result<ClientHello, JoinError> {
        loop {
            let (used, step) = machine.handle(&self.tail, &mut self.out)?;
            self.use_up(used);
            if let ServerStep::Hello(hello) = step {
                return Ok(hello);
            }
            if self.read().await? == 0 {
                return Err(machine.ended().into());
            }
        }
    }

    /// The server's side towards a client that means another protocol, up to where both know what differs: the error.
    /// `last_words` is due then.
    pub(crate) async fn differ(&mut self, machine: &mut ServerHandshake, shapes: ShapePolicy) -> JoinError {
        machine.differ(shapes, &mut self.out);
        loop {
            // The client may have sent the rest along already.
            match machine.handle(&self.tail, &mut self.out) {
                Ok((used, _)) => self.tail.drain(..used),
                Err(error) => return error.into(),
            };
            if let Err(error) = self.write().await {
                return error.into();
            }
            match self.read().await {
                Ok(0) => return machine.ended().into(),
                Ok(_) => {}
                Err(error) => return error.into(),
            }
        }
    }

    /// Takes what was read off the tail. It may have been credentials: nothing of it is left.
    fn use_up(&mut self, used: usize) {
        if used > 0 {
            let rest = self.tail.get(used..).unwrap_or_default().to_vec();
            self.tail.zeroize();
            self.tail = rest;
        }
    }

    /// The server's side towards a client that speaks JSON, up to its first whole object.
    pub(crate) async fn greet_json(&mut self, machine: &mut Greeting) -> Result<JsonHello, JoinError> {
        loop {
            if let Some((used, hello)) = machine.handle(&self.tail)? {
                self.use_up(used);
                return Ok(hello);
            }
            if self.read().await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    /// Prepares a goodbye with a close frame, as far as the peer is known to speak native. `last_words` says it.
    pub(crate) fn refuse(&mut self, machine: &mut ServerHandshake, close: Close<'_>) {
        machine.refuse(close, &mut self.out);
    }

    /// The same for a peer that speaks JSON.
    pub(crate) fn refuse_json(&mut self, close: Close<'_>) {
        json::put_close(&mut self.out, close, micros_now());
    }

    /// The handshake's time is over: prepares to say so to a peer that speaks native.
    pub(crate) fn timed_out(&mut self, machine: &mut ServerHandshake) -> JoinError {
        machine.timed_out(&mut self.out).into()
    }

    /// Writes what is left as far as the transport takes it at once, for a peer that is not waited for.
    pub(crate) fn say_at_once(&mut self) {
        self.tail.zeroize();
        let mut task = Context::from_waker(Waker::noop());
        let io = &mut self.io;
        // Whether it went is of no interest.
        if let Poll::Ready(Ok(_)) = Pin::new(&mut *io).poll_write(&mut task, &self.out) {
            let _ = Pin::new(io).poll_shutdown(&mut task);
        }
        self.out.clear();
    }

    /// Writes what is left and ends the stream; bounded in time, as the peer may not read.
    pub(crate) async fn last_words(&mut self) {
        // It may hold credentials that were refused for something else.
        self.tail.zeroize();
        if self.out.is_empty() {
            return;
        }
        let _ = timeout(LINGER, async {
            if self.write().await.is_ok() {
                self.end().await;
            }
        })
        .await;
    }

    /// Reads by way of the stack, so that a peer which sends a byte at a time holds no more than it has sent.
    async fn read(&mut self) -> io::Result<usize> {
        let Self { io, tail, read, .. } = self;
        poll_fn(|task| {
            let mut bytes = [0; READ_LEN];
            let mut space = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut *io).poll_read(task, &mut space))?;
            // The machines bound what they leave unread: a whole frame is at most a report.
            tail.extend_from_slice(space.filled());
            *read += space.filled().len() as u64;
            Poll::Ready(Ok(space.filled().len()))
        })
        .await
    }

    async fn write(&mut self) -> io::Result<()> {
        let written = self.io.write_all(&self.out).await;
        // There may have been credentials in it.
        self.out.zeroize();
        written?;
        self.io.flush().await
    }

    /// Ends this side's stream and reads to the end of the other, so that no reset destroys the last words. The caller
    /// bounds it in time, and this in bytes.
    async fn end(&mut self) {
        if self.io.shutdown().await.is_err() {
            return;
        }
        let mut left: usize = 64 * READ_LEN;
        let mut sink = Vec::with_capacity(READ_LEN);
        while left > 0 {
            sink.clear();
            match self.io.read_buf(&mut sink).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    }
}

const READ_LEN: usize = 4096;
const LINGER: Duration = Duration::from_secs(1);
