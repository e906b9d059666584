//! A service: one side's handlers for one protocol. `actions!` makes it.
//!
//! The list of `actions!` becomes constants only: a table of [`Route`]s by the number an action has on the wire, and at most one
//! handler each for connections that begin and end. Nothing is registered at run time.

pub(crate) mod authenticate;
pub(crate) mod bounds;
pub(crate) mod context;
pub(crate) mod extract;
pub(crate) mod handler;
pub(crate) mod lanes;
mod ready;
pub(crate) mod served;

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pnet_protocol::{
    failure::Failure,
    protocol::{Protocol, Side},
    reply::Verdict,
};

pub use self::authenticate::Arrival;
pub(crate) use self::authenticate::{Authenticate, Authenticating, FirstCx};
pub(crate) use self::context::User;
use self::context::{Cx, slot::Kit};
use crate::error::{Closed, Refused};

/// One side's handlers for one protocol, made by `actions!`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "not a service",
    note = "`actions! {{ pub server Name(State) for Protocol: handler, … }}` makes one"
)]
pub trait Service: Sized + Send + Sync + 'static {
    /// What it speaks.
    type Protocol: Protocol;

    /// Whether servers or clients run it.
    type Side: Side;

    /// What all its handlers share.
    type State: Send + Sync + 'static;

    /// What each connection has for itself, made by the connect handler; `()` unless declared.
    type Member: Send + Sync + 'static;

    /// The handlers, by the number of the action that arrives.
    const ROUTES: &'static [Route<Self>];

    /// Finds out who a client is, before it is let in.
    const AUTHENTICATE: Option<Authenticate<Self>>;

    /// Runs before anything is dispatched on a connection, and makes its [`Member`](Self::Member).
    const CONNECT: Option<Connect<Self>>;

    /// Runs once, last, when a connection has ended.
    const DISCONNECT: Option<Disconnect<Self>>;
}

/// A connect handler: gives the connection's own state, or turns it away.
///
/// While it runs, [`Cx::member`] must not be called.
pub type Connect<S> = fn(Cx<S>) -> Pin<Box<dyn Future<Output = Result<<S as Service>::Member, Refused>> + Send>>;

/// A disconnect handler, with the reason for the end.
pub type Disconnect<S> = fn(Cx<S>, Arc<Closed>) -> Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// The handler of one action.
pub struct Route<S: Service> {
    /// The handler as `actions!` lists it, for logs.
    pub handler: &'static str,
    /// How to run it.
    pub run: Run<S>,
    /// Whether later packets may start before it has finished: `#[action("X", concurrent)]`.
    pub concurrent: bool,
    /// Whether it runs to its end although the caller is gone: `#[action("X", finish)]`.
    pub finish: bool,
}

impl<S: Service> Clone for Route<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Service> Copy for Route<S> {}

impl<S: Service> fmt::Debug for Route<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("handler", &self.handler)
            .field("run", &self.run)
            .field("concurrent", &self.concurrent)
            .field("finish", &self.finish)
            .finish()
    }
}

/// A `fn` handler: decodes `payload`, runs, and appends the answer to `out`.
pub(crate) type Now<S> = fn(cx: &Cx<S>, payload: &[u8], out: &mut Vec<u8>) -> Result<Verdict, Failure>;

/// How a handler runs.
#[expect(clippy::exhaustive_enums, reason = "the driver must know every way")]
pub enum Run<S: Service> {
    /// On the spot: a `fn`.
    Now(Now<S>),
    /// In a slot, which may be used again when it is empty: an `async fn`.
    Later(MakeSlot<S>),
}

impl<S: Service> Clone for Run<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Service> Copy for Run<S> {}

impl<S: Service> fmt::Debug for Run<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Later(_) => "Later",
        })
    }
}

/// Makes an empty slot.
pub(crate) type MakeSlot<S> = fn() -> Box<dyn Slot<S>>;

/// A reusable place for one handler's future.
pub trait Slot<S: Service>: Send {
    /// Puts the future of a handler into the empty slot; it owns `kit`.
    fn start(&mut self, kit: Box<Kit<S>>);

    /// Polls the future; when it has finished, the slot is empty again.
    ///
    /// # Panics
    ///
    /// If the slot is empty, or the handler panics.
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<Box<Kit<S>>>;

    /// Drops the future, which cancels the handler.
    fn clear(&mut self);
}
