use std::{fmt, marker::PhantomData, sync::Arc};

use pnet_protocol::{protocol::Streamed, reply::Reply};

use crate::connection::Conn;

/// A stream of answers; what [`stream`](crate::Client::stream) returns.
#[must_use = "a stream is opened when it is polled"]
pub struct Streaming<R: Reply> {
    conn: Arc<Conn>,
    reply: PhantomData<fn() -> R>,
}

impl<R: Reply> Streaming<R> {
    pub(crate) fn new<T, K: Streamed<T, Reply = R>>(conn: &Arc<Conn>, action: u16, packet: &T) -> Self {
        let _ = (action, packet);
        Self { conn: Arc::clone(conn), reply: PhantomData }
    }
}

impl<R: Reply> fmt::Debug for Streaming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("connection", &self.conn.id).finish_non_exhaustive()
    }
}
