//! Two programs talk over a socket in their own types, and the compiler checks the conversation.
//!
//! Packets are structs with `#[derive(Packet)]`, handlers are functions with `#[action("NAME")]`, and one [`protocol!`]
//! block says who may send what and what answers it.
//!
//! ```
//! use pnet::{Packet, action, actions, protocol};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Packet, Serialize, Deserialize)]
//! pub struct Add {
//!     a: i64,
//!     b: i64,
//! }
//!
//! #[derive(Packet, Serialize, Deserialize)]
//! pub struct Sum {
//!     sum: i64,
//! }
//!
//! protocol! {
//!     pub Math {
//!         client { Add -> Sum }
//!     }
//! }
//!
//! #[action("ADD")]
//! fn add(p: Add) -> Sum {
//!     Sum { sum: p.a + p.b }
//! }
//!
//! actions! { pub server MathServer for Math: add }
//! actions! { pub client MathClient for Math: }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let math = pnet::memory::serve(MathServer, ()).connect(MathClient, ()).await?;
//!     assert_eq!(math.call(Add { a: 1, b: 2 }).await?.sum, 3);
//!     Ok(())
//! }
//! ```
//!
//! # Where things are
//!
//! - Servers: [`serve`], [`Server`], [`Hub`], [`Peer`], [`PeerInfo`].
//! - Clients: [`connect`], [`connect_inbox`], [`Client`], [`Inbox`]; that come back: [`Backoff`], [`LinkState`].
//! - Declaring: [`Packet`], [`Schema`], [`protocol!`], [`action`], [`actions!`], [`Bytes`].
//! - Handlers' arguments: [`Provide`], [`Extract`], [`Meta`].
//! - Packets made at run time: [`Json`]; protocols known at run time: [`dynamic`].
//! - Who is at the other end: `Identity`, `Certificates`, [`Fingerprint`], [`TlsPolicy`]; as a person: [`Credentials`],
//!   [`Arrival`], [`Refused`], [`Secret`].
//! - Packets that relays cannot read, with the feature `sealed`: `Sealed`, `SealingKey`, `Announcement`, `Opener`.
//! - What a running server or client is doing, with the feature `inspect`: `inspect`.
//! - The operator's console, with the feature `console`: `console::Console`.
//! - Without sockets: [`memory`]. Other transports: [`transport`].
//!
//! A dependency with another name than `pnet` needs `extern crate the_name as pnet;` at the root of the crate that uses
//! the macros.

// What the macros write names the crate as its users do.
#[cfg(any(feature = "console", all(test, feature = "sealed")))]
extern crate self as pnet;

#[doc(hidden)]
pub mod __private;
mod buffers;
mod calls;
mod client;
mod config;
mod connection;
#[cfg(feature = "console")]
pub mod console;
mod counts;
mod driver;
pub mod dynamic;
mod error;
mod hub;
#[cfg(feature = "tls")]
mod identity;
mod inbox;
mod info;
#[cfg(feature = "inspect")]
pub mod inspect;
pub mod memory;
#[cfg(feature = "console")]
mod operate;
mod peer;
mod reconnect;
#[cfg(feature = "sealed")]
mod sealed;
mod seldom;
mod server;
mod service;
mod signal;
pub mod transport;
mod unwind;

/// # Examples
///
/// ```
/// use std::borrow::Cow;
///
/// use pnet::Packet;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct HttpRequest {
///     path: String,
/// }
/// assert_eq!(HttpRequest::ACTION, "HTTP_REQUEST");
///
/// #[derive(Packet, Serialize, Deserialize)]
/// #[packet("SAY")]
/// struct Said<'a> {
///     #[serde(borrow)]
///     text: Cow<'a, str>,
/// }
/// assert_eq!(Said::ACTION, "SAY");
/// ```
///
/// A handler that answers with what it was sent, and copies nothing:
///
/// ```
/// use std::borrow::Cow;
///
/// use pnet::{Packet, action, actions, protocol};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Add<'a> {
///     a: i64,
///     b: i64,
///     #[serde(borrow)]
///     note: Cow<'a, str>,
/// }
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Sum {
///     sum: i64,
///     note: String,
/// }
///
/// /// `Sum`, borrowed.
/// #[derive(Packet, Serialize)]
/// #[packet(view_of = Sum)]
/// struct SumView<'a> {
///     sum: i64,
///     note: Cow<'a, str>,
/// }
///
/// protocol! {
///     Math {
///         client { Add<'_> -> Sum }
///     }
/// }
///
/// #[action("ADD")]
/// fn add(p: Add<'_>) -> SumView<'_> {
///     SumView { sum: p.a + p.b, note: p.note }
/// }
///
/// actions! { server MathServer for Math: add }
/// actions! { client MathClient for Math: }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let math = pnet::memory::serve(MathServer, ()).connect(MathClient, ()).await?;
/// let sum: Sum = math.call(Add { a: 1, b: 2, note: "easy".into() }).await?;
/// assert_eq!((sum.sum, &*sum.note), (3, "easy"));
/// # Ok(())
/// # }
/// ```
pub use pnet_macros::Packet;
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
///
/// use pnet::{Packet, Schema};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Schema, Serialize, Deserialize)]
/// enum Reason {
///     Spam,
///     Other(String),
/// }
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Kicked {
///     why: Reason,
///     by: Option<String>,
///     votes: BTreeMap<String, u32>,
/// }
/// ```
pub use pnet_macros::Schema;
/// # Examples
///
/// The function stays a function, which a test can call:
///
/// ```
/// use pnet::{Packet, action};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Packet, Serialize, Deserialize)]
/// struct Add {
///     a: i64,
///     b: i64,
/// }
///
/// #[derive(Debug, PartialEq, Packet, Serialize, Deserialize)]
/// struct Sum {
///     sum: i64,
/// }
///
/// struct App {
///     offset: i64,
/// }
///
/// #[action("ADD")]
/// fn add(p: Add, app: &App) -> Sum {
///     Sum { sum: p.a + p.b + app.offset }
/// }
///
/// assert_eq!(add(Add { a: 1, b: 2 }, &App { offset: 0 }), Sum { sum: 3 });
/// ```
pub use pnet_macros::action;
pub use pnet_macros::{actions, protocol};
pub use pnet_protocol::{
    bytes::{ByteBuf, Bytes},
    close::{CloseCode, Retry},
    credentials::{Credentials, CredentialsError},
    dialect::Dialect,
    document::{SchemaError, SchemaFault},
    dynamic::{DecodeFault, Misfit, MisfitReason},
    failure::{Failure, code},
    handshake::HandshakeError,
    id::ConnectionId,
    key::{Fingerprint, FingerprintError},
    limits::Limits,
    packet::{Codec, DecodeError, EncodeError, Packet, WhenFull},
    protocol::{CredentialsOf, Phase, Protocol},
    reply::{IntoReply, NoReply, StreamOf},
    schema::Schema,
    secret::{Secret, SecretBytes},
    view::ReadView,
};

#[cfg(feature = "sealed")]
pub use self::sealed::{
    Announcement, AnnouncementError, OpenError, Opened, Opener, SealError, Sealed, SealingKey, VerifiedSealingKey,
};
pub use self::{
    calls::{
        call::{CallView, Calling, Sending, Viewing},
        json::Json,
        line::{LinkState, WhileDown},
        stream::{SendingItem, StreamSender, Streaming},
        untyped::JsonStreaming,
    },
    client::{Client, ClientBuilder, InboxBuilder, IntoCredentials, connect, connect_inbox},
    config::DEFAULT_ADDRESS,
    connection::Meta,
    error::{
        BindError, CallError, Closed, ClosedBy, ConnectError, JsonError, Refused, SendError, TrySendError,
        TrySendReason,
    },
    hub::{Broadcast, Hub},
    inbox::{Inbox, Responder},
    info::{PeerInfo, Traffic},
    peer::Peer,
    reconnect::{Backoff, ReconnectBuilder, ReconnectInboxBuilder},
    server::{Server, ServerBuilder, ServerHandle, Shutdown, serve},
    service::{Arrival, Service, bounds::Provide, context::Cx, extract::Extract},
    signal::ctrl_c,
    transport::TlsPolicy,
};
#[cfg(feature = "tls")]
pub use self::{
    error::{TlsError, Untrusted},
    identity::{Certificates, Identity, KeyError},
};
