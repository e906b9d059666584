//! How clients reach a server, so that all is recorded.

use std::{
    io,
    sync::{Arc, Mutex},
};

use pnet::{
    memory::MemoryServer,
    transport::{
        Connect, PeerAddr,
        memory::{Connector, PIPE_LEN},
    },
};
use tokio::io::{DuplexStream, duplex};

use super::{
    house::Talk,
    tls,
    watch::{By, Recorded, Watch, lock},
};

/// How one client reaches its server.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) watch: Arc<Watch>,
    pub(crate) connector: Connector,
    pub(crate) tls: bool,
    /// The tapes with what was said on the connections of this client, TLS taken off.
    pub(crate) tapes: Arc<Mutex<Vec<usize>>>,
    /// What has its place on them.
    pub(crate) own: Arc<Mutex<Vec<String>>>,
}

impl Way {
    pub(crate) fn new(watch: &Arc<Watch>, server: &MemoryServer<Talk>, tls: bool) -> Self {
        let (watch, connector) = (Arc::clone(watch), server.connector());
        Self { watch, connector, tls, tapes: Arc::default(), own: Arc::default() }
    }

    /// A new secret that may be seen on this client's own connections, whatever TLS they have around them.
    pub(crate) fn secret(&self, name: &str) -> String {
        let text = self.watch.text(name, &lock(&self.tapes));
        lock(&self.own).push(text.clone());
        text
    }

    /// The same as a number of JSON, which is longer than any counter.
    pub(crate) fn digits(&self, name: &str) -> String {
        let digits = self.watch.digits(name);
        lock(&self.tapes).iter().for_each(|tape| self.watch.allow(&digits, *tape));
        lock(&self.own).push(digits.clone());
        digits
    }

    /// Opens a transport. Over TLS, three tapes record it: the records on either side of a gate, where nothing may be seen at
    /// all, and what the gate sees.
    pub(crate) async fn open(&self) -> io::Result<Recorded<DuplexStream>> {
        let io = self.connector.open().await?;
        let (io, tape) = self.watch.record(io, By::Client);
        if !self.tls {
            self.keep(tape);
            return Ok(io);
        }
        let (here, there) = duplex(PIPE_LEN);
        let gate = tls::gate(Arc::clone(&self.watch), there, io);
        self.keep(gate);
        Ok(self.watch.record(here, By::Client).0)
    }

    pub(crate) fn keep(&self, tape: usize) {
        lock(&self.tapes).push(tape);
        for own in lock(&self.own).iter() {
            self.watch.allow(own, tape);
        }
    }
}

impl Connect for Way {
    type Io = Recorded<DuplexStream>;

    async fn connect(&self) -> io::Result<(Self::Io, PeerAddr)> {
        Ok((self.open().await?, PeerAddr::Memory))
    }
}
