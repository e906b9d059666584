//! What calls weigh on the wire, to the byte: of what pnet itself writes.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use pnet::{Client, Dialect, memory, transport::PeerAddr};
use pnet_counted::{
    adder::{Add, Adder, Adding, Caller, NOTE, Note},
    loops::block_on,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// A transport that counts what goes through it: from the client, and to it.
struct Scales<T> {
    io: T,
    weighed: Arc<Mutex<(usize, usize)>>,
}

impl<T: AsyncRead + Unpin> AsyncRead for Scales<T> {
    fn poll_read(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(task, buf);
        self.weighed.lock().unwrap_or_else(PoisonError::into_inner).1 += buf.filled().len() - before;
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Scales<T> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(task, buf);
        if let Poll::Ready(Ok(written)) = polled {
            self.weighed.lock().unwrap_or_else(PoisonError::into_inner).0 += written;
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

struct Weighed {
    client: Client<Adding>,
    bytes: Arc<Mutex<(usize, usize)>>,
    _server: memory::MemoryServer<Adding>,
}

impl Weighed {
    async fn new(dialect: Dialect) -> Self {
        let server = memory::serve(Adder, ());
        let io: DuplexStream = server.connector().open().await.expect("it listens");
        let bytes = Arc::default();
        let io = Scales { io, weighed: Arc::clone(&bytes) };
        let client = pnet::connect(Caller, ()).dialect(dialect).over::<Adding>(io, PeerAddr::Memory);
        let client = client.await.expect("it answers");
        // The token, which is written as `null` until it is known, is known from now on.
        client.call(Add { a: 0, b: 0, note: NOTE.into() }).await.expect("it is answered");
        Self { client, bytes, _server: server }
    }

    /// Bytes from the client and to it since this was asked last.
    fn take(&self) -> (usize, usize) {
        std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn call(client: &Client<Adding>) -> impl Future {
    client.call(Add { a: 1, b: 2, note: NOTE.into() })
}

/// In frames: TIME is 13 bytes a batch; a CALL has 15 before its payload (1 + 1 + 1 + 32), a REPLY 9 (1 + 1), a PACKET 7
/// (1 + 1 + 32).
#[test]
fn a_native_call_weighs_50_bytes_and_its_answer_11() {
    block_on(async {
        let weighed = Weighed::new(Dialect::Native).await;
        weighed.take();
        call(&weighed.client).await;
        assert_eq!(weighed.take(), (13 + 50, 11));
        let calls: Vec<_> = (0..16).map(|_| call(&weighed.client)).collect();
        futures_util::future::join_all(calls).await;
        assert_eq!(weighed.take(), (13 + 16 * 50, 16 * 11), "one time for all of a batch");
        weighed.client.send(Note { n: 1, note: NOTE.into() }).await.expect("it is sent");
        call(&weighed.client).await;
        assert_eq!(weighed.take(), (13 + 41 + 50, 11));
    });
}

/// In objects: the data are 53 bytes and 18; the rest is the envelope, of which the time is 17 digits and a point, and the id
/// grows with each call of its slot.
#[test]
fn a_json_call_weighs_188_bytes_and_its_answer_135() {
    block_on(async {
        let weighed = Weighed::new(Dialect::Json).await;
        weighed.take();
        call(&weighed.client).await;
        assert_eq!(weighed.take(), (188, 135));
        call(&weighed.client).await;
        assert_eq!(weighed.take(), (189, 136), "the id has a digit more");
        let calls: Vec<_> = (0..16).map(|_| call(&weighed.client)).collect();
        futures_util::future::join_all(calls).await;
        assert_eq!(weighed.take(), (189 + 15 * 188, 136 + 15 * 135), "fifteen slots are new");
    });
}
