//! Keys on both sides: a server that only takes clients whose keys it knows, and a client that only talks to the server whose
//! key it has pinned. Then somebody else answers at the server's address, and a client comes that nobody knows.
//!
//! ```text
//! $ cargo run --example secure
//! server: my key is SHA256:FINGERPRINT
//! client: my key is SHA256:FINGERPRINT
//! server: SHA256:FINGERPRINT asks for 20 + 22
//! client: 20 + 22 is 42, says SHA256:FINGERPRINT
//! client: 127.0.0.1:PORT has shown another key than the pinned one: pinned is SHA256:FINGERPRINT, shown is SHA256:FINGERPRINT; nothing was sent. Its key was replaced, or somebody stands between: ask whoever runs it in another way, then pin the new key
//! stranger: connection closed by the peer: unauthorized (this client's key SHA256:FINGERPRINT is not on the server's list)
//! ```

use std::{error::Error, fs, path::PathBuf};

use pnet::{Client, ConnectError, Fingerprint, Identity, Packet, Peer, Server, TlsError, action, actions, protocol};
use serde::{Deserialize, Serialize};

#[derive(Packet, Serialize, Deserialize)]
struct Add {
    a: i64,
    b: i64,
}

#[derive(Packet, Serialize, Deserialize)]
struct Sum {
    sum: i64,
}

protocol! {
    Math {
        client { Add -> Sum }
    }
}

#[action("ADD")]
fn add(p: Add, peer: Peer<Math>) -> Sum {
    if let Some(key) = peer.key() {
        println!("server: {key} asks for {} + {}", p.a, p.b);
    }
    Sum { sum: p.a + p.b }
}

actions! { server MathServer for Math: add }
actions! { client MathClient for Math: }

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = Folder::new()?;
    let (server_key, client_key) = (folder.0.join("server.key"), folder.0.join("client.key"));

    // Each side makes its key when it starts for the first time, and tells its operator what the other side is to know.
    let server_id = Identity::load_or_create(&server_key).await?;
    let client_id = Identity::load_or_create(&client_key).await?;
    let (pin, known) = (server_id.fingerprint(), client_id.fingerprint());
    println!("server: my key is {pin}");
    println!("client: my key is {known}");

    let server = start(server_id, known).await?;
    let address = server.local_addr();
    let math = connect(client_id.clone(), pin, &server).await?;
    let Sum { sum } = math.call(Add { a: 20, b: 22 }).await?;
    println!("client: 20 + 22 is {sum}, says {}", math.key().ok_or("no key")?);
    math.close().await;

    // A client with another key is told why it is not let in.
    let stranger = Identity::generate().await?;
    let Err(ConnectError::Refused(refused)) = connect(stranger, pin, &server).await else {
        return Err("a stranger was let in".into());
    };

    // Somebody else answers where the server was, with a key of his own: the client tells him nothing.
    drop(server);
    let swapped = pnet::serve(MathServer, ()).identity(Identity::generate().await?).bind(address).await?;
    let Err(ConnectError::Tls(error @ TlsError::Untrusted(_))) = connect(client_id, pin, &swapped).await else {
        return Err("a server with another key was trusted".into());
    };
    println!("client: {error}");
    println!("stranger: {refused}");
    Ok(())
}

/// A server that takes one client.
async fn start(identity: Identity, client: Fingerprint) -> Result<Server<Math>, pnet::BindError> {
    pnet::serve(MathServer, ()).identity(identity).clients([client]).bind("127.0.0.1:0").await
}

/// A client that trusts one server.
async fn connect(identity: Identity, pin: Fingerprint, server: &Server<Math>) -> Result<Client<Math>, ConnectError> {
    pnet::connect(MathClient, ()).identity(identity).pin(pin).to(server.local_addr()).await
}

/// A folder that is gone when the example is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Box<dyn Error>> {
        let folder = std::env::temp_dir().join(format!("pnet-secure-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
