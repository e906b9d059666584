//! Texts that peers choose, and secrets.

use std::io;

use pnet::{
    Dialect,
    console::{
        Command, Console, Terminal,
        attach::{self, RunOptions},
    },
    serve,
    transport::{Listener, PeerAddr},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::timeout,
};

use super::hall::{DEADLINE, Folder, Hall, Room, TalksClient, TalksServer};

/// Colours, a cleared screen, C1, directions of writing, a line's end, and what is two columns wide.
const EVIL: &str = "evil\u{1b}[31m\u{1b}[2J\u{9b}H\u{202e}\u{2066}\u{200f}\u{7f}\r\n\u{8}\u{feff}世😀ש";

/// Says of whom it accepts what they want to be called.
struct Named(mpsc::Receiver<DuplexStream>);

impl Listener for Named {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> io::Result<(DuplexStream, PeerAddr)> {
        let io = self.0.recv().await.ok_or(io::ErrorKind::NotConnected)?;
        Ok((io, PeerAddr::Other(EVIL.to_owned())))
    }

    fn local_addr(&self) {}
}

fn is_harmless(text: &str) -> bool {
    text.chars().all(|char| {
        char == '\n' || char.is_ascii_graphic() || char == ' ' || ('\u{a1}'..'\u{530}').contains(&char) || char == '…'
    })
}

#[tokio::test]
async fn nothing_that_a_peer_chooses_reaches_a_terminal() {
    let (door, receiver) = mpsc::channel(4);
    let server = serve(TalksServer, Room::default()).listen(Named(receiver));
    let (here, there) = duplex(64 * 1024);
    door.send(there).await.expect("it listens");
    let client = pnet::connect(TalksClient, ()).over(here, PeerAddr::Memory).await.expect("let in");
    let console = Console::new(&server).name(EVIL).command(
        Command::new("echo")
            .help(EVIL)
            .arguments(EVIL)
            .run(|words| async move { Ok::<_, String>(words.join(" ") + EVIL) }),
    );
    let folder = Folder::new();
    let attachment = console.listen(folder.file("console")).await.expect("bound");
    let operator = attach::unix(attachment.address()).await.expect("attached");
    let id = client.id();
    let lines = [
        "list".to_owned(),
        "list --sort addr".to_owned(),
        format!("info {id}"),
        "info zz".to_owned(),
        format!("ping {id}"),
        "pingall".to_owned(),
        "stats".to_owned(),
        "dropall".to_owned(),
        "stop".to_owned(),
        "help".to_owned(),
        "help echo".to_owned(),
        "echo x".to_owned(),
        format!("echo {}", EVIL.replace('\n', "")),
        format!("trigger SAY {}", serde_json::json!({ "text": EVIL })),
        format!("trigger {} {{}}", EVIL.replace(['\n', '\r'], "")),
        format!("send {id} NOTICE {}", serde_json::json!({ EVIL: EVIL })),
        format!("{} 1", EVIL.replace(['\n', '\r'], "")),
        format!("info {}", EVIL.replace(['\n', '\r'], "")),
        format!("log {}", EVIL.replace(['\n', '\r'], "")),
        format!("disconnect {id} {}", EVIL.replace(['\n', '\r'], "")),
    ];
    for line in lines {
        for json in [false, true] {
            let ran = operator.run(&line, &RunOptions::default().json(json)).await.expect("an answer");
            assert!(is_harmless(&ran.text), "{line}: {:?}", ran.text);
            assert!(ran.question.iter().all(|question| is_harmless(question)), "{:?}", ran.question);
            if json {
                assert!(ran.text.is_ascii(), "{line}: {:?}", ran.text);
            }
            let mut said = Vec::new();
            let terminal = Terminal::interactive().json(json).columns(80);
            let script = format!("{line}\nn\nexit\n");
            console.clone().run_on(script.as_bytes(), &mut said, terminal).await.expect("memory");
            let said = String::from_utf8(said).expect("text");
            assert!(is_harmless(&said), "{line}: {said:?}");
        }
        let completion = operator.complete(&line, line.len()).await.expect("an answer");
        for candidate in &completion.candidates {
            assert!(is_harmless(&candidate.text) && is_harmless(&candidate.note), "{line}: {candidate:?}");
        }
    }
    let completion = operator.complete("ec", 2).await.expect("an answer");
    assert!(completion.candidates.iter().any(|candidate| candidate.text == "echo" && is_harmless(&candidate.note)));
}

#[tokio::test]
async fn no_token_is_ever_shown() {
    let hall = Hall::open().await;
    // The token of a JSON connection is in the server's handshake, and nowhere else.
    let mut io = tokio::net::TcpStream::connect(hall.server.local_addr()).await.expect("it listens");
    io.write_all(b"{\"action\":\"handShake\",\"data\":{\"pnet\":1}}\n").await.expect("it reads");
    let mut hello = [0; 4096];
    let len = timeout(DEADLINE, io.read(&mut hello)).await.expect("in time").expect("an answer");
    let hello: serde_json::Value = serde_json::from_slice(&hello[..len]).expect("its handshake");
    let token = hello["data"]["uuid"].as_str().expect("a token").to_owned();
    let id = hello["data"]["remoteToken"].as_str().expect("an id").to_owned();
    assert_ne!(token, id);
    let script = format!(
        "list\ninfo {id}\nlist --json\ninfo {id} --json\npingall\nstats --json\nactions\nlimits\nschema\ntasks\n\
         info {token}\nhelp --json\ndropall\ndisconnect {id}\n"
    );
    let (said, _) = hall.run(&script).await;
    assert!(said.contains(&id) && !said.replace(&format!("no connection \"{token}\""), "").contains(&token), "{said}");
    assert_eq!(hall.json.dialect(), Dialect::Json);
}

mod people {
    //! A server whose clients say who they are.

    use pnet::{Packet, action, actions, protocol};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    pub(crate) struct Login {
        pub(crate) name: String,
        pub(crate) password: pnet::Secret,
    }

    #[derive(Packet, Serialize, Deserialize)]
    pub(crate) struct Hello {}

    protocol! {
        pub(crate) People {
            credentials Login;
            client { Hello }
        }
    }

    pub(crate) struct User {
        pub(crate) name: String,
    }

    #[action(authenticate)]
    async fn who(login: Login) -> Result<User, pnet::Refused> {
        if login.password.ct_eq("swordfish") { Ok(User { name: login.name }) } else { Err("wrong".into()) }
    }

    #[action("HELLO")]
    fn hello(_: Hello) {}

    actions! { pub(crate) server PeopleServer for People: who, hello }
    actions! { pub(crate) client Person for People: }
}

#[tokio::test]
async fn persons_are_shown_as_the_program_says_and_never_what_they_have_shown() {
    use people::{Login, PeopleServer, Person, User};

    let server = serve(PeopleServer, ()).person(|user: &User| user.name.clone()).bind("127.0.0.1:0").await;
    let server = server.expect("loopback can be bound");
    let login = Login { name: EVIL.to_owned(), password: "swordfish".into() };
    let client = pnet::connect(Person, ()).credentials(&login).to(server.local_addr()).await.expect("let in");
    let console = Console::new(&server);
    for json in [false, true] {
        let mut said = Vec::new();
        let script = format!("list\ninfo {}\nlist --sort person\nstats\nschema\nactions\n", client.id());
        let running = console.clone().run_on(script.as_bytes(), &mut said, Terminal::plain().json(json));
        timeout(DEADLINE, running).await.expect("in time").expect("memory");
        let said = String::from_utf8(said).expect("text");
        assert!(is_harmless(&said) && said.contains("evil"), "{said:?}");
        assert!(!said.contains("swordfish") && !said.contains("password"), "{said}");
    }
}
