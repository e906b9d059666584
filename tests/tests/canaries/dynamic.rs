//! Clients whose protocol is known at run time show their secrets to nobody either.

use std::sync::Arc;

use pnet::{
    Failure, Identity, Json,
    dynamic::{self, Direction},
    transport::PeerAddr,
};
use serde_json::json;

use super::{
    house::{self, Ask, House, LETMEIN, Told},
    tls::{AUTHORITY, key},
    watch::Watch,
    way::Way,
};

#[tokio::test(start_paused = true)]
async fn dynamic_clients_show_no_secret() {
    let watch = Arc::new(Watch::new());
    let house = Arc::new(House::default());
    let identity = Identity::from_pem(key()).expect("it is a key");
    let (plain, secure) = (house::builder(&house).in_memory(), house::with_key(&house, identity));
    for tls in [false, true] {
        let server = if tls { &secure } else { &plain };
        let way = Way::new(&watch, server, tls);
        let builder = |credentials: &str| {
            let builder = dynamic::connect().credentials(json!(credentials));
            if tls { builder.roots(&AUTHORITY.root).server_name("localhost") } else { builder }
        };
        let refused = builder(&way.secret("wrong"));
        watch.show(&refused);
        let refused = refused.over(way.open().await.expect("opens"), PeerAddr::Memory).await;
        watch.show_error(&refused.map(drop).expect_err("has the wrong credentials"));

        let right = builder(&way.secret(LETMEIN));
        let (client, mut inbox) =
            right.over(way.open().await.expect("opens"), PeerAddr::Memory).await.expect("is let in");
        watch.show(&(&client, &inbox, client.schema(), client.protocol(), client.credentials()));
        for direction in [Direction::ToServer, Direction::ToClient] {
            client.actions(direction).for_each(|action| watch.show(&(action, action.shape(), action.fields())));
        }
        let login = |user: &str| Json::new("LOGIN", json!({"user": user, "password": way.secret("password")}));
        watch.show(&client.call(login("ada")).await.expect("is answered"));
        watch.show_error(&client.call(login("nobody")).await.expect_err("is denied"));
        for how in ["Panic", "Error", "Words"] {
            let failed = client.call(Json::new("FAIL", json!({"how": how, "text": way.secret("failed")}))).await;
            watch.show_error(&failed.expect_err("goes wrong"));
        }
        for wrong in [json!({"text": [way.secret("misfit")]}), json!(way.secret("misfit")), json!({"text": 1})] {
            let wrong = Json::new("KEEP", wrong);
            watch.show_error(&client.check(&wrong).expect_err("does not fit"));
            watch.show_error(&client.call(wrong).await.expect_err("does not fit"));
        }
        client.send(&Json::new("WHISPER", json!({"text": way.secret("whispered")}))).await.expect("is sent");
        let mut items = client.stream(&Json::new("LIST", json!({"count": 3, "text": way.secret("listed")})));
        watch.show(&items);
        while let Some(item) = items.next().await {
            watch.show(&item.expect("is an item"));
        }
        watch.show(&items);

        let peer = server.hub().get(client.id()).expect("is there");
        peer.send(Told { text: way.secret("told").into() }).await.expect("is sent");
        watch.show(&inbox.recv().await.expect("it is told"));
        for fails in [false, true] {
            let (peer, text) = (peer.clone(), way.secret("asked"));
            let asked = tokio::spawn(async move { peer.call(Ask { text }).await.map(drop) });
            let mut received = loop {
                let received = inbox.recv().await.expect("it is asked");
                watch.show(&received);
                if received.call.is_some() {
                    break received;
                }
            };
            let call = received.call.as_mut().expect("it is a call");
            watch.show_error(
                &call.reply_json(&Json::new("KEPT", json!({"text": [way.secret("misfit")]}))).expect_err("misfit"),
            );
            if fails {
                call.fail(Failure::internal("no reason"));
            } else {
                call.reply_json(&Json::new("KEPT", json!({"text": way.secret("kept")}))).expect("is the answer");
            }
            assert_eq!(asked.await.expect("no panic").is_err(), fails);
        }
        watch.reason(&*client.close().await);
        watch.show(&(client, inbox));
    }
    watch.assert_kept();
    let shown = watch.shown();
    for word in ["unauthorized", "a string is wanted", "Responder", "JsonStreaming"] {
        assert!(shown.contains(word), "{word} is not shown");
    }
}
