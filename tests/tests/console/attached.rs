//! Operators who attach: several, slow ones, strangers.

use std::time::Duration;

use pnet::{
    ConnectError,
    console::attach::{self, AttachError, RunOptions, SampleQuery},
};
use pnet_tests::{keys, log::Log};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

use super::hall::{DEADLINE, Hall};

#[tokio::test]
async fn an_operator_is_told_who_is_there() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    let about = operator.about().await.expect("an answer");
    assert_eq!((&*about.name, &*about.role, &*about.protocol), ("Hall", "server", "Talks"));
    assert_eq!(about.connections, 4);
    assert!(about.operator.starts_with("unix uid "), "{}", about.operator);
    let greet = about.commands.iter().find(|command| command.name == "greet").expect("the program's own");
    assert_eq!((&*greet.arguments, &*greet.help), ("NAME…", "Greets somebody."));
    assert!(about.commands.iter().any(|command| command.name == "stop" && command.asks));
}

#[tokio::test]
async fn what_is_no_console_is_told_from_one() {
    let folder = super::hall::Folder::new();
    let acceptor = pnet::transport::unix::UnixAcceptor::bind(folder.file("server")).await.expect("bound");
    let server = pnet::serve(super::hall::TalksServer, super::hall::Room::default()).listen(acceptor);
    let error = attach::unix(folder.file("server")).await.expect_err("it speaks something else");
    assert!(error.to_string().contains("`Talks` here and `PnetConsole` there"), "{error}");
    drop(server);
    let error = attach::unix(folder.file("nothing")).await.expect_err("nobody is there");
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[tokio::test]
async fn operators_do_not_disturb_each_other() {
    let hall = Hall::open().await;
    let one = attach::unix(hall.path()).await.expect("attached");
    let other = attach::unix(hall.path()).await.expect("attached");
    let waits = tokio::spawn({
        let one = one.clone();
        async move { one.run("slow", &RunOptions::default()).await }
    });
    for _ in 0..50 {
        let ran = other.run("list", &RunOptions::default()).await.expect("an answer");
        assert!(ran.text.ends_with("4 of 4 connections\n"), "{}", ran.text);
    }
    // Each has questions of its own.
    let asked = one.run("dropall", &RunOptions::default()).await.expect("an answer");
    assert!(asked.question.is_some_and(|question| question.contains("4 connections")));
    let waited = timeout(DEADLINE, waits).await.expect("in time").expect("no panic").expect("an answer");
    assert_eq!(waited.exit, 4);
    assert_eq!(hall.server.hub().len(), 4);
}

#[tokio::test]
async fn a_yes_is_to_what_was_asked() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    let asked = operator.run("dropall", &RunOptions::default()).await.expect("an answer");
    let question = asked.question.expect("a question");
    assert!(question.contains("4 connections") && question.contains(&hall.ids()[0][..8]), "{question}");

    // Another question is asked meanwhile, and somebody comes, who stays.
    let other = operator.run("stop", &RunOptions::default()).await.expect("an answer");
    assert!(other.question.is_some(), "{other:?}");
    let late = pnet::connect(super::hall::TalksClient, ()).to(hall.server.local_addr()).await.expect("let in");
    let ran = operator.run("dropall", &RunOptions::default().confirmed(true)).await.expect("an answer");
    assert_eq!(ran.text, "4 connections disconnected\n");
    let left = operator.run("list --json", &RunOptions::default()).await.expect("an answer").text;
    assert!(left.lines().count() == 1 && left.contains(&late.id().to_string()), "{left}");

    // Without a question, a yes is to whatever it is.
    let ran = operator.run("dropall", &RunOptions::default().confirmed(true)).await.expect("an answer");
    assert_eq!(ran.text, "1 connection disconnected\n");
}

#[tokio::test]
async fn stop_is_answered_before_the_program_ends() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    let ran = operator.run("stop --yes", &RunOptions::default()).await.expect("an answer");
    assert_eq!(ran.text, "stopping the server \"Hall\" with 4 connections\n");
    timeout(DEADLINE, hall.server.closed()).await.expect("the server has ended");
}

#[tokio::test]
async fn exit_and_clear_are_the_operators_own() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    assert!(operator.run("exit", &RunOptions::default()).await.expect("an answer").leave);
    assert!(operator.run("quit", &RunOptions::default()).await.expect("an answer").leave);
    assert!(operator.run("clear", &RunOptions::default()).await.expect("an answer").clear);
    assert!(!operator.is_closed());
}

#[tokio::test]
async fn lines_are_completed() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    let [native, ..] = hall.ids();
    let check = async |line: &str, start: usize, expected: &[&str]| {
        let completion = operator.complete(line, line.len()).await.expect("an answer");
        let shown: Vec<&str> = completion.candidates.iter().map(|candidate| &*candidate.text).collect();
        assert_eq!((completion.start, &*shown), (start as u64, expected), "{line}");
    };
    check("gre", 0, &["greet"]).await;
    check("pin", 0, &["ping", "pingall"]).await;
    check("help cal", 5, &["call"]).await;
    check(&format!("info {}", &native[..8]), 5, &[&native[..8]]).await;
    check("list --so", 5, &["--sort"]).await;
    check("list --sort que", 12, &["queue"]).await;
    check("broadcast ", 10, &["NOTICE"]).await;
    check("trigger A", 8, &["ADD"]).await;
    check("trigger ADD ", 12, &["{"]).await;
    check("trigger ADD {\"", 13, &["\"a\": ", "\"b\": "]).await;
    check("trigger ADD {\"a\": 1, ", 21, &["\"b\": "]).await;
    check("trigger ADD {\"a\": 1} a", 21, &["as"]).await;
    check(&format!("trigger ADD {{}} as {}", &native[..8]), 18, &[&native[..8]]).await;
    check("send ", 5, &hall.ids().each_ref().map(|id| &id[..8])).await;
    check("nothing ", 8, &[]).await;

    let completion = operator.complete("trigger SAY {", 13).await.expect("an answer");
    assert_eq!(completion.candidates[0].note, "str");
    // Wherever the cursor is said to be.
    for at in [0, 3, 1000, usize::MAX] {
        operator.complete("ñññ", at).await.expect("an answer");
    }
}

#[tokio::test]
async fn samples_are_sorted_and_cut_there() {
    let hall = Hall::open().await;
    for _ in 0..9 {
        hall.json.call(super::hall::Say { text: "x".into() }).await.expect("an answer");
    }
    let operator = attach::unix(hall.path()).await.expect("attached");
    let query = SampleQuery::default().sort("in", true).limit(1);
    let sample = operator.sample(&query).await.expect("a sample");
    let [first] = &*sample.connections else { panic!("one was asked for") };
    assert_eq!((&*first.id, first.received.calls), (&*hall.ids()[1], 9));
    assert_eq!(sample.totals.connections, 4);

    let sample = operator.sample(&SampleQuery::default().filter("JSON")).await.expect("a sample");
    assert_eq!(sample.connections.len(), 2 - usize::from(sample.connections.len() == 1));
    let sample = operator.sample(&SampleQuery::default().section("limits")).await.expect("a sample");
    assert!(sample.connections.is_empty() && sample.totals.connections == 4);
    let error = operator.sample(&SampleQuery::default().sort("colour", false)).await.expect_err("no such key");
    assert!(matches!(&error, AttachError::Refused(why) if why.contains("nothing is sorted by")), "{error}");
}

#[tokio::test]
async fn lines_that_are_too_long_are_refused() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    let ran = operator.run(&"x".repeat(100_000), &RunOptions::default()).await.expect("an answer");
    assert!(ran.exit == 2 && ran.text.contains("is longer than"), "{}", ran.text);
    let error = operator.run(&"x".repeat(3_000_000), &RunOptions::default()).await.expect_err("no frame is so long");
    assert!(matches!(error, AttachError::Unsendable(_)), "{error}");
    operator.run("list", &RunOptions::default()).await.expect("it goes on");
}

#[tokio::test]
async fn an_operator_who_never_reads_hurts_nobody() {
    let hall = Hall::open().await;
    let mut lazy = UnixStream::connect(hall.path()).await.expect("the socket is there");
    lazy.write_all(b"{\"action\":\"handShake\",\"data\":{\"pnet\":1}}\n").await.expect("it reads");
    let mut hello = [0; 4096];
    let len = timeout(DEADLINE, lazy.read(&mut hello)).await.expect("in time").expect("an answer");
    let hello: Value = serde_json::from_slice(&hello[..len]).expect("its handshake");
    let token = &hello["data"]["uuid"];
    for id in 0..2_000 {
        let run =
            format!("{{\"action\":\"CONSOLE_RUN\",\"data\":{{\"line\":\"help\"}},\"id\":{id},\"token\":{token}}}\n");
        // By and by it does not take more.
        if timeout(Duration::from_millis(200), lazy.write_all(run.as_bytes())).await.is_err() {
            break;
        }
    }
    let operator = attach::unix(hall.path()).await.expect("another one is let in");
    let ran = timeout(DEADLINE, operator.run("list", &RunOptions::default())).await.expect("in time");
    assert!(ran.expect("an answer").text.contains("4 of 4"));
    hall.native.call(super::hall::Say { text: "x".into() }).await.expect("the program goes on");
}

#[tokio::test]
async fn there_may_be_so_many_and_no_more() {
    let hall = Hall::open().await;
    let mut operators = Vec::new();
    for _ in 0..16 {
        operators.push(attach::unix(hall.path()).await.expect("attached"));
    }
    let error = attach::unix(hall.path()).await.expect_err("one too many");
    assert!(matches!(error, ConnectError::Refused(_)), "{error}");
    operators[0].run("list", &RunOptions::default()).await.expect("an answer");
}

#[tokio::test]
async fn a_browser_that_posts_is_no_operator() {
    let hall = Hall::open().await;
    let tls = hall.console.listen_tls("127.0.0.1:0", keys::server(), [keys::client().fingerprint()]).await;
    let tls = tls.expect("loopback can be bound");
    let post = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 64\r\n\r\n\
        {\"action\":\"CONSOLE_RUN\",\"data\":{\"line\":\"stop --yes\"},\"id\":1}\n\n\n";
    let mut socket = UnixStream::connect(hall.path()).await.expect("the socket is there");
    socket.write_all(post).await.expect("it reads");
    let mut tcp = TcpStream::connect(tls.address()).await.expect("the port is there");
    tcp.write_all(post).await.expect("it reads");
    let mut said = Vec::new();
    let _ = timeout(DEADLINE, socket.read_to_end(&mut said)).await.expect("is closed");
    let _ = timeout(DEADLINE, tcp.read_to_end(&mut said)).await.expect("is closed");
    assert!(!String::from_utf8_lossy(&said).contains("CONSOLE_RAN"));
    hall.native.call(super::hall::Say { text: "x".into() }).await.expect("nothing was stopped");
}

#[tokio::test]
async fn over_tls_only_those_who_are_listed_are_let_in() {
    let hall = Hall::open().await;
    let operators = [keys::client().fingerprint()];
    let tls = hall.console.listen_tls("127.0.0.1:0", keys::server(), operators).await.expect("bound");
    let pin = keys::server().fingerprint();
    let operator = attach::tls(tls.address(), keys::client(), pin).await.expect("attached");
    let about = operator.about().await.expect("an answer");
    assert_eq!(about.operator, keys::client().fingerprint().to_string());

    let error = attach::tls(tls.address(), keys::stranger(), pin).await.expect_err("not listed");
    assert!(matches!(error, ConnectError::Refused(_)), "{error}");
    let error = attach::tls(tls.address(), keys::client(), keys::stranger().fingerprint()).await;
    assert!(matches!(error, Err(ConnectError::Tls(_))), "another key than the pinned one");

    tls.close().await;
    timeout(DEADLINE, operator.closed()).await.expect("the console is closed");
}

#[tokio::test]
async fn what_an_operator_does_ends_when_they_go() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    let line = format!("trigger WAIT as {}", hall.ids()[0]);
    let options = RunOptions::default();
    let waiting = operator.run(&line, &options);
    assert!(timeout(Duration::from_millis(100), waiting).await.is_err(), "it waits");
    drop(operator);
    // Whatever waited is over, so that draining has nothing to wait for.
    let done = timeout(DEADLINE, hall.server.handle().shutdown(Duration::from_secs(30))).await.expect("in time");
    assert_eq!(done.calls, 0);
}

#[tokio::test]
async fn what_operators_do_is_logged_with_who_they_are_and_without_what_they_say() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("attached");
    let about = operator.about().await.expect("an answer");
    // What is logged on this thread, where all of this runs.
    let (log, _guard) = Log::keep();
    for line in [
        format!("send {} NOTICE {{\"text\": \"xyzzy\"}}", hall.ids()[0]),
        "broadcast NOTICE {\"text\": \"xyzzy\"}".to_owned(),
        "trigger SAY {\"text\": \"xyzzy\"}".to_owned(),
        format!("trigger WHO_AM_I as {}", hall.ids()[0]),
        format!("call {} READY {{\"text\": \"xyzzy\"}}", hall.ids()[0]),
        format!("suspend {}", hall.ids()[0]),
        format!("resume {}", hall.ids()[0]),
        "greet xyzzy".to_owned(),
        "log debug".to_owned(),
        format!("disconnect {} xyzzy", hall.ids()[0]),
        "dropall --yes".to_owned(),
    ] {
        let before = log.text().matches(&about.operator).count();
        let ran = operator.run(&line, &RunOptions::default()).await.expect("an answer");
        assert_eq!(ran.exit, 0, "{line}: {}", ran.text);
        assert!(log.text().matches(&about.operator).count() > before, "{line} is not in the log");
    }
    let log = log.text();
    for line in log.lines().filter(|line| line.contains(&about.operator)) {
        assert!(!line.contains("xyzzy"), "{line}");
    }
}
