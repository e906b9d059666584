//! [`Json`]: a packet whose action and data are made at run time.

use std::fmt;

use pnet_protocol::{
    dialect::Dialect,
    dynamic::{self, DecodeFault},
    packet::{Codec, WhenFull},
    protocol::{ActionInfo, Direction, PartInfo, ProtocolInfo, ReplyInfo},
    wire,
};
use serde_json::Value;

use crate::{buffers, error::JsonError};

/// A packet whose action and data are made at run time: for gateways, tools and consoles.
///
/// [`Client::send_json`](crate::Client::send_json), [`call_json`](crate::Client::call_json), the same on
/// [`Peer`](crate::Peer), and [`Hub::broadcast_json`](crate::Hub::broadcast_json) take it. What the compiler checks for
/// typed packets is checked when it is sent: the protocol has to declare the action in that direction, and the data has to
/// fit its shape, field by field. The verdict does not depend on the dialect of the connection; to a native peer the packet
/// goes in the action's own codec.
///
/// Stricter than serde reads JSON: there are no fields beyond those of the shape, and a field with a serde default has to
/// be given, since only the type knows the default. Options may be left out.
///
/// Streams are opened with [`stream_json`](crate::Client::stream_json).
///
/// # Examples
///
/// ```
/// use pnet::{Json, Packet, action, actions, protocol};
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
///
/// #[derive(Packet, Serialize, Deserialize)]
/// pub struct Add { a: i64, b: i64 }
///
/// #[derive(Packet, Serialize, Deserialize)]
/// pub struct Sum { sum: i64 }
///
/// protocol! { pub Math { client { Add -> Sum } } }
///
/// #[action("ADD")]
/// fn add(p: Add) -> Sum { Sum { sum: p.a + p.b } }
///
/// actions! { pub server MathServer for Math: add }
/// actions! { pub client MathClient for Math: }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let math = pnet::memory::serve(MathServer, ()).connect(MathClient, ()).await?;
/// let sum = math.call_json(Json::new("ADD", json!({"a": 1, "b": 2}))).await?;
/// assert_eq!(sum, Json::new("SUM", json!({"sum": 3})));
///
/// let error = math.call_json(Json::new("ADD", json!({"a": 1, "b": "two"}))).await.unwrap_err();
/// let why = std::error::Error::source(&error).and_then(|error| error.source()).map(ToString::to_string);
/// assert_eq!(why.as_deref(), Some("`data.b`: an integer is wanted, and this is a string"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq)]
pub struct Json {
    action: String,
    data: Value,
}

impl Json {
    /// A packet with this action and data. Nothing is checked before it is sent.
    pub fn new(action: impl Into<String>, data: impl Into<Value>) -> Self {
        Self { action: action.into(), data: data.into() }
    }

    /// The action. That of the answer to `-> ()` is `pnet.done`.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The data.
    #[must_use]
    pub const fn data(&self) -> &Value {
        &self.data
    }

    /// The data, without a copy.
    #[must_use]
    pub fn into_data(self) -> Value {
        self.data
    }
}

/// The data is shown as its kind and size. [`data`](Json::data) has all of it.
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = match &self.data {
            Value::Null => format_args!("null"),
            Value::Bool(_) => format_args!("a boolean"),
            Value::Number(_) => format_args!("a number"),
            Value::String(text) => format_args!("a text of {} bytes", text.len()),
            Value::Array(items) => format_args!("an array of {}", items.len()),
            Value::Object(fields) => format_args!("an object of {}", fields.len()),
        };
        f.debug_struct("Json").field("action", &self.action).field("data", &data).finish()
    }
}

impl Json {
    /// Which packet it is, and what becomes of it if the queue is full.
    pub(crate) fn rule(
        &self,
        protocol: &'static ProtocolInfo,
        outgoing: &'static Direction,
    ) -> Result<(u16, WhenFull), JsonError> {
        self.find(protocol, outgoing).map(|(id, info)| (id, info.when_full))
    }

    /// The one-way packet as it waits to be written.
    pub(crate) fn frame(
        &self,
        protocol: &'static ProtocolInfo,
        outgoing: &'static Direction,
        dialect: Dialect,
    ) -> Result<Vec<u8>, JsonError> {
        let (id, info) = self.find(protocol, outgoing)?;
        match info.reply {
            ReplyInfo::None => {}
            ReplyInfo::Stream { .. } => return Err(JsonError::Streamed { action: info.action }),
            _ => return Err(JsonError::Answered { action: info.action }),
        }
        let mut payload = buffers::take();
        self.encode(info, dialect.codec_override(), &mut payload)?;
        let mut frame = buffers::take();
        wire::packet_frame(dialect, info, id, &payload, &mut frame);
        buffers::give(payload);
        Ok(frame)
    }

    /// Sees whether the protocol declares the action, and whether the data fits it.
    pub(crate) fn check(
        &self,
        protocol: &'static ProtocolInfo,
        outgoing: &'static Direction,
        dialect: Dialect,
    ) -> Result<(), JsonError> {
        let (_, info) = self.find(protocol, outgoing)?;
        let mut payload = buffers::take();
        let encoded = self.encode(info, dialect.codec_override(), &mut payload);
        buffers::give(payload);
        encoded
    }

    /// Reads what a part of an answer says.
    pub(crate) fn read(part: &PartInfo, dialect: Dialect, payload: &[u8]) -> Result<Self, DecodeFault> {
        let codec = dialect.codec_override().unwrap_or(part.codec);
        Ok(Self::new(part.action, dynamic::decode(payload, part.schema, codec)?))
    }

    /// Writes the data as the action's payload.
    pub(crate) fn encode(
        &self,
        info: &'static ActionInfo,
        codec_override: Option<Codec>,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        dynamic::encode(&self.data, info.schema, codec_override.unwrap_or(info.codec), out)
            .map_err(|source| JsonError::Misfit { action: info.action, source })
    }

    pub(super) fn find(
        &self,
        protocol: &'static ProtocolInfo,
        outgoing: &'static Direction,
    ) -> Result<(u16, &'static ActionInfo), JsonError> {
        let known = outgoing.find(&self.action).and_then(|id| Some((id, outgoing.get(id)?)));
        known.ok_or_else(|| JsonError::UnknownAction { action: self.action.clone(), protocol: protocol.name })
    }
}
