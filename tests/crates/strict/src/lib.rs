//! Everything the macros generate, in a crate that denies what pnet itself denies, clippy's pedantic group, and missing docs.
//!
//! It also holds what must compile: packets of other crates, one packet in two protocols and in both directions with
//! different replies, handlers of other modules and crates by path and by renamed import, private types in `pub`
//! handlers, streams in both directions, arguments in any order, extractors of one's own, parts of the state, and handlers called as functions.

#![deny(warnings, missing_docs, unreachable_pub, unnameable_types, missing_debug_implementations)]
#![deny(unused_qualifications, elided_lifetimes_in_paths, clippy::all, clippy::pedantic)]
#![deny(clippy::use_self, clippy::exhaustive_enums, clippy::or_fun_call, clippy::todo, clippy::print_stdout)]

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use pnet::{
    Bytes, Client, Closed, Cx, Extract, Failure, Hub, Meta, Packet, Peer, Provide, Refused, Schema, SendError, Service,
    StreamSender, action, actions, protocol,
};
use serde::{Deserialize, Serialize};
use third::{Follow, Move, Moved, double, inner::halve as shrink};

/// Borrows text and bytes, and holds a type of its own.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Say<'a> {
    /// What is said.
    #[serde(borrow)]
    pub text: Cow<'a, str>,
    /// Something beside it.
    #[serde(borrow)]
    pub data: Bytes<'a>,
    /// To whom.
    pub to: Vec<Target>,
}

/// Owned, with a map.
#[derive(Debug, Packet, Serialize, Deserialize)]
#[packet("said")]
pub struct Said {
    /// What was said.
    pub text: String,
    /// How often each word.
    #[serde(default)]
    pub words: HashMap<String, u32>,
}

/// Nothing but a name.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Ping;

/// Forced to be JSON text.
#[derive(Debug, Packet, Serialize, Deserialize)]
#[packet(json)]
#[non_exhaustive]
pub enum Note {
    /// Short.
    Short(String),
    /// Long.
    Long {
        /// A line each.
        lines: Vec<String>,
    },
}

/// Shows a note.
#[derive(Debug, Packet, Serialize)]
#[packet(view_of = Note)]
#[non_exhaustive]
pub enum NoteView<'a, 'b> {
    /// Short.
    Short(Cow<'a, str>),
    /// Long.
    Long {
        /// A line each.
        lines: &'b [String],
    },
}

/// Refers to itself, and holds a type without a schema.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Tree {
    /// Branches.
    pub branches: Vec<Self>,
    /// Not described.
    #[schema(opaque)]
    pub rest: Undescribed,
}

/// A type without a schema.
#[derive(Debug, Serialize, Deserialize)]
pub struct Undescribed(pub u8);

/// Generic types may be in packets.
#[derive(Debug, Schema, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
}

/// Holds a generic type.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Pages {
    /// One of them.
    pub page: Page<Target>,
}

/// A nested type.
#[derive(Debug, Schema, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Target {
    /// Everyone.
    All,
    /// One.
    One(u32),
}

protocol! {
    /// With both directions, and a packet in both of them with different replies.
    pub Talk {
        client {
            /// Something is said.
            Say<'_>,
            Ping -> (),
            Move -> Moved,
            Tree -> Result<Pages, Ping>,
            Note,
        }
        server { Said, Move, Ping -> Said, Say<'_> -> Note }
    }
}

protocol! {
    /// The same packets once more, with other replies, and all of another crate.
    pub Other {
        client { Move -> Moved, Ping }
        server { }
    }
}

protocol! {
    /// Only a server talks; the client has nothing to say.
    Quiet {
        server { Said }
    }
}

/// Asks for a stream, whichever side does.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Watch<'a> {
    /// What.
    #[serde(borrow)]
    pub what: Cow<'a, str>,
}

protocol! {
    /// Streams in both directions, of packets of this crate and of another, and a packet that opens one from one side only.
    pub Feed {
        client {
            /// What there is.
            Watch<'_> -> stream Said,
            Follow -> stream Moved,
            Tree -> stream Result<Moved, Ping>,
            Ping -> stream Note,
            Move -> stream Result<Said, Tree>,
        }
        server { Watch<'_> -> stream Result<Said, Ping>, Tree -> Note, Ping }
    }
}

/// The state.
#[derive(Debug, Default)]
pub struct App {
    part: Part,
}

/// A part of it.
#[derive(Debug, Default)]
pub struct Part {
    limit: u32,
}

impl Provide<Part> for App {
    fn provide(&self) -> &Part {
        &self.part
    }
}

/// What each connection has.
#[derive(Debug)]
pub struct Member {
    name: String,
}

/// An extractor of this crate.
#[derive(Debug)]
pub struct Limit(u32);

impl<S: Service<State = App>> Extract<S> for Limit {
    type Rejection = Failure;

    fn extract(cx: &Cx<S>) -> Result<Self, Failure> {
        match cx.state().part.limit {
            0 => Err(Failure::public("no-limit", "nothing is allowed")),
            limit => Ok(Self(limit)),
        }
    }
}

/// An error that nobody else can name.
#[derive(Debug)]
struct Private;

impl std::fmt::Display for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("private")
    }
}

impl std::error::Error for Private {}

#[action(connect)]
async fn joined(peer: Peer<Talk>, app: &App, limit: Limit) -> Result<Member, Refused> {
    let _ = (peer, app, limit);
    std::future::ready(()).await;
    Ok(Member { name: "someone".to_owned() })
}

#[action(disconnect)]
fn left(why: &Closed, member: &Member, part: &Part, hub: Hub<Talk>) {
    let _ = (why, &member.name, part.limit, hub);
}

#[action("SAY", concurrent, finish)]
async fn say(
    member: &Member,
    hub: Hub<Talk>,
    p: Say<'_>,
    part: &Part,
    meta: Meta,
    app: Arc<App>,
) -> Result<(), Failure> {
    let _ = (&member.name, hub, part, meta, app);
    std::future::ready(()).await;
    if p.text.is_empty() { Err(Failure::public("empty", "say something")) } else { Ok(()) }
}

#[action("PING")]
fn ping(meta: &Meta, _p: Ping) {
    let _ = meta.action();
}

#[action("TREE")]
fn tree(limit: Limit, p: Tree) -> Result<Pages, Failure> {
    if p.branches.len() > limit.0 as usize {
        return Err(Failure::public("too-many", "too many branches"));
    }
    drop((limit, p));
    Ok(Pages { page: Page { items: Vec::new() } })
}

/// Handlers of a module.
pub mod notes {
    use pnet::action;

    use super::{Note, Private};

    /// Takes a note, and fails with a private error.
    #[action("NOTE")]
    #[expect(private_interfaces, reason = "that is what is tried here")]
    #[expect(clippy::missing_errors_doc, reason = "that is what is tried here")]
    pub fn take(p: Note) -> Result<(), Private> {
        match p {
            Note::Short(text) => {
                drop(text);
                Ok(())
            }
            Note::Long { lines } => {
                drop(lines);
                Err(Private)
            }
        }
    }
}

actions! {
    /// The server.
    pub server TalkServer(App) for Talk(Member): joined, left, say, ping, double, tree, self::notes::take
}

#[action("said")]
async fn said(p: Said, client: Client<Talk>) {
    let _ = client.send(Say { text: p.text.into(), data: Vec::new().into(), to: vec![Target::All] }).await;
}

#[action("MOVE")]
fn moved(p: Move) {
    let _ = p.x;
}

#[action("PING")]
fn pinged(_p: Ping) -> Said {
    Said { text: String::new(), words: HashMap::new() }
}

#[action("SAY")]
async fn asked<'a>(lines: &'a Vec<String>, p: Say<'a>) -> NoteView<'a, 'a> {
    std::future::ready(()).await;
    if p.text.is_empty() { NoteView::Long { lines } } else { NoteView::Short(p.text) }
}

actions! {
    /// The client.
    pub client TalkClient(Vec<String>) for Talk: said, crate::moved, pinged, asked
}

#[action("PING")]
fn other_ping(_p: Ping) {}

actions! {
    /// A handler of another crate, under another name.
    pub server OtherServer for Other: shrink, other_ping
}

actions! { pub(crate) client QuietClient for Quiet: quiet }

#[action("said")]
fn quiet(p: Said) {
    drop(p);
}

/// Handlers of streams.
mod feed {
    use std::sync::Arc;

    use pnet::{Client, Failure, Meta, Peer, SendError, StreamSender, action, actions};
    use third::{Move, Moved, follow};

    use super::{App, Feed, Limit, Note, Part, Ping, Private, Said, Tree, Watch, say_to};

    #[action("WATCH", concurrent, finish)]
    async fn watch(
        peer: Peer<Feed>,
        out: StreamSender<Said>,
        app: &App,
        p: Watch<'_>,
        part: &Part,
        state: Arc<App>,
    ) -> Result<(), SendError> {
        let _ = (peer, app, part, state);
        say_to(&out, &p.what).await
    }

    #[action("TREE")]
    async fn tree(p: Tree, mut out: StreamSender<Moved>, limit: Limit) -> Result<(), Ping> {
        out = out.clone();
        let _ = (p, limit);
        if out.send(Moved { by: 1 }).await.is_err() { Err(Ping) } else { Ok(()) }
    }

    #[action("PING")]
    async fn ping(out: StreamSender<Note>, meta: &Meta, _p: Ping) {
        let _ = (out.send(Note::Short(String::new())).await, meta);
    }

    /// Fails with a private error.
    #[action("MOVE")]
    #[expect(private_interfaces, reason = "that is what is tried here")]
    #[expect(clippy::missing_errors_doc, reason = "that is what is tried here")]
    pub async fn moved(out: StreamSender<Said>, _p: Move) -> Result<Result<(), Tree>, Private> {
        if say_to(&out, "moved").await.is_err() { Err(Private) } else { Ok(Ok(())) }
    }

    actions! {
        /// The server of streams.
        pub server FeedServer(App) for Feed: watch, follow, tree, ping, moved
    }

    #[action("WATCH")]
    async fn watched(p: Watch<'_>, client: Client<Feed>, out: StreamSender<Said>) -> Result<(), Failure> {
        let _ = client;
        say_to(&out, &p.what).await?;
        Ok(())
    }

    #[action("TREE")]
    fn treed(_p: Tree) -> Note {
        Note::Short(String::new())
    }

    #[action("PING")]
    fn pinged(_p: Ping) {}

    actions! {
        /// The client of streams.
        pub client FeedClient for Feed: watched, treed, pinged
    }
}

pub use feed::{FeedClient, FeedServer, moved as moves};

async fn say_to(out: &StreamSender<Said>, text: &str) -> Result<(), SendError> {
    out.send(Said { text: text.to_owned(), words: HashMap::new() }).await
}

/// A packet may have the name of a word of `protocol!`; as an answer it is written raw.
pub mod word {
    #![expect(non_camel_case_types, reason = "that is what is tried here")]

    use pnet::{Packet, StreamSender, action, actions, protocol};
    use serde::{Deserialize, Serialize};

    /// The word.
    #[derive(Debug, Packet, Serialize, Deserialize)]
    pub struct stream;

    protocol! {
        /// Nothing but the word.
        pub Word {
            client { stream -> stream r#stream }
            server { stream -> r#stream }
        }
    }

    #[action("STREAM")]
    async fn streams(p: stream, out: StreamSender<stream>) {
        let _ = out.send(p).await;
    }

    actions! {
        /// The server.
        pub server WordServer for Word: streams
    }
}

/// A loop that answers with a stream.
///
/// # Errors
///
/// Nobody wants it any more.
pub async fn answer(packet: FeedFromServer<'_>) -> Result<(), SendError> {
    match packet {
        FeedFromServer::Watch(watch, responder) => {
            say_to(&responder.sender(), &watch.what).await?;
            responder.reply(());
        }
        FeedFromServer::Tree(_, responder) => responder.reply(Note::Short(String::new())),
        FeedFromServer::Ping(_) => {}
    }
    Ok(())
}

/// Everything out of `macro_rules!`, whose `$ty`s and names are not the tokens they look like.
pub mod generated {
    use std::{borrow::Cow, marker::PhantomData, sync::Arc};

    use pnet::{Failure, Meta, Packet, Refused, StreamSender, action, actions, protocol};
    use serde::{Deserialize, Serialize};

    macro_rules! packets {
        ($($name:ident<$lifetime:lifetime>($action:literal): $ty:ty;)*) => {
            $(
                /// One of them.
                #[derive(Debug, Packet, Serialize, Deserialize)]
                #[packet($action)]
                pub struct $name<$lifetime> {
                    /// What it holds.
                    #[serde(borrow)]
                    pub inner: $ty,
                }
            )*
        };
    }

    packets! {
        Shout<'a>("shout"): Cow<'a, str>;
        Shouts<'a>("shouts"): Vec<Option<Cow<'a, str>>>;
    }

    /// A variant that is never sent may hold anything.
    #[derive(Debug, Packet, Serialize, Deserialize)]
    #[non_exhaustive]
    pub enum Outcome {
        /// Of several.
        Each(Vec<Result<u32, String>>),
        /// Never sent.
        #[serde(skip)]
        Nothing(PhantomData<fn()>),
    }

    macro_rules! views {
        ($($name:ident<$lifetime:lifetime> of $packet:ty: $ty:ty;)*) => {
            $(
                /// One of them.
                #[derive(Debug, Packet, Serialize)]
                #[packet(view_of = $packet)]
                #[non_exhaustive]
                pub enum $name<$lifetime> {
                    /// Of several.
                    Each($ty),
                    /// Never sent.
                    #[serde(skip)]
                    Nothing(PhantomData<fn()>),
                }
            )*
        };
    }

    views! {
        OutcomeView<'a> of Outcome: Vec<Result<u32, Cow<'a, str>>>;
    }

    macro_rules! talk {
        ($name:ident: $silent:ty, $asked:ty => $answer:ty, $tried:ty => $reply:ty | $error:ty) => {
            protocol! {
                /// Their protocol.
                pub $name {
                    client { $silent, $asked -> $answer, $tried -> Result<$reply, $error> }
                    server { $asked -> stream $answer, $tried -> stream Result<$reply, $error> }
                }
            }
        };
    }

    talk!(Shouting: Shout<'_>, Shouts<'_> => Outcome, super::Move => super::Moved | super::Ping);

    macro_rules! handlers {
        ($($name:ident($action:literal): $packet:ty, $state:ty => $answer:ty = $value:expr;)*) => {
            $(
                #[action($action, concurrent)]
                async fn $name(packet: $packet, state: $state, meta: &Meta, app: Arc<u8>) -> $answer {
                    let _ = (packet, state, meta.action(), app);
                    std::future::ready(()).await;
                    $value
                }
            )*
        };
    }

    macro_rules! streams {
        ($($name:ident($action:literal): $packet:ty, $sender:ty, $item:expr;)*) => {
            $(
                #[action($action)]
                async fn $name(packet: $packet, out: $sender) {
                    let _ = (packet, out.send($item).await);
                }
            )*
        };
    }

    streams! {
        shouts_of("shouts"): Shouts<'_>, StreamSender<Outcome>, Outcome::Each(Vec::new());
        moves_of("MOVE"): super::Move, StreamSender<super::Moved>, super::Moved { by: 1 };
    }

    actions! {
        /// Their client.
        pub client ShoutingClient for Shouting: shouts_of, moves_of
    }

    handlers! {
        shout("shout"): Shout<'_>, &u8 => () = ();
        shouts("shouts"): Shouts<'_>, &u8 => Result<OutcomeView<'static>, Failure> = Ok(OutcomeView::Each(vec![Ok(1)]));
        moved("MOVE"): super::Move, &u8 => Result<super::Moved, super::Ping> = Err(super::Ping);
    }

    macro_rules! shown {
        ($name:ident($action:literal): $packet:ty => $answer:ty) => {
            #[action($action)]
            fn $name(packet: $packet) -> $answer {
                OutcomeView::Each(packet.inner.into_iter().flatten().map(Err).collect())
            }
        };
    }

    shown!(shown("shouts"): Shouts<'_> => OutcomeView<'_>);

    macro_rules! ends {
        ($joined:ident, $left:ident, $state:ty) => {
            #[action(connect)]
            fn $joined(state: $state) -> Result<(), Refused> {
                if *state == 0 { Err("nobody is let in".into()) } else { Ok(()) }
            }

            #[action(disconnect)]
            async fn $left(state: $state) {
                let _ = state;
                std::future::ready(()).await;
            }
        };
    }

    ends!(joined, left, &u8);

    macro_rules! service {
        ($name:ident($state:ty), $protocol:path: $($handler:path),*) => {
            actions! {
                /// Their server.
                pub server $name($state) for $protocol: $($handler),*
            }
        };
    }

    service!(ShoutingServer(u8), Shouting: joined, left, shout, shouts, self::moved);
    service!(ShowingServer(u8), Shouting: joined, left, shout, shown, self::moved);
}

/// A loop over the generated enum is checked like a `match`.
#[must_use]
pub fn name(packet: &TalkFromServer<'_>) -> &'static str {
    match packet {
        TalkFromServer::Said(_) => "said",
        TalkFromServer::Move(_) => "move",
        TalkFromServer::Ping(_, _) => "ping",
        TalkFromServer::Say(_, _) => "say",
    }
}

#[cfg(test)]
mod tests {
    use pnet::{Service, action, actions};

    use super::{Limit, Move, Moved, Page, Pages, QuietClient, Tree, Undescribed, double, shrink, tree};

    #[test]
    fn services_may_live_in_functions() {
        #[action("MOVE")]
        fn turn(p: Move) -> Moved {
            Moved { by: -p.x }
        }

        #[action("PING")]
        async fn nothing(_p: super::Ping) {
            std::future::ready(()).await;
        }

        actions! { server Local for super::Other: turn, nothing }
        assert_eq!(Local::ROUTES.len(), 2);
        assert_eq!(turn(Move { x: 1 }), Moved { by: -1 });
    }

    #[tokio::test]
    async fn handlers_are_functions() {
        assert_eq!(double(Move { x: 3 }), Moved { by: 6 });
        assert_eq!(shrink(Move { x: 6 }).await, Moved { by: 3 });
        let Pages { page: Page { items } } =
            tree(Limit(1), Tree { branches: vec![], rest: Undescribed(0) }).expect("the tree is taken");
        assert!(items.is_empty());
        let _ = QuietClient;
    }
}
