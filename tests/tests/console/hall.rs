//! A server with four clients, each of another form, and a console.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use pnet::{
    Client, Dialect, Hub, Packet, Peer, Server, StreamSender, TlsPolicy, action, actions, connect,
    console::{Attachment, Command, Console, Ended, Terminal},
    protocol, serve,
};
use pnet_tests::keys;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Say {
    pub(crate) text: String,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) id: u32,
    pub(crate) text: String,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Add {
    pub(crate) a: u8,
    pub(crate) b: u8,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub(crate) sum: u8,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct TooLarge {
    pub(crate) most: u8,
}

/// Needs to know who asks.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct WhoAmI {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct You {
    pub(crate) id: String,
}

/// Nothing answers it.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) text: String,
}

/// Waits for longer than anybody has time.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Wait {}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) to: u8,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Number {
    pub(crate) n: u8,
}

/// What a server tells its clients.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) level: Option<String>,
}

/// What a server asks its clients.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Ready {
    pub(crate) text: String,
}

/// What a server asks its clients for, many times.
#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Echo {
    pub(crate) to: u8,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct Yes {
    pub(crate) text: String,
}

protocol! {
    pub(crate) Talks {
        client {
            Say -> Said,
            Add -> Result<Sum, TooLarge>,
            WhoAmI -> You,
            Note,
            Wait -> (),
            Count -> stream Number,
        }
        server {
            Notice,
            Ready -> Yes,
            Echo -> stream Number,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Room {
    said: AtomicU32,
}

#[action("SAY")]
fn say(p: Say, room: &Room) -> Said {
    Said { id: room.said.fetch_add(1, Ordering::Relaxed) + 1, text: p.text }
}

#[action("ADD")]
fn add(p: Add) -> Result<Sum, TooLarge> {
    p.a.checked_add(p.b).map(|sum| Sum { sum }).ok_or(TooLarge { most: 255 })
}

#[action("WHO_AM_I")]
fn who_am_i(_: WhoAmI, me: Peer<Talks>, hub: Hub<Talks>) -> You {
    assert!(hub.get(me.id()).is_some());
    You { id: me.id().to_string() }
}

#[action("NOTE")]
fn note(_: Note) {}

#[action("WAIT")]
async fn wait(_: Wait) {
    tokio::time::sleep(Duration::from_secs(3600)).await;
}

#[action("COUNT")]
async fn count(p: Count, numbers: StreamSender<Number>) -> Result<(), pnet::SendError> {
    for n in 1..=p.to {
        numbers.send(Number { n }).await?;
    }
    Ok(())
}

#[action("NOTICE")]
fn notice(_: Notice) {}

#[action("READY")]
fn ready(p: Ready) -> Yes {
    Yes { text: p.text }
}

#[action("ECHO")]
async fn echo(p: Echo, numbers: StreamSender<Number>) -> Result<(), pnet::SendError> {
    for n in 1..=p.to {
        numbers.send(Number { n }).await?;
    }
    Ok(())
}

actions! { pub(crate) server TalksServer(Room) for Talks: say, add, who_am_i, note, wait, count }
actions! { pub(crate) client TalksClient for Talks: notice, ready, echo }

/// A server with four clients, a console, and a socket to attach to it.
pub(crate) struct Hall {
    pub(crate) server: Server<Talks>,
    pub(crate) console: Console,
    pub(crate) native: Client<Talks>,
    pub(crate) json: Client<Talks>,
    pub(crate) tls: Client<Talks>,
    /// Sends nothing more, and must not be sent anything but answers.
    #[expect(dead_code, reason = "it is there")]
    pub(crate) old: TcpStream,
    pub(crate) old_id: String,
    pub(crate) attachment: Attachment,
    pub(crate) folder: Folder,
}

/// A folder of its own, which goes with the value.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pnet-console-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Hall {
    pub(crate) async fn open() -> Self {
        let server = serve(TalksServer, Room::default())
            .identity(keys::server())
            .tls(TlsPolicy::Optional)
            .bind("127.0.0.1:0")
            .await
            .expect("loopback can be bound");
        let address = server.local_addr();
        let native = connect(TalksClient, ()).to(address).await.expect("the server lets everybody in");
        let json = connect(TalksClient, ()).dialect(Dialect::Json).to(address).await.expect("as above");
        let tls = connect(TalksClient, ()).identity(keys::client()).pin(keys::server().fingerprint());
        let tls = tls.to(address).await.expect("as above");
        let (old, old_id) = old_client(address).await;
        let console = with_commands(Console::new(&server).name("Hall"));
        let folder = Folder::new();
        let attachment = console.listen(folder.file("console")).await.expect("a socket can be made");
        Self { server, console, native, json, tls, old, old_id, attachment, folder }
    }

    pub(crate) fn path(&self) -> &Path {
        Path::new(self.attachment.address())
    }

    /// Runs lines as a script would, and gives what is said.
    pub(crate) async fn run(&self, lines: &str) -> (String, Ended) {
        self.run_with(lines.as_bytes(), Terminal::plain()).await
    }

    pub(crate) async fn run_with(&self, input: &[u8], terminal: Terminal) -> (String, Ended) {
        let mut said = Vec::new();
        let running = self.console.clone().run_on(input, &mut said, terminal);
        let ended = timeout(DEADLINE, running).await.expect("in time").expect("memory can be read and written");
        (String::from_utf8(said).expect("text"), ended)
    }

    /// The ids of the four, in their order.
    pub(crate) fn ids(&self) -> [String; 4] {
        let [native, json, tls] = [&self.native, &self.json, &self.tls].map(|client| client.id().to_string());
        [native, json, tls, self.old_id.clone()]
    }
}

fn with_commands(console: Console) -> Console {
    console
        .log_control(|level| match level {
            "loud" => Err("there is no level `loud`".to_owned()),
            level => Ok(format!("the level is {level}")),
        })
        .command(Command::new("greet").help("Greets somebody.").arguments("NAME…").run(|names| async move {
            if names.is_empty() { Err("whom?".to_owned()) } else { Ok(format!("hello, {}", names.join(" and "))) }
        }))
        .command(Command::new("boom").help("Panics.").run(|_| async {
            tokio::task::yield_now().await;
            if true {
                panic!("boom");
            }
            Ok::<_, String>("")
        }))
        .command(Command::new("slow").help("Takes its time.").timeout(Duration::from_millis(700)).run(
            |words| async move {
                let millis = words.first().and_then(|word| word.parse().ok()).unwrap_or(3_600_000);
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok::<_, String>("slept")
            },
        ))
}

/// A client as the Python library has them: it says its own handshake, and reads the server's.
async fn old_client(address: std::net::SocketAddr) -> (TcpStream, String) {
    let mut io = TcpStream::connect(address).await.expect("the server listens");
    let hello = br#"{"action": "handShake", "data": {"username": "dev", "password": "test"}, "packet-created": 1671900000.1, "token": null}"#;
    io.write_all(hello).await.expect("the server reads");
    let mut buffer = [0; 1024];
    let len = timeout(DEADLINE, io.read(&mut buffer)).await.expect("in time").expect("the server answers");
    let packet: serde_json::Value = serde_json::from_slice(&buffer[..len]).expect("one packet");
    let id = packet["data"]["remoteToken"].as_str().expect("the connection's id").to_owned();
    (io, id)
}

/// Long enough for a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
