//! The handshake on a transport, for both roles: moves bytes between the transport and the sans-IO machines.

use std::io;

use pnet_protocol::{
    close::{Close, CloseCode},
    handshake::{ClientHandshake, ClientHello, HandshakeError, ServerHandshake, ServerStep, ShapePolicy, Welcomed},
    limits::Limits,
    protocol::ProtocolInfo,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{error::ConnectError, transport::Transport};

/// A transport in the middle of its handshake.
pub(crate) struct Joining {
    pub(crate) io: Box<dyn Transport>,
    /// Read, but not used yet.
    pub(crate) tail: Vec<u8>,
    /// Bytes read so far.
    pub(crate) read: u64,
    out: Vec<u8>,
}

/// Why a server did not open a connection; for its log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error("the transport broke")]
    Broken(#[from] io::Error),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("the credentials were not accepted")]
    Unauthorized,
}

impl Joining {
    pub(crate) fn new(io: impl Transport) -> Self {
        Self { io: Box::new(io), tail: Vec::new(), read: 0, out: Vec::new() }
    }

    /// The client's side, until the server's welcome. After an error, `last_words` is due.
    pub(crate) async fn client(
        &mut self,
        info: &'static ProtocolInfo,
        credentials: &[u8],
        limits: &Limits,
        shapes: ShapePolicy,
    ) -> Result<Welcomed, ConnectError> {
        let mut machine = ClientHandshake::new(info, credentials, limits, shapes, &mut self.out);
        self.write().await.map_err(ConnectError::Broken)?;
        loop {
            let step = machine.handle(&self.tail, &mut self.out);
            // What goes with an error is left to `last_words`.
            if step.is_ok() {
                self.write().await.map_err(ConnectError::Broken)?;
            }
            match step {
                Ok((used, welcomed)) => {
                    self.tail.drain(..used);
                    if let Some(welcomed) = welcomed {
                        return Ok(welcomed);
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if self.read().await.map_err(ConnectError::Broken)? == 0 {
                return Err(machine.ended().into());
            }
        }
    }

    /// The server's side, up to where the protocols are known to be the same and the client may be welcomed.
    /// `authorize` judges the credentials, and says how much of the schema this peer may learn. After an error,
    /// `last_words` is due.
    pub(crate) async fn server(
        &mut self,
        machine: &mut ServerHandshake,
        authorize: impl Fn(&[u8]) -> Option<ShapePolicy>,
    ) -> Result<ClientHello, JoinError> {
        loop {
            let step = machine.handle(&self.tail, &mut self.out);
            match step {
                Ok((used, step)) => {
                    self.tail.drain(..used);
                    if let ServerStep::Hello(hello) = step {
                        let Some(shapes) = authorize(&hello.credentials) else {
                            let close = Close::new(CloseCode::Unauthorized, "the credentials were not accepted");
                            machine.refuse(close, &mut self.out);
                            return Err(JoinError::Unauthorized);
                        };
                        if hello.matches {
                            return Ok(hello);
                        }
                        machine.differ(shapes, &mut self.out);
                        self.write().await?;
                        // The client may have sent the rest along already.
                        continue;
                    }
                    self.write().await?;
                }
                Err(error) => return Err(error.into()),
            }
            if self.read().await? == 0 {
                return Err(machine.ended().into());
            }
        }
    }

    /// Says goodbye with a close frame, as far as the peer is known to speak native.
    pub(crate) async fn refuse(&mut self, machine: &mut ServerHandshake, close: Close<'_>) {
        machine.refuse(close, &mut self.out);
        self.last_words().await;
    }

    /// The handshake's time is over: says so to a peer that speaks native.
    pub(crate) async fn timed_out(&mut self, machine: &mut ServerHandshake) {
        machine.timed_out(&mut self.out);
        self.last_words().await;
    }

    /// Writes what is left and ends the stream; bounded in time, as the peer may not read.
    pub(crate) async fn last_words(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let _ = tokio::time::timeout(LINGER, async {
            if self.write().await.is_ok() {
                self.end().await;
            }
        })
        .await;
    }

    async fn read(&mut self) -> io::Result<usize> {
        // The machines bound what they leave unread: a whole frame is at most a report.
        self.tail.reserve(READ_LEN);
        let read = self.io.read_buf(&mut self.tail).await?;
        self.read += read as u64;
        Ok(read)
    }

    async fn write(&mut self) -> io::Result<()> {
        self.io.write_all(&self.out).await?;
        self.out.clear();
        self.io.flush().await
    }

    /// Ends this side's stream and reads to the end of the other, so that no reset destroys the last words. The caller
    /// bounds it in time, and this in bytes.
    async fn end(&mut self) {
        if self.io.shutdown().await.is_err() {
            return;
        }
        let mut left: usize = 64 * READ_LEN;
        let mut sink = Vec::with_capacity(READ_LEN);
        while left > 0 {
            sink.clear();
            match self.io.read_buf(&mut sink).await {
                Ok(0) | Err(_) => return,
                Ok(read) => left = left.saturating_sub(read),
            }
        }
    }
}

const READ_LEN: usize = 4096;
const LINGER: std::time::Duration = std::time::Duration::from_secs(1);
