//! What is inside: a packet with all that says what it is, for whom, and by whom.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pnet_protocol::{
    key::Fingerprint,
    packet::{Codec, EncodeError, OwnedPacket, Packet},
    protocol::Protocol,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    jws::Jws,
    public::Public,
    text::{decode, decode_array, encode, encoded_len, object},
};
use crate::identity::Identity;

/// The JSON object. If it is signed, `from` and `from_key` are there, and the signature covers all of it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Letter<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    protocol: Cow<'a, str>,
    /// Fingerprint of the recipient's identity.
    #[serde(borrow)]
    to: Cow<'a, str>,
    /// Fingerprint of the recipient's sealing key.
    #[serde(borrow)]
    key: Cow<'a, str>,
    /// Fingerprint of the sender's identity.
    #[serde(borrow, default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, str>>,
    /// The sender's public key.
    #[serde(borrow, default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    from_key: Option<Cow<'a, str>>,
    /// In milliseconds since 1970.
    created: u64,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A member that may be left out, and is something if it is there.
fn some<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    Text::deserialize(deserializer).map(|Text(text)| Some(text))
}

/// What a packet is sealed with beside itself.
#[derive(Clone, Copy)]
pub(super) struct Heading {
    /// The recipient's identity.
    pub(super) to: Fingerprint,
    /// The recipient's sealing key.
    pub(super) key: Fingerprint,
    pub(super) created: SystemTime,
    pub(super) id: [u8; ID_LEN],
}

/// A packet on its way in or out, as JSON.
pub(super) struct Unsealed {
    action: &'static str,
    protocol: &'static str,
    data: Zeroizing<Vec<u8>>,
}

impl Unsealed {
    /// Writes a packet as it would be written in an object of the JSON dialect.
    pub(super) fn new<P: Protocol, T: Packet>(packet: &T) -> Result<Self, EncodeError> {
        // With room from the start: what a buffer leaves behind when it grows is not wiped.
        let mut data = Zeroizing::new(Vec::with_capacity(DATA_ROOM));
        packet.encode(Codec::Json, &mut data)?;
        Ok(Self { action: T::ACTION, protocol: P::INFO.name, data })
    }

    /// The text to seal. `None` if the system gives no random numbers.
    pub(super) fn into_text(self, heading: Heading, signer: Option<&Identity>) -> Option<Zeroizing<Vec<u8>>> {
        let letter = Letter {
            action: self.action.into(),
            protocol: self.protocol.into(),
            to: heading.to.to_string().into(),
            key: heading.key.to_string().into(),
            from: signer.map(|signer| signer.fingerprint().to_string().into()),
            from_key: signer.map(|signer| encode(signer.spki()).into()),
            created: super::millis(heading.created),
            id: encode(&heading.id).into(),
            data: serde_json::from_slice(&self.data).ok()?,
        };
        // A name may need six bytes for each of its own.
        let names = (self.action.len() + self.protocol.len()) * 6;
        let mut text = Zeroizing::new(Vec::with_capacity(self.data.len() + names + LETTER_LEN));
        serde_json::to_writer(&mut *text, &letter).ok()?;
        let Some(signer) = signer else { return Some(text) };
        Some(Jws::sign(signer, TYP, &text)?.into_secret_json())
    }
}

/// What was in a sealed text, and is what it should be.
pub(super) struct Read<T> {
    pub(super) packet: T,
    pub(super) sender: Option<Fingerprint>,
    /// In milliseconds since 1970.
    pub(super) created: u64,
    pub(super) id: [u8; ID_LEN],
}

impl<T: OwnedPacket> Read<T> {
    /// Reads a text that was sealed for the sealing key `key` of `to`. `from` is who must have signed it, if it matters.
    pub(super) fn from_text<P: Protocol>(
        text: &[u8],
        to: Fingerprint,
        key: Fingerprint,
        from: Option<Fingerprint>,
    ) -> Option<Self> {
        match object::<Jws<&str>>(text) {
            None => Self::of_letter::<P>(&object(text)?, to, key, None).filter(|_| from.is_none()),
            Some(jws) => {
                let said = jws.said_signer(TYP)?;
                if from.is_some_and(|from| from != said) {
                    return None;
                }
                let payload = jws.payload()?;
                let letter: Letter<'_> = object(&payload)?;
                let from_key = letter.from_key.as_ref()?;
                if from_key.len() > encoded_len(Public::MAX_LEN) {
                    return None;
                }
                let signer = Public::read(&decode(from_key)?).ok()?;
                if signer.fingerprint() != said || !jws.is_by(&signer) {
                    return None;
                }
                Self::of_letter::<P>(&letter, to, key, Some(said))
            }
        }
    }

    /// `sender` is who has signed it.
    fn of_letter<P: Protocol>(
        letter: &Letter<'_>,
        to: Fingerprint,
        key: Fingerprint,
        sender: Option<Fingerprint>,
    ) -> Option<Self> {
        let is = |text: &str, fingerprint| text.parse() == Ok(fingerprint);
        let is_by_sender = match (sender, &letter.from) {
            (Some(sender), Some(from)) => is(from, sender),
            (None, None) => letter.from_key.is_none(),
            _ => false,
        };
        let is_meant = letter.action == T::ACTION
            && letter.protocol == P::INFO.name
            && is(&letter.to, to)
            && is(&letter.key, key)
            && is_by_sender;
        if !is_meant {
            return None;
        }
        UNIX_EPOCH.checked_add(Duration::from_millis(letter.created))?;
        let id = decode_array(&letter.id)?;
        let packet = T::decode_owned(Codec::Json, letter.data.get().as_bytes()).ok()?;
        Some(Self { packet, sender, created: letter.created, id })
    }
}

pub(super) const ID_LEN: usize = 16;
const TYP: &str = "pnet-letter";
/// All but names and data, with a key of 4096 bits.
const LETTER_LEN: usize = 2048;
/// Most packets are shorter.
const DATA_ROOM: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::{
        super::fixtures::{Note, Post, ada, bob, bobs_key, note},
        *,
    };

    fn text(signer: Option<&Identity>) -> Zeroizing<Vec<u8>> {
        let heading = Heading {
            to: bob().fingerprint(),
            key: bobs_key().fingerprint(),
            created: SystemTime::now(),
            id: [7; ID_LEN],
        };
        let unsealed = Unsealed::new::<Post, Note>(&note("at noon")).expect("it is JSON");
        unsealed.into_text(heading, signer).expect("it can be signed")
    }

    fn read(text: &[u8]) -> Option<Read<Note>> {
        Read::from_text::<Post>(text, bob().fingerprint(), bobs_key().fingerprint(), None)
    }

    #[test]
    fn every_changed_byte_of_what_is_signed_is_refused() {
        let signed = text(Some(&ada()));
        assert_eq!(read(&signed).expect("it is whole").sender, Some(ada().fingerprint()));
        let (to, key) = (bob().fingerprint(), bobs_key().fingerprint());
        for n in 0..signed.len() {
            let mut changed = signed.to_vec();
            changed[n] ^= 1 << (n % 7);
            assert!(Read::<Note>::from_text::<Post>(&changed, to, key, None).is_none(), "byte {n}");
            assert!(Read::<Note>::from_text::<Post>(&signed[..n], to, key, None).is_none(), "{n} bytes");
        }
    }

    #[test]
    fn whatever_is_inside_nothing_panics() {
        let texts = [text(None), text(Some(&ada()))];
        let (to, key) = (bob().fingerprint(), bobs_key().fingerprint());
        let (mut number, mut taken) = (1_u64, 0);
        let mut next = |below: usize| {
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (number >> 33) as usize % below
        };
        for round in 0..20_000 {
            let mut text = texts[round % 2].to_vec();
            for _ in 0..=next(3) {
                let at = next(text.len());
                match next(4) {
                    0 => text[at] = br#"{}[]",:\x0"#[next(10)],
                    1 => drop(text.remove(at)),
                    2 => text.insert(at, br#"{}[]",:\x0"#[next(10)]),
                    _ => text.truncate(text.len() - next(8)),
                }
            }
            taken += usize::from(Read::<Note>::from_text::<Post>(&text, to, key, None).is_some());
        }
        // Some change only the time or the text of what is not signed.
        assert!((1..2_000).contains(&taken), "{taken}");
    }
}
