//! Sends back what it is sent: the other end for clients in any language.
//!
//! It says `{"text": …}` in an `ECHO` packet to whoever calls `ECHO`, and to whoever just sends one. A port may be given;
//! without one it takes a free port. It runs until ctrl-c is pressed or its standard input ends, so without an input it
//! ends at once:
//!
//! ```text
//! $ cargo run --example echo 25565 < /dev/null
//! listening on 127.0.0.1:25565
//! ended: 0 in time, 0 cut off
//! ```
//!
//! While it runs, another terminal can talk to it:
//!
//! ```sh
//! printf '{"action":"ECHO","data":{"text":"hello"},"id":1}' | nc -N 127.0.0.1 25565
//! ```
//!
//! With a chain of certificates and their key in PEM, it takes TLS and nothing else:
//!
//! ```sh
//! cargo run --example echo 25565 chain.pem key.pem
//! ```

use std::{error::Error, io, net::Ipv4Addr};

use pnet::{Certificates, Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

#[derive(Packet, Serialize, Deserialize)]
pub struct Echo {
    text: String,
}

protocol! {
    pub Mirror {
        client { Echo -> Echo }
    }
}

#[action("ECHO")]
fn echo(p: Echo) -> Echo {
    p
}

actions! { pub server MirrorServer for Mirror: echo }

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().map_or(Ok(0), |port| port.parse::<u16>())?;
    let mut server = pnet::serve(MirrorServer, ());
    if let Some(chain) = arguments.next() {
        let key = arguments.next().ok_or("a chain of certificates needs its key")?;
        server = server.certificates(Certificates::load(chain, key).await?);
    }
    let server = server.bind((Ipv4Addr::LOCALHOST, port)).await?;
    println!("listening on {}", server.local_addr());
    let done = server
        .run_until(async {
            tokio::select! {
                () = pnet::ctrl_c() => {}
                () = end_of_input() => {}
            }
        })
        .await;
    println!("ended: {} in time, {} cut off", done.finished, done.cut_off);
    Ok(())
}

/// The standard input is read by a thread that nobody waits for, since such a read cannot be interrupted: ctrl-c ends the
/// program while it goes on.
async fn end_of_input() {
    let (sender, receiver) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(sender);
    });
    let _ = receiver.await;
}
