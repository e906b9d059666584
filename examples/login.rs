//! Who is it? The protocol declares what clients show, one handler of the server finds out who that is, and all others take
//! the answer as an argument. A wrong password is refused before anything else of the client is looked at; a client whose
//! ticket expires shows a new one when it connects again.
//!
//! ```text
//! $ cargo run --example login
//! server: ada comes in
//! ada says: hello
//! eve: connection closed by the peer: unauthorized (wrong name or password)
//! server: ada comes in
//! server: connection closed by this side: going-away (the night shift begins)
//! server: ada comes in
//! ada says: I am back
//! ```

use std::{
    collections::HashMap,
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use pnet::{
    Arrival, Backoff, CloseCode, Closed, ConnectError, Hub, Packet, Refused, Retry, Secret, action, actions, protocol,
};
use serde::{Deserialize, Serialize};

/// What a client shows.
#[derive(Serialize, Deserialize)]
enum Login {
    Password { name: String, password: Secret },
    Ticket(u32),
}

#[derive(Packet, Serialize, Deserialize)]
struct Say {
    text: String,
}

#[derive(Packet, Serialize, Deserialize)]
struct Said {
    text: String,
}

protocol! {
    Chat {
        credentials Login;
        client { Say -> Said }
    }
}

/// Who a client is: the server's own type, which no client ever sees.
struct User {
    name: String,
}

struct App {
    passwords: HashMap<&'static str, Secret>,
    tickets: AtomicU32,
}

impl App {
    fn knows(&self, name: &str, password: &Secret) -> bool {
        // `==` would tell by its duration how much of a guess is right.
        self.passwords.get(name).is_some_and(|known| known.ct_eq(password.expose()))
    }
}

#[action(authenticate)]
async fn who(login: Login, from: &Arrival, app: &App) -> Result<User, Refused> {
    match login {
        // A real one compares hashes that are made for passwords.
        Login::Password { name, password } if app.knows(&name, &password) => Ok(User { name }),
        Login::Ticket(ticket) if ticket == app.tickets.load(Ordering::Relaxed) && from.addr().is_local() => {
            Ok(User { name: "ada".to_owned() })
        }
        Login::Password { .. } => Err("wrong name or password".into()),
        // A client that connects again asks for another one, and shows that.
        Login::Ticket(_) => Err("this ticket has expired".into()),
    }
}

#[action(connect)]
fn joined(user: &User) {
    println!("server: {} comes in", user.name);
}

#[action("SAY")]
fn say(p: Say, user: &User) -> Said {
    Said { text: format!("{} says: {}", user.name, p.text) }
}

actions! { server ChatServer(App) for Chat: who, joined, say }
actions! { client ChatClient for Chat: }

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = Arc::new(App { passwords: HashMap::from([("ada", "lovelace".into())]), tickets: AtomicU32::new(7) });
    let server = pnet::serve(ChatServer, Arc::clone(&app)).bind("127.0.0.1:0").await?;
    let address = server.local_addr();

    let ada = Login::Password { name: "ada".to_owned(), password: "lovelace".into() };
    let chat = pnet::connect(ChatClient, ()).credentials(&ada).to(address).await?;
    println!("{}", chat.call(Say { text: "hello".to_owned() }).await?.text);
    chat.close().await;

    let eve = Login::Password { name: "ada".to_owned(), password: "swordfish".into() };
    match pnet::connect(ChatClient, ()).credentials(&eve).to(address).await {
        Err(ConnectError::Refused(closed)) => println!("eve: {closed}"),
        _ => return Err("eve was let in".into()),
    }

    // A ticket is good for one connection: this asks for another each time.
    let office = Arc::clone(&app);
    let chat = pnet::connect(ChatClient, ())
        .credentials_with(move || {
            let office = Arc::clone(&office);
            async move { Login::Ticket(office.tickets.load(Ordering::Relaxed)) }
        })
        .reconnect(Backoff::default())
        .to(address)
        .await?;
    app.tickets.fetch_add(1, Ordering::Relaxed);
    let mut states = chat.states();
    println!("server: {}", send_all_away(&server.hub()).await);
    states.wait_for(|state| matches!(state, pnet::LinkState::Waiting { .. })).await?;
    println!("{}", chat.call(Say { text: "I am back".to_owned() }).await?.text);
    chat.close().await;
    Ok(())
}

/// The clients come back at once.
async fn send_all_away(hub: &Hub<Chat>) -> Arc<Closed> {
    let peer = hub.peers().into_iter().next().expect("ada is there");
    peer.close_with(CloseCode::GoingAway, "the night shift begins", Retry::after(Duration::from_millis(10)));
    peer.closed().await
}
