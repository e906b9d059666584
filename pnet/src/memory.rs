//! Servers and clients in one process, without a socket: the same handshake, frames and driver. For tests, and for
//! programs that have their server inside.
//!
//! ```
//! # use pnet::{Packet, protocol, actions, action};
//! # use serde::{Serialize, Deserialize};
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Told { n: u8 }
//! # protocol! { pub Quiz { client { Ask -> Told } } }
//! # #[action("ASK")] fn ask(p: Ask) -> Told { Told { n: p.n + 1 } }
//! # actions! { pub server QuizServer for Quiz: ask }
//! # actions! { pub client Ui for Quiz: }
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let quiz = pnet::memory::serve(QuizServer, ()).connect(Ui, ()).await?;
//! assert_eq!(quiz.call(Ask { n: 1 }).await?.n, 2);
//! # Ok(()) }
//! ```

use std::{fmt, sync::Arc, time::Duration};

use pnet_protocol::protocol::{ClientSide, Phase, Protocol};

use crate::{
    client::{Client, ClientBuilder, InboxBuilder, connect, connect_inbox},
    error::ConnectError,
    hub::Hub,
    inbox::{Inbox, Receive},
    server::{Server, ServerBuilder, ServerHandle, Shutdown, serve as serve_anywhere},
    service::{
        Service,
        bounds::{Connects, Serves},
    },
    transport::{
        PeerAddr,
        memory::{Connector, channel},
    },
};

/// Serves in memory with the defaults; [`ServerBuilder::in_memory`] takes settings. Must be called in a tokio runtime.
///
/// # Panics
///
/// Outside of a tokio runtime.
pub fn serve<S, P>(service: S, state: impl Into<Arc<S::State>>) -> MemoryServer<P>
where
    S: Service,
    S::Side: Serves,
    P: Phase<Protocol = S::Protocol>,
    S::Protocol: Protocol<Start = P>,
{
    serve_anywhere(service, state).in_memory()
}

impl<S: Service> ServerBuilder<S> {
    /// Serves in memory. Must be called in a tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn in_memory<P>(self) -> MemoryServer<P>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        let (connector, listener) = channel();
        MemoryServer { connector, server: self.listen(listener).keep_open() }
    }
}

/// A server in memory. Dropping it ends accepting; connections live on until their client ends them.
pub struct MemoryServer<P: Phase> {
    connector: Connector,
    server: Server<P, ()>,
}

impl<P: Phase> MemoryServer<P> {
    /// Connects a client with handlers. If the server has an [identity](ServerBuilder::identity), the client speaks TLS with
    /// it, and trusts it unless its builder says whom to trust.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], as [`ClientBuilder::to`]: the connect handler may refuse, for one.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn connect<S>(&self, service: S, state: impl Into<Arc<S::State>>) -> Result<Client<P>, ConnectError>
    where
        S: Service<Protocol = P::Protocol>,
        S::Side: Connects,
        P::Protocol: Protocol<Start = P>,
    {
        self.connect_with(connect(service, state)).await
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn connect_with<S>(&self, builder: ClientBuilder<S>) -> Result<Client<P>, ConnectError>
    where
        S: Service<Protocol = P::Protocol>,
        P::Protocol: Protocol<Start = P>,
    {
        let io = self.connector.open().await.map_err(no_listener)?;
        builder.trusting(self.server.own_key()).over(io, PeerAddr::Memory).await
    }

    /// Connects a client with an inbox.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn connect_inbox(&self) -> Result<(Client<P>, Inbox<P::Protocol>), ConnectError>
    where
        P::Protocol: Receive<ClientSide> + Protocol<Start = P>,
    {
        self.connect_inbox_with(connect_inbox()).await
    }

    /// The same with settings.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn connect_inbox_with(
        &self,
        builder: InboxBuilder<P::Protocol>,
    ) -> Result<(Client<P>, Inbox<P::Protocol>), ConnectError>
    where
        P::Protocol: Receive<ClientSide> + Protocol<Start = P>,
    {
        let io = self.connector.open().await.map_err(no_listener)?;
        builder.trusting(self.server.own_key()).over(io, PeerAddr::Memory).await
    }

    /// Opens a bare transport to the server, for peers that are not pnet's own client.
    #[must_use]
    pub fn connector(&self) -> Connector {
        self.connector.clone()
    }

    /// Every connection.
    #[must_use]
    pub fn hub(&self) -> Hub<P> {
        self.server.hub()
    }

    /// A handle that can shut the server down.
    #[must_use]
    pub fn handle(&self) -> ServerHandle<P> {
        self.server.handle()
    }

    /// Shuts down: see [`ServerHandle::shutdown`].
    ///
    /// # Cancel safety
    ///
    /// As [`ServerHandle::shutdown`].
    pub async fn shutdown(self, grace: Duration) -> Shutdown {
        self.server.handle().shutdown(grace).await
    }
}

impl<P: Phase> fmt::Debug for MemoryServer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryServer").field("hub", &self.hub()).finish_non_exhaustive()
    }
}

fn no_listener(source: std::io::Error) -> ConnectError {
    ConnectError::Io { address: PeerAddr::Memory.to_string(), source }
}
