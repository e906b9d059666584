//! `pnet repl` by script. What it does in a terminal is driven by hand.

use std::{process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    time::timeout,
};

use crate::support::{BenchServer, LONG, Seen, run_with, serve, tool};

#[tokio::test(flavor = "multi_thread")]
async fn lines_are_carried_out_in_order() {
    let (_server, address, _) = serve().await;
    let script =
        b"# a comment\n\ncall ADD {\"a\": 1, \"b\": 2}\nADD {\"a\": 3, \"b\": 4}\nstream COUNT {\"to\": 2}\nping\n\
        schema ADD\nadd {}\nDIVIDE {\"a\": 1, \"b\": 0}\ncall ADD {\"a\": 5, \"b\": 6}";
    let ran = run_with(&["repl", &address, "--json"], script).await;
    let events = ran.json();
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap_or("-")).collect();
    assert_eq!(kinds, ["answer", "answer", "item", "item", "end", "ping", "-", "-", "-", "answer"]);
    assert_eq!((&events[1]["data"], &events[9]["data"]), (&json!({"sum": 7}), &json!({"sum": 11})));
    assert_eq!(events[6]["shape"], "{a: i64, b: i64} -> {sum: i64}");
    assert_eq!(events[7], json!({"error": "unknown command \"add\"; nearest: ADD", "exit": 2}));
    assert_eq!((&events[8]["exit"], &events[8]["answer"]["data"]), (&json!(1), &json!({"why": "ByZero"})));
    // That of the first that failed.
    assert_eq!(ran.exit, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_that_cannot_be_read_are_named() {
    let (_server, address, seen) = serve().await;
    let mut script = b"call ADD {\"a\": 1, \"b\": 2}\ncall \xff\n".to_vec();
    script.extend_from_slice(&vec![b'x'; 1 << 20]);
    script.extend_from_slice(b"\ncall ADD {\"a\": 1, \"b\": 2}\nquit\ncall ADD {\"a\": 1, \"b\": 2}\n");
    let ran = run_with(&["repl", &address], &script).await;
    assert_eq!(
        (ran.exit, &*ran.err),
        (2, "pnet: line 2 is no UTF-8, from byte 6 on\npnet: line 3 is longer than 65536 bytes\n")
    );
    assert_eq!(seen.calls.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn help_lists_what_may_be_typed() {
    let (_server, address, _) = serve().await;
    let ran = run_with(&["repl", &address], b"help\ninfo\nactions\n").await;
    assert_eq!((ran.exit, &*ran.err), (0, ""));
    for word in ["call ACTION JSON", "schema [ACTION]", "Bench at 127.0.0.1:", "plain text", "COUNT   stream"] {
        assert!(ran.out.contains(word), "{word}: {}", ran.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_command_connects_again() {
    let (server, address, _) = serve().await;
    let mut child = tool(&["repl", &address, "--json"]).stdin(Stdio::piped()).spawn().expect("the tool is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut out = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut ask = async |line: &str| {
        stdin.write_all(line.as_bytes()).await.expect("it reads");
        let line = timeout(LONG, out.next_line()).await.expect("in time").expect("a line").expect("a line");
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON")
    };
    assert_eq!(ask("ADD {\"a\": 1, \"b\": 2}\n").await["data"], json!({"sum": 3}));
    server.shutdown(Duration::from_secs(1)).await;
    let gone = ask("ADD {\"a\": 1, \"b\": 2}\n").await;
    assert!(gone["exit"] == 1 || gone["exit"] == 3, "{gone}");
    let _server = pnet::serve(BenchServer, Seen::default()).bind(&*address).await.expect("the port is free again");
    assert_eq!(ask("ADD {\"a\": 1, \"b\": 2}\n").await["data"], json!({"sum": 3}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_script_wherever_it_is() {
    let (_server, address, _) = serve().await;
    // One waits for its next line, the other for an answer.
    for (script, signal, exit) in [
        ("call ADD {\"a\": 1, \"b\": 2}\n", Signal::INT, 130),
        ("call ADD {\"a\": 1, \"b\": 2}\n", Signal::TERM, 143),
        ("call ADD {\"a\": 1, \"b\": 2}\ncall WAIT\ncall ADD {\"a\": 1, \"b\": 2}\n", Signal::INT, 130),
    ] {
        let mut child = tool(&["repl", &address, "--json"]).stdin(Stdio::piped()).spawn().expect("the tool is built");
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut out = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        stdin.write_all(script.as_bytes()).await.expect("it reads");
        let line = timeout(LONG, out.next_line()).await.expect("in time").expect("it can be read");
        assert!(line.is_some_and(|line| line.contains("answer")));
        // So that it has gone on to what it waits for.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let id = child.id().and_then(|id| Pid::from_raw(id as i32)).expect("it runs");
        kill_process(id, signal).expect("it runs");
        let status = timeout(LONG, child.wait()).await.expect("it ends").expect("it is ours");
        assert_eq!(status.code(), Some(exit), "{script:?} {signal:?}");
        while let Some(line) = timeout(LONG, out.next_line()).await.expect("in time").expect("it can be read") {
            assert!(line.contains("interrupted"), "nothing is done after it: {line}");
        }
    }
}
