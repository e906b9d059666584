//! The server's side of TLS: what it shows, to whom, and its handshake.

use std::{
    io::{self, ErrorKind},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use pnet_protocol::key::Fingerprint;
use rustls::{
    AlertDescription, ServerConfig,
    server::{
        AlwaysResolvesServerRawPublicKeys, CertificateType, ClientHello, NoServerSessionStorage, ResolvesServerCert,
        WantsServerCert,
    },
    sign::SingleCertAndKey,
};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    sync::Semaphore,
};
use tokio_rustls::{LazyConfigAcceptor, StartHandshake, TlsStream};

use super::{
    ALPN, OUTPUT_LEN, Secured, VERSIONS,
    handshake::Moving,
    key_of, provider,
    stream::{TlsTransport, Underlay},
    verify::ClientKey,
};
use crate::{
    error::tls::{rustls_error, words},
    identity::{Certificates, Identity, KeyError},
    transport::{TlsPolicy, Transport, driven::alert_record},
};

/// What a server's builder was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerTls {
    pub(crate) keys: Keys,
    pub(crate) policy: Option<TlsPolicy>,
}

/// What a server shows to its clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    pub(crate) identity: Option<Identity>,
    pub(crate) certificates: Option<Certificates>,
}

impl ServerTls {
    pub(crate) fn policy(&self) -> TlsPolicy {
        let default = if self.keys.are_none() { TlsPolicy::Off } else { TlsPolicy::Required };
        self.policy.unwrap_or(default)
    }
}

impl Keys {
    pub(crate) const fn are_none(&self) -> bool {
        self.identity.is_none() && self.certificates.is_none()
    }

    fn reload(&self) -> Result<Self, KeyError> {
        let identity = self.identity.as_ref().map(Identity::reload).transpose()?;
        let certificates = self.certificates.as_ref().map(Certificates::reload).transpose()?;
        Ok(Self { identity, certificates })
    }
}

/// Shakes hands with the clients of one server.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// Whether there is TLS at all, which is settled for good.
    speaks: bool,
    keys: Mutex<Keys>,
    /// Held while files are read: who reads later has read what is newer, and must not end sooner.
    reloading: Mutex<()>,
    /// What follows from the keys. Those who have begun keep what there was then.
    configs: RwLock<Arc<Configs>>,
    permits: Arc<Semaphore>,
}

/// A library's configuration serves one kind of certificate on each side, so there are four.
#[derive(Debug)]
struct Configs {
    raw: Option<Asking>,
    chain: Option<Asking>,
}

/// For clients that may show a raw key, and for those that cannot.
#[derive(Debug)]
struct Asking {
    key: Arc<ServerConfig>,
    nothing: Arc<ServerConfig>,
}

impl Acceptor {
    /// Must be called in a tokio runtime.
    pub(crate) fn new(tls: &ServerTls) -> Self {
        let (speaks, keys) = (tls.policy() != TlsPolicy::Off, tls.keys.clone());
        let configs = RwLock::new(Arc::new(Configs::new(&keys)));
        let current = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = if current { 1 } else { (cores / 2).max(1) };
        let permits = Arc::new(Semaphore::new(at_once));
        Self { speaks, keys: Mutex::new(keys), reloading: Mutex::default(), configs, permits }
    }

    /// Reads the files of the keys again. If one is bad, all stay as they were.
    pub(crate) fn reload(&self) -> Result<(), KeyError> {
        let _turn = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.keys().clone();
        let after = before.reload()?;
        // What somebody has set while the files were read is newer.
        self.set_keys(|keys| {
            if same(&keys.identity, &before.identity, Identity::is) {
                keys.identity = after.identity;
            }
            if same(&keys.certificates, &before.certificates, Certificates::is) {
                keys.certificates = after.certificates;
            }
        });
        Ok(())
    }

    /// Shows other keys from now on.
    pub(crate) fn set_keys(&self, set: impl FnOnce(&mut Keys)) {
        let mut keys = self.keys();
        set(&mut keys);
        *self.configs.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Configs::new(&keys));
    }

    /// What clients may pin, if there is any.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.keys().identity.as_ref().filter(|_| self.speaks).map(Identity::fingerprint)
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handshake, of which `came` was read already. The error says why there is none, for the log; the client was told
    /// what TLS can say.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the transport is gone.
    pub(crate) async fn accept(&self, io: Box<dyn Transport>, came: Vec<u8>) -> Result<Secured, String> {
        let configs = Arc::clone(&self.configs.read().unwrap_or_else(PoisonError::into_inner));
        let mut moving = Moving::new(io, came, Some(Arc::clone(&self.permits)));
        let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), moving.underlay());
        let start = match moving.run(hello).await.map_err(|error| broke(&error))? {
            Ok(start) => start,
            Err(error) => {
                // Of some errors the library says nothing: of a hello that is too long, for one.
                if moving.is_silent() && error.kind() != ErrorKind::UnexpectedEof {
                    moving.say(&alert_record(AlertDescription::DecodeError.into()));
                }
                return Err(failed(moving, &error).await);
            }
        };
        let (config, raw) = match configs.choose(&start.client_hello()) {
            Ok(chosen) => chosen,
            Err(why) => {
                moving.say(&alert_record(AlertDescription::UnsupportedCertificate.into()));
                moving.last_words().await;
                return Err(why.to_owned());
            }
        };
        let done = moving.run_off_thread(move || begin(start, config)).await;
        let mut stream = match done.map_err(|error| broke(&error))? {
            Ok(stream) => stream,
            Err(error) => return Err(failed(moving, &error).await),
        };
        moving.flush().await.map_err(|error| broke(&error))?;
        let (underlay, session) = stream.get_mut();
        // Clients show raw keys or nothing, whatever the server shows.
        let key = key_of(session.peer_certificates(), true);
        tracing::trace!(raw, ?key, "the TLS handshake is done");
        underlay.open(moving.io);
        Ok(Secured { io: Box::new(TlsTransport(TlsStream::Server(stream))), key })
    }
}

/// Whether both are the same value, or both are none.
fn same<T>(one: &Option<T>, other: &Option<T>, is: impl Fn(&T, &T) -> bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => is(one, other),
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// Signs, which takes long.
fn begin(start: StartHandshake<Underlay>, config: Arc<ServerConfig>) -> tokio_rustls::Accept<Underlay> {
    start.into_stream_with(config, |session| session.set_buffer_limit(Some(OUTPUT_LEN)))
}

/// The handshake has failed: writes what TLS says of it.
async fn failed(moving: Moving, error: &io::Error) -> String {
    moving.last_words().await;
    match rustls_error(error) {
        Some(error) => format!("the TLS handshake failed: {}", words(error)),
        None if error.kind() == ErrorKind::UnexpectedEof => broke(error),
        None => format!("the TLS handshake failed: what came is not TLS ({error})"),
    }
}

fn broke(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => "the client ended its stream during the TLS handshake".to_owned(),
        ErrorKind::InvalidData => format!("the TLS handshake failed: {error}"),
        _ => format!("the transport broke during the TLS handshake: {error}"),
    }
}

impl Configs {
    fn new(keys: &Keys) -> Self {
        let raw = keys
            .identity
            .as_ref()
            .map(|identity| Asking::new(|| Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity.raw_key())) as _));
        let chain = keys
            .certificates
            .as_ref()
            .map(|certificates| Asking::new(|| Arc::new(SingleCertAndKey::from((*certificates.key()).clone())) as _));
        Self { raw, chain }
    }

    /// What is shown to this client, and whether it is the raw key.
    fn choose(&self, hello: &ClientHello<'_>) -> Result<(Arc<ServerConfig>, bool), &'static str> {
        // Who says nothing means certificates (RFC 7250 §4.1).
        let takes = |kind, types: Option<&[CertificateType]>| {
            types.map_or(kind == CertificateType::X509, |types| types.contains(&kind))
        };
        let takes_raw = takes(CertificateType::RawPublicKey, hello.server_cert_types());
        let takes_chain = takes(CertificateType::X509, hello.server_cert_types());
        let (asking, raw) = match (&self.raw, &self.chain) {
            (Some(asking), _) if takes_raw => (asking, true),
            (_, Some(asking)) if takes_chain => (asking, false),
            (_, Some(_)) => return Err(ONLY_CERTIFICATES),
            _ => return Err(ONLY_A_KEY),
        };
        let shows_raw = takes(CertificateType::RawPublicKey, hello.client_cert_types());
        Ok((Arc::clone(if shows_raw { &asking.key } else { &asking.nothing }), raw))
    }
}

impl Asking {
    fn new(resolver: impl Fn() -> Arc<dyn ResolvesServerCert>) -> Self {
        let provider = provider();
        let builder = || {
            ServerConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(VERSIONS)
                .expect("ring has what TLS 1.3 needs")
        };
        let verifier = Arc::new(ClientKey { provider: provider.clone() });
        let finish = |builder: rustls::ConfigBuilder<ServerConfig, WantsServerCert>| {
            let mut config = builder.with_cert_resolver(resolver());
            config.alpn_protocols = vec![ALPN.to_vec()];
            // No connection follows from an earlier one: each proves its keys anew.
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(NoServerSessionStorage {});
            Arc::new(config)
        };
        Self {
            key: finish(builder().with_client_cert_verifier(verifier)),
            nothing: finish(builder().with_no_client_auth()),
        }
    }
}

const ONLY_CERTIFICATES: &str = "nothing in common: the client wants a raw key, and this server has certificates only";
const ONLY_A_KEY: &str = "nothing in common: the client wants certificates, and this server has a raw key only";
