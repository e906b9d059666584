//! `pnet load`: what it counts. How well it measures is in `load_times`.

use std::sync::atomic::Ordering::Relaxed;

use serde_json::{Value, json};

use crate::support::{Folder, run, serve};

async fn load(address: &str, action: &str, data: &str, more: &[&str]) -> (i32, Value) {
    let ran = run(&[&["load", address, action, data, "--json"], more].concat()).await;
    let [event] = ran.json().try_into().expect("one event is one line");
    (ran.exit, event)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_plan_is_made_and_counted() {
    let (_server, address, seen) = serve().await;
    let folder = Folder::new();
    let svg = folder.file("times.svg");
    let more = ["--connections", "4", "--rate", "200", "--for", "500ms", "--svg", &svg];
    let (_, event) = load(&address, "ADD", r#"{"a": 1, "b": 2}"#, &more).await;
    assert_eq!(event["calls"], json!({"sent": 100, "ok": 100, "failed": 0, "unanswered": 0, "not_sent": 0}));
    // One on each connection before.
    assert_eq!(seen.calls.load(Relaxed), 104);
    let keys: Vec<_> = event.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        [
            "action",
            "address",
            "calls",
            "connect_us",
            "connections",
            "errors",
            "event",
            "for_s",
            "generator_late_us",
            "lag_us",
            "rate",
            "reasons",
            "response_us",
            "same_machine",
            "service_us",
            "uncertain",
            "valid"
        ]
    );
    let times = event["response_us"].as_object().expect("an object");
    assert_eq!(times.keys().collect::<Vec<_>>(), ["max", "p50", "p90", "p99", "p99.9"]);
    let picture = std::fs::read_to_string(svg).expect("it is written");
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    for name in ["p50 ", "p99.9 ", "max ", "200/s asked"] {
        assert!(picture.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_counted_by_kind() {
    let (_server, address, _) = serve().await;
    let plan = ["--rate", "50", "--for", "200ms", "--timeout", "100ms"];
    let (exit, event) = load(&address, "DIVIDE", r#"{"a": 1, "b": 0}"#, &plan).await;
    assert_eq!((exit, &event["errors"]), (1, &json!({"declared NOT_DIVIDED": 10})));
    assert_eq!((&event["valid"], &event["calls"]["failed"]), (&json!(false), &json!(10)));
    // What does not work at all is told before a load is put on it.
    let (exit, event) = load(&address, "BREAK", "{}", &plan).await;
    assert_eq!(exit, 1);
    assert!(event["error"].as_str().expect("words").starts_with("the call before the load failed"), "{event}");
    let (exit, event) = load(&address, "WAIT", "{}", &plan).await;
    assert_eq!((exit, &event["exit"]), (4, &json!(4)));
    let (exit, event) = load(&address, "SAY", "{\"text\": \"x\"}", &plan).await;
    assert_eq!((exit, &event["error"]), (2, &json!("SAY has no answer: use `send`")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_leaves_no_call_unaccounted_for() {
    let (server, address, _) = serve().await;
    let stop = tokio::spawn(async move {
        let hub = server.hub();
        while hub.is_empty() {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server.shutdown(std::time::Duration::ZERO).await;
    });
    let (exit, event) = load(&address, "ADD", r#"{"a": 1, "b": 2}"#, &["--rate", "100", "--for", "1s"]).await;
    stop.await.expect("no panic");
    let count = |name: &str| event["calls"][name].as_u64().expect("a number");
    assert_eq!((exit, count("sent")), (1, 100), "{event}");
    assert_eq!(count("ok") + count("failed") + count("unanswered"), 100);
    assert!(event["errors"]["disconnected"].as_u64().is_some_and(|count| count > 0), "{event}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_while_too_much_is_open_is_counted_and_not_made() {
    let (_server, address, seen) = serve().await;
    let (exit, event) =
        load(&address, "BLOCK", r#"{"millis": 20}"#, &["--rate", "500", "--for", "200ms", "--max-in-flight", "2"])
            .await;
    let count = |name: &str| event["calls"][name].as_u64().expect("a number");
    assert_eq!((exit, count("sent") + count("not_sent")), (1, 100), "{event}");
    assert!(count("not_sent") > 50, "{event}");
    assert_eq!(seen.calls.load(Relaxed), 0);
}

/// The schedule goes on while the server does not: everybody who would have called meanwhile has waited.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_is_seen_by_all_who_would_have_called() {
    let stopped = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            // All of the server is on this thread, so that the handler stops all of it.
            let (server, address, _) = serve().await;
            let ran = tokio::task::spawn_blocking({
                let address = address.clone();
                move || {
                    let tool = |arguments: &[&str]| {
                        std::process::Command::new(env!("CARGO_BIN_EXE_pnet"))
                            .args(arguments)
                            .output()
                            .expect("the tool is built")
                    };
                    let plan = ["--rate", "100", "--for", "3s", "--json"];
                    let load = std::thread::spawn({
                        let address = address.clone();
                        move || {
                            let arguments = [&["load", &*address, "ADD", "{\"a\": 1, \"b\": 2}"], &plan[..]].concat();
                            std::process::Command::new(env!("CARGO_BIN_EXE_pnet"))
                                .args(arguments)
                                .output()
                                .expect("the tool is built")
                        }
                    });
                    std::thread::sleep(std::time::Duration::from_secs(1));
                    let blocked = tool(&["call", &address, "BLOCK", "{\"millis\": 1000}"]);
                    assert!(blocked.status.success(), "{blocked:?}");
                    load.join().expect("no panic")
                }
            });
            let ran = ran.await.expect("no panic");
            drop(server);
            ran
        })
    });
    let ran = stopped.join().expect("no panic");
    let event: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let micros = |name: &str| event["response_us"][name].as_f64().expect("a number");
    assert_eq!(event["calls"]["ok"], 300, "{event}");
    // A hundred of three hundred were due in that second; the time of each is what was left of it.
    assert!(micros("p90") > 500_000.0 && micros("p99") > 900_000.0 && micros("max") < 60_000_000.0, "{event}");
    // One that waits for an answer before it sends again would have seen it once.
    let service = event["service_us"]["p90"].as_f64().expect("a number");
    assert!(service > 500_000.0, "calls are sent while others wait: {event}");
}
