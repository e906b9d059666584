//! Values that are secret: [`Secret`] (a text) and [`SecretBytes`]. They print as redacted and are zeroed on drop.
//!
//! [`Hidden`] stands in `Debug` for bytes that are somebody's business: it shows how many there are.

#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::cast_possible_truncation)
)]

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::schema::{Prim, Schema, Ty};

/// A text that is secret: a password, a key of an API, a token. It may be a field of credentials and of packets.
///
/// serde reads and writes it as a plain text, and [`Schema`] describes it as `str`: on the wire it is what it holds, and the
/// connection has to hide it. Here, `Debug` says `Secret(redacted)`, there is no `Display` and no `==`, and the text is
/// zeroed on drop. No error of reading one quotes what stood there.
///
/// Not zeroed are copies that others make: the buffer that a packet was read from or written to, and what
/// [`expose`](Self::expose) was copied to.
///
/// # Examples
///
/// ```
/// use pnet_protocol::secret::Secret;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Deserialize, Serialize)]
/// struct Login {
///     user: String,
///     password: Secret,
/// }
///
/// let login: Login = serde_json::from_str(r#"{"user": "ada", "password": "engine"}"#)?;
/// assert_eq!(format!("{login:?}"), r#"Login { user: "ada", password: Secret(redacted) }"#);
/// assert!(login.password.ct_eq("engine"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself; it must not be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares without telling by its duration how much was right. Only whether the lengths are equal may be told.
    #[must_use]
    pub fn ct_eq(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Schema for Secret {
    const SCHEMA: &'static Ty = &Ty::Prim(Prim::Str);
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A format that is asked for a text quotes what stands in its place. Where the format knows by itself what comes, the
        // visitor gets to see it, and says less.
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Text)
        } else {
            deserializer.deserialize_string(Text)
        }
    }
}

struct Text;

/// Serde's own words for what is no text would quote it.
macro_rules! no_text {
    ($($visit:ident: $ty:ty,)*) => {
        $(fn $visit<E: Error>(self, _: $ty) -> Result<Secret, E> {
            Err(E::custom("a secret is a text"))
        })*
    };
}

impl Visitor<'_> for Text {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        Ok(text.into())
    }

    no_text! {
        visit_bool: bool,
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f64: f64,
        visit_bytes: &[u8],
    }
}

/// Bytes that are secret, such as credentials on their way.
///
/// `Debug` says `SecretBytes(redacted)`, and the bytes are zeroed on drop. `==` is [`ct_eq`](Self::ct_eq).
///
/// # Examples
///
/// ```
/// use pnet_protocol::secret::SecretBytes;
///
/// let bytes = SecretBytes::from(b"engine".to_vec());
/// assert_eq!(format!("{bytes:?}"), "SecretBytes(redacted)");
/// assert!(bytes.ct_eq(b"engine") && !bytes.ct_eq(b"enginE"));
/// ```
#[derive(Clone, Default)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// The bytes themselves; they must not be shown.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares without telling by its duration how much was right. Only whether the lengths are equal may be told.
    #[must_use]
    pub fn ct_eq(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<&Secret> for SecretBytes {
    fn from(secret: &Secret) -> Self {
        secret.expose().as_bytes().into()
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(&other.0)
    }
}

impl Eq for SecretBytes {}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

/// Stands in `Debug` for bytes that are not shown: `12 bytes`.
///
/// ```
/// assert_eq!(format!("{:?}", pnet_protocol::secret::Hidden(5)), "5 bytes");
/// ```
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it is a number and nothing else")]
pub struct Hidden(pub usize);

impl Hidden {
    /// For these.
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Self {
        Self(bytes.len())
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::packet::postcard::{Reader, write};

    #[test]
    fn secrets_are_plain_texts_on_the_wire() {
        let secret = Secret::from("with \"quotes\"");
        assert_eq!(serde_json::to_string(&secret).unwrap(), r#""with \"quotes\"""#);
        assert!(serde_json::from_str::<Secret>(r#""with \"quotes\"""#).unwrap().ct_eq(secret.expose()));
        let mut bytes = Vec::new();
        write(&secret, &mut bytes).unwrap();
        assert!(Secret::deserialize(&mut Reader::new(&bytes)).unwrap().ct_eq(secret.expose()));
        assert_eq!(crate::schema::hash(Secret::SCHEMA), crate::schema::hash(String::SCHEMA));
    }

    #[test]
    fn secrets_differ_in_any_byte_and_in_length() {
        let secret = Secret::from("secret");
        assert!(secret.ct_eq("secret"));
        for other in ["", "s", "secres", "Secret", "secret\0"] {
            assert!(!secret.ct_eq(other) && SecretBytes::from(&secret) != SecretBytes::from(other.as_bytes()));
        }
    }

    #[test]
    fn debug_shows_nothing_and_neither_do_errors() {
        let secret = Some(Secret::from("hunter2"));
        let shown = format!("{secret:?} {secret:#?} {:?}", SecretBytes::from(b"hunter2".as_slice()));
        assert!(shown.contains("redacted") && !shown.contains("hunter2"), "{shown}");
        for wrong in ["1234567", "-1234567", "1234.567", "true", "[1234567]", r#"{"1234567":1}"#, "null"] {
            let error = serde_json::from_str::<Secret>(wrong).unwrap_err().to_string();
            assert!(!error.contains("34") && !error.contains("true"), "{error}");
            let map = format!(r#"{{"a":{wrong}}}"#);
            let error = serde_json::from_str::<BTreeMap<String, Secret>>(&map).unwrap_err().to_string();
            assert!(!error.contains("34") && !error.contains("true"), "{error}");
        }
    }
}
