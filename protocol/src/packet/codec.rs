//! What the derived `encode` and `decode` call. Thin, since it is compiled again for every packet.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize, de};

use super::{Codec, DecodeError, EncodeError, Packet, PayloadError, finite, postcard};
use crate::{schema::has_floats, utf8};

/// Encodes and decodes `T` if serde can. The fallback of [`SerdeMissing`] steps in where it cannot, so that a type
/// without serde's derives is one error (that of [`Serde`](super::Serde)) and not one per method.
#[derive(Debug)]
pub struct Coder<T>(PhantomData<T>);

impl<T: Packet + Serialize> Coder<T> {
    /// Appends `value` to `out`.
    ///
    /// # Errors
    ///
    /// See [`Packet::encode`].
    #[inline]
    pub fn write(codec: Codec, value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let mut written = match codec {
            Codec::Postcard => wrote(postcard::write(value, out)),
            Codec::Json => {
                // Of a packet without floats no walk is compiled.
                if const { has_floats(T::SCHEMA) } && !finite::check(value) {
                    return Err(EncodeError::NotFinite { action: T::ACTION });
                }
                wrote(serde_json::to_writer(&mut *out, value))
            }
        };
        if cfg!(debug_assertions) && written.is_ok() {
            // What is made of a payload is dropped at once.
            if let Err(error) = T::decode(codec, written_since(start, out)) {
                written = Err(Unwritten::DoesNotDecode(error));
            }
        }
        finish(T::ACTION, written, start, out)
    }
}

enum Unwritten {
    Refused(PayloadError),
    DoesNotDecode(DecodeError),
}

fn wrote(written: serde_json::Result<()>) -> Result<(), Unwritten> {
    written.map_err(|error| Unwritten::Refused(error.into()))
}

fn written_since(start: usize, out: &[u8]) -> &[u8] {
    out.get(start..).unwrap_or_default()
}

#[inline]
fn finish(
    action: &'static str,
    written: Result<(), Unwritten>,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let unwritten = match written {
        Ok(()) => return Ok(()),
        Err(unwritten) => unwritten,
    };
    out.truncate(start);
    Err(match unwritten {
        Unwritten::Refused(source) => EncodeError::Refused { action, source },
        Unwritten::DoesNotDecode(error) => EncodeError::DoesNotDecode { action, source: Box::new(error) },
    })
}

/// As [`Coder`], for reading: apart, since it needs the other of serde's traits.
#[derive(Debug)]
pub struct Decoder<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Decoder<T> {
    /// Reads a value that fills `payload`.
    ///
    /// # Errors
    ///
    /// See [`Packet::decode`].
    #[inline]
    pub fn read(action: &'static str, codec: Codec, payload: &'de [u8]) -> Result<T, DecodeError> {
        match codec {
            Codec::Postcard => {
                let mut input = postcard::Reader::new(payload);
                match T::deserialize(&mut input) {
                    Ok(value) if input.rest().is_empty() => Ok(value),
                    Ok(_) => Err(goes_on(action, input.rest())),
                    Err(error) => Err(malformed(action, error)),
                }
            }
            Codec::Json => match serde_json::from_str(json_text(action, payload)?) {
                Ok(value) => Ok(value),
                Err(error) => Err(malformed(action, error)),
            },
        }
    }
}

#[cold]
const fn goes_on(action: &'static str, rest: &[u8]) -> DecodeError {
    DecodeError::TrailingBytes { action, extra: rest.len() }
}

/// Text as a whole is found to be UTF-8 sooner than string by string, and a packet is compiled for one kind of input only.
fn json_text<'de>(action: &'static str, payload: &'de [u8]) -> Result<&'de str, DecodeError> {
    utf8::text(payload).map_err(|error| malformed(action, de::Error::custom(error)))
}

#[cold]
fn malformed(action: &'static str, error: serde_json::Error) -> DecodeError {
    DecodeError::Malformed { action, source: error.into() }
}

/// The fallback of [`Coder`] and [`Decoder`]: never runs, because a packet without serde does not compile.
pub trait SerdeMissing<T> {
    /// See [`Coder::write`].
    ///
    /// # Errors
    ///
    /// Never returns.
    fn write(_: Codec, _: &T, _: &mut Vec<u8>) -> Result<(), EncodeError> {
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
