//! Sealed texts: JWE in its flattened JSON form (RFC 7516 §7.2.2), with `RSA-OAEP-256` and `A256GCM` and nothing else.

use std::borrow::Cow;

use aes_gcm::{AeadInOut, Aes256Gcm, KeyInit};
use getrandom::SysRng;
use pnet_protocol::key::Fingerprint;
use rsa::rand_core::TryRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{
    SealingKey,
    public::Public,
    text::{decode, decode_array, encode, encoded_len, object},
};

/// The five texts, of which nothing is checked yet. The members are in the order of RFC 7516 §7.2.1.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Jwe {
    pub(super) protected: String,
    pub(super) encrypted_key: String,
    pub(super) iv: String,
    pub(super) ciphertext: String,
    pub(super) tag: String,
}

/// All that the protected header may say, and must say.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct JweHeader<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    enc: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
}

impl Jwe {
    /// Seals a text, which is encrypted where it lies. `None` if the system gives no random numbers.
    pub(super) fn seal(to: &Public, mut text: Zeroizing<Vec<u8>>) -> Option<Self> {
        let kid = to.fingerprint().to_string();
        let header = JweHeader { alg: ALG.into(), enc: ENC.into(), typ: TYP.into(), kid: kid.into() };
        let protected = encode(&serde_json::to_vec(&header).ok()?);
        // A new key for each text, so the IV could be anything.
        let (mut key, mut iv) = (Zeroizing::new([0; KEY_LEN]), [0; IV_LEN]);
        fill_random(&mut *key)?;
        fill_random(&mut iv)?;
        let encrypted_key = to.encrypt(&mut SysRng, &*key)?;
        let cipher = Aes256Gcm::new((&*key).into());
        let tag = cipher.encrypt_inout_detached((&iv).into(), protected.as_bytes(), text.as_mut_slice().into()).ok()?;
        Some(Self {
            protected,
            encrypted_key: encode(&encrypted_key),
            iv: encode(&iv),
            ciphertext: encode(&text),
            tag: encode(&tag),
        })
    }

    /// The text, if it was sealed for this key and has not been changed. What is wrong otherwise is said to nobody.
    pub(super) fn open(&self, key: &SealingKey) -> Option<Zeroizing<Vec<u8>>> {
        // Whatever can be refused without the key is, before it does anything.
        self.check_header(key.fingerprint())?;
        if self.encrypted_key.len() != encoded_len(key.size()) {
            return None;
        }
        let encrypted_key = decode(&self.encrypted_key).filter(|bytes| bytes.len() == key.size())?;
        let iv = decode_array::<IV_LEN>(&self.iv)?;
        let tag = decode_array::<TAG_LEN>(&self.tag)?;
        let mut text = Zeroizing::new(decode(&self.ciphertext)?);
        // RFC 7516 §11.5: where the key is none, another one takes its place, and the tag tells. The padding's own verdict, of which
        // a few thousand would be enough to decrypt anything, is seen nowhere.
        let mut content_key = Zeroizing::new([0; KEY_LEN]);
        fill_random(&mut *content_key)?;
        if let Some(decrypted) = key.decrypt(&mut SysRng, &encrypted_key)
            && decrypted.len() == KEY_LEN
        {
            content_key.copy_from_slice(&decrypted);
        }
        let cipher = Aes256Gcm::new((&*content_key).into());
        let associated = self.protected.as_bytes();
        cipher.decrypt_inout_detached((&iv).into(), associated, text.as_mut_slice().into(), (&tag).into()).ok()?;
        Some(text)
    }

    /// How long its texts are together.
    pub(super) fn len(&self) -> usize {
        [&self.protected, &self.encrypted_key, &self.iv, &self.ciphertext, &self.tag].map(String::len).iter().sum()
    }

    fn check_header(&self, key: Fingerprint) -> Option<()> {
        if self.protected.len() > MAX_HEADER {
            return None;
        }
        let header = decode(&self.protected)?;
        let header: JweHeader<'_> = object(&header)?;
        let is_ours = header.alg == ALG && header.enc == ENC && header.typ == TYP && header.kid.parse() == Ok(key);
        is_ours.then_some(())
    }
}

/// Fills a place with random bytes from the system: where they are to stay, since what is moved leaves a copy behind.
pub(super) fn fill_random(bytes: &mut [u8]) -> Option<()> {
    SysRng.try_fill_bytes(bytes).ok()
}

const ALG: &str = "RSA-OAEP-256";
const ENC: &str = "A256GCM";
const TYP: &str = "pnet-sealed";
const KEY_LEN: usize = 32;
const IV_LEN: usize = 12;
const TAG_LEN: usize = 16;
/// A header of ours has 117 bytes, 156 in base64url; others may have white space in it.
const MAX_HEADER: usize = 512;

#[cfg(test)]
mod tests;
