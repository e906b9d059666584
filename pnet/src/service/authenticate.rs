//! The handler that finds out who a client is: what it is told ([`Arrival`], the credentials), what it makes (the user), and
//! how the other handlers of its service come by that.
//!
//! The user's type is the handler's own affair. A connection keeps it as a [`User`] of unknown type; that those who take
//! `&T` name the right one is for the compiler to see: `actions!` implements [`Knows`] for each handler in the list.

use std::{any::Any, fmt, pin::Pin, sync::Arc};

use pnet_protocol::{
    credentials::{Credentials, CredentialsError},
    dialect::Dialect,
    key::Fingerprint,
    protocol::{CredentialsOf, Protocol, ServerSide, Side},
    secret::SecretBytes,
};

use super::{
    Service,
    bounds::{IsState, Provide},
    context::Shared,
};
use crate::{
    error::Refused,
    service::User,
    transport::{Detail, PeerAddr},
};

/// A client that wants to be let in, as far as it is known before its credentials are looked at: what a handler under
/// `#[action(authenticate)]` may take as `&Arrival`.
///
/// # Examples
///
/// ```
/// use pnet::{Arrival, Refused, action};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Login {
///     name: String,
/// }
///
/// struct User {
///     name: String,
///     is_operator: bool,
/// }
///
/// #[action(authenticate)]
/// async fn who(login: Login, from: &Arrival) -> Result<User, Refused> {
///     if !from.is_encrypted() && !from.addr().is_local() {
///         return Err("log in over TLS".into());
///     }
///     Ok(User { name: login.name, is_operator: from.key().is_some() })
/// }
/// ```
#[derive(Clone)]
pub struct Arrival {
    pub(crate) addr: PeerAddr,
    pub(crate) key: Option<Fingerprint>,
    /// Whether the server lets it in because of its key.
    pub(crate) trusted: bool,
    pub(crate) encrypted: bool,
    pub(crate) dialect: Dialect,
    pub(crate) detail: Option<Detail>,
}

impl Arrival {
    /// A client at this address, which has shown no key: for tests of handlers.
    ///
    /// # Examples
    ///
    /// ```
    /// use pnet::{Arrival, Dialect, transport::PeerAddr};
    ///
    /// let from = Arrival::new(PeerAddr::Memory, Dialect::Native);
    /// assert!(from.addr().is_local() && from.key().is_none() && !from.is_encrypted());
    /// ```
    #[must_use]
    pub const fn new(addr: PeerAddr, dialect: Dialect) -> Self {
        Self { addr, key: None, trusted: false, encrypted: false, dialect, detail: None }
    }

    /// The same, with a key that it has proved to hold.
    #[must_use]
    pub fn with_key(self, key: Fingerprint) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The same, where nobody else can read along.
    #[must_use]
    pub fn encrypted(self) -> Self {
        Self { encrypted: true, ..self }
    }

    /// Who is there.
    #[must_use]
    pub const fn addr(&self) -> &PeerAddr {
        &self.addr
    }

    /// The key that it has proved to hold: see [`Peer::key`](crate::Peer::key).
    #[must_use]
    pub const fn key(&self) -> Option<&Fingerprint> {
        self.key.as_ref()
    }

    /// How packets will look on its connection; it chose so.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether nobody else can read its credentials: it speaks TLS, or its [`Listener`](crate::transport::Listener) has said that
    /// its transport is [`encrypted`](crate::transport::Connected::encrypted).
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// What its transport knows beside that: what a [`Listener`](crate::transport::Listener) of your own has given to
    /// [`Connected::with_detail`](crate::transport::Connected::with_detail), if it is a `T`.
    #[must_use]
    pub fn transport<T: Any>(&self) -> Option<&T> {
        self.detail.as_ref()?.downcast_ref()
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival")
            .field("addr", &self.addr)
            .field("key", &self.key)
            .field("encrypted", &self.encrypted)
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}

/// What a handler that authenticates runs with: there is no connection yet.
pub struct FirstCx<S: Service> {
    pub(crate) shared: Arc<Shared<S>>,
    pub(crate) arrival: Arrival,
    pub(crate) credentials: SecretBytes,
}

impl<S: Service> fmt::Debug for FirstCx<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstCx").field("arrival", &self.arrival).finish_non_exhaustive()
    }
}

/// A handler that authenticates.
pub type Authenticate<S> = fn(FirstCx<S>) -> Authenticating;

/// One run of it.
pub type Authenticating = Pin<Box<dyn Future<Output = Result<User, Refused>> + Send>>;

// ── What the output of the macros calls ──

/// A function under `#[action]`, and whom it makes known.
#[diagnostic::on_unimplemented(
    message = "this is not a handler",
    label = "`{Self}` is not a function under `#[action(\"NAME\")]`"
)]
pub trait Listed {
    /// The user, or [`Nobody`].
    type User;
}

/// No user: what a handler makes known that does not authenticate.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "it has no values")]
pub enum Nobody {}

/// What a handler that authenticates returns, for a user of type `U`.
#[diagnostic::on_unimplemented(
    message = "a handler that authenticates cannot return `{Self}`",
    label = "not a `Result` of a user and of what becomes `Refused`",
    note = "return `Result<User, Refused>`; handlers then take `&User`, which has to be `Send`, `Sync` and `'static`"
)]
pub trait IntoUser<S, U> {
    /// The user, or why the client is refused.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn into_user(self) -> Result<User, Refused>;
}

#[diagnostic::do_not_recommend]
impl<S, U: Send + Sync + 'static, X: Into<Refused>> IntoUser<S, U> for Result<U, X> {
    fn into_user(self) -> Result<User, Refused> {
        self.map(|user| User(Arc::new(user))).map_err(Into::into)
    }
}

/// What a handler made of its client, or why it was not run or refuses.
///
/// # Errors
///
/// The refusal.
pub fn user<S, U, T: IntoUser<S, U>>(returned: Result<T, Refused>) -> Result<User, Refused> {
    returned?.into_user()
}

/// Reads the credentials.
///
/// # Errors
///
/// The refusal, if they are not of this type. It says nothing of what was sent.
pub fn credentials<S: Service, C: CredentialsOf<S::Protocol>>(cx: &FirstCx<S>) -> Result<C, Refused> {
    match <S::Protocol as Protocol>::Credentials::from_json(cx.credentials.as_bytes()) {
        Ok(credentials) => Ok(C::from_declared(credentials)),
        Err(error) => Err(unreadable(cx.credentials.is_empty(), error)),
    }
}

#[cold]
fn unreadable(are_missing: bool, error: CredentialsError) -> Refused {
    if are_missing {
        tracing::debug!("the client shows no credentials");
        return Refused::new(MISSING);
    }
    tracing::debug!(%error, "the client shows something else");
    Refused::new("the credentials are not what this server's protocol says")
}

const MISSING: &str = "this server wants credentials";

/// The side whose services authenticate.
#[diagnostic::on_unimplemented(
    message = "a client authenticates nobody: `#[action(authenticate)]` is for the service of a server",
    label = "listed in a service of `{Self}`",
    note = "what a client shows is said where it connects: `.credentials(…)`"
)]
pub trait Authenticates: Side {}

impl Authenticates for ServerSide {}

/// What a handler that authenticates may take by value beside the credentials.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a handler that authenticates in `{S}`",
    label = "the handler takes a `{Self}`",
    note = "beside the credentials it may take `&Arrival`, `&State`, a part of the state by `Provide`, `Arc<State>` and `Hub<Protocol>`"
)]
pub trait ExtractFirst<S: Service>: Sized {
    /// Makes it.
    fn extract(cx: &FirstCx<S>) -> Self;
}

impl<S: Service, T> ExtractFirst<S> for Arc<T>
where
    S::State: IsState<T>,
{
    fn extract(cx: &FirstCx<S>) -> Self {
        <S::State as IsState<T>>::same(Arc::clone(&cx.shared.state))
    }
}

/// Makes an argument.
///
/// # Errors
///
/// None.
pub fn extract_first<S: Service, A: ExtractFirst<S>>(cx: &FirstCx<S>) -> Result<A, Refused> {
    Ok(A::extract(cx))
}

/// What a handler that authenticates may take as `&Self`.
#[diagnostic::on_unimplemented(
    message = "the service state `{State}` does not provide `{Self}`, and nothing else is known before a client is let in",
    label = "the handler takes `&{Self}`, but the state is `{State}`",
    note = "take `&{State}` or `&Arrival`, or write `impl Provide<{Self}> for {State}`"
)]
pub trait LendFirst<S: Service, State, Via> {
    /// Lends it.
    fn lend(cx: &FirstCx<S>) -> &Self;
}

#[diagnostic::do_not_recommend]
impl<S: Service, T> LendFirst<S, S::State, crate::service::extract::FromState> for T
where
    S::State: Provide<T>,
{
    fn lend(cx: &FirstCx<S>) -> &T {
        let state: &S::State = &cx.shared.state;
        state.provide()
    }
}

impl<S: Service> LendFirst<S, S::State, crate::service::extract::FromRun> for Arrival {
    fn lend(cx: &FirstCx<S>) -> &Self {
        &cx.arrival
    }
}
