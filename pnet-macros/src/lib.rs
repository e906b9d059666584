//! The macros of `pnet`; use them through it.
//!
//! Each macro is a pipeline: tokens become a `model` (our structs, spans kept), `check` looks for mistakes across its
//! parts, `expand` writes the output without further decisions. All mistakes of one use are reported together, each at the smallest
//! guilty token, and even then enough is emitted to keep the rest of the program free of second-hand errors.
//! What can only be known from types is left to the compiler: bounds with messages of their own, and constants that
//! refuse to be evaluated.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod action;
mod actions;
mod attr;
mod diagnostics;
mod names;
mod packet;
mod parse;
mod protocol;
mod schema;
mod types;

/// Makes a struct or enum a packet: a value that goes over the wire under an action name.
///
/// Stands beside serde's own derives, and includes `Schema`:
///
/// ```text
/// #[derive(Packet, Serialize, Deserialize)]
/// pub struct PlayerMove { pub x: i32, pub y: i32 }              // action "PLAYER_MOVE"
///
/// #[derive(Packet, Serialize, Deserialize)]
/// #[packet("SAY")]
/// pub struct SayToAll<'a> {
///     #[serde(borrow)]
///     pub text: Cow<'a, str>,                                   // borrows from the received frame
/// }
/// ```
///
/// - `#[packet("NAME")]` chooses the action: 1 to 64 bytes without control characters; `handShake`, `disconnect` and what
///   begins with `pnet.` are reserved. Else it is made from the type's name: words in capitals joined by `_`, where
///   acronyms stay whole and digits belong to the word before them (`HTTPRequest` is `HTTP_REQUEST`, `Add2` is `ADD2`).
/// - `#[packet(json)]` writes the payload as JSON text in native frames, too. Otherwise that is chosen only where postcard
///   could not carry the type: with serde attributes that change its form (`flatten`, `tag`, `untagged`, `with`,
///   `skip_serializing_if`, …), opaque fields, and types that refer to themselves.
/// - `#[packet(view_of = Sum)]` makes the type no packet but a view of one, with which handlers answer, and callers read
///   answers, without copying; see below.
/// - `#[schema(opaque)]` on a field leaves its type undescribed, for types without `Schema`. Types that refer to each other
///   in a circle need it at one place; a type that refers to itself does not.
///
/// A packet must pass as JSON and as postcard, so some fields are refused: references (`Cow<'a, str>` or `Bytes<'a>` with
/// `#[serde(borrow)]`, `String` or `ByteBuf` instead), maps whose keys are no text, number, char, uuid, address or enum
/// without fields, and options of options. A packet has at most one lifetime, and no other parameters.
///
/// # Views
///
/// An answer owns what it holds, so a handler that answers with what it was sent, or with what the state holds, would have
/// to copy it. It may answer with a view instead: a type with the fields of the packet, some of them borrowed.
///
/// ```text
/// #[derive(Packet, Serialize, Deserialize)]
/// pub struct Sum { sum: i64, note: String }                     // in the protocol: `Add<'_> -> Sum`
///
/// #[derive(Packet, Serialize)]                                  // written; with `Deserialize`, read as well
/// #[packet(view_of = Sum)]
/// pub struct SumView<'a> { sum: i64, note: Cow<'a, str> }       // or `note: &'a str`
///
/// #[action("ADD")]
/// fn add(p: Add<'_>) -> SumView<'_> { SumView { sum: p.a + p.b, note: p.note } }
/// ```
///
/// Its fields have the names and the order of the packet's, and types that are written alike: `&str`, `Cow<str>` and `String`,
/// `&[T]` and `Vec<T>`, `Bytes` and `ByteBuf`; else it does not compile. Only opaque fields cannot be compared: what is
/// written for them is decoded in debug builds, as every packet is. A view may have several lifetimes. Its action, its codec
/// and its rule for a full queue are the packet's. Protocols never name a view; handlers return it wherever they return the
/// packet, also in a `Result`, and as a declared error.
///
/// A caller reads its answer as a view with `call(…).view::<SumView<'_>>().read(|sum| …)`. For that a view has `Deserialize`, and
/// fields that a packet may have: `Cow<'a, str>` and `Bytes<'a>` with `#[serde(borrow)]`, and no references.
#[proc_macro_derive(Packet, attributes(packet, schema))]
pub fn derive_packet(input: TokenStream) -> TokenStream {
    packet::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Describes a struct or enum that packets hold; type parameters are allowed.
///
/// ```text
/// #[derive(Schema, Serialize, Deserialize)]
/// pub enum Reason { Spam, Other(String) }
/// ```
///
/// serde's attributes are honoured, `#[schema(opaque)]` leaves a field undescribed; see `Packet`, which includes it.
#[proc_macro_derive(Schema, attributes(schema))]
pub fn derive_schema(input: TokenStream) -> TokenStream {
    schema::derive(&parse_macro_input!(input as DeriveInput)).into()
}

/// Declares a protocol: who sends what, and what answers it.
///
/// ```text
/// protocol! {
///     /// The chat.
///     pub Chat {
///         client {
///             Login -> Result<Welcome, Denied>,    // answered with one of two packets
///             Say<'_>,                             // not answered; a packet with a lifetime is written with `<'_>`
///             Add -> Sum,                          // answered with a packet
///             third::Save -> (),                   // answered when it is done; packets may come from any crate
///             Watch -> stream Tick,                // answered with any number of packets
///             Follow -> stream Result<Tick, Gone>, // as before, and a packet of another type may end them
///         }
///         server { Said, Confirm -> Answer }       // the server may ask, too, and open streams
///     }
/// }
/// ```
///
/// `credentials Login;` before the lists says what clients show to be let in: a type that serde can write and read, which is no
/// packet. `.credentials(&Login { .. })` of clients takes it, and a handler under `#[action(authenticate)]` of servers.
///
/// Either list may be empty or absent. A packet may stand in both, with different answers, and in several protocols.
/// Beside the type `Chat` it makes the enums of what each side may receive, `ChatFromClient` and `ChatFromServer`: a variant
/// for each packet, named after it, with a `Responder` where an answer is due. Doc comments are kept.
///
/// `stream` is a word only as the first after `->`: packets may be called so, and as an answer such a one is written
/// `r#stream`.
///
/// Refused are packets of one direction with the same action, an answer and its error with the same action, answers with a
/// lifetime, streams of `()` or of streams, and types that are no packets. `phase`, `all` and `=>` are kept for later
/// versions.
#[proc_macro]
pub fn protocol(input: TokenStream) -> TokenStream {
    protocol::protocol(input.into()).into()
}

/// Makes a free function, `async` or not, the handler of an action. It stays a function that tests can call.
///
/// ```text
/// #[action(authenticate)]
/// async fn who(login: Login, from: &Arrival, app: &App) -> Result<User, Refused> { … }
///
/// #[action(connect)]
/// async fn joined(peer: Peer<Chat>, user: &User, app: &App) -> Result<Member, Refused> { … }
///
/// #[action("SAY")]
/// async fn say(p: Say<'_>, member: &Member, hub: Hub<Chat>) { … }
///
/// #[action("ADD")]
/// fn add(p: Add) -> Sum { … }
///
/// #[action("WATCH")]
/// async fn watch(p: Watch, app: &App, out: StreamSender<Tick>) -> Result<(), SendError> { … }
///
/// #[action(disconnect)]
/// fn left(member: &Member, why: &Closed) { … }
/// ```
///
/// - `#[action("NAME")]`: the action of the packet it takes. `concurrent` beside the name lets packets after a one-way one
///   start before its handler is done; `finish` runs the handler to its end although the caller is gone; only the end of a
///   shutdown's grace drops it.
/// - `#[action(authenticate)]` finds out who a client is, before its connection is opened: for protocols with `credentials`. It
///   takes them by value, and if it wants to `&Arrival`, `&State` or a part of it, `Arc<State>` and `Hub<P>`; it returns
///   `Result<User, Refused>`, written out. Other handlers take `&User`.
/// - `#[action(connect)]` runs before anything else on a connection. What it returns (or its `Ok`) is the connection's own
///   state, declared as `for Chat(Member)` in `actions!`; an error turns the connection away.
/// - `#[action(disconnect)]` runs last, once.
///
/// Arguments in any order: the packet by value; `&State`, or a part of it by `Provide`; the `&User`; the connection's own
/// `&Member` (not in connect handlers); `&Meta`; `&Closed` (in disconnect handlers); by value `Arc<State>`, `Peer<P>` and `Hub<P>` on
/// servers, `Client<P>` on clients, `Meta`, and what implements `Extract`. If `&T` could come from two of them (the
/// state, the connection's own state, the user), because they are the same type, the compiler asks for type annotations: give
/// each a type of its own.
///
/// It returns what the protocol declares, or a `Result` of that with an error that becomes a `Failure`; in place of a packet
/// also a view of it (`#[packet(view_of = …)]`), which may borrow from the packet and from the state. Its future must be
/// `Send`. A `fn` has no future: it runs on the spot.
///
/// The handler of a packet that is answered with a stream, `-> stream Tick`, is an `async fn` and takes one
/// `StreamSender<Tick>` by value, written by that name and not by an alias. It sends the items with it; the stream ends when
/// the handler returns. It returns nothing, or `Result<(), X>` with an error that becomes a `Failure`. Where an error is
/// declared, `-> stream Result<Tick, Gone>`, it returns nothing, `Result<(), Gone>`, `Result<(), Failure>`, or
/// `Result<Result<(), Gone>, X>`. No other handler takes a `StreamSender`.
///
/// Beside the function stands a hidden type of the same name, so paths and renamed imports carry both.
#[proc_macro_attribute]
pub fn action(attribute: TokenStream, item: TokenStream) -> TokenStream {
    action::action(attribute.into(), item.into()).into()
}

/// Puts handlers together to a service: one side's handlers for one protocol.
///
/// ```text
/// actions! { pub server ChatServer(App) for Chat(Member): joined, left, login, say, math::add }
/// actions! { pub client ChatUi(Ui) for Chat: said, confirm }
/// ```
///
/// `(App)` is the state all handlers share and `(Member)` what each connection has; both are `()` if left out. Handlers are
/// listed by path, in any order. The list must be complete: one error names all actions without a handler. A handler
/// that is listed twice, that handles what the other side never sends, that takes no `StreamSender` for a stream or one for
/// something else, or that does not fit the service is refused at its place in the list.
#[proc_macro]
pub fn actions(input: TokenStream) -> TokenStream {
    actions::expand(&parse_macro_input!(input as actions::Model)).into()
}
