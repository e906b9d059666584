//! Through a relay, in both dialects: what it passes on opens at the other end, and it can do nothing else with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use pnet::{
    Client, Dialect, Hub, Inbox, OpenError, Opener, Peer, Sealed, action, actions, connect_inbox, memory::MemoryServer,
};
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
    fn sees(&self, packet: &impl serde::Serialize) {
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
        assert_eq!(opener.open_from(alone.clone(), &fingerprint(ADA)).await, Ok(note(secret)));
        assert_eq!(opener.open_from(alone, &fingerprint(ADA)).await, Err(OpenError::NotOpened));
        let Parcel { one, more, order, .. } = next!(bob_inbox, Parcel);
        for letter in std::iter::once(one).chain(more) {
            assert_eq!(opener.open_from(letter, &fingerprint(ADA)).await, Ok(note(secret)));
        }
        let order = opener.open(order.expect("it was sent"), "the relay").await.expect("nothing is wrong");
        assert_eq!((order.sender(), &*order.packet().text), (None, secret));

        let seen = state.seen.lock().expect("nothing has panicked").join("\n");
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
    let found: SealedNote = gateway.open(outer, "ada").await.expect("it is for the gateway").into_packet();
    assert_eq!(found, inner);
    assert_eq!(bob.open_from(found, &fingerprint(ADA)).await, Ok(note("at noon")));
    assert!(!decrypt(rsa(BOB_SEALING), &inner).is_empty());
}
