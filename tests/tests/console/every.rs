//! Every command that is registered, in the program's terminal, over the socket, and as JSON.

use std::collections::BTreeSet;

use pnet::console::{
    Terminal,
    attach::{self, Operator, RunOptions},
};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    hall::{DEADLINE, Hall},
    shown::normal,
};

/// What is typed for each command, and its exit status. A command without a line is a failure.
const CASES: &[(&str, &str, u8)] = &[
    ("help", "help", 0),
    ("help", "help trigger", 0),
    ("list", "list", 0),
    ("info", "info NATIVE", 0),
    ("ping", "ping JSON", 0),
    ("ping", "ping OLD", 1),
    ("pingall", "pingall", 0),
    ("send", "send NATIVE NOTICE {\"text\": \"hello\"}", 0),
    ("send", "send NATIVE NOTICE {\"text\": 1}", 2),
    ("call", "call TLS READY {\"text\": \"hello\"}", 0),
    ("broadcast", "broadcast NOTICE {\"text\": \"hello\"}", 0),
    ("trigger", "trigger SAY {\"text\": \"hello\"} as JSON", 0),
    ("trigger", "trigger ADD {\"a\": 255, \"b\": 1}", 1),
    ("trigger", "trigger COUNT {\"to\": 3}", 0),
    ("actions", "actions", 0),
    ("schema", "schema", 0),
    ("schema", "schema SAY", 0),
    ("suspend", "suspend NATIVE", 0),
    ("resume", "resume NATIVE", 0),
    ("disconnect", "disconnect NATIVE be good", 0),
    ("dropall", "dropall", 2),
    ("dropall", "dropall --yes", 0),
    ("tasks", "tasks", 0),
    ("stats", "stats", 0),
    ("limits", "limits", 0),
    ("log", "log debug", 0),
    ("drain", "drain 5 --yes", 0),
    ("stop", "stop", 2),
    ("stop", "stop --yes", 0),
    ("clear", "clear", 0),
    ("exit", "exit", 0),
    ("greet", "greet ada", 0),
    ("boom", "boom", 1),
    ("slow", "slow", 4),
];

/// What is left of a hall after them is another one.
const LAST_OF_A_HALL: &[&str] = &["disconnect NATIVE be good", "dropall --yes", "drain 5 --yes", "stop --yes"];

/// How a line reaches the console.
#[derive(Clone, Copy, Debug)]
enum Way {
    Terminal,
    Socket,
}

/// Somebody who types, in one way.
struct Typist {
    hall: Hall,
    operator: Operator,
    way: Way,
    json: bool,
}

impl Typist {
    async fn sit_down(way: Way, json: bool) -> Self {
        let hall = Hall::open().await;
        let operator = attach::unix(hall.path()).await.expect("the socket is there");
        Self { hall, operator, way, json }
    }

    /// What is said to the line, and its exit status.
    async fn said(&self, line: &str) -> (String, u8) {
        let mut typed = line.to_owned();
        for (id, name) in self.hall.ids().iter().zip(["NATIVE", "JSON", "TLS", "OLD"]) {
            typed = typed.replace(&format!(" {name}"), &format!(" {}", &id[..6]));
        }
        let (text, status) = match self.way {
            Way::Terminal => {
                let terminal = Terminal::plain().json(self.json);
                let (text, ended) = self.hall.run_with(format!("{typed}\n").as_bytes(), terminal).await;
                (text, ended.status())
            }
            Way::Socket => {
                let options = RunOptions::default().json(self.json);
                let ran = timeout(DEADLINE, self.operator.run(&typed, &options)).await.expect("in time");
                let ran = ran.expect("an answer");
                (ran.text, ran.exit)
            }
        };
        // On a busy machine there are more of these.
        let lines = text.lines().filter(|line| !line.starts_with("took "));
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        (normal(&text, &self.hall), status)
    }
}

/// All cases in one way.
async fn all_said(way: Way, json: bool) -> Vec<(String, u8)> {
    let mut typist = Typist::sit_down(way, json).await;
    let mut all = Vec::new();
    for (_, line, _) in CASES {
        all.push(typist.said(line).await);
        if LAST_OF_A_HALL.contains(line) {
            typist = Typist::sit_down(way, json).await;
        }
    }
    all
}

#[tokio::test]
async fn each_command_says_the_same_wherever_it_is_typed() {
    let hall = Hall::open().await;
    let operator = attach::unix(hall.path()).await.expect("the socket is there");
    let about = operator.about().await.expect("an answer");
    let registered: BTreeSet<&str> = about.commands.iter().map(|command| &*command.name).collect();
    let tried: BTreeSet<&str> = CASES.iter().map(|(command, ..)| *command).collect();
    assert_eq!(registered, tried, "each command has a case here");

    for json in [false, true] {
        let (in_terminal, over_socket) = (all_said(Way::Terminal, json).await, all_said(Way::Socket, json).await);
        for (((command, line, status), here), there) in CASES.iter().zip(in_terminal).zip(over_socket) {
            assert_eq!(here, there, "{line}: in a terminal, and over the socket");
            assert_eq!(here.1, *status, "{line}: {}", here.0);
            let is_silent = ["clear", "exit"].contains(command);
            assert_eq!(here.0.is_empty(), is_silent, "{line}");
            if json {
                here.0.lines().for_each(|object| check_json(line, object, *status));
            }
        }
    }
}

/// One thing is one line, and a failure says its status.
fn check_json(line: &str, object: &str, status: u8) {
    let object: Value = serde_json::from_str(object).unwrap_or_else(|error| panic!("{line}: {error}: {object}"));
    assert!(object.is_object(), "{line}: {object}");
    let exit = object.get("exit").map(Value::as_u64);
    assert!(exit.is_none_or(|exit| exit == Some(status.into())), "{line}: {object}");
}

#[tokio::test]
async fn each_example_fits_its_command() {
    let hall = Hall::open().await;
    let (help, _) = hall.run_with(b"help\n", Terminal::plain().json(true)).await;
    for line in help.lines() {
        let command: Value = serde_json::from_str(line).expect("JSON");
        let Some(example) = command["example"].as_str() else { continue };
        // What asks does nothing without a yes; the others do not find the id.
        let (said, _) = hall.run(&format!("{}\n", example.replace(" --yes", ""))).await;
        for misuse in ["missing", "too much", "no option", "no JSON", "behind the JSON", "unknown command"] {
            assert!(!said.contains(misuse), "{example}: {said}");
        }
    }
}

#[tokio::test]
async fn names_of_json_fields_stay() {
    let hall = Hall::open().await;
    let fields = |object: &Value| object.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(" "));
    let check = async |line: &str, expected: &str| {
        let (json, _) = hall.run_with(line.as_bytes(), Terminal::plain().json(true)).await;
        let first: Value = serde_json::from_str(json.lines().next().unwrap_or("{}")).expect("JSON");
        assert_eq!(fields(&first).as_deref(), Some(expected), "{line}: {json}");
    };
    check("help", "aliases arguments brief command example help own").await;
    check(
        "list",
        "addr age_ms awaited form id idle_ms in_flight key person queue_bytes queue_limit queue_packets received rtt_us \
         sent suspended tls",
    )
    .await;
    check("pingall", "id rtt_us").await;
    check("ping latest", "error exit").await;
    check("send 0 NOTICE {}", "error exit").await;
    check("broadcast NOTICE {\"text\": \"\"}", "action dropped queued skipped").await;
    check("trigger SAY {\"text\": \"\"}", "action data failed").await;
    check("schema SAY", "action direction fields packet shape").await;
    check("stats", "about closes totals").await;
    check("tasks", "in_flight tasks threads waiting workers").await;
    check("log debug", "level text").await;
    check("greet ada", "command text").await;
    check("dropall --yes", "disconnected").await;
    check("drain 1 --yes", "draining seconds").await;
    check("stop --yes", "stopping").await;
}
