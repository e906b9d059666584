//! A server and a client in one process: a call, a push, and the conversation on the screen.
//!
//! ```text
//! $ cargo run --example quickstart
//! server: listening on 127.0.0.1:41233
//! server: somebody asks for 20 + 22
//! client: 20 + 22 is 42
//! client: the server says "somebody asked for 20 + 22"
//! ```

use pnet::{Hub, Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
pub struct Add {
    a: i64,
    b: i64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Sum {
    sum: i64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct News(String);

protocol! {
    pub Math {
        client { Add -> Sum }
        server { News }
    }
}

#[action("ADD")]
fn add(p: Add, hub: Hub<Math>) -> Sum {
    println!("server: somebody asks for {} + {}", p.a, p.b);
    hub.broadcast(&News(format!("somebody asked for {} + {}", p.a, p.b)));
    Sum { sum: p.a + p.b }
}

actions! { pub server MathServer for Math: add }

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = pnet::serve(MathServer, ()).bind("127.0.0.1:0").await?;
    println!("server: listening on {}", server.local_addr());

    let (math, mut inbox) = pnet::connect_inbox::<Math>().to(server.local_addr()).await?;
    let Sum { sum } = math.call(Add { a: 20, b: 22 }).await?;
    println!("client: 20 + 22 is {sum}");
    if let Some(MathFromServer::News(News(text))) = inbox.recv().await {
        println!("client: the server says \"{text}\"");
    }
    math.close().await;
    Ok(())
}
