//! What a handler's arguments ask of its service: whose side it is, what it speaks, what its state provides.

use std::sync::Arc;

use pnet_protocol::protocol::{ClientSide, ServerSide, Side};

/// A state that can lend a `T`, so that handlers may take `&T`. Every type provides itself.
///
/// # Examples
///
/// ```
/// use pnet::Provide;
///
/// struct Db;
/// struct App { db: Db }
///
/// impl Provide<Db> for App {
///     fn provide(&self) -> &Db {
///         &self.db
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the service state `{Self}` does not provide `{T}`",
    label = "the state is `{Self}`, a handler wants `&{T}`",
    note = "take `&{Self}`, or write `impl Provide<{T}> for {Self}`"
)]
pub trait Provide<T> {
    /// Lends it.
    fn provide(&self) -> &T;
}

impl<T> Provide<T> for T {
    fn provide(&self) -> &T {
        self
    }
}

/// The state of a service, which may be taken as `Arc<T>`: `T` itself. A bound in words, instead of an equality.
#[diagnostic::on_unimplemented(
    message = "the service state is `{Self}`, so a handler cannot take `Arc<{T}>`",
    label = "the state is `{Self}`, a handler wants `Arc<{T}>`",
    note = "take `Arc<{Self}>`; borrow a part of it, `&{T}` with `impl Provide<{T}> for {Self}`; or `&{T}` if that is the user whom `#[action(authenticate)]` has made"
)]
pub trait IsState<T> {
    /// The same.
    fn same(state: Arc<Self>) -> Arc<T>;
}

impl<T> IsState<T> for T {
    fn same(state: Arc<T>) -> Arc<T> {
        state
    }
}

/// The protocol of a service, which its handles must name: `Pr` itself. A bound in words, instead of an equality.
#[diagnostic::on_unimplemented(
    message = "a handler of this service cannot talk `{Self}`: the service speaks `{Pr}`",
    label = "the handler names `{Self}`, its service `{Pr}`",
    note = "write `{Pr}` between the angle brackets of the handler's `Peer`, `Hub` or `Client`"
)]
pub trait SpokenBy<Pr> {}

impl<Pr> SpokenBy<Pr> for Pr {}

/// The side of services that `serve` takes. A bound in words, instead of an equality.
#[diagnostic::on_unimplemented(
    message = "this service is a client's: a server cannot run it",
    label = "a service of `{Self}`",
    note = "`actions! {{ pub server Name(State) for Protocol: … }}` makes a server's service; `connect` takes a client's"
)]
pub trait Serves: Side {}

impl Serves for ServerSide {}

/// The side of services that `connect` takes. A bound in words, instead of an equality.
#[diagnostic::on_unimplemented(
    message = "this service is a server's: a client cannot run it",
    label = "a service of `{Self}`",
    note = "`actions! {{ pub client Name(State) for Protocol: … }}` makes a client's service; `serve` takes a server's"
)]
pub trait Connects: Side {}

impl Connects for ClientSide {}

/// The side whose handlers have a [`Peer`](crate::Peer) and a [`Hub`](crate::Hub).
#[diagnostic::on_unimplemented(
    message = "a client's handler has no `Peer` and no `Hub`",
    label = "takes a `Peer` or `Hub` in a service of `{Self}`",
    note = "take `Client<Protocol>`: the handle that `connect` returned"
)]
pub trait HasPeers: Side {}

impl HasPeers for ServerSide {}

/// The side whose handlers have a [`Client`](crate::Client).
#[diagnostic::on_unimplemented(
    message = "a server's handler has no `Client`",
    label = "takes a `Client` in a service of `{Self}`",
    note = "take `Peer<Protocol>`, the other end of the connection, or `Hub<Protocol>`, all of them"
)]
pub trait HasClient: Side {}

impl HasClient for ClientSide {}

/// A service whose `INDEX`th handler makes `T` known.
pub trait Knows<T, const INDEX: usize> {}
