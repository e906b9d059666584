//! Stands in for TLS where the feature `tls` is off: no client has it, and no server.

use std::sync::Arc;

use pnet_protocol::key::Fingerprint;
use tokio::time::{Instant, error::Elapsed};

use super::{TlsPolicy, Transport, driven::Driven};
use crate::error::ConnectError;

/// A transport whose handshake is done: there is none.
pub(crate) struct Secured {
    pub(crate) io: Box<dyn Driven>,
    pub(crate) key: Option<Fingerprint>,
}

/// What a client's builder was told: nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientTls {}

/// There is none.
#[derive(Debug)]
pub(crate) enum Connector {}

/// What a server's builder was told: nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerTls {
    pub(crate) keys: Keys,
}

/// What a server shows: nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {}

/// Is never asked.
#[derive(Debug)]
pub(crate) struct Acceptor;

impl ClientTls {
    pub(crate) const fn trusting_by_default(self, _: Option<Fingerprint>) -> Self {
        self
    }

    #[expect(clippy::unused_async, reason = "with TLS it waits")]
    pub(crate) async fn connector(&self) -> Result<Option<Arc<Connector>>, ConnectError> {
        Ok(None)
    }
}

impl Connector {
    #[expect(clippy::unused_async, reason = "with TLS it waits")]
    pub(crate) async fn connect(
        &self,
        _: Box<dyn Transport>,
        _: &str,
        _: Instant,
    ) -> Result<Result<Secured, ConnectError>, Elapsed> {
        match *self {}
    }
}

impl Keys {
    pub(crate) const fn are_none(&self) -> bool {
        true
    }
}

impl ServerTls {
    pub(crate) const fn policy(&self) -> TlsPolicy {
        TlsPolicy::Off
    }
}

impl Acceptor {
    pub(crate) const fn new(_: &ServerTls) -> Self {
        Self
    }

    pub(crate) const fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    #[expect(clippy::unused_async, reason = "with TLS it waits")]
    pub(crate) async fn accept(&self, _: Box<dyn Transport>, _: Vec<u8>) -> Result<Secured, String> {
        Err("TLS is not built in".to_owned())
    }
}
