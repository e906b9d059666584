//! What a client has to get past before its connection is opened: TLS, its key, its dialect's hello, its credentials.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pnet_protocol::{
    close::{Close, CloseCode, close_for},
    handshake::{FirstByte, HandshakeError, ServerHandshake, ShapePolicy, first_byte},
    json::{Form, Greeting, JsonHello},
    wire::Writer,
};
use tokio::time::{Instant, timeout_at};

use super::{
    accept::{Arrived, Guest, Serving},
    admission::{SOON, TLS_REQUIRED, TlsPolicy},
    waiting::Waiting,
};
use crate::{
    config,
    connection::{
        join::{JoinError, Joining},
        last_words,
    },
    error::Refused,
    transport::driven::{NO_TLS, alert_record},
};

impl Serving {
    /// Waits for the first byte, and does what it asks for, up to the whole hello of the dialect that was chosen.
    pub(super) async fn greet(
        &self,
        joining: &mut Joining,
        guest: &mut Guest,
        place: &Waiting,
        deadline: Instant,
    ) -> Result<Arrived, JoinError> {
        // Who may not speak plain text is not spoken to in it either.
        let speaks_first = self.config.dialects.json
            && self.takes_plain_text(guest)
            && (self.config.old_clients || guest.addr.is_local());
        let patience = if speaks_first { config::after(config::SILENCE).min(deadline) } else { deadline };
        let first = match self.first_byte(joining, patience).await {
            Err(JoinError::Handshake(HandshakeError::TimedOut)) if speaks_first && patience != deadline => {
                return self.greet_silent(joining, guest, deadline).await;
            }
            first => first?,
        };
        place.speaks();
        let first = if first_byte(first) == FirstByte::Tls {
            self.secure(joining, guest, deadline).await?;
            self.first_byte(joining, deadline).await?
        } else if self.takes_plain_text(guest) {
            first
        } else {
            Box::pin(self.turn_away(joining, first, TLS_REQUIRED, deadline)).await?;
            return Err(JoinError::PlainText);
        };
        if let Err(refused) = self.admit(guest, deadline).await? {
            Box::pin(self.turn_away(joining, first, refused.close(CloseCode::Unauthorized), deadline)).await?;
            return Err(JoinError::Unlisted(refused.reason().to_owned()));
        }
        match first_byte(first) {
            FirstByte::Json => self.greet_json(joining, guest, deadline).await,
            // What is no dialect at all is told apart in there, too.
            _ => self.greet_native(joining, guest, deadline).await,
        }
    }

    /// The first byte of whatever comes. Who has said nothing yet when the server shuts down cannot be told so: its dialect is
    /// not known.
    async fn first_byte(&self, joining: &mut Joining, until: Instant) -> Result<u8, JoinError> {
        tokio::select! {
            biased;
            first = timeout_at(until, joining.first_byte()) => match first {
                Ok(first) => Ok(first?),
                Err(_) => Err(HandshakeError::TimedOut.into()),
            },
            () = self.core.stop.cancelled() => Err(JoinError::GoingAway),
        }
    }

    /// Does the handshake of TLS, which has begun. From then on all that is read and written is inside.
    async fn secure(&self, joining: &mut Joining, guest: &mut Guest, deadline: Instant) -> Result<(), JoinError> {
        if self.config.tls.policy() == TlsPolicy::Off {
            joining.say(&alert_record(NO_TLS));
            return Err(JoinError::TlsOff);
        }
        let (io, came) = joining.take();
        // It is large, and those who come in plain text have no place for it.
        let accepting = Box::pin(self.acceptor.accept(io, came));
        let accepted = tokio::select! {
            biased;
            accepted = timeout_at(deadline, accepting) => accepted,
            () = self.core.stop.cancelled() => return Err(JoinError::GoingAway),
        };
        let secured = accepted.map_err(|_| HandshakeError::TimedOut)?.map_err(JoinError::Tls)?;
        joining.give(secured.io);
        guest.key = secured.key.or(guest.key);
        Ok(())
    }

    fn takes_plain_text(&self, guest: &Guest) -> bool {
        match self.config.tls.policy() {
            TlsPolicy::Required => false,
            TlsPolicy::Optional => guest.addr.is_local() || self.config.plaintext_on_network,
            TlsPolicy::Off => true,
        }
    }

    /// Asks whether the client's key is one of those that are let in, before anything is decoded that it has sent.
    async fn admit(&self, guest: &mut Guest, deadline: Instant) -> Result<Result<(), Refused>, JoinError> {
        let admitted = tokio::select! {
            biased;
            admitted = timeout_at(deadline, self.config.clients.admit(guest.key, &guest.addr)) => admitted,
            () = self.core.stop.cancelled() => return Err(JoinError::GoingAway),
        };
        match admitted {
            Ok(Ok(trusted)) => {
                guest.trusted = trusted;
                Ok(Ok(()))
            }
            Ok(Err(refused)) => Ok(Err(refused)),
            Err(_) => {
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
                let preface = tokio::select! {
                    biased;
                    preface = timeout_at(deadline, joining.preface(&mut machine)) => preface,
                    () = self.core.stop.cancelled() => return Err(JoinError::GoingAway),
                };
                preface.map_err(|_| HandshakeError::TimedOut)??;
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
        guest: &mut Guest,
        deadline: Instant,
    ) -> Result<Arrived, JoinError> {
        if let Err(refused) = self.admit(guest, deadline).await? {
            joining.refuse_json(refused.close(CloseCode::Unauthorized));
            return Err(JoinError::Unlisted(refused.reason().to_owned()));
        }
        let hello = JsonHello::silent(Form::Old);
        self.authorize_json(joining, &hello, guest)?;
        Ok(Arrived::Json(hello))
    }

    async fn greet_native(
        &self,
        joining: &mut Joining,
        guest: &Guest,
        deadline: Instant,
    ) -> Result<Arrived, JoinError> {
        let mut machine = ServerHandshake::new(self.info, &self.config.limits);
        let authorize = |credentials: &[u8]| {
            if !self.config.dialects.native {
                return Err((JoinError::Dialect, Close::new(CloseCode::Refused, "this server speaks JSON only")));
            }
            self.authorize(credentials, guest).ok_or((JoinError::Unauthorized, NOT_ACCEPTED))
        };
        let hello = tokio::select! {
            biased;
            hello = timeout_at(deadline, joining.server(&mut machine, authorize)) => hello,
            () = self.core.stop.cancelled() => {
                let closed = self.core.farewell();
                joining.refuse(&mut machine, last_words(&closed));
                return Err(JoinError::GoingAway);
            }
        };
        let Ok(hello) = hello else { return Err(joining.timed_out(&mut machine)) };
        let hello = hello?;
        Ok(Arrived::Native(machine, Writer::native(&hello.limits), hello.heartbeat_ms))
    }

    async fn greet_json(&self, joining: &mut Joining, guest: &Guest, deadline: Instant) -> Result<Arrived, JoinError> {
        if !self.config.dialects.json {
            joining.refuse_json(Close::new(CloseCode::Refused, "this server does not speak JSON"));
            return Err(JoinError::Dialect);
        }
        let mut machine = Greeting::new(self.info);
        let hello = tokio::select! {
            biased;
            hello = timeout_at(deadline, joining.greet_json(&mut machine)) => hello,
            () = self.core.stop.cancelled() => {
                let closed = self.core.farewell();
                joining.refuse_json(last_words(&closed));
                return Err(JoinError::GoingAway);
            }
        };
        let hello = hello.unwrap_or_else(|_| Err(HandshakeError::TimedOut.into()));
        if let Err(JoinError::Handshake(error)) = &hello {
            let (code, reason) = close_for(error);
            joining.refuse_json(Close::new(code, &reason));
        }
        let hello = hello?;
        self.authorize_json(joining, &hello, guest)?;
        Ok(Arrived::Json(hello))
    }

    fn authorize_json(&self, joining: &mut Joining, hello: &JsonHello, guest: &Guest) -> Result<(), JoinError> {
        if self.authorize(&hello.credentials, guest).is_some() {
            return Ok(());
        }
        joining.refuse_json(NOT_ACCEPTED);
        Err(JoinError::Unauthorized)
    }

    /// How much of the schema the peer may learn, or `None` if it is not let in at all.
    fn authorize(&self, credentials: &[u8], guest: &Guest) -> Option<ShapePolicy> {
        let Some(accept) = &self.config.authenticate else {
            let told = guest.trusted || guest.addr.is_local();
            return Some(if told { ShapePolicy::Shapes } else { ShapePolicy::Names });
        };
        let accepted = catch_unwind(AssertUnwindSafe(|| accept(credentials, &guest.addr))).unwrap_or_else(|_| {
            tracing::error!("`authenticate` panicked");
            false
        });
        accepted.then_some(ShapePolicy::Shapes)
    }
}

const NOT_ACCEPTED: Close<'_> = Close::new(CloseCode::Unauthorized, "the credentials were not accepted");
