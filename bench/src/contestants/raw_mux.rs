//! `raw`'s server, with the client that a program really needs: tasks call, each with an id and a oneshot; one task writes
//! what has gathered, one reads and completes.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
};

use super::raw::{Frame, Raw, SUM, Wire, next_frame, put_add, put_send, sum_of, write_all};
use crate::{
    contestant::{Client, Contestant, Meter, Result},
    scenario::Kind,
};

/// See the module.
#[derive(Debug)]
pub struct RawMux;

impl Contestant for RawMux {
    const NAME: &'static str = "raw-mux";
    const PLAYS: &'static [Kind] = &[Kind::Calls, Kind::Connect];
    type Client = Arc<Mux>;

    async fn serve(listener: TcpListener, meter: &'static Meter) -> Result<()> {
        Raw::serve(listener, meter).await
    }

    async fn connect(addr: SocketAddr, _: Arc<AtomicU64>) -> Result<Arc<Mux>> {
        let wire = Wire::new(TcpStream::connect(addr).await?)?;
        let mux = Arc::new(Mux::default());
        tokio::spawn(write(Arc::clone(&mux), Arc::clone(&wire.write)));
        tokio::spawn(read(Arc::downgrade(&mux), wire));
        Ok(mux)
    }
}

/// What the tasks share.
#[derive(Debug, Default)]
pub struct Mux {
    out: Mutex<Vec<u8>>,
    /// Something was put into an empty buffer.
    filled: Notify,
    slots: Mutex<Slots>,
    left: AtomicU64,
}

#[derive(Debug, Default)]
struct Slots {
    waiting: Vec<Option<oneshot::Sender<i64>>>,
    free: Vec<u32>,
}

impl Mux {
    fn put(&self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut out = lock(&self.out);
        let was_empty = out.is_empty();
        put(&mut out);
        drop(out);
        if was_empty {
            self.filled.notify_one();
        }
    }
}

impl Client for Arc<Mux> {
    async fn add(&self, a: i64, b: i64, note: &'static str) -> Result<i64> {
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut slots = lock(&self.slots);
            match slots.free.pop() {
                Some(id) => {
                    slots.waiting[id as usize] = Some(sender);
                    id
                }
                None => {
                    slots.waiting.push(Some(sender));
                    u32::try_from(slots.waiting.len() - 1)?
                }
            }
        };
        self.put(|out| put_add(out, id, a, b, note));
        Ok(receiver.await?)
    }

    async fn send(&self, n: u64, note: &'static str) -> Result<()> {
        self.put(|out| put_send(out, n, note));
        Ok(())
    }
}

async fn write(mux: Arc<Mux>, write: Arc<tokio::net::tcp::OwnedWriteHalf>) -> std::io::Result<()> {
    let mut batch = Vec::new();
    loop {
        mux.filled.notified().await;
        loop {
            std::mem::swap(&mut batch, &mut *lock(&mux.out));
            if batch.is_empty() {
                break;
            }
            write_all(&write, &batch).await?;
            batch.clear();
        }
        if mux.left.load(Relaxed) != 0 {
            return Ok(());
        }
    }
}

async fn read(mux: std::sync::Weak<Mux>, mut wire: Wire) -> std::io::Result<()> {
    let mut done = Vec::new();
    while wire.read().await? {
        let Some(mux) = mux.upgrade() else { break };
        let mut used = 0;
        {
            let mut slots = lock(&mux.slots);
            while let Some((frame, len)) = next_frame(&wire.buffer[used..wire.filled]) {
                used += len;
                let Frame::Answer { kind: SUM, id, body } = frame else { continue };
                if let (Some(sum), Some(sender)) = (sum_of(body), slots.waiting[id as usize].take()) {
                    slots.free.push(id);
                    done.push((sender, sum));
                }
            }
        }
        for (sender, sum) in done.drain(..) {
            // A caller that has gone needs no answer.
            let _ = sender.send(sum);
        }
        wire.consume(used);
    }
    if let Some(mux) = mux.upgrade() {
        mux.left.store(1, Relaxed);
        mux.filled.notify_one();
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
