//! What is known about a packet beside its data.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use pnet_protocol::{connection::StreamId, key::Fingerprint};
use tokio::time::Instant;

/// What is known about a packet beside its data. A handler may take it by value or as `&Meta`.
#[derive(Clone, Debug)]
pub struct Meta {
    pub(crate) action: &'static str,
    pub(crate) created: Option<SystemTime>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) call: bool,
    /// The stream that the handler produces.
    pub(crate) stream: Option<StreamId>,
    /// Filled in where a handler or an inbox's reader sees it.
    pub(crate) key: Option<Arc<Fingerprint>>,
}

impl Meta {
    /// The metadata of connect and disconnect handlers, which have no packet.
    pub(crate) const fn none() -> Self {
        Self { action: "", created: None, deadline: None, call: false, stream: None, key: None }
    }

    /// The packet's action; empty in connect and disconnect handlers.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        self.action
    }

    /// When the sender wrote the packet, by its own clock; packets written together share one time. It is information
    /// from the peer and proves nothing.
    #[must_use]
    pub const fn created(&self) -> Option<SystemTime> {
        self.created
    }

    /// When the caller stops waiting, by this side's clock; `None` for a packet that is not a call, and for a call
    /// without a timeout.
    ///
    /// Calls and streams that the handler opens while it runs, on this connection or any other, end by then, too: they
    /// inherit what is left. Those of a task that the handler spawns do not; such a task may ask for
    /// [`remaining`](Self::remaining).
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long the caller still waits: what is left until the [`deadline`](Self::deadline), zero once it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// The key that the sender has proved to hold: see [`Peer::key`](crate::Peer::key).
    #[must_use]
    pub fn key(&self) -> Option<&Fingerprint> {
        self.key.as_deref()
    }

    /// Whether the sender waits for an answer.
    #[must_use]
    pub const fn is_call(&self) -> bool {
        self.call
    }
}
