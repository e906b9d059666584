//! What the tests of the engine share.

use std::sync::Arc;

use pnet::{Client, memory::MemoryServer};
use pnet_tests::talk::{Book, Talk, TalkClient, TalkServer};

/// A server in memory with one client, and both sides' books.
pub(crate) struct Pair {
    pub(crate) server: MemoryServer<Talk>,
    pub(crate) client: Client<Talk>,
    /// The server's.
    pub(crate) book: Arc<Book>,
    /// The client's.
    pub(crate) ui: Arc<Book>,
}

pub(crate) async fn pair() -> Pair {
    let (book, ui) = (Arc::new(Book::default()), Arc::new(Book::default()));
    let server = pnet::memory::serve(TalkServer, Arc::clone(&book));
    let client = server.connect(TalkClient, Arc::clone(&ui)).await.expect("memory connects");
    Pair { server, client, book, ui }
}
