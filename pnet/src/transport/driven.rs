//! What the driver of a connection asks of a transport beyond reading and writing.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Transport;

/// A transport as its driver sees it: either bytes as they are ([`Plain`]), or with something in between that holds some of
/// them back.
pub(crate) trait Driven: Transport {
    /// How many bytes the network has taken so far, where that is not what was written: what lies between counts as
    /// written, and a peer that does not read has not made any of it move.
    fn taken(&self) -> Option<u64> {
        None
    }

    /// How many bytes of memory it holds now, beyond what it holds for as long as it lives.
    fn holds(&self) -> usize {
        0
    }

    /// Says to the other end that this side has ended in good order, if that goes at once. Nothing is written afterwards.
    fn say_goodbye(&mut self) {}
}

/// A transport that takes bytes as they are.
pub(crate) struct Plain<T>(pub(crate) T);

impl<T: Transport> Driven for Plain<T> {}

impl<T: Transport> AsyncRead for Plain<T> {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(task, buf)
    }
}

impl<T: Transport> AsyncWrite for Plain<T> {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(task, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(task)
    }
}

/// A fatal alert of TLS in plain text (RFC 8446 §6), for a client that has said its hello and was answered nothing yet.
pub(crate) const fn alert_record(description: u8) -> [u8; 7] {
    [21, 3, 3, 0, 2, 2, description]
}

/// `protocol_version`: no version of TLS is spoken here.
pub(crate) const NO_TLS: u8 = 70;
