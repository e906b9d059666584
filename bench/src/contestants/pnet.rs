//! pnet, as its README says.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use pnet::{
    Client, Dialect, Hub, Identity, Limits, Packet, Peer, SendError, StreamSender, action, actions, protocol,
    transport::tcp::TcpAcceptor,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::{
    contestant::{self, Contestant, ITEM_LEN, Meter, NOTE, Result},
    keys,
    scenario::Kind,
};

/// In the native dialect, with handlers that are a `fn`.
#[derive(Debug)]
pub struct Native;

/// The same with TLS: clients pin the server's RSA key.
#[derive(Debug)]
pub struct Secured;

/// In the native dialect, with an `async fn` for calls.
#[derive(Debug)]
pub struct Later;

/// In the JSON dialect, with handlers that are a `fn`. A client waits 200 ms for what an old server says first, so nothing is
/// learnt from how fast it connects.
#[derive(Debug)]
pub struct Json;

#[derive(Packet, Serialize, Deserialize)]
pub struct Add<'a> {
    a: i64,
    b: i64,
    #[serde(borrow)]
    note: std::borrow::Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Sum {
    sum: i64,
    note: String,
}

/// `Sum`, borrowed: the handlers answer with the note that they were sent, and callers compare it where it lies, as the
/// hand-written programs do.
#[derive(Packet, Serialize, Deserialize)]
#[packet(view_of = Sum)]
pub struct SumView<'a> {
    sum: i64,
    #[serde(borrow)]
    note: std::borrow::Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Echo<'a> {
    #[serde(borrow)]
    data: pnet::Bytes<'a>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Echoed {
    data: pnet::ByteBuf,
}

/// `Echoed`, borrowed.
#[derive(Packet, Serialize, Deserialize)]
#[packet(view_of = Echoed)]
pub struct EchoedView<'a> {
    #[serde(borrow)]
    data: pnet::Bytes<'a>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Note<'a> {
    n: u64,
    #[serde(borrow)]
    note: std::borrow::Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Count {}

#[derive(Packet, Serialize, Deserialize)]
pub struct Counted {
    n: u64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Publish {
    events: u32,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Event<'a> {
    #[serde(borrow)]
    note: std::borrow::Cow<'a, str>,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Fetch {
    items: u64,
}

#[derive(Packet, Serialize, Deserialize)]
pub struct Item {
    data: pnet::ByteBuf,
}

protocol! {
    pub Bench {
        client {
            Add<'_> -> Sum,
            Echo<'_> -> Echoed,
            Note<'_>,
            Count -> Counted,
            Publish -> (),
            Fetch -> stream Item,
        }
        server { Event<'_> }
    }
}

/// How many one-way packets a connection has sent.
#[derive(Debug, Default)]
pub struct Handled(AtomicU64);

#[action(connect)]
fn join() -> Handled {
    Handled::default()
}

#[action("ADD")]
fn add(p: Add<'_>) -> SumView<'_> {
    SumView { sum: p.a.wrapping_add(p.b), note: p.note }
}

#[action("ADD")]
async fn add_later(p: Add<'_>) -> SumView<'_> {
    SumView { sum: p.a.wrapping_add(p.b), note: p.note }
}

#[action("ECHO")]
fn echo(p: Echo<'_>) -> EchoedView<'_> {
    EchoedView { data: p.data }
}

#[action("NOTE")]
fn note(p: Note<'_>, handled: &Handled) {
    std::hint::black_box((p.n, p.note));
    handled.0.fetch_add(1, Relaxed);
}

#[action("COUNT")]
fn count(_: Count, handled: &Handled) -> Counted {
    Counted { n: handled.0.load(Relaxed) }
}

#[action("PUBLISH")]
fn publish(p: Publish, peer: Peer<Bench>, hub: Hub<Bench>) {
    for _ in 0..p.events {
        hub.broadcast_except(peer.id(), &Event { note: NOTE.into() });
    }
}

#[action("FETCH")]
async fn fetch(p: Fetch, out: StreamSender<Item>) -> std::result::Result<(), SendError> {
    for _ in 0..p.items {
        out.send(Item { data: vec![7; ITEM_LEN].into() }).await?;
    }
    Ok(())
}

#[action("EVENT")]
fn event(p: Event<'_>, events: &AtomicU64) {
    std::hint::black_box(p.note);
    events.fetch_add(1, Relaxed);
}

actions! { pub server Server for Bench(Handled): join, add, echo, note, count, publish, fetch }
actions! { pub server LaterServer for Bench(Handled): join, add_later, echo, note, count, publish, fetch }
actions! { pub client Ui(AtomicU64) for Bench: event }

/// Handlers that are a `fn`; with TLS if there is an identity.
async fn serve(listener: TcpListener, identity: Option<Identity>) -> Result<()> {
    let acceptor = TcpAcceptor::try_from(listener)?;
    let mut server = pnet::serve(Server, ()).max_connections(20_000).limits(limits());
    if let Some(identity) = identity {
        server = server.identity(identity);
    }
    server.listen::<Bench, _>(acceptor).run().await;
    Ok(())
}

/// With TLS if there is a pin.
async fn connect(
    addr: SocketAddr,
    events: Arc<AtomicU64>,
    dialect: Dialect,
    pin: Option<&str>,
) -> Result<Client<Bench>> {
    let mut client = pnet::connect(Ui, events).limits(limits()).dialect(dialect);
    if let Some(pin) = pin {
        client = client.pin(pin);
    }
    Ok(client.to::<Bench>(addr).await?)
}

/// The defaults, but for 256 calls in flight, payloads of 1 MiB, and as many one-way packets on their way as sockets hold: the
/// others have no bound of their own.
fn limits() -> Limits {
    *Limits::default().calls(256).packets(65_536).packet_bytes(4 * 1024 * 1024).max_frame_len(4 * 1024 * 1024)
}

impl Contestant for Native {
    const NAME: &'static str = "pnet";
    const PLAYS: &'static [Kind] =
        &[Kind::Calls, Kind::Connect, Kind::Echo, Kind::OneWay, Kind::Broadcast, Kind::Stream];
    type Client = Client<Bench>;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        serve(listener, None).await
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Client<Bench>> {
        connect(addr, events, Dialect::Native, None).await
    }
}

impl Contestant for Secured {
    const NAME: &'static str = "pnet-tls";
    const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::Connect, Kind::Echo];
    type Client = Client<Bench>;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        serve(listener, Some(Identity::from_pem(keys::key()?)?)).await
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Client<Bench>> {
        connect(addr, events, Dialect::Native, Some(&keys::trusted()?.pin)).await
    }
}

impl Contestant for Later {
    const NAME: &'static str = "pnet-async";
    const PLAYS: &'static [Kind] = &[Kind::Calls];
    type Client = Client<Bench>;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        let acceptor = TcpAcceptor::try_from(listener)?;
        pnet::serve(LaterServer, ()).max_connections(20_000).limits(limits()).listen::<Bench, _>(acceptor).run().await;
        Ok(())
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Client<Bench>> {
        connect(addr, events, Dialect::Native, None).await
    }
}

impl Contestant for Json {
    const NAME: &'static str = "pnet-json";
    const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::OneWay, Kind::Broadcast, Kind::Stream];
    type Client = Client<Bench>;

    async fn serve(listener: TcpListener, _: &'static Meter) -> Result<()> {
        serve(listener, None).await
    }

    async fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> Result<Client<Bench>> {
        connect(addr, events, Dialect::Json, None).await
    }
}

impl contestant::Client for Client<Bench> {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        let call = self.call(Add { a, b, note: note.into() }).view::<SumView<'_>>();
        let sum = call.read(|answer| (answer.note == note).then_some(answer.sum)).await?;
        Ok(sum.ok_or("another note")?)
    }

    async fn echo(&self, payload: Bytes) -> Result<usize> {
        let call = self.call(Echo { data: pnet::Bytes::from(&*payload) }).view::<EchoedView<'_>>();
        Ok(call.read(|echoed| echoed.data.len()).await?)
    }

    async fn send(&self, n: u64, note: &'static str) -> Result<()> {
        Ok(Self::send(self, Note { n, note: note.into() }).await?)
    }

    async fn sent(&self) -> Result<u64> {
        Ok(self.call(Count {}).await?.n)
    }

    /// Who is there hears what is broadcast.
    async fn subscribe(&self) -> Result<()> {
        Ok(())
    }

    async fn publish(&self, events: u32) -> Result<()> {
        Ok(self.call(Publish { events }).await?)
    }

    async fn stream(&self, items: u64) -> Result<u64> {
        let mut stream = Self::stream(self, Fetch { items });
        let mut came = 0;
        while let Some(item) = stream.next().await {
            came += u64::from(item?.data.len() == ITEM_LEN);
        }
        Ok(came)
    }
}
