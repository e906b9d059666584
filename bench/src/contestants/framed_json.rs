//! The program as it is usually written: a codec that finds frames, serde_json with an enum of owned packets, and a channel
//! to a task that sends one message after the other.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use crate::{
    contestant::{Client, Contestant, Meter, Result},
    scenario::Kind,
};

/// See the module.
#[derive(Debug)]
pub struct FramedJson;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "action", content = "data")]
enum Message {
    Add { id: u32, a: i64, b: i64, note: String },
    Sum { id: u32, sum: i64, note: String },
    Send { n: u64, note: String },
    Count { id: u32 },
    Counted { id: u32, n: u64 },
    Subscribe { id: u32 },
    Publish { id: u32, events: u32 },
    Done { id: u32 },
    Event { note: String },
}

type Queue = mpsc::UnboundedSender<Message>;

impl Contestant for FramedJson {
    const NAME: &'static str = "framed-json";
    const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::OneWay, Kind::Broadcast];
    type Client = Arc<Caller>;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        let hub: Arc<Mutex<Vec<Queue>>> = Arc::default();
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve_one(stream, Arc::clone(&hub)));
        }
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Arc<Caller>> {
        let (queue, mut stream) = split(TcpStream::connect(addr).await?)?;
        let waiting: Arc<Mutex<HashMap<u32, oneshot::Sender<Message>>>> = Arc::default();
        let caller = Arc::new(Caller { queue, waiting: Arc::clone(&waiting), next: AtomicU32::new(1) });
        tokio::spawn(async move {
            while let Some(Ok(frame)) = stream.next().await {
                let message: Message = serde_json::from_slice(&frame)?;
                let id = match &message {
                    Message::Sum { id, .. } | Message::Counted { id, .. } | Message::Done { id } => *id,
                    _ => {
                        events.fetch_add(1, Relaxed);
                        continue;
                    }
                };
                let sender = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                if let Some(sender) = sender {
                    // A caller that has gone needs no answer.
                    let _ = sender.send(message);
                }
            }
            Ok::<_, serde_json::Error>(())
        });
        Ok(caller)
    }
}

async fn serve_one(stream: TcpStream, hub: Arc<Mutex<Vec<Queue>>>) -> Result<()> {
    let (queue, mut stream) = split(stream)?;
    let mut handled = 0;
    while let Some(frame) = stream.next().await {
        match serde_json::from_slice(&frame?)? {
            Message::Add { id, a, b, note } => queue.send(Message::Sum { id, sum: a.wrapping_add(b), note })?,
            Message::Send { .. } => handled += 1,
            Message::Count { id } => queue.send(Message::Counted { id, n: handled })?,
            Message::Subscribe { id } => {
                hub.lock().unwrap_or_else(PoisonError::into_inner).push(queue.clone());
                queue.send(Message::Done { id })?;
            }
            Message::Publish { id, events } => {
                let subscribers = hub.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for _ in 0..events {
                    for subscriber in &subscribers {
                        // Somebody may have left.
                        let _ = subscriber.send(Message::Event { note: crate::contestant::NOTE.to_owned() });
                    }
                }
                queue.send(Message::Done { id })?;
            }
            message => return Err(format!("{message:?} is nothing for a server").into()),
        }
    }
    Ok(())
}

/// The queue of the task that writes, and what is read.
fn split(
    stream: TcpStream,
) -> Result<(Queue, futures_util::stream::SplitStream<Framed<TcpStream, LengthDelimitedCodec>>)> {
    stream.set_nodelay(true)?;
    let (mut sink, stream) = Framed::new(stream, LengthDelimitedCodec::new()).split();
    let (queue, mut messages) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            sink.send(Bytes::from(serde_json::to_vec(&message)?)).await?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    });
    Ok((queue, stream))
}

/// The client.
#[derive(Debug)]
pub struct Caller {
    queue: Queue,
    waiting: Arc<Mutex<HashMap<u32, oneshot::Sender<Message>>>>,
    next: AtomicU32,
}

impl Caller {
    async fn call(&self, make: impl FnOnce(u32) -> Message) -> Result<Message> {
        let (sender, receiver) = oneshot::channel();
        let id = self.next.fetch_add(1, Relaxed);
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        self.queue.send(make(id))?;
        Ok(receiver.await?)
    }
}

impl Client for Arc<Caller> {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        match self.call(|id| Message::Add { id, a, b, note: note.to_owned() }).await? {
            Message::Sum { sum, note: back, .. } if back == note => Ok(sum),
            message => Err(format!("{message:?} is no sum").into()),
        }
    }

    async fn send(&self, n: u64, note: &'static str) -> Result<()> {
        self.queue.send(Message::Send { n, note: note.to_owned() })?;
        // A queue without bound has to be kept short somehow.
        if n % 1024 == 1023 {
            self.sent().await?;
        }
        Ok(())
    }

    async fn sent(&self) -> Result<u64> {
        match self.call(|id| Message::Count { id }).await? {
            Message::Counted { n, .. } => Ok(n),
            message => Err(format!("{message:?} is no count").into()),
        }
    }

    async fn subscribe(&self) -> Result<()> {
        self.call(|id| Message::Subscribe { id }).await.map(drop)
    }

    async fn publish(&self, events: u32) -> Result<()> {
        self.call(|id| Message::Publish { id, events }).await.map(drop)
    }
}
