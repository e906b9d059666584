//! Clients that are mistaken, or mean no good: what they sent is shown to nobody.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use pnet::{Codec, Dialect, Packet as _, Protocol as _, memory::MemoryServer, transport::PeerAddr};
use pnet_protocol::{
    frame::{self, Frame},
    handshake::{ClientHandshake, ShapePolicy},
    limits::Limits,
};
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex},
    time::timeout,
};

use super::{
    house::{self, House, HouseClient, Keep, LETMEIN, Talk},
    replay, tls,
    watch::{By, Watch, lock},
    way::Way,
};

/// A protocol of the same name, of which another version is spoken.
mod newer {
    use pnet::{Packet, actions, protocol};
    use serde::{Deserialize, Serialize};

    #[derive(Packet, Serialize, Deserialize)]
    pub(crate) struct Keep {
        pub(crate) texts: Vec<String>,
    }

    protocol! {
        pub(crate) Talk {
            credentials String;
            client { Keep }
        }
    }

    actions! { pub(crate) client NewerClient for Talk: }
}

/// Another protocol.
mod other {
    use pnet::{Packet, actions, protocol};
    use serde::{Deserialize, Serialize};

    #[derive(Packet, Serialize, Deserialize)]
    pub(crate) struct Anything {
        pub(crate) text: String,
    }

    protocol! {
        pub(crate) Other {
            credentials String;
            client { Anything }
        }
    }

    actions! { pub(crate) client OtherClient for Other: }
}

/// A transport to a server: plain, or with TLS around it and what is inside on a tape.
async fn open(way: &Way) -> Box<dyn Io> {
    if !way.tls {
        return Box::new(way.open().await.expect("opens"));
    }
    let (io, _) = way.watch.record(way.connector.open().await.expect("opens"), By::Client);
    let (inside, tape) = way.watch.record(tls::foreign(io).await, By::Client);
    way.keep(tape);
    Box::new(inside)
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

pub(crate) async fn read_away(io: &mut (impl AsyncRead + Unpin + ?Sized)) {
    let mut bytes = Vec::new();
    // Whatever it was that ended it.
    let _ = timeout(Duration::from_secs(60), io.read_to_end(&mut bytes)).await;
}

/// Objects with secrets in wrong places. Each line is a connection.
fn objects(way: &Way) -> Vec<String> {
    let secret = |name: &str| way.secret(name);
    let [text, key, number] = ["text", "key", "number"].map(secret);
    let digits = way.digits("digits");
    vec![
        format!(r#"{{"action":"STRICT","id":1,"data":{{"number":"{number}","kind":"One"}}}}"#),
        format!(r#"{{"action":"STRICT","id":1,"data":{{"number":1,"kind":"{text}"}}}}"#),
        format!(r#"{{"action":"STRICT","id":1,"data":{{"number":1,"kind":"One","{key}":1}}}}"#),
        format!(r#"{{"action":"STRICT","id":1,"data":{{"number":{digits},"kind":"One"}}}}"#),
        format!(r#"{{"action":"STRICT","id":1,"data":"{text}"}}"#),
        format!(r#"{{"action":"LOGIN","id":1,"data":{{"user":"ada","password":["{text}"]}}}}"#),
        format!(r#"{{"action":"LOGIN","id":1,"data":{{"user":"ada","password":{digits}}}}}"#),
        format!(r#"{{"action":"WHISPER","data":{{"text":{{"{text}":null}}}}}}"#),
        format!(r#"{{"action":"WHISPER","data":["{text}"}}"#),
        format!(r#"{{"action":"KEEP","data":{{"text":"{text}"}},"token":"{}"}}"#, way.secret("a-wrong-token")),
        format!(r#"{{"action":"KEEP","data":{{"text":"{text}"}},"id":[1]}}"#),
        format!(r#"{{"action":"KEEP","data":{{"text":"{text}"}},"data":{{"text":"{text}"}}}}"#),
        format!(r#"{{"action":"KEEP","data":{{"text":"{text}"}},{text}}}"#),
        format!(r#"{{"action":"NEWS","data":{{"text":"{text}"}},"id":7}}"#),
        format!(r#"{{"action":"handShake","data":{{"pnet":1,"credentials":"{text}","protocol":"Elsewhere"}}}}"#),
        format!(r#"{{"action":"pnet.ping","data":"{text}"}}{{"action":"pnet.credit","data":{{"id":"{text}"}}}}"#),
        format!(r#"{{"action":"KEEP","data":{{"text":"{text}"#),
        format!(r#"]{text}"#),
    ]
}

async fn badly_in_json(way: &Way, server: &MemoryServer<Talk>) {
    for mistake in objects(way) {
        let mut io = open(way).await;
        let credentials = way.secret(LETMEIN);
        let hello = json!({"action": "handShake", "data": {"pnet": 1, "credentials": credentials}});
        write(&mut io, hello.to_string().as_bytes()).await;
        read_line(&mut io).await;
        let peer = server.hub().latest().expect("is there");
        write(&mut io, mistake.as_bytes()).await;
        let _ = io.shutdown().await;
        read_away(&mut io).await;
        way.watch.reason(&*peer.closed().await);
        way.watch.show(&peer);
    }
    // As the first object, too.
    for mistake in objects(way) {
        let mut io = open(way).await;
        write(&mut io, mistake.as_bytes()).await;
        let _ = io.shutdown().await;
        read_away(&mut io).await;
    }
}

async fn write(io: &mut (impl AsyncWrite + Unpin + ?Sized), bytes: &[u8]) {
    io.write_all(bytes).await.expect("memory writes");
    io.flush().await.expect("memory writes");
}

async fn read_line(io: &mut (impl AsyncRead + Unpin + ?Sized)) {
    while io.read_u8().await.expect("there is a line") != b'\n' {}
}

/// A payload of `Strict` as a text would be.
pub(crate) fn text_payload(text: &str) -> Vec<u8> {
    let mut payload = Vec::new();
    Keep { text: text.to_owned() }.encode(Codec::Postcard, &mut payload).expect("encodes");
    payload
}

async fn badly_in_frames(way: &Way, server: &MemoryServer<Talk>) {
    let text = way.secret("text");
    let payload = text_payload(&text);
    let action = |name: &str| Talk::INFO.client.find(name).expect("is declared");
    let call = |action| Frame::Call { id: 1, action, timeout_ms: 0, payload: &payload };
    let cut = Frame::Call { id: 1, action: action("KEEP"), timeout_ms: 0, payload: &payload[..payload.len() - 1] };
    let not_utf8 = [payload.as_slice(), &[0xFF]].concat();
    let frames = [
        call(action("STRICT")),
        call(action("LOGIN")),
        call(action("FAIL")),
        call(99),
        cut,
        Frame::Call { id: 1, action: action("KEEP"), timeout_ms: 0, payload: &not_utf8 },
        Frame::Packet { action: action("KEEP"), payload: &payload },
        Frame::Packet { action: 99, payload: &payload },
        Frame::Call { id: 0, action: action("KEEP"), timeout_ms: 0, payload: &payload },
        Frame::Reply { id: 77, payload: &payload },
        Frame::Item { id: 77, payload: &payload },
        Frame::Hello(&payload),
    ];
    for mistake in frames {
        let mut io = open(way).await;
        let mut out = Vec::new();
        let credentials = way.secret(LETMEIN);
        let names = ShapePolicy::Names;
        let mut machine = ClientHandshake::new(
            Talk::INFO,
            format!("\"{credentials}\"").as_bytes(),
            &Limits::default(),
            names,
            &mut out,
        );
        write(&mut io, &out).await;
        let mut read = Vec::new();
        loop {
            assert_ne!(io.read_buf(&mut read).await.expect("memory reads"), 0);
            let (used, welcomed) = machine.handle(&read, &mut out).expect("is let in");
            read.drain(..used);
            way.watch.show(&welcomed);
            if welcomed.is_some() {
                break;
            }
        }
        way.watch.show(&machine);
        let peer = server.hub().latest().expect("is there");
        out.clear();
        mistake.encode(&mut out);
        write(&mut io, &out).await;
        write(&mut io, &[9, 0, 0, 0, 0xEE]).await;
        write(&mut io, text.as_bytes()).await;
        let _ = io.shutdown().await;
        read_away(&mut io).await;
        way.watch.reason(&*peer.closed().await);
    }
    // In the handshake itself.
    for hello in [[frame::PREFACE.as_slice(), &[200, 0, 0, 0, 1]].concat(), b"SSH-2.0-".to_vec()] {
        let mut io = open(way).await;
        write(&mut io, &[&hello, text.as_bytes(), text.as_bytes(), text.as_bytes(), text.as_bytes()].concat()).await;
        let _ = io.shutdown().await;
        read_away(&mut io).await;
    }
}

#[tokio::test(start_paused = true)]
async fn mistaken_clients_show_no_secret() {
    let watch = Arc::new(Watch::new());
    let house = Arc::new(House::default());
    let pem = tls::key();
    tls::watch_key(&watch, "the server's key", &pem);
    let plain = house::builder(&house).in_memory();
    let secure = house::with_key(&house, pnet::Identity::from_pem(&pem).expect("it is a key"));
    let mut ways = Vec::new();
    for (server, tls) in [(&plain, false), (&secure, true)] {
        let way = Way::new(&watch, server, tls);
        badly_in_json(&way, server).await;
        badly_in_frames(&way, server).await;
        ways.push(way);
    }

    // Clients of pnet that are not let in.
    for dialect in [Dialect::Native, Dialect::Json] {
        let way = Way::new(&watch, &plain, false);
        let credentials = way.secret(LETMEIN);
        let io = || async { way.open().await.expect("opens") };
        let newer = pnet::connect(newer::NewerClient, ()).dialect(dialect).credentials(&credentials);
        // In objects there is no fingerprint: there it is let in.
        match newer.over::<newer::Talk>(io().await, PeerAddr::Memory).await {
            Err(error) => watch.show_error(&error),
            Ok(client) => watch.reason(&*client.close().await),
        }
        let other = pnet::connect(other::OtherClient, ()).dialect(dialect).credentials(&credentials);
        watch.show_error(&other.over::<other::Other>(io().await, PeerAddr::Memory).await.expect_err("differs"));
        house.shut.store(true, Ordering::SeqCst);
        let refused = pnet::connect(HouseClient, ()).dialect(dialect).credentials(&credentials);
        watch.show_error(&refused.over::<Talk>(io().await, PeerAddr::Memory).await.expect_err("is refused"));
        house.shut.store(false, Ordering::SeqCst);
        // A server that says nothing, and credentials that must not go out.
        let (here, mut there) = duplex(1 << 16);
        let (here, tape) = watch.record(here, By::Client);
        watch.allow(&credentials, tape);
        let silent = pnet::connect(HouseClient, ()).dialect(dialect).credentials(&credentials);
        let silent = silent.handshake_timeout(Duration::from_secs(1)).over::<Talk>(here, PeerAddr::Memory).await;
        // A JSON server may have no handshake.
        match silent {
            Err(error) => watch.show_error(&error),
            Ok(client) => watch.reason(&*client.close().await),
        }
        read_away(&mut there).await;
        let far = pnet::connect(HouseClient, ()).dialect(dialect).credentials(&credentials);
        let far = far.over::<Talk>(io().await, PeerAddr::Other("far away".to_owned())).await;
        watch.show_error(&far.expect_err("would be sent in plain text"));
        ways.push(way);
    }
    // What is too long, and what the program cannot give.
    let long = watch.text("too-long", &[]).repeat(200);
    let long = pnet::connect(HouseClient, ()).credentials(&long);
    watch.show(&long);
    watch.show_error(&long.over::<Talk>(duplex(64).0, PeerAddr::Memory).await.expect_err("is too long"));

    for way in &ways {
        for number in lock(&way.tapes).clone() {
            for token in replay::tokens(&watch.tape(number)) {
                watch.secret(format!("the token on tape {number}"), token, &[number]);
            }
            replay::show(&watch, &watch.tape(number));
        }
    }
    watch.assert_kept();
    let (log, shown) = (watch.log(), watch.shown());
    for word in ["malformed packet", "breaks the protocol", "cannot be read"] {
        assert!(log.contains(word), "{word} is not in the log");
    }
    for word in
        ["not the same on both sides", "not today", "`Other`", "no handshake within", "plain text", "of at most 3072"]
    {
        assert!(shown.contains(word), "{word} is not shown");
    }
}
