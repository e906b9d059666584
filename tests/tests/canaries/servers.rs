//! Servers that are mistaken, or mean no good: clients do not show what they were sent.

use std::{sync::Arc, time::Duration};

use pnet::{Client, ClientBuilder, Dialect, Protocol as _, connect_inbox, transport::PeerAddr};
use pnet_protocol::{
    frame::{self, Frame, StreamEnd},
    handshake::{ServerHandshake, ServerStep},
    id::{ConnectionId, SessionToken},
    limits::Limits,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};

use super::{
    clients::{read_away, text_payload},
    house::{HouseClient, Keep, LETMEIN, List, Login, Talk},
    watch::{By, Recorded, Watch},
};

/// A server of frames that lets everybody in, and then says this.
async fn frames_server(mut io: DuplexStream, token: [u8; 16], say: Vec<u8>) {
    let (mut read, mut out) = (Vec::new(), Vec::new());
    let mut machine = ServerHandshake::new(Talk::INFO, &Limits::default());
    loop {
        assert_ne!(io.read_buf(&mut read).await.expect("memory reads"), 0);
        let (used, step) = machine.handle(&read, &mut out).expect("the handshake is fine");
        read.drain(..used);
        if let ServerStep::Hello(_) = step {
            break;
        }
    }
    machine.welcome(ConnectionId::random(), Some(&SessionToken::from_bytes(token)), 0, &mut out);
    let said = io.write_all(&out).await;
    // What is answered must have been asked.
    if said.is_ok() && io.read_buf(&mut read).await.is_ok_and(|len| len > 0) {
        let _ = io.write_all(&say).await;
    }
    read_away(&mut io).await;
}

/// One of objects.
async fn objects_server(mut io: DuplexStream, token: [u8; 16], say: String) {
    let uuid = uuid::Uuid::from_bytes(token);
    let data = json!({"status": "success", "uuid": uuid, "remoteToken": uuid::Uuid::new_v4(), "pnet": 1});
    let hello = json!({"action": "handShake", "data": data, "token": null}).to_string() + "\n";
    if io.write_all(hello.as_bytes()).await.is_ok() && io.read_u8().await.is_ok() {
        let _ = io.write_all(say.as_bytes()).await;
    }
    read_away(&mut io).await;
}

/// A client's end, and the server's, with the token that it will give.
fn pipe(watch: &Arc<Watch>, secrets: &[&str]) -> (Recorded<DuplexStream>, DuplexStream, [u8; 16]) {
    let (here, there) = duplex(1 << 16);
    let (here, tape) = watch.record(here, By::Client);
    for secret in secrets {
        watch.allow(secret, tape);
    }
    let token = uuid::Uuid::new_v4().into_bytes();
    watch.secret("a bad server's token", token, &[tape]);
    (here, there, token)
}

#[tokio::test(start_paused = true)]
async fn mistaken_servers_show_no_secret() {
    let watch = Arc::new(Watch::new());
    let text = watch.text("text", &[]);
    let digits = watch.digits("digits");
    let payload = text_payload(&text);
    let reply = |payload| vec![Frame::Reply { id: 0, payload }];
    let action = |name: &str| Talk::INFO.server.find(name).expect("is declared");
    let error = [Frame::Error { id: 0, payload: &payload }, Frame::End { id: 0, end: StreamEnd::Error(&payload) }];
    let cases: Vec<Vec<Frame<'_>>> = vec![
        reply(&payload),
        reply(&payload[1..]),
        reply(&[]),
        error.to_vec(),
        vec![Frame::Packet { action: action("NEWS"), payload: &payload }],
        // Well-formed: the secret is for whoever reads it.
        vec![Frame::Packet { action: action("TOLD"), payload: &payload }],
        vec![Frame::Packet { action: 99, payload: &payload }],
        vec![Frame::Call { id: 3, action: action("STRICT"), timeout_ms: 0, payload: &payload }],
        vec![Frame::Item { id: 0, payload: &payload }],
        vec![Frame::Welcome(&payload)],
    ];
    let id = first_call_id().await;
    for case in &cases {
        for inbox in [false, true] {
            let (here, there, token) = pipe(&watch, &[&text]);
            let mut say = Vec::new();
            case.iter().for_each(|frame| with_id(*frame, id).encode(&mut say));
            tokio::spawn(frames_server(there, token, say));
            if inbox {
                in_inbox(
                    &watch,
                    connect_inbox::<Talk>().credentials(&LETMEIN.to_owned()).over(here, PeerAddr::Memory).await,
                )
                .await;
            } else {
                let client = client().over::<Talk>(here, PeerAddr::Memory).await;
                ask(&watch, &client.expect("is let in")).await;
            }
        }
    }

    let datas = [
        format!(r#"{{"text":{digits}}}"#),
        format!(r#"{{"text":["{text}"]}}"#),
        format!(r#"{{"key":"{text}","tried":{digits}}}"#),
        format!(r#""{text}""#),
        format!(r#"{{"{text}":1}}"#),
        format!(r#"["{text}"}}"#),
    ];
    for data in &datas {
        // Of the three calls, the first may be answered with an error, and the last is answered with a stream.
        for (action, with) in [
            ("WELCOME", format!(r#","re":{id}"#)),
            ("DENIED", format!(r#","re":{id}"#)),
            ("KEPT", format!(r#","re":{}"#, id + 1)),
            ("KEPT", format!(r#","re":{}"#, id + 2)),
            ("pnet.end", format!(r#","re":{}"#, id + 2)),
            ("STRICT", r#","id":"x""#.to_owned()),
            ("NEWS", String::new()),
            ("pnet.credit", String::new()),
        ] {
            let (here, there, token) = pipe(&watch, &[&text, &digits]);
            let say = format!(r#"{{"action":"{action}","data":{data}{with}}}"#) + "\n";
            tokio::spawn(objects_server(there, token, say));
            let builder = client().dialect(Dialect::Json);
            let client = builder.over::<Talk>(here, PeerAddr::Memory).await.expect("is let in");
            ask(&watch, &client).await;
        }
    }
    watch.assert_kept();
    let shown = watch.shown();
    for word in ["the answer cannot be decoded", "malformed payload for action", "invalid type: integer", "Inbox"] {
        assert!(shown.contains(word), "{word} is not shown");
    }
}

fn client() -> ClientBuilder<HouseClient> {
    pnet::connect(HouseClient, ()).credentials(&LETMEIN.to_owned())
}

/// What the first call of a client is called, in both dialects.
async fn first_call_id() -> u32 {
    let (here, mut there) = duplex(1 << 16);
    let (mut read, mut out) = (Vec::new(), Vec::new());
    let connecting = tokio::spawn(async move {
        let client = client().over::<Talk>(here, PeerAddr::Memory).await.expect("is let in");
        let _ = client.call(Keep { text: String::new() }).await;
    });
    let mut machine = ServerHandshake::new(Talk::INFO, &Limits::default());
    loop {
        assert_ne!(there.read_buf(&mut read).await.expect("memory reads"), 0);
        let (used, step) = machine.handle(&read, &mut out).expect("the handshake is fine");
        read.drain(..used);
        if let ServerStep::Hello(_) = step {
            break;
        }
    }
    machine.welcome(ConnectionId::random(), Some(&SessionToken::random()), 0, &mut out);
    there.write_all(&out).await.expect("memory writes");
    let id = loop {
        assert_ne!(there.read_buf(&mut read).await.expect("memory reads"), 0);
        let mut rest = read.as_slice();
        let mut called = None;
        while let Ok(Some((frame, len))) = frame::decode(rest, 1 << 20) {
            if let Frame::Call { id, .. } = frame {
                called = Some(id);
            }
            rest = &rest[len..];
        }
        if let Some(id) = called {
            break id;
        }
    };
    drop(there);
    connecting.await.expect("no panic");
    id
}

/// The frame, as the answer to that call if it answers one.
fn with_id(frame: Frame<'_>, id: u32) -> Frame<'_> {
    match frame {
        Frame::Reply { payload, .. } => Frame::Reply { id, payload },
        Frame::Error { payload, .. } => Frame::Error { id, payload },
        Frame::Item { payload, .. } => Frame::Item { id, payload },
        Frame::End { end, .. } => Frame::End { id, end },
        other => other,
    }
}

/// Asks a server that will not answer as declared, and shows what comes of it.
async fn ask(watch: &Watch, client: &Client<Talk>) {
    let wait = Duration::from_millis(20);
    let login = Login { user: "ada".to_owned(), password: watch.text("password", &all(watch)).into() };
    let errors = tokio::join!(
        client.call(login).timeout(wait),
        async { client.call(Keep { text: String::new() }).timeout(wait).await.map(drop) },
        async {
            let mut items = client.stream(List { count: 1, text: String::new() });
            let next = timeout(wait, items.next()).await;
            watch.show(&items);
            next.ok().flatten().map(|item| item.map(drop))
        },
    );
    if let Err(error) = errors.0 {
        watch.show_error(&error);
    }
    if let Err(error) = errors.1 {
        watch.show_error(&error);
    }
    if let Some(Err(error)) = errors.2 {
        watch.show_error(&error);
    }
    watch.show(client);
    watch.reason(&*client.close().await);
}

/// The tapes of all connections so far.
fn all(watch: &Watch) -> Vec<usize> {
    (0..watch.tapes().len()).collect()
}

async fn in_inbox(watch: &Watch, connected: Result<(Client<Talk>, pnet::Inbox<Talk>), pnet::ConnectError>) {
    let (client, mut inbox) = connected.expect("is let in");
    let asking = ask(watch, &client);
    let reading = async {
        while let Some(packet) = inbox.recv().await {
            drop(packet);
            watch.show(&inbox);
        }
    };
    tokio::join!(asking, reading);
    watch.show(&inbox);
}
