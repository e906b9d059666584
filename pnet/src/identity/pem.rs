//! Reads keys in PEM, and says in words what is there where it is something else.

use rsa::{
    PrivateKey, PublicKey,
    pkcs8::{
        DecodePublicKey, EncodePrivateKey, EncodePublicKey, ObjectIdentifier, PrivateKeyInfoRef,
        spki::SubjectPublicKeyInfoRef,
    },
    traits::{PrivateKeyParts, PublicKeyParts},
};
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use zeroize::{Zeroize, Zeroizing};

use super::KeyError;

/// A private key that was found to be good.
pub(crate) struct RsaKey {
    /// The private key in DER.
    pub(crate) pkcs8: Zeroizing<Vec<u8>>,
    /// The public key in DER.
    pub(crate) spki: Vec<u8>,
}

/// The RSA key in a PEM text. `origin` is how errors call the text.
pub(crate) fn rsa_key(pem: &[u8], origin: &str) -> Result<RsaKey, KeyError> {
    let kind = |found: String| KeyError::Kind { origin: origin.to_owned(), found, wanted: WANTED };
    let broken = || KeyError::Broken { origin: origin.to_owned() };
    let label = label(pem, origin)?;
    match label.as_str() {
        "PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => return Err(kind("a private key with a password".to_owned())),
        "RSA PRIVATE KEY" => {
            return Err(kind("an RSA key of the older form PKCS#1 (`openssl pkey` rewrites it)".to_owned()));
        }
        other => return Err(kind(format!("`{other}`"))),
    }
    let torn = || KeyError::Torn { origin: origin.to_owned(), label: label.clone() };
    // What the library would say of wrong base64 may repeat it.
    let mut der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| torn())?;
    let key = read_private(der.secret_pkcs8_der(), origin, kind, broken);
    der.zeroize();
    let key = key?;
    let pkcs8 = key.to_pkcs8_der().map_err(|_| broken())?.to_bytes();
    let spki = key.as_public_key().to_public_key_der().map_err(|_| broken())?.into_vec();
    Ok(RsaKey { pkcs8, spki })
}

fn read_private(
    der: &[u8],
    origin: &str,
    kind: impl Fn(String) -> KeyError,
    broken: impl Fn() -> KeyError,
) -> Result<PrivateKey, KeyError> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| broken())?;
    if info.algorithm.oid != RSA {
        return Err(kind(algorithm(info.algorithm.oid)));
    }
    let key = PrivateKey::try_from(info).map_err(|_| broken())?;
    check_bits(key.n().bit_width(), origin)?;
    larger_prime_first(key).map_err(|()| broken())
}

/// The same key with its larger prime first, which some programs count on.
pub(super) fn larger_prime_first(key: PrivateKey) -> Result<PrivateKey, ()> {
    let [p, q] = key.primes() else { return Err(()) };
    if p > q {
        return Ok(key);
    }
    let primes = vec![q.clone().get(), p.clone().get()];
    let (n, e, d) = (key.n().clone().get(), key.e().clone(), key.d().clone());
    PrivateKey::from_components(n, e, d, primes).map_err(|_| ())
}

/// Whether RSA keys of this length are taken.
pub(crate) fn check_bits(bits: u32, origin: &str) -> Result<(), KeyError> {
    if (MIN_BITS..=MAX_BITS).contains(&bits) { Ok(()) } else { Err(KeyError::Bits { origin: origin.to_owned(), bits }) }
}

/// Reads a public key that came from the other side; says what is wrong with it.
pub(crate) fn public_key(spki: &[u8]) -> Result<PublicKey, String> {
    let info = SubjectPublicKeyInfoRef::try_from(spki).map_err(|_| "a key that cannot be read".to_owned())?;
    if info.algorithm.oid != RSA {
        return Err(algorithm(info.algorithm.oid));
    }
    // Longer ones are not even looked at.
    if spki.len() > MAX_SPKI {
        return Err(format!("an RSA key of more than {MAX_BITS} bits"));
    }
    let key = PublicKey::from_public_key_der(spki)
        .map_err(|_| "an RSA key that is far too short, or whose numbers are none".to_owned())?;
    let bits = key.n().bit_width();
    if (MIN_BITS..=MAX_BITS).contains(&bits) { Ok(key) } else { Err(format!("an RSA key of {bits} bits")) }
}

/// What the first section of a PEM text calls itself, if the section has an end.
pub(super) fn label(pem: &[u8], origin: &str) -> Result<String, KeyError> {
    label_of(pem, origin, |_| true)
}

/// The same for the first section with a wanted label; if there is none, for the first section.
pub(super) fn label_of(pem: &[u8], origin: &str, wanted: impl Fn(&str) -> bool) -> Result<String, KeyError> {
    let text = String::from_utf8_lossy(pem);
    let text = Zeroizing::new(text.into_owned());
    let mut labels = text.lines().filter_map(begun);
    let label = labels.clone().find(|label| wanted(label)).or_else(|| labels.next());
    let Some(label) = label else { return Err(KeyError::NotPem { origin: origin.to_owned() }) };
    let label = pnet_protocol::text::escape(label, SHOWN_LEN);
    if !text.contains(&format!("-----END {label}-----")) {
        return Err(KeyError::Torn { origin: origin.to_owned(), label });
    }
    Ok(label)
}

/// The label, if a section begins in this line.
fn begun(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix("-----BEGIN ")?;
    // Where line ends were lost, the key itself follows on the same line.
    rest.split("-----").next().map(|label| label.trim_end_matches('-'))
}

/// An algorithm in words.
fn algorithm(oid: ObjectIdentifier) -> String {
    match oid.to_string().as_str() {
        "1.2.840.10045.2.1" => "an EC key".to_owned(),
        "1.3.101.112" => "an Ed25519 key".to_owned(),
        "1.3.101.113" => "an Ed448 key".to_owned(),
        "1.2.840.113549.1.1.10" => "an RSA key that is for PSS only".to_owned(),
        other => format!("a key of the algorithm {other}"),
    }
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const WANTED: &str = "an RSA key as PKCS#8 in PEM (`-----BEGIN PRIVATE KEY-----`)";
const MIN_BITS: u32 = 2048;
const MAX_BITS: u32 = 4096;
/// A key of 4096 bits takes 550 bytes.
const MAX_SPKI: usize = 1024;
const SHOWN_LEN: usize = 40;
