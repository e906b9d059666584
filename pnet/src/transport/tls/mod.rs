//! TLS 1.3 on top of any transport: who is at the other end is known by a key, and nobody between can read or change a byte.
//!
//! [`server`] and [`client`] each do one side's handshake and give back a transport that the driver uses like any other
//! ([`stream`]). [`handshake`] moves their [`records`], so that what computes (signing above all) does so on threads where
//! nobody waits. [`verify`] judges raw public keys (RFC 7250), [`known_hosts`] remembers those of servers. The library is
//! rustls with ring; nothing of either is in a public signature.

mod client;
mod handshake;
mod known_hosts;
mod records;
mod server;
mod stream;
mod verify;

use std::sync::Arc;

use pnet_protocol::key::Fingerprint;
use rustls::{SupportedProtocolVersion, crypto::CryptoProvider, pki_types::CertificateDer, server::ParsedCertificate};

pub(crate) use self::{
    client::{ClientTls, Connector},
    server::{Acceptor, ServerTls},
};
use super::driven::Driven;
use crate::identity::fingerprint;

/// A transport whose handshake is done.
pub(crate) struct Secured {
    pub(crate) io: Box<dyn Driven>,
    /// What the other side has proved to hold.
    pub(crate) key: Option<Fingerprint>,
}

/// Asked for by name, so that it does not depend on what else is in the user's program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The key that the other side has proved to hold, as a raw key or in a certificate.
fn key_of(shown: Option<&[CertificateDer<'static>]>, raw: bool) -> Option<Fingerprint> {
    let first = shown?.first()?;
    if raw {
        return Some(fingerprint(first));
    }
    let certificate = ParsedCertificate::try_from(first).ok()?;
    Some(fingerprint(&certificate.subject_public_key_info()))
}

/// What is spoken inside, as TLS calls it (RFC 7301).
const ALPN: &[u8] = b"pnet/1";
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
/// What a connection may hold back of what it was given to write.
const OUTPUT_LEN: usize = 16 * 1024;
