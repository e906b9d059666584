//! Sockets that are made, found, left behind and removed.

use std::{fs, os::unix::net::UnixListener, time::Duration};

use pnet::{
    BindError,
    transport::unix::{self, UnixAcceptor},
};
use pnet_tests::log::Log;
use tokio::time::timeout;

use super::support::{Ask, DEADLINE, Folder, QuizServer, Ui, mode_of, refused};

#[tokio::test]
async fn a_missing_directory_is_made_for_the_owner_alone() {
    let folder = Folder::new();
    let path = folder.at("run").join("quiz.sock");
    let bound = UnixAcceptor::bind(&path).await.expect("it is free");
    assert_eq!(mode_of(&folder.at("run")), 0o700);
    assert_eq!(bound.path(), path);
    drop(bound);
    assert!(!path.exists() && folder.at("run").exists());

    // One level, and no more.
    let error = refused(folder.at("a").join("b").join("quiz.sock")).await;
    assert!(matches!(error, BindError::Io { .. }), "{error:?}");
    assert!(!folder.at("a").exists());
}

#[tokio::test]
async fn a_socket_that_nobody_answers_at_is_replaced() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    drop(UnixListener::bind(&path).expect("it is free"));
    assert!(path.exists(), "a program that was killed leaves it");
    let server = pnet::serve(QuizServer, ()).listen(UnixAcceptor::bind(&path).await.expect("it is stale"));
    let (io, peer) = unix::connect(&path).await.expect("a server answers");
    let quiz = pnet::connect(Ui, ()).over(io, peer).await.expect("it is let in");
    assert_eq!(quiz.call(Ask { n: 1 }).await.expect("it is answered").n, 2);
    drop(server);
}

#[tokio::test]
async fn a_socket_in_use_stays_and_its_server_hardly_notices() {
    let (log, _kept) = Log::keep();
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let server = pnet::serve(QuizServer, ()).listen(UnixAcceptor::bind(&path).await.expect("it is free"));
    for _ in 0..3 {
        let error = refused(&path).await;
        assert!(matches!(&error, BindError::InUse { path: found } if *found == path), "{error:?}");
        assert_eq!(error.to_string(), format!("the socket {} is in use: a program answers there", path.display()));
    }
    let (io, peer) = unix::connect(&path).await.expect("the server is still there");
    let quiz = pnet::connect(Ui, ()).over(io, peer).await.expect("it is let in");
    assert_eq!(timeout(DEADLINE, quiz.call(Ask { n: 1 })).await.expect("in time").expect("it is answered").n, 2);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let text = log.text();
    assert!(text.contains("the transport broke during the handshake"), "the tries were seen: {text}");
    assert!(!text.contains("WARN") && !text.contains("ERROR"), "{text}");
    drop(server);
}

#[tokio::test]
async fn a_listener_that_does_not_accept_is_in_use() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let _listener = UnixListener::bind(&path).expect("it is free");
    let error = refused(&path).await;
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
    assert!(path.exists());

    // Also when as many wait as the system lets.
    let full = folder.at("full.sock");
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("there is memory");
    listener.bind(&socket2::SockAddr::unix(&full).expect("it is short")).expect("it is free");
    listener.listen(0).expect("it is bound");
    let mut waiting = Vec::new();
    loop {
        let next = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).expect("there is memory");
        next.set_nonblocking(true).expect("it can be");
        if next.connect(&socket2::SockAddr::unix(&full).expect("it is short")).is_err() {
            break;
        }
        waiting.push(next);
        assert!(waiting.len() < 10_000, "the queue has an end");
    }
    let error = timeout(DEADLINE, refused(&full)).await.expect("it does not wait");
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
}

#[tokio::test]
async fn only_the_own_socket_is_removed() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    let first = UnixAcceptor::bind(&path).await.expect("it is free");
    fs::rename(&path, folder.at("moved.sock")).expect("it is ours");
    let second = UnixAcceptor::bind(&path).await.expect("it is free");
    drop(first);
    assert!(path.exists(), "it is the second one's");
    drop(second);
    assert!(!path.exists());

    let third = UnixAcceptor::bind(&path).await.expect("it is free");
    fs::remove_file(&path).expect("it is ours");
    fs::write(&path, "a file").expect("it is ours");
    drop(third);
    assert_eq!(fs::read_to_string(&path).expect("it is there"), "a file");
}

#[tokio::test]
async fn of_many_who_bind_at_once_one_does() {
    let folder = Folder::new();
    let path = folder.at("quiz.sock");
    for round in 0..10 {
        // What they find is stale.
        drop(UnixListener::bind(&path).expect("it is free"));
        let tries: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                tokio::spawn(async move { UnixAcceptor::bind(path).await })
            })
            .collect();
        let mut bound = Vec::new();
        for attempt in tries {
            match timeout(DEADLINE, attempt).await.expect("in time").expect("no panic") {
                Ok(acceptor) => bound.push(acceptor),
                Err(error) => assert!(matches!(error, BindError::InUse { .. }), "round {round}: {error:?}"),
            }
        }
        assert_eq!(bound.len(), 1, "round {round}");
        assert!(unix::connect(&path).await.is_ok());
        drop(bound);
        assert!(!path.exists());
    }
}
