//! The chat example's server and client, in memory: joining, talking, whispering, leaving.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use chat_client::{ChatUi, Screen, enter, talk};
use chat_protocol::{BadName, BadText, Chat, ChatFromServer, Login, MAX_TEXT, Say, Tell, Undelivered, Who};
use chat_server::{Room, server};
use pnet::{CallError, Client, Inbox, memory::MemoryServer};
use tokio::sync::mpsc;

#[tokio::test(start_paused = true)]
async fn three_people_talk() {
    let room = serve();
    let mut ada = Person::enter(&room, "ada").await;
    let mut bob = Person::enter(&room, "bob").await;
    let mut eve = Person::enter(&room, "eve").await;
    assert_eq!(eve.chat.call(Who {}).await.expect("an answer").names, ["ada", "bob", "eve"]);
    assert_eq!(ada.hears(4).await, ["+guest-2", "guest-2=bob", "+guest-3", "guest-3=eve"]);
    assert_eq!(bob.hears(2).await, ["+guest-3", "guest-3=eve"]);

    ada.say("hello").await;
    assert_eq!(bob.hears(1).await, ["ada: hello"]);
    assert_eq!(eve.hears(1).await, ["ada: hello"]);

    let told = bob.chat.call(Tell { to: "ADA".into(), text: "psst".into() }).await.expect("is there");
    assert_eq!(told.to, "ada");
    assert_eq!(ada.hears(1).await, ["bob, quietly: psst"]);

    // Whoever says goodbye and whoever just goes: eve hears of both, and of nothing else since.
    bob.chat.close().await;
    assert_eq!(eve.hears(1).await, ["-bob"]);
    drop(ada);
    assert_eq!(eve.hears(1).await, ["-ada"]);
    assert_eq!(eve.chat.call(Who {}).await.expect("an answer").names, ["eve"]);
    assert_eq!(room.hub().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn names_are_unique_and_free_again_afterwards() {
    let room = serve();
    let ada = Person::enter(&room, "ada").await;
    let mut bob = Person::enter(&room, "bob").await;
    for (name, why) in
        [("Ada", BadName::Taken), ("", BadName::Length), ("a b", BadName::Characters), ("guest-9", BadName::Reserved)]
    {
        let denied = bob.chat.call(Login { name: name.into() }).await.expect_err(name).declared();
        assert_eq!(denied.expect("a declared error").why, why, "{name:?}");
    }
    ada.chat.close().await;
    assert_eq!(bob.hears(1).await, ["-ada"]);
    assert_eq!(bob.chat.call(Login { name: "Ada".into() }).await.expect("is free").name, "Ada");
}

#[tokio::test(start_paused = true)]
async fn the_server_passes_on_no_bad_text() {
    let room = serve();
    let mut ada = Person::enter(&room, "ada").await;
    let mut bob = Person::enter(&room, "bob").await;
    ada.hears(2).await;
    let long = "x".repeat(MAX_TEXT + 1);
    for (text, why) in [(&*long, BadText::Length), ("", BadText::Length), ("\u{1b}[2J", BadText::Characters)] {
        ada.say(text).await;
        assert_eq!(ada.hears(1).await, [format!("! not passed on: {why}")]);
        let refused = ada.chat.call(Tell { to: "bob".into(), text: text.into() }).await.expect_err("bad text");
        assert_eq!(refused.declared().expect("a declared error").why, Undelivered::Text(why));
    }
    ada.say("good").await;
    assert_eq!(bob.hears(1).await, ["ada: good"]);

    // Longer than any frame the server takes: this side is told so, and the connection lives on.
    let error = ada.chat.send(Say { text: "x".repeat(100_000).into() }).await.expect_err("far too long");
    assert!(matches!(error, pnet::SendError::TooLong { max: 8192, .. }), "{error}");
    assert!(ada.chat.call(Who {}).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn nobody_and_those_who_are_gone_hear_nothing() {
    let room = serve();
    let ada = Person::enter(&room, "ada").await;
    let error = ada.chat.call(Tell { to: "bob".into(), text: "hello?".into() }).await.expect_err("nobody");
    assert!(matches!(error, CallError::Declared(refused) if refused.why == Undelivered::Nobody));
}

#[tokio::test(start_paused = true)]
async fn the_terminal_client_shows_and_obeys_lines() {
    let room = serve();
    let mut ada = Person::enter(&room, "ada").await;
    let paper = Paper::default();
    let screen = Screen::new(paper.clone());
    let chat = room.connect(ChatUi, screen.clone()).await.expect("a welcome");
    enter(&chat, &screen, "bob".into()).await.expect("a free name");
    let (keys, lines) = mpsc::channel(16);
    for line in ["hello", "  ", "/msg ada psst", "/msg zoe hi", "/msg", "/what", "a\u{7}b", "/who", "/quit"] {
        keys.send(line.to_owned()).await.expect("room for the lines");
    }
    talk(&chat, &screen, lines).await.expect("a goodbye");
    assert_eq!(
        paper.lines(),
        [
            "* you are bob, with ada",
            "(to ada) psst",
            "* not delivered: nobody has that name",
            "* like this: /msg NAME text",
            "* there is no /what, but /msg NAME text, /who and /quit",
            "* not sent: a message has no control characters",
            "* here: ada, bob",
        ]
    );
    assert_eq!(ada.hears(5).await, ["+guest-2", "guest-2=bob", "bob: hello", "bob, quietly: psst", "-bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_the_terminal_client() {
    let room = serve();
    let paper = Paper::default();
    let screen = Screen::new(paper.clone());
    let chat = room.connect(ChatUi, screen.clone()).await.expect("a welcome");
    enter(&chat, &screen, "ada".into()).await.expect("a free name");
    let (_keys, lines) = mpsc::channel(1);
    let (ended, done) = tokio::join!(talk(&chat, &screen, lines), room.shutdown(Duration::from_secs(5)));
    let why = ended.expect_err("not of its own wish").to_string();
    assert_eq!(why, "connection closed by the peer: going-away (the server is shutting down)");
    assert_eq!((done.finished, done.cut_off), (1, 0));
}

fn serve() -> MemoryServer<Chat> {
    server(Room::quiet()).in_memory()
}

/// Somebody with a name, and what the server sends them.
struct Person {
    chat: Client<Chat>,
    inbox: Inbox<Chat>,
}

impl Person {
    async fn enter(room: &MemoryServer<Chat>, name: &str) -> Self {
        let (chat, inbox) = room.connect_inbox().await.expect("a welcome");
        let welcome = chat.call(Login { name: name.into() }).await.expect("a free name");
        assert_eq!(welcome.name, name);
        Self { chat, inbox }
    }

    async fn say(&self, text: &str) {
        self.chat.send(Say { text: text.into() }).await.expect("an open connection");
    }

    /// The next packets, in a short form.
    async fn hears(&mut self, count: usize) -> Vec<String> {
        let mut heard = Vec::new();
        for _ in 0..count {
            heard.push(match self.inbox.recv().await.expect("an open connection") {
                ChatFromServer::Joined(p) => format!("+{}", p.name),
                ChatFromServer::Renamed(p) => format!("{}={}", p.from, p.to),
                ChatFromServer::Left(p) => format!("-{}", p.name),
                ChatFromServer::Said(p) => format!("{}: {}", p.name, p.text),
                ChatFromServer::Told(p) => format!("{}, quietly: {}", p.name, p.text),
                ChatFromServer::Notice(p) => format!("! {}", p.text),
            });
        }
        heard
    }
}

/// What a screen has shown.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    fn lines(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("not poisoned");
        std::str::from_utf8(&bytes).expect("text").lines().map(str::to_owned).collect()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
