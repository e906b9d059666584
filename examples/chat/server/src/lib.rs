//! The chat's server: its state and its handlers. `main.rs` puts them on a socket, the tests into memory.

mod room;

use chat_protocol::{
    BadName, Chat, Delivered, Denied, Joined, Left, Login, NotDelivered, Notice, People, Renamed, Said, Say, Tell,
    Told, Undelivered, Welcome, Who, check_name, check_text,
};
use pnet::{CloseCode, Closed, Hub, Limits, Peer, Refused, ServerBuilder, TrySendReason, action, actions};

pub use self::room::{Member, Room};

actions! { pub server ChatServer(Room) for Chat(Member): joined, left, login, say, tell, who }

/// The server, to be bound to an address or to be served in memory.
///
/// Nothing that a client says is longer than a text, so no frame needs to be longer than 8 KiB.
pub fn server(room: Room) -> ServerBuilder<ChatServer> {
    let limits = *Limits::default().max_frame_len(8 * 1024);
    pnet::serve(ChatServer, room).limits(limits)
}

/// A connection begins: gives it a guest's name and tells the others. The connection itself is not in the hub yet.
#[action(connect)]
fn joined(me: Peer<Chat>, room: &Room, hub: Hub<Chat>) -> Result<Member, Refused> {
    let member = room.enter(me.id());
    let name = member.name();
    room.log(format_args!("{name} has come from {}", me.addr()));
    hub.broadcast(&Joined { name });
    Ok(member)
}

/// A connection has ended, however it did. It is not in the hub any more.
#[action(disconnect)]
fn left(member: &Member, why: &Closed, room: &Room, hub: Hub<Chat>) {
    let name = member.name();
    room.log(format_args!("{name} has gone: {why}"));
    hub.broadcast(&Left { name, goodbye: why.code() == CloseCode::Normal });
    // Only now, so that nobody hears of somebody with the same name first.
    room.leave(member);
}

#[action("LOGIN")]
fn login(p: Login, member: &Member, room: &Room, me: Peer<Chat>, hub: Hub<Chat>) -> Result<Welcome, Denied> {
    check_name(&p.name).map_err(|why| Denied { why })?;
    let Some(from) = room.rename(member, &p.name) else {
        return Err(Denied { why: BadName::Taken });
    };
    room.log(format_args!("{from} is {} now", p.name));
    hub.broadcast_except(me.id(), &Renamed { from, to: p.name.clone() });
    Ok(Welcome { others: room.names().into_iter().filter(|name| *name != p.name).collect(), name: p.name })
}

#[action("SAY")]
async fn say(p: Say<'_>, member: &Member, me: Peer<Chat>, hub: Hub<Chat>) -> Result<(), pnet::SendError> {
    if let Err(why) = check_text(&p.text) {
        // The packet has no answer, so the sender is told by another one.
        return me.send(Notice { text: format!("not passed on: {why}") }).await;
    }
    hub.broadcast_except(me.id(), &Said { name: member.name(), text: p.text.into_owned() });
    Ok(())
}

#[action("TELL")]
fn tell(p: Tell, member: &Member, room: &Room, hub: Hub<Chat>) -> Result<Delivered, NotDelivered> {
    let refused = |why| Err(NotDelivered { why });
    if let Err(why) = check_text(&p.text) {
        return refused(Undelivered::Text(why));
    }
    let Some((to, peer)) = room.find(&p.to).and_then(|(name, id)| Some((name, hub.get(id)?))) else {
        return refused(Undelivered::Nobody);
    };
    match peer.try_send(Told { name: member.name(), text: p.text }) {
        Ok(()) => Ok(Delivered { to }),
        Err(error) if matches!(error.reason, TrySendReason::Full) => refused(Undelivered::Busy),
        Err(_) => refused(Undelivered::Nobody),
    }
}

#[action("WHO")]
fn who(_: Who, room: &Room) -> People {
    People { names: room.names() }
}
