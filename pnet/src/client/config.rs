//! The settings that all builders of clients have.

use std::{sync::Arc, time::Duration};

use pnet_protocol::{
    dialect::Dialect,
    json::OLD_PACKET_BYTES,
    limits::Limits,
    protocol::{Protocol, ProtocolInfo},
    secret::SecretBytes,
};
use tokio::time::timeout;

use super::credentials::Offer;
use crate::{
    config,
    counts::Counts,
    error::ConnectError,
    transport::tls::{ClientTls, Connector},
};

#[derive(Clone, Debug)]
pub(crate) struct ClientConfig {
    pub(crate) limits: Limits,
    pub(crate) dialect: Dialect,
    pub(crate) credentials: Offer,
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) handshake_timeout: Duration,
    pub(crate) heartbeat_ms: u32,
    pub(crate) old_packet_bytes: u32,
    pub(crate) plaintext_on_network: bool,
    pub(crate) plaintext_credentials: bool,
    pub(crate) tls: ClientTls,
    /// Whom to trust, once that is settled; plain text if nobody was named.
    pub(crate) connector: Option<Arc<Connector>>,
    /// What all connections have in common that are made with this.
    pub(crate) counts: Option<Counts>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            dialect: Dialect::Native,
            credentials: Offer::default(),
            call_timeout: Some(config::CALL),
            handshake_timeout: config::HANDSHAKE,
            heartbeat_ms: 0,
            old_packet_bytes: OLD_PACKET_BYTES,
            plaintext_on_network: false,
            plaintext_credentials: false,
            tls: ClientTls::default(),
            connector: None,
            counts: None,
        }
    }
}

impl ClientConfig {
    /// Settles whom to trust, and sees whether something can be shown, before anything is connected to.
    pub(crate) async fn settle<Pr: Protocol>(&mut self) -> Result<(), ConnectError> {
        self.credentials.check::<Pr>()?;
        self.settle_trust().await
    }

    /// Settles whom to trust.
    pub(crate) async fn settle_trust(&mut self) -> Result<(), ConnectError> {
        self.connector = self.tls.connector().await?;
        Ok(())
    }

    /// What the one connection is to show; a program that is asked for it has as long as a handshake.
    pub(crate) async fn credentials(&self) -> Result<Arc<SecretBytes>, ConnectError> {
        let after = self.handshake_timeout;
        timeout(after, self.credentials.json()).await.map_err(|_| ConnectError::TimedOut { after })?
    }

    /// Where the connections are counted that are made with this, and with copies of it from now on.
    pub(crate) fn counts(&mut self, info: &'static ProtocolInfo) -> Counts {
        #[cfg(feature = "inspect")]
        let new = || {
            let timeouts = (self.handshake_timeout, self.heartbeat_ms, self.call_timeout);
            let allowed = crate::driver::limits::of_connections(&self.limits, timeouts);
            #[cfg(feature = "tls")]
            let key = self.tls.identity.as_ref().map(crate::Identity::fingerprint);
            #[cfg(not(feature = "tls"))]
            let key = None;
            Counts::new(info, pnet_protocol::protocol::Role::Client, allowed, key)
        };
        #[cfg(not(feature = "inspect"))]
        let new = || {
            let _ = info;
            Counts::default()
        };
        self.counts.get_or_insert_with(new).clone()
    }

    /// Whether connections may leave this machine, once that is settled.
    pub(crate) const fn may_go_beyond_loopback(&self) -> bool {
        self.plaintext_on_network || self.connector.is_some()
    }
}
