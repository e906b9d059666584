//! Which argument of a handler is its packet, which one the end of a stream, and how each of them is made.

use std::marker::PhantomData;

use pnet_protocol::{
    failure::Failure,
    packet::{Codec, DecodeError, Packet},
    protocol::Incoming,
    reply::{IntoAnswer, Verdict},
    words::{Words, same},
};

use super::extract;
use crate::service::{Service, context::Cx, extract::Extract};

/// Tells whether a type is a packet: the inherent constant exists for packets, the trait's for all.
#[derive(Debug)]
pub struct Probe<A>(PhantomData<A>);

impl<A: Packet> Probe<A> {
    /// A packet, with this action and name.
    pub const PACKET: Option<(&'static str, &'static str)> = Some((A::ACTION, A::TYPE));
}

/// See [`Probe`].
pub trait MaybePacket {
    /// Not a packet.
    const PACKET: Option<(&'static str, &'static str)> = None;
}

impl<A> MaybePacket for Probe<A> {}

/// What [`Probe`] found about each argument taken by value.
type Probed = [Option<(&'static str, &'static str)>];

/// Position of the one packet among the arguments taken by value; [`NONE`] if there is none, or more than one.
#[must_use]
pub const fn pick(packets: &Probed) -> usize {
    let mut found = NONE;
    let mut i = 0;
    while i < packets.len() {
        if packets[i].is_some() {
            if found != NONE {
                return NONE;
            }
            found = i;
        }
        i += 1;
    }
    found
}

/// No position.
pub const NONE: usize = usize::MAX;

/// How argument `index` is made, for [`Arg`].
#[must_use]
pub const fn mode(packets: &Probed, index: usize) -> u8 {
    match pick(packets) {
        NONE => BROKEN,
        packet if packet == index => PACKET,
        _ => EXTRACT,
    }
}

const EXTRACT: u8 = 0;
const PACKET: u8 = 1;
const BROKEN: u8 = 2;

/// An argument taken by value as the function takes it. Apart from [`Arg`], so that the compiler can always tell the type.
pub trait Form<const MODE: u8> {
    /// The argument; the packet may borrow from its payload.
    type At<'f>;
}

impl<P: Packet> Form<PACKET> for P {
    type At<'f> = P::At<'f>;
}

impl<A> Form<EXTRACT> for A {
    type At<'f> = A;
}

impl<A> Form<BROKEN> for A {
    type At<'f> = A;
}

/// An argument taken by value, of a handler of service `S` that returns `T` and takes the stream's end `Out`, `()` if none.
/// Only the packet has an id and an answer.
pub trait Arg<S: Service, T, Out, const MODE: u8>: Form<MODE> {
    /// The number of the packet's action.
    const ID: u16;

    /// Makes the argument.
    ///
    /// # Errors
    ///
    /// The failure for the other side: the payload does not decode, or the extractor rejected.
    fn take<'f>(cx: &Cx<S>, payload: &'f [u8]) -> Result<Self::At<'f>, Failure>;

    /// Encodes what the handler returned.
    const ANSWER: Answer<T>;
}

/// Encodes what a handler returned, or gives its failure. A pointer, so that what does it is not wrapped for each handler.
pub type Answer<T> = fn(returned: T, codec_override: Option<Codec>, out: &mut Vec<u8>) -> Result<Verdict, Failure>;

impl<S: Service, T, Out, P> Arg<S, T, Out, PACKET> for P
where
    P: Packet + Incoming<S::Protocol, S::Side>,
    T: IntoAnswer<<P as Incoming<S::Protocol, S::Side>>::Reply>,
    Out: SenderOf<<P as Incoming<S::Protocol, S::Side>>::Reply>,
{
    const ID: u16 = <P as Incoming<S::Protocol, S::Side>>::ID;

    const ANSWER: Answer<T> = T::into_reply;

    fn take<'f>(cx: &Cx<S>, payload: &'f [u8]) -> Result<P::At<'f>, Failure> {
        match P::decode(cx.codec_override().unwrap_or(P::CODEC), payload) {
            Ok(packet) => Ok(packet),
            Err(error) => Err(malformed(error)),
        }
    }
}

impl<S: Service, T, Out, A: Extract<S>> Arg<S, T, Out, EXTRACT> for A {
    const ID: u16 = u16::MAX;

    const ANSWER: Answer<T> = no_answer;

    fn take(cx: &Cx<S>, _: &[u8]) -> Result<A, Failure> {
        extract(cx)
    }
}

impl<S: Service, T, Out, A> Arg<S, T, Out, BROKEN> for A {
    const ID: u16 = u16::MAX;

    const ANSWER: Answer<T> = no_answer;

    fn take(_: &Cx<S>, _: &[u8]) -> Result<A, Failure> {
        Err(Failure::internal("a handler without packet does not compile"))
    }
}

fn no_answer<T>(_: T, _: Option<Codec>, _: &mut Vec<u8>) -> Result<Verdict, Failure> {
    Err(Failure::internal("only a packet has an answer"))
}

#[cold]
fn malformed(error: DecodeError) -> Failure {
    Failure::malformed(&error)
}

/// The end of a stream that a handler takes, for a packet that is answered with `R`. No end is taken for any, as far as
/// types go: [`takes_sender`](super::takes_sender) sees to the rest.
#[diagnostic::on_unimplemented(
    message = "this handler takes a `{Self}`, but its packet is not answered with a stream",
    label = "the handler takes a `{Self}`, but the answer is `{R}`",
    note = "the handler of a packet that the protocol declares `-> stream Item` takes pnet's `StreamSender<Item>`, other handlers take none"
)]
pub trait SenderOf<R> {}

impl<R> SenderOf<R> for () {}

/// Refuses, while compiling, a handler without a packet.
///
/// # Panics
///
/// If it is one; the compiler shows the text.
#[track_caller]
pub const fn has_packet(handler: &str, packets: &Probed) {
    let mut i = 0;
    while i < packets.len() && packets[i].is_none() {
        i += 1;
    }
    // check: no-packet
    if i == packets.len() {
        let text = Words::new()
            .add("handler `")
            .add(handler)
            .add("` takes no packet: none of its arguments is a type with `#[derive(Packet, Serialize, Deserialize)]`");
        panic!("{}", text.get())
    }
}

/// Refuses, while compiling, argument `index` if it is a packet and one before it is, too.
///
/// # Panics
///
/// If it is; the compiler shows the text.
#[track_caller]
pub const fn one_packet(handler: &str, packets: &Probed, index: usize) {
    let Some((_, second)) = packets[index] else { return };
    let mut i = 0;
    while i < index {
        // check: two-packets
        if let Some((_, first)) = packets[i] {
            let text = Words::new()
                .add("handler `")
                .add(handler)
                .add("` takes two packets, `")
                .add(first)
                .add("` and `")
                .add(second)
                .add("`: a handler handles one");
            panic!("{}", text.get())
        }
        i += 1;
    }
}

/// Refuses, while compiling, `#[action("NAME")]` on the handler of a packet with another action.
///
/// # Panics
///
/// If it is; the compiler shows the text.
#[track_caller]
pub const fn action_is(name: &str, packets: &Probed) {
    let index = pick(packets);
    if index == NONE {
        return;
    }
    // check: action-name
    if let Some((action, packet)) = packets[index]
        && !same(name, action)
    {
        let text = Words::new()
            .add("#[action(\"")
            .add(name)
            .add("\")] handles packet `")
            .add(packet)
            .add("`, whose action is \"")
            .add(action)
            .add("\"");
        panic!("{}", text.get())
    }
}
