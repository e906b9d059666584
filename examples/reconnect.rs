//! A client that outlives its connections: the server is killed and started again, drained and started again, and at last
//! wants nobody any more. The client logs in by itself each time.
//!
//! ```text
//! $ cargo run --example reconnect
//! client: logged in, this is server 1
//! client: the connection is gone (lost), trying again
//! client: logged in, this is server 2
//! client: the connection is gone (going-away), to come back as it was told
//! client: logged in, this is server 3
//! client: gone for good (normal): closed for renovation
//! ```

use std::{error::Error, net::SocketAddr, time::Duration};

use pnet::{Backoff, Client, CloseCode, LinkState, Packet, Refused, Retry, Server, action, actions, protocol};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Runtime, time::timeout};

#[derive(Packet, Serialize, Deserialize)]
struct Login {
    name: String,
}

#[derive(Packet, Serialize, Deserialize)]
struct Welcome {
    server: u32,
}

protocol! {
    Club {
        client { Login -> Welcome }
    }
}

/// Which server this is.
struct Number(u32);

#[action("LOGIN")]
fn login(_: Login, number: &Number) -> Welcome {
    Welcome { server: number.0 }
}

actions! { server ClubServer(Number) for Club: login }
actions! { client ClubClient for Club: }

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    timeout(Duration::from_secs(30), run()).await?
}

async fn run() -> Result<(), Box<dyn Error>> {
    let (first, server) = start(1, ([127, 0, 0, 1], 0).into()).await?;
    let address = server.local_addr();

    let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    let (told, mut logins) = tokio::sync::mpsc::unbounded_channel();
    let client: Client<Club> = pnet::connect(ClubClient, ())
        .reconnect(backoff)
        .connected(move |club: Client<Club>| {
            let told = told.clone();
            async move {
                let login = Login { name: "ada".to_owned() };
                let welcome = club.call(login).await.map_err(|error| Refused::new(error.to_string()))?;
                println!("client: logged in, this is server {}", welcome.server);
                let _ = told.send(welcome.server);
                Ok(())
            }
        })
        .to(address)
        .await?;
    check(logins.recv().await == Some(1), "logged in at once")?;
    let mut states = client.states();

    // Killed: its sockets are closed and nobody says goodbye. A server that was dropped first would say it.
    tokio::task::spawn_blocking(move || first.shutdown_timeout(Duration::from_secs(5))).await?;
    drop(server);
    down(&mut states, CloseCode::Lost).await?;
    let (second, server) = start(2, address).await?;
    check(logins.recv().await == Some(2), "logged in at the second server")?;

    // A call that is made now waits, if need be, until there is a connection.
    let login = Login { name: "ada".to_owned() };
    check(client.call(login).await?.server == 2, "answered by the second server")?;

    // Drained: what was accepted is finished, and the clients are told when to come back.
    server.handle().shutdown(Duration::from_secs(1)).await;
    second.shutdown_background();
    down(&mut states, CloseCode::GoingAway).await?;
    let (third, server) = start(3, address).await?;
    check(logins.recv().await == Some(3), "logged in at the third server")?;

    for peer in server.hub().peers() {
        peer.close_with(CloseCode::Normal, "closed for renovation", Retry::Never);
    }
    let closed = client.closed().await;
    println!("client: gone for good ({}): {}", closed.code(), closed.reason());
    third.shutdown_background();
    check(closed.retry() == Retry::Never, "did not come back")
}

/// Starts a server with a runtime of its own, which can be killed like a process.
async fn start(number: u32, address: SocketAddr) -> Result<(Runtime, Server<Club>), Box<dyn Error>> {
    let runtime = Runtime::new()?;
    let server = runtime.spawn(pnet::serve(ClubServer, Number(number)).bind(address)).await??;
    Ok((runtime, server))
}

/// Waits until the connection is gone.
async fn down(states: &mut tokio::sync::watch::Receiver<LinkState>, code: CloseCode) -> Result<(), Box<dyn Error>> {
    let state = states.wait_for(|state| matches!(state, LinkState::Waiting { .. })).await?.clone();
    let LinkState::Waiting { why, .. } = state else { return Err("the state has changed".into()) };
    let told = if matches!(why.retry(), Retry::After(_)) { "to come back as it was told" } else { "trying again" };
    println!("client: the connection is gone ({}), {told}", why.code());
    check(why.code() == code, "the reason is known")
}

fn check(promised: bool, what: &str) -> Result<(), Box<dyn Error>> {
    if promised { Ok(()) } else { Err(format!("not as promised: {what}").into()) }
}
