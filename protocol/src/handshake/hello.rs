//! The bodies of HELLO, WELCOME and DIFFER.

use crate::id::{ConnectionId, SessionToken};
use crate::limits::{CREDENTIALS_LEN, HANDSHAKE_FRAME_LEN, Limits, PROTOCOL_NAME_LEN};
use crate::secret::show;

use super::HandshakeError;
use super::tlv::{self, Fields};

/// HELLO: who the client is and what it speaks (`docs/wire.md` §5.2).
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Hello<'a> {
    pub(super) versions: (u16, u16),
    pub(super) protocol: &'a str,
    pub(super) fingerprint: u64,
    pub(super) credentials: &'a [u8],
    pub(super) limits: Limits,
    pub(super) heartbeat_ms: u32,
}

impl<'a> Hello<'a> {
    pub(super) fn to_body(&self) -> Vec<u8> {
        // With room from the start: what a buffer leaves behind when it grows is not wiped.
        let mut body = Vec::with_capacity(HANDSHAKE_FRAME_LEN as usize);
        let (min, max) = self.versions;
        tlv::put(&mut body, tlv::VERSIONS, &[min.to_le_bytes(), max.to_le_bytes()].concat());
        tlv::put(&mut body, tlv::PROTOCOL, self.protocol.as_bytes());
        tlv::put(&mut body, tlv::FINGERPRINT, &self.fingerprint.to_le_bytes());
        if !self.credentials.is_empty() {
            tlv::put(&mut body, tlv::CREDENTIALS, self.credentials);
        }
        tlv::put(&mut body, tlv::LIMITS, &self.limits.to_bytes());
        if self.heartbeat_ms != 0 {
            tlv::put(&mut body, tlv::HEARTBEAT, &self.heartbeat_ms.to_le_bytes());
        }
        body
    }

    pub(super) fn from_body(body: &'a [u8]) -> Result<Self, HandshakeError> {
        let fields = Fields::new("HELLO", body);
        Ok(Self {
            versions: fields.required(tlv::VERSIONS, range)?,
            protocol: fields.required(tlv::PROTOCOL, |value| tlv::text(value, PROTOCOL_NAME_LEN))?,
            fingerprint: fields.required(tlv::FINGERPRINT, |value| tlv::array(value).map(u64::from_le_bytes))?,
            credentials: fields
                .once(tlv::CREDENTIALS, |value| (value.len() <= CREDENTIALS_LEN).then_some(value))?
                .unwrap_or_default(),
            limits: fields.required(tlv::LIMITS, Limits::from_bytes)?,
            heartbeat_ms: fields.once(tlv::HEARTBEAT, tlv::u32)?.unwrap_or_default(),
        })
    }
}

/// Without the credentials.
impl std::fmt::Debug for Hello<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { versions, protocol, fingerprint, credentials, limits, heartbeat_ms } = self;
        show!(f, "Hello", versions, protocol, fingerprint, credentials: hidden, limits, heartbeat_ms)
    }
}

/// WELCOME: the connection is open (`docs/wire.md` §5.3).
#[derive(Debug)]
pub(super) struct Welcome {
    pub(super) version: u16,
    pub(super) connection_id: ConnectionId,
    /// Left out where it would travel in plain text beyond loopback.
    pub(super) token: Option<SessionToken>,
    pub(super) limits: Limits,
    pub(super) heartbeat_ms: u32,
}

impl Welcome {
    /// Without `self`, so that the token need not be copied.
    pub(super) fn put(
        body: &mut Vec<u8>,
        version: u16,
        id: &ConnectionId,
        token: Option<&SessionToken>,
        limits: &Limits,
        heartbeat_ms: u32,
    ) {
        tlv::put(body, tlv::VERSION, &version.to_le_bytes());
        tlv::put(body, tlv::CONNECTION, id.as_bytes());
        if let Some(token) = token {
            tlv::put(body, tlv::TOKEN, token.expose_bytes());
        }
        tlv::put(body, tlv::LIMITS, &limits.to_bytes());
        tlv::put(body, tlv::HEARTBEAT, &heartbeat_ms.to_le_bytes());
    }

    pub(super) fn from_body(body: &[u8]) -> Result<Self, HandshakeError> {
        let fields = Fields::new("WELCOME", body);
        Ok(Self {
            version: fields.required(tlv::VERSION, |value| tlv::array(value).map(u16::from_le_bytes))?,
            connection_id: fields.required(tlv::CONNECTION, |value| tlv::array(value).map(ConnectionId::from_bytes))?,
            token: fields.once(tlv::TOKEN, |value| tlv::array(value).map(SessionToken::from_bytes))?,
            limits: fields.required(tlv::LIMITS, Limits::from_bytes)?,
            heartbeat_ms: fields.required(tlv::HEARTBEAT, tlv::u32)?,
        })
    }
}

/// DIFFER: the fingerprints are not the same (`docs/wire.md` §6.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Differ {
    pub(super) version: u16,
    pub(super) fingerprint: u64,
}

impl Differ {
    pub(super) fn to_body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        tlv::put(&mut body, tlv::VERSION, &self.version.to_le_bytes());
        tlv::put(&mut body, tlv::FINGERPRINT, &self.fingerprint.to_le_bytes());
        body
    }

    pub(super) fn from_body(body: &[u8]) -> Result<Self, HandshakeError> {
        let fields = Fields::new("DIFFER", body);
        Ok(Self {
            version: fields.required(tlv::VERSION, |value| tlv::array(value).map(u16::from_le_bytes))?,
            fingerprint: fields.required(tlv::FINGERPRINT, |value| tlv::array(value).map(u64::from_le_bytes))?,
        })
    }
}

fn range(value: &[u8]) -> Option<(u16, u16)> {
    let [a, b, c, d] = tlv::array(value)?;
    let range = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    (1 <= range.0 && range.0 <= range.1).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello<'static> {
        Hello {
            versions: (1, 3),
            protocol: "Chat",
            fingerprint: 0x0102_0304_0506_0708,
            credentials: b"secret",
            limits: Limits::default(),
            heartbeat_ms: 15_000,
        }
    }

    #[test]
    fn a_hello_comes_back() {
        assert_eq!(Hello::from_body(&hello().to_body()), Ok(hello()));
        let bare = Hello { credentials: b"", heartbeat_ms: 0, ..hello() };
        assert_eq!(Hello::from_body(&bare.to_body()), Ok(bare));
    }

    #[test]
    fn unknown_tags_are_skipped() {
        let mut body = Vec::new();
        tlv::put(&mut body, 200, b"from a later version");
        body.extend(hello().to_body());
        tlv::put(&mut body, 201, b"");
        assert_eq!(Hello::from_body(&body), Ok(hello()));
    }

    fn check_malformed(body: &[u8], expected: &str) {
        assert_eq!(Hello::from_body(body).map_err(|error| error.to_string()), Err(expected.to_owned()));
    }

    #[test]
    fn rejects_bodies_that_cannot_be_read() {
        check_malformed(b"", "malformed HELLO frame: a required field is missing");
        check_malformed(&[1, 0], "malformed HELLO frame: a field is cut off");
        check_malformed(&[1, 4, 0, 1], "malformed HELLO frame: a field is cut off");
        check_malformed(&[1, 1, 0, 1], "malformed HELLO frame: a field has a wrong length or value");
        check_malformed(&[1, 4, 0, 2, 0, 1, 0], "malformed HELLO frame: a field has a wrong length or value");
        let twice = [hello().to_body(), hello().to_body()].concat();
        check_malformed(&twice, "malformed HELLO frame: a field occurs twice");
        let credentials = [0; CREDENTIALS_LEN + 1];
        let long = Hello { credentials: &credentials, ..hello() };
        check_malformed(&long.to_body(), "malformed HELLO frame: a field has a wrong length or value");
    }

    #[test]
    fn a_welcome_comes_back() {
        let (id, token) = (ConnectionId::from_bytes([3; 16]), SessionToken::from_bytes([4; 16]));
        for token in [Some(token), None] {
            let mut body = Vec::new();
            Welcome::put(&mut body, 1, &id, token.as_ref(), &Limits::default(), 15_000);
            let welcome = Welcome::from_body(&body).unwrap();
            assert_eq!((welcome.version, welcome.connection_id, welcome.heartbeat_ms), (1, id, 15_000));
            assert_eq!(welcome.token.is_some(), token.is_some());
            assert!(welcome.token.zip(token).is_none_or(|(read, token)| read.ct_eq(&token)));
        }
    }

    #[test]
    fn a_differ_comes_back() {
        let differ = Differ { version: 1, fingerprint: 77 };
        assert_eq!(Differ::from_body(&differ.to_body()), Ok(differ));
    }
}
