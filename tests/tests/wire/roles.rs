//! One end of a connection without a socket: handshake, then the open state, and a log of what happened.
//!
//! The log depends on the bytes only and not on how they were split, which is what the tests compare.

use pnet_protocol::close::{Close, CloseCode, Retry, close_for};
use pnet_protocol::connection::{Event, Packet, ReplyTo, Usual};
use pnet_protocol::frame::{decode, needed, put_close, put_failure, put_pong};
use pnet_protocol::handshake::{ClientHandshake, HandshakeError, ServerHandshake, ServerStep, ShapePolicy};
use pnet_protocol::id::{ConnectionId, SessionToken};
use pnet_protocol::limits::{Limits, REPORT_LEN};
use pnet_protocol::native::{Inbound, Outbound};
use pnet_protocol::protocol::{Direction, ProtocolInfo};
use pnet_tests::shown;

/// Credentials that the server turns away.
pub(crate) const WRONG: &[u8] = br#""wrong""#;

/// The server's half.
pub(crate) struct Server {
    info: &'static ProtocolInfo,
    handshake: ServerHandshake,
    shapes: ShapePolicy,
    open: Option<Open>,
    pub(crate) end: End,
}

/// The client's half.
pub(crate) struct Client {
    info: &'static ProtocolInfo,
    handshake: ClientHandshake,
    open: Option<Open>,
    pub(crate) end: End,
}

/// What both halves have.
pub(crate) struct End {
    tail: Vec<u8>,
    /// Everything written.
    pub(crate) out: Vec<u8>,
    /// What happened.
    pub(crate) log: Vec<String>,
    over: bool,
}

/// Takes bytes in pieces.
pub(crate) trait Feed {
    /// Takes the next piece.
    fn feed(&mut self, piece: &[u8]);

    /// What both halves have.
    fn end(&mut self) -> &mut End;
}

struct Open {
    inbound: Inbound,
    outbound: Outbound,
    local: Limits,
}

impl Server {
    pub(crate) fn new(info: &'static ProtocolInfo, shapes: ShapePolicy) -> Self {
        Self { info, handshake: ServerHandshake::new(info, &server_limits()), shapes, open: None, end: End::new() }
    }

    fn step(&mut self) -> Result<bool, HandshakeError> {
        let end = &mut self.end;
        let (used, step) = self.handshake.handle(&end.tail, &mut end.out)?;
        end.tail.drain(..used);
        let ServerStep::Hello(hello) = step else {
            return Ok(false);
        };
        end.log.push(format!("{hello:?}"));
        if hello.credentials.as_bytes() == WRONG {
            let close = Close::new(CloseCode::Unauthorized, "wrong password").with_retry(Retry::Never);
            self.handshake.refuse(close, &mut end.out);
            end.over = true;
        } else if hello.matches {
            let token = SessionToken::from_bytes([0x7E; 16]);
            self.handshake.welcome(ConnectionId::from_bytes([0xC0; 16]), Some(&token), 15_000, &mut end.out);
            self.open = Some(Open::new(server_limits(), &hello.limits, &self.info.client));
        } else {
            self.handshake.differ(self.shapes, &mut end.out);
        }
        Ok(true)
    }
}

impl Feed for Server {
    fn feed(&mut self, piece: &[u8]) {
        self.end.tail.extend_from_slice(piece);
        while self.open.is_none() && !self.end.over {
            match self.step() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => self.end.failed(&error),
            }
        }
        if let Some(open) = &mut self.open {
            self.end.run(open);
        }
    }

    fn end(&mut self) -> &mut End {
        &mut self.end
    }
}

impl Client {
    pub(crate) fn new(info: &'static ProtocolInfo, credentials: &[u8], shapes: ShapePolicy) -> Self {
        let mut end = End::new();
        let handshake = ClientHandshake::new(info, credentials, &client_limits(), shapes, &mut end.out);
        Self { info, handshake, open: None, end }
    }
}

impl Feed for Client {
    fn feed(&mut self, piece: &[u8]) {
        let end = &mut self.end;
        end.tail.extend_from_slice(piece);
        if self.open.is_none() && !end.over {
            match self.handshake.handle(&end.tail, &mut end.out) {
                Ok((used, welcomed)) => {
                    end.tail.drain(..used);
                    if let Some(welcomed) = welcomed {
                        end.log.push(format!("{welcomed:?}"));
                        self.open = Some(Open::new(client_limits(), &welcomed.limits, &self.info.server));
                    }
                }
                Err(error) => end.failed(&error),
            }
        }
        if let Some(open) = &mut self.open {
            end.run(open);
        }
    }

    fn end(&mut self) -> &mut End {
        &mut self.end
    }
}

impl End {
    fn new() -> Self {
        Self { tail: Vec::new(), out: Vec::new(), log: Vec::new(), over: false }
    }

    fn failed(&mut self, error: &HandshakeError) {
        // What a stranger began with is quoted as far as it was there, which depends on the split.
        let text = match error {
            HandshakeError::NotPnet { .. } => "not pnet".to_owned(),
            HandshakeError::Frame(source) => format!("{error}: {source}"),
            _ => error.to_string(),
        };
        assert!(text.len() <= REPORT_LEN as usize, "an error of {} bytes", text.len());
        self.log.push(format!("error: {text}"));
        self.over = true;
    }

    /// Handles all whole frames in the tail, as a driver would.
    fn run(&mut self, open: &mut Open) {
        let mut used = 0;
        while !self.over {
            let rest = &self.tail[used..];
            let (frame, len) = match decode(rest, open.local.max_frame_len) {
                Ok(Some(found)) => found,
                Ok(None) => {
                    assert!(needed(rest) > 0);
                    break;
                }
                Err(error) => {
                    let (code, reason) = close_for(&error);
                    put_close(&mut self.out, Close::new(code, &reason));
                    self.log.push(format!("error: {error}"));
                    self.over = true;
                    break;
                }
            };
            assert_eq!(needed(rest), 0);
            used += len;
            match open.inbound.handle(frame) {
                Ok(event) => {
                    self.log.push(shown::event(&event));
                    self.over |= answer(open, event, &mut self.out);
                }
                Err(violation) => {
                    let (code, reason) = close_for(&violation);
                    put_close(&mut self.out, Close::new(code, &reason));
                    self.log.push(format!("error: {violation}"));
                    self.over = true;
                }
            }
            assert!(open.inbound.open_calls() <= open.local.calls as usize);
        }
        self.tail.drain(..used);
    }
}

impl Open {
    fn new(local: Limits, peer: &Limits, incoming: &'static Direction) -> Self {
        Self { inbound: Inbound::new(&local, incoming), outbound: Outbound::new(peer), local }
    }
}

/// What a simple driver does with an event; `true` at the end.
fn answer(open: &mut Open, event: Event<'_>, out: &mut Vec<u8>) -> bool {
    match event {
        Event::Usual(Usual::Packet(Packet { frame_len, .. })) => open.inbound.packet_finished(frame_len, out),
        Event::Busy { to: ReplyTo::Native(id), .. } => put_failure(out, id, "busy", "too many calls are open"),
        Event::Cancel { id } => {
            put_failure(out, id, "cancelled", "");
            open.inbound.call_finished(id);
        }
        Event::Credit { packets, bytes } => return open.outbound.handle_credit(packets, bytes).is_err(),
        Event::Ping { nonce } => put_pong(out, nonce.unwrap_or_default()),
        Event::Close { .. } => return true,
        _ => {}
    }
    false
}

/// What the recorded client takes.
pub(crate) fn client_limits() -> Limits {
    *Limits::default().calls(2).packets(4).packet_bytes(1024)
}

/// What the recorded server takes.
pub(crate) fn server_limits() -> Limits {
    *Limits::default().calls(3)
}
