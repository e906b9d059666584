//! Many clients of pnet do all that clients can do, each with secrets of its own.

use std::{sync::Arc, time::Duration};

use pnet::{
    Backoff, CallError, Client, CloseCode, Dialect, Json, LinkState, Secret, memory::MemoryServer, transport::PeerAddr,
};
use serde_json::json;

use super::{
    house,
    house::{Ask, Fail, House, HouseClient, How, Keep, Kind, LETMEIN, List, Login, News, Strict, Talk, Told, Whisper},
    operators, replay,
    tls::{AUTHORITY, key, watch_key},
    watch::{Watch, lock},
    way::Way,
};

/// How many connections there are.
fn count() -> usize {
    std::env::var("PNET_CANARIES").map_or(60, |count| count.parse().expect("PNET_CANARIES is a number"))
}

#[tokio::test(start_paused = true)]
async fn many_connections_show_no_secret() {
    let watch = Arc::new(Watch::new());
    let pem = key();
    watch_key(&watch, "the server's key", &pem);
    for (number, line) in AUTHORITY.key.lines().skip(1).take(2).enumerate() {
        watch.secret(format!("the certificate's key, line {number}"), line, &[]);
    }
    let house = Arc::new(House::default());
    let plain = house::builder(&house).person(operators::person).in_memory();
    let identity = pnet::Identity::from_pem(&pem).expect("it is a key");
    watch.show(&identity);
    let secure = house::with_key(&house, identity);
    watch.show(&house::builder(&house));

    let (count, mut ways) = (count(), Vec::new());
    // Fewer at a time than have their place in the waiting room.
    let numbers: Vec<_> = (0..count).collect();
    for some in numbers.chunks(32) {
        let visits = some.iter().map(|&number| {
            let (tls, dialect) = (number % 2 == 1, [Dialect::Native, Dialect::Json][number / 2 % 2]);
            let server = if tls { &secure } else { &plain };
            let way = Way::new(&watch, server, tls);
            ways.push(way.clone());
            visit(way, server.hub(), dialect, number)
        });
        let operators = async {
            loop {
                operators::look(&watch, &plain).await;
                operators::look(&watch, &secure).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            () = join_all(visits) => {}
            () = operators => {}
        }
        for server in [&plain, &secure] {
            watch.show(&server.hub().broadcast(&News { n: 1 }));
        }
    }
    for server in [plain, secure] {
        show_server(&watch, &server);
        watch.show(&server.shutdown(Duration::from_secs(5)).await);
    }

    // The tokens were known to nobody but the two ends.
    let mut tokens = 0;
    for way in &ways {
        for number in lock(&way.tapes).clone() {
            for token in replay::tokens(&watch.tape(number)) {
                watch.secret(format!("the token on tape {number}"), token, &[number]);
                tokens += 1;
            }
        }
    }
    assert!(tokens >= count, "{tokens} tokens of {count} clients");
    for way in ways.iter().take(60) {
        for number in lock(&way.tapes).clone() {
            replay::show(&watch, &watch.tape(number));
        }
    }
    watch.assert_kept();
    // There was something to be found.
    let (log, shown) = (watch.log(), watch.shown());
    for word in ["no connection", "a handler failed", "panicked", "the disk is full", "connects again later"] {
        assert!(log.contains(word), "{word} is not in the log");
    }
    for word in ["unauthorized", "redacted", "come back at nine", "no answer within", "Waiting", "Welcomed", "Hello"] {
        assert!(shown.contains(word), "{word} is not shown");
    }
}

async fn join_all<F: Future<Output = ()>>(futures: impl IntoIterator<Item = F>) {
    let mut all: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|task| {
        all.retain_mut(|future| future.as_mut().poll(task).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

fn show_server(watch: &Watch, server: &MemoryServer<Talk>) {
    watch.show(server);
    watch.show(&server.handle());
    watch.show(&server.connector());
    watch.show(&server.hub());
    watch.show(&server.hub().peers());
    watch.show(&server.hub().infos());
}

/// One client, from a refusal to its last words. What it does goes over connections of its own.
async fn visit(way: Way, hub: pnet::Hub<Talk>, dialect: Dialect, number: usize) {
    let watch = Arc::clone(&way.watch);
    let builder = |credentials: &str| {
        let builder = pnet::connect(HouseClient, ()).dialect(dialect);
        // Clients that come back are asked each time.
        let builder = if number.is_multiple_of(3) {
            let credentials = credentials.to_owned();
            builder.credentials_with(move || std::future::ready(credentials.clone()))
        } else {
            builder.credentials(&credentials.to_owned())
        };
        if way.tls { builder.roots(&AUTHORITY.root).server_name("localhost") } else { builder }
    };
    let wrong = way.secret("wrong");
    let refused = builder(&wrong);
    watch.show(&refused);
    let refused = refused.over::<Talk>(way.open().await.expect("opens"), PeerAddr::Memory).await;
    watch.show_error(&refused.expect_err("has the wrong credentials"));

    let credentials = way.secret(LETMEIN);
    let comes_back = number.is_multiple_of(3);
    let client: Client<Talk> = if comes_back {
        let again = builder(&credentials).reconnect(Backoff::new(Duration::from_millis(5), Duration::from_millis(9)));
        watch.show(&again);
        again.via(way.clone()).await.expect("is let in")
    } else {
        let io = way.open().await.expect("opens");
        builder(&credentials).over(io, PeerAddr::Memory).await.expect("is let in")
    };
    talk(&way, &client, number).await;
    if comes_back {
        let mut states = client.states();
        hub.close(client.id(), CloseCode::Internal, "as the test wants it");
        let waiting = states.wait_for(|state| matches!(state, LinkState::Waiting { .. })).await;
        watch.show(&*waiting.expect("the client is there"));
        states.wait_for(|state| matches!(state, LinkState::Up)).await.expect("the client is there");
        watch.show(&states);
        talk(&way, &client, number + 1).await;
    }
    let peer = hub.get(client.id()).expect("is there");
    converse(&way, &client, &peer).await;
    if number.is_multiple_of(2) {
        watch.reason(&*client.close().await);
    } else {
        peer.close(CloseCode::Normal, "enough");
        watch.reason(&*client.closed().await);
    }
    watch.reason(&*peer.closed().await);
    watch.show_error(&client.call(Keep { text: way.secret("late") }).await.map(drop).expect_err("is gone"));
    watch.show_error(&client.send(Whisper { text: way.secret("late") }).await.expect_err("is gone"));
    watch.show_error(&peer.send(Told { text: way.secret("late").into() }).await.expect_err("is gone"));
    watch.show(&(&client, &peer, client.states()));
}

/// What a client asks its server.
async fn talk(way: &Way, client: &Client<Talk>, number: usize) {
    let watch = &way.watch;
    let password = || Secret::from(way.secret("password"));
    let login = |user: &str| Login { user: user.to_owned(), password: password() };
    watch.show(&login("ada"));
    watch.show(&client.call(login("ada")).await.expect("is answered"));
    let denied = client.call(login("nobody")).await.expect_err("is denied");
    assert!(matches!(denied, CallError::Declared(_)), "{denied:?}");
    watch.show_error(&denied);
    let text = way.secret("kept");
    assert_eq!(client.call(Keep { text: text.clone() }).await.ok().map(|kept| kept.text), Some(text));
    for how in [How::Panic, How::Error, How::Words] {
        let failed = client.call(Fail { how, text: way.secret("failed") }).await;
        watch.show_error(&failed.expect_err("goes wrong"));
    }
    let never = client.call(Fail { how: How::Never, text: way.secret("never") }).timeout(Duration::from_millis(50));
    watch.show(&never);
    watch.show_error(&never.await.expect_err("is not answered"));
    let whisper = client.send(Whisper { text: way.secret("whispered") });
    watch.show(&whisper);
    whisper.await.expect("is sent");
    let mut items = client.stream(List { count: 3, text: way.secret("listed") });
    watch.show(&items);
    while let Some(item) = items.next().await {
        item.map(drop).expect("is an item");
        watch.show(&items);
    }
    let mut dropped = client.stream(List { count: 9, text: way.secret("listed") });
    dropped.next().await.expect("an item").map(drop).expect("is an item");
    drop(dropped);
    // The same, made at run time; well and badly.
    let json = |text: &str| Json::new("KEEP", json!({"text": text}));
    let kept = client.call_json(json(&way.secret("kept"))).await.expect("is answered");
    watch.show(&kept);
    watch.show(&client.send_json(&Json::new("WHISPER", json!({"text": way.secret("whispered")}))));
    for wrong in [json!({"text": [way.secret("misfit")]}), json!(way.secret("misfit")), json!({"text": 1})] {
        let wrong = Json::new("KEEP", wrong);
        watch.show(&wrong);
        watch.show_error(&client.call_json(wrong).await.expect_err("does not fit"));
    }
    if number == 0 {
        // So long that nobody takes it.
        let text = way.secret("long").repeat(40_000);
        watch.show_error(&client.call(Keep { text }).await.map(drop).expect_err("is too long"));
    }
    watch.show(client);
    watch.show(&client.rtt());
}

/// What a server says to one client.
async fn converse(way: &Way, client: &Client<Talk>, peer: &pnet::Peer<Talk>) {
    let watch = &way.watch;
    let told = || Told { text: way.secret("told").into() };
    let asking = peer.call(Ask { text: way.secret("asked") });
    watch.show(&asking);
    asking.await.map(drop).expect("is answered");
    watch.show_error(
        &peer.call(Strict { number: 1, kind: Kind::Two }).timeout(Duration::ZERO).await.expect_err("has no time"),
    );
    peer.send(told()).await.expect("is sent");
    peer.suspend();
    let suspended = peer.try_send(told()).expect_err("is suspended");
    watch.show(&suspended);
    watch.show_error(&suspended);
    watch.show_error(&peer.send(told()).await.expect_err("is suspended"));
    watch.show_error(&peer.call(Ask { text: way.secret("asked") }).await.map(drop).expect_err("is suspended"));
    peer.resume();
    watch.show(peer);
    watch.show(&peer.info());
    watch.say(peer.addr());
    watch.say(client.id());
}
