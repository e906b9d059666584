//! Has the service find out who a client is: how many at a time, for how long, and what a failed try costs.

use pnet_protocol::{handshake::ShapePolicy, secret::SecretBytes};
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    admission::SOON,
    serving::{Serving, Visit},
};
use crate::{
    connection::join::JoinError,
    counts::Met,
    error::Refused,
    service::{Arrival, User},
    unwind::hook::{self, Panicked},
};

/// A client that is let in.
pub(super) struct LetIn {
    pub(super) user: Option<User>,
    /// How much of the schema it may learn.
    pub(super) shapes: ShapePolicy,
}

/// What a look at a client has come to.
enum Found {
    User(User),
    /// By the program.
    Refused(Refused),
    /// The program's handler has failed itself.
    Fault(&'static str),
}

impl Serving {
    /// Asks the service who the client is, if it has a handler for that. A refusal has been delayed as it deserves when this
    /// returns it.
    pub(super) async fn authenticate(
        &self,
        arrival: &Arrival,
        credentials: SecretBytes,
        visit: &Visit<'_>,
    ) -> Result<Result<LetIn, Refused>, JoinError> {
        if !self.service.authenticates() {
            let told = arrival.trusted || arrival.addr.is_local();
            let shapes = if told { ShapePolicy::Shapes } else { ShapePolicy::Names };
            return Ok(Ok(LetIn { user: None, shapes }));
        }
        // Nobody is looked at in vain.
        if self.is_full() {
            self.core.counts.met(Met::MaxConnections);
            return Err(JoinError::Full);
        }
        // It is there for a moment only, and those who ask nobody have no place for it.
        Box::pin(self.ask(arrival, credentials, visit)).await
    }

    /// Asks, and delays a refusal.
    async fn ask(
        &self,
        arrival: &Arrival,
        credentials: SecretBytes,
        visit: &Visit<'_>,
    ) -> Result<Result<LetIn, Refused>, JoinError> {
        let refused = match self.find_out(arrival, credentials, visit).await? {
            Found::User(user) => return Ok(Ok(LetIn { user: Some(user), shapes: ShapePolicy::Shapes })),
            // That is no word about the client, and no failed try.
            Found::Fault(reason) => return Ok(Err(Refused::new(reason).come_back(SOON))),
            Found::Refused(refused) => refused,
        };
        let delay = self.authentication.failed(arrival);
        if !delay.is_zero() {
            self.core.counts.met(Met::LoginDelay);
        }
        let until = (Instant::now() + delay).min(visit.deadline);
        tokio::select! {
            biased;
            () = self.core.stop.cancelled() => {}
            () = sleep(until.saturating_duration_since(Instant::now())) => {}
        }
        Ok(Err(refused))
    }

    async fn find_out(
        &self,
        arrival: &Arrival,
        credentials: SecretBytes,
        visit: &Visit<'_>,
    ) -> Result<Found, JoinError> {
        let run = async {
            if self.authentication.at_once.available_permits() == 0 {
                self.core.counts.met(Met::MaxAuthenticating);
            }
            // The semaphore is never closed.
            let _permit = self.authentication.at_once.acquire().await;
            // From here on nobody takes its place away. Work that a handler has put on threads for blocking work goes on when
            // the handler is dropped: a crowd could make the server begin with everybody and be done with nobody.
            let _stays = visit.place.is_looked_at();
            hook::run("authenticate", || self.service.authenticate(arrival.clone(), credentials)).await
        };
        tokio::select! {
            biased;
            done = timeout_at(visit.deadline, run) => Ok(match done {
                Ok(Ok(Ok(user))) => Found::User(user),
                Ok(Ok(Err(refused))) => Found::Refused(refused),
                Ok(Err(Panicked)) => Found::Fault("internal error"),
                Err(_) => self.took_too_long(),
            }),
            () = self.core.stop.cancelled() => Err(JoinError::GoingAway),
        }
    }

    fn took_too_long(&self) -> Found {
        self.core.counts.met(Met::HandshakeTimeout);
        Found::Fault("finding out who this client is took too long")
    }
}
