//! Bytes in packets: a run of bytes in postcard, base64 in JSON.
//!
//! serde writes `Vec<u8>` as a list of numbers, which is slow in postcard and four characters a byte in JSON.
//! [`Bytes`] borrows from the buffer the packet was read from where it can, [`ByteBuf`] always owns.

use std::{
    borrow::{Borrow, Cow},
    fmt::{self, Debug, Formatter},
    ops::Deref,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::schema::{Prim, Schema, Ty};

/// Bytes that may be borrowed from the received frame. For fields of packets with a lifetime, which say
/// `#[serde(borrow)]` there; packets without one use [`ByteBuf`].
///
/// # Examples
///
/// ```
/// use pnet_protocol::bytes::Bytes;
///
/// let bytes = Bytes::from(&b"pnet"[..]);
/// assert_eq!(&*bytes, b"pnet");
/// assert_eq!(serde_json::to_string(&bytes)?, r#""cG5ldA==""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Bytes<'a>(Cow<'a, [u8]>);

impl<'a> Bytes<'a> {
    /// The bytes as an owned vector, copied only if they were borrowed.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0.into_owned()
    }

    /// The bytes, borrowed or owned.
    #[must_use]
    pub fn into_cow(self) -> Cow<'a, [u8]> {
        self.0
    }
}

/// Bytes that are owned. For fields of packets without a lifetime, so of every reply.
///
/// # Examples
///
/// ```
/// use pnet_protocol::bytes::ByteBuf;
///
/// let bytes = ByteBuf::from(vec![0xff, 0]);
/// assert_eq!(serde_json::to_string(&bytes)?, r#""/wA=""#);
/// assert_eq!(serde_json::from_str::<ByteBuf>(r#""/wA=""#)?, bytes);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ByteBuf(Vec<u8>);

impl ByteBuf {
    /// The vector inside.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

macro_rules! common {
    ($($name:ident $(<$lt:lifetime>)?;)*) => {
        $(
            impl Schema for $name $(<$lt>)? {
                const SCHEMA: &'static Ty = &Ty::Prim(Prim::Bytes);
            }

            impl Deref for $name $(<$lt>)? {
                type Target = [u8];

                fn deref(&self) -> &[u8] {
                    &self.0
                }
            }

            impl AsRef<[u8]> for $name $(<$lt>)? {
                fn as_ref(&self) -> &[u8] {
                    &self.0
                }
            }

            impl Borrow<[u8]> for $name $(<$lt>)? {
                fn borrow(&self) -> &[u8] {
                    &self.0
                }
            }

            impl Debug for $name $(<$lt>)? {
                fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
                    write!(f, "b\"{}\"", self.escape_ascii())
                }
            }

            impl Serialize for $name $(<$lt>)? {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    if serializer.is_human_readable() {
                        serializer.collect_str(&base64::display::Base64Display::new(self, &STANDARD))
                    } else {
                        serializer.serialize_bytes(self)
                    }
                }
            }
        )*
    };
}

common! {
    Bytes<'_>;
    ByteBuf;
}

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl<'a> From<Cow<'a, [u8]>> for Bytes<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for ByteBuf {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for ByteBuf {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Bytes<'_>> for ByteBuf {
    fn from(bytes: Bytes<'_>) -> Self {
        Self(bytes.into_vec())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer).map(Bytes)
    }
}

impl<'de> Deserialize<'de> for ByteBuf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer).map(|bytes| Self(bytes.into_owned()))
    }
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'de, [u8]>, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_str(Base64)
    } else {
        deserializer.deserialize_bytes(Plain)
    }
}

struct Base64;

impl Visitor<'_> for Base64 {
    type Value = Cow<'static, [u8]>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("bytes as base64 text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        STANDARD.decode(text).map(Cow::Owned).map_err(E::custom)
    }
}

struct Plain;

impl<'de> Visitor<'de> for Plain {
    type Value = Cow<'de, [u8]>;

    fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_borrowed_bytes<E: Error>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(bytes))
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        Ok(Cow::Owned(bytes))
    }
}
