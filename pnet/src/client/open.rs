//! From a transport to a client's connection: TLS, the handshake of its dialect, the driver.

use std::sync::Arc;

use pnet_protocol::{
    dialect::Dialect,
    handshake::ShapePolicy,
    id::ConnectionId,
    json::{JsonReader, JsonWriter},
    limits::{Limits, UNCREDITED_PACKETS},
    protocol::{ProtocolInfo, Role},
    secret::SecretBytes,
    wire::{Reader, Writer},
};
use tokio::time::timeout_at;
use tracing::Instrument;

use crate::{
    client::ClientConfig,
    config,
    connection::{
        Conn,
        driver::{Dispatch, Driver, Opening},
        join::Joining,
    },
    counts::{Met, Trace},
    error::ConnectError,
    transport::{
        PeerAddr, Transport,
        driven::{Driven, Plain},
    },
};

/// A transport to a server.
pub(crate) struct Dialed {
    io: Box<dyn Driven>,
    peer: PeerAddr,
    /// What the server is called: as it was dialled, or its address.
    name: String,
}

impl Dialed {
    pub(crate) fn new(io: impl Transport, peer: PeerAddr, name: Option<String>) -> Self {
        let name = name.unwrap_or_else(|| peer.to_string());
        Self { io: Box::new(Plain(io)), peer, name }
    }
}

/// The handshake, and the driver's start as the very last thing. The connection is counted as a client's by then, who is to
/// be made with [`Client::opened`].
pub(crate) async fn open(
    dialed: Dialed,
    (mut config, credentials): (ClientConfig, &SecretBytes),
    info: &'static ProtocolInfo,
    dispatch: &mut (dyn FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send),
) -> Result<Arc<Conn>, ConnectError> {
    let Dialed { mut io, peer, name } = dialed;
    let after = config.handshake_timeout;
    let deadline = config::after(after);
    let counts = config.counts(info);
    let mut key = None;
    if let Some(connector) = &config.connector {
        // It is large, and those who speak plain text have no place for it.
        let secured = Box::pin(connector.connect(io, &name, deadline)).await;
        let secured = secured.map_err(|_| ConnectError::TimedOut { after })??;
        (io, key) = (secured.io, secured.key);
    } else if !(credentials.is_empty() || peer.is_local() || config.plaintext_credentials) {
        return Err(ConnectError::PlaintextCredentials);
    }
    // What the server's schema looks like is its own business; what this side's looks like is told on the same terms.
    let trusted = config.connector.is_some() || peer.is_local();
    let shapes = if trusted { ShapePolicy::Shapes } else { ShapePolicy::Names };
    let mut joining = Joining::new(io);
    let shaken = match config.dialect {
        Dialect::Json => timeout_at(deadline, shake_json(&mut joining, info, (&config, credentials.as_bytes()))).await,
        _ => timeout_at(deadline, shake(&mut joining, info, (&config, credentials.as_bytes()), shapes)).await,
    };
    let (id, reader, writer, heartbeat_ms) = match shaken {
        Ok(Ok(shaken)) => shaken,
        Ok(Err(error)) => {
            joining.last_words().await;
            return Err(error);
        }
        Err(_) => {
            counts.met(Met::HandshakeTimeout);
            return Err(ConnectError::TimedOut { after });
        }
    };
    let trace = Trace::new(&counts, config.connector.is_some());
    let who = (peer, key);
    let conn = Conn::new(id, who, (Role::Client, info), (writer, &config.limits), config.call_timeout, None, trace);
    let opening = Opening {
        io: joining.io,
        role: Role::Client,
        reader,
        grace: config::GRACE,
        welcome: Vec::new(),
        preface_len: 0,
        tail: joining.tail,
        deadline: config::after(config.handshake_timeout),
        silent: None,
        heartbeat: config::every(heartbeat_ms),
    };
    conn.add_client();
    let driver = Driver::new(opening, Arc::clone(&conn), dispatch(Arc::clone(&conn)));
    let span = tracing::debug_span!("connection", %id, peer = %conn.addr, dialect = %config.dialect, role = "client");
    // A span that nobody looks at is entered and left for each batch all the same.
    if span.is_disabled() {
        tokio::spawn(driver);
    } else {
        tokio::spawn(driver.instrument(span));
    }
    Ok(conn)
}

/// With the heartbeat that the server has announced.
type Shaken = (ConnectionId, Reader, Writer, u32);

async fn shake(
    joining: &mut Joining,
    info: &'static ProtocolInfo,
    (config, credentials): (&ClientConfig, &[u8]),
    shapes: ShapePolicy,
) -> Result<Shaken, ConnectError> {
    let welcomed = joining.client(info, credentials, &config.limits, shapes, config.heartbeat_ms).await?;
    let reader = Reader::native(&config.limits, &info.server);
    Ok((welcomed.connection_id, reader, Writer::native(&welcomed.limits), welcomed.heartbeat_ms))
}

async fn shake_json(
    joining: &mut Joining,
    info: &'static ProtocolInfo,
    (config, credentials): (&ClientConfig, &[u8]),
) -> Result<Shaken, ConnectError> {
    let welcome = joining.json_client(info, credentials, &config.limits, config.heartbeat_ms).await?;
    let reader = JsonReader::client(info, &config.limits, welcome.form);
    let writer = JsonWriter::client(info, &welcome);
    // A server of the old form names no connections.
    let id = welcome.connection_id.unwrap_or_else(ConnectionId::random);
    Ok((id, Reader::Json(Box::new(reader)), Writer::Json(Box::new(writer)), welcome.heartbeat_ms))
}

/// As many handlers as the limits let the peer keep busy.
pub(crate) const fn places(limits: &Limits) -> usize {
    limits.calls as usize + limits.streams as usize + limits.packets as usize
}

/// As many packets and calls as may wait in an inbox. In JSON there is no credit, so there are more of them.
pub(crate) const fn inbox_places(limits: &Limits, dialect: Dialect) -> usize {
    let packets = match dialect {
        Dialect::Json => limits.packets.saturating_mul(UNCREDITED_PACKETS),
        _ => limits.packets,
    };
    limits.calls as usize + limits.streams as usize + packets as usize
}
