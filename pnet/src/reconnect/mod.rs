//! Clients that connect again when their connection is lost.
//!
//! The users' handles share a [`Line`], which has one connection at a time. A task of its own ([`supervisor`]) waits for
//! the connection's end, decides whether another follows and when, connects, and puts it on the line. Nothing is resumed:
//! what was on its way when a connection ended is lost with it.

mod backoff;
mod supervisor;

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
};

use pnet_protocol::protocol::{ClientSide, Phase, Protocol};

pub use self::backoff::Backoff;
use self::supervisor::start;
use crate::{
    calls::line::WhileDown,
    client::{Client, ClientBuilder, ClientConfig, InboxBuilder},
    config::{inbox_places, places},
    connection::{Conn, registry::HubCore},
    driver::dispatch::Dispatch,
    error::{ConnectError, Refused},
    inbox::{self, Feed, Inbox, Receive, Typed},
    service::{
        Service,
        context::{Link, Shared, pool::Pool},
        served::Served,
    },
    transport::{
        Connect,
        tcp::{self, Address},
    },
    unwind::hook::Hooked,
};

/// How to connect with handlers, and again; made by [`ClientBuilder::reconnect`].
#[must_use = "nothing is connected before `to` or `via` is awaited"]
pub struct ReconnectBuilder<S: Service> {
    state: Arc<S::State>,
    plan: Plan<<S::Protocol as Protocol>::Start>,
}

/// How to connect with an inbox, and again; made by [`InboxBuilder::reconnect`].
#[must_use = "nothing is connected before `to` or `via` is awaited"]
pub struct ReconnectInboxBuilder<Pr: Receive<ClientSide>> {
    plan: Plan<Pr::Start>,
    protocol: std::marker::PhantomData<fn() -> Pr>,
}

/// What both builders hold.
struct Plan<P: Phase> {
    config: ClientConfig,
    backoff: Backoff,
    hook: Option<Hook<P>>,
    while_down: WhileDown,
}

type Hook<P> = Box<dyn Fn(Client<P>) -> Hooked + Send + Sync>;

impl<P: Phase> Plan<P> {
    const fn new(config: ClientConfig, backoff: Backoff) -> Self {
        Self { config, backoff, hook: None, while_down: WhileDown::Wait }
    }

    /// Whom to trust is settled once, for all connections.
    async fn ready(mut self) -> Result<Self, ConnectError> {
        self.config.settle::<P::Protocol>().await?;
        Ok(self)
    }
}

impl<S: Service> ClientBuilder<S> {
    /// Connects again whenever the connection is lost: goes on to the part of the settings that is about that.
    ///
    /// The [`Client`] stays the same and always talks on the current connection. What was on its way when a connection
    /// ended is not sent again: such calls fail as [`Disconnected`](crate::CallError::Disconnected) at once. The service's
    /// handlers, its connect and disconnect handlers too, run for each connection anew, and the client they are given is
    /// that connection's alone.
    ///
    /// Whether to come back is for the server to say ([`Closed::retry`](crate::Closed::retry)), else the code decides
    /// ([`CloseCode::is_retryable`](crate::CloseCode::is_retryable)). An attempt that fails counts by the same rule; one
    /// that cannot reach the server is made again. [`Client::close`] ends it all at any moment, and so does dropping the
    /// last handle.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use pnet::{Packet, protocol, actions};
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Packet, Serialize, Deserialize)] pub struct Login { name: String }
    /// # protocol! { pub Chat { client { Login -> () } } }
    /// # actions! { pub client ChatUi for Chat: }
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use pnet::{Backoff, Client, Refused};
    ///
    /// let chat: Client<Chat> = pnet::connect(ChatUi, ())
    ///     .reconnect(Backoff::default())
    ///     .connected(|chat: Client<Chat>| async move {
    ///         let login = Login { name: "ada".to_owned() };
    ///         chat.call(login).await.map_err(|error| Refused::new(error.to_string()))
    ///     })
    ///     .to(pnet::DEFAULT_ADDRESS)
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn reconnect(self, backoff: Backoff) -> ReconnectBuilder<S> {
        ReconnectBuilder { state: self.state, plan: Plan::new(self.config, backoff) }
    }
}

impl<Pr: Receive<ClientSide>> InboxBuilder<Pr> {
    /// Connects again whenever the connection is lost: see [`ClientBuilder::reconnect`].
    ///
    /// The inbox goes on over all connections. What came on one and was not read when it ended stays to be read; the answer
    /// to such a call goes nowhere. No new connection is made while more of that is unread than one connection may have on
    /// its way.
    pub fn reconnect(self, backoff: Backoff) -> ReconnectInboxBuilder<Pr> {
        ReconnectInboxBuilder { plan: Plan::new(self.config, backoff), protocol: std::marker::PhantomData }
    }
}

/// The settings that both builders have.
macro_rules! settings {
    ($phase:ty) => {
        /// What is done on each new connection before it is the client's: log in, subscribe. Others that call meanwhile
        /// wait.
        ///
        /// The client it is given is that connection's alone. An error closes the connection with its reason: the next
        /// attempt is made later, or never if it is [`for_good`](Refused::for_good); a panic is an error. It has no
        /// timeout of its own; if the connection ends first, it is dropped at its next `.await`.
        pub fn connected<F, Fut>(mut self, hook: F) -> Self
        where
            F: Fn(Client<$phase>) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<(), Refused>> + Send + 'static,
        {
            self.plan.hook = Some(Box::new(move |client| Box::pin(hook(client))));
            self
        }

        /// What becomes of calls and packets that are made while there is no connection: they wait, unless this says
        /// otherwise. [`try_send`](Client::try_send) fails in any case.
        pub fn while_down(mut self, while_down: WhileDown) -> Self {
            self.plan.while_down = while_down;
            self
        }
    };
}

impl<S: Service> ReconnectBuilder<S> {
    settings!(<S::Protocol as Protocol>::Start);

    /// Connects over TCP. The address is resolved anew for each attempt, and each attempt has the time that
    /// [`handshake_timeout`](ClientBuilder::handshake_timeout) says, from the first packet to the welcome.
    ///
    /// # Errors
    ///
    /// Those of the first attempt, as [`ClientBuilder::to`]; and [`ConnectError::Hook`]. Later ones are tried again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the attempt; the server may have seen a connection.
    pub async fn to<P>(self, address: impl Address + Clone + Send + Sync + 'static) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        let plan = self.plan.ready().await?;
        let make = serve::<S>(self.state, &plan.config);
        let (server, beyond) = (Some(address.to_name()), plan.config.may_go_beyond_loopback());
        let dial = move || tcp::connect(address.clone(), beyond);
        start(plan, (server, dial), || std::future::ready(()), make).await
    }

    /// Connects over transports that `connector` opens: in memory, or through a proxy. What the server is called, for TLS, is
    /// the address that comes with them.
    ///
    /// # Errors
    ///
    /// As [`to`](Self::to).
    ///
    /// # Cancel safety
    ///
    /// As [`to`](Self::to).
    pub async fn via<P>(self, connector: impl Connect) -> Result<Client<P>, ConnectError>
    where
        P: Phase<Protocol = S::Protocol>,
        S::Protocol: Protocol<Start = P>,
    {
        let plan = self.plan.ready().await?;
        let make = serve::<S>(self.state, &plan.config);
        let connector = Arc::new(connector);
        let dial = move || dial(Arc::clone(&connector));
        start(plan, (None, dial), || std::future::ready(()), make).await
    }
}

impl<Pr: Receive<ClientSide>> ReconnectInboxBuilder<Pr> {
    settings!(Pr::Start);

    /// Connects over TCP: see [`ReconnectBuilder::to`].
    ///
    /// # Errors
    ///
    /// As [`ReconnectBuilder::to`].
    ///
    /// # Cancel safety
    ///
    /// As [`ReconnectBuilder::to`].
    pub async fn to<P>(
        self,
        address: impl Address + Clone + Send + Sync + 'static,
    ) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        let plan = self.plan.ready().await?;
        let (items, room, inbox) = feed(&plan.config);
        let make = move |conn| -> Box<dyn Dispatch> { Box::new(Feed::<Typed<Pr>>::new(items.clone(), conn)) };
        let (server, beyond) = (Some(address.to_name()), plan.config.may_go_beyond_loopback());
        let dial = move || tcp::connect(address.clone(), beyond);
        let client = start(plan, (server, dial), room, make).await?;
        Ok((client, inbox))
    }

    /// Connects over transports that `connector` opens: see [`ReconnectBuilder::via`].
    ///
    /// # Errors
    ///
    /// As [`ReconnectBuilder::to`].
    ///
    /// # Cancel safety
    ///
    /// As [`ReconnectBuilder::to`].
    pub async fn via<P>(self, connector: impl Connect) -> Result<(Client<P>, Inbox<Pr>), ConnectError>
    where
        P: Phase<Protocol = Pr>,
        Pr: Protocol<Start = P>,
    {
        let plan = self.plan.ready().await?;
        let (items, room, inbox) = feed(&plan.config);
        let make = move |conn| -> Box<dyn Dispatch> { Box::new(Feed::<Typed<Pr>>::new(items.clone(), conn)) };
        let connector = Arc::new(connector);
        let dial = move || dial(Arc::clone(&connector));
        let client = start(plan, (None, dial), room, make).await?;
        Ok((client, inbox))
    }
}

/// Makes each connection's handlers; what connections share, they share over all of them.
fn serve<S: Service>(
    state: Arc<S::State>,
    config: &ClientConfig,
) -> impl FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send + use<S> {
    let places = places(&config.limits);
    let shared = Arc::new(Shared { state, hub: Arc::new(HubCore::default()), pool: Pool::<S>::new() });
    move |conn| {
        let link = Link { shared: Arc::clone(&shared), conn, user: None, member: OnceLock::new() };
        Box::new(Served::new(Arc::new(link), places))
    }
}

/// An inbox for one connection and what was left of those before it, and what waits until there is room for one.
fn feed<Pr: Receive<ClientSide>>(
    config: &ClientConfig,
) -> (inbox::Queue, impl Fn() -> Room + Send + use<Pr>, Inbox<Pr>) {
    let places = inbox_places(&config.limits, config.dialect);
    let (items, inbox) = inbox::channel(places.saturating_mul(2));
    let queue = items.clone();
    let room = move || -> Room {
        let queue = queue.clone();
        // If nobody reads any more, there is nothing to wait for.
        Box::pin(async move { drop(queue.reserve_many(places).await) })
    };
    (items, room, inbox)
}

type Room = Pin<Box<dyn Future<Output = ()> + Send>>;

async fn dial<C: Connect>(connector: Arc<C>) -> Result<(C::Io, crate::transport::PeerAddr), ConnectError> {
    let io_error = |source| ConnectError::Io { address: "the server".to_owned(), source };
    connector.connect().await.map_err(io_error)
}

impl<S: Service> fmt::Debug for ReconnectBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectBuilder").field("backoff", &self.plan.backoff).finish_non_exhaustive()
    }
}

impl<Pr: Receive<ClientSide>> fmt::Debug for ReconnectInboxBuilder<Pr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectInboxBuilder").field("backoff", &self.plan.backoff).finish_non_exhaustive()
    }
}
