//! `call`, `send`, `stream`, `listen`, `actions`, `schema`.

use std::{sync::atomic::Ordering::Relaxed, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

use crate::support::{Folder, LONG, Ran, Said, run, run_with, serve, tool};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_prints_its_answer() {
    let (_server, address, _) = serve().await;
    let ran = run(&["call", &address, "ADD", r#"{"a": 1, "b": 2}"#]).await;
    assert_eq!((ran.exit, &*ran.out, &*ran.err), (0, "SUM {\"sum\":3}\n", ""));

    let ran = run_with(&["call", &address, "ADD", "-", "--json"], br#"{"a": 1, "b": 2}"#).await;
    let [event] = ran.json().try_into().expect("one event is one line");
    assert_eq!(keys(&event), ["action", "data", "event", "ms"]);
    assert_eq!((ran.exit, &event["event"], &event["data"]), (0, &json!("answer"), &json!({"sum": 3})));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_refuses_is_told() {
    let (_server, address, _) = serve().await;
    let ran = run(&["call", &address, "DIVIDE", r#"{"a": 1, "b": 0}"#]).await;
    assert_eq!((ran.exit, &*ran.out), (1, ""));
    assert_eq!(ran.err, "pnet: the answer is an error: NOT_DIVIDED {\"why\":\"ByZero\"}\n");

    let ran = run(&["call", &address, "DIVIDE", r#"{"a": 1, "b": 0}"#, "--json"]).await;
    let [event] = ran.json().try_into().expect("one event is one line");
    assert_eq!((ran.exit, keys(&event)), (1, vec!["answer", "error", "exit"]));
    assert_eq!(event["answer"], json!({"action": "NOT_DIVIDED", "data": {"why": "ByZero"}}));
    assert_eq!(event["exit"], 1);

    let ran = run(&["call", &address, "BREAK"]).await;
    assert_eq!(ran.exit, 1);
    assert!(ran.err.contains(r"it was used \u{1b}[31mtoo often (worn-out)"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_that_does_not_fit() {
    let (_server, address, seen) = serve().await;
    for (arguments, why) in [
        (
            vec!["call", "ADD", r#"{"a": 1, "c": 2}"#],
            "ADD: `data.c` is no field; there are `a`: i64 (required), `b`: i64 (required)",
        ),
        (vec!["call", "ADD", r#"{"a": 1, "b": "two"}"#], "ADD: `data.b`: an integer is wanted, and this is a string"),
        (vec!["call", "ADD"], "ADD: `data.a` is missing"),
        (vec!["call", "AD", "{}"], "\"AD\" is no action that clients of `Bench` can send; nearest: ADD"),
        (vec!["call", "SAY", r#"{"text": "x"}"#], "SAY has no answer: use `send`"),
        (vec!["send", "ADD", r#"{"a": 1, "b": 2}"#], "ADD is answered: use `call`"),
        (vec!["call", "COUNT", r#"{"to": 1}"#], "COUNT is answered with a stream: use `stream`"),
        (vec!["stream", "ADD", "{}"], "ADD is answered: use `call`"),
        (vec!["call", "ADD", "{a: 1}"], "the data is no JSON: key must be a string at line 1 column 2"),
        (vec!["listen", "SAY"], "\"SAY\" is no action that the server of `Bench` can send; there are SAID"),
    ] {
        let mut all = vec![arguments[0], &address];
        all.extend_from_slice(&arguments[1..]);
        let ran = run(&all).await;
        assert_eq!(ran.exit, 2, "{arguments:?}: {ran:?}");
        assert!(ran.err.starts_with(&format!("pnet: {why}")), "{arguments:?}: {}", ran.err);
        all.push("--json");
        let ran = run(&all).await;
        let [event] = ran.json().try_into().expect("one event is one line");
        assert_eq!((keys(&event), &event["exit"]), (vec!["error", "exit"], &json!(2)));
    }
    assert_eq!(seen.calls.load(Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_does_not_come_in_time_is_a_status_of_its_own() {
    let (_server, address, _) = serve().await;
    let ran = run(&["call", &address, "WAIT", "--timeout", "100ms"]).await;
    assert_eq!((ran.exit, &*ran.err), (4, "pnet: no answer within 100ms\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_printed_to_its_end() {
    let (_server, address, _) = serve().await;
    let ran = run(&["stream", &address, "COUNT", r#"{"to": 5, "step": 2}"#]).await;
    assert_eq!((ran.exit, &*ran.out), (0, "NUMBER {\"n\":1}\nNUMBER {\"n\":3}\nNUMBER {\"n\":5}\nend: 3 items\n"));

    let ran = run(&["stream", &address, "COUNT", r#"{"to": 1}"#, "--json"]).await;
    let item = json!({"event": "item", "action": "NUMBER", "data": {"n": 1}});
    assert_eq!(ran.json(), [item, json!({"event": "end", "items": 1})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_the_tool_without_a_word() {
    let (_server, address, _) = serve().await;
    let mut child = tool(&["stream", &address, "COUNT", r#"{"to": 1000000}"#]).spawn().expect("the tool is built");
    let mut out = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let first = timeout(LONG, out.next_line()).await.expect("in time").expect("a line");
    assert_eq!(first.as_deref(), Some("NUMBER {\"n\":1}"));
    drop(out);
    let ran = Ran::of(timeout(LONG, child.wait_with_output()).await.expect("in time").expect("it ends"));
    assert_eq!((ran.exit, &*ran.err), (0, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_sends_is_printed_and_harmless() {
    let (server, address, _) = serve().await;
    let listen = tokio::spawn({
        let address = address.clone();
        async move { run(&["listen", &address, "SAID", "--json", "--count", "2"]).await }
    });
    // It is there once the server has it.
    let hub = server.hub();
    timeout(LONG, async {
        while hub.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it connects");
    for text in ["one", "\\u001b[31m \\u202e two"] {
        let ran = run(&["send", &address, "SAY", &format!("{{\"text\": \"{text}\"}}")]).await;
        assert_eq!((ran.exit, &*ran.out), (0, "sent SAY\n"));
    }
    let ran = listen.await.expect("no panic");
    let said = |text| json!({"event": "packet", "action": "SAID", "data": {"text": text}});
    assert_eq!((ran.exit, ran.json()), (0, vec![said("one"), said("\u{1b}[31m \u{202e} two")]));
    assert!(ran.out.is_ascii());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_told() {
    let (server, address, _) = serve().await;
    let mut child = tool(&["listen", &address]).spawn().expect("the tool is built");
    let mut out = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    // It listens once it has printed something.
    let hub = server.hub();
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let listens = async {
        loop {
            tokio::select! {
                line = out.next_line() => break line.expect("a line"),
                _ = again.tick() => drop(hub.broadcast(&Said { text: "x".to_owned() })),
            }
        }
    };
    assert!(timeout(LONG, listens).await.expect("in time").is_some());
    server.shutdown(Duration::from_millis(100)).await;
    while timeout(LONG, out.next_line()).await.expect("in time").expect("lines").is_some() {}
    let ran = Ran::of(timeout(LONG, child.wait_with_output()).await.expect("in time").expect("it ends"));
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.err.starts_with("pnet: connection closed by the peer"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_shown_and_can_be_used_again() {
    let (_server, address, _) = serve().await;
    let ran = run(&["actions", &address]).await;
    assert_eq!(ran.exit, 0);
    assert!(ran.out.contains("ADD     call        {a: i64, b: i64} -> {sum: i64}\n"), "{}", ran.out);
    assert!(ran.out.contains("SAID    is pushed   {text: str}\n"), "{}", ran.out);

    let ran = run(&["actions", &address, "--json"]).await;
    let events = ran.json();
    assert_eq!(events.len(), 8);
    for event in &events {
        assert_eq!(keys(event), ["action", "described", "direction", "fields", "kind", "packet", "shape"]);
    }
    let add = events.iter().find(|event| event["action"] == "ADD").expect("it is listed");
    assert_eq!(add["fields"][0], json!({"name": "a", "type": "i64", "required": true}));

    let ran = run(&["schema", &address, "COUNT"]).await;
    assert!(ran.out.contains("\n  to    u64\n  step  u64  (may be left out)\n"), "{}", ran.out);
    let ran = run(&["schema", &address, "CUONT"]).await;
    assert_eq!(ran.exit, 2);
    assert!(ran.err.contains("nearest: COUNT"), "{}", ran.err);

    let folder = Folder::new();
    let schema = folder.write("bench.json", &run(&["schema", &address]).await.out);
    let ran = run(&["call", &address, "ADD", r#"{"a": 2, "b": 2}"#, "--schema", &schema]).await;
    assert_eq!((ran.exit, &*ran.out), (0, "SUM {\"sum\":4}\n"));
    let broken = folder.write("broken.json", "{}");
    let ran = run(&["call", &address, "ADD", "{}", "--schema", &broken]).await;
    assert_eq!(ran.exit, 2, "{ran:?}");
}

fn keys(event: &Value) -> Vec<&str> {
    event.as_object().expect("an object").keys().map(String::as_str).collect()
}
