//! Through a relay, in both dialects: what it passes on opens at the other end, and it can do nothing else with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use pnet::{
    CallError, Client, Dialect, Hub, Inbox, OpenError, Opener, Packet, Peer, Sealed, SendError, StreamSender, action,
    actions, connect_inbox, memory::MemoryServer, protocol,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::support::{
    ADA, Arrived, BOB, BOB_SEALING, EVE, EVE_SEALING, Order, Parcel, Post, PostFromServer, SealedNote, decrypt,
    fingerprint, identity, note, rsa, sealing_key, verified,
};

/// What the relay has seen, as it would log it.
#[derive(Default)]
pub(crate) struct Relay {
    seen: Mutex<Vec<String>>,
    keys: Mutex<BTreeMap<String, Arrived>>,
}

impl Relay {
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("nothing has panicked").clone()
    }

    fn sees(&self, packet: &impl Serialize) {
        let seen = serde_json::to_string(packet).expect("it can be written");
        self.seen.lock().expect("nothing has panicked").push(seen);
    }
}

#[action("PARCEL")]
fn parcel(p: Parcel, from: Peer<Post>, hub: Hub<Post>, relay: &Relay) {
    relay.sees(&p);
    hub.broadcast_except(from.id(), &p);
}

#[action("SEALED_NOTE")]
fn sealed_note(p: SealedNote, from: Peer<Post>, hub: Hub<Post>, relay: &Relay) {
    relay.sees(&p);
    hub.broadcast_except(from.id(), &p);
}

#[action("ARRIVED")]
fn arrived(p: Arrived, from: Peer<Post>, hub: Hub<Post>, relay: &Relay) {
    relay.sees(&p);
    hub.broadcast_except(from.id(), &p);
    relay.keys.lock().expect("nothing has panicked").insert(p.name.clone(), p);
}

actions! { pub(crate) server PostOffice(Relay) for Post: parcel, sealed_note, arrived }

async fn join(relay: &MemoryServer<Post>, dialect: Dialect) -> (Client<Post>, Inbox<Post>) {
    relay.connect_inbox_with(connect_inbox().dialect(dialect)).await.expect("memory connects")
}

/// The next packet of a kind.
macro_rules! next {
    ($inbox:ident, $kind:ident) => {
        match $inbox.recv().await.expect("the relay is there") {
            PostFromServer::$kind(packet) => packet,
            other => panic!("{other:?}"),
        }
    };
}

#[tokio::test]
async fn a_relay_passes_on_what_it_cannot_read() {
    for (ada_speaks, bob_speaks) in [
        (Dialect::Native, Dialect::Native),
        (Dialect::Native, Dialect::Json),
        (Dialect::Json, Dialect::Native),
        (Dialect::Json, Dialect::Json),
    ] {
        let state = Arc::new(Relay::default());
        let server = pnet::memory::serve(PostOffice, Arc::clone(&state));
        let (ada, _ada_inbox) = join(&server, ada_speaks).await;
        let (bob, mut bob_inbox) = join(&server, bob_speaks).await;
        let opener = Opener::<Post>::new(&identity(BOB), sealing_key(BOB_SEALING));
        let to_bob = verified(BOB_SEALING, BOB).await;
        let me = identity(ADA);

        let secret = "the canary sings at noon";
        let seal = || Sealed::seal_signed::<Post>(&note(secret), &to_bob, &me);
        ada.send(seal().await.expect("it can be sealed")).await.expect("it is sent");
        let order = Sealed::seal::<Post>(&Order { text: secret.to_owned() }, &to_bob).expect("it can be sealed");
        let parcel = Parcel {
            to: "Bob".to_owned(),
            one: seal().await.expect("it can be sealed"),
            more: vec![seal().await.expect("it can be sealed"), seal().await.expect("it can be sealed")],
            order: Some(order),
        };
        ada.send(parcel).await.expect("it is sent");

        let alone = next!(bob_inbox, SealedNote);
        assert_eq!(opener.open_from(&alone, &fingerprint(ADA)).await, Ok(note(secret)));
        assert_eq!(opener.open_from(&alone, &fingerprint(ADA)).await, Err(OpenError::NotOpened));
        let Parcel { one, more, order, .. } = next!(bob_inbox, Parcel);
        for letter in std::iter::once(one).chain(more) {
            assert_eq!(opener.open_from(&letter, &fingerprint(ADA)).await, Ok(note(secret)));
        }
        let order = opener.open(&order.expect("it was sent"), "the relay").await.expect("nothing is wrong");
        assert_eq!((order.sender(), &*order.packet().text), (None, secret));

        let seen = state.seen().join("\n");
        assert!(seen.contains("Bob"), "what is not sealed is seen");
        for part in ["canary", "noon", &hex("the canary"), &super::support::base64url("the canary sings")] {
            assert!(!seen.contains(part), "{part} is in {seen}");
        }
        drop((ada, bob));
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Fetch {
    count: u32,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Empty {}

/// Another number than [`Fetch`], and answered with a stream.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct FetchAll {}

protocol! {
    /// Where sealed packets are answers.
    pub(crate) Locker {
        client { SealedNote -> (), Fetch -> Result<SealedNote, Empty>, FetchAll -> stream SealedNote }
    }
}

#[derive(Default)]
pub(crate) struct Kept(Mutex<Vec<SealedNote>>);

impl Kept {
    fn all(&self) -> Vec<SealedNote> {
        self.0.lock().expect("nothing has panicked").clone()
    }
}

#[action("SEALED_NOTE")]
fn keep(p: SealedNote, kept: &Kept) {
    kept.0.lock().expect("nothing has panicked").push(p);
}

#[action("FETCH")]
fn fetch(p: Fetch, kept: &Kept) -> Result<SealedNote, Empty> {
    kept.all().get(p.count as usize).cloned().ok_or(Empty {})
}

#[action("FETCH_ALL")]
async fn fetch_all(_p: FetchAll, kept: &Kept, to: StreamSender<SealedNote>) -> Result<(), SendError> {
    for note in kept.all() {
        to.send(note).await?;
    }
    Ok(())
}

actions! { pub(crate) server LockerServer(Kept) for Locker: keep, fetch, fetch_all }
actions! { pub(crate) client LockerClient for Locker: }

#[tokio::test]
async fn sealed_packets_are_asked_answered_and_streamed() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let server = pnet::memory::serve(LockerServer, Kept::default());
        let client = pnet::connect(LockerClient, ()).dialect(dialect);
        let client = server.connect_with(client).await.expect("memory connects");
        let opener = Opener::<Locker>::new(&identity(BOB), sealing_key(BOB_SEALING));
        let to_bob = verified(BOB_SEALING, BOB).await;
        for text in ["one", "two"] {
            let letter =
                Sealed::seal_signed::<Locker>(&note(text), &to_bob, &identity(ADA)).await.expect("can be sealed");
            client.call(letter).await.expect("it is kept");
        }
        let one = client.call(Fetch { count: 0 }).await.expect("it is there");
        assert_eq!(opener.open_from(&one, &fingerprint(ADA)).await, Ok(note("one")));
        assert!(matches!(client.call(Fetch { count: 2 }).await, Err(CallError::Declared(Empty {}))));
        let mut all = client.stream(FetchAll {});
        assert_eq!(all.next().await.expect("there are two").expect("it is read"), one);
        let two = all.next().await.expect("there are two").expect("it is read");
        assert_eq!(opener.open_from(&two, &fingerprint(ADA)).await, Ok(note("two")));
        assert!(all.next().await.is_none());
    }
}

#[tokio::test]
async fn a_relay_that_swaps_an_announcement_is_caught() {
    for dialect in [Dialect::Native, Dialect::Json] {
        let server = pnet::memory::serve(PostOffice, Relay::default());
        let (bob, _bob_inbox) = join(&server, dialect).await;
        let (_ada, mut ada_inbox) = join(&server, dialect).await;
        let key = sealing_key(BOB_SEALING).announce(&identity(BOB)).await.expect("it can be announced");
        bob.send(Arrived { name: "Bob".to_owned(), key }).await.expect("it is sent");
        let arrived = next!(ada_inbox, Arrived);
        let verified = arrived.key.verify(&fingerprint(BOB)).expect("it is Bob's");
        assert_eq!(verified.fingerprint(), fingerprint(BOB_SEALING));

        // Whatever a relay can put in its place.
        let eves = sealing_key(EVE_SEALING).announce(&identity(EVE)).await.expect("it can be announced");
        eves.verify(&fingerprint(BOB)).expect_err("it is Eve's");
        let mut mixed = serde_json::to_value(&arrived.key).expect("it can be written");
        let other: Value = serde_json::to_value(&eves).expect("it can be written");
        for part in ["payload", "protected", "signature"] {
            let bobs = std::mem::replace(&mut mixed[part], other[part].clone());
            let announcement: pnet::Announcement = serde_json::from_value(mixed.clone()).expect("it has three texts");
            announcement.verify(&fingerprint(BOB)).expect_err(part);
            mixed[part] = bobs;
        }
    }
}

#[tokio::test]
async fn what_is_sealed_can_be_sealed_again() {
    let gateway = Opener::<Post>::new(&identity(EVE), sealing_key(EVE_SEALING));
    let bob = Opener::<Post>::new(&identity(BOB), sealing_key(BOB_SEALING));
    // For a recipient behind a gateway that opens one cover and knows nothing of what is in it.
    let (to_eve, to_bob) = (verified(EVE_SEALING, EVE).await, verified(BOB_SEALING, BOB).await);
    let inner = Sealed::seal_signed::<Post>(&note("at noon"), &to_bob, &identity(ADA)).await.expect("can be sealed");
    let outer = Sealed::seal::<Post>(&inner, &to_eve).expect("it can be sealed");
    let found: SealedNote = gateway.open(&outer, "ada").await.expect("it is for the gateway").into_packet();
    assert_eq!(found, inner);
    assert_eq!(bob.open_from(&found, &fingerprint(ADA)).await, Ok(note("at noon")));
    assert!(!decrypt(rsa(BOB_SEALING), &inner).is_empty());
}
