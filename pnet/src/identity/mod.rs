//! The keys of a program: what it proves to be at the beginning of each TLS connection.
//!
//! An [`Identity`] is an RSA key, which the other side knows by its [`Fingerprint`](crate::Fingerprint). [`Certificates`] are
//! for those who trust an authority and not a key. `pem` reads both, `file` keeps an identity where nobody else can read it.

mod certificates;
mod error;
mod file;
pub(crate) mod pem;

use std::{
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::Arc,
};

use getrandom::SysRng;
use pnet_protocol::key::Fingerprint;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, SigningKey},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use self::{certificates::Certificates, error::KeyError};
pub(crate) use self::{
    certificates::certificates,
    file::{replace, shared_mode},
};

/// An RSA key of 2048 to 4096 bits: who a program is, for as long as it keeps its key.
///
/// It only signs; nothing is encrypted with it. The other side is told the public key and compares its
/// [fingerprint](Self::fingerprint). Cheap to clone. `Debug` shows the fingerprint and nothing else.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), pnet::KeyError> {
/// use pnet::Identity;
///
/// let identity = Identity::load_or_create("server.key").await?;
/// println!("this server's key is {}", identity.fingerprint());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    /// The public key, as it is shown to others.
    spki: CertificateDer<'static>,
    signing: Arc<dyn SigningKey>,
    fingerprint: Fingerprint,
    /// Where it was read from.
    path: Option<PathBuf>,
}

impl Identity {
    /// Reads the key in the file, or makes one of 3072 bits and keeps it there.
    ///
    /// The file is PKCS#8 in PEM (RFC 5958, RFC 7468). A new one has the mode 0600 from the beginning, and is in its place only
    /// once it is whole and on disk; of several programs that start at once, all get the same key. An existing one may be
    /// read by its owner only. On Windows permissions are neither set nor checked: keep the file in a folder of your own.
    ///
    /// Making a key takes about half a second, on a thread of its own. In builds that are not optimised it takes several:
    /// `[profile.dev.package.crypto-bigint] opt-level = 3` in the root manifest helps, and the same for `crypto-primes`.
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
        off_thread(move || {
            let pem = read_or_create(&path, bits)?;
            Self::parse(&pem, &path.display().to_string(), Some(&path))
        })
        .await
    }

    /// Makes a key of 3072 bits that is kept nowhere: gone with the program.
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

    /// Reads a key that is there already: a mounted secret, or a variable of the environment. Who else can read it is not
    /// checked.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if it is anything but an RSA key of 2048 to 4096 bits as PKCS#8 in PEM, without a password. What is wrong
    /// is named; nothing of the text is repeated.
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse(pem.as_ref(), "the PEM", None)
    }

    /// What others know it by.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// The public key in DER, whose hash the fingerprint is.
    #[cfg(feature = "sealed")]
    pub(crate) fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// Signs with PSS, SHA-256 and a salt of 32 bytes (RFC 8017 §8.1). Takes as long as TLS does for a handshake.
    #[cfg(feature = "sealed")]
    pub(crate) fn sign_pss(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signer = self.0.signing.choose_scheme(&[rustls::SignatureScheme::RSA_PSS_SHA256])?;
        signer.sign(message).ok()
    }

    /// Whether this is that very value, and not one that was read anew.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Reads its file again. One that came from elsewhere stays as it is.
    pub(crate) fn reload(&self) -> Result<Self, KeyError> {
        let Some(path) = &self.0.path else { return Ok(self.clone()) };
        Self::read(path)?.ok_or_else(|| KeyError::io(path, "read", ErrorKind::NotFound.into()))
    }

    /// What TLS shows and signs with: a raw public key (RFC 7250).
    pub(crate) fn raw_key(&self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::new(vec![self.0.spki.clone()], Arc::clone(&self.0.signing)))
    }

    /// `None` if there is no such file.
    fn read(path: &Path) -> Result<Option<Self>, KeyError> {
        let Some(pem) = file::read_secret(path)? else { return Ok(None) };
        Self::parse(&pem, &path.display().to_string(), Some(path)).map(Some)
    }

    fn parse(pem: &[u8], origin: &str, path: Option<&Path>) -> Result<Self, KeyError> {
        let pem::RsaKey { pkcs8, spki } = pem::rsa_key(pem, origin)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
        let provider = rustls::crypto::ring::default_provider();
        let signing = provider.key_provider.load_private_key(key);
        let signing = signing.map_err(|_| KeyError::Broken { origin: origin.to_owned() })?;
        let fingerprint = fingerprint(&spki);
        let path = path.map(Path::to_owned);
        Ok(Self(Arc::new(Inner { spki: CertificateDer::from(spki), signing, fingerprint, path })))
    }
}

/// Where what is meant is the identity's name.
impl From<&Identity> for Fingerprint {
    fn from(identity: &Identity) -> Self {
        identity.fingerprint()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.0.fingerprint).finish()
    }
}

/// The fingerprint of a public key in DER.
pub(crate) fn fingerprint(spki: &[u8]) -> Fingerprint {
    Fingerprint::from_bytes(Sha256::digest(spki).into())
}

/// Checks a public key that the other side shows as its raw key: RSA of 2048 to 4096 bits, or what it is instead.
pub(crate) fn check_raw_key(spki: &[u8]) -> Result<Fingerprint, String> {
    pem::public_key(spki).map(|_| fingerprint(spki))
}

/// The PEM text in a file, which is put there with a new key if there is none.
pub(crate) fn read_or_create(path: &Path, bits: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    if let Some(pem) = file::read_secret(path)? {
        return Ok(pem);
    }
    let pem = make(bits)?;
    file::create(path, pem.as_bytes())?;
    // Whoever came first has won.
    file::read_secret(path)?.ok_or_else(|| KeyError::io(path, "read", ErrorKind::NotFound.into()))
}

pub(crate) fn make(bits: u32) -> Result<Zeroizing<String>, KeyError> {
    let key = rsa::PrivateKey::new(&mut SysRng, bits as usize).map_err(|_| KeyError::Random)?;
    pem::larger_prime_first(key)
        .and_then(|key| key.to_pkcs8_pem(LineEnding::LF).map_err(|_| ()))
        .map_err(|()| KeyError::Random)
}

/// Does what takes long on a thread where nobody else waits.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(KeyError::Interrupted))
}

pub(crate) const DEFAULT_BITS: u32 = 3072;
