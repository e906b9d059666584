//! The task that gives a [`Line`] one connection after the other.

use std::{io, sync::Arc};

use pnet_protocol::protocol::{Phase, Protocol};
use tokio::{
    select,
    time::{Instant, sleep, timeout_at},
};

use super::{Hook, Plan, backoff::Delays};
use crate::{
    calls::line::{Line, LinkState},
    client::{Client, Dialed, open},
    config,
    connection::Conn,
    driver::dispatch::Dispatch,
    error::{Closed, ClosedBy, ConnectError, Refused},
    transport::{PeerAddr, Transport},
    unwind::hook::{self, Panicked},
};

/// Makes the first connection, whose errors are the caller's, and has the others made.
///
/// `dial` opens a transport to what is called `server`, or by its address where that has no name; `room` waits until a
/// further connection is wanted, `make` makes what its driver serves.
pub(super) async fn start<P, Io, Dial, Dialing, Room, Roomy, Make>(
    plan: Plan<P>,
    (server, dial): (Option<String>, Dial),
    room: Room,
    make: Make,
) -> Result<Client<P>, ConnectError>
where
    P: Phase,
    Io: Transport,
    Dial: Fn() -> Dialing + Send + 'static,
    Dialing: Future<Output = Result<(Io, PeerAddr), ConnectError>> + Send,
    Room: Fn() -> Roomy + Send + 'static,
    Roomy: Future<Output = ()> + Send,
    Make: FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send + 'static,
{
    let mut plan = plan;
    // All its connections count together.
    plan.config.counts(<P::Protocol as Protocol>::INFO);
    let mut attempts = Attempts { plan, server, dial, make };
    let client = attempts.connect().await?;
    let conn = client.conn();
    select! {
        biased;
        closed = conn.closed() => return Err(lost(&closed)),
        done = run_hook(attempts.plan.hook.as_ref(), &client) => if let Err(refused) = done {
            conn.request_close(Closed::refused(&refused));
            return Err(ConnectError::Hook(refused));
        },
    }
    let line = Line::new(conn, attempts.plan.while_down);
    let user = Client::on_line(Arc::clone(&line));
    let end = End(Arc::clone(&line));
    let delays = Delays::new(attempts.plan.backoff.clone());
    let supervisor = Supervisor { line, attempts, room, delays };
    tokio::spawn(async move {
        let closed = supervisor.run(client).await;
        tracing::debug!(%closed, "the client does not connect again");
        end.0.set_over(&closed);
    });
    Ok(user)
}

struct Supervisor<P: Phase, Dial, Room, Make> {
    line: Arc<Line>,
    attempts: Attempts<P, Dial, Make>,
    room: Room,
    delays: Delays,
}

impl<P, Io, Dial, Dialing, Room, Roomy, Make> Supervisor<P, Dial, Room, Make>
where
    P: Phase,
    Io: Transport,
    Dial: Fn() -> Dialing,
    Dialing: Future<Output = Result<(Io, PeerAddr), ConnectError>>,
    Room: Fn() -> Roomy,
    Roomy: Future<Output = ()>,
    Make: FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send,
{
    /// Holds one handle on each connection, so that those which handlers hold do not decide about its end.
    async fn run(mut self, mut client: Client<P>) -> Arc<Closed> {
        loop {
            let since = Instant::now();
            let conn = client.conn();
            let closed = select! {
                biased;
                closed = conn.closed() => closed,
                () = self.line.wait_for_quit() => return finish(&self.line, client).await,
            };
            drop(client);
            self.delays.was_up(since.elapsed());
            client = match self.come_back(closed).await {
                Ok(client) => client,
                Err(closed) => return closed,
            };
            self.line.set_up(&client.conn());
        }
    }

    /// The next connection, or why there is none.
    async fn come_back(&mut self, mut why: Arc<Closed>) -> Result<Client<P>, Arc<Closed>> {
        loop {
            let asked = match why.comes_back() {
                Some(asked) => asked,
                // Other credentials may do.
                None if why.refuses_credentials() && self.attempts.plan.config.credentials.refused(&why) => None,
                None => return Err(why),
            };
            let Some((attempt, delay)) = self.delays.next(asked) else { return Err(why) };
            let retry_at = config::after(delay);
            tracing::debug!(closed = %why, attempt, ?delay, "the client connects again later");
            self.line.set_down(&why, LinkState::Waiting { attempt, retry_at, why: Arc::clone(&why) });
            let line = Arc::clone(&self.line);
            let room = (self.room)();
            let connected = select! {
                biased;
                () = line.wait_for_quit() => return Err(Arc::new(line.quitting())),
                connected = async {
                    sleep(retry_at.saturating_duration_since(Instant::now())).await;
                    room.await;
                    line.set_connecting();
                    self.attempts.connect().await
                } => connected,
            };
            let client = match connected {
                Ok(client) => client,
                Err(error) => {
                    why = Arc::new(error.to_closed());
                    continue;
                }
            };
            let conn = client.conn();
            let hooked = select! {
                biased;
                closed = conn.closed() => Err(closed),
                () = line.wait_for_quit() => Ok(None),
                done = run_hook(self.attempts.plan.hook.as_ref(), &client) => Ok(Some(done)),
            };
            why = match hooked {
                Ok(Some(Ok(()))) => return Ok(client),
                Ok(Some(Err(refused))) => {
                    conn.request_close(Closed::refused(&refused));
                    conn.closed().await
                }
                Ok(None) => return Err(finish(&line, client).await),
                Err(closed) => closed,
            };
        }
    }
}

/// The users want no connection any more: ends the one there is as they would have.
async fn finish<P: Phase>(line: &Line, client: Client<P>) -> Arc<Closed> {
    let conn = client.conn();
    if line.was_closed() {
        conn.request_drain(line.quitting(), config::after(config::GRACE));
    }
    drop(client);
    conn.written().await
}

struct Attempts<P: Phase, Dial, Make> {
    plan: Plan<P>,
    server: Option<String>,
    dial: Dial,
    make: Make,
}

impl<P, Io, Dial, Dialing, Make> Attempts<P, Dial, Make>
where
    P: Phase,
    Io: Transport,
    Dial: Fn() -> Dialing,
    Dialing: Future<Output = Result<(Io, PeerAddr), ConnectError>>,
    Make: FnMut(Arc<Conn>) -> Box<dyn Dispatch> + Send,
{
    /// One attempt, from the first packet to the welcome.
    async fn connect(&mut self) -> Result<Client<P>, ConnectError> {
        let after = self.plan.config.handshake_timeout;
        let deadline = config::after(after);
        let late = |_| ConnectError::TimedOut { after };
        let mut config = self.plan.config.clone();
        // First, so that a server does not wait for this side's program.
        let credentials = timeout_at(deadline, config.credentials.json()).await.map_err(late)??;
        let dialed = (self.dial)();
        let (io, peer) = timeout_at(deadline, dialed).await.map_err(late)??;
        config.handshake_timeout = deadline.saturating_duration_since(Instant::now());
        let dialed = Dialed::new(io, peer, self.server.clone());
        match open(dialed, (config, &credentials), <P::Protocol as Protocol>::INFO, &mut self.make).await {
            Err(ConnectError::TimedOut { .. }) => Err(ConnectError::TimedOut { after }),
            opened => opened.map(Client::opened),
        }
    }
}

/// Runs the user's part of an attempt.
async fn run_hook<P: Phase>(connected: Option<&Hook<P>>, client: &Client<P>) -> Result<(), Refused> {
    match connected {
        Some(connected) => {
            let done = hook::run("connected", || connected(client.clone())).await;
            done.unwrap_or_else(|Panicked| Err(Refused::new("internal error")))
        }
        None => Ok(()),
    }
}

/// Leaves nobody waiting when the supervisor is dropped half-way, with its runtime for one.
struct End(Arc<Line>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.set_over(&Arc::new(Closed::new(
            pnet_protocol::close::CloseCode::Lost,
            "the client's task has ended",
            ClosedBy::Here,
        )));
    }
}

/// The first connection was gone before it was the caller's.
fn lost(closed: &Arc<Closed>) -> ConnectError {
    match closed.by() {
        ClosedBy::Transport => ConnectError::Broken(io::Error::other(Closed::clone(closed))),
        _ => ConnectError::Refused(Closed::clone(closed)),
    }
}
