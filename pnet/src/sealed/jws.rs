//! Signed texts: JWS in its flattened JSON form (RFC 7515 §7.2.2), with `PS256` and nothing else.

use std::borrow::Cow;

use pnet_protocol::key::Fingerprint;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{
    public::Public,
    text::{decode, encode, encoded_len, object},
};
use crate::identity::Identity;

/// What was signed, by whom, and the signature: three texts, of which nothing is checked yet.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jws<S> {
    pub(super) payload: S,
    pub(super) protected: S,
    pub(super) signature: S,
}

/// All that the protected header may say, and must say.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct JwsHeader<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
}

impl Jws<String> {
    /// Signs with an identity. Takes about a millisecond; `None` if the system gives no random numbers.
    pub(super) fn sign(identity: &Identity, typ: &str, payload: &[u8]) -> Option<Self> {
        let kid = identity.fingerprint().to_string();
        let header = JwsHeader { alg: ALG.into(), typ: typ.into(), kid: kid.into() };
        let mut jws = Self {
            payload: encode(payload),
            protected: encode(&serde_json::to_vec(&header).ok()?),
            signature: String::new(),
        };
        jws.signature = encode(&identity.sign_pss(&jws.message())?);
        Some(jws)
    }

    /// The JSON object, after which the payload's text is wiped.
    pub(super) fn into_secret_json(mut self) -> Zeroizing<Vec<u8>> {
        let mut json = Zeroizing::new(Vec::with_capacity(self.len() + OBJECT_LEN));
        // Writing texts to memory cannot fail.
        let _ = serde_json::to_writer(&mut *json, &self);
        self.payload.zeroize();
        json
    }
}

impl<S: AsRef<str>> Jws<S> {
    /// Whose signature it says to have, if the header is one for this kind of text. Proves nothing.
    pub(super) fn said_signer(&self, typ: &str) -> Option<Fingerprint> {
        let protected = self.protected.as_ref();
        if protected.len() > MAX_HEADER {
            return None;
        }
        let header = decode(protected)?;
        let header: JwsHeader<'_> = object(&header)?;
        if header.alg != ALG || header.typ != typ {
            return None;
        }
        header.kid.parse().ok()
    }

    /// What was signed.
    pub(super) fn payload(&self) -> Option<Zeroizing<Vec<u8>>> {
        decode(self.payload.as_ref()).map(Zeroizing::new)
    }

    /// Whether it is signed by this key.
    pub(super) fn is_by(&self, key: &Public) -> bool {
        let signature = self.signature.as_ref();
        if signature.len() > encoded_len(MAX_SIGNATURE) {
            return false;
        }
        decode(signature).is_some_and(|signature| key.verifies(&self.message(), &signature))
    }

    /// How long its texts are together.
    pub(super) fn len(&self) -> usize {
        self.payload.as_ref().len() + self.protected.as_ref().len() + self.signature.as_ref().len()
    }

    /// What is signed (RFC 7515 §5.1).
    fn message(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.protected.as_ref(), self.payload.as_ref()].join(".").into_bytes())
    }
}

const ALG: &str = "PS256";
/// A header of ours has less than 120 bytes; others may have white space in it.
const MAX_HEADER: usize = 512;
/// Of a key of 4096 bits.
const MAX_SIGNATURE: usize = 512;
/// What stands around the texts.
const OBJECT_LEN: usize = 64;
