//! What the handles of a reconnecting client share, and how a packet made now finds a connection.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use pnet_protocol::close::CloseCode;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::Conn,
    error::{Closed, ClosedBy},
};

/// One client over all its connections.
#[derive(Debug)]
pub(crate) struct Line {
    now: watch::Sender<Now>,
    states: watch::Sender<LinkState>,
    while_down: WhileDown,
    /// The users' handles.
    users: AtomicUsize,
    /// The users want no connection any more; `close` says whether it was by word.
    quit: CancellationToken,
    close: AtomicBool,
}

#[derive(Debug)]
struct Now {
    /// The current connection, or the last one.
    conn: Arc<Conn>,
    at: At,
}

#[derive(Debug)]
enum At {
    Up,
    Down(Arc<Closed>),
    Over(Arc<Closed>),
}

impl Line {
    pub(crate) fn new(conn: Arc<Conn>, while_down: WhileDown) -> Arc<Self> {
        Arc::new(Self {
            now: watch::Sender::new(Now { conn, at: At::Up }),
            states: watch::Sender::new(LinkState::Up),
            while_down,
            users: AtomicUsize::new(0),
            quit: CancellationToken::new(),
            close: AtomicBool::new(false),
        })
    }

    /// The current connection, or the last one.
    pub(crate) fn conn(&self) -> Arc<Conn> {
        Arc::clone(&self.now.borrow().conn)
    }

    pub(crate) fn states(&self) -> watch::Receiver<LinkState> {
        self.states.subscribe()
    }

    pub(crate) fn add_user(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn drop_user(&self) {
        if self.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.quit.cancel();
        }
    }

    /// Ends the connection, if there is one, and lets no other follow.
    pub(crate) fn request_close(&self) {
        self.close.store(true, Ordering::Release);
        self.quit.cancel();
    }

    pub(crate) fn over(&self) -> Option<Arc<Closed>> {
        match &self.now.borrow().at {
            At::Over(closed) => Some(Arc::clone(closed)),
            At::Up | At::Down(_) => None,
        }
    }

    /// Waits until no connection will follow.
    pub(crate) async fn closed(&self) -> Arc<Closed> {
        let mut now = self.now.subscribe();
        loop {
            if let Some(closed) = self.over() {
                return closed;
            }
            // The sender is this very line's.
            let _ = now.changed().await;
        }
    }

    pub(crate) async fn wait_for_quit(&self) {
        self.quit.cancelled().await;
    }

    /// Whether the users' end was `close`, and not the last handle's drop.
    pub(crate) fn was_closed(&self) -> bool {
        self.close.load(Ordering::Acquire)
    }

    /// What ends the line when its users do.
    pub(crate) fn quitting(&self) -> Closed {
        let reason = if self.was_closed() { "" } else { "the last client handle was dropped" };
        Closed::new(CloseCode::Normal, reason, ClosedBy::Here)
    }

    pub(crate) fn set_up(&self, conn: &Arc<Conn>) {
        self.now.send_replace(Now { conn: Arc::clone(conn), at: At::Up });
        self.states.send_replace(LinkState::Up);
    }

    pub(crate) fn set_down(&self, why: &Arc<Closed>, state: LinkState) {
        self.now.send_modify(|now| now.at = At::Down(Arc::clone(why)));
        self.states.send_replace(state);
    }

    pub(crate) fn set_connecting(&self) {
        self.states.send_replace(LinkState::Connecting);
    }

    pub(crate) fn set_over(&self, closed: &Arc<Closed>) {
        let news = self.now.send_if_modified(|now| {
            let news = !matches!(now.at, At::Over(_));
            if news {
                now.at = At::Over(Arc::clone(closed));
            }
            news
        });
        if news {
            self.states.send_replace(LinkState::Closed(Arc::clone(closed)));
        }
    }

    /// A connection other than `last`: `Some(Ok)` if it is there, `Some(Err)` if none will come.
    fn another(&self, last: &Arc<Conn>) -> Option<Next> {
        let now = self.now.borrow();
        match &now.at {
            // Their ids are the server's business: it may name two alike.
            At::Up if !Arc::ptr_eq(&now.conn, last) => Some(Ok(Arc::clone(&now.conn))),
            At::Over(closed) => Some(Err(Arc::clone(closed))),
            At::Up | At::Down(_) => None,
        }
    }

    async fn wait_for_another(self: Arc<Self>, last: Arc<Conn>) -> Next {
        let mut now = self.now.subscribe();
        loop {
            if let Some(found) = self.another(&last) {
                return found;
            }
            let _ = now.changed().await;
        }
    }

    /// Why there is no connection, if it is known by now.
    fn why(&self) -> Option<Arc<Closed>> {
        match &self.now.borrow().at {
            At::Down(why) | At::Over(why) => Some(Arc::clone(why)),
            At::Up => None,
        }
    }
}

/// How a packet that was made for one connection finds another when that one is gone.
#[derive(Default)]
pub(crate) enum Route {
    /// Not at all: the connection is the only one.
    #[default]
    Fixed,
    /// On the line's current connection.
    Line(Arc<Line>),
    /// On the line's next connection, which is waited for.
    Coming(Box<Coming>),
}

/// The wait for a line's next connection.
pub(crate) struct Coming {
    line: Arc<Line>,
    next: Pin<Box<dyn Future<Output = Next> + Send + Sync>>,
}

type Next = Result<Arc<Conn>, Arc<Closed>>;

impl Route {
    /// Ready if `conn` may be tried. Ready with an error if no connection will come.
    #[inline]
    pub(crate) fn poll(&mut self, conn: &mut Arc<Conn>, task: &mut Context<'_>) -> Poll<Result<(), Arc<Closed>>> {
        match self {
            Self::Fixed | Self::Line(_) => Poll::Ready(Ok(())),
            Self::Coming(_) => self.poll_coming(conn, task),
        }
    }

    fn poll_coming(&mut self, conn: &mut Arc<Conn>, task: &mut Context<'_>) -> Poll<Result<(), Arc<Closed>>> {
        let Self::Coming(coming) = self else { return Poll::Ready(Ok(())) };
        let found = ready!(coming.next.as_mut().poll(task));
        *self = Self::Line(Arc::clone(&coming.line));
        Poll::Ready(found.map(|found| *conn = found))
    }

    /// `conn` takes nothing any more, as `closed` says. `Ok`: poll again, the next one may; else why not.
    pub(crate) fn leave(&mut self, conn: &mut Arc<Conn>, closed: Arc<Closed>) -> Result<(), Arc<Closed>> {
        let Self::Line(line) = self else { return Err(closed) };
        match line.another(conn) {
            Some(found) => *conn = found?,
            None if line.while_down == WhileDown::Fail => return Err(line.why().unwrap_or(closed)),
            None => {
                let next = Box::pin(Arc::clone(line).wait_for_another(Arc::clone(conn)));
                *self = Self::Coming(Box::new(Coming { line: Arc::clone(line), next }));
            }
        }
        Ok(())
    }

    /// Why there is no connection to wait for any longer.
    pub(crate) fn why(&self) -> Option<Arc<Closed>> {
        match self {
            Self::Fixed => None,
            Self::Line(line) => line.why(),
            Self::Coming(coming) => coming.line.why(),
        }
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fixed => "Fixed",
            Self::Line(_) => "Line",
            Self::Coming(_) => "Coming",
        })
    }
}

/// What becomes of calls and packets that are made while a reconnecting client has no connection.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhileDown {
    /// They wait for the next connection: a call up to its own timeout, and then it is
    /// [`TimedOut`](crate::CallError::TimedOut); a packet up to the client's call timeout, and then it is
    /// [`Disconnected`](crate::SendError::Disconnected).
    #[default]
    Wait,
    /// They fail at once as `Disconnected`, with the reason why there is no connection.
    Fail,
}

/// What the connection of a client is doing; see [`Client::states`](crate::Client::states).
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum LinkState {
    /// An attempt is under way, the [`connected`](crate::ReconnectBuilder::connected) part included.
    Connecting,
    /// There is a connection.
    Up,
    /// There is none, and the client waits before it tries again.
    Waiting {
        /// The number of the attempt that comes next, in this row of attempts; the first is 1.
        attempt: u32,
        /// When it comes.
        retry_at: Instant,
        /// Why there is no connection: how the last one ended, or why the last attempt failed.
        why: Arc<Closed>,
    },
    /// There is none, and none will follow.
    Closed(Arc<Closed>),
}

/// The states of a client that does not reconnect.
pub(crate) fn states_of(conn: &Arc<Conn>) -> watch::Receiver<LinkState> {
    let gone = conn.gone();
    let open = gone.is_none();
    let (sender, states) = watch::channel(gone.map_or(LinkState::Up, LinkState::Closed));
    if open {
        let conn = Arc::clone(conn);
        tokio::spawn(async move {
            tokio::select! {
                closed = conn.closed() => drop(sender.send(LinkState::Closed(closed))),
                () = sender.closed() => {}
            }
        });
    }
    states
}
