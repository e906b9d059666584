//! The open connections of a server, in the order in which they came.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use pnet_protocol::id::ConnectionId;

use crate::connection::Conn;

/// As ids are random, their order, and that of a hash map, would be another in every run.
#[derive(Debug, Default)]
pub(super) struct Live {
    conns: BTreeMap<u64, Arc<Conn>>,
    numbers: HashMap<ConnectionId, u64>,
    next: u64,
}

impl Live {
    pub(super) fn insert(&mut self, id: ConnectionId, conn: Arc<Conn>) {
        self.conns.insert(self.next, conn);
        self.numbers.insert(id, self.next);
        self.next += 1;
    }

    pub(super) fn remove(&mut self, id: &ConnectionId) {
        if let Some(number) = self.numbers.remove(id) {
            self.conns.remove(&number);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.conns.len()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<Conn>> {
        self.conns.values()
    }
}
