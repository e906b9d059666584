//! From an accepted transport to a connection: its own handshake, what [`greet`](super::greet) asks of the client, the driver.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use pnet_protocol::{
    close::{Close, CloseCode},
    dialect::Dialect,
    frame::PREFACE,
    handshake::{HandshakeError, ServerHandshake},
    id::{ConnectionId, SessionToken},
    json::{JsonReader, JsonWriter},
    limits::agreed_heartbeat_ms,
    protocol::Role,
    wire::{Reader, Writer},
};
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    Core,
    greet::{Arrived, FULL},
    serving::{Serving, Visit},
};
use crate::{
    config::{self, places},
    connection::{
        Conn,
        half_open::Waiting,
        join::{JoinError, Joining},
        micros_now,
    },
    counts::{Met, Trace},
    driver::{Driver, Opening},
    error::ClosedBy,
    service::{Arrival, User},
    transport::{
        Connected, Connecting, Listener, PeerAddr,
        driven::{Driven, Plain},
    },
};

/// A client whose handshake is done, but for the server's answer.
struct Greeted {
    joining: Joining,
    arrival: Arrival,
    user: Option<User>,
    /// When the connect handler has to be done.
    deadline: Instant,
    id: ConnectionId,
    dialect: Arrived,
}

/// The second step of an accepted transport, whatever its listener.
type OwnHandshake = Pin<Box<dyn Future<Output = io::Result<(Box<dyn Driven>, Arrival)>> + Send>>;

/// A connection that is counted in until its driver has gone.
struct Running {
    driver: Driver,
    _listed: Listed,
}

impl Future for Running {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.driver).poll(task)
    }
}

impl Serving {
    pub(super) async fn accept(self: Arc<Self>, mut listener: impl Listener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.core.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let error = match accepted {
                Ok((accepted, addr)) => {
                    self.enter(accepted, addr);
                    continue;
                }
                Err(error) => error,
            };
            if !self.can_accept(&error).await {
                return;
            }
        }
    }

    /// Begins the handshake of a transport, in a task of its own. All but the transport's own part of it is compiled once, and
    /// not for each listener anew.
    fn enter(self: &Arc<Self>, accepted: impl Connecting, addr: PeerAddr) {
        let there = addr.clone();
        let connecting = Box::pin(async move {
            let Connected { io, addr, key, encrypted, detail } = accepted.connect(there).await?;
            // Its dialect is what its first byte says.
            let arrival = Arrival { key, encrypted, detail, ..Arrival::new(addr, Dialect::Native) };
            Ok((Box::new(Plain(io)) as Box<dyn Driven>, arrival))
        });
        self.begin(connecting, &addr);
    }

    fn begin(self: &Arc<Self>, connecting: OwnHandshake, addr: &PeerAddr) {
        let Some(place) = self.core.waiting.enter(addr) else {
            tracing::warn!(%addr, "too many connections have not finished their handshake");
            return;
        };
        let span = tracing::debug_span!("handshake", %addr);
        self.core.tasks.spawn(Arc::clone(self).arrive(connecting, place).instrument(span));
    }

    /// Nothing could be accepted: whether to try again, once some time has passed.
    async fn can_accept(&self, error: &io::Error) -> bool {
        if error.kind() == io::ErrorKind::NotConnected {
            // Whoever waits for the server's end waits for the connections that there are.
            self.core.tasks.close();
            return false;
        }
        // Out of file descriptors, most likely; some will be free again.
        tracing::error!(%error, "cannot accept");
        let _ = tokio::time::timeout(ACCEPT_PAUSE, self.core.stop.cancelled()).await;
        true
    }

    /// A transport's own handshake, and what follows when it is done.
    async fn arrive(self: Arc<Self>, connecting: OwnHandshake, place: Waiting) {
        let deadline = config::after(self.config.handshake_timeout);
        let connected = tokio::select! {
            biased;
            () = place.has_to_go() => return,
            () = self.core.stop.cancelled() => return,
            connected = tokio::time::timeout_at(deadline, connecting) => connected,
        };
        let (io, arrival) = match connected {
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => return tracing::debug!(%error, "the transport broke during its own handshake"),
            Err(_) => {
                self.core.counts.met(Met::HandshakeTimeout);
                return tracing::warn!("the transport's own handshake was not finished in time");
            }
        };
        self.join(io, arrival, place, deadline).await;
    }

    /// From a transport to its connection; at the end the driver takes over, in a task of its own that is as small as
    /// possible.
    async fn join(self: Arc<Self>, io: Box<dyn Driven>, mut arrival: Arrival, place: Waiting, deadline: Instant) {
        let mut joining = Joining::new(io);
        let visit = Visit { place: &place, deadline };
        let arrived = tokio::select! {
            biased;
            () = place.has_to_go() => Err(JoinError::Crowded),
            arrived = self.greet(&mut joining, &mut arrival, &visit) => arrived,
        };
        match arrived {
            Ok((dialect, user)) => {
                let silent =
                    matches!(&dialect, Arrived::Json(hello, _) if hello.form.is_old() && joining.tail.is_empty());
                let greeted = Greeted { joining, arrival, user, deadline, id: ConnectionId::random(), dialect };
                if let Err(mut joining) = self.open(greeted, silent.then_some(place)) {
                    self.last_words(&mut joining).await;
                }
            }
            Err(JoinError::Crowded) => {
                self.core.counts.refused(CloseCode::Overloaded, ClosedBy::Here);
                if place.is_heard() {
                    self.excuse(&mut joining, arrival.dialect);
                    joining.say_at_once();
                }
            }
            Err(JoinError::Broken(error)) => {
                self.core.counts.refused(CloseCode::Lost, ClosedBy::Transport);
                tracing::debug!(%error, "the transport broke during the handshake");
            }
            Err(error) => {
                if matches!(error, JoinError::Handshake(HandshakeError::TimedOut)) {
                    self.core.counts.met(Met::HandshakeTimeout);
                }
                if let Some((code, by)) = error.end() {
                    self.core.counts.refused(code, by);
                }
                match error {
                    JoinError::GoingAway => tracing::debug!("no connection: the server is shutting down"),
                    error => tracing::warn!(%error, "no connection"),
                }
                self.last_words(&mut joining).await;
            }
        }
    }

    /// Prepares to tell a client why it has to go.
    fn excuse(&self, joining: &mut Joining, dialect: Dialect) {
        match dialect {
            Dialect::Native => {
                let mut machine = ServerHandshake::new(self.info, &self.config.limits);
                if machine.handle_preface(&PREFACE).is_ok() {
                    joining.refuse(&mut machine, CROWDED);
                }
            }
            _ => joining.refuse_json(CROWDED),
        }
    }

    /// Says what was prepared, until the end of a shutdown's grace at most.
    async fn last_words(&self, joining: &mut Joining) {
        tokio::select! {
            biased;
            () = joining.last_words() => {}
            () = self.core.cut.cancelled() => {}
        }
    }

    /// Counts the connection in, and starts its driver. `silent`: the peer's place, if it has not sent a byte. If there are too
    /// many, the last words are prepared.
    fn open(self: &Arc<Self>, greeted: Greeted, silent: Option<Waiting>) -> Result<(), Joining> {
        let Greeted { mut joining, arrival, user, deadline, id, dialect } = greeted;
        let (limits, info) = (&self.config.limits, self.info);
        let token = SessionToken::random();
        let mut welcome = Vec::new();
        let (reader, writer, preface_len, mut machine, heartbeat_ms) = match dialect {
            Arrived::Native(machine, writer, wish) => {
                let heartbeat_ms = agreed_heartbeat_ms(self.config.heartbeat_ms, wish);
                let reader = Reader::native(limits, &info.client);
                (reader, writer, PREFACE.len(), Some((machine, token)), heartbeat_ms)
            }
            Arrived::Json(hello, shapes) => {
                let mut reader = JsonReader::server(info, limits, id, token, hello.form);
                reader.set_heartbeat(self.config.heartbeat_ms, hello.heartbeat_ms);
                reader.set_shapes(shapes);
                if hello.greets {
                    reader.greet(micros_now(), &mut welcome);
                }
                let mut writer = JsonWriter::server(info, &id, hello.form, &hello.limits);
                writer.set_old_packet_bytes(self.config.old_packet_bytes);
                let heartbeat_ms = reader.heartbeat_ms();
                (Reader::Json(Box::new(reader)), Writer::Json(Box::new(writer)), 0, None, heartbeat_ms)
            }
        };
        let budget = self.core.budget.clone();
        let trace = Trace::new(&self.core.counts, arrival.encrypted);
        #[cfg(feature = "inspect")]
        let trace = trace.with_person(self.config.person.name(user.as_ref()));
        // A token that others could have read proves nothing later.
        let is_secret = arrival.encrypted || arrival.addr.is_local();
        let who = (arrival.addr, arrival.key);
        let conn = Conn::new(id, who, (Role::Server, info), (writer, limits), self.config.call_timeout, budget, trace);
        conn.counters.bytes_received.add(joining.read);
        let Some(listed) = self.enlist(&conn) else {
            tracing::warn!("too many connections");
            self.core.counts.met(Met::MaxConnections);
            self.core.counts.refused(CloseCode::Overloaded, ClosedBy::Here);
            match &mut machine {
                Some((machine, _)) => joining.refuse(machine, FULL),
                None => joining.refuse_json(FULL),
            }
            return Err(joining);
        };
        if let Some((machine, token)) = &mut machine {
            machine.welcome(id, is_secret.then_some(&*token), heartbeat_ms, &mut welcome);
        }
        if let Some(silent) = &silent {
            silent.opened(&conn);
        }
        let dispatch = self.service.dispatch(Arc::clone(&conn), user, places(limits));
        let span = tracing::debug_span!("connection", %id, peer = %conn.addr, dialect = %conn.dialect, role = "server");
        let opening = Opening {
            io: joining.io,
            role: Role::Server,
            reader,
            grace: self.config.grace,
            welcome,
            preface_len,
            tail: joining.tail,
            deadline,
            silent,
            heartbeat: config::every(heartbeat_ms),
        };
        let driver = Driver::new(opening, conn, dispatch);
        let running = Running { driver, _listed: listed };
        // A span that nobody looks at is entered and left for each batch all the same.
        if span.is_disabled() {
            self.core.tasks.spawn(running);
        } else {
            self.core.tasks.spawn(running.instrument(span));
        }
        Ok(())
    }

    /// Whether there is no place for one more now.
    pub(super) fn is_full(&self) -> bool {
        self.core.live().len() >= self.config.max_connections
    }

    /// Counts the connection in, if there is a place. A shutdown that began meanwhile reaches it, too.
    fn enlist(&self, conn: &Arc<Conn>) -> Option<Listed> {
        let number = {
            let mut live = self.core.live();
            if live.len() >= self.config.max_connections {
                return None;
            }
            live.insert(conn)
        };
        if self.core.stop.is_cancelled() {
            conn.request_close(self.core.farewell());
        }
        Some(Listed { core: Arc::clone(&self.core), number })
    }
}

/// A connection in the server's list, until this is dropped.
struct Listed {
    core: Arc<Core>,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.core.live().remove(self.number);
    }
}

/// Others have come, and this one had waited for longest.
const CROWDED: Close<'_> = Close::new(CloseCode::Overloaded, "too many wait to be let in");
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
