//! Arguments of handlers, beside the packet.
//!
//! `&T` lends a part of what surrounds the handler: the state (or a part of it by [`Provide`]), the connection's own state,
//! the packet's metadata. Anything else is taken by value and implements [`Extract`].

use std::{any::Any, convert::Infallible, sync::Arc};

use pnet_protocol::{
    failure::Failure,
    protocol::{ClientSide, Phase, ServerSide, Side},
};

use crate::{
    authenticate::Knows,
    client::Client,
    context::{Cx, Meta},
    error::Closed,
    hub::Hub,
    peer::Peer,
    service::Service,
    stream::StreamSender,
};

/// An argument that a handler of service `S` may take by value.
///
/// Built in for `Arc<State>`, [`Peer`] and [`Hub`] (in servers), [`Client`] (in clients) and [`Meta`]; implement it for types of
/// your own to make more. A [`StreamSender`] belongs to the packet and is no such argument, although it is taken by value. A rejection becomes the handler's failure, and the handler does not run.
///
/// # Examples
///
/// ```
/// use pnet::{Cx, Extract, Failure, Service};
///
/// /// How many bytes the state allows. Any service whose state says so has it.
/// struct Quota(u32);
/// struct App { quota: u32 }
///
/// impl<S: Service<State = App>> Extract<S> for Quota {
///     type Rejection = Failure;
///
///     fn extract(cx: &Cx<S>) -> Result<Self, Failure> {
///         match cx.state().quota {
///             0 => Err(Failure::public("no-quota", "nothing is allowed")),
///             quota => Ok(Self(quota)),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler of `{S}`",
    label = "the handler takes a `{Self}`",
    note = "beside its packet a handler may take `&State`, a part of the state by `Provide`, the connection's own `&Member`, the `&User` that `#[action(authenticate)]` has made, `Arc<State>`, `Peer<Protocol>` and `Hub<Protocol>` (servers), `Client<Protocol>` (clients), `Meta`, `StreamSender<Item>` (handlers of streams), and types that implement `Extract`"
)]
pub trait Extract<S: Service>: Sized {
    /// Why the argument could not be made.
    type Rejection: Into<Failure>;

    /// Makes the argument.
    ///
    /// # Errors
    ///
    /// The rejection, which becomes the handler's failure.
    fn extract(cx: &Cx<S>) -> Result<Self, Self::Rejection>;
}

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

impl<S: Service, T> Extract<S> for Arc<T>
where
    S::State: IsState<T>,
{
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        Ok(<S::State as IsState<T>>::same(cx.state_arc()))
    }
}

impl<S: Service> Extract<S> for Meta {
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        Ok(cx.meta().clone())
    }
}

impl<S: Service, Ph: Phase> Extract<S> for Peer<Ph>
where
    S::Side: HasPeers,
    Ph::Protocol: SpokenBy<S::Protocol>,
{
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        #[cfg(feature = "console")]
        cx.link().conn.needs_peer();
        Ok(Self::new(Arc::clone(&cx.link().conn)))
    }
}

impl<S: Service, Ph: Phase> Extract<S> for Hub<Ph>
where
    S::Side: HasPeers,
    Ph::Protocol: SpokenBy<S::Protocol>,
{
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        Ok(Self::from_core(Arc::clone(&cx.link().shared.hub)))
    }
}

impl<S: Service, Ph: Phase> Extract<S> for Client<Ph>
where
    S::Side: HasClient,
    Ph::Protocol: SpokenBy<S::Protocol>,
{
    type Rejection = Infallible;

    fn extract(cx: &Cx<S>) -> Result<Self, Infallible> {
        Ok(Self::new(Arc::clone(&cx.link().conn)))
    }
}

/// `#[action]` knows a `StreamSender` by its name, and takes it for the packet's stream. Under another name it comes here,
/// to be refused in words: [`Nameless`] has no implementations.
impl<S: Service, B> Extract<S> for StreamSender<B>
where
    Self: Nameless,
{
    type Rejection = Infallible;

    fn extract(_: &Cx<S>) -> Result<Self, Infallible> {
        unreachable!("there is no such sender")
    }
}

/// Nobody implements this.
#[diagnostic::on_unimplemented(
    message = "a handler takes its `{Self}` by that name, not by another one",
    label = "takes a `{Self}` by another name",
    note = "write `StreamSender<Item>` for the type of the argument, without an alias"
)]
pub trait Nameless: sealed::Nobody {}

mod sealed {
    /// Keeps [`Nameless`](super::Nameless) without implementations.
    #[expect(unnameable_types, reason = "that is its purpose")]
    pub trait Nobody {}
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

/// The side whose handlers have a [`Peer`] and a [`Hub`].
#[diagnostic::on_unimplemented(
    message = "a client's handler has no `Peer` and no `Hub`",
    label = "takes a `Peer` or `Hub` in a service of `{Self}`",
    note = "take `Client<Protocol>`: the handle that `connect` returned"
)]
pub trait HasPeers: Side {}

impl HasPeers for ServerSide {}

/// The side whose handlers have a [`Client`].
#[diagnostic::on_unimplemented(
    message = "a server's handler has no `Client`",
    label = "takes a `Client` in a service of `{Self}`",
    note = "take `Peer<Protocol>`, the other end of the connection, or `Hub<Protocol>`, all of them"
)]
pub trait HasClient: Side {}

impl HasClient for ClientSide {}

/// What the handler of an action may take as `&Self`. `Via` says where it comes from and is inferred.
#[diagnostic::on_unimplemented(
    message = "the service state `{State}` does not provide `{Self}`",
    label = "the handler takes `&{Self}`, but the state is `{State}` and a connection's own state `{Member}`",
    note = "take `&{State}` or `&{Member}`, write `impl Provide<{Self}> for {State}`, or list a handler under `#[action(authenticate)]` that returns `Result<{Self}, Refused>`"
)]
pub trait Lend<S: Service, State, Member, Via> {
    /// Lends it.
    fn lend(cx: &Cx<S>) -> &Self;
}

/// What a connect handler may take as `&Self`: as [`Lend`], without the state that it is about to make.
#[diagnostic::on_unimplemented(
    message = "the service state `{State}` does not provide `{Self}`, and a connection's own state is not made yet",
    label = "the connect handler takes `&{Self}`, but the state is `{State}`",
    note = "take `&{State}`, write `impl Provide<{Self}> for {State}`, or list a handler under `#[action(authenticate)]` that returns `Result<{Self}, Refused>`; what the connect handler returns becomes the connection's own state"
)]
pub trait LendEarly<S: Service, State, Via> {
    /// Lends it.
    fn lend(cx: &Cx<S>) -> &Self;
}

/// What a disconnect handler may take as `&Self`: as [`Lend`], and why the connection ended.
#[diagnostic::on_unimplemented(
    message = "the service state `{State}` does not provide `{Self}`",
    label = "the disconnect handler takes `&{Self}`, but the state is `{State}` and a connection's own state `{Member}`",
    note = "take `&{State}`, `&{Member}` or `&Closed`, write `impl Provide<{Self}> for {State}`, or list a handler under `#[action(authenticate)]` that returns `Result<{Self}, Refused>`"
)]
pub trait LendLate<S: Service, State, Member, Via> {
    /// Lends it.
    fn lend<'a>(cx: &'a Cx<S>, why: &'a Closed) -> &'a Self;
}

/// Lent by the service's state.
#[derive(Debug)]
pub struct FromState(());

/// Lent by the connection: its own state.
#[derive(Debug)]
pub struct FromMember(());

/// Lent by the connection: who is there, as the `INDEX`th handler of the service has made it.
#[derive(Debug)]
pub struct FromUser<const INDEX: usize>(());

/// Lent by the run itself: metadata, or why the connection ended.
#[derive(Debug)]
pub struct FromRun(());

#[diagnostic::do_not_recommend]
impl<S: Service, T> Lend<S, S::State, S::Member, FromState> for T
where
    S::State: Provide<T>,
{
    fn lend(cx: &Cx<S>) -> &T {
        cx.state().provide()
    }
}

impl<S: Service<Member = T>, T> Lend<S, S::State, T, FromMember> for T {
    fn lend(cx: &Cx<S>) -> &T {
        cx.member()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Service + Knows<T, INDEX>, T: Any, const INDEX: usize> Lend<S, S::State, S::Member, FromUser<INDEX>> for T {
    fn lend(cx: &Cx<S>) -> &T {
        lend_user(cx)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Service + Knows<T, INDEX>, T: Any, const INDEX: usize> LendEarly<S, S::State, FromUser<INDEX>> for T {
    fn lend(cx: &Cx<S>) -> &T {
        lend_user(cx)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Service + Knows<T, INDEX>, T: Any, const INDEX: usize> LendLate<S, S::State, S::Member, FromUser<INDEX>> for T {
    fn lend<'a>(cx: &'a Cx<S>, _: &'a Closed) -> &'a T {
        lend_user(cx)
    }
}

fn lend_user<S: Service, T: Any>(cx: &Cx<S>) -> &T {
    cx.user().expect("the service's handler has made the user before the connection was opened")
}

impl<S: Service> Lend<S, S::State, S::Member, FromRun> for Meta {
    fn lend(cx: &Cx<S>) -> &Self {
        cx.meta()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Service, T> LendEarly<S, S::State, FromState> for T
where
    S::State: Provide<T>,
{
    fn lend(cx: &Cx<S>) -> &T {
        cx.state().provide()
    }
}

#[diagnostic::do_not_recommend]
impl<S: Service, T> LendLate<S, S::State, S::Member, FromState> for T
where
    S::State: Provide<T>,
{
    fn lend<'a>(cx: &'a Cx<S>, _: &'a Closed) -> &'a T {
        cx.state().provide()
    }
}

impl<S: Service<Member = T>, T> LendLate<S, S::State, T, FromMember> for T {
    fn lend<'a>(cx: &'a Cx<S>, _: &'a Closed) -> &'a T {
        cx.member()
    }
}

impl<S: Service> LendLate<S, S::State, S::Member, FromRun> for Closed {
    fn lend<'a>(_: &'a Cx<S>, why: &'a Closed) -> &'a Self {
        why
    }
}
