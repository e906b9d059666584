//! The client's half of the handshake.

use crate::close::{Close, close_for};
use crate::frame::{Frame, Kind, PREFACE, decode, put_body, put_close};
use crate::id::{ConnectionId, SessionToken};
use crate::info::ProtocolInfo;
use crate::limits::{HANDSHAKE_FRAME_LEN, Limits, REPORT_LEN, TEXT_LEN};
use crate::text::escape;

use zeroize::Zeroizing;

use super::hello::{Differ, Hello, Welcome};
use super::report::MismatchReport;
use super::{HandshakeError, MAX_VERSION, MIN_VERSION, ShapePolicy, exchange, take_preface};

/// Says hello, and waits until the server has opened the connection or said why not.
///
/// ```no_run
/// # use pnet_protocol::handshake::{ClientHandshake, HandshakeError, ShapePolicy};
/// # use pnet_protocol::{limits::Limits, protocol::ProtocolInfo};
/// # fn send(_: &mut Vec<u8>) {}
/// # fn receive(_: &mut Vec<u8>) {}
/// # fn run(info: &'static ProtocolInfo) -> Result<(), HandshakeError> {
/// let (mut received, mut out) = (Vec::new(), Vec::new());
/// let mut handshake = ClientHandshake::new(info, b"", &Limits::default(), ShapePolicy::Names, &mut out);
/// let welcomed = loop {
///     send(&mut out);
///     receive(&mut received);
///     let result = handshake.handle(&received, &mut out);
///     send(&mut out); // also when it failed
///     let (used, welcomed) = result?;
///     received.drain(..used);
///     if let Some(welcomed) = welcomed {
///         break welcomed; // what is left in `received` are frames of the open connection
///     }
/// };
/// # drop(welcomed);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    info: &'static ProtocolInfo,
    shapes: ShapePolicy,
    /// Whether the server has begun as a native server does, so that it may be told about errors.
    native: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Answer,
    Shapes,
    Close(Box<MismatchReport>),
    Over,
}

impl ClientHandshake {
    /// Begins: writes the preface and HELLO.
    ///
    /// `credentials` are JSON text, or nothing: [`Credentials::to_json`](crate::credentials::Credentials::to_json). A server
    /// refuses more than [`CREDENTIALS_LEN`](crate::limits::CREDENTIALS_LEN) bytes of them. `shapes` says how much the server is
    /// told about this side's schema if the fingerprints differ.
    pub fn new(
        info: &'static ProtocolInfo,
        credentials: &[u8],
        limits: &Limits,
        shapes: ShapePolicy,
        out: &mut Vec<u8>,
    ) -> Self {
        Self::with_heartbeat(info, credentials, limits, shapes, 0, out)
    }

    /// The same with a wish: each side speaks at least once in so many milliseconds. 0 is no wish.
    pub fn with_heartbeat(
        info: &'static ProtocolInfo,
        credentials: &[u8],
        limits: &Limits,
        shapes: ShapePolicy,
        heartbeat_ms: u32,
        out: &mut Vec<u8>,
    ) -> Self {
        let hello = Hello {
            versions: (MIN_VERSION, MAX_VERSION),
            protocol: info.name,
            fingerprint: info.fingerprint,
            credentials,
            limits: *limits,
            heartbeat_ms,
        };
        out.extend_from_slice(&PREFACE);
        // Credentials are in it.
        put_body(out, Kind::Hello, &Zeroizing::new(hello.to_body()));
        Self { info, shapes, native: false, state: State::Answer }
    }

    /// Takes what the server sent, and appends what is to be sent. Gives how many bytes were used: call again with the
    /// rest and more until there is a [`Welcomed`] or an error.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]; the handshake is over then. A CLOSE frame for the server stands in `out` where one is due.
    pub fn handle(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(usize, Option<Welcomed>), HandshakeError> {
        let result = self.run(input, out);
        if let Err(error) = &result {
            self.goodbye(error, out);
        }
        result
    }

    /// The connection ended: what to make of it. A report that was already complete is not lost.
    pub fn ended(&mut self) -> HandshakeError {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Close(report) => HandshakeError::Mismatch(report),
            _ => HandshakeError::Ended,
        }
    }

    /// The deadline has passed: tells the server, if it is one, and gives the error.
    pub fn timed_out(&mut self, out: &mut Vec<u8>) -> HandshakeError {
        if let State::Close(_) = self.state {
            return self.ended();
        }
        let error = HandshakeError::TimedOut;
        self.goodbye(&error, out);
        error
    }

    fn run(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(usize, Option<Welcomed>), HandshakeError> {
        let mut used = 0;
        if !self.native {
            let Some(preface) = take_preface(input)? else {
                return Ok((0, None));
            };
            self.native = true;
            used = preface;
        }
        while !matches!(self.state, State::Over) {
            let max = if matches!(self.state, State::Answer) { HANDSHAKE_FRAME_LEN } else { REPORT_LEN };
            let Some((frame, len)) = decode(input.get(used..).unwrap_or_default(), max)? else {
                return Ok((used, None));
            };
            used += len;
            if let Some(welcomed) = self.frame(frame, out)? {
                return Ok((used, Some(welcomed)));
            }
        }
        Ok((used, None))
    }

    fn frame(&mut self, frame: Frame<'_>, out: &mut Vec<u8>) -> Result<Option<Welcomed>, HandshakeError> {
        match (std::mem::replace(&mut self.state, State::Over), frame) {
            (State::Close(report), Frame::Close(_)) => Err(HandshakeError::Mismatch(report)),
            (_, Frame::Close(close)) => Err(closed(close)),
            (State::Answer, Frame::Welcome(body)) => {
                let Welcome { version, connection_id, token, limits, heartbeat_ms } = Welcome::from_body(body)?;
                check_version(version)?;
                Ok(Some(Welcomed { version, connection_id, token, limits, heartbeat_ms }))
            }
            (State::Answer, Frame::Differ(body)) => {
                check_version(Differ::from_body(body)?.version)?;
                put_body(out, Kind::Offer, &exchange::offer(self.info));
                self.state = State::Shapes;
                Ok(None)
            }
            (State::Shapes, Frame::Shapes(body)) => {
                let (report, shapes) = exchange::answer(self.info, self.shapes, body)?;
                put_body(out, Kind::Shapes, &shapes);
                self.state = State::Close(Box::new(report));
                Ok(None)
            }
            (state, frame) => {
                let expected = match state {
                    State::Answer => "WELCOME, DIFFER or CLOSE",
                    State::Shapes => "SHAPES or CLOSE",
                    State::Close(_) | State::Over => "CLOSE",
                };
                Err(HandshakeError::Unexpected { frame: frame.name(), expected })
            }
        }
    }

    /// Tells a native server why it is left, unless it ended the connection itself.
    fn goodbye(&mut self, error: &HandshakeError, out: &mut Vec<u8>) {
        self.state = State::Over;
        if !self.native || matches!(error, HandshakeError::Closed { .. } | HandshakeError::Mismatch(_)) {
            return;
        }
        let (code, reason) = close_for(error);
        put_close(out, Close::new(code, &reason));
    }
}

/// The connection is open: what the server said.
#[derive(Debug)]
#[non_exhaustive]
pub struct Welcomed {
    /// The wire version that both sides speak from here on.
    pub version: u16,
    /// The public name of this connection.
    pub connection_id: ConnectionId,
    /// The secret of this connection; `None` if the server keeps it to itself, because others might read along.
    pub token: Option<SessionToken>,
    /// What the server takes.
    pub limits: Limits,
    /// How long a side may be silent before it pings, in milliseconds; 0 for no pings.
    pub heartbeat_ms: u32,
}

fn check_version(version: u16) -> Result<(), HandshakeError> {
    if (MIN_VERSION..=MAX_VERSION).contains(&version) {
        return Ok(());
    }
    Err(HandshakeError::Version { here: (MIN_VERSION, MAX_VERSION), there: (version, version) })
}

pub(super) fn closed(close: Close<'_>) -> HandshakeError {
    HandshakeError::Closed { code: close.code, retry: close.retry, reason: escape(close.reason, TEXT_LEN) }
}
