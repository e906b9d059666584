//! Arguments of handlers, beside the packet.
//!
//! `&T` lends a part of what surrounds the handler: the state (or a part of it by [`Provide`]), the connection's own state,
//! the packet's metadata. Anything else is taken by value and implements [`Extract`].

use std::{any::Any, convert::Infallible, sync::Arc};

use pnet_protocol::failure::Failure;

use super::{Service, bounds::Knows, context::Cx};
use crate::{
    connection::Meta,
    error::Closed,
    service::bounds::{IsState, Provide},
};

/// An argument that a handler of service `S` may take by value.
///
/// Built in for `Arc<State>`, [`Peer`](crate::Peer) and [`Hub`](crate::Hub) (in servers), [`Client`](crate::Client) (in clients) and [`Meta`]; implement it for types of
/// your own to make more. A [`StreamSender`](crate::StreamSender) belongs to the packet and is no such argument, although it is taken by value. A rejection becomes the handler's failure, and the handler does not run.
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
