//! The consumer's end of a stream that was opened by a packet made at run time.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream;
use pnet_protocol::{
    json::DONE,
    packet::{Codec, DecodeError},
    protocol::{ActionInfo, PartInfo, ReplyInfo},
    reply::Reply,
};
use serde_json::Value;

use super::{
    call::{Calling, Sending},
    json::Json,
    line::Route,
    stream::Streaming,
};
use crate::{
    buffers,
    connection::Conn,
    error::{CallError, JsonError},
};

/// The consumer's end of a stream that was opened by a [`Json`] packet; what
/// [`Client::stream_json`](crate::Client::stream_json), [`Peer::stream_json`](crate::Peer::stream_json) and
/// [`dynamic::Client::stream`](crate::dynamic::Client::stream) return.
///
/// As [`Streaming`](crate::Streaming) in all that comes and when, but that items and the declared error are [`Json`]. What is wrong with the
/// packet that opens it comes as the first and only item, as [`CallError::Json`](crate::CallError::Json); an item that does not
/// fit its shape ends the stream.
///
/// # Examples
///
/// ```
/// # use pnet::{Json, Packet, SendError, StreamSender, action, actions, protocol};
/// # use serde::{Deserialize, Serialize};
/// # use serde_json::json;
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Count { to: u32 }
/// # #[derive(Packet, Serialize, Deserialize)] pub struct Number { n: u32 }
/// # protocol! { pub Counting { client { Count -> stream Number } } }
/// # #[action("COUNT")] async fn count(p: Count, out: StreamSender<Number>) -> Result<(), SendError> {
/// #     for n in 1..=p.to { out.send(Number { n }).await?; }
/// #     Ok(())
/// # }
/// # actions! { pub server Counter for Counting: count }
/// # actions! { pub client Ui for Counting: }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let counting = pnet::memory::serve(Counter, ()).connect(Ui, ()).await?;
/// let mut numbers = counting.stream_json(&Json::new("COUNT", json!({"to": 2})));
/// assert_eq!(numbers.next().await.transpose()?, Some(Json::new("NUMBER", json!({"n": 1}))));
/// assert_eq!(numbers.next().await.transpose()?, Some(Json::new("NUMBER", json!({"n": 2}))));
/// assert!(numbers.next().await.is_none());
/// # Ok(()) }
/// ```
///
/// # Cancel safety
///
/// As [`Streaming`](crate::Streaming).
#[must_use = "a stream is opened when its first item is asked for"]
pub struct JsonStreaming {
    state: State,
}

enum State {
    Open(Box<Streaming<Raw>>, &'static ActionInfo),
    Refused(Option<JsonError>),
}

type Item = Result<Json, CallError<Json>>;

impl JsonStreaming {
    pub(crate) fn new(stream: Streaming<Raw>, info: &'static ActionInfo) -> Self {
        Self { state: State::Open(Box::new(stream), info) }
    }

    pub(crate) const fn refused(error: JsonError) -> Self {
        Self { state: State::Refused(Some(error)) }
    }

    /// Ends the whole stream with [`CallError::TimedOut`](crate::CallError::TimedOut) if it is not over by then, counted from the first poll.
    pub fn timeout(self, timeout: Duration) -> Self {
        match self.state {
            State::Open(stream, info) => Self { state: State::Open(Box::new(stream.timeout(timeout)), info) },
            refused => Self { state: refused },
        }
    }

    /// The next item; `None` at the end.
    ///
    /// # Errors
    ///
    /// How the stream ended, if not as it should.
    ///
    /// # Cancel safety
    ///
    /// No item is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Json, CallError<Json>>> {
        poll_fn(|task| self.poll_item(task)).await
    }

    fn poll_item(&mut self, task: &mut Context<'_>) -> Poll<Option<Item>> {
        let (stream, info) = match &mut self.state {
            State::Open(stream, info) => (stream, *info),
            State::Refused(error) => return Poll::Ready(error.take().map(|error| Err(error.into()))),
        };
        let ReplyInfo::Stream { item: part, error: declared } = &info.reply else { return Poll::Ready(None) };
        let dialect = stream.conn().dialect;
        let read = |part: &PartInfo, payload: &[u8]| {
            Json::read(part, dialect, payload)
                .map_err(|source| CallError::Json(JsonError::Unreadable { action: info.action, source }))
        };
        let item = match ready!(stream.poll_item(task)) {
            None => return Poll::Ready(None),
            Some(Ok(payload)) => {
                let item = read(part, &payload);
                if item.is_err() {
                    // Dropped, it tells the producer.
                    self.state = State::Refused(None);
                }
                item
            }
            Some(Err(error)) => Err(error.try_map_declared(|payload| match declared {
                Some(part) => read(part, &payload),
                None => Err(CallError::Decode(DecodeError::Unexpected { len: payload.len() })),
            })),
        };
        Poll::Ready(Some(item))
    }
}

impl Json {
    pub(crate) fn sending(&self, conn: Arc<Conn>, route: Route) -> Sending {
        let rule = self.rule(conn.info, conn.outgoing()).unwrap_or_default();
        let frame = self.frame(conn.info, conn.outgoing(), conn.dialect);
        Sending::dynamic(conn, route, frame, rule)
    }

    pub(crate) async fn calling(self, conn: Arc<Conn>, route: Route) -> Result<Self, CallError<Self>> {
        let (id, info) = self.find(conn.info, conn.outgoing())?;
        match info.reply {
            ReplyInfo::None => return Err(JsonError::OneWay { action: info.action }.into()),
            ReplyInfo::Stream { .. } => return Err(JsonError::Streamed { action: info.action }.into()),
            _ => {}
        }
        let mut payload = buffers::take();
        self.encode(info, conn.dialect.codec_override(), &mut payload)?;
        let answer = Calling::<Raw>::dynamic(Arc::clone(&conn), route, id, payload).await;
        let read = |part: &PartInfo, payload: &[u8]| {
            Self::read(part, conn.dialect, payload)
                .map_err(|source| CallError::Json(JsonError::Unreadable { action: info.action, source }))
        };
        match (answer, &info.reply) {
            (Ok(payload), ReplyInfo::Packet(part) | ReplyInfo::Result(part, _)) => read(part, &payload),
            (Ok(_), _) => Ok(Self::new(DONE, Value::Null)),
            (Err(error), reply) => Err(error.try_map_declared(|payload| match reply {
                ReplyInfo::Result(_, part) => read(part, &payload),
                _ => Err(CallError::Decode(DecodeError::Unexpected { len: payload.len() })),
            })),
        }
    }

    pub(crate) fn streaming(&self, conn: Arc<Conn>, route: Route) -> JsonStreaming {
        match self.stream_payload(&conn) {
            Ok((id, info, payload)) => JsonStreaming::new(Streaming::dynamic(conn, route, id, payload), info),
            Err(error) => JsonStreaming::refused(error),
        }
    }

    fn stream_payload(&self, conn: &Conn) -> Result<(u16, &'static ActionInfo, Vec<u8>), JsonError> {
        let (id, info) = self.find(conn.info, conn.outgoing())?;
        if !info.reply.is_stream() {
            return Err(JsonError::NotStreamed { action: info.action });
        }
        let mut payload = buffers::take();
        self.encode(info, conn.dialect.codec_override(), &mut payload)?;
        Ok((id, info, payload))
    }
}

impl Stream for JsonStreaming {
    type Item = Result<Json, CallError<Json>>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(task)
    }
}

impl fmt::Debug for JsonStreaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match &self.state {
            State::Open(_, info) => Some(info.action),
            State::Refused(_) => None,
        };
        f.debug_struct("JsonStreaming").field("action", &action).finish_non_exhaustive()
    }
}

/// An answer that is not read yet.
#[derive(Debug)]
pub(crate) enum Raw {}

impl Reply for Raw {
    type Ok = Vec<u8>;
    type Err = Vec<u8>;

    const INFO: ReplyInfo = ReplyInfo::None;

    fn decode_ok(_: Option<Codec>, payload: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(payload.to_vec())
    }

    fn decode_err(_: Option<Codec>, payload: &[u8]) -> Result<Vec<u8>, DecodeError> {
        Ok(payload.to_vec())
    }
}
