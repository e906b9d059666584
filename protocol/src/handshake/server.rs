//! The server's half of the handshake.

use crate::close::{Close, close_for};
use crate::frame::{Frame, Kind, PREFACE, decode, put_body, put_close};
use crate::id::{ConnectionId, SessionToken};
use crate::info::ProtocolInfo;
use crate::limits::{HANDSHAKE_FRAME_LEN, Limits, REPORT_LEN};
use crate::secret::{SecretBytes, show};
use crate::text::escape;

use zeroize::Zeroize as _;

use super::client::closed;
use super::hello::{Differ, Hello, Welcome};
use super::report::MismatchReport;
use super::{HandshakeError, MAX_VERSION, MIN_VERSION, ShapePolicy, exchange, take_preface};

/// Waits for a client's hello, and answers it as the caller decides.
///
/// When [`handle`](Self::handle) gives [`ServerStep::Hello`], the caller looks at the credentials and calls exactly one
/// of [`welcome`](Self::welcome), [`differ`](Self::differ) and [`refuse`](Self::refuse); until then `handle` uses no
/// more bytes. After `welcome` the handshake is over, and what was not used are frames of the open connection. After
/// `differ` it goes on with [`handle`](Self::handle) until that fails with [`HandshakeError::Mismatch`].
#[derive(Debug)]
pub struct ServerHandshake {
    info: &'static ProtocolInfo,
    limits: Limits,
    /// Whether the client has begun as a native client does, so that it may be told about errors.
    native: bool,
    /// Whether this side's preface is written.
    prefaced: bool,
    version: u16,
    state: State,
}

#[derive(Debug)]
enum State {
    Hello,
    Decide { matches: bool },
    Offer(ShapePolicy),
    Shapes(Box<MismatchReport>),
    Over,
}

impl ServerHandshake {
    /// Begins; nothing is written before the client has spoken.
    pub const fn new(info: &'static ProtocolInfo, limits: &Limits) -> Self {
        Self { info, limits: *limits, native: false, prefaced: false, version: MAX_VERSION, state: State::Hello }
    }

    /// Takes what the client sent, and appends what is to be sent. Gives how many bytes were used: call again with the
    /// rest and more.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]; the handshake is over then. A CLOSE frame for the client stands in `out` where one is due;
    /// a client that does not speak the native dialect is told nothing.
    pub fn handle(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(usize, ServerStep), HandshakeError> {
        let result = self.run(input, out);
        if let Err(error) = &result {
            self.goodbye(error, out);
        }
        result
    }

    /// Opens the connection: writes WELCOME. Leave the `token` out where it would travel in plain text beyond loopback.
    ///
    /// Only after [`ServerStep::Hello`] with a matching fingerprint; with another one it refuses the client, since the two sides
    /// would not understand each other.
    pub fn welcome(&mut self, id: ConnectionId, token: Option<&SessionToken>, heartbeat_ms: u32, out: &mut Vec<u8>) {
        if !matches!(self.state, State::Decide { matches: true }) {
            debug_assert!(false, "`welcome` needs a hello that matches");
            let error = HandshakeError::Mismatch(Box::new(MismatchReport::new(self.info.name)));
            let (code, reason) = close_for(&error);
            self.refuse(Close::new(code, &reason), out);
            return;
        }
        // With room from the start: what a buffer leaves behind when it grows is not wiped.
        let mut body = Vec::with_capacity(WELCOME_LEN);
        Welcome::put(&mut body, self.version, &id, token, &self.limits, heartbeat_ms);
        self.preface(out);
        put_body(out, Kind::Welcome, &body);
        body.zeroize();
        self.state = State::Over;
    }

    /// Looks for the preface and at nothing behind it, for a client that is refused whatever it says: `true` once the preface
    /// is there, so that [`refuse`](Self::refuse) may say so.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`] if what begins is something else. Nothing is to be said to such a client.
    pub fn handle_preface(&mut self, input: &[u8]) -> Result<bool, HandshakeError> {
        self.native = take_preface(input)?.is_some();
        Ok(self.native)
    }

    /// Answers a hello whose fingerprint does not match: writes DIFFER and goes on to find out what differs.
    ///
    /// `shapes` says how much the client is told: [`ShapePolicy::Shapes`] only on loopback or if it is authenticated.
    pub fn differ(&mut self, shapes: ShapePolicy, out: &mut Vec<u8>) {
        debug_assert!(matches!(self.state, State::Decide { .. }), "`differ` needs a hello");
        let differ = Differ { version: self.version, fingerprint: self.info.fingerprint };
        self.preface(out);
        put_body(out, Kind::Differ, &differ.to_body());
        self.state = State::Offer(shapes);
    }

    /// Ends the handshake with a reason of the caller's: writes CLOSE if the client speaks the native dialect.
    pub fn refuse(&mut self, close: Close<'_>, out: &mut Vec<u8>) {
        self.state = State::Over;
        if self.native {
            self.preface(out);
            put_close(out, close);
        }
    }

    /// The connection ended: what to make of it. A report that was begun is not lost.
    pub fn ended(&mut self) -> HandshakeError {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Shapes(report) => HandshakeError::Mismatch(report),
            _ => HandshakeError::Ended,
        }
    }

    /// The deadline has passed: tells the client, if it is one, and gives the error.
    pub fn timed_out(&mut self, out: &mut Vec<u8>) -> HandshakeError {
        let error = HandshakeError::TimedOut;
        self.goodbye(&error, out);
        error
    }

    fn run(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(usize, ServerStep), HandshakeError> {
        let mut used = 0;
        if !self.native {
            let Some(preface) = take_preface(input)? else {
                return Ok((0, ServerStep::More));
            };
            self.native = true;
            used = preface;
        }
        loop {
            let max = match self.state {
                State::Hello => HANDSHAKE_FRAME_LEN,
                State::Offer(_) | State::Shapes(_) => REPORT_LEN,
                State::Decide { .. } | State::Over => return Ok((used, ServerStep::More)),
            };
            let Some((frame, len)) = decode(input.get(used..).unwrap_or_default(), max)? else {
                return Ok((used, ServerStep::More));
            };
            used += len;
            if let Some(hello) = self.frame(frame, out)? {
                return Ok((used, ServerStep::Hello(hello)));
            }
        }
    }

    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<Option<ClientHello>, HandshakeError> {
        match (std::mem::replace(&mut self.state, State::Over), frame) {
            (_, Frame::Close(close)) => Err(closed(close)),
            (State::Hello, Frame::Hello(body)) => self.hello(body).map(Some),
            (State::Offer(policy), Frame::Offer(body)) => {
                let (report, shapes) = exchange::compare(self.info, policy, body)?;
                put_body(out, Kind::Shapes, &shapes);
                self.state = State::Shapes(Box::new(report));
                Ok(None)
            }
            (State::Shapes(mut report), Frame::Shapes(body)) => {
                exchange::complete(&mut report, body)?;
                Err(HandshakeError::Mismatch(report))
            }
            (state, frame) => {
                let expected = match state {
                    State::Hello => "HELLO",
                    State::Offer(_) => "OFFER or CLOSE",
                    State::Shapes(_) => "SHAPES or CLOSE",
                    State::Decide { .. } | State::Over => "nothing",
                };
                Err(HandshakeError::Unexpected { frame: frame.name(), expected })
            }
        }
    }

    fn hello(&mut self, body: &[u8]) -> Result<ClientHello, HandshakeError> {
        let hello = Hello::from_body(body)?;
        let version = hello.versions.1.min(MAX_VERSION);
        if version < hello.versions.0.max(MIN_VERSION) {
            return Err(HandshakeError::Version { here: (MIN_VERSION, MAX_VERSION), there: hello.versions });
        }
        if hello.protocol != self.info.name {
            let (here, there) = (self.info.name.to_owned(), escape(hello.protocol, SHOWN_NAME_LEN));
            return Err(HandshakeError::ProtocolName { here, there });
        }
        let matches = hello.fingerprint == self.info.fingerprint;
        self.version = version;
        self.state = State::Decide { matches };
        Ok(ClientHello {
            credentials: SecretBytes::from(hello.credentials),
            limits: hello.limits,
            version,
            heartbeat_ms: hello.heartbeat_ms,
            matches,
        })
    }

    fn preface(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.prefaced, true) {
            out.extend_from_slice(&PREFACE);
        }
    }

    /// Tells a native client why it is left, unless it ended the connection itself.
    fn goodbye(&mut self, error: &HandshakeError, out: &mut Vec<u8>) {
        self.state = State::Over;
        if !self.native || matches!(error, HandshakeError::Closed { .. }) {
            return;
        }
        let (code, reason) = close_for(error);
        self.preface(out);
        put_close(out, Close::new(code, &reason));
    }
}

/// How far the handshake is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ServerStep {
    /// More bytes are needed, or the caller has yet to answer the hello.
    More,
    /// The client has said hello: answer it.
    Hello(ClientHello),
}

/// What a client said in its hello; version and protocol are already found to fit.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct ClientHello {
    /// What the client shows to be let in: JSON text, or nothing. Secret.
    pub credentials: SecretBytes,
    /// What the client takes.
    pub limits: Limits,
    /// The wire version that both sides speak from here on.
    pub version: u16,
    /// How often the client wishes to hear something, in milliseconds; 0 for no wish.
    pub heartbeat_ms: u32,
    /// Whether both sides were built from the same protocol: [`ServerHandshake::welcome`] is possible.
    pub matches: bool,
}

/// Without the credentials.
impl std::fmt::Debug for ClientHello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { limits, version, heartbeat_ms, matches, .. } = self;
        let credentials = self.credentials.as_bytes();
        show!(f, "ClientHello", credentials: hidden, limits, version, heartbeat_ms, matches)
    }
}

const SHOWN_NAME_LEN: usize = 300;
/// The body of a WELCOME has 77 bytes.
const WELCOME_LEN: usize = 80;
