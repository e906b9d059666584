//! Who a connection is: a public id for logs and lookups, and a secret token that nobody is shown.
//!
//! They are two values of two types, so that one can never be printed where the other is meant.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use std::fmt;

use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The public name of one connection: a random uuid (version 4), chosen by the server, the same on both sides. Where a
/// JSON server names no connections, the client chooses one for itself.
///
/// It proves nothing: show it, log it, look connections up by it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ConnectionId(Uuid);

impl ConnectionId {
    /// A new random id.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The id with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id that [`Display`](fmt::Display) shows; `None` if `text` is anything else.
    pub fn from_text(text: &str) -> Option<Self> {
        uuid_of(text).map(Self)
    }

    /// The bytes as they go over the wire.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

/// Lower-case hexadecimal with hyphens, as uuids are usually written.
impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The secret of one connection: a random uuid (version 4) that only its two ends know.
///
/// There is no `Display`, no serialization, no comparison but [`ct_eq`](Self::ct_eq), no copy; `Debug` says
/// `SessionToken(redacted)`, and the bytes are zeroed on drop.
///
/// ```
/// let token = pnet_protocol::id::SessionToken::random();
/// assert_eq!(format!("{token:?}"), "SessionToken(redacted)");
/// ```
pub struct SessionToken(Zeroizing<[u8; 16]>);

impl SessionToken {
    /// A new random token.
    pub fn random() -> Self {
        Self(Zeroizing::new(Uuid::new_v4().into_bytes()))
    }

    /// The token with these bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The token that the JSON dialect writes as this text: lower-case hexadecimal with hyphens. `None` if it is anything
    /// else.
    pub fn from_text(text: &str) -> Option<Self> {
        uuid_of(text).map(|uuid| Self::from_bytes(uuid.into_bytes()))
    }

    /// Compares without telling by its duration how much was right.
    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }

    /// The secret as the JSON dialect writes it; it must not be shown, and is zeroed on drop.
    pub fn expose_text(&self) -> Zeroizing<[u8; 36]> {
        let mut text = Zeroizing::new([0; 36]);
        Uuid::from_bytes(*self.0).hyphenated().encode_lower(&mut *text);
        text
    }

    /// The secret itself, for the WELCOME frame; it must not be shown.
    pub fn expose_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(redacted)")
    }
}

/// A uuid in the one form that is written, which has one text for each.
fn uuid_of(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        let id = ConnectionId::random();
        assert_eq!(ConnectionId::from_text(&id.to_string()), Some(id));
        let token = SessionToken::random();
        let text = token.expose_text();
        let text = str::from_utf8(&*text).unwrap();
        assert!(SessionToken::from_text(text).is_some_and(|read| read.ct_eq(&token)));
        for wrong in [
            "",
            "x",
            &text[1..],
            &text.replace('-', ""),
            &format!("{{{text}}}"),
            &text.to_uppercase().replace('1', "A"),
        ] {
            assert!(SessionToken::from_text(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn ids_are_random_uuids_of_version_4() {
        let id = ConnectionId::random();
        assert_eq!(id.0.get_version_num(), 4);
        assert_ne!(id, ConnectionId::random());
        assert_eq!(ConnectionId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn ids_are_shown_as_uuids() {
        assert_eq!(ConnectionId::from_bytes([0xAB; 16]).to_string(), "abababab-abab-abab-abab-abababababab");
    }

    #[test]
    fn tokens_differ_in_any_bit() {
        let token = SessionToken::from_bytes([7; 16]);
        assert!(token.ct_eq(&SessionToken::from_bytes([7; 16])));
        for byte in 0..16 {
            let mut bytes = [7; 16];
            bytes[byte] ^= 0x40;
            assert!(!token.ct_eq(&SessionToken::from_bytes(bytes)));
        }
    }
}
