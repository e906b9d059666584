//! TLS, by pins and known hosts; and real sockets.

use pnet::{ConnectError, Json, dynamic};
use pnet_tests::{
    keys,
    talk::{Book, TalkServer},
};
use serde_json::json;

use super::support::in_time;

#[tokio::test]
async fn a_pinned_server_is_trusted_and_another_is_not() {
    let server = pnet::serve(TalkServer, Book::default()).identity(keys::server()).bind("127.0.0.1:0").await;
    let server = server.expect("a port is free");
    let address = server.local_addr();
    let pin = keys::server().fingerprint();
    let (talk, _inbox) = in_time(dynamic::connect().pin(pin).to(address)).await.expect("it is the right key");
    assert_eq!(talk.key(), Some(pin));
    let sum = in_time(talk.call(Json::new("DIVIDE", json!({"a": 6, "b": 2})))).await.expect("it is answered");
    assert_eq!(sum.data(), &json!({"q": 3}));
    in_time(talk.close()).await;

    let other = keys::stranger().fingerprint();
    let refused = in_time(dynamic::connect().pin(other).to(address)).await;
    assert!(matches!(refused, Err(ConnectError::Tls(_))), "{refused:?}");
    let no_pin = in_time(dynamic::connect().pin("SHA256:nonsense").to(address)).await;
    assert!(matches!(no_pin, Err(ConnectError::Tls(_))), "{no_pin:?}");
}

#[tokio::test]
async fn a_server_is_known_by_the_file_of_known_hosts() {
    let server = pnet::serve(TalkServer, Book::default()).identity(keys::server()).bind("127.0.0.1:0").await;
    let server = server.expect("a port is free");
    let folder = std::env::temp_dir().join(format!("pnet-dynamic-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir(&folder).expect("it can be made");
    let file = folder.join("known_hosts");
    for _ in 0..2 {
        let builder = dynamic::connect().known_hosts(&file).identity(keys::client());
        let (talk, _inbox) = in_time(builder.to(server.local_addr())).await.expect("it is trusted");
        let peer = server.hub().latest().expect("it is there");
        assert_eq!(peer.key().copied(), Some(keys::client().fingerprint()));
        in_time(talk.close()).await;
    }
    let lines = std::fs::read_to_string(&file).expect("it was written");
    assert!(lines.contains(&keys::server().fingerprint().to_string()), "{lines}");
    std::fs::remove_dir_all(&folder).expect("it can be removed");
}
