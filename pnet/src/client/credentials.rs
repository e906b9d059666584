//! What a client shows to be let in, as far as that is settled before it connects.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pnet_protocol::{
    close::Retry,
    credentials::{Credentials, CredentialsError},
    protocol::{CredentialsOf, Protocol},
    secret::SecretBytes,
};

use crate::{
    error::{Closed, ConnectError, Refused},
    unwind::hook::{self, Hooked, Panicked},
};

/// Where the credentials of a client come from.
#[derive(Clone, Default)]
pub(crate) enum Offer {
    /// There are none.
    #[default]
    Nothing,
    /// The same for each connection, as JSON; or why they cannot be sent.
    Settled(Result<Arc<SecretBytes>, CredentialsError>),
    /// Asked for at each connection.
    Asked(Arc<Asked>),
}

/// Credentials that the program is asked for.
pub(crate) struct Asked {
    ask: Box<dyn Fn() -> Asking + Send + Sync>,
    last: Mutex<Last>,
}

/// As JSON.
type Asking = Hooked<SecretBytes, ConnectError>;

#[derive(Default)]
struct Last {
    shown: Arc<SecretBytes>,
    /// What the server said to that, if it would not have it.
    refusal: Option<Closed>,
}

impl Offer {
    pub(crate) fn settled(credentials: &impl Credentials) -> Self {
        Self::Settled(credentials.to_json().map(Arc::new))
    }

    pub(super) fn asked<Pr, F, Fut, M>(ask: F) -> Self
    where
        Pr: Protocol,
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoCredentials<Pr, M>> + Send + 'static,
    {
        let ask = Box::new(move || -> Asking {
            let asked = ask();
            Box::pin(async move { asked.await.into_json() })
        });
        Self::Asked(Arc::new(Asked { ask, last: Mutex::default() }))
    }

    /// What is known to be wrong with it before anything is connected to.
    pub(super) fn check<Pr: Protocol>(&self) -> Result<(), ConnectError> {
        match (self, Pr::INFO.credentials) {
            // Some types can be left out: they have a meaning for `null`.
            (Self::Nothing, Some(credentials)) if Pr::Credentials::from_json(b"").is_err() => {
                Err(ConnectError::NoCredentials { protocol: Pr::INFO.name, credentials })
            }
            (Self::Settled(Err(error)), _) => Err(ConnectError::Credentials(*error)),
            _ => Ok(()),
        }
    }

    /// What is shown on the connection that is about to be made, as JSON.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the program's own future is dropped.
    pub(crate) async fn json(&self) -> Result<Arc<SecretBytes>, ConnectError> {
        match self {
            Self::Nothing => Ok(Arc::default()),
            Self::Settled(settled) => settled.clone().map_err(ConnectError::Credentials),
            Self::Asked(asked) => asked.json().await,
        }
    }

    /// The server would not have what was shown: whether something else may be shown next time.
    pub(crate) fn refused(&self, closed: &Closed) -> bool {
        let Self::Asked(asked) = self else { return false };
        asked.last().refusal = Some(closed.clone());
        true
    }
}

impl Asked {
    async fn json(&self) -> Result<Arc<SecretBytes>, ConnectError> {
        let asked = hook::run("credentials_with", || (self.ask)()).await;
        let none = |Panicked| Err(ConnectError::NothingToShow(Refused::new("internal error")));
        let json = Arc::new(asked.unwrap_or_else(none)?);
        let mut last = self.last();
        // What was refused is not shown again.
        if let Some(refusal) = last.refusal.take()
            && last.shown == json
        {
            return Err(ConnectError::Refused(refusal.with_retry(Retry::Never)));
        }
        last.shown = Arc::clone(&json);
        Ok(json)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without the credentials.
impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Settled(_) => "Settled(redacted)",
            Self::Asked(_) => "Asked(redacted)",
        })
    }
}

/// What [`credentials_with`](crate::ClientBuilder::credentials_with) may get from the program: the credentials of `Pr`, or a
/// `Result` of them. `M` says which, and is inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what clients of `{Pr}` show as credentials",
    label = "neither the credentials of `{Pr}` nor a `Result` of them",
    note = "give what `credentials Type;` says in the `protocol!` that declares `{Pr}`, or a `Result` of that and of what becomes `Refused`"
)]
pub trait IntoCredentials<Pr: Protocol, M> {
    /// As JSON.
    ///
    /// # Errors
    ///
    /// The program's refusal, or why they cannot be sent.
    #[doc(hidden)]
    fn into_json(self) -> Result<SecretBytes, ConnectError>;
}

/// The credentials themselves.
#[derive(Debug)]
pub struct Bare(());

/// A `Result` of credentials.
#[derive(Debug)]
pub struct Fallible(());

#[diagnostic::do_not_recommend]
impl<Pr: Protocol, C: CredentialsOf<Pr>> IntoCredentials<Pr, Bare> for C {
    fn into_json(self) -> Result<SecretBytes, ConnectError> {
        self.as_declared().to_json().map_err(ConnectError::Credentials)
    }
}

#[diagnostic::do_not_recommend]
impl<Pr: Protocol, C: CredentialsOf<Pr>, X: Into<Refused>> IntoCredentials<Pr, Fallible> for Result<C, X> {
    fn into_json(self) -> Result<SecretBytes, ConnectError> {
        match self {
            Ok(credentials) => credentials.into_json(),
            Err(refused) => Err(ConnectError::NothingToShow(refused.into())),
        }
    }
}
