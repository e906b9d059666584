//! The name of a public key: its fingerprint, as people compare it and programs pin it.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use std::{borrow::Cow, convert::Infallible, fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    schema::{Prim, Schema, Ty},
    text::escape,
};

/// The SHA-256 of a public key, in the form `SHA256:…` that SSH uses.
///
/// What is hashed is the key's `SubjectPublicKeyInfo` in DER (RFC 5280 §4.1), so the same key has the same fingerprint as a
/// raw key and in a certificate. **`ssh-keygen -l` prints another value** for the same key, since it hashes SSH's own form
/// of it. This prints the one that is meant here:
///
/// ```text
/// echo "SHA256:$(openssl pkey -in server.key -pubout -outform DER | openssl dgst -sha256 -binary | base64 | tr -d =)"
/// ```
///
/// A fingerprint is public: show it, send it, write it down. serde and [`Schema`] have it as its text.
///
/// # Examples
///
/// ```
/// use pnet_protocol::key::Fingerprint;
///
/// let text = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU";
/// let fingerprint: Fingerprint = text.parse().expect("it is one");
/// assert_eq!(fingerprint.to_string(), text);
/// assert!("47DEQpj8HBSa".parse::<Fingerprint>().is_err());
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Fingerprint([u8; LEN]);

impl Fingerprint {
    /// The fingerprint with these bytes, which are the SHA-256 of the key's `SubjectPublicKeyInfo`.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LEN] {
        &self.0
    }
}

/// `SHA256:` and the hash in base64 without padding.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

/// As [`Display`](fmt::Display).
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let error = || FingerprintError::of(text);
        let hash = text.strip_prefix(PREFIX).ok_or_else(error)?;
        let bytes = STANDARD_NO_PAD.decode(hash).map_err(|_| error())?;
        bytes.try_into().map(Self).map_err(|_| error())
    }
}

impl TryFrom<&str> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: &str) -> Result<Self, FingerprintError> {
        text.parse()
    }
}

impl TryFrom<&String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: &String) -> Result<Self, FingerprintError> {
        text.parse()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> Result<Self, FingerprintError> {
        text.parse()
    }
}

impl From<&Self> for Fingerprint {
    fn from(fingerprint: &Self) -> Self {
        *fingerprint
    }
}

/// As its text, in both codecs.
impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(input)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Schema for Fingerprint {
    const SCHEMA: &'static Ty = &Ty::Prim(Prim::Str);
}

/// A text that is no fingerprint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text} is no fingerprint: it has the form `SHA256:` and {CHARS} characters of base64")]
pub struct FingerprintError {
    /// What was there instead: escaped, or what is known of it if it is far too long, as a key would be.
    text: String,
}

impl FingerprintError {
    fn of(text: &str) -> Self {
        let len = text.len();
        let shown = len <= SHOWN_LEN && !text.contains('\n');
        Self { text: if shown { format!("`{}`", escape(text, SHOWN_LEN)) } else { format!("a text of {len} bytes") } }
    }
}

/// A fingerprint needs no reading.
impl From<Infallible> for FingerprintError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

const PREFIX: &str = "SHA256:";
const LEN: usize = 32;
/// Of the hash in base64.
const CHARS: usize = 43;
/// More than a fingerprint has, and less than a line of a key in PEM.
const SHOWN_LEN: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_one() {
        for bytes in [[0; 32], [0xff; 32], std::array::from_fn(|n| u8::try_from(n * 7).unwrap())] {
            let fingerprint = Fingerprint::from_bytes(bytes);
            let text = fingerprint.to_string();
            assert_eq!(text.len(), PREFIX.len() + CHARS);
            assert_eq!(text.parse(), Ok(fingerprint));
            assert_eq!(format!("{fingerprint:?}"), text);
        }
    }

    #[test]
    fn what_may_be_a_key_is_not_shown() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\n";
        for key in [pem, &pem[28..50], &"MIIEvQ".repeat(11)] {
            let error = key.parse::<Fingerprint>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("MIIEvQ"), "{error:?}");
        }
        let error = "SHA256:MIIEvQ".parse::<Fingerprint>().unwrap_err().to_string();
        assert!(error.starts_with("`SHA256:MIIEvQ` is no fingerprint"), "{error}");
    }

    #[test]
    fn whatever_is_not_printed_like_this_is_no_fingerprint() {
        let good = Fingerprint::from_bytes([7; 32]).to_string();
        let hash = &good[PREFIX.len()..];
        for bad in [
            String::new(),
            hash.to_owned(),
            good.to_lowercase(),
            format!("{good}="),
            format!(" {good}"),
            format!("{good} "),
            good[..good.len() - 1].to_owned(),
            format!("{good}A"),
            format!("MD5:{hash}"),
            // The last character has two bits that must not be set.
            format!("{}d", &good[..good.len() - 1]),
            format!("SHA256:{}", "é".repeat(22)),
        ] {
            let error = bad.parse::<Fingerprint>().expect_err(&bad);
            assert!(error.to_string().starts_with('`'), "{error}");
        }
    }
}
