//! The settings of a server.

use std::time::Duration;

use pnet_protocol::{json::OLD_PACKET_BYTES, limits::Limits};

use super::admission::Clients;
use crate::{
    config,
    transport::{TlsPolicy, tls::ServerTls},
};

pub(super) struct ServerConfig {
    pub(super) limits: Limits,
    pub(super) dialects: Dialects,
    pub(super) old_clients: bool,
    pub(super) old_packet_bytes: u32,
    pub(super) max_authenticating: usize,
    pub(super) call_timeout: Option<Duration>,
    pub(super) handshake_timeout: Duration,
    pub(super) grace: Duration,
    pub(super) heartbeat_ms: u32,
    pub(super) come_back: Duration,
    pub(super) max_connections: usize,
    pub(super) max_memory: usize,
    pub(super) plaintext_on_network: bool,
    pub(super) tls: ServerTls,
    pub(super) clients: Clients,
    #[cfg(feature = "inspect")]
    pub(super) person: super::observed::Person,
}

/// Which dialects are spoken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialects {
    pub(super) native: bool,
    pub(super) json: bool,
}

impl ServerConfig {
    /// What cannot be meant like this.
    pub(super) fn contradicts_itself(&self) -> Option<&'static str> {
        if self.tls.policy() == TlsPolicy::Off {
            let asks = !self.clients.are_anyone();
            return asks.then_some(
                "clients prove their keys by TLS, which this server has not: set `.identity`, and not `TlsPolicy::Off`",
            );
        }
        self.tls.keys.are_none().then_some("TLS needs something to show: set `.identity` or `.certificates`")
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            dialects: Dialects { native: true, json: true },
            old_clients: false,
            old_packet_bytes: OLD_PACKET_BYTES,
            max_authenticating: config::authenticating(),
            call_timeout: Some(config::CALL),
            handshake_timeout: config::HANDSHAKE,
            grace: config::GRACE,
            come_back: config::COME_BACK,
            heartbeat_ms: config::heartbeat_ms(config::HEARTBEAT),
            max_connections: config::CONNECTIONS,
            max_memory: config::MEMORY,
            plaintext_on_network: false,
            tls: ServerTls::default(),
            clients: Clients::default(),
            #[cfg(feature = "inspect")]
            person: super::observed::Person::default(),
        }
    }
}

#[cfg(feature = "inspect")]
impl ServerConfig {
    /// Where everything is counted that concerns a server.
    pub(super) fn counts(&self, info: &pnet_protocol::protocol::ProtocolInfo) -> crate::counts::Counts {
        let mut allowed = vec![
            (crate::counts::Met::MaxConnections, self.max_connections as u64),
            (crate::counts::Met::MaxMemory, self.max_memory as u64),
            (
                crate::counts::Met::MaxAuthenticating,
                self.max_authenticating.clamp(1, tokio::sync::Semaphore::MAX_PERMITS) as u64,
            ),
            (crate::counts::Met::WaitingSilent, config::HALF_OPEN as u64),
            (crate::counts::Met::WaitingHandshakes, config::HALF_OPEN as u64),
            (crate::counts::Met::WaitingPerAddress, config::HALF_OPEN_PER_ADDRESS as u64),
            (crate::counts::Met::LoginDelay, crate::driver::limits::millis(super::penalties::LONGEST)),
        ];
        let timeouts = (self.handshake_timeout, self.heartbeat_ms, self.call_timeout);
        allowed.extend(crate::driver::limits::of_connections(&self.limits, timeouts));
        crate::counts::Counts::new(info, pnet_protocol::protocol::Role::Server, allowed, None)
    }
}
