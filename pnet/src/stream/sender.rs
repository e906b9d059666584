use std::{fmt, marker::PhantomData, sync::Arc};

use super::StreamId;
use crate::{connection::Conn, context::Cx, service::Service};

/// The producer's end of a stream of `B`: an argument of the handler of a packet declared `-> stream B` or
/// `-> stream Result<B, E>`.
pub struct StreamSender<B> {
    conn: Arc<Conn>,
    /// `None`: what was called is no stream.
    id: Option<StreamId>,
    item: PhantomData<fn(B)>,
}

impl<B> StreamSender<B> {
    /// That of the call that is being handled.
    pub(crate) fn of<S: Service>(cx: &Cx<S>) -> Self {
        Self { conn: Arc::clone(&cx.link().conn), id: cx.meta().stream, item: PhantomData }
    }
}

impl<B> Clone for StreamSender<B> {
    fn clone(&self) -> Self {
        Self { conn: Arc::clone(&self.conn), id: self.id, item: PhantomData }
    }
}

impl<B> fmt::Debug for StreamSender<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSender").field("connection", &self.conn.id).finish_non_exhaustive()
    }
}
