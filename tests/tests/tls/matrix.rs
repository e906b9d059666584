//! Every kind of client, every kind of server, and whoever stands between the two: 45 meetings, with what each side learns.

use std::time::Duration;

use pnet::{TlsPolicy, transport::PeerAddr};
use pnet_protocol::{
    close::{Close, CloseCode},
    frame::{Frame, PREFACE},
};
use pnet_tests::{keys, log::Log, talk::Talk};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex},
    time::timeout,
};

use super::support::{AUTHORITY, Served, certificates, client, connect, serve, told, why_not};

/// Whom the client trusts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trusts {
    Anybody,
    Pin,
    Roots,
}

/// What happens between the two.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wire {
    Honest,
    /// Somebody else answers, in plain text.
    Plain,
    /// The first record of the client, or its first frame, comes with another byte in it.
    Altered,
    /// The first flight of the client is cut in the middle, and the line is closed.
    Truncated,
    /// There is no client, but somebody who says what one has said before.
    Replayed,
}

use TlsPolicy::{Off, Optional, Required};
use Trusts::{Anybody, Pin, Roots};
use Wire::{Altered, Honest, Plain, Replayed, Truncated};

/// What the client learns, and what the server logs.
#[rustfmt::skip]
const MEETINGS: [(Trusts, TlsPolicy, Wire, &str, &str); 45] = [
    (Anybody, Off, Honest, CONNECTED, NOTHING),
    (Anybody, Off, Plain, CONNECTED, LEFT),
    (Anybody, Off, Altered, TOLD_MISMATCH, MISMATCH),
    (Anybody, Off, Truncated, ENDED, ENDED_THERE),
    (Anybody, Off, Replayed, SOMEBODY, NOTHING),
    (Anybody, Optional, Honest, CONNECTED, NOTHING),
    (Anybody, Optional, Plain, CONNECTED, LEFT),
    (Anybody, Optional, Altered, TOLD_MISMATCH, MISMATCH),
    (Anybody, Optional, Truncated, ENDED, ENDED_THERE),
    (Anybody, Optional, Replayed, SOMEBODY, NOTHING),
    (Anybody, Required, Honest, TOLD_TLS_ONLY, TLS_ONLY),
    (Anybody, Required, Plain, CONNECTED, LEFT),
    (Anybody, Required, Altered, TOLD_TLS_ONLY, TLS_ONLY),
    (Anybody, Required, Truncated, ENDED, TLS_ONLY),
    (Anybody, Required, Replayed, A_CLOSE, TLS_ONLY),
    (Pin, Off, Honest, TOLD_OFF, OFF),
    (Pin, Off, Plain, NOT_TLS, LEFT),
    (Pin, Off, Altered, TOLD_OFF, OFF),
    (Pin, Off, Truncated, BROKE, OFF),
    (Pin, Off, Replayed, AN_ALERT, OFF),
    (Pin, Optional, Honest, CONNECTED, NOTHING),
    (Pin, Optional, Plain, NOT_TLS, LEFT),
    (Pin, Optional, Altered, ALTERED, ALTERED_THERE),
    (Pin, Optional, Truncated, BROKE, CLIENT_ENDED),
    (Pin, Optional, Replayed, A_HELLO, LATE),
    (Pin, Required, Honest, CONNECTED, NOTHING),
    (Pin, Required, Plain, NOT_TLS, LEFT),
    (Pin, Required, Altered, ALTERED, ALTERED_THERE),
    (Pin, Required, Truncated, BROKE, CLIENT_ENDED),
    (Pin, Required, Replayed, A_HELLO, LATE),
    (Roots, Off, Honest, TOLD_OFF, OFF),
    (Roots, Off, Plain, NOT_TLS, LEFT),
    (Roots, Off, Altered, TOLD_OFF, OFF),
    (Roots, Off, Truncated, BROKE, OFF),
    (Roots, Off, Replayed, AN_ALERT, OFF),
    (Roots, Optional, Honest, CONNECTED, NOTHING),
    (Roots, Optional, Plain, NOT_TLS, LEFT),
    (Roots, Optional, Altered, ALTERED, ALTERED_THERE),
    (Roots, Optional, Truncated, BROKE, CLIENT_ENDED),
    (Roots, Optional, Replayed, A_HELLO, LATE),
    (Roots, Required, Honest, CONNECTED, NOTHING),
    (Roots, Required, Plain, NOT_TLS, LEFT),
    (Roots, Required, Altered, ALTERED, ALTERED_THERE),
    (Roots, Required, Truncated, BROKE, CLIENT_ENDED),
    (Roots, Required, Replayed, A_HELLO, LATE),
];

const CONNECTED: &str = "connected";
const NOTHING: &str = "-";
const SOMEBODY: &str = "somebody else is connected";
const LEFT: &str = "unexpected end of file";
const TOLD_MISMATCH: &str = "the server did not take the connection: connection closed by the peer: protocol-mismatch (the protocol is `Talk` here and `T`lk` there)";
const MISMATCH: &str = "the protocol is `Talk` here and `T`lk` there";
const ENDED: &str = "the handshake failed: the connection ended in the middle of the handshake";
const ENDED_THERE: &str = "the connection ended in the middle of the handshake";
const TOLD_TLS_ONLY: &str = "the server did not take the connection: connection closed by the peer: refused (this server takes TLS only: tell the client whom to trust, with `.pin`, `.known_hosts` or `.roots`)";
const TLS_ONLY: &str = "the client speaks plain text, and this server takes TLS only";
const A_CLOSE: &str = "nothing comes of it: a close frame (0xf5)";
const TOLD_OFF: &str =
    "memory has TLS turned off: it has no key, or was told so; or it speaks older versions than TLS 1.3 only";
const OFF: &str = "the client speaks TLS, which is turned off here: this server has no key, or was told so";
const NOT_TLS: &str = "memory does not answer in TLS: it speaks pnet in plain text";
const BROKE: &str = "the connection to memory broke during the TLS handshake: the server has ended it";
const AN_ALERT: &str = "nothing comes of it: an alert";
const ALTERED: &str = "TLS with memory failed: what came was altered on its way";
const ALTERED_THERE: &str = "the TLS handshake failed: what came was altered on its way";
const CLIENT_ENDED: &str = "the client ended its stream during the TLS handshake";
const A_HELLO: &str = "nothing comes of it: a hello that only the first one can read";
const LATE: &str = "the handshake was not finished in time";

#[tokio::test(start_paused = true)]
async fn each_side_learns_what_has_happened() {
    let mut wrong = Vec::new();
    for trusts in [Anybody, Pin, Roots] {
        for policy in [Off, Optional, Required] {
            for wire in [Honest, Plain, Altered, Truncated, Replayed] {
                let (client, server, lines) = meet(trusts, policy, wire).await;
                let known = MEETINGS.iter().find(|known| (known.0, known.1, known.2) == (trusts, policy, wire));
                if known.is_none_or(|known| known.3 != client || known.4 != server) {
                    wrong.push(format!("    ({trusts:?}, {policy:?}, {wire:?}, {client:?}, {server:?}),"));
                }
                // What a handler writes down when a connection ends says that there was one.
                let was_open = client == "connected" || client == "somebody else is connected";
                assert_eq!(!lines.is_empty(), was_open && wire != Plain, "{trusts:?} {policy:?} {wire:?}: {lines:?}");
            }
        }
    }
    assert!(wrong.is_empty(), "these went otherwise:\n{}", wrong.join("\n"));
}

async fn meet(trusts: Trusts, policy: TlsPolicy, wire: Wire) -> (String, String, Vec<String>) {
    let (log, _guard) = Log::keep();
    let served = serve(|builder| builder.identity(keys::server()).certificates(certificates()).tls(policy));
    let told = if wire == Replayed { replay(trusts, &served).await } else { dial(trusts, wire, &served).await };
    let lines = served.end().await;
    (told, why_not(&log), lines)
}

async fn dial(trusts: Trusts, wire: Wire, served: &Served) -> String {
    let there = served.open().await;
    let (here, near) = duplex(64 * 1024);
    let between = tokio::spawn(between(wire, near, there));
    let connected = connect(client_that(trusts), here).await;
    let told = told(&connected);
    if let Ok(client) = connected {
        client.close().await;
    }
    between.await.expect("no panic");
    told
}

fn client_that(trusts: Trusts) -> pnet::ClientBuilder<pnet_tests::talk::TalkClient> {
    match trusts {
        Anybody => client(),
        Pin => client().pin(keys::server().fingerprint()),
        Roots => client().roots(&AUTHORITY.root).server_name("localhost"),
    }
}

/// Stands between client and server.
async fn between(wire: Wire, mut client: DuplexStream, mut server: DuplexStream) {
    let mut first = vec![0; 4096];
    match wire {
        Honest | Replayed => {}
        Plain => {
            drop(server);
            let len = client.read(&mut first).await.expect("the client speaks");
            if first[..len].starts_with(&PREFACE) {
                // Whoever speaks plain text speaks to anybody.
                let somebody = serve(|builder| builder);
                let mut to = somebody.open().await;
                to.write_all(&first[..len]).await.expect("is read");
                let _ = copy_bidirectional(&mut client, &mut to).await;
            } else {
                let mut answer = PREFACE.to_vec();
                Frame::Close(Close::new(CloseCode::Normal, "trust me")).encode(&mut answer);
                client.write_all(&answer).await.expect("is read");
                let _ = client.read_to_end(&mut Vec::new()).await;
            }
            return;
        }
        Altered => {
            let len = client.read(&mut first).await.expect("the client speaks");
            // In TLS it is a byte of the client's random number, in plain text one of the schema's hash.
            first[20] ^= 1;
            server.write_all(&first[..len]).await.expect("is read");
        }
        Truncated => {
            let len = client.read(&mut first).await.expect("the client speaks");
            server.write_all(&first[..len / 2]).await.expect("is read");
            return;
        }
    }
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// What a client says first is written down in one meeting, and said by somebody else in the next.
async fn replay(trusts: Trusts, served: &Served) -> String {
    let (here, mut near) = duplex(64 * 1024);
    let recording = tokio::spawn(async move {
        let mut hello = vec![0; 4096];
        let len = near.read(&mut hello).await.expect("the client speaks");
        hello.truncate(len);
        hello
    });
    let _ = client_that(trusts).over::<Talk>(here, PeerAddr::Memory).await;
    let hello = recording.await.expect("no panic");
    let mut there = served.open().await;
    there.write_all(&hello).await.expect("is read");
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(20), there.read_to_end(&mut answer)).await;
    if answer.starts_with(&PREFACE) && served.server.hub().len() == 1 {
        return "somebody else is connected".to_owned();
    }
    match answer.first() {
        None => "nothing comes of it: no answer".to_owned(),
        Some(&first) if answer.starts_with(&PREFACE) => format!("nothing comes of it: a close frame ({first:#x})"),
        Some(21) => "nothing comes of it: an alert".to_owned(),
        Some(22) => "nothing comes of it: a hello that only the first one can read".to_owned(),
        Some(other) => format!("nothing comes of it: {other:#x}"),
    }
}
