//! The sealed packet: a value that packets hold, and a packet itself.

use std::{fmt, marker::PhantomData};

use pnet_protocol::{
    __private::{Coder, Decoder},
    packet::{Codec, DecodeError, EncodeError, OwnedPacket, Packet},
    schema::{Field, Prim, Schema, Ty},
    words::Words,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{jwe::Jwe, text::object_of};

/// A packet `T` that only its recipient can read, whoever passes it on.
///
/// [`seal`](Self::seal) and [`seal_signed`](Self::seal_signed) make one, an [`Opener`](super::Opener) opens it. It may be a field of
/// any packet, and it is a packet itself, whose action is `SEALED_` and the action of `T`. Those who pass it on see how long
/// it is, and for which sealing key.
///
/// On the wire it is a JWE in its flattened JSON form (RFC 7516 §7.2.2): an object of five texts, or in the native dialect a
/// struct of them. With keys of 3072 bits it has four thirds of the bytes of the packet's JSON and 1,000 more; if it is
/// signed, sixteen ninths and 3,150 more. See `docs/sealed.md`.
///
/// # Examples
///
/// ```
/// use pnet::{Packet, Sealed, protocol};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Note {
///     text: String,
/// }
///
/// /// A packet of its own.
/// type SealedNote = Sealed<Note>;
///
/// /// A packet with sealed ones in it.
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Deliver {
///     to: String,
///     letters: Vec<Sealed<Note>>,
/// }
///
/// protocol! {
///     Post {
///         client { Deliver }
///         server { SealedNote }
///     }
/// }
/// assert_eq!(SealedNote::ACTION, "SEALED_NOTE");
/// ```
pub struct Sealed<T> {
    pub(super) jwe: Jwe,
    of: PhantomData<fn() -> T>,
}

impl<T> Sealed<T> {
    pub(super) const fn new(jwe: Jwe) -> Self {
        Self { jwe, of: PhantomData }
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self::new(self.jwe.clone())
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.jwe == other.jwe
    }
}

impl<T> Eq for Sealed<T> {}

/// The packet's type, and how many bytes there are.
impl<T: Packet> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed<{}>({} bytes)", T::TYPE, self.jwe.len())
    }
}

impl<T> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.jwe.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let jwe =
            if deserializer.is_human_readable() { object_of(deserializer) } else { Jwe::deserialize(deserializer) };
        jwe.map(Self::new)
    }
}

impl<T: OwnedPacket> Schema for Sealed<T> {
    /// What those see who pass it on: the shape of `T` is the affair of its two ends.
    const SCHEMA: &'static Ty = &Ty::Named(
        "Sealed",
        &Ty::Struct(&[text("protected"), text("encrypted_key"), text("iv"), text("ciphertext"), text("tag")]),
    );
}

const fn text(name: &'static str) -> Field {
    Field { name, ty: &Ty::Prim(Prim::Str), default: false }
}

impl<T: OwnedPacket> Packet for Sealed<T> {
    const ACTION: &'static str = Action::<T>::NAME;

    const TYPE: &'static str = "Sealed";

    type At<'de> = Self;

    fn encode(&self, codec: Codec, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Coder::<Self>::write(codec, self, out)
    }

    fn decode(codec: Codec, payload: &[u8]) -> Result<Self, DecodeError> {
        Decoder::<Self>::read(Self::ACTION, codec, payload)
    }
}

impl<T: OwnedPacket> OwnedPacket for Sealed<T> {}

/// The action of a sealed `T`, put together by the compiler.
struct Action<T>(PhantomData<T>);

impl<T: Packet> Action<T> {
    const LEN: usize = PREFIX.len() + T::ACTION.len();

    const BYTES: &'static [u8; MAX_LEN] = &{
        // check: sealed-action
        if Self::LEN > MAX_LEN {
            let text = Words::new()
                .add("packet `")
                .add(T::TYPE)
                .add("` cannot be sealed as a packet of its own: `SEALED_")
                .add(T::ACTION)
                .add("` is longer than the 64 bytes an action may have; give it a shorter one, or send it as a field");
            panic!("{}", text.get())
        }
        let mut bytes = [0; MAX_LEN];
        let (prefix, rest) = bytes.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        rest.split_at_mut(T::ACTION.len()).0.copy_from_slice(T::ACTION.as_bytes());
        bytes
    };

    const NAME: &'static str = match str::from_utf8(Self::BYTES.split_at(Self::LEN).0) {
        Ok(name) => name,
        Err(_) => panic!("two texts are a text"),
    };
}

const PREFIX: &str = "SEALED_";
/// Of an action.
const MAX_LEN: usize = 64;
