//! From a function under `#[action]` to an entry of a service: what the output of the two macros calls.
//!
//! `#[action]` implements [`Entry`] for a type with the function's name, for every service whose protocol, side and state
//! fit the function; `actions!` asks for it, puts the entries into a table, and has the compiler check that the table is complete.

mod args;

use std::{fmt, future::Future, marker::PhantomData};

use pnet_protocol::{
    failure::Failure,
    packet::{Codec, DecodeError, Packet},
    protocol::{Protocol, ReplyInfo, Role, Side},
    reply::Verdict,
    table::has_doubles,
    words::Words,
};

pub use self::args::{
    Answer, Arg, Form, MaybePacket, NONE, Probe, SenderOf, action_is, has_packet, mode, one_packet, pick,
};
use super::{
    Authenticate, Connect, Disconnect, Route, Run, Service,
    authenticate::{Listed, Nobody},
    context::{Cx, slot::Kit},
    extract::Extract,
};
use crate::{
    error::Refused,
    service::{Slot, context::slot::Kept},
};

/// A listed handler, as a service of type `S` uses it. `M` is inferred: where its arguments come from.
#[diagnostic::on_unimplemented(
    message = "this is not a handler",
    label = "`{Self}` is not a function under `#[action(\"NAME\")]`",
    note = "put `#[action(\"NAME\")]`, `#[action(authenticate)]`, `#[action(connect)]` or `#[action(disconnect)]` on the function"
)]
pub trait Entry<S: Service, M> {
    /// What it is.
    const ENTRY: EntryOf<S>;

    /// Decodes `payload`, runs a `fn` handler, and appends its answer to `out`.
    ///
    /// # Errors
    ///
    /// The failure: of an argument, the handler's own, or that of encoding its answer.
    fn now(_: &Cx<S>, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        unreachable!("only a `fn` handler runs on the spot")
    }
}

/// The future of an `async fn` handler.
pub trait Task<S: Service, M> {
    /// Decodes the kit's payload, runs the handler, encodes its answer into the kit, and gives the kit back.
    fn run(kit: Box<Kit<S>>) -> impl Future<Output = Box<Kit<S>>> + Send + 'static;
}

/// What a listed handler is.
#[expect(clippy::exhaustive_enums, reason = "only the macros' output sees it")]
pub enum EntryOf<S: Service> {
    /// The handler of an action.
    Action {
        /// The action's number among what arrives.
        id: u16,
        /// How to run it.
        run: Run<S>,
        /// See [`Route`].
        concurrent: bool,
        /// See [`Route`].
        finish: bool,
        /// Whether it takes the producer's end of a stream.
        sender: bool,
    },
    /// The handler that authenticates.
    Authenticate(Authenticate<S>),
    /// The connect handler.
    Connect(Connect<S>),
    /// The disconnect handler.
    Disconnect(Disconnect<S>),
    /// A function without `#[action]`.
    Plain,
    /// A handler whose `#[action]` reported an error: nothing is said about it again.
    Broken,
}

impl<S: Service> Clone for EntryOf<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Service> Copy for EntryOf<S> {}

impl<S: Service> fmt::Debug for EntryOf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Action { .. } => "Action",
            Self::Authenticate(_) => "Authenticate",
            Self::Connect(_) => "Connect",
            Self::Disconnect(_) => "Disconnect",
            Self::Plain => "Plain",
            Self::Broken => "Broken",
        })
    }
}

/// What the name of a listed function without `#[action]` falls back to: a glob import of this module stands behind the
/// import of the function, which brings no type of that name.
pub mod fallback {
    /// Stands for a function without `#[action]`.
    #[expect(non_camel_case_types, reason = "not a name anyone else uses")]
    #[derive(Debug)]
    pub struct __pnet_handler {}
}

impl Listed for fallback::__pnet_handler {
    type User = Nobody;
}

impl<S: Service> Entry<S, ()> for fallback::__pnet_handler {
    const ENTRY: EntryOf<S> = EntryOf::Plain;
}

/// The entry of `H` in service `S`.
#[must_use]
pub const fn entry<H: Entry<S, M>, S: Service, M>() -> EntryOf<S> {
    H::ENTRY
}

/// Refuses, while compiling, a listed function without `#[action]`.
///
/// # Panics
///
/// If it is one; the compiler shows the text.
#[track_caller]
pub const fn is_handler<S: Service>(entry: &EntryOf<S>, name: &str) {
    // check: plain-function
    if matches!(entry, EntryOf::Plain) {
        let text = Words::new().add("`").add(name).add(
            "` is not a handler: put `#[action(\"NAME\")]` on the function, with the action of the packet it takes",
        );
        panic!("{}", text.get())
    }
}

/// Refuses, while compiling, a handler that should answer with a stream and has no means to.
///
/// # Panics
///
/// If it is one; the compiler shows the text.
#[track_caller]
pub const fn takes_sender<S: Service>(entry: &EntryOf<S>, name: &str) {
    let EntryOf::Action { id, sender: false, .. } = entry else { return };
    let actions = arriving::<S>();
    if (*id as usize) >= actions.len() {
        return;
    }
    let info = &actions[*id as usize];
    // check: no-sender
    if let ReplyInfo::Stream { item, .. } = &info.reply
        && !has_broken(&[*entry])
    {
        let text = Words::new()
            .add("handler `")
            .add(name)
            .add("` takes no `StreamSender<")
            .add(item.type_name)
            .add(">`, but its packet `")
            .add(info.type_name)
            .add("` is answered with a stream of `")
            .add(item.type_name)
            .add("`");
        panic!("{}", text.get())
    }
}

/// Refuses, while compiling, the `index`th entry if one before it does the same.
///
/// # Panics
///
/// If there is one; the compiler shows the text.
#[track_caller]
pub const fn bound_once<S: Service>(service: &str, entries: &[EntryOf<S>], names: &[&str], index: usize) {
    let mut i = 0;
    while i < index {
        let is_double = match (&entries[i], &entries[index]) {
            (EntryOf::Action { id: a, .. }, EntryOf::Action { id: b, .. }) => *a == *b,
            (EntryOf::Authenticate(_), EntryOf::Authenticate(_))
            | (EntryOf::Connect(_), EntryOf::Connect(_))
            | (EntryOf::Disconnect(_), EntryOf::Disconnect(_)) => true,
            _ => false,
        };
        if is_double {
            twice(service, entries, names, (i, index));
        }
        i += 1;
    }
}

/// Two entries do the same. A text is made only here: the compiler's interpreter takes its time.
#[track_caller]
const fn twice<S: Service>(service: &str, entries: &[EntryOf<S>], names: &[&str], (first, second): (usize, usize)) {
    let text = Words::new().add("service `").add(service).add("`: ");
    let text = match &entries[first] {
        // check: bound-twice
        EntryOf::Action { id, .. } if !has_broken(entries) => {
            text.add("action \"").add(arriving::<S>()[*id as usize].action).add("\" is bound twice, by `")
        }
        // check: two-authenticate-handlers
        EntryOf::Authenticate(_) => text.add("there are two handlers that authenticate, `"),
        // check: two-connect-handlers
        EntryOf::Connect(_) => text.add("there are two connect handlers, `"),
        // check: two-disconnect-handlers
        EntryOf::Disconnect(_) => text.add("there are two disconnect handlers, `"),
        _ => return,
    };
    let text = text.add(names[first]).add("` and `").add(names[second]).add("`");
    panic!("{}", text.get())
}

/// Refuses, while compiling, a list that leaves actions without a handler; one error names them all.
///
/// # Panics
///
/// If it does; the compiler shows the text.
#[track_caller]
pub const fn complete<S: Service>(service: &str, entries: &[EntryOf<S>]) {
    if has_broken(entries) {
        return;
    }
    let actions = arriving::<S>();
    let mut text = Words::new()
        .add("service `")
        .add(service)
        .add("` leaves actions of protocol `")
        .add(<S::Protocol as Protocol>::INFO.name)
        .add("` without a handler:");
    // A bit for each number there may be.
    let mut bound = [0_u64; 1 << 10];
    let mut i = 0;
    while i < entries.len() {
        if let EntryOf::Action { id, .. } = &entries[i] {
            bound[(*id >> 6) as usize] |= 1 << (*id & 63);
        }
        i += 1;
    }
    let (mut id, mut missing) = (0, 0);
    while id < actions.len() {
        if bound[id >> 6] & (1 << (id & 63)) == 0 {
            let before = if missing > 0 { ", " } else { " " };
            text = text.add(before).add(actions[id].action).add(" (packet `").add(actions[id].type_name).add("`)");
            missing += 1;
        }
        id += 1;
    }
    // check: complete
    if missing > 0 {
        panic!("{}", text.get())
    }
}

/// Refuses, while compiling, a service whose connections have a state that no connect handler makes.
///
/// # Panics
///
/// If it is one; the compiler shows the text.
#[track_caller]
pub const fn member_is_made<S: Service>(service: &str, member: &str, entries: &[EntryOf<S>]) {
    // check: member-without-connect
    if !has_broken(entries) && connect(entries).is_none() {
        let text = Words::new()
            .add("service `")
            .add(service)
            .add("` gives each connection a `")
            .add(member)
            .add("`, but lists no connect handler that makes it: write one under `#[action(connect)]` that returns `")
            .add(member)
            .add("`");
        panic!("{}", text.get())
    }
}

/// Refuses, while compiling, a server's service without a handler that looks at what clients show.
///
/// # Panics
///
/// If it is one; the compiler shows the text.
#[track_caller]
pub const fn authenticates<S: Service>(service: &str, entries: &[EntryOf<S>]) {
    let protocol = <S::Protocol as Protocol>::INFO;
    let Some(credentials) = protocol.credentials else { return };
    if !matches!(<S::Side as Side>::ROLE, Role::Server) || has_broken(entries) || authenticate(entries).is_some() {
        return;
    }
    // check: credentials-without-authenticate
    let text = Words::new()
        .add("protocol `")
        .add(protocol.name)
        .add("` declares `credentials ")
        .add(credentials)
        .add("`, but service `")
        .add(service)
        .add("` lists no handler that looks at them: write one under `#[action(authenticate)]` that takes `")
        .add(credentials)
        .add("` and returns `Result<User, Refused>`");
    panic!("{}", text.get())
}

/// Whether something about the service has been reported already, so that nothing can be said about the whole.
const fn has_broken<S: Service>(entries: &[EntryOf<S>]) -> bool {
    if has_doubles(<S::Protocol as Protocol>::INFO.received_by(<S::Side as Side>::ROLE)) {
        return true;
    }
    let mut i = 0;
    while i < entries.len() {
        if matches!(entries[i], EntryOf::Plain | EntryOf::Broken) {
            return true;
        }
        i += 1;
    }
    false
}

const fn arriving<S: Service>() -> &'static [pnet_protocol::protocol::ActionInfo] {
    <S::Protocol as Protocol>::INFO.received_by(<S::Side as Side>::ROLE).actions
}

/// How many actions arrive at service `S`.
#[must_use]
pub const fn count<S: Service>() -> usize {
    arriving::<S>().len()
}

/// The handlers by the numbers of their actions. `N` is [`count`].
#[must_use]
pub const fn routes<S: Service, const N: usize>(entries: &[EntryOf<S>], names: &[&'static str]) -> [Route<S>; N] {
    const fn missing<S: Service>(_: &Cx<S>, _: &[u8], _: &mut Vec<u8>) -> Result<Verdict, Failure> {
        unreachable!()
    }
    let mut routes = [Route { handler: "", run: Run::Now(missing), concurrent: false, finish: false }; N];
    let mut i = 0;
    while i < entries.len() {
        if let EntryOf::Action { id, run, concurrent, finish, .. } = entries[i]
            && (id as usize) < N
        {
            routes[id as usize] = Route { handler: names[i], run, concurrent, finish };
        }
        i += 1;
    }
    routes
}

/// The handler that authenticates in a list.
#[must_use]
pub const fn authenticate<S: Service>(entries: &[EntryOf<S>]) -> Option<Authenticate<S>> {
    let mut i = 0;
    while i < entries.len() {
        if let EntryOf::Authenticate(authenticate) = entries[i] {
            return Some(authenticate);
        }
        i += 1;
    }
    None
}

/// The connect handler in a list.
#[must_use]
pub const fn connect<S: Service>(entries: &[EntryOf<S>]) -> Option<Connect<S>> {
    let mut i = 0;
    while i < entries.len() {
        if let EntryOf::Connect(connect) = entries[i] {
            return Some(connect);
        }
        i += 1;
    }
    None
}

/// The disconnect handler in a list.
#[must_use]
pub const fn disconnect<S: Service>(entries: &[EntryOf<S>]) -> Option<Disconnect<S>> {
    let mut i = 0;
    while i < entries.len() {
        if let EntryOf::Disconnect(disconnect) = entries[i] {
            return Some(disconnect);
        }
        i += 1;
    }
    None
}

// ── Receiving without handlers ──

/// Reads a packet for the inbox. The fallback of [`NotReceived`] steps in for types that are no packets, which is
/// reported elsewhere.
#[derive(Debug)]
pub struct Received<T>(PhantomData<T>);

impl<T: Packet> Received<T> {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// See [`Packet::decode`].
    pub fn read(codec_override: Option<Codec>, payload: &[u8]) -> Result<T::At<'_>, DecodeError> {
        T::decode(codec_override.unwrap_or(T::CODEC), payload)
    }
}

/// See [`Received`].
pub trait NotReceived<T> {
    /// Never runs.
    ///
    /// # Errors
    ///
    /// Never returns.
    fn read(_: Option<Codec>, _: &[u8]) -> Result<T, DecodeError> {
        unreachable!("a protocol of other types than packets does not compile")
    }
}

impl<T> NotReceived<T> for Received<T> {}

// ── Running ──

/// The codec that replaces the packets' own.
#[must_use]
pub fn codec_override<S: Service>(cx: &Cx<S>) -> Option<Codec> {
    cx.codec_override()
}

/// What became of an `async fn` handler: its answer is encoded by `answer`.
///
/// # Errors
///
/// The failure: of an argument, the handler's own, or that of encoding its answer.
pub fn finish<S: Service, T>(
    cx: &Cx<S>,
    returned: Result<T, Failure>,
    answer: Answer<T>,
    out: &mut Vec<u8>,
) -> Result<Verdict, Failure> {
    answer(returned?, cx.codec_override(), out)
}

/// What a connect handler may return for connections whose own state is `M`: `M`, or a `Result` of it.
#[diagnostic::on_unimplemented(
    message = "this connect handler returns `{Self}`, but a connection's own state is `{M}`",
    label = "the handler does not return `{M}`",
    note = "return `{M}` or `Result<{M}, Refused>`; `for Protocol(Member)` in `actions!` declares the state"
)]
pub trait IntoMember<M> {
    /// The state, or why the connection is turned away.
    ///
    /// # Errors
    ///
    /// The refusal.
    fn into_member(self) -> Result<M, Refused>;
}

#[diagnostic::do_not_recommend]
impl<M> IntoMember<M> for M {
    fn into_member(self) -> Result<M, Refused> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl<M, X: Into<Refused>> IntoMember<M> for Result<M, X> {
    fn into_member(self) -> Result<M, Refused> {
        self.map_err(Into::into)
    }
}

/// What a connect handler made, or why it was not run or turned the connection away.
///
/// # Errors
///
/// The refusal.
pub fn member<M, T: IntoMember<M>>(returned: Result<T, Failure>) -> Result<M, Refused> {
    match returned {
        Ok(returned) => returned.into_member(),
        Err(failure) => Err(refuse(&failure)),
    }
}

/// A connection is turned away because an argument of its connect handler could not be made.
fn refuse(failure: &Failure) -> Refused {
    if failure.message().is_empty() {
        tracing::warn!(failure = %failure.log_text(), "connect handler did not run");
        Refused::new(failure.code().to_owned())
    } else {
        Refused::new(failure.message().to_owned())
    }
}

/// Makes an argument of a handler that has no packet.
///
/// # Errors
///
/// The extractor's rejection.
pub fn extract<S: Service, A: Extract<S>>(cx: &Cx<S>) -> Result<A, Failure> {
    match A::extract(cx) {
        Ok(argument) => Ok(argument),
        Err(rejection) => Err(rejection.into()),
    }
}

/// How a disconnect handler ended.
///
/// # Errors
///
/// Its failure, or the rejection of one of its arguments.
pub fn end<S: Service, T: IntoEnd<S>>(returned: Result<T, Failure>) -> Result<(), Failure> {
    returned?.into_end()
}

/// What a disconnect handler may return: nothing, or a `Result` of nothing.
#[diagnostic::on_unimplemented(
    message = "this disconnect handler returns `{Self}`, but nobody is left to take it",
    label = "returns something",
    note = "return nothing, or `Result<(), Failure>`"
)]
pub trait IntoEnd<S> {
    /// The outcome, for the log.
    ///
    /// # Errors
    ///
    /// The failure.
    fn into_end(self) -> Result<(), Failure>;
}

impl<S> IntoEnd<S> for () {
    fn into_end(self) -> Result<(), Failure> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<S, X: Into<Failure>> IntoEnd<S> for Result<(), X> {
    fn into_end(self) -> Result<(), Failure> {
        self.map_err(Into::into)
    }
}

/// An empty slot for handler `H`. A `fn` of this shape is what a route holds.
pub fn slot<S: Service, H: Task<S, M> + 'static, M: 'static>() -> Box<dyn Slot<S>> {
    // The future's type is inferred from the function and never named. The function itself is a type, too: it is called
    // where it stands, and its future is made in its place.
    fn kept<S, F, G>(make: G) -> Box<dyn Slot<S>>
    where
        S: Service,
        F: Future<Output = Box<Kit<S>>> + Send + 'static,
        G: Fn(Box<Kit<S>>) -> F + Send + 'static,
    {
        Box::new(Kept::new(make))
    }
    kept(H::run)
}
