//! `pnet call`, `send`, `stream` and `listen`: one packet and its answer, or what a server sends.

use std::time::{Duration, Instant};

use pnet::{
    ClosedBy, Failure as Answer, Json, JsonStreaming,
    dynamic::{Client, Direction, Inbox, Kind, Received},
};
use serde_json::{Value, json};

use crate::{
    arguments::{Listen, Packet},
    exit::{Exit, Failure},
    output::{Output, Style},
    packet, runtime, text,
};

/// `pnet call`
pub(crate) fn call(arguments: &Packet, output: &Output) -> Result<Exit, Failure> {
    let data = packet::data(&arguments.data)?;
    runtime::until_ctrl_c(async {
        let (client, _inbox) = arguments.target.connect(arguments.timeout).await?;
        let packet = packet::checked(&client, &arguments.action, data, Kind::Call)?;
        let start = Instant::now();
        let answer = client.call(packet).await?;
        output.event(&answered(&answer, start.elapsed()), || words(output, &answer))?;
        client.close().await;
        Ok(Exit::DONE)
    })
}

/// `pnet send`
pub(crate) fn send(arguments: &Packet, output: &Output) -> Result<Exit, Failure> {
    let data = packet::data(&arguments.data)?;
    runtime::until_ctrl_c(async {
        let (client, _inbox) = arguments.target.connect(arguments.timeout).await?;
        let packet = packet::checked(&client, &arguments.action, data, Kind::OneWay)?;
        let sending = tokio::time::timeout(arguments.timeout, client.send(&packet));
        sending.await.map_err(|_| Failure::new(Exit::TIMED_OUT, "not sent in time: the server takes nothing"))??;
        // It is on its way once the connection has ended in good order.
        let closed = client.close().await;
        if closed.by() != ClosedBy::Here {
            return Err(Failure::closed(&closed));
        }
        output.event(&json!({"event": "sent", "action": packet.action()}), || format!("sent {}", packet.action()))?;
        Ok(Exit::DONE)
    })
}

/// `pnet stream`
pub(crate) fn stream(arguments: &Packet, output: &Output) -> Result<Exit, Failure> {
    let data = packet::data(&arguments.data)?;
    runtime::until_ctrl_c(async {
        let (client, _inbox) = arguments.target.connect(arguments.timeout).await?;
        let packet = packet::checked(&client, &arguments.action, data, Kind::Stream)?;
        print_stream(client.stream(&packet), Some(arguments.timeout), output).await?;
        client.close().await;
        Ok(Exit::DONE)
    })
}

/// Prints the items of a stream until its end. The first has to come in this time.
pub(crate) async fn print_stream(
    mut stream: JsonStreaming,
    timeout: Option<Duration>,
    output: &Output,
) -> Result<(), Failure> {
    let mut items: u64 = 0;
    while let Some(item) = next(&mut stream, timeout.filter(|_| items == 0)).await? {
        items += 1;
        output.event(&event("item", &item), || words(output, &item))?;
    }
    output.event(&json!({"event": "end", "items": items}), || output.paint(Style::Dim, &format!("end: {items} items")))
}

/// The next item. Only the first has to come in time: a stream may be quiet.
async fn next(stream: &mut JsonStreaming, timeout: Option<Duration>) -> Result<Option<Json>, Failure> {
    let item = match timeout {
        Some(after) => tokio::time::timeout(after, stream.next())
            .await
            .map_err(|_| Failure::new(Exit::TIMED_OUT, format_args!("no item within {after:?}")))?,
        None => stream.next().await,
    };
    Ok(item.transpose()?)
}

/// `pnet listen`
pub(crate) fn listen(arguments: &Listen, output: &Output) -> Result<Exit, Failure> {
    runtime::until_ctrl_c(async {
        let (client, mut inbox) = arguments.target.connect(Duration::from_secs(30)).await?;
        for name in &arguments.actions {
            packet::find(&client, Direction::ToClient, name)?;
        }
        let all = print_pushes(arguments, &client, &mut inbox, output);
        match arguments.length {
            Some(length) => tokio::time::timeout(length, all).await.unwrap_or(Ok(Exit::DONE)),
            None => all.await,
        }
    })
}

async fn print_pushes(
    arguments: &Listen,
    client: &Client,
    inbox: &mut Inbox,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut count: u64 = 0;
    while arguments.count.is_none_or(|wanted| count < wanted) {
        let Some(received) = inbox.recv().await else { return Err(Failure::closed(client.closed().await.as_ref())) };
        let packet = pushed(received);
        if arguments.actions.is_empty() || arguments.actions.iter().any(|wanted| wanted == packet.action()) {
            count += 1;
            output.event(&event("packet", &packet), || words(output, &packet))?;
        }
    }
    client.close().await;
    Ok(Exit::DONE)
}

/// The packet. A call of the server's is told at once that nobody here answers it.
pub(crate) fn pushed(received: Received) -> Json {
    if let Some(mut call) = received.call {
        call.fail(Answer::public(pnet::code::UNSUPPORTED, "this is a tool, which answers no calls"));
    }
    received.packet
}

/// What an answer is to programs.
pub(crate) fn answered(answer: &Json, took: Duration) -> Value {
    let mut event = event("answer", answer);
    event["ms"] = json!((took.as_secs_f64() * 1e6).round() / 1e3);
    event
}

/// What a packet is to programs.
pub(crate) fn event(kind: &str, packet: &Json) -> Value {
    json!({"event": kind, "action": packet.action(), "data": packet.data()})
}

/// What a packet is to people.
pub(crate) fn words(output: &Output, packet: &Json) -> String {
    let action = output.paint(Style::Bold, &text::escape(packet.action()));
    if packet.data().is_null() { action } else { format!("{action} {}", text::json(packet.data())) }
}
