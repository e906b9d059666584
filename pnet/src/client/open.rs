//! From a transport to a client's connection: TLS, the handshake of its dialect, the driver.

use std::sync::Arc;

use pnet_protocol::{
    close::{Close, CloseCode},
    dialect::Dialect,
    document,
    handshake::ShapePolicy,
    id::ConnectionId,
    json::{JsonHandshake, JsonReader, JsonWelcome, JsonWriter},
    key::Fingerprint,
    protocol::{ProtocolInfo, Role},
    secret::SecretBytes,
    wire::{Reader, Writer},
};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use super::config::ClientConfig;
use crate::{
    config,
    connection::{Conn, join::Joining},
    counts::{Met, Trace},
    driver::{Driver, Opening, dispatch::Dispatch},
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
    let Secured { mut joining, who, deadline } = secure(dialed, &config, credentials).await?;
    // What the server's schema looks like is its own business; what this side's looks like is told on the same terms.
    let trusted = config.connector.is_some() || who.0.is_local();
    let shapes = if trusted { ShapePolicy::Shapes } else { ShapePolicy::Names };
    let shaken = match config.dialect {
        Dialect::Json => timeout_at(deadline, shake_json(&mut joining, info, (&config, credentials.as_bytes()))).await,
        _ => timeout_at(deadline, shake(&mut joining, info, (&config, credentials.as_bytes()), shapes)).await,
    };
    let shaken = match shaken {
        Ok(Ok(shaken)) => shaken,
        Ok(Err(error)) => {
            joining.last_words().await;
            return Err(error);
        }
        Err(_) => {
            config.counts(info).met(Met::HandshakeTimeout);
            return Err(ConnectError::TimedOut { after: config.handshake_timeout });
        }
    };
    Ok(start(joining, who, (&mut config, info), shaken, dispatch))
}

/// The same in JSON for a client that has to ask the server for its protocol. With the protocol's schema, as the server has
/// written it.
pub(crate) async fn open_asking(
    dialed: Dialed,
    (mut config, credentials): (ClientConfig, &SecretBytes),
    dispatch: &mut (dyn FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send),
) -> Result<(Arc<Conn>, String), ConnectError> {
    let Secured { mut joining, who, deadline } = secure(dialed, &config, credentials).await?;
    let after = config.handshake_timeout;
    let shown = credentials.as_bytes();
    let welcome = joining.json_client(JsonHandshake::asking(), shown, &config.limits, config.heartbeat_ms);
    let welcome = match timeout_at(deadline, welcome).await {
        Ok(Ok(welcome)) => welcome,
        Ok(Err(error)) => {
            joining.last_words().await;
            return Err(error);
        }
        Err(_) => return Err(ConnectError::TimedOut { after }),
    };
    let asked = match timeout_at(deadline, joining.json_schema(&welcome, &config.limits)).await {
        Ok(asked) => asked.and_then(|text| Ok((document::read(&text)?, text))),
        Err(_) => Err(ConnectError::NoSchema { why: format!("it has not answered within {after:?}") }),
    };
    let (info, text) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            joining.refuse_json(Close::new(CloseCode::Normal, "this client needs the schema"));
            joining.last_words().await;
            return Err(error);
        }
    };
    let shaken = json_halves(info, &config, &welcome);
    Ok((start(joining, who, (&mut config, info), shaken, dispatch), text))
}

/// A server that is known to be the right one, as far as this side cares.
struct Secured {
    joining: Joining,
    who: (PeerAddr, Option<Fingerprint>),
    /// When the handshake has to be done.
    deadline: Instant,
}

/// TLS, if this side asks for it.
async fn secure(dialed: Dialed, config: &ClientConfig, credentials: &SecretBytes) -> Result<Secured, ConnectError> {
    let Dialed { mut io, peer, name } = dialed;
    let after = config.handshake_timeout;
    let deadline = config::after(after);
    let mut key = None;
    if let Some(connector) = &config.connector {
        // It is large, and those who speak plain text have no place for it.
        let secured = Box::pin(connector.connect(io, &name, deadline)).await;
        let secured = secured.map_err(|_| ConnectError::TimedOut { after })??;
        (io, key) = (secured.io, secured.key);
    } else if !(credentials.is_empty() || peer.is_local() || config.plaintext_credentials) {
        return Err(ConnectError::PlaintextCredentials);
    }
    Ok(Secured { joining: Joining::new(io), who: (peer, key), deadline })
}

/// Starts the driver.
fn start(
    joining: Joining,
    who: (PeerAddr, Option<Fingerprint>),
    (config, info): (&mut ClientConfig, &'static ProtocolInfo),
    (id, reader, writer, heartbeat_ms): Shaken,
    dispatch: &mut (dyn FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send),
) -> Arc<Conn> {
    let trace = Trace::new(&config.counts(info), config.connector.is_some());
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
    conn
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
    let handshake = JsonHandshake::new(info);
    let welcome = joining.json_client(handshake, credentials, &config.limits, config.heartbeat_ms).await?;
    Ok(json_halves(info, config, &welcome))
}

fn json_halves(info: &'static ProtocolInfo, config: &ClientConfig, welcome: &JsonWelcome) -> Shaken {
    let reader = JsonReader::client(info, &config.limits, welcome.form);
    let mut writer = JsonWriter::client(info, welcome);
    writer.set_old_packet_bytes(config.old_packet_bytes);
    // A server of the old form names no connections.
    let id = welcome.connection_id.unwrap_or_else(ConnectionId::random);
    (id, Reader::Json(Box::new(reader)), Writer::Json(Box::new(writer)), welcome.heartbeat_ms)
}
