//! Connections in the order in which they came, to be found by their ids.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use pnet_protocol::id::ConnectionId;

use super::Conn;

/// As ids are random, their order, and that of a hash map, would be another in every run.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    conns: BTreeMap<u64, Arc<Conn>>,
    numbers: HashMap<ConnectionId, u64>,
    next: u64,
}

impl Registry {
    pub(crate) fn insert(&mut self, conn: &Arc<Conn>) {
        self.conns.insert(self.next, Arc::clone(conn));
        // A client's connections are named by its server, which may do so twice.
        if let Some(former) = self.numbers.insert(conn.id, self.next) {
            self.conns.remove(&former);
        }
        self.next += 1;
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) {
        if let Some(number) = self.numbers.remove(&id) {
            self.conns.remove(&number);
        }
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Arc<Conn>> {
        self.conns.get(self.numbers.get(&id)?)
    }

    pub(crate) fn len(&self) -> usize {
        self.conns.len()
    }

    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = &Arc<Conn>> {
        self.conns.values()
    }
}
