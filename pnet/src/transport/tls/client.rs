//! The client's side of TLS: whom it trusts, and its handshake.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use pnet_protocol::key::{Fingerprint, FingerprintError};
use rustls::{
    ClientConfig, RootCertStore,
    client::{AlwaysResolvesClientRawPublicKeys, Resumption, WebPkiServerVerifier},
    pki_types::ServerName,
};
use tokio::time::{Instant, error::Elapsed, timeout_at};
use tokio_rustls::{TlsConnector, TlsStream};

use super::{
    ALPN, OUTPUT_LEN, Secured, VERSIONS,
    handshake::Moving,
    key_of,
    known_hosts::KnownHosts,
    provider,
    stream::TlsTransport,
    verify::{Expected, ServerKey},
};
use crate::{
    error::{TlsError, Untrusted},
    identity::{Identity, certificates},
    transport::Transport,
};

/// What a client's builder was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTls {
    pub(crate) identity: Option<Identity>,
    pins: Vec<Fingerprint>,
    bad_pin: Option<FingerprintError>,
    pub(crate) known_hosts: Option<PathBuf>,
    /// In PEM.
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) system_roots: bool,
    pub(crate) server_name: Option<String>,
}

impl ClientTls {
    pub(crate) fn pin(&mut self, pin: Result<Fingerprint, FingerprintError>) {
        match pin {
            Ok(pin) => self.pins.push(pin),
            Err(error) => self.bad_pin = Some(error),
        }
    }

    /// Pins this key if the builder was not told whom to trust.
    pub(crate) fn trusting_by_default(mut self, key: Option<Fingerprint>) -> Self {
        let roots = !self.roots.is_empty() || self.system_roots;
        let told = roots || !self.pins.is_empty() || self.bad_pin.is_some() || self.known_hosts.is_some();
        self.pins.extend(key.filter(|_| !told));
        self
    }

    /// What makes the connections; `None` if they are to be plain text.
    pub(crate) async fn connector(&self) -> Result<Option<Arc<Connector>>, TlsError> {
        if let Some(error) = &self.bad_pin {
            return Err(TlsError::Pin(error.clone()));
        }
        let roots = !self.roots.is_empty() || self.system_roots;
        let ways = [!self.pins.is_empty(), self.known_hosts.is_some(), roots];
        let what = match ways.iter().filter(|way| **way).count() {
            0 if self.identity.is_some() => {
                "an identity is shown to servers that are trusted: use `.pin`, `.known_hosts` or `.roots`, too"
            }
            0 if self.server_name.is_some() => "`.server_name` needs `.roots` or `.system_roots`",
            0 => return Ok(None),
            1 if self.server_name.is_some() && !roots => {
                "`.server_name` goes with `.roots` or `.system_roots`: a pinned or known key has no name"
            }
            1 => "",
            _ => "`.pin`, `.known_hosts` and `.roots` exclude each other: trust keys, or trust an authority",
        };
        if !what.is_empty() {
            return Err(TlsError::Settings { what });
        }
        let trust = if roots {
            Trust::Roots(Arc::new(self.load_roots().await?))
        } else if let Some(file) = &self.known_hosts {
            Trust::KnownHosts { file: KnownHosts::new(file.clone()), first: Mutex::default() }
        } else {
            Trust::Pins(self.pins.clone())
        };
        let (identity, server_name) = (self.identity.clone(), self.server_name.clone());
        Ok(Some(Arc::new(Connector { identity, trust, server_name })))
    }

    async fn load_roots(&self) -> Result<RootCertStore, TlsError> {
        let mut store = RootCertStore::empty();
        for pem in &self.roots {
            for certificate in certificates(pem, "what was given to `.roots`")? {
                store.add(certificate).map_err(|_| TlsError::Settings {
                    what: "a certificate that was given to `.roots` cannot be read",
                })?;
            }
        }
        if self.system_roots {
            // On some systems this takes long.
            let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            let certs = found.map_or_else(|_| Vec::new(), |found| found.certs);
            if store.add_parsable_certificates(certs).0 == 0 {
                return Err(TlsError::NoSystemRoots);
            }
        }
        Ok(store)
    }
}

/// Makes the TLS connections of one client.
#[derive(Debug)]
pub(crate) struct Connector {
    identity: Option<Identity>,
    trust: Trust,
    server_name: Option<String>,
}

#[derive(Debug)]
enum Trust {
    Pins(Vec<Fingerprint>),
    KnownHosts {
        file: KnownHosts,
        /// The keys that were stored for the server when this client met it first. They hold for as long as the client lives,
        /// whatever becomes of the file.
        first: Mutex<Vec<Fingerprint>>,
    },
    Roots(Arc<RootCertStore>),
}

impl Connector {
    /// The handshake, with a server that was dialled as `server`. What is wrong with the server is told even if there is no
    /// time left for the last words to it.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the transport is gone.
    pub(crate) async fn connect(
        &self,
        io: Box<dyn Transport>,
        server: &str,
        deadline: Instant,
    ) -> Result<Result<Secured, TlsError>, Elapsed> {
        let mut left = None;
        let shaken = timeout_at(deadline, self.shake(io, server, &mut left)).await;
        if let Some(left) = left {
            left.last_words().await;
        }
        shaken
    }

    /// After an error, what is left to be said to the server is in `left`.
    async fn shake(
        &self,
        io: Box<dyn Transport>,
        server: &str,
        left: &mut Option<Moving>,
    ) -> Result<Secured, TlsError> {
        let (config, name) = (self.config(server).await?, self.name(server)?);
        let raw = !matches!(self.trust, Trust::Roots(_));
        let broken = |error| TlsError::Broken { server: server.to_owned(), error };
        let mut moving = Moving::new(io, Vec::new(), None);
        let connector = TlsConnector::from(Arc::new(config));
        let mut connect =
            connector.connect_with(name, moving.underlay(), |session| session.set_buffer_limit(Some(OUTPUT_LEN)));
        // Its hello has to go before anything comes, and what comes must be TLS: a plain answer may be shorter than the
        // head of a record, and would be waited for.
        moving.begin(&mut connect);
        match moving.first_byte().await.map_err(broken)? {
            Some(first) if !RECORD_TYPES.contains(&first) => return Err(TlsError::not_tls(server, first)),
            _ => {}
        }
        let done = if self.identity.is_some() {
            moving.run_off_thread(move || connect).await
        } else {
            moving.run(connect).await
        };
        let mut stream = match done.map_err(broken)? {
            Ok(stream) => stream,
            Err(error) => {
                *left = Some(moving);
                return Err(TlsError::from_handshake(server, error, raw));
            }
        };
        moving.flush().await.map_err(broken)?;
        let (underlay, session) = stream.get_mut();
        if session.alpn_protocol() != Some(ALPN) {
            return Err(TlsError::NotPnet { server: server.to_owned() });
        }
        let key = key_of(session.peer_certificates(), raw);
        if let Some(key) = key {
            self.remember(server, key).await?;
        }
        underlay.open(moving.io);
        Ok(Secured { io: Box::new(TlsTransport(TlsStream::Client(stream))), key })
    }

    async fn config(&self, server: &str) -> Result<ClientConfig, TlsError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(VERSIONS)
            .expect("ring has what TLS 1.3 needs");
        let builder = if let Trust::Roots(roots) = &self.trust {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider).build();
            let verifier = verifier.map_err(|_| TlsError::Settings { what: "`.roots` holds no certificate" })?;
            builder.with_webpki_verifier(verifier)
        } else {
            let expected = self.expected(server).await?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(ServerKey { expected, provider }))
        };
        let mut config = match &self.identity {
            Some(identity) => {
                builder.with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(identity.raw_key())))
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Each connection proves the key anew.
        config.resumption = Resumption::disabled();
        config.enable_sni = matches!(self.trust, Trust::Roots(_));
        Ok(config)
    }

    /// The keys that the server may show.
    async fn expected(&self, server: &str) -> Result<Expected, TlsError> {
        let none = Fingerprint::from_bytes([0; 32]);
        let mistrust = |expected, stored, pinned| {
            let server = server.to_owned();
            Expected::OneOf(Untrusted { server, shown: none, expected, stored, pinned })
        };
        match &self.trust {
            Trust::Pins(pins) => Ok(mistrust(pins.clone(), None, true)),
            Trust::KnownHosts { file, first } => {
                let first = first.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if !first.is_empty() {
                    return Ok(mistrust(first, None, false));
                }
                let known = file.look_up(server).await?;
                let Some(line) = known.first().map(|entry| entry.line) else { return Ok(Expected::Any) };
                let keys = known.iter().map(|entry| entry.key).collect();
                Ok(mistrust(keys, Some((file.path().to_owned(), line)), false))
            }
            Trust::Roots(_) => Ok(Expected::Any),
        }
    }

    /// The handshake has succeeded: whom this client meets for the first time it knows from now on.
    async fn remember(&self, server: &str, key: Fingerprint) -> Result<(), TlsError> {
        let Trust::KnownHosts { file, first } = &self.trust else { return Ok(()) };
        if !first.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Ok(());
        }
        file.remember(server, key).await?;
        let mut known: Vec<_> = file.look_up(server).await?.iter().map(|entry| entry.key).collect();
        if !known.contains(&key) {
            known.push(key);
        }
        *first.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// What the certificate has to be for. Raw keys are for no name.
    fn name(&self, server: &str) -> Result<ServerName<'static>, TlsError> {
        if !matches!(self.trust, Trust::Roots(_)) {
            return Ok(ServerName::try_from("pnet.invalid").expect("it is a name"));
        }
        let name = self.server_name.as_deref().unwrap_or_else(|| host(server));
        ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Settings {
            what: if self.server_name.is_some() {
                "what was given to `.server_name` is no host name and no IP address: it has no port and no `https://`"
            } else {
                "the certificate is for a name, and the server was reached by none: set `.server_name`"
            },
        })
    }
}

/// `host` of `host:port` and `[host]:port`.
fn host(server: &str) -> &str {
    let host = server.rsplit_once(':').map_or(server, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// What a record may begin with (RFC 8446 §B.1).
const RECORD_TYPES: std::ops::RangeInclusive<u8> = 20..=24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_what_was_dialled() {
        for (server, expected) in [
            ("example.com:25565", "example.com"),
            ("127.0.0.1:25565", "127.0.0.1"),
            ("[::1]:25565", "::1"),
            ("memory", "memory"),
        ] {
            assert_eq!(host(server), expected);
        }
    }
}
