//! Runs a row against a client.

use std::{sync::Arc, time::Duration};

use pnet::{CallError, Client, ConnectError, Dialect, HandshakeError, transport::PeerAddr};
use serde_json::{Value, from_value, json, to_value};
use tokio::{
    io::AsyncWriteExt,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    objects::Received,
    table::{Row, Step},
    talk::{Book, Echo, Half, Hold, Note, Table, TableClient, Touch, pass, shown},
};

pub(crate) async fn run(row: &Row) -> Result<(), String> {
    let book = Arc::new(Book::default());
    let (io, there) = tokio::io::duplex(65_536);
    let (reading, writing) = tokio::io::split(io);
    let mut writing = Some(writing);
    let received = Received::read(reading);
    let mut connecting = Connecting::Going(tokio::spawn(connect(row, Arc::clone(&book), there)));
    let mut calls = Vec::new();
    for step in &row.steps {
        match step {
            Step::Send(bytes) => {
                if let Some(writing) = &mut writing {
                    let sent = timeout(Duration::from_secs(60), writing.write_all(&received.fill(bytes))).await;
                    assert!(sent.is_ok(), "{}: the client does not read", row.name);
                }
            }
            Step::Wait(ms) => sleep(Duration::from_millis(*ms)).await,
            Step::Await(action) => received.has(action).await?,
            Step::End => {
                if let Some(mut writing) = writing.take() {
                    let _ = writing.shutdown().await;
                }
            }
            Step::Call(action, data) => {
                let client = connecting.done().await.map_err(|word| format!("  fails {word}\n"))?;
                calls.push(tokio::spawn(call(client, action.clone(), data.clone())));
                sleep(Duration::from_millis(1)).await;
            }
            Step::Tell(action, data) => {
                let client = connecting.done().await.map_err(|word| format!("  fails {word}\n"))?;
                assert_eq!(action, "NOTE");
                let note: Note = from_value(data.clone()).expect("a note");
                tokio::spawn(async move { client.send(note).await });
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
    sleep(Duration::from_millis(100)).await;
    let mut answers = Vec::new();
    for call in calls {
        answers.push(if call.is_finished() { call.await.expect("no panic") } else { "none yet".to_owned() });
    }
    let mut wrong = String::new();
    let end = match connecting.by_now().await {
        Err(word) => format!("fails {word}"),
        Ok(client) if client.is_closed() => {
            let why = client.closed().await;
            format!("closed {}", shown(&why))
        }
        Ok(_) => "open".to_owned(),
    };
    if end != row.ends {
        wrong += &format!("  ends {end}, and not {}\n", row.ends);
    }
    if answers != row.answers {
        wrong += &format!("  answers {answers:?}, and not {:?}\n", row.answers);
    }
    if book.lines() != row.saw {
        wrong += &format!("  saw {:?}, and not {:?}\n", book.lines(), row.saw);
    }
    if let Err(what) = received.check(&row.comes, false, true) {
        wrong += &what;
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// An attempt to connect, and what has become of it.
enum Connecting {
    Going(JoinHandle<Result<Client<Table>, String>>),
    Done(Result<Client<Table>, String>),
}

impl Connecting {
    async fn done(&mut self) -> Result<Client<Table>, String> {
        if let Self::Going(task) = self {
            *self = Self::Done(task.await.expect("no panic"));
        }
        let Self::Done(done) = self else { unreachable!("it is done") };
        done.clone()
    }

    async fn by_now(&mut self) -> Result<Client<Table>, String> {
        match self {
            Self::Going(task) if !task.is_finished() => Err("not yet".to_owned()),
            _ => self.done().await,
        }
    }
}

fn connect(
    row: &Row,
    book: Arc<Book>,
    io: tokio::io::DuplexStream,
) -> impl Future<Output = Result<Client<Table>, String>> + use<> {
    let mut builder = pnet::connect(TableClient, book).dialect(Dialect::Json);
    for (name, value) in &row.with {
        match name.as_str() {
            "credentials" => builder = builder.credentials(&Some(pass(value))),
            _ => panic!("{}: no setting is called {name}", row.name),
        }
    }
    async { builder.over(io, PeerAddr::Memory).await.map_err(|error| word(&error)) }
}

fn word(error: &ConnectError) -> String {
    match error {
        ConnectError::Refused(closed) => format!("refused {}", closed.code()),
        ConnectError::TimedOut { .. } => "timed-out".to_owned(),
        ConnectError::Broken(_) => "broken".to_owned(),
        ConnectError::Handshake(error) => match error {
            HandshakeError::SpeaksNative => "speaks-native",
            HandshakeError::NotPnet { .. } => "not-pnet",
            HandshakeError::ProtocolName { .. } => "protocol-name",
            HandshakeError::Json(_) => "no-object",
            HandshakeError::Ended => "ended",
            _ => "otherwise",
        }
        .to_owned(),
        other => format!("{other:?}"),
    }
}

async fn call(client: Client<Table>, action: String, data: Value) -> String {
    fn packet<T: serde::de::DeserializeOwned>(data: Value) -> T {
        from_value(data).expect("the data of the packet")
    }
    fn told<T: serde::Serialize>(action: &str, packet: T) -> Result<String, CallError> {
        Ok(format!("{action} {}", to_value(packet).expect("JSON")))
    }
    let answer = match action.as_str() {
        "ECHO" => client.call(packet::<Echo>(data)).await.and_then(|answer| told("ECHO", answer)),
        "HOLD" => client.call(packet::<Hold>(data)).await.and_then(|answer| told("HELD", answer)),
        "TOUCH" => client.call(packet::<Touch>(data)).await.and_then(|()| told("done", json!(null))),
        "HALF" => match client.call(packet::<Half>(data)).await {
            Ok(answer) => told("HALVED", answer),
            Err(CallError::Declared(odd)) => told("ODD", odd),
            Err(CallError::Failed { code, message }) => Err(CallError::Failed { code, message }),
            Err(CallError::Decode(error)) => Err(CallError::Decode(error)),
            Err(other) => return format!("{other}"),
        },
        _ => panic!("no call {action}"),
    };
    match answer {
        Ok(answer) => answer,
        Err(CallError::Failed { code, .. }) => format!("failed {code}"),
        Err(CallError::TimedOut { .. }) => "timed-out".to_owned(),
        Err(CallError::Disconnected { .. }) => "disconnected".to_owned(),
        Err(CallError::Decode(_)) => "malformed".to_owned(),
        Err(other) => format!("{other}"),
    }
}
