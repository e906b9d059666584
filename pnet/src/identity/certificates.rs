//! Certificates of an authority, for clients that trust one.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use super::{KeyError, file, off_thread, pem};

/// A chain of X.509 certificates (RFC 5280), the server's own first, and the key of the first one.
///
/// For [`ServerBuilder::certificates`](crate::ServerBuilder::certificates). The key may be of any algorithm that TLS 1.3
/// signs with: RSA, ECDSA, Ed25519. Who can read its file is not checked, since secrets are often mounted for a group.
/// Cheap to clone. `Debug` shows how many certificates there are and nothing else.
#[derive(Clone)]
pub struct Certificates(Arc<Inner>);

struct Inner {
    key: Arc<CertifiedKey>,
    files: Option<(PathBuf, PathBuf)>,
}

impl Certificates {
    /// Reads both from files in PEM.
    ///
    /// # Errors
    ///
    /// [`KeyError`]: a file cannot be read, holds something else, or the key is not the first certificate's.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn load(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, KeyError> {
        let (chain, key) = (chain.as_ref().to_owned(), key.as_ref().to_owned());
        off_thread(move || Self::read(&chain, &key)).await
    }

    /// Takes both as texts in PEM.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if one holds something else, or the key is not the first certificate's.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        Self::parse((chain.as_ref(), "the chain's PEM"), (key.as_ref(), "the key's PEM"), None)
    }

    /// Whether this is that very value, and not one that was read anew.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Reads the files again. Those that came from elsewhere stay as they are.
    pub(crate) fn reload(&self) -> Result<Self, KeyError> {
        match &self.0.files {
            Some((chain, key)) => Self::read(chain, key),
            None => Ok(self.clone()),
        }
    }

    /// What TLS shows and signs with.
    pub(crate) fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.key)
    }

    fn read(chain: &Path, key: &Path) -> Result<Self, KeyError> {
        let files = (chain.to_owned(), key.to_owned());
        let (chain_pem, key_pem) = (file::read(chain)?, file::read(key)?);
        let (chain, key) = (chain.display().to_string(), key.display().to_string());
        Self::parse((&chain_pem, &chain), (&key_pem, &key), Some(files))
    }

    fn parse(
        (chain, chain_name): (&[u8], &str),
        (key, key_name): (&[u8], &str),
        files: Option<(PathBuf, PathBuf)>,
    ) -> Result<Self, KeyError> {
        let certs = certificates(chain, chain_name)?;
        if certs.first().is_none_or(|first| ParsedCertificate::try_from(first).is_err()) {
            let (found, wanted) = (
                "a certificate that cannot be read, or is of X.509 version 1".to_owned(),
                "the server's own, with extensions, in the first place",
            );
            return Err(KeyError::Kind { origin: chain_name.to_owned(), found, wanted });
        }
        let private = |label: &str| label.ends_with("PRIVATE KEY");
        let label = pem::label_of(key, key_name, private)?;
        let torn = || KeyError::Torn { origin: key_name.to_owned(), label: label.clone() };
        if !private(&label) || label.contains("ENCRYPTED") {
            let wanted = "a private key without a password";
            return Err(KeyError::Kind { origin: key_name.to_owned(), found: format!("`{label}`"), wanted });
        }
        let der = PrivateKeyDer::from_pem_slice(key).map_err(|_| torn())?;
        let provider = rustls::crypto::ring::default_provider();
        let signing = provider.key_provider.load_private_key(der);
        let signing = signing.map_err(|_| KeyError::Broken { origin: key_name.to_owned() })?;
        let key = CertifiedKey::new(certs, signing);
        if !matches!(key.keys_match(), Ok(())) {
            return Err(KeyError::Mismatch { chain: chain_name.to_owned(), key: key_name.to_owned() });
        }
        Ok(Self(Arc::new(Inner { key: Arc::new(key), files })))
    }
}

/// The certificates in a PEM text, at least one.
pub(crate) fn certificates(pem: &[u8], origin: &str) -> Result<Vec<CertificateDer<'static>>, KeyError> {
    let label = pem::label(pem, origin)?;
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certs = certs.map_err(|_| KeyError::Torn { origin: origin.to_owned(), label: label.clone() })?;
    if certs.is_empty() {
        let (found, wanted) = (format!("`{label}`"), "a certificate (`-----BEGIN CERTIFICATE-----`)");
        return Err(KeyError::Kind { origin: origin.to_owned(), found, wanted });
    }
    Ok(certs)
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificates({})", self.0.key.cert.len())
    }
}
