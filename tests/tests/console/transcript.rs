//! A session in which every command is typed, as a recorded file.

use std::{fmt::Write as _, path::PathBuf};

use pnet::console::Terminal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};

use super::{
    hall::{DEADLINE, Hall},
    shown::normal,
};

/// What is typed. `NATIVE`, `JSON`, `TLS` and `OLD` stand for the ids.
const SCRIPT: &str = r#"
help
help send
help greet
list
list --sort addr --limit 2
info NATIVE
coninfo TLS
ping NATIVE
ping OLD
ping latest
pingall
actions
schema
schema ADD
schema NOTICE
send NATIVE NOTICE {"text": "hello"}
send JSON NOTICE {"text": "hello", "level": "warn"}
send OLD NOTICE {"text": "hello"}
send NATIVE NOTICE {"txt": "hello"}
send NATIVE NOTICE {"text": 7}
send NATIVE NOTICE
send NATIVE READY {"text": "?"}
send NATIVE NOTIC {"text": "hello"}
send NATIVE SAY {"text": "hello"}
send NATIVE NOTICE {"text": "hello"
call TLS READY {"text": "are you?"}
call NATIVE ECHO {"to": 3}
call JSON ECHO {"too": 200}
send JSON ECHO {"to": 3}
call JSON NOTICE {"text": "hello"}
broadcast NOTICE {"text": "to all"}
broadcast READY {"text": "to all"}
trigger SAY {"text": "as nobody"}
trigger ADD {"a": 200, "b": 55}
trigger ADD {"a": 200, "b": 56}
trigger ADD {"a": 1}
trigger ADD {"a": 1, "b": "two"}
trigger NOTE {"text": "one way"}
trigger COUNT {"to": 2}
trigger WHO_AM_I
trigger WHO_AM_I as TLS
trigger WHO_AM_I {} as JSON
trigger WHO {} as JSON
suspend NATIVE
list
send NATIVE NOTICE {"text": "hello"}
broadcast NOTICE {"text": "to the others"}
resume NATIVE
send NATIVE NOTICE {"text": "hello"}
stats
limits
tasks
threads
log debug
log loud
log
greet ada "count lovelace"
greet
boom
slow 550
slow
dsconnect NATIVE
token
mode linux
info zz
list --sort colour
list --colour red
clear
disconnect NATIVE be good
info NATIVE
dropall
n
dropall
y
list
drain 99999999
drain 2
n
stop
y
"#;

/// Somebody at a terminal.
struct Typist {
    io: DuplexStream,
    seen: String,
}

impl Typist {
    /// Reads until the console waits for something; `false` if it is at its end.
    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        while !(self.seen.ends_with("Hall> ") || self.seen.ends_with(" y/N ")) {
            let len = timeout(DEADLINE, self.io.read(&mut buffer)).await.expect("in time").expect("memory");
            if len == 0 {
                return false;
            }
            self.seen.push_str(std::str::from_utf8(&buffer[..len]).expect("ASCII"));
        }
        true
    }
}

#[tokio::test]
async fn every_command_is_typed_and_answered_as_recorded() {
    let hall = Hall::open().await;
    let (here, there) = duplex(1024 * 1024);
    let (reader, writer) = tokio::io::split(there);
    let console = tokio::spawn(hall.console.clone().run_on(reader, writer, Terminal::interactive().columns(120)));
    let mut typist = Typist { io: here, seen: String::new() };
    let mut transcript = String::new();
    let mut goes_on = typist.read().await;
    for line in SCRIPT.trim().lines() {
        assert!(goes_on, "the console has ended before `{line}`");
        let said = std::mem::take(&mut typist.seen);
        let mut typed = line.to_owned();
        for (id, name) in hall.ids().iter().zip(["NATIVE", "JSON", "TLS", "OLD"]) {
            // Any beginning will do.
            typed = typed.replace(&format!(" {name}"), &format!(" {}", &id[..8]));
        }
        let _ = writeln!(transcript, "{said}{typed}");
        typist.io.write_all(format!("{typed}\n").as_bytes()).await.expect("the console reads");
        goes_on = typist.read().await;
    }
    transcript.push_str(&typist.seen);
    let ended = timeout(DEADLINE, console).await.expect("in time").expect("no panic").expect("no error");
    assert!(ended.is_stopped() && ended.status() == 0, "{ended:?}");
    timeout(DEADLINE, hall.server.closed()).await.expect("the server has ended");

    let shown = normal(&transcript, &hall).replace('\u{1b}', "<ESC>");
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/console/transcript.txt");
    if std::env::var_os("PNET_RECORD").is_some() {
        std::fs::write(&file, &shown).expect("the file can be written");
    }
    let recorded = std::fs::read_to_string(&file).expect("the file is there");
    for (number, (now, then)) in shown.lines().zip(recorded.lines()).enumerate() {
        assert_eq!(now, then, "line {} of {}; PNET_RECORD=1 records anew", number + 1, file.display());
    }
    assert_eq!(shown.lines().count(), recorded.lines().count());
}
