//! The process's standard streams, each moved by a thread of its own.
//!
//! A read of standard input cannot be ended, and a write to a terminal that was halted (ctrl-S) blocks, too. The runtime waits
//! for its blocking threads when it ends, so that `tokio::io::stdin` would keep a program from ending until somebody types
//! something. These threads are nobody's: they end with the process, or when the console is dropped and they notice.

use std::{
    io::{self, Read, Write},
    pin::Pin,
    sync::mpsc,
    task::{Context, Poll, ready},
    thread,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

/// Standard input. Nothing is read before somebody wants to read.
pub(super) fn input() -> io::Result<Input> {
    let (requests, waiting) = mpsc::channel::<oneshot::Sender<io::Result<Vec<u8>>>>();
    thread::Builder::new().name("console-in".to_owned()).spawn(move || {
        while let Ok(reply) = waiting.recv() {
            let mut bytes = vec![0; CHUNK];
            let read = io::stdin().read(&mut bytes).map(|len| {
                bytes.truncate(len);
                bytes
            });
            if reply.send(read).is_err() {
                break;
            }
        }
    })?;
    Ok(Input { requests, reading: None, rest: Vec::new() })
}

/// Standard output.
pub(super) fn output() -> io::Result<Output> {
    let (requests, waiting) = mpsc::channel::<(Vec<u8>, oneshot::Sender<io::Result<()>>)>();
    thread::Builder::new().name("console-out".to_owned()).spawn(move || {
        while let Ok((bytes, reply)) = waiting.recv() {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&bytes).and_then(|()| stdout.flush());
            drop(stdout);
            // Whoever wrote it may be gone; what it wrote before that is written all the same.
            let _ = reply.send(written);
        }
    })?;
    Ok(Output { requests, writing: None })
}

/// See [`input`].
#[derive(Debug)]
pub(super) struct Input {
    requests: mpsc::Sender<oneshot::Sender<io::Result<Vec<u8>>>>,
    reading: Option<oneshot::Receiver<io::Result<Vec<u8>>>>,
    /// What was read and did not fit.
    rest: Vec<u8>,
}

impl AsyncRead for Input {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            let mut reading = match self.reading.take() {
                Some(reading) => reading,
                None => {
                    let (reply, reading) = oneshot::channel();
                    self.requests.send(reply).map_err(|_| ended())?;
                    reading
                }
            };
            match Pin::new(&mut reading).poll(task) {
                Poll::Ready(read) => self.rest = read.map_err(|_| ended())??,
                Poll::Pending => {
                    self.reading = Some(reading);
                    return Poll::Pending;
                }
            }
        }
        let len = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest[..len]);
        self.rest.drain(..len);
        Poll::Ready(Ok(()))
    }
}

/// See [`output`].
#[derive(Debug)]
pub(super) struct Output {
    requests: mpsc::Sender<(Vec<u8>, oneshot::Sender<io::Result<()>>)>,
    writing: Option<oneshot::Receiver<io::Result<()>>>,
}

impl Output {
    fn poll_written(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(writing) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let written = ready!(Pin::new(writing).poll(task));
        self.writing = None;
        Poll::Ready(written.unwrap_or_else(|_| Err(ended())))
    }
}

impl AsyncWrite for Output {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_written(task))?;
        let bytes = &bytes[..bytes.len().min(CHUNK)];
        let (reply, writing) = oneshot::channel();
        self.requests.send((bytes.to_owned(), reply)).map_err(|_| ended())?;
        self.writing = Some(writing);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_written(task)
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(task)
    }
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the thread of a standard stream has ended")
}

const CHUNK: usize = 16 * 1024;
