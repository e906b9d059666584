//! Judges raw public keys (RFC 7250): which are taken at all, and whether a server's is the expected one.

use std::sync::Arc;

use pnet_protocol::key::Fingerprint;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use crate::{
    error::tls::{Rejected, Untrusted},
    identity::check_raw_key,
};

/// Which keys of a server are the expected ones.
#[derive(Debug)]
pub(super) enum Expected {
    /// None is known: the first that comes is taken, and remembered by the caller.
    Any,
    /// The mistrust that is told if the key is none of its `expected`; `shown` is filled in.
    OneOf(Untrusted),
}

/// A client's view of its server's raw key.
#[derive(Debug)]
pub(super) struct ServerKey {
    pub(super) expected: Expected,
    pub(super) provider: Arc<CryptoProvider>,
}

/// A server's view of its client's raw key. Whose it is, is asked after the handshake: only then the client has proved that
/// it holds it, and can be told why it is refused.
#[derive(Debug)]
pub(super) struct ClientKey {
    pub(super) provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ServerKey {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = judge(shown, intermediates)?;
        match &self.expected {
            Expected::OneOf(known) if !known.expected.contains(&shown) => {
                Err(Rejected::Untrusted(Untrusted { shown, ..known.clone() }).into_rustls())
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, shown, signature, &self.provider)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for ClientKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        judge(shown, intermediates).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(too_old())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify(message, shown, signature, &self.provider)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

/// The fingerprint of a raw key, if it is one that is taken.
fn judge(shown: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<Fingerprint, Error> {
    if !intermediates.is_empty() {
        return Err(Rejected::Unfit("more than one key".to_owned()).into_rustls());
    }
    check_raw_key(shown).map_err(|words| Rejected::Unfit(words).into_rustls())
}

fn verify(
    message: &[u8],
    shown: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
    provider: &CryptoProvider,
) -> Result<HandshakeSignatureValid, Error> {
    let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
    verify_tls13_signature_with_raw_key(message, &key, signature, &provider.signature_verification_algorithms)
}

/// Never asked for, as only TLS 1.3 is spoken.
const fn too_old() -> Error {
    Error::PeerIncompatible(PeerIncompatible::Tls12NotOffered)
}

/// What RSA keys sign with in TLS 1.3 (RFC 8446 §4.2.3).
const SCHEMES: [SignatureScheme; 3] =
    [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PSS_SHA384, SignatureScheme::RSA_PSS_SHA512];
