//! How to connect: with handlers or with an inbox, to whom, and whom to trust.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, OnceLock},
};

use pnet_protocol::{
    dialect::Dialect,
    key::Fingerprint,
    protocol::{ClientSide, CredentialsOf, Phase, Protocol},
    secret::SecretBytes,
};

use super::{
    Client, Dialed,
    config::ClientConfig,
    credentials::{IntoCredentials, Offer},
    open,
    settings::connection_settings,
};
use crate::{
    config::{inbox_places, places},
    connection::registry::HubCore,
    driver::dispatch::Dispatch,
    error::ConnectError,
    inbox::{self, Feed, Inbox, Receive, Typed},
    service::{
        Service,
        bounds::Connects,
        context::{Link, Shared, pool::Pool},
        served::Served,
    },
    transport::{
        PeerAddr, Transport,
        tcp::{self, Address},
    },
};

/// Connects with handlers: `actions! { pub client … }` made the service, `state` is what its handlers share.
///
/// # Examples
///
/// ```no_run
/// # use pnet::{Packet, protocol, actions};
/// # use serde::{Serialize, Deserialize};
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Told { n: u8 }
/// # protocol! { pub Quiz { client { Ask -> Told } } }
/// # actions! { pub client Ui for Quiz: }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let quiz = pnet::connect(Ui, ()).to(pnet::DEFAULT_ADDRESS).await?;
/// let Told { n } = quiz.call(Ask { n: 1 }).await?;
/// quiz.close().await;
/// # Ok(()) }
/// ```
pub fn connect<S>(service: S, state: impl Into<Arc<S::State>>) -> ClientBuilder<S>
where
    S: Service,
    S::Side: Connects,
{
    let _ = service;
    ClientBuilder { state: state.into(), config: ClientConfig::default() }
}

/// Connects without handlers: what the server sends is read from an [`Inbox`].
///
/// # Examples
///
/// ```no_run
/// # use pnet::{Packet, protocol};
/// # use serde::{Serialize, Deserialize};
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Tick { n: u8 }
/// # protocol! { pub Clock { client { } server { Tick } } }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (clock, mut inbox) = pnet::connect_inbox::<Clock>().to(pnet::DEFAULT_ADDRESS).await?;
/// while let Some(packet) = inbox.recv().await {
///     match packet {
///         ClockFromServer::Tick(tick) => println!("{}", tick.n),
///     }
/// }
/// println!("{}", clock.closed().await);
/// # Ok(()) }
/// ```
pub fn connect_inbox<P: Receive<ClientSide>>() -> InboxBuilder<P> {
    InboxBuilder { config: ClientConfig::default(), protocol: PhantomData }
}

/// How to connect with handlers; made by [`connect`].
#[must_use = "nothing is connected before `to` or `over` is awaited"]
pub struct ClientBuilder<S: Service> {
    pub(crate) state: Arc<S::State>,
    pub(crate) config: ClientConfig,
}

/// How to connect with an inbox; made by [`connect_inbox`].
#[must_use = "nothing is connected before `to` or `over` is awaited"]
pub struct InboxBuilder<P> {
    pub(crate) config: ClientConfig,
    protocol: PhantomData<fn() -> P>,
}

/// The settings that depend on the protocol's type.
macro_rules! settings {
    ($protocol:ty) => {
        /// How packets look on this connection: native unless this says otherwise. The packets, the handlers and the
        /// promises are the same in both dialects.
        ///
        /// [`Dialect::Json`] is for servers that are not made with pnet, and for reading along. Such a client listens for
        /// 0.2 s whether the server speaks first, as the Python library's does; then it says `handShake`, and after 2 s
        /// without an answer takes the server for one that has no handshake, unless it was shown credentials, which it may
        /// look at for longer. Answers without `re` are told by their
        /// action, and a server of the old form is sent one packet at a time: `docs/wire.md` §11.7.
        pub const fn dialect(mut self, dialect: Dialect) -> Self {
            self.config.dialect = dialect;
            self
        }

        /// What this client shows to be let in: what `credentials …;` says in the protocol. The server's handler under
        /// `#[action(authenticate)]` gets it. At most 3 KiB as JSON, or connecting is a [`ConnectError::Credentials`].
        ///
        /// Without TLS they would travel in plain text. Beyond this machine that is a
        /// [`ConnectError::PlaintextCredentials`], unless it is [allowed](Self::plaintext_credentials).
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # use pnet::{Packet, protocol, actions};
        /// # use serde::{Serialize, Deserialize};
        /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
        /// #[derive(Serialize, Deserialize)]
        /// pub struct Login {
        ///     name: String,
        ///     password: String,
        /// }
        ///
        /// protocol! {
        ///     pub Quiz {
        ///         credentials Login;
        ///         client { Ask }
        ///     }
        /// }
        /// # actions! { pub client Ui for Quiz: }
        /// # async fn example(password: String) -> Result<(), Box<dyn std::error::Error>> {
        /// let login = Login { name: "ada".to_owned(), password };
        /// let quiz = pnet::connect(Ui, ()).credentials(&login).to(pnet::DEFAULT_ADDRESS).await?;
        /// # drop(quiz);
        /// # Ok(()) }
        /// ```
        pub fn credentials<C: CredentialsOf<$protocol>>(mut self, credentials: &C) -> Self {
            self.config.credentials = Offer::settled(credentials.as_declared());
            self
        }

        /// The same for what may be another each time, such as a token that expires: `ask` is called for each connection that
        /// is made, again when the client [reconnects](Self::reconnect). It gives the credentials, or a `Result` of them and of
        /// what becomes a [`Refused`](crate::Refused).
        ///
        /// It runs before the server is connected to, within the [`handshake_timeout`](Self::handshake_timeout). What it gives is
        /// shown once the server is known to be the right one. An error of it, and a panic, is a [`ConnectError::NothingToShow`]: a
        /// client that reconnects tries again later, unless it is [`for_good`](crate::Refused::for_good).
        ///
        /// A client that reconnects and whose credentials are refused asks once more. If it is given something else, it
        /// tries again, as after any lost connection; if it is given the same, it ends with the server's reason.
        ///
        /// # Examples
        ///
        /// ```no_run
        /// # use pnet::{Backoff, Packet, Refused, protocol, actions};
        /// # use serde::{Serialize, Deserialize};
        /// # #[derive(Packet, Serialize, Deserialize)] pub struct Ask { n: u8 }
        /// # #[derive(Serialize, Deserialize)] pub struct Ticket(String);
        /// # protocol! { pub Quiz { credentials Ticket; client { Ask } } }
        /// # actions! { pub client Ui for Quiz: }
        /// # struct Office; impl Office { async fn fresh_ticket(&self) -> Result<Ticket, std::io::Error> { Ok(Ticket(String::new())) } }
        /// # async fn example(office: std::sync::Arc<Office>) -> Result<(), Box<dyn std::error::Error>> {
        /// let quiz = pnet::connect(Ui, ())
        ///     .credentials_with(move || {
        ///         let office = office.clone();
        ///         async move { office.fresh_ticket().await.map_err(|error| Refused::new(error.to_string())) }
        ///     })
        ///     .reconnect(Backoff::default())
        ///     .to(pnet::DEFAULT_ADDRESS)
        ///     .await?;
        /// # drop(quiz);
        /// # Ok(()) }
        /// ```
        pub fn credentials_with<F, Fut, M>(mut self, ask: F) -> Self
        where
            F: Fn() -> Fut + Send + Sync + 'static,
            Fut: Future<Output: IntoCredentials<$protocol, M>> + Send + 'static,
        {
            self.config.credentials = Offer::asked::<$protocol, _, _, _>(ask);
            self
        }

        /// Trusts the server in this process, unless whom to trust was said.
        pub(crate) fn trusting(self, key: Option<Fingerprint>) -> Self {
            let config = ClientConfig { tls: self.config.tls.trusting_by_default(key), ..self.config };
            Self { config, ..self }
        }
    };
}

impl<S: Service> ClientBuilder<S> {
    connection_settings!();
    settings!(S::Protocol);

    /// Connects over TCP.
    ///
    /// Nothing that the server sends reaches a handler before the handshake is done, which is when this returns.
    ///
    /// # Errors
    ///
    /// [`ConnectError`]: the address cannot be reached or is beyond loopback, the server speaks something else or
    /// another version of the protocol (the error names what differs), it refused, or it took too long.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn to<P>(mut self, address: impl Address) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        self.config.settle::<S::Protocol>().await?;
        let credentials = self.config.credentials().await?;
        let name = address.to_name();
        let (io, peer) = tcp::connect(address, self.config.may_go_beyond_loopback()).await?;
        self.open(Dialed::new(io, peer, Some(name)), &credentials).await
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
    pub async fn over<P>(mut self, io: impl Transport, peer: PeerAddr) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        self.config.settle::<S::Protocol>().await?;
        let credentials = self.config.credentials().await?;
        self.open(Dialed::new(io, peer, None), &credentials).await
    }

    async fn open<P>(self, dialed: Dialed, credentials: &SecretBytes) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        let places = places(&self.config.limits);
        let state = self.state;
        let mut dispatch = |conn| -> Box<dyn Dispatch> {
            let shared =
                Arc::new(Shared { state: Arc::clone(&state), hub: Arc::new(HubCore::default()), pool: Pool::new() });
            let link = Arc::new(Link { shared, conn, user: None, member: OnceLock::new() });
            Box::new(Served::<S>::new(link, places))
        };
        open(dialed, (self.config, credentials), S::Protocol::INFO, &mut dispatch).await.map(Client::opened)
    }
}

impl<Pr: Receive<ClientSide>> InboxBuilder<Pr> {
    connection_settings!();
    settings!(Pr);

    /// Connects over TCP.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::to`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn to<P>(mut self, address: impl Address) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        self.config.settle::<Pr>().await?;
        let credentials = self.config.credentials().await?;
        let name = address.to_name();
        let (io, peer) = tcp::connect(address, self.config.may_go_beyond_loopback()).await?;
        self.open(Dialed::new(io, peer, Some(name)), &credentials).await
    }

    /// Connects over a transport that exists already; `peer` says who is at its other end, and what the server is called where
    /// TLS has to know that.
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::to`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt and the transport.
    pub async fn over<P>(mut self, io: impl Transport, peer: PeerAddr) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        self.config.settle::<Pr>().await?;
        let credentials = self.config.credentials().await?;
        self.open(Dialed::new(io, peer, None), &credentials).await
    }

    async fn open<P>(self, dialed: Dialed, credentials: &SecretBytes) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        let (items, inbox) = inbox::channel(inbox_places(&self.config.limits, self.config.dialect));
        let mut dispatch = |conn| -> Box<dyn Dispatch> { Box::new(Feed::<Typed<Pr>>::new(items.clone(), conn)) };
        let conn = open(dialed, (self.config, credentials), Pr::INFO, &mut dispatch).await?;
        Ok((Client::opened(conn), inbox))
    }
}

impl<S: Service> fmt::Debug for ClientBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").finish_non_exhaustive()
    }
}

impl<P> fmt::Debug for InboxBuilder<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxBuilder").finish_non_exhaustive()
    }
}
