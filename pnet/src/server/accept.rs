//! From an accepted transport to a connection: the first byte, the handshake of its dialect, the driver.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
    time::Duration,
};

use pnet_protocol::{
    close::{Close, CloseCode, close_for},
    frame::PREFACE,
    handshake::{FirstByte, HandshakeError, ServerHandshake, ShapePolicy, first_byte},
    id::{ConnectionId, SessionToken},
    json::{Form, Greeting, JsonHello, JsonReader, JsonWriter},
    limits::agreed_heartbeat_ms,
    protocol::{Protocol, ProtocolInfo, Role},
    wire::{Reader, Writer},
};
use tokio::time::Instant;
use tracing::Instrument;

use super::{Core, ServerConfig, waiting::Waiting};
use crate::{
    client::places,
    config,
    connection::{
        Conn,
        driver::{Dispatch, Driver, Opening},
        join::{JoinError, Joining},
        last_words, micros_now,
        served::Served,
    },
    context::{Link, Shared},
    service::Service,
    transport::{Listener, PeerAddr, Transport},
};

/// A server as its own tasks see it, whatever its service.
pub(super) struct Serving {
    info: &'static ProtocolInfo,
    service: Box<dyn Serve>,
    config: ServerConfig,
    core: Arc<Core>,
}

/// What a server runs on its connections.
trait Serve: Send + Sync {
    /// What one connection's packets and calls become.
    fn dispatch(&self, conn: Arc<Conn>, places: usize) -> Box<dyn Dispatch>;
}

impl<S: Service> Serve for Arc<Shared<S>> {
    fn dispatch(&self, conn: Arc<Conn>, places: usize) -> Box<dyn Dispatch> {
        let link = Arc::new(Link { shared: Self::clone(self), conn, member: OnceLock::new() });
        Box::new(Served::new(link, places))
    }
}

/// A client whose handshake is done, but for the server's answer.
struct Arrival {
    joining: Joining,
    addr: PeerAddr,
    /// When the connect handler has to be done.
    deadline: Instant,
    id: ConnectionId,
    dialect: Arrived,
}

enum Arrived {
    /// With the heartbeat that the client wishes for.
    Native(ServerHandshake, Writer, u32),
    Json(JsonHello),
}

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
    pub(super) fn new<S: Service>(shared: Arc<Shared<S>>, config: ServerConfig, core: Arc<Core>) -> Arc<Self> {
        Arc::new(Self { info: S::Protocol::INFO, service: Box::new(shared), config, core })
    }

    pub(super) async fn accept(self: Arc<Self>, mut listener: impl Listener) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.core.stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            let error = match accepted {
                Ok((io, addr)) => {
                    self.enter(Box::new(io), addr);
                    continue;
                }
                Err(error) => error,
            };
            if !self.can_accept(&error).await {
                return;
            }
        }
    }

    /// Begins the handshake of a transport, in a task of its own.
    fn enter(self: &Arc<Self>, io: Box<dyn Transport>, addr: PeerAddr) {
        let Some(place) = self.core.waiting.enter(&addr) else {
            tracing::warn!(%addr, "too many connections have not finished their handshake");
            return;
        };
        let span = tracing::debug_span!("handshake", %addr);
        self.core.tasks.spawn(Arc::clone(self).join(io, addr, place).instrument(span));
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

    /// The handshake of one transport; at its end the driver takes over, in a task of its own that is as small as
    /// possible.
    async fn join(self: Arc<Self>, io: Box<dyn Transport>, addr: PeerAddr, place: Waiting) {
        let mut joining = Joining::new(io);
        let deadline = config::after(self.config.handshake_timeout);
        let arrived = tokio::select! {
            biased;
            () = place.has_to_go() => return,
            arrived = self.greet(&mut joining, &addr, &place, deadline) => arrived,
        };
        match arrived {
            Ok(dialect) => {
                let silent =
                    matches!(&dialect, Arrived::Json(hello) if hello.form == Form::Old && joining.tail.is_empty());
                let arrival = Arrival { joining, addr, deadline, id: ConnectionId::random(), dialect };
                self.open(arrival, silent.then_some(place)).await;
            }
            Err(JoinError::Broken(error)) => tracing::debug!(%error, "the transport broke during the handshake"),
            Err(error) => {
                match error {
                    JoinError::GoingAway => tracing::debug!("no connection: the server is shutting down"),
                    error => tracing::warn!(%error, "no connection"),
                }
                self.last_words(&mut joining).await;
            }
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

    /// Waits for the first byte, and for the hello of the dialect that it chooses.
    async fn greet(
        &self,
        joining: &mut Joining,
        addr: &PeerAddr,
        place: &Waiting,
        deadline: Instant,
    ) -> Result<Arrived, JoinError> {
        let speaks_first = self.config.dialects.json && (self.config.old_clients || addr.is_local());
        let patience = if speaks_first { config::after(config::SILENCE).min(deadline) } else { deadline };
        // Who has said nothing yet when the server shuts down cannot be told so: its dialect is not known.
        let first = tokio::select! {
            biased;
            first = tokio::time::timeout_at(patience, joining.first_byte()) => first,
            () = self.core.stop.cancelled() => return Err(JoinError::GoingAway),
        };
        let Ok(first) = first else {
            if !speaks_first || patience == deadline {
                return Err(HandshakeError::TimedOut.into());
            }
            let hello = JsonHello::silent(Form::Old);
            self.authorize_json(joining, &hello, addr)?;
            return Ok(Arrived::Json(hello));
        };
        let first = first?;
        place.speaks();
        match first_byte(first) {
            FirstByte::Json => self.greet_json(joining, addr, deadline).await,
            // What is no dialect at all is told apart in there, too.
            _ => self.greet_native(joining, addr, deadline).await,
        }
    }

    async fn greet_native(
        &self,
        joining: &mut Joining,
        addr: &PeerAddr,
        deadline: Instant,
    ) -> Result<Arrived, JoinError> {
        let mut machine = ServerHandshake::new(self.info, &self.config.limits);
        let authorize = |credentials: &[u8]| {
            if !self.config.dialects.native {
                return Err((JoinError::Dialect, Close::new(CloseCode::Refused, "this server speaks JSON only")));
            }
            self.authorize(credentials, addr).ok_or((JoinError::Unauthorized, NOT_ACCEPTED))
        };
        let hello = tokio::select! {
            biased;
            hello = tokio::time::timeout_at(deadline, joining.server(&mut machine, authorize)) => hello,
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

    async fn greet_json(
        &self,
        joining: &mut Joining,
        addr: &PeerAddr,
        deadline: Instant,
    ) -> Result<Arrived, JoinError> {
        if !self.config.dialects.json {
            joining.refuse_json(Close::new(CloseCode::Refused, "this server does not speak JSON"));
            return Err(JoinError::Dialect);
        }
        let mut machine = Greeting::new(self.info);
        let hello = tokio::select! {
            biased;
            hello = tokio::time::timeout_at(deadline, joining.greet_json(&mut machine)) => hello,
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
        self.authorize_json(joining, &hello, addr)?;
        Ok(Arrived::Json(hello))
    }

    fn authorize_json(&self, joining: &mut Joining, hello: &JsonHello, addr: &PeerAddr) -> Result<(), JoinError> {
        if self.authorize(&hello.credentials, addr).is_some() {
            return Ok(());
        }
        joining.refuse_json(NOT_ACCEPTED);
        Err(JoinError::Unauthorized)
    }

    /// Counts the connection in, and starts its driver. `silent`: the peer's place, if it has not sent a byte.
    async fn open(self: Arc<Self>, arrival: Arrival, silent: Option<Waiting>) {
        let Arrival { mut joining, addr, deadline, id, dialect } = arrival;
        let (limits, info) = (&self.config.limits, self.info);
        let token = SessionToken::random();
        let mut welcome = Vec::new();
        let (reader, writer, preface_len, mut machine, heartbeat_ms) = match dialect {
            Arrived::Native(machine, writer, wish) => {
                let heartbeat_ms = agreed_heartbeat_ms(self.config.heartbeat_ms, wish);
                let reader = Reader::native(limits, &info.client);
                (reader, writer, PREFACE.len(), Some((machine, token)), heartbeat_ms)
            }
            Arrived::Json(hello) => {
                let mut reader = JsonReader::server(info, limits, id, token, hello.form);
                reader.set_heartbeat(self.config.heartbeat_ms, hello.heartbeat_ms);
                if hello.greets {
                    reader.greet(micros_now(), &mut welcome);
                }
                let writer = JsonWriter::server(info, &id, hello.form, &hello.limits);
                let heartbeat_ms = reader.heartbeat_ms();
                (Reader::Json(Box::new(reader)), Writer::Json(Box::new(writer)), 0, None, heartbeat_ms)
            }
        };
        let budget = self.core.budget.clone();
        let conn = Conn::new(id, addr, (Role::Server, info), (writer, limits), self.config.call_timeout, budget);
        conn.counters.bytes_received.add(joining.read);
        let Some(listed) = self.enlist(&conn) else {
            tracing::warn!("too many connections");
            let close = Close::new(CloseCode::Overloaded, "too many connections");
            match &mut machine {
                Some((machine, _)) => joining.refuse(machine, close),
                None => joining.refuse_json(close),
            }
            self.last_words(&mut joining).await;
            return;
        };
        if let Some((machine, token)) = &mut machine {
            machine.welcome(id, token, heartbeat_ms, &mut welcome);
        }
        if let Some(silent) = &silent {
            silent.opened(&conn);
        }
        let dispatch = self.service.dispatch(Arc::clone(&conn), places(limits));
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
    }

    /// How much of the schema the peer may learn, or `None` if it is not let in at all.
    fn authorize(&self, credentials: &[u8], addr: &PeerAddr) -> Option<ShapePolicy> {
        let Some(accept) = &self.config.authenticate else {
            return Some(if addr.is_local() { ShapePolicy::Shapes } else { ShapePolicy::Names });
        };
        let accepted = catch_unwind(AssertUnwindSafe(|| accept(credentials, addr))).unwrap_or_else(|_| {
            tracing::error!("`authenticate` panicked");
            false
        });
        accepted.then_some(ShapePolicy::Shapes)
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

const NOT_ACCEPTED: Close<'_> = Close::new(CloseCode::Unauthorized, "the credentials were not accepted");
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
