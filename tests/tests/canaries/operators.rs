//! What operators see shows no secret: the console's commands, what is attached to it, snapshots, the schema.

use std::{sync::Arc, time::Duration};

use pnet::{
    Client, Dialect, Json,
    console::{
        Console, Terminal, attach,
        attach::{Operator, RunOptions, SampleQuery},
    },
    inspect::{Inspect, Snapshot},
    memory::MemoryServer,
    transport::PeerAddr,
};
use serde_json::json;

use super::{
    house::{self, Guest, House, HouseClient, LETMEIN, Talk},
    replay,
    tls::{AUTHORITY, key, watch_key},
    watch::{Watch, lock},
    way::Way,
};

/// What changes nothing. `ID` is a connection's.
const LINES: &[&str] = &[
    "help",
    "help send",
    "list",
    "list --sort queue",
    "info ID",
    "actions",
    "schema",
    "schema KEEP",
    "tasks",
    "stats",
    "limits",
    "log trace",
    "nonsense",
    "info nobody",
    "send ID TOLD {\"wrong\": 1}",
    "send ID NEWS {\"n\": 7}",
    "broadcast NEWS {\"n\": 8}",
    "trigger WHISPER {\"text\": 1}",
    "trigger KEEP {\"text\": \"of an operator\"}",
    "trigger KEEP {\"text\": \"of an operator\"} as ID",
    "token",
];

/// Runs all lines on a terminal, as text and as JSON, and shows what comes of them.
pub(crate) async fn look(watch: &Watch, server: &MemoryServer<Talk>) {
    let console = Console::new(server).name("House");
    let snapshot = server.inspector().snapshot();
    let id = snapshot.connections.last().map_or("latest", |connection| &connection.id);
    let script: String = LINES.iter().map(|line| line.replace("ID", id) + "\n").collect();
    for terminal in [Terminal::plain(), Terminal::plain().json(true)] {
        let mut said = Vec::new();
        let ended = console.clone().run_on(script.as_bytes(), &mut said, terminal).await;
        watch.show(&ended);
        watch.say(String::from_utf8(said).expect("is text"));
    }
    show_snapshot(watch, &snapshot);
    watch.say(server.inspector().schema());
    watch.show(&(console, server.inspector()));
}

fn show_snapshot(watch: &Watch, snapshot: &Snapshot) {
    watch.show(snapshot);
    watch.say(serde_json::to_string(snapshot).expect("is JSON"));
}

/// A name for whoever has shown something, in which it must not stand.
pub(crate) fn person(guest: &Guest) -> String {
    format!("a guest who has shown {} bytes", guest.shown.len())
}

#[tokio::test]
async fn attached_operators_see_no_secret() {
    let watch = Arc::new(Watch::new());
    let pem = key();
    watch_key(&watch, "the server's key", &pem);
    let house = Arc::new(House::default());
    let plain = house::builder(&house).person(person).in_memory();
    let secure = house::with_key(&house, pnet::Identity::from_pem(&pem).expect("it is a key"));

    let mut clients: Vec<(Way, Client<Talk>)> = Vec::new();
    for (tls, dialect) in
        [(false, Dialect::Native), (false, Dialect::Json), (true, Dialect::Native), (true, Dialect::Json)]
    {
        let way = Way::new(&watch, if tls { &secure } else { &plain }, tls);
        let credentials = way.secret(LETMEIN);
        let builder = pnet::connect(HouseClient, ()).dialect(dialect).credentials(&credentials);
        let builder = if tls { builder.roots(&AUTHORITY.root).server_name("localhost") } else { builder };
        let client = builder.over(way.open().await.expect("opens"), PeerAddr::Memory).await.expect("is let in");
        let kept = client.call_json(Json::new("KEEP", json!({"text": way.secret("kept")}))).await;
        kept.expect("is answered");
        clients.push((way, client));
    }

    let folder = std::env::temp_dir().join(format!("pnet-canaries-{}", uuid::Uuid::new_v4().simple()));
    for (name, server) in [("plain", &plain), ("secure", &secure)] {
        look(&watch, server).await;
        let console = Console::new(server).name(name);
        let attached = console.listen(folder.join(name)).await.expect("is bound");
        let operator = attach::unix(attached.address()).await.expect("attaches");
        try_all(&watch, &operator).await;
        watch.show(&(attached.address(), &attached, &operator));
        watch.reason(&*operator.close().await);
    }
    for (_, client) in &clients {
        show_snapshot(&watch, &client.inspector().snapshot());
    }
    let _ = std::fs::remove_dir_all(&folder);

    let mut tokens = 0;
    for (way, client) in clients {
        watch.reason(&*client.close().await);
        for number in lock(&way.tapes).clone() {
            for token in replay::tokens(&watch.tape(number)) {
                watch.secret(format!("the token on tape {number}"), token, &[number]);
                tokens += 1;
            }
        }
    }
    assert!(tokens >= 4, "{tokens} tokens of 4 clients");
    for server in [plain, secure] {
        watch.show(&server.shutdown(Duration::from_secs(5)).await);
    }
    watch.assert_kept();
    let shown = watch.shown();
    for word in ["a guest who has shown", "of an operator", "KEEP", "max_connections"] {
        assert!(shown.contains(word), "{word} is not shown");
    }
}

/// All that an attached program can ask for.
async fn try_all(watch: &Watch, operator: &Operator) {
    let about = operator.about().await.expect("is told");
    let snapshot = operator.sample(&SampleQuery::default()).await.expect("is told");
    show_snapshot(watch, &snapshot);
    let id = &snapshot.connections.first().expect("somebody is there").id;
    for line in LINES {
        for json in [false, true] {
            let ran = operator.run(&line.replace("ID", id), &RunOptions::default().json(json)).await.expect("is run");
            watch.say(&ran.text);
            watch.show(&ran);
        }
    }
    let names = about.commands.iter().map(|command| command.name.clone());
    for begun in names.flat_map(|name| [format!("{name} "), format!("{name} {id} "), format!("{name} {id} TOLD {{\"")])
    {
        let completion = operator.complete(&begun, begun.len()).await.expect("is completed");
        watch.show(&completion);
    }
    for key in attach::SORT_KEYS {
        let sample = operator.sample(&SampleQuery::default().sort(*key, true).limit(2)).await.expect("is told");
        show_snapshot(watch, &sample);
    }
    watch.show(&about);
}
