//! Peers that do what they should not, and handlers that do.

use std::sync::Arc;

use pnet::{CallError, CloseCode, HandshakeError, Protocol, code, memory::MemoryServer};
use pnet_protocol::{
    close::Close,
    frame::{self, Frame, PREFACE},
    limits::Limits,
};
use pnet_tests::talk::{Book, Break, How, Note, Stumble, Talk, TalkServer, Touch};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{
    net,
    support::{id_of, pair, shake},
};

/// A peer that is not pnet's own client: it shakes hands properly and then writes what the test wants.
struct Raw {
    io: DuplexStream,
    read: Vec<u8>,
}

/// A frame as it was read, in words.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Reply(u32, Vec<u8>),
    Failure(u32, String),
    Credit(u32),
    Pong(u64),
    Close(CloseCode, String),
    End,
}

impl Raw {
    async fn connect(server: &MemoryServer<Talk>) -> Self {
        let mut io = server.connector().open().await.expect("memory connects");
        let read = shake(&mut io, Talk::INFO, &Limits::default()).await;
        Self { io, read }
    }

    async fn write(&mut self, bytes: &[u8]) {
        // The server may have closed already.
        let _ = self.io.write_all(bytes).await;
    }

    async fn frame(&mut self, frame: Frame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.write(&bytes).await;
    }

    /// The next frame that is not about time.
    async fn see(&mut self) -> Seen {
        loop {
            if let Some((frame, used)) = frame::decode(&self.read, 1 << 20).expect("the server writes frames") {
                let seen = match frame {
                    Frame::Reply { id, payload } => Some(Seen::Reply(id, payload.to_vec())),
                    Frame::Failure { id, code, .. } => Some(Seen::Failure(id, code.to_owned())),
                    Frame::Credit { packets, .. } => Some(Seen::Credit(packets)),
                    Frame::Pong { nonce } => Some(Seen::Pong(nonce)),
                    Frame::Close(Close { code, reason, .. }) => Some(Seen::Close(code, reason.to_owned())),
                    _ => None,
                };
                self.read.drain(..used);
                match seen {
                    Some(seen) => return seen,
                    None => continue,
                }
            }
            match self.io.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return Seen::End,
                Ok(_) => {}
            }
        }
    }

    /// The close frame, whatever comes before it, and then the end.
    async fn closed(&mut self) -> (CloseCode, String) {
        let close = loop {
            match self.see().await {
                Seen::Close(code, reason) => break (code, reason),
                Seen::End => panic!("the stream ended without a close frame"),
                _ => {}
            }
        };
        assert_eq!(self.see().await, Seen::End);
        close
    }
}

fn server() -> (MemoryServer<Talk>, Arc<Book>) {
    let book = Arc::new(Book::default());
    (net::serve(TalkServer, Arc::clone(&book)), book)
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_ends_nothing_but_its_own_call() {
    let pair = pair().await;
    for how in [How::Panic, How::PanicLater] {
        pair.book.open(1);
        let error = pair.client.call(Break { how }).await.expect_err("panicked");
        assert!(matches!(&error, CallError::Failed { code, message } if code == code::INTERNAL && message.is_empty()));
    }
    pair.client.send(Stumble {}).await.expect("is sent");
    for _ in 0..200 {
        pair.client.send(Stumble {}).await.expect("is sent");
        let error = pair.client.call(Break { how: How::Panic }).await.expect_err("panicked");
        assert!(matches!(error, CallError::Failed { .. }), "{error:?}");
    }
    pair.client.call(Touch {}).await.expect("the connection lives");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_action_is_answered_and_too_many_end_the_connection() {
    let (server, book) = server();
    let mut raw = Raw::connect(&server).await;
    raw.frame(Frame::Call { id: 7, action: 999, timeout_ms: 0, payload: b"" }).await;
    assert_eq!(raw.see().await, Seen::Failure(7, code::UNKNOWN_ACTION.to_owned()));
    raw.frame(Frame::Packet { action: 999, payload: b"" }).await;
    raw.frame(Frame::Call { id: 8, action: id_of("TOUCH"), timeout_ms: 0, payload: b"" }).await;
    assert_eq!(raw.see().await, Seen::Reply(8, Vec::new()), "the connection lives");
    for _ in 0..31 {
        raw.frame(Frame::Packet { action: 999, payload: b"" }).await;
    }
    assert_eq!(raw.closed().await.0, CloseCode::Abuse);
    let lines = book.after(1).await;
    assert!(lines[0].starts_with("left: abuse (too many mistakes"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn thousands_of_mistakes_in_one_read_are_not_all_answered() {
    let (server, _) = server();
    let mut raw = Raw::connect(&server).await;
    let mut bytes = Vec::new();
    for id in 1..=3_000 {
        Frame::Call { id, action: 999, timeout_ms: 0, payload: b"" }.encode(&mut bytes);
    }
    raw.write(&bytes).await;
    let mut failures = 0;
    while let Seen::Failure(..) = raw.see().await {
        failures += 1;
    }
    assert_eq!(failures, 33, "the last one is the one too many");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_payload_is_answered_with_what_is_wrong() {
    let (server, _) = server();
    let mut raw = Raw::connect(&server).await;
    for (id, payload) in [(1, &b""[..]), (2, &[0x80; 3]), (3, &[2, 4, 9, 9])] {
        raw.frame(Frame::Call { id, action: id_of("DIVIDE"), timeout_ms: 0, payload }).await;
        assert_eq!(raw.see().await, Seen::Failure(id, code::MALFORMED.to_owned()), "{payload:?}");
    }
    raw.frame(Frame::Packet { action: id_of("NOTE"), payload: &[0xff; 9] }).await;
    raw.frame(Frame::Call { id: 8, action: id_of("TOUCH"), timeout_ms: 0, payload: b"" }).await;
    assert_eq!(raw.see().await, Seen::Reply(8, Vec::new()), "the connection lives");
}

#[tokio::test(start_paused = true)]
async fn too_many_malformed_payloads_end_the_connection() {
    for (action, id) in [("DIVIDE", Some(1)), ("NOTE", None), ("WAIT", None)] {
        let (server, _) = server();
        let mut raw = Raw::connect(&server).await;
        for _ in 0..33 {
            match id {
                Some(id) => {
                    raw.frame(Frame::Call { id, action: id_of(action), timeout_ms: 0, payload: &[0xff; 11] }).await;
                }
                None => raw.frame(Frame::Packet { action: id_of(action), payload: &[0xff; 11] }).await,
            }
        }
        assert_eq!(raw.closed().await.0, CloseCode::Abuse, "{action}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_to_a_one_way_action_and_the_reverse_are_mistakes() {
    let (server, book) = server();
    let mut raw = Raw::connect(&server).await;
    raw.frame(Frame::Call { id: 1, action: id_of("NOTE"), timeout_ms: 0, payload: &[1] }).await;
    assert_eq!(raw.see().await, Seen::Failure(1, code::NO_REPLY.to_owned()));
    raw.frame(Frame::Packet { action: id_of("TOUCH"), payload: b"" }).await;
    raw.frame(Frame::Call { id: 2, action: id_of("TOUCH"), timeout_ms: 0, payload: b"" }).await;
    assert_eq!(raw.see().await, Seen::Reply(2, Vec::new()));
    assert!(book.lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_breaks_the_protocol_ends_the_connection_with_its_code() {
    let call = |id| Frame::Call { id, action: id_of("HOLD"), timeout_ms: 0, payload: &[1] };
    let encode = |frames: &[Frame<'_>]| {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut bytes));
        bytes
    };
    let wait = Frame::Packet { action: id_of("WAIT"), payload: &[0] };
    let cases: &[(&str, Vec<u8>, CloseCode)] = &[
        ("a frame over the limit", vec![0xff, 0xff, 0xff, 0x7f, 1], CloseCode::FrameTooLong),
        ("an unknown kind", vec![1, 0, 0, 0, 0xee], CloseCode::ProtocolError),
        ("an empty frame", vec![0, 0, 0, 0], CloseCode::ProtocolError),
        ("an id twice", encode(&[call(5), call(5)]), CloseCode::ProtocolError),
        ("packets beyond credit", encode(&[wait; 66]), CloseCode::ProtocolError),
        (
            "credit beyond 2^31",
            encode(&[Frame::Credit { id: 0, packets: u32::MAX, bytes: 1 }]),
            CloseCode::ProtocolError,
        ),
    ];
    for (what, bytes, code) in cases {
        let (server, book) = server();
        let mut raw = Raw::connect(&server).await;
        raw.write(bytes).await;
        let (closed, reason) = raw.closed().await;
        assert_eq!(closed, *code, "{what}: {reason}");
        assert!(!reason.is_empty(), "{what}");
        let lines = tokio::time::timeout(std::time::Duration::from_secs(9), async {
            let mut count = 1;
            loop {
                let lines = book.after(count).await;
                if lines.last().is_some_and(|line| line.starts_with("left: ")) {
                    break lines;
                }
                count = lines.len() + 1;
            }
        });
        let lines = lines.await.unwrap_or_else(|_| book.lines());
        assert!(lines.last().is_some_and(|line| line.starts_with("left: ")), "{what}: {lines:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_limit_are_answered_busy() {
    let (server, book) = server();
    let mut raw = Raw::connect(&server).await;
    for id in 1..=66 {
        raw.frame(Frame::Call { id, action: id_of("HOLD"), timeout_ms: 0, payload: &[1] }).await;
    }
    assert_eq!(raw.see().await, Seen::Failure(65, code::BUSY.to_owned()));
    assert_eq!(raw.see().await, Seen::Failure(66, code::BUSY.to_owned()));
    book.open(64);
    for id in 1..=64 {
        assert_eq!(raw.see().await, Seen::Reply(id, vec![1]));
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_before_the_handshake_is_not_answered() {
    let (server, book) = server();
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x15\x03\x01", b"SSH-2.0-x\r\n", &[0; 64], &[0xf5, b'p', b'n', b'x']]
    {
        let mut io = server.connector().open().await.expect("memory connects");
        io.write_all(garbage).await.expect("memory writes");
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.expect("memory reads");
        assert!(answer.is_empty(), "{garbage:?} is answered with {answer:?}");
    }
    assert!(book.lines().is_empty(), "no disconnect handler runs for who was never connected");
    assert!(server.hub().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_finish_its_handshake_is_closed_after_the_deadline() {
    let (server, _) = server();
    let started = tokio::time::Instant::now();
    for first in [&PREFACE[..], b"{\"action\""] {
        let mut io = server.connector().open().await.expect("memory connects");
        io.write_all(first).await.expect("memory writes");
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.expect("memory reads");
    }
    let waited = started.elapsed().as_millis();
    assert!((10_000..12_500).contains(&waited), "two deadlines of 5 s: {waited} ms");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanishes_in_the_middle_of_a_frame_is_known() {
    let (server, book) = server();
    let mut raw = Raw::connect(&server).await;
    raw.frame(Frame::Packet { action: id_of("NOTE"), payload: &[5] }).await;
    raw.write(&[20, 0, 0, 0, 1, 2]).await;
    drop(raw);
    let lines = book.after(2).await;
    assert_eq!(lines, ["note 5", "left: lost (the peer ended its stream in the middle of a frame), 0 remain"]);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_stream_lets_accepted_work_finish() {
    let (server, book) = server();
    let mut raw = Raw::connect(&server).await;
    raw.frame(Frame::Call { id: 1, action: id_of("HOLD"), timeout_ms: 0, payload: &[3] }).await;
    raw.io.shutdown().await.expect("memory ends");
    book.line("hold 3 begins").await;
    book.open(1);
    assert_eq!(raw.see().await, Seen::Reply(1, vec![3]));
    assert_eq!(raw.closed().await.0, CloseCode::Lost);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_pings_makes_few_pongs() {
    let (server, _) = server();
    let mut raw = Raw::connect(&server).await;
    let mut bytes = Vec::new();
    for nonce in 0..1_000 {
        Frame::Ping { nonce }.encode(&mut bytes);
    }
    raw.write(&bytes).await;
    let mut pongs = 0;
    loop {
        pongs += 1;
        if raw.see().await == Seen::Pong(999) {
            break;
        }
    }
    assert!(pongs < 50, "{pongs}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_closed_as_a_slow_consumer() {
    let (server, book) = server();
    let mut raw = Raw::connect(&server).await;
    raw.frame(Frame::Packet { action: id_of("NOTE"), payload: &[5] }).await;
    book.line("note 5").await;
    let peer = server.hub().peers().pop().expect("the peer is there");
    // More than the pipe holds.
    let payload: Vec<u8> = [&[0xd0, 0x0f][..], &[7; 2_000]].concat();
    for id in 0..60 {
        let call = Frame::Call { id: 100 + id, action: id_of("ECHO"), timeout_ms: 0, payload: &payload };
        raw.frame(call).await;
    }
    let started = tokio::time::Instant::now();
    assert_eq!(peer.closed().await.code(), CloseCode::SlowConsumer);
    assert!((10_000..10_500).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_meets_something_else_says_so() {
    for (answer, expected) in [
        (&b"{\"action\":\"handShake\"}"[..], "SpeaksJson"),
        (b"HTTP/1.1 400 Bad Request\r\n", "SpeaksHttp or NotPnet"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "NotPnet"),
    ] {
        let (here, mut there) = tokio::io::duplex(1 << 16);
        there.write_all(answer).await.expect("memory writes");
        let connecting = pnet::connect_inbox::<Talk>().over(here, pnet::transport::PeerAddr::Memory);
        let error = connecting.await.expect_err("that is no pnet server");
        let pnet::ConnectError::Handshake(error) = error else { panic!("{error:?}") };
        let fits = match error {
            HandshakeError::SpeaksJson => expected == "SpeaksJson",
            HandshakeError::SpeaksHttp | HandshakeError::NotPnet { .. } => expected.contains("NotPnet"),
            _ => false,
        };
        assert!(fits, "{expected}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_is_given_up() {
    let (here, _there) = tokio::io::duplex(1 << 16);
    let started = tokio::time::Instant::now();
    let connecting = net::connect_inbox::<Talk>().over(here, pnet::transport::PeerAddr::Memory);
    let error = connecting.await.expect_err("nobody answers");
    assert!(matches!(error, pnet::ConnectError::TimedOut { .. }), "{error:?}");
    assert!((5_000..5_100).contains(&started.elapsed().as_millis()));
}

#[tokio::test(start_paused = true)]
async fn packets_that_cannot_be_sent_are_reported_before_anything_is_written() {
    let pair = pair().await;
    pair.client.close().await;
    let error = pair.client.send(Note { n: 1 }).await.expect_err("the connection is gone");
    assert!(matches!(error, pnet::SendError::Disconnected(_)), "{error:?}");
    let error = pair.client.call(Touch {}).await.expect_err("the connection is gone");
    assert!(matches!(error, CallError::Disconnected { sent: false, .. }), "{error:?}");
    let refused = pair.client.try_send(Note { n: 2 }).expect_err("the connection is gone");
    assert_eq!(refused.packet, Note { n: 2 });
}
