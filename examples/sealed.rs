//! Packets that a relay cannot read: two people talk through a relay that keeps all it sees. It passes on what is sealed, and
//! learns how long it is. Then it tries to get between them, with a sealing key of its own, and is caught.
//!
//! ```text
//! $ cargo run --example sealed
//! ada: my key is SHA256:FINGERPRINT
//! bob: my key is SHA256:FINGERPRINT
//! bob: announced the sealing key SHA256:FINGERPRINT
//! ada: sealed a note for SHA256:FINGERPRINT
//! relay: passes on Sealed<Note>(N bytes)
//! bob: SHA256:FINGERPRINT says: the canary sings at noon
//! bob: the same note again: the sealed packet could not be opened
//! relay: announces a sealing key of its own, as bob's
//! ada: the sealing key is announced by SHA256:FINGERPRINT, not by SHA256:FINGERPRINT: somebody may have swapped it
//! relay: N lines in the log; the note is in none of them
//! relay: a note that nobody sealed is found by the same search
//! ```

use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pnet::{
    Announcement, AnnouncementError, Client, Codec, Hub, Identity, Inbox, OpenError, Opener, Packet, Peer, Sealed,
    SealingKey, Server, action, actions, protocol,
};
use serde::{Deserialize, Serialize};

/// Who somebody is, and what to seal with for him.
#[derive(Packet, Serialize, Deserialize)]
struct Announce {
    name: String,
    key: Announcement,
}

/// What only its recipient is to read.
#[derive(Packet, Serialize, Deserialize)]
struct Note {
    text: String,
}

/// A packet of its own, which the relay passes on.
type SealedNote = Sealed<Note>;

protocol! {
    Post {
        client { Announce, SealedNote, Note }
        server { Announce, SealedNote, Note }
    }
}

/// Keeps whatever goes through it, in the form of both dialects.
#[derive(Default)]
struct Relay {
    log: Mutex<Vec<Vec<u8>>>,
    /// What it hands on instead of announcements, once it is evil.
    instead: Mutex<Option<Announcement>>,
}

impl Relay {
    fn sees(&self, packet: &impl Packet) {
        for codec in [Codec::Json, Codec::Postcard] {
            let mut line = Vec::new();
            if packet.encode(codec, &mut line).is_ok() {
                lock(&self.log).push(line);
            }
        }
    }

    /// How many lines it has, and in how many of them this text is.
    fn search(&self, text: &str) -> (usize, usize) {
        let log = lock(&self.log);
        let holds = |line: &&Vec<u8>| line.windows(text.len()).any(|part| part == text.as_bytes());
        (log.len(), log.iter().filter(holds).count())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[action("ANNOUNCE")]
fn announce(mut p: Announce, from: Peer<Post>, hub: Hub<Post>, relay: &Relay) {
    relay.sees(&p);
    if let Some(instead) = lock(&relay.instead).clone() {
        println!("relay: announces a sealing key of its own, as {}'s", p.name);
        p.key = instead;
    }
    hub.broadcast_except(from.id(), &p);
}

#[action("SEALED_NOTE")]
fn sealed_note(p: SealedNote, from: Peer<Post>, hub: Hub<Post>, relay: &Relay) {
    relay.sees(&p);
    println!("relay: passes on {p:?}");
    hub.broadcast_except(from.id(), &p);
}

#[action("NOTE")]
fn note(p: Note, from: Peer<Post>, hub: Hub<Post>, relay: &Relay) {
    relay.sees(&p);
    hub.broadcast_except(from.id(), &p);
}

actions! { server PostOffice(Relay) for Post: announce, sealed_note, note }

const SECRET: &str = "the canary sings at noon";
const OPEN: &str = "the weather is fine";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let relay = Arc::new(Relay::default());
    let server = pnet::serve(PostOffice, Arc::clone(&relay)).bind("127.0.0.1:0").await?;
    let ((ada, mut to_ada), (bob, mut to_bob)) = (join(&server).await?, join(&server).await?);

    // Each knows the other's fingerprint: they have told each other, and not by way of the relay.
    let (ada_id, bob_id) = (Identity::generate().await?, Identity::generate().await?);
    let (adas, bobs) = (ada_id.fingerprint(), bob_id.fingerprint());
    println!("ada: my key is {adas}");
    println!("bob: my key is {bobs}");

    // Bob makes a second key, in a program that goes on by `load_or_create`, and announces it.
    let key = SealingKey::generate().await?;
    let opener = Opener::<Post>::new(&bob_id, key.clone());
    println!("bob: announced the sealing key {}", key.fingerprint());
    bob.send(Announce { name: "bob".to_owned(), key: key.announce(&bob_id).await? }).await?;

    // Ada checks that it is his, and seals.
    let announced = announcement(&mut to_ada).await?;
    let verified = announced.verify(&bobs)?;
    let letter = Sealed::seal_signed::<Post>(&Note { text: SECRET.to_owned() }, &verified, &ada_id).await?;
    println!("ada: sealed a note for {}", verified.identity());
    ada.send(letter).await?;

    // Bob opens it, once.
    let letter = sealed(&mut to_bob).await?;
    let note = opener.open_from(&letter, &adas).await?;
    assert_eq!(note.text, SECRET);
    println!("bob: {adas} says: {}", note.text);
    let Err(error @ OpenError::NotOpened) = opener.open_from(&letter, &adas).await else {
        return Err("a note was opened twice".into());
    };
    println!("bob: the same note again: {error}");

    // The relay wants to read along, and puts a key of its own in the place of Bob's.
    let relays_id = Identity::generate().await?;
    *lock(&relay.instead) = Some(SealingKey::generate().await?.announce(&relays_id).await?);
    bob.send(Announce { name: "bob".to_owned(), key: key.announce(&bob_id).await? }).await?;
    let swapped = announcement(&mut to_ada).await?;
    let Err(error @ AnnouncementError::OtherIdentity { .. }) = swapped.verify(&bobs) else {
        return Err("a swapped announcement was taken".into());
    };
    println!("ada: {error}");

    // What the relay has seen; and that a search finds what is there.
    ada.send(Note { text: OPEN.to_owned() }).await?;
    let Some(PostFromServer::Note(_)) = to_bob.recv().await else { return Err("no note".into()) };
    let (lines, found) = relay.search(SECRET);
    assert_eq!(found, 0, "the relay has read it");
    println!("relay: {lines} lines in the log; the note is in none of them");
    assert_eq!(relay.search(OPEN).1, 2, "the search finds nothing");
    println!("relay: a note that nobody sealed is found by the same search");
    Ok(())
}

async fn join(server: &Server<Post>) -> Result<(Client<Post>, Inbox<Post>), pnet::ConnectError> {
    pnet::connect_inbox::<Post>().to(server.local_addr()).await
}

async fn announcement(inbox: &mut Inbox<Post>) -> Result<Announcement, &'static str> {
    match inbox.recv().await {
        Some(PostFromServer::Announce(announce)) => Ok(announce.key),
        _ => Err("no announcement"),
    }
}

async fn sealed(inbox: &mut Inbox<Post>) -> Result<SealedNote, &'static str> {
    match inbox.recv().await {
        Some(PostFromServer::SealedNote(letter)) => Ok(letter),
        _ => Err("no sealed note"),
    }
}
