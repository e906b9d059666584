//! A server to talk to, and the tool run to its end.

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet::{Failure, Hub, Packet, Schema, SendError, Server, StreamSender, action, actions, protocol};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Add {
    a: i64,
    b: i64,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Sum {
    sum: i64,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Divide {
    a: i64,
    b: i64,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Quotient {
    quotient: i64,
}

#[derive(Debug, Packet, Serialize, Deserialize)]
pub(crate) struct NotDivided {
    why: Why,
}

#[derive(Debug, Schema, Serialize, Deserialize)]
pub(crate) enum Why {
    ByZero,
}

/// Fails with a code of its own.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Break {}

/// Is never answered.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Wait {}

/// Is passed on to everybody.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Say {
    text: String,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Said {
    pub(crate) text: String,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Count {
    to: u64,
    step: Option<u64>,
}

#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Number {
    n: u64,
}

/// Stops the thread that the server runs on.
#[derive(Packet, Serialize, Deserialize)]
pub(crate) struct Block {
    millis: u64,
}

protocol! {
    pub(crate) Bench {
        client {
            Add -> Sum,
            Divide -> Result<Quotient, NotDivided>,
            Break -> Sum,
            Wait -> (),
            Say,
            Count -> stream Number,
            Block -> (),
        }
        server { Said }
    }
}

/// What the server has been asked for.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) calls: AtomicU64,
}

#[action("ADD")]
fn add(p: Add, seen: &Seen) -> Sum {
    seen.calls.fetch_add(1, Relaxed);
    Sum { sum: p.a.wrapping_add(p.b) }
}

#[action("DIVIDE")]
fn divide(p: Divide) -> Result<Quotient, NotDivided> {
    p.a.checked_div(p.b).map(|quotient| Quotient { quotient }).ok_or(NotDivided { why: Why::ByZero })
}

#[action("BREAK")]
fn broken(_: Break) -> Result<Sum, Failure> {
    Err(Failure::public("worn-out", "it was used \u{1b}[31mtoo often"))
}

#[action("WAIT")]
async fn wait(_: Wait) {
    std::future::pending().await
}

#[action("SAY")]
fn say(p: Say, everybody: Hub<Bench>) {
    everybody.broadcast(&Said { text: p.text });
}

#[action("COUNT")]
async fn count(p: Count, out: StreamSender<Number>) -> Result<(), SendError> {
    for n in (1..=p.to).step_by(p.step.unwrap_or(1).max(1) as usize) {
        out.send(Number { n }).await?;
    }
    Ok(())
}

#[action("BLOCK")]
fn block(p: Block) {
    std::thread::sleep(Duration::from_millis(p.millis));
}

actions! { pub(crate) server BenchServer(Seen) for Bench: add, divide, broken, wait, say, count, block }

/// A server on a port of its own, and its address.
pub(crate) async fn serve() -> (Server<Bench>, String, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let server = pnet::serve(BenchServer, Arc::clone(&seen)).bind("127.0.0.1:0").await.expect("a free port");
    let address = server.local_addr().to_string();
    (server, address, seen)
}

/// The tool, with none of this environment's settings.
pub(crate) fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pnet"));
    command
        .args(arguments)
        .env_remove("PNET_CREDENTIALS")
        .env("PNET_HISTORY", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What the tool has printed, and its status.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the tool prints UTF-8");
        let ran = Self {
            exit: output.status.code().expect("the tool ends by itself"),
            out: text(output.stdout),
            err: text(output.stderr),
        };
        for printed in [&ran.out, &ran.err] {
            let odd = printed.chars().find(|char| char.is_control() && *char != '\n');
            assert_eq!(odd, None, "{printed:?}");
        }
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    /// The lines, each as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        assert_eq!(self.err, "", "with --json all is on the standard output");
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// Runs the tool to its end.
pub(crate) async fn run(arguments: &[&str]) -> Ran {
    finish(tool(arguments)).await
}

/// Runs the tool with this on its standard input.
pub(crate) async fn run_with(arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = tool(arguments).stdin(Stdio::piped()).spawn().expect("the tool is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    let input = input.to_owned();
    let write = tokio::spawn(async move {
        // It may end before it has read all.
        let _ = stdin.write_all(&input).await;
    });
    let output = timeout(LONG, child.wait_with_output()).await.expect("the tool ends in time");
    write.abort();
    Ran::of(output.expect("its output can be read"))
}

pub(crate) async fn finish(mut command: Command) -> Ran {
    let output = timeout(LONG, command.output()).await.expect("the tool ends in time");
    Ran::of(output.expect("the tool is built"))
}

/// A folder of a test's own, gone with this.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("pnet-tool-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a path of ASCII").to_owned()
    }

    /// The path of a file in it, with this in it.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        std::fs::write(self.0.join(name), content).expect("it can be written");
        self.file(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Longer than anything here takes on a machine that has other things to do.
pub(crate) const LONG: Duration = Duration::from_secs(60);
