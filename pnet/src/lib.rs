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
//! - Servers: [`serve`], [`Server`], [`Hub`], [`Peer`]. Clients: [`connect`], [`connect_inbox`], [`Client`], [`Inbox`].
//! - Declaring: [`Packet`], [`Schema`], [`protocol!`], [`action`], [`actions!`], [`Bytes`].
//! - Handlers' arguments: [`Provide`], [`Extract`], [`Meta`].
//! - Without sockets: [`memory`]. Other transports: [`transport`].
//!
//! A dependency with another name than `pnet` needs `extern crate the_name as pnet;` at the root of the crate that uses
//! the macros.

#[doc(hidden)]
pub mod __private;
mod buffers;
mod call;
mod client;
mod config;
mod connection;
mod context;
mod error;
mod extract;
mod handler;
mod hub;
mod inbox;
pub mod memory;
mod peer;
mod server;
mod service;
mod signal;
mod slot;
pub mod transport;

pub use pnet_macros::{Packet, Schema, action, actions, protocol};
pub use pnet_protocol::{
    bytes::{ByteBuf, Bytes},
    close::{CloseCode, Retry},
    failure::{Failure, code},
    handshake::HandshakeError,
    id::ConnectionId,
    limits::Limits,
    packet::{Codec, DecodeError, EncodeError, Packet},
    protocol::{Phase, Protocol},
    reply::{IntoReply, NoReply},
    schema::Schema,
};

pub use self::{
    call::{Calling, Sending},
    client::{Client, ClientBuilder, InboxBuilder, connect, connect_inbox},
    config::DEFAULT_ADDRESS,
    context::{Cx, Meta},
    error::{BindError, CallError, Closed, ClosedBy, ConnectError, Refused, SendError, TrySendError, TrySendReason},
    extract::{Extract, Provide},
    hub::{Broadcast, Hub},
    inbox::{Inbox, Responder},
    peer::Peer,
    server::{Server, ServerBuilder, ServerHandle, Shutdown, serve},
    service::Service,
    signal::ctrl_c,
};
