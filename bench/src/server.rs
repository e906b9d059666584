//! The server's process: serves until it is killed, and says on request what it has counted.

use std::{
    io::BufRead,
    sync::{LazyLock, atomic::Ordering::Relaxed},
    thread,
};

use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, runtime::Handle};

use crate::{
    contestant::{Meter, Result},
    contestants::Entry,
};

static METER: LazyLock<Meter> = LazyLock::new(Meter::default);

/// What a server has counted so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Counted {
    pub calls: u64,
    /// Reads and writes, and waits for the next event: all the system calls of a server by hand.
    pub system_calls: u64,
}

/// Serves. The first line on standard output is the address.
pub async fn serve(entry: Entry) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let runtime = Handle::current();
    thread::spawn(move || {
        for _ in std::io::stdin().lock().lines().map_while(std::result::Result::ok) {
            let metrics = runtime.metrics();
            let waits: u64 = (0..metrics.num_workers()).map(|worker| metrics.worker_park_count(worker)).sum();
            let counted = Counted { calls: METER.calls.load(Relaxed), system_calls: METER.io.load(Relaxed) + waits };
            println!("{}", serde_json::to_string(&counted).unwrap_or_default());
        }
    });
    (entry.serve)(listener, &METER).await
}
