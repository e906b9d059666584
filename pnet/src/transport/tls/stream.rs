//! TLS as a transport: what the driver writes goes into records, and what comes in records is read.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsStream;

use super::{
    OUTPUT_LEN,
    records::{Framing, Records},
};
use crate::{
    error::tls::told,
    transport::{Transport, driven::Driven},
};

/// One side of an open TLS connection.
pub(super) struct TlsTransport(pub(super) TlsStream<Underlay>);

impl Driven for TlsTransport {
    fn taken(&self) -> Option<u64> {
        if let Underlay::Open(open) = self.0.get_ref().0 { Some(open.taken) } else { None }
    }

    fn holds(&self) -> usize {
        let (under, session) = self.0.get_ref();
        let output = if session.wants_write() { OUTPUT_LEN } else { 0 };
        let input = if let Underlay::Open(open) = under { open.early.len() + open.framing.begun } else { 0 };
        output + input
    }

    fn say_goodbye(&mut self) {
        // Whether it went is of no interest.
        let _ = Pin::new(&mut self.0).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}

impl AsyncRead for TlsTransport {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(task, buf).map_err(told)
    }
}

impl AsyncWrite for TlsTransport {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(task, bytes).map_err(told)
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(task).map_err(told)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(task).map_err(told)
    }
}

/// What lies under TLS: first the records that the handshake's task moves, then the transport itself.
pub(super) enum Underlay {
    Handshake(Arc<Mutex<Records>>),
    Open(Open),
}

/// The transport, once the handshake is done.
pub(super) struct Open {
    io: Box<dyn Transport>,
    /// What came before the handshake was done and belongs behind it.
    early: Vec<u8>,
    /// How many bytes the transport has taken.
    taken: u64,
    framing: Framing,
}

impl Underlay {
    /// The handshake is done.
    pub(super) fn open(&mut self, io: Box<dyn Transport>) {
        let (early, framing) = match self {
            Self::Handshake(records) => records.lock().unwrap_or_else(PoisonError::into_inner).take_rest(),
            Self::Open(_) => return,
        };
        *self = Self::Open(Open { io, early, taken: 0, framing });
    }
}

impl AsyncRead for Underlay {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Handshake(records) => records.lock().unwrap_or_else(PoisonError::into_inner).poll_read(buf),
            Self::Open(open) => open.poll_read(task, buf),
        }
    }
}

impl AsyncWrite for Underlay {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Handshake(records) => {
                records.lock().unwrap_or_else(PoisonError::into_inner).going.extend_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            Self::Open(open) => {
                let polled = Pin::new(&mut open.io).poll_write(task, bytes);
                open.count(polled)
            }
        }
    }

    /// All records that are ready go at once. In the handshake that is more than speed: of an alert that follows another record
    /// the library makes one attempt to write.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Handshake(records) => {
                let mut records = records.lock().unwrap_or_else(PoisonError::into_inner);
                parts.iter().for_each(|part| records.going.extend_from_slice(part));
                Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
            }
            Self::Open(open) => {
                let polled = Pin::new(&mut open.io).poll_write_vectored(task, parts);
                open.count(polled)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Handshake(_) => true,
            Self::Open(open) => open.io.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Handshake(_) => Poll::Ready(Ok(())),
            Self::Open(open) => Pin::new(&mut open.io).poll_flush(task),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Handshake(_) => Poll::Ready(Ok(())),
            Self::Open(open) => Pin::new(&mut open.io).poll_shutdown(task),
        }
    }
}

impl Open {
    fn count(&mut self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = polled {
            self.taken += written as u64;
        }
        polled
    }

    fn poll_read(&mut self, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = if self.early.is_empty() {
            Pin::new(&mut self.io).poll_read(task, buf)
        } else {
            let len = buf.remaining().min(self.early.len());
            let rest = self.early.split_off(len);
            buf.put_slice(&std::mem::replace(&mut self.early, rest));
            Poll::Ready(Ok(()))
        };
        self.framing.see(buf.filled().get(before..).unwrap_or_default());
        polled
    }
}
