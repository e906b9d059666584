//! Keys and packets for tests, made once for all of them.

use std::sync::OnceLock;

use pnet::{Packet, protocol};
use serde::{Deserialize, Serialize};

use super::{Announcement, Sealed, SealingKey, VerifiedSealingKey};
use crate::identity::{Identity, make};

#[derive(Clone, Debug, Deserialize, PartialEq, Packet, Serialize)]
pub(super) struct Note {
    pub(super) text: String,
}

pub(super) type SealedNote = Sealed<Note>;

protocol! {
    pub(super) Post {
        client { SealedNote }
    }
}

pub(super) fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

/// The PEM of one of five keys of 2048 bits.
pub(super) fn pem(number: usize) -> &'static str {
    static KEYS: [OnceLock<String>; 5] = [const { OnceLock::new() }; 5];
    KEYS[number].get_or_init(|| make(2048).expect("a key can be made").to_string())
}

pub(super) fn ada() -> Identity {
    Identity::from_pem(pem(0)).expect("it is a key")
}

pub(super) fn bob() -> Identity {
    Identity::from_pem(pem(1)).expect("it is a key")
}

pub(super) fn bobs_key() -> SealingKey {
    SealingKey::from_pem(pem(2)).expect("it is a key")
}

pub(super) fn eves_key() -> SealingKey {
    SealingKey::from_pem(pem(3)).expect("it is a key")
}

pub(super) fn eve() -> Identity {
    Identity::from_pem(pem(4)).expect("it is a key")
}

/// The key of somebody as others have it.
pub(super) fn verified(key: &SealingKey, identity: &Identity) -> VerifiedSealingKey {
    announced(key, identity).verify(&identity.fingerprint()).expect("it is announced")
}

pub(super) fn announced(key: &SealingKey, identity: &Identity) -> Announcement {
    Announcement::sign(key.spki(), identity).expect("it can be signed")
}
