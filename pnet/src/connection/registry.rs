//! Connections in the order in which they came, and the same to be found by their ids.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pnet_protocol::id::ConnectionId;

use super::Conn;

/// Connections in the order in which they came: ids are random, so their order would be another in every run.
#[derive(Debug, Default)]
pub(crate) struct Roll {
    conns: BTreeMap<u64, Arc<Conn>>,
    next: u64,
}

/// A roll whose connections are found by their ids.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    roll: Roll,
    numbers: HashMap<ConnectionId, u64>,
}

impl Roll {
    /// Enters a connection under the next number.
    pub(crate) fn insert(&mut self, conn: &Arc<Conn>) -> u64 {
        let number = self.next;
        self.conns.insert(number, Arc::clone(conn));
        self.next += 1;
        number
    }

    pub(crate) fn remove(&mut self, number: u64) {
        self.conns.remove(&number);
    }

    pub(crate) fn len(&self) -> usize {
        self.conns.len()
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<Conn>> {
        self.conns.values()
    }
}

impl Registry {
    pub(crate) fn insert(&mut self, conn: &Arc<Conn>) {
        let number = self.roll.insert(conn);
        // A client's connections are named by its server, which may do so twice.
        if let Some(former) = self.numbers.insert(conn.id, number) {
            self.roll.remove(former);
        }
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) {
        if let Some(number) = self.numbers.remove(&id) {
            self.roll.remove(number);
        }
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Arc<Conn>> {
        self.roll.conns.get(self.numbers.get(&id)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.roll.len()
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<Conn>> {
        self.roll.values()
    }
}

/// What the handles of one hub share; also the server's own list of connections.
#[derive(Debug, Default)]
pub(crate) struct HubCore {
    list: Mutex<Registry>,
}

impl HubCore {
    pub(crate) fn add(&self, conn: &Arc<Conn>) {
        self.list().insert(conn);
    }

    pub(crate) fn remove(&self, id: ConnectionId) {
        self.list().remove(id);
    }

    /// The connections there are now, in the order in which they were let in.
    pub(crate) fn conns(&self) -> Vec<Arc<Conn>> {
        self.list().values().map(Arc::clone).collect()
    }

    #[cfg(feature = "inspect")]
    pub(crate) fn len(&self) -> usize {
        self.list().len()
    }

    pub(crate) fn list(&self) -> MutexGuard<'_, Registry> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
