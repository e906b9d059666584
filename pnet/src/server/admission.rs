//! Who is let in before anything is read: by TLS or in plain text, and with which key.

use std::{collections::HashSet, fmt, time::Duration};

use pnet_protocol::{
    close::{Close, CloseCode},
    key::Fingerprint,
};

use crate::{
    error::Refused,
    transport::PeerAddr,
    unwind::hook::{self, Hooked, Panicked},
};

/// Which keys a server's clients must have.
#[derive(Default)]
pub(super) enum Clients {
    /// Any, or none.
    #[default]
    Anyone,
    Listed(HashSet<Fingerprint>),
    Checked(Check),
}

type Check = Box<dyn Fn(Fingerprint, PeerAddr) -> Hooked + Send + Sync>;

impl Clients {
    pub(super) fn checked<F, Fut>(check: F) -> Self
    where
        F: Fn(Fingerprint, PeerAddr) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Refused>> + Send + 'static,
    {
        Self::Checked(Box::new(move |key, addr| Box::pin(check(key, addr))))
    }

    pub(super) const fn are_anyone(&self) -> bool {
        matches!(self, Self::Anyone)
    }

    /// Whether a client is let in. `Ok(true)`: because of its key.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, the user's check is dropped.
    pub(super) async fn admit(&self, key: Option<Fingerprint>, addr: &PeerAddr) -> Result<bool, Refused> {
        if self.are_anyone() {
            return Ok(false);
        }
        let Some(key) = key else { return Err(Refused::new(NO_KEY)) };
        match self {
            Self::Anyone => {}
            Self::Listed(keys) if keys.contains(&key) => {}
            Self::Listed(_) => {
                return Err(Refused::new(format!("this client's key {key} is not on the server's list")));
            }
            Self::Checked(check) => {
                let checked = Box::pin(hook::run("clients_by", || check(key, addr.clone()))).await;
                // A fault of this side is no word about the client.
                checked.unwrap_or_else(|Panicked| Err(Refused::new("internal error").come_back(SOON)))?;
            }
        }
        Ok(true)
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("Anyone"),
            Self::Listed(keys) => write!(f, "Listed({})", keys.len()),
            Self::Checked(_) => f.write_str("Checked"),
        }
    }
}

/// Who speaks plain text where it is not taken.
pub(super) const TLS_REQUIRED: Close<'_> = Close::new(
    CloseCode::Refused,
    "this server takes TLS only: tell the client whom to trust, with `.pin`, `.known_hosts` or `.roots`",
);
/// What went wrong here may go better in a moment.
pub(super) const SOON: Duration = Duration::from_secs(1);
const NO_KEY: &str = "the server wants a client key: set `.identity`";
