//! tonic: gRPC over HTTP/2. Its streams are its pushes and its one-way packets.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use prost::Message;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig},
};

use crate::{
    contestant::{Client, Contestant, Gauge, ITEM_LEN, Meter, NOTE, Result},
    keys,
    scenario::Kind,
};

/// See the module.
#[derive(Debug)]
pub struct Tonic;

/// The same with TLS: clients trust the server's certificate, which is for an RSA key.
#[derive(Debug)]
pub struct Secured;

#[derive(Clone, PartialEq, Message)]
pub struct Add {
    #[prost(sint64, tag = "1")]
    a: i64,
    #[prost(sint64, tag = "2")]
    b: i64,
    #[prost(string, tag = "3")]
    note: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Sum {
    #[prost(sint64, tag = "1")]
    sum: i64,
    #[prost(string, tag = "2")]
    note: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub struct Note {
    #[prost(uint64, tag = "1")]
    n: u64,
    #[prost(string, tag = "2")]
    note: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Count {
    #[prost(uint64, tag = "1")]
    n: u64,
}

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    #[prost(string, tag = "1")]
    note: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Nothing {}

mod service {
    #![allow(missing_docs, clippy::all)]
    tonic::include_proto!("bench.Bench");
}

use service::{
    bench_client::BenchClient,
    bench_server::{Bench, BenchServer},
};

/// The server, with everybody who has subscribed.
#[derive(Default)]
struct Server(Mutex<Vec<mpsc::Sender<std::result::Result<Event, Status>>>>);

type Answers<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Bench for Server {
    type SubscribeStream = Answers<Event>;
    type FetchStream = Answers<Payload>;

    async fn add(&self, request: Request<Add>) -> std::result::Result<Response<Sum>, Status> {
        let Add { a, b, note } = request.into_inner();
        Ok(Response::new(Sum { sum: a.wrapping_add(b), note }))
    }

    async fn echo(&self, request: Request<Payload>) -> std::result::Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }

    async fn pour(&self, request: Request<Streaming<Note>>) -> std::result::Result<Response<Count>, Status> {
        let (mut notes, mut n) = (request.into_inner(), 0);
        while let Some(note) = notes.message().await? {
            std::hint::black_box(note);
            n += 1;
        }
        Ok(Response::new(Count { n }))
    }

    async fn subscribe(&self, _: Request<Nothing>) -> std::result::Result<Response<Answers<Event>>, Status> {
        let (sender, events) = mpsc::channel(1024);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        Ok(Response::new(Box::pin(ReceiverStream::new(events))))
    }

    async fn publish(&self, request: Request<Count>) -> std::result::Result<Response<Nothing>, Status> {
        let subscribers = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for _ in 0..request.into_inner().n {
            for subscriber in &subscribers {
                // Somebody may have left.
                let _ = subscriber.send(Ok(Event { note: NOTE.to_owned() })).await;
            }
        }
        Ok(Response::new(Nothing {}))
    }

    async fn fetch(&self, request: Request<Count>) -> std::result::Result<Response<Answers<Payload>>, Status> {
        let items = (0..request.into_inner().n).map(|_| Ok(Payload { data: vec![7; ITEM_LEN].into() }));
        Ok(Response::new(Box::pin(stream::iter(items))))
    }
}

/// With TLS if it is told how.
async fn serve(listener: TcpListener, tls: Option<ServerTlsConfig>) -> Result<()> {
    let incoming = TcpListenerStream::new(listener).map(|stream| {
        let stream = stream?;
        stream.set_nodelay(true)?;
        std::io::Result::Ok(stream)
    });
    let service =
        BenchServer::new(Server::default()).max_decoding_message_size(LONGEST).max_encoding_message_size(LONGEST);
    let mut server = tonic::transport::Server::builder();
    if let Some(tls) = tls {
        server = server.tls_config(tls)?;
    }
    server
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(2 * WINDOW)
        .max_concurrent_streams(4096)
        .add_service(service)
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}

type Connected = (BenchClient<Channel>, Arc<AtomicU64>);

/// With TLS if it is told how.
async fn connect(addr: SocketAddr, events: Arc<AtomicU64>, tls: Option<ClientTlsConfig>) -> Result<Connected> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{addr}"))?;
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls)?;
    }
    let channel = endpoint
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(2 * WINDOW)
        .connect()
        .await?;
    let client = BenchClient::new(channel).max_decoding_message_size(LONGEST).max_encoding_message_size(LONGEST);
    Ok((client, events))
}

impl Contestant for Tonic {
    const NAME: &'static str = "tonic";
    const PLAYS: &'static [Kind] =
        &[Kind::Calls, Kind::Connect, Kind::Echo, Kind::OneWay, Kind::Broadcast, Kind::Stream];
    type Client = Connected;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        serve(listener, None).await
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Connected> {
        connect(addr, events, None).await
    }
}

impl Contestant for Secured {
    const NAME: &'static str = "tonic-tls";
    const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::Connect, Kind::Echo];
    type Client = Connected;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        let identity = Identity::from_pem(&keys::trusted()?.certificate, keys::key()?);
        serve(listener, Some(ServerTlsConfig::new().identity(identity))).await
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Connected> {
        let root = Certificate::from_pem(&keys::trusted()?.certificate);
        connect(addr, events, Some(ClientTlsConfig::new().ca_certificate(root))).await
    }
}

impl Client for Connected {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        let answer = self.0.clone().add(Add { a, b, note: note.to_owned() }).await?.into_inner();
        if answer.note == note { Ok(answer.sum) } else { Err(format!("another note: {}", answer.note).into()) }
    }

    async fn echo(&self, payload: Bytes) -> Result<usize> {
        Ok(self.0.clone().echo(Payload { data: payload }).await?.into_inner().data.len())
    }

    async fn pour(self, gauge: Arc<Gauge>) -> Result<()> {
        let (sender, notes) = mpsc::channel(1024);
        let mut client = self.0.clone();
        let handled = tokio::spawn(async move { client.pour(ReceiverStream::new(notes)).await });
        let mut n = 0;
        while !gauge.stop.load(Relaxed) {
            for _ in 0..64 {
                sender.send(Note { n, note: NOTE.to_owned() }).await?;
                n += 1;
            }
            gauge.done.fetch_add(64, Relaxed);
        }
        drop(sender);
        let handled = handled.await??.into_inner().n;
        if handled == n { Ok(()) } else { Err(format!("{handled} of {n} packets were handled").into()) }
    }

    async fn subscribe(&self) -> Result<()> {
        let mut events = self.0.clone().subscribe(Nothing {}).await?.into_inner();
        let count = Arc::clone(&self.1);
        tokio::spawn(async move {
            while let Ok(Some(event)) = events.message().await {
                std::hint::black_box(event);
                count.fetch_add(1, Relaxed);
            }
        });
        Ok(())
    }

    async fn publish(&self, events: u32) -> Result<()> {
        self.0.clone().publish(Count { n: events.into() }).await?;
        Ok(())
    }

    async fn stream(&self, items: u64) -> Result<u64> {
        let mut stream = self.0.clone().fetch(Count { n: items }).await?.into_inner();
        let mut came = 0;
        while let Some(item) = stream.message().await? {
            came += u64::from(item.data.len() == ITEM_LEN);
        }
        Ok(came)
    }
}

const LONGEST: usize = 16 * 1024 * 1024;
const WINDOW: u32 = 4 * 1024 * 1024;
