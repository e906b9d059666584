//! What goes over Unix sockets is what goes over any transport.

use std::sync::Arc;

use pnet::{
    Backoff, CloseCode, Dialect,
    transport::{
        PeerAddr,
        unix::{self, UnixAcceptor},
    },
};
use tokio::time::timeout;

use super::support::{Ask, DEADLINE, Folder, Quiz, QuizServer, Ui};

#[tokio::test]
async fn native_and_json_clients_are_answered() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let server = pnet::serve(QuizServer, ()).listen(UnixAcceptor::bind(&path).await.expect("it is free"));
    assert_eq!(server.local_addr(), path);
    for dialect in [Dialect::Native, Dialect::Json] {
        let (io, peer) = unix::connect(&path).await.expect("a server answers");
        let PeerAddr::Unix { uid, pid } = peer else { panic!("{peer:?}") };
        assert!(peer.is_local() && peer.ip().is_none());
        assert_eq!(pid.and_then(|pid| u32::try_from(pid).ok()), Some(std::process::id()));
        let quiz = pnet::connect(Ui, ()).dialect(dialect).over(io, peer).await.expect("it is let in");
        let told = timeout(DEADLINE, quiz.call(Ask { n: 1 })).await.expect("in time").expect("it is answered");
        assert_eq!((told.n, told.from), (2, format!("unix uid {uid}")));
        quiz.close().await;
    }
    let shutdown = server.shutdown(DEADLINE).await;
    assert_eq!(shutdown.cut_off, 0);
    assert!(!path.exists(), "the socket is removed with its server");
}

#[tokio::test]
async fn a_client_comes_back_over_them() {
    let folder = Folder::new();
    let path = Arc::new(folder.at("quiz.sock"));
    let bind = async || pnet::serve(QuizServer, ()).listen(UnixAcceptor::bind(&*path).await.expect("it is free"));
    let server = bind().await;
    let to = Arc::clone(&path);
    let quiz = pnet::connect(Ui, ())
        .reconnect(Backoff::default())
        .via(move || {
            let path = Arc::clone(&to);
            async move { unix::connect(&*path).await }
        })
        .await
        .expect("it is let in");
    let _: &pnet::Client<Quiz> = &quiz;
    let before = quiz.id();
    server.hub().close(before, CloseCode::Overloaded, "later");
    let told = timeout(DEADLINE, async {
        loop {
            if let Ok(told) = quiz.call(Ask { n: 3 }).await
                && quiz.id() != before
            {
                return told;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it comes back");
    assert_eq!(told.n, 4);
}

#[tokio::test]
async fn many_come_at_once() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let server = pnet::serve(QuizServer, ()).listen(UnixAcceptor::bind(&path).await.expect("it is free"));
    let clients: Vec<_> = (0..50)
        .map(|n| {
            let path = path.clone();
            tokio::spawn(async move {
                let (io, peer) = unix::connect(&path).await.expect("a server answers");
                let quiz = pnet::connect(Ui, ()).over(io, peer).await.expect("it is let in");
                quiz.call(Ask { n }).await.expect("it is answered").n
            })
        })
        .collect();
    for (n, client) in (0..).zip(clients) {
        assert_eq!(timeout(DEADLINE, client).await.expect("in time").expect("no panic"), n + 1);
    }
    drop(server);
}
