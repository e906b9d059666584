//! Runs a row against a server.

use std::{sync::Arc, time::Duration};

use pnet::{Dialect, Limits, memory::MemoryServer};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{sleep, timeout},
};

use super::{
    objects::Received,
    table::{Row, Step},
    talk::{Book, Table, TableServer, pass},
};

/// Where the input is cut into writes, other than where a row waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    Nowhere,
    At(usize),
    /// After every byte; every 1,009 bytes where there are many.
    Everywhere,
}

pub(crate) async fn run(row: &Row, cut: Cut) -> Result<(), String> {
    let mut joining = Duration::ZERO;
    for (name, value) in &row.with {
        if name == "joining" {
            joining = Duration::from_millis(value.parse().expect("milliseconds"));
        }
    }
    let wanted = row.with.iter().find(|(name, _)| name == "credentials").map(|(_, value)| pass(value));
    let book = Arc::new(Book::new(joining, wanted));
    let server = serve(row, &book);
    let (other, dead) = strangers(row, &server).await;
    let strangers = (book.opened(), book.left().len());

    let io = server.connector().open().await.expect("opens");
    let (reading, writing) = tokio::io::split(io);
    let received = Received::read(reading);
    let mut script = Script { writing: Some(writing), cut, sent: 0 };
    for step in &row.steps {
        match step {
            Step::Send(bytes) => {
                let mut bytes = received.fill(bytes);
                if let (Some(other), Some(dead)) = (&other, &dead) {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    bytes = text.replace("$OTHER", &other.1).replace("$DEAD", dead).into_bytes();
                }
                script.send(&bytes).await?;
            }
            Step::Wait(ms) => sleep(Duration::from_millis(*ms)).await,
            Step::Await(action) => received.has(action).await?,
            Step::End => script.end().await,
            Step::Call(..) | Step::Tell(..) => panic!("{}: a server calls nobody by itself", row.name),
        }
    }
    sleep(Duration::from_millis(100)).await;
    let ended = received.has_ended();
    if ended {
        script.end().await;
        sleep(Duration::from_secs(2)).await;
    }
    let (opened, left) = (book.opened() - strangers.0, book.left().split_off(strangers.1));
    let (saw, mut wrong) = (book.lines(), String::new());
    let end = match (ended, opened, left.as_slice()) {
        (false, _, []) => "open".to_owned(),
        (true, 0, []) => "unopened".to_owned(),
        (true, _, [code]) => format!("closed {code}"),
        _ => format!("ended: {ended}, opened: {opened}, left: {left:?}"),
    };
    if end != row.ends {
        wrong += &format!("  ends {end}, and not {}\n", row.ends);
    }
    if saw != row.saw {
        wrong += &format!("  saw {saw:?}, and not {:?}\n", row.saw);
    }
    let came = match &row.raw {
        Some(raw) if received.bytes().starts_with(raw) => Ok(()),
        Some(raw) => Err(format!("  {:02x?} does not begin with {raw:02x?}\n", received.bytes())),
        None => received.check(&row.comes, true, row.ends != "unopened"),
    };
    if let Err(what) = came {
        wrong += &what;
    }
    drop(script);
    let done = server.shutdown(Duration::from_secs(20)).await;
    if done.cut_off != 0 {
        wrong += "  the connection did not end within 20 s\n";
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn serve(row: &Row, book: &Arc<Book>) -> MemoryServer<Table> {
    let mut builder = pnet::serve(TableServer, Arc::clone(book));
    let mut limits = Limits::default();
    for (name, value) in &row.with {
        let number = || value.parse().expect("a number");
        match name.as_str() {
            "object" => drop(limits.max_frame_len(number())),
            "calls" => drop(limits.calls(number())),
            "dialects" if value == "json" => builder = builder.dialects([Dialect::Json]),
            "dialects" => builder = builder.dialects([Dialect::Native]),
            "credentials" => {}
            "joining" => {}
            _ => panic!("{}: no setting is called {name}", row.name),
        }
    }
    builder.limits(limits).in_memory()
}

type Stranger = (tokio::io::DuplexStream, String);

/// Two other connections, where a row needs them: one that lives, and the token of one that does not any more.
async fn strangers(row: &Row, server: &MemoryServer<Table>) -> (Option<Stranger>, Option<String>) {
    let needs = |step: &Step| {
        let Step::Send(bytes) = step else { return false };
        let text = String::from_utf8_lossy(bytes);
        text.contains("$OTHER") || text.contains("$DEAD")
    };
    if !row.steps.iter().any(needs) {
        return (None, None);
    }
    let (io, dead) = stranger(server).await;
    drop(io);
    sleep(Duration::from_secs(2)).await;
    (Some(stranger(server).await), Some(dead))
}

async fn stranger(server: &MemoryServer<Table>) -> Stranger {
    use tokio::io::AsyncReadExt as _;

    let mut io = server.connector().open().await.expect("opens");
    io.write_all(br#"{"action":"handShake","data":{}}"#).await.expect("writes");
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\n") {
        assert_ne!(io.read_buf(&mut bytes).await.expect("reads"), 0);
    }
    let object: serde_json::Value = serde_json::from_slice(&bytes).expect("an object");
    (io, object["data"]["uuid"].as_str().expect("a token").to_owned())
}

/// The writing end of the row's side.
struct Script<W> {
    /// `None` once it has ended.
    writing: Option<W>,
    cut: Cut,
    sent: usize,
}

impl<W: AsyncWrite + Unpin> Script<W> {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let pieces: Vec<&[u8]> = match self.cut {
            Cut::Everywhere => bytes.chunks(if bytes.len() > 8192 { 1009 } else { 1 }).collect(),
            Cut::At(at) if (self.sent + 1..self.sent + bytes.len()).contains(&at) => {
                let (one, two) = bytes.split_at(at - self.sent);
                vec![one, two]
            }
            _ => vec![bytes],
        };
        self.sent += bytes.len();
        for piece in pieces {
            let Some(writing) = &mut self.writing else { return Ok(()) };
            match timeout(Duration::from_secs(60), writing.write_all(piece)).await {
                Ok(Ok(())) => {}
                // The tested side is gone already; the row says whether that is right.
                Ok(Err(_)) => return Ok(()),
                Err(_) => return Err("  the server does not read\n".to_owned()),
            }
            match self.cut {
                Cut::At(_) => sleep(Duration::from_millis(1)).await,
                Cut::Everywhere => {
                    for _ in 0..6 {
                        tokio::task::yield_now().await;
                    }
                }
                Cut::Nowhere => {}
            }
        }
        Ok(())
    }

    async fn end(&mut self) {
        if let Some(mut writing) = self.writing.take() {
            let _ = writing.shutdown().await;
        }
    }
}
