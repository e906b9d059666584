//! How to connect.

use std::{fmt, sync::Arc};

use pnet_protocol::{dialect::Dialect, document};

use super::{
    client::Client,
    inbox::{Inbox, Untyped},
};
use crate::{
    client::{ClientConfig, Dialed, Offer, connection_settings, open, open_asking},
    config::inbox_places,
    connection::Conn,
    driver::dispatch::Dispatch,
    error::ConnectError,
    inbox::{Feed, queue},
    transport::{
        PeerAddr, Transport,
        tcp::{self, Address},
    },
};

/// Connects to a server whose protocol is known at run time only, in the JSON dialect.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use pnet::dynamic::{self, Direction};
///
/// let (client, mut inbox) = dynamic::connect().to(pnet::DEFAULT_ADDRESS).await?;
/// for action in client.actions(Direction::ToServer) {
///     println!("{} {}", action.action(), action.shape());
/// }
/// while let Some(received) = inbox.recv().await {
///     println!("{} {}", received.packet.action(), received.packet.data());
/// }
/// # Ok(()) }
/// ```
pub fn connect() -> Builder {
    Builder { config: ClientConfig { dialect: Dialect::Json, ..ClientConfig::default() }, schema: None }
}

/// How to connect; made by [`connect`].
#[must_use = "nothing is connected before `to` or `over` is awaited"]
pub struct Builder {
    config: ClientConfig,
    schema: Option<Arc<str>>,
}

impl Builder {
    connection_settings!();

    /// What this client shows to be let in, as JSON: a value of the type that the protocol declares. At most 3 KiB as text, or
    /// connecting is a [`ConnectError::Credentials`].
    ///
    /// Without TLS it would travel in plain text. Beyond this machine that is a [`ConnectError::PlaintextCredentials`], unless it
    /// is [allowed](Self::plaintext_credentials).
    pub fn credentials(mut self, credentials: serde_json::Value) -> Self {
        self.config.credentials = Offer::settled(&credentials);
        self
    }

    /// Uses this schema, as [`Protocol::schema`](crate::Protocol::schema) has written it, and does not ask the server: for servers
    /// that are not made with pnet, and for those that do not tell shapes.
    pub fn schema(mut self, text: impl Into<Arc<str>>) -> Self {
        self.schema = Some(text.into());
        self
    }

    /// Connects over TCP.
    ///
    /// # Errors
    ///
    /// [`ConnectError`], as [`ClientBuilder::to`](crate::ClientBuilder::to). [`ConnectError::NoSchema`] if the server does not say
    /// what its protocol is, [`ConnectError::Schema`] if what it says, or what was given to [`schema`](Self::schema), cannot be
    /// used.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn to(mut self, address: impl Address) -> Result<(Client, Inbox), ConnectError> {
        self.config.settle_trust().await?;
        let name = address.to_name();
        let (io, peer) = tcp::connect(address, self.config.may_go_beyond_loopback()).await?;
        self.open(Dialed::new(io, peer, Some(name))).await
    }

    /// Connects over a transport that exists already; `peer` says who is at its other end, and what the server is called where
    /// TLS has to know that.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt and the transport.
    pub async fn over(mut self, io: impl Transport, peer: PeerAddr) -> Result<(Client, Inbox), ConnectError> {
        self.config.settle_trust().await?;
        self.open(Dialed::new(io, peer, None)).await
    }

    async fn open(self, dialed: Dialed) -> Result<(Client, Inbox), ConnectError> {
        let Self { config, schema } = self;
        let credentials = config.credentials().await?;
        let (items, received) = queue(inbox_places(&config.limits, config.dialect));
        let mut dispatch =
            |conn: Arc<Conn>| -> Box<dyn Dispatch> { Box::new(Feed::<Untyped>::new(items.clone(), conn)) };
        let (conn, schema) = match schema {
            Some(text) => {
                let info = document::read(&text)?;
                (open(dialed, (config, &credentials), info, &mut dispatch).await?, text)
            }
            None => {
                let (conn, text) = open_asking(dialed, (config, &credentials), &mut dispatch).await?;
                (conn, text.into())
            }
        };
        Ok((Client::opened(conn, schema), Inbox::new(received)))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").finish_non_exhaustive()
    }
}
