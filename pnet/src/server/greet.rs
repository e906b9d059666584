//! What a client has to get past before its connection is opened: TLS, its key, its dialect's hello, its credentials.

use pnet_protocol::{
    close::{Close, CloseCode, close_for},
    dialect::Dialect,
    handshake::{ClientHello, FirstByte, HandshakeError, ServerHandshake, ShapePolicy, first_byte},
    json::{Form, Greeting, JsonHello},
    wire::Writer,
};
use tokio::time::{Instant, timeout_at};

use super::{
    admission::{SOON, TLS_REQUIRED},
    authentication::LetIn,
    serving::{Serving, Visit},
};
use crate::{
    config,
    connection::{
        join::{JoinError, Joining},
        last_words,
    },
    counts::Met,
    error::Refused,
    service::{Arrival, User},
    transport::{
        TlsPolicy,
        driven::{NO_TLS, alert_record},
    },
};

/// What is waited for, unless it takes too long or the server shuts down. A function would hold what it waits for twice.
macro_rules! in_time {
    ($serving:ident, $deadline:expr, $work:expr) => {
        tokio::select! {
            biased;
            done = timeout_at($deadline, $work) => done.map_err(|_| JoinError::from(HandshakeError::TimedOut)),
            () = $serving.core.stop.cancelled() => Err(JoinError::GoingAway),
        }
    };
}

impl Serving {
    /// Waits for the first byte, and does what it asks for, up to the whole hello of the dialect that was chosen.
    pub(super) async fn greet(
        &self,
        joining: &mut Joining,
        arrival: &mut Arrival,
        visit: &Visit<'_>,
    ) -> Result<(Arrived, Option<User>), JoinError> {
        // Who may not speak plain text is not spoken to in it either.
        let speaks_first = self.config.dialects.json
            && self.takes_plain_text(arrival)
            && (self.config.old_clients || arrival.addr.is_local());
        let patience = if speaks_first { config::after(config::SILENCE).min(visit.deadline) } else { visit.deadline };
        let first = match self.first_byte(joining, patience).await {
            Err(JoinError::Handshake(HandshakeError::TimedOut)) if speaks_first && patience != visit.deadline => {
                return self.greet_silent(joining, arrival, visit).await;
            }
            first => first?,
        };
        visit.place.speaks();
        let first = if first_byte(first) == FirstByte::Tls {
            self.secure(joining, arrival, visit.deadline).await?;
            self.first_byte(joining, visit.deadline).await?
        } else if self.takes_plain_text(arrival) {
            first
        } else {
            Box::pin(self.turn_away(joining, first, TLS_REQUIRED, visit.deadline)).await?;
            return Err(JoinError::PlainText);
        };
        if let Err(refused) = self.admit(arrival, visit.deadline).await? {
            Box::pin(self.turn_away(joining, first, refused.close(CloseCode::Unauthorized), visit.deadline)).await?;
            return Err(JoinError::Unlisted(refused.reason().to_owned()));
        }
        if first_byte(first) == FirstByte::Json {
            arrival.dialect = Dialect::Json;
        }
        match arrival.dialect {
            Dialect::Json => self.greet_json(joining, arrival, visit).await,
            // What is no dialect at all is told apart in there, too.
            _ => self.greet_native(joining, arrival, visit).await,
        }
    }

    /// The first byte of whatever comes. Who has said nothing yet when the server shuts down cannot be told so: its dialect is
    /// not known.
    async fn first_byte(&self, joining: &mut Joining, until: Instant) -> Result<u8, JoinError> {
        Ok(in_time!(self, until, joining.first_byte())??)
    }

    /// Does the handshake of TLS, which has begun. From then on all that is read and written is inside.
    async fn secure(&self, joining: &mut Joining, arrival: &mut Arrival, deadline: Instant) -> Result<(), JoinError> {
        if self.config.tls.policy() == TlsPolicy::Off {
            joining.say(&alert_record(NO_TLS));
            return Err(JoinError::TlsOff);
        }
        let (io, came) = joining.take();
        // It is large, and those who come in plain text have no place for it.
        let accepting = Box::pin(self.acceptor.accept(io, came));
        let secured = in_time!(self, deadline, accepting)?.map_err(JoinError::Tls)?;
        joining.give(secured.io);
        arrival.key = secured.key.or(arrival.key);
        arrival.encrypted = true;
        Ok(())
    }

    fn takes_plain_text(&self, arrival: &Arrival) -> bool {
        match self.config.tls.policy() {
            TlsPolicy::Required => false,
            TlsPolicy::Optional => arrival.addr.is_local() || self.config.plaintext_on_network,
            TlsPolicy::Off => true,
        }
    }

    /// Asks whether the client's key is one of those that are let in, before anything is decoded that it has sent.
    async fn admit(&self, arrival: &mut Arrival, deadline: Instant) -> Result<Result<(), Refused>, JoinError> {
        match in_time!(self, deadline, self.config.clients.admit(arrival.key, &arrival.addr)) {
            Ok(Ok(trusted)) => {
                arrival.trusted = trusted;
                Ok(Ok(()))
            }
            Ok(Err(refused)) => Ok(Err(refused)),
            Err(JoinError::GoingAway) => Err(JoinError::GoingAway),
            Err(_) => {
                self.core.counts.met(Met::HandshakeTimeout);
                let late = Refused::new("the server's check of this client's key took too long");
                Ok(Err(late.come_back(SOON)))
            }
        }
    }

    /// Prepares to close a client in its own dialect, of whom nothing is decoded. Few are, so what this needs is given a place
    /// of its own.
    async fn turn_away(
        &self,
        joining: &mut Joining,
        first: u8,
        close: Close<'_>,
        deadline: Instant,
    ) -> Result<(), JoinError> {
        match first_byte(first) {
            FirstByte::Json => joining.refuse_json(close),
            FirstByte::Native => {
                let mut machine = ServerHandshake::new(self.info, &self.config.limits);
                in_time!(self, deadline, joining.preface(&mut machine))??;
                joining.refuse(&mut machine, close);
            }
            // It speaks nothing in which it could be told.
            _ => {}
        }
        Ok(())
    }

    /// Speaks first, to a client that says nothing.
    async fn greet_silent(
        &self,
        joining: &mut Joining,
        arrival: &mut Arrival,
        visit: &Visit<'_>,
    ) -> Result<(Arrived, Option<User>), JoinError> {
        if let Err(refused) = self.admit(arrival, visit.deadline).await? {
            joining.refuse_json(refused.close(CloseCode::Unauthorized));
            return Err(JoinError::Unlisted(refused.reason().to_owned()));
        }
        arrival.dialect = Dialect::Json;
        self.let_in_json(joining, JsonHello::silent(Form::Old), arrival, visit).await
    }

    async fn greet_native(
        &self,
        joining: &mut Joining,
        arrival: &Arrival,
        visit: &Visit<'_>,
    ) -> Result<(Arrived, Option<User>), JoinError> {
        let mut machine = ServerHandshake::new(self.info, &self.config.limits);
        match self.agree(joining, &mut machine, arrival, visit).await {
            Ok((hello, user)) => {
                let writer = Writer::native(&hello.limits);
                Ok((Arrived::Native(machine, writer, hello.heartbeat_ms), user))
            }
            Err(JoinError::GoingAway) => {
                joining.refuse(&mut machine, last_words(&self.core.farewell()));
                Err(JoinError::GoingAway)
            }
            Err(JoinError::Full) => {
                joining.refuse(&mut machine, FULL);
                Err(JoinError::Full)
            }
            Err(JoinError::Handshake(HandshakeError::TimedOut)) => Err(joining.timed_out(&mut machine)),
            Err(error) => Err(error),
        }
    }

    /// The hello, who has said it, and whether both mean the same protocol.
    async fn agree(
        &self,
        joining: &mut Joining,
        machine: &mut ServerHandshake,
        arrival: &Arrival,
        visit: &Visit<'_>,
    ) -> Result<(ClientHello, Option<User>), JoinError> {
        let mut hello = in_time!(self, visit.deadline, joining.hello(machine))??;
        visit.place.set_heard(true);
        if !self.config.dialects.native {
            joining.refuse(machine, Close::new(CloseCode::Refused, "this server speaks JSON only"));
            return Err(JoinError::Dialect);
        }
        let credentials = std::mem::take(&mut hello.credentials);
        match self.authenticate(arrival, credentials, visit).await? {
            Ok(LetIn { user, .. }) if hello.matches => Ok((hello, user)),
            // Few do, so what this needs is given a place of its own.
            Ok(LetIn { shapes, .. }) => {
                visit.place.set_heard(false);
                Err(Box::pin(self.part(joining, machine, shapes, visit.deadline)).await)
            }
            Err(refused) => {
                joining.refuse(machine, refused.close(CloseCode::Unauthorized));
                Err(JoinError::Unauthorized(refused.reason().to_owned()))
            }
        }
    }

    /// Finds out with a client in what they differ: the error.
    async fn part(
        &self,
        joining: &mut Joining,
        machine: &mut ServerHandshake,
        shapes: ShapePolicy,
        deadline: Instant,
    ) -> JoinError {
        in_time!(self, deadline, joining.differ(machine, shapes)).unwrap_or_else(|error| error)
    }

    async fn greet_json(
        &self,
        joining: &mut Joining,
        arrival: &Arrival,
        visit: &Visit<'_>,
    ) -> Result<(Arrived, Option<User>), JoinError> {
        if !self.config.dialects.json {
            joining.refuse_json(Close::new(CloseCode::Refused, "this server does not speak JSON"));
            return Err(JoinError::Dialect);
        }
        let mut machine = Greeting::new(self.info);
        let hello = in_time!(self, visit.deadline, joining.greet_json(&mut machine)).and_then(|hello| hello);
        match hello {
            Ok(hello) => {
                visit.place.set_heard(true);
                self.let_in_json(joining, hello, arrival, visit).await
            }
            Err(error) => {
                match &error {
                    JoinError::GoingAway => joining.refuse_json(last_words(&self.core.farewell())),
                    JoinError::Handshake(error) => {
                        let (code, reason) = close_for(error);
                        joining.refuse_json(Close::new(code, &reason));
                    }
                    _ => {}
                }
                Err(error)
            }
        }
    }

    async fn let_in_json(
        &self,
        joining: &mut Joining,
        mut hello: JsonHello,
        arrival: &Arrival,
        visit: &Visit<'_>,
    ) -> Result<(Arrived, Option<User>), JoinError> {
        let credentials = std::mem::take(&mut hello.credentials);
        match self.authenticate(arrival, credentials, visit).await {
            Ok(Ok(LetIn { user, shapes })) => Ok((Arrived::Json(hello, shapes), user)),
            Ok(Err(refused)) => {
                joining.refuse_json(refused.close(CloseCode::Unauthorized));
                Err(JoinError::Unauthorized(refused.reason().to_owned()))
            }
            Err(JoinError::Full) => {
                joining.refuse_json(FULL);
                Err(JoinError::Full)
            }
            Err(error) => {
                joining.refuse_json(last_words(&self.core.farewell()));
                Err(error)
            }
        }
    }
}

pub(super) enum Arrived {
    /// With the heartbeat that the client wishes for.
    Native(ServerHandshake, Writer, u32),
    /// With how much of the schema the client may learn.
    Json(JsonHello, ShapePolicy),
}

/// There is no place for one more connection.
pub(super) const FULL: Close<'_> = Close::new(CloseCode::Overloaded, "too many connections");
