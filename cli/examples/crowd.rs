//! A server with a console, and a crowd of clients that keep it busy: something to watch.
//!
//! ```text
//! $ cargo run -p pnetwork-cli --example crowd -- /tmp/crowd/console 100 &
//! $ pnet top /tmp/crowd/console
//! ```
//!
//! Each client talks faster and slower again, in its own rhythm, so that the busiest one is another every few seconds. Some
//! ask for what they do not get. It ends after ten minutes.

#![expect(clippy::print_stdout, reason = "it says where it is")]

use std::{
    error::Error,
    time::{Duration, Instant},
};

use pnet::{Client, Dialect, Failure, Packet, Peer, action, actions, console::Console, protocol};
use serde::{Deserialize, Serialize};
use tokio::{task::JoinSet, time::sleep};

/// A client says something.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Say {
    text: String,
}

/// The server says it back.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Said {
    text: String,
}

/// A client asks for a number that is even.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Ask {
    number: u64,
}

/// Half of it.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Half {
    number: u64,
}

/// It is odd.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub struct Odd {}

protocol! {
    pub Crowd {
        client {
            Say,
            Ask -> Result<Half, Odd>,
        }
        server { Said }
    }
}

#[action("SAY")]
async fn say(p: Say, peer: Peer<Crowd>) {
    // A client that is gone needs no answer.
    let _ = peer.send(Said { text: p.text }).await;
}

/// Odd numbers get the answer that is declared. Those that end in 13 make the handler fail.
#[action("ASK")]
fn ask(p: Ask) -> Result<Result<Half, Odd>, Failure> {
    match p.number {
        number if number % 100 == 13 => Err(Failure::public("unlucky", "not that one")),
        number if number % 2 == 1 => Ok(Err(Odd {})),
        number => Ok(Ok(Half { number: number / 2 })),
    }
}

actions! { pub server CrowdServer for Crowd: say, ask }

#[action("SAID")]
fn said(_: Said) {}

actions! { pub client CrowdClient for Crowd: said }

/// Talks until the connection or the time is over.
async fn talk(client: Client<Crowd>, nth: u64, end: Instant) {
    let start = Instant::now();
    let text = "x".repeat(usize::try_from(nth % 50).unwrap_or(0) + 1);
    let mut number = nth;
    while Instant::now() < end {
        // From 2 to 42 packets a second, and back again within half a minute or so.
        let wave = (start.elapsed().as_secs_f64() / (4.0 + (nth % 7) as f64) + nth as f64).sin();
        sleep(Duration::from_secs_f64(1.0 / (22.0 + 20.0 * wave))).await;
        number += 1;
        let done = match number % 10 {
            3 => client.call(Ask { number }).await.is_ok() || !client.is_closed(),
            _ => client.send(Say { text: text.clone() }).await.is_ok(),
        };
        if !done {
            break;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the console's socket is missing")?;
    let clients: u64 = arguments.next().map_or(Ok(100), |count| count.parse())?;

    let server = pnet::serve(CrowdServer, ()).heartbeat(Duration::from_secs(2)).bind("127.0.0.1:0").await?;
    let console = Console::new(&server).name("Crowd");
    let _attachment = console.listen(&path).await?;
    println!("{clients} clients at {}, the console at {path}", server.local_addr());

    let end = Instant::now() + Duration::from_secs(600);
    let mut crowd = JoinSet::new();
    for nth in 0..clients {
        let dialect = if nth % 4 == 3 { Dialect::Json } else { Dialect::Native };
        let client = pnet::connect(CrowdClient, ()).dialect(dialect).to(server.local_addr()).await?;
        crowd.spawn(talk(client, nth, end));
    }
    println!("all are there");
    let handle = server.handle();
    tokio::select! {
        () = pnet::ctrl_c() => {}
        () = sleep(end.saturating_duration_since(Instant::now())) => {}
        () = handle.closed() => {}
    }
    server.shutdown(Duration::from_secs(1)).await;
    Ok(())
}
