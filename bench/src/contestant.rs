//! What a contestant has to be: a way to write the same small program, with a server and a client.

use std::{
    error::Error,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use tokio::{net::TcpListener, task::JoinSet};

use crate::scenario::Kind;

/// Anything that goes wrong ends the run.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// One way to write the program.
pub trait Contestant: 'static {
    /// As the tables call it.
    const NAME: &'static str;
    /// What it can play.
    const PLAYS: &'static [Kind];
    /// Its client.
    type Client: Client;

    /// Serves every kind of scenario, until the process is killed.
    fn serve(listener: TcpListener, meter: &'static Meter) -> impl Future<Output = Result<()>> + Send;

    /// Opens a connection. `events` counts what the server pushes, once the client has subscribed.
    fn connect(addr: SocketAddr, events: Arc<AtomicU64>) -> impl Future<Output = Result<Self::Client>> + Send;
}

/// One connection of a client. What a contestant cannot do it leaves out, here and in [`Contestant::PLAYS`].
pub trait Client: Clone + Send + Sync + 'static {
    /// `a + b`, with a note of 32 bytes that comes back.
    fn add(&self, a: i64, b: i64, note: &'static str) -> impl Future<Output = Result<i64>> + Send;

    /// The payload there and back; how long it was when it came.
    fn echo(&self, payload: Bytes) -> impl Future<Output = Result<usize>> + Send {
        let _ = payload;
        async { unsupported() }
    }

    /// One way: a number and a note of 32 bytes.
    fn send(&self, n: u64, note: &'static str) -> impl Future<Output = Result<()>> + Send {
        let _ = (n, note);
        async { unsupported() }
    }

    /// How many one-way packets of this connection the server has handled: all that were sent before.
    fn sent(&self) -> impl Future<Output = Result<u64>> + Send {
        async { unsupported() }
    }

    /// From now on the server's events come here.
    fn subscribe(&self) -> impl Future<Output = Result<()>> + Send {
        async { unsupported() }
    }

    /// Has the server send so many events of 32 bytes to everybody who has subscribed.
    fn publish(&self, events: u32) -> impl Future<Output = Result<()>> + Send {
        let _ = events;
        async { unsupported() }
    }

    /// A stream of so many items of 1 KiB; how many came.
    fn stream(&self, items: u64) -> impl Future<Output = Result<u64>> + Send {
        let _ = items;
        async { unsupported() }
    }

    /// Keeps so many calls in flight until `gauge` says stop. A contestant without a request API has its own loop.
    fn drive(self, in_flight: usize, gauge: Arc<Gauge>) -> impl Future<Output = Result<()>> + Send {
        async move {
            let mut tasks = JoinSet::new();
            for task in 0..in_flight {
                let (client, gauge) = (self.clone(), Arc::clone(&gauge));
                tasks.spawn(async move {
                    let mut a = i64::try_from(task)?;
                    while !gauge.stop.load(Relaxed) {
                        expect(client.add(a, 1, NOTE).await?, a + 1)?;
                        gauge.done.fetch_add(1, Relaxed);
                        a += 1;
                    }
                    Ok(())
                });
            }
            while let Some(ended) = tasks.join_next().await {
                ended?.map_err(|error: Box<dyn Error + Send + Sync>| error)?;
            }
            Ok(())
        }
    }

    /// Sends one-way packets until `gauge` says stop, and waits until the server has handled them all.
    fn pour(self, gauge: Arc<Gauge>) -> impl Future<Output = Result<()>> + Send {
        async move {
            let mut n = 0;
            while !gauge.stop.load(Relaxed) {
                for _ in 0..64 {
                    self.send(n, NOTE).await?;
                    n += 1;
                }
                gauge.done.fetch_add(64, Relaxed);
            }
            let handled = self.sent().await?;
            if handled == n { Ok(()) } else { Err(format!("{handled} of {n} packets were handled").into()) }
        }
    }
}

/// What a client has done, and whether it has done enough.
#[derive(Debug, Default)]
pub struct Gauge {
    pub done: AtomicU64,
    pub stop: AtomicBool,
}

/// What a hand-written server counts about itself.
#[derive(Debug, Default)]
pub struct Meter {
    pub calls: AtomicU64,
    /// Reads and writes of sockets.
    pub io: AtomicU64,
}

/// The text of each packet.
pub const NOTE: &str = "a note of exactly thirty-two by.";

/// The length of a stream's item.
pub const ITEM_LEN: usize = 1024;

/// Checks an answer.
pub fn expect(sum: i64, expected: i64) -> Result<()> {
    if sum == expected { Ok(()) } else { Err(format!("{sum} instead of {expected}").into()) }
}

fn unsupported<T>() -> Result<T> {
    Err("this contestant cannot do that".into())
}
