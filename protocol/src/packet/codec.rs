//! What the derived `encode` and `decode` call. Thin, since it is compiled again for every packet.

use std::marker::PhantomData;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize};

use super::{Codec, DecodeError, EncodeError, PayloadError, finite};

/// Encodes and decodes `T` if serde can. The fallback of [`SerdeMissing`] steps in where it cannot, so that a type
/// without serde's derives is one error (that of [`Serde`](super::Serde)) and not one per method.
#[derive(Debug)]
pub struct Coder<T>(PhantomData<T>);

impl<T: Serialize> Coder<T> {
    /// Appends `value` to `out`; `floats` says whether it may hold numbers that are not finite.
    ///
    /// # Errors
    ///
    /// See [`Packet::encode`](super::Packet::encode).
    pub fn write(
        action: &'static str,
        codec: Codec,
        floats: bool,
        value: &T,
        out: &mut Vec<u8>,
        decode: impl FnOnce(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let written = match codec {
            Codec::Postcard => postcard::serialize_with_flavor(value, Append(out)).map_err(PayloadError::from),
            Codec::Json => {
                if floats && finite::check(value).is_err() {
                    return Err(EncodeError::NotFinite { action });
                }
                serde_json::to_writer(&mut *out, value).map_err(PayloadError::from)
            }
        };
        let checked = written.map_err(|source| EncodeError::Refused { action, source }).and_then(|()| {
            if !cfg!(debug_assertions) {
                return Ok(());
            }
            let payload = out.get(start..).unwrap_or_default();
            decode(payload).map_err(|source| EncodeError::DoesNotDecode { action, source: Box::new(source) })
        });
        if checked.is_err() {
            out.truncate(start);
        }
        checked
    }
}

/// As [`Coder`], for reading: apart, since it needs the other of serde's traits.
#[derive(Debug)]
pub struct Decoder<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Decoder<T> {
    /// Reads a value that fills `payload`.
    ///
    /// # Errors
    ///
    /// See [`Packet::decode`](super::Packet::decode).
    pub fn read(action: &'static str, codec: Codec, payload: &'de [u8]) -> Result<T, DecodeError> {
        match codec {
            Codec::Postcard => {
                let (value, rest) = postcard::take_from_bytes(payload)
                    .map_err(|error| DecodeError::Malformed { action, source: error.into() })?;
                if rest.is_empty() { Ok(value) } else { Err(DecodeError::TrailingBytes { action, extra: rest.len() }) }
            }
            Codec::Json => {
                // Text as a whole is found to be UTF-8 sooner than string by string.
                let read = match str::from_utf8(payload) {
                    Ok(text) => serde_json::from_str(text),
                    Err(_) => serde_json::from_slice(payload),
                };
                read.map_err(|error| DecodeError::Malformed { action, source: error.into() })
            }
        }
    }
}

/// The fallback of [`Coder`] and [`Decoder`]: never runs, because a packet without serde does not compile.
pub trait SerdeMissing<T> {
    /// See [`Coder::write`].
    ///
    /// # Errors
    ///
    /// Never returns.
    fn write(
        _: &'static str,
        _: Codec,
        _: bool,
        _: &T,
        _: &mut Vec<u8>,
        _: impl FnOnce(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), EncodeError> {
        unreachable!("a packet without serde does not compile")
    }

    /// See [`Decoder::read`].
    ///
    /// # Errors
    ///
    /// Never returns.
    fn read(_: &'static str, _: Codec, _: &[u8]) -> Result<T, DecodeError> {
        unreachable!("a packet without serde does not compile")
    }
}

impl<T> SerdeMissing<T> for Coder<T> {}
impl<T> SerdeMissing<T> for Decoder<T> {}

/// Postcard output that goes to the end of a buffer of the caller's.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
