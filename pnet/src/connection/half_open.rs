//! Transports that were accepted and are no connections yet: how many there may be, and who has to go when there are more.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use pnet_protocol::close::CloseCode;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Conn;
use crate::{
    config,
    counts::{Counts, Met},
    error::{Closed, ClosedBy},
    transport::PeerAddr,
};

/// All that wait: those that have not sent a byte, and those that have begun their handshake.
///
/// Each of the two has its own limit, so that neither silent sockets nor dribbling ones keep the others out. Beyond it the
/// oldest has to go, as who has been waiting longest is least likely to mean it.
#[derive(Debug, Default)]
pub(crate) struct WaitingRoom {
    inner: Mutex<Inner>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Inner {
    silent: Pool,
    speaking: Pool,
    by_address: HashMap<IpAddr, usize>,
    /// Numbers the arrivals.
    next: u64,
}

type Pool = BTreeMap<u64, Entry>;

#[derive(Debug)]
struct Entry {
    since: Instant,
    exit: Arc<Exit>,
}

/// How one of those that wait learns that it has to go.
#[derive(Debug, Default)]
struct Exit {
    told: CancellationToken,
    /// A silent one may be a connection already, because the server has spoken first.
    conn: OnceLock<Arc<Conn>>,
    /// Its hello was whole, and it has been told nothing.
    heard: AtomicBool,
}

/// A place in the waiting room; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    room: Arc<WaitingRoom>,
    number: u64,
    exit: Arc<Exit>,
    /// `None` for local peers, which have no limit of their own.
    address: Option<IpAddr>,
}

impl WaitingRoom {
    pub(crate) fn new(counts: Counts) -> Self {
        Self { inner: Mutex::default(), counts }
    }

    /// How many have not sent a byte, and how many have not finished their handshake.
    #[cfg(feature = "inspect")]
    pub(crate) fn len(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.silent.len(), inner.speaking.len())
    }

    /// Takes in a transport that has not sent a byte. `None` if too many from its address wait already.
    pub(crate) fn enter(self: &Arc<Self>, addr: &PeerAddr) -> Option<Waiting> {
        let address = addr.ip().filter(|_| !addr.is_local()).map(neighbourhood);
        let exit = Arc::new(Exit::default());
        let (number, evicted) = {
            let mut inner = self.inner();
            if let Some(address) = address {
                let count = inner.by_address.entry(address).or_default();
                if *count >= config::HALF_OPEN_PER_ADDRESS {
                    self.counts.met(Met::WaitingPerAddress);
                    return None;
                }
                *count += 1;
            }
            inner.next += 1;
            let number = inner.next;
            (number, admit(&mut inner.silent, number, &exit))
        };
        self.counts.met_times(Met::WaitingSilent, evicted.len());
        evict(evicted);
        Some(Waiting { room: Arc::clone(self), number, exit, address })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// The first byte has come.
    pub(crate) fn speaks(&self) {
        let evicted = {
            let mut inner = self.room.inner();
            // Who was told to go is not let in again.
            if inner.silent.remove(&self.number).is_none() {
                return;
            }
            admit(&mut inner.speaking, self.number, &self.exit)
        };
        self.room.counts.met_times(Met::WaitingHandshakes, evicted.len());
        evict(evicted);
    }

    /// The server has begun to find out who it is. That is not to be done by half, and anew for the next: until the guard is
    /// dropped, its place is not taken away, unless it was told to go already. The caller bounds how many there are.
    pub(crate) fn is_looked_at(&self) -> LookedAt<'_> {
        let entry = self.room.inner().speaking.remove(&self.number);
        LookedAt { waiting: self, entry }
    }

    /// Whether its hello is whole and nothing was answered, so that it could be told why it has to go.
    pub(crate) fn set_heard(&self, heard: bool) {
        self.exit.heard.store(heard, Relaxed);
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.exit.heard.load(Relaxed)
    }

    /// The silent one is a connection now.
    pub(crate) fn opened(&self, conn: &Arc<Conn>) {
        let _ = self.exit.conn.set(Arc::clone(conn));
        if self.exit.told.is_cancelled() {
            conn.request_close(had_to_go());
        }
    }

    /// Ready when it has to go.
    pub(crate) async fn has_to_go(&self) {
        self.exit.told.cancelled().await;
    }
}

/// A place that is not taken away; it can be again when this is dropped.
#[derive(Debug)]
pub(crate) struct LookedAt<'a> {
    waiting: &'a Waiting,
    entry: Option<Entry>,
}

impl Drop for LookedAt<'_> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.waiting.room.inner().speaking.insert(self.waiting.number, entry);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut inner = self.room.inner();
        inner.silent.remove(&self.number);
        inner.speaking.remove(&self.number);
        if let Some(address) = self.address
            && let Some(count) = inner.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                inner.by_address.remove(&address);
            }
        }
    }
}

/// What counts as one address: of IPv6 whoever has one has all with the same 64 bits in front.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// Puts one more into a pool; the oldest come out if there are too many now. Those that came a moment ago are spared
/// within reason: a crowd of honest clients is quickly served. What is left of a crowd goes with the next that comes.
fn admit(pool: &mut Pool, number: u64, exit: &Arc<Exit>) -> Vec<Arc<Exit>> {
    let now = Instant::now();
    pool.insert(number, Entry { since: now, exit: Arc::clone(exit) });
    let mut evicted = Vec::new();
    while pool.len() > config::HALF_OPEN {
        let Some(oldest) = pool.first_entry() else { break };
        let spared = now.duration_since(oldest.get().since) < config::HALF_OPEN_SPARED;
        if spared && pool.len() <= config::HALF_OPEN_CROWD {
            break;
        }
        evicted.extend(pool.pop_first().map(|(_, entry)| entry.exit));
    }
    evicted
}

/// Outside of the lock, since a connection has one of its own.
fn evict(exits: Vec<Arc<Exit>>) {
    if exits.is_empty() {
        return;
    }
    tracing::debug!(count = exits.len(), "too many have not begun or finished their handshake: the oldest have to go");
    for exit in exits {
        exit.told.cancel();
        if let Some(conn) = exit.conn.get() {
            conn.request_close(had_to_go());
        }
    }
}

fn had_to_go() -> Closed {
    Closed::new(CloseCode::Overloaded, "too many connections have never said anything", ClosedBy::Here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_network_of_ipv6_has_one_address() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            let of = |address: &str| neighbourhood(address.parse().expect("an address"));
            assert_eq!(of(one) == of(other), same, "{one} and {other}");
        }
    }
}
