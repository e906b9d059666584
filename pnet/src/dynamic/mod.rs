//! Clients for protocols that are known at run time only: for tools, consoles, gateways and tests.
//!
//! [`connect`] speaks the JSON dialect and asks the server what its protocol is (`docs/schema.md`). From then on every
//! packet is a [`Json`](crate::Json) that is checked, field by field, before it is sent; the connection is otherwise the same as that of any
//! other client: limits, credit, calls, signs of life, TLS, credentials.
//!
//! A server tells shapes to those that it trusts: in this process or on this machine, with a key that is listed, or with
//! credentials that it has accepted. Others learn the names of the actions only. Then nothing is checked here, and what does not
//! fit is refused by the server.
//!
//! ```
//! # use pnet::{Packet, protocol, actions, action};
//! # use serde::{Serialize, Deserialize};
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Add { a: i64, b: i64 }
//! # #[derive(Packet, Serialize, Deserialize)] pub struct Sum { sum: i64 }
//! # protocol! { pub Math { client { Add -> Sum } } }
//! # #[action("ADD")] fn add(p: Add) -> Sum { Sum { sum: p.a + p.b } }
//! # actions! { pub server MathServer for Math: add }
//! use pnet::{Json, dynamic::{self, Direction}};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = pnet::serve(MathServer, ()).bind("127.0.0.1:0").await?;
//! let (math, _inbox) = dynamic::connect().to(server.local_addr()).await?;
//!
//! let add = math.actions(Direction::ToServer).next().expect("there is one");
//! assert_eq!((add.action(), add.shape()), ("ADD", "{a: i64, b: i64} -> {sum: i64}".to_owned()));
//!
//! let sum = math.call(Json::new("ADD", json!({"a": 1, "b": 2}))).await?;
//! assert_eq!(sum.data(), &json!({"sum": 3}));
//!
//! let error = math.check(&Json::new("ADD", json!({"a": 1, "c": 2}))).unwrap_err();
//! let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
//! assert_eq!(why, "`data.c` is no field; there are `a`: i64 (required), `b`: i64 (required)");
//! # Ok(()) }
//! ```

mod action;
mod builder;
mod client;
mod inbox;

pub use pnet_protocol::dynamic::FieldInfo;

pub use self::{
    action::{Action, Direction, Kind},
    builder::{Builder, connect},
    client::Client,
    inbox::{Inbox, Received, Responder},
};
