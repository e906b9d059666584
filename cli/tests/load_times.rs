//! How well `pnet load` measures: beside a client that shares nothing with it, and against a server that stops.
//!
//! Times agree on a quiet machine and in a release build only, so that is looked at when it is asked for; else short runs show that
//! no call is lost, and that a stop shows:
//!
//! ```text
//! PNET_LOAD_TIMES=1 cargo test --release -p pnetwork-cli --test load_times -- --test-threads 1 --nocapture
//! ```

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use pnet::{Packet, action, actions, protocol};
use serde::{Deserialize, Serialize};
use serde_json::Value;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Packet, Serialize, Deserialize)]
struct Echo {
    text: String,
}

protocol! {
    Mirror {
        client { Echo -> Echo }
    }
}

#[action("ECHO")]
fn echo(p: Echo) -> Echo {
    p
}

actions! { server MirrorServer for Mirror: echo }

/// The server's process is this program again, as it runs this test alone: until its standard input ends.
#[test]
fn serves_the_other_tests() -> Outcome {
    if std::env::var_os(SERVE).is_none() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = pnet::serve(MirrorServer, ()).bind("127.0.0.1:0").await?;
        writeln!(std::io::stdout(), "{MARK}{}", server.local_addr())?;
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
        Ok(())
    })
}

/// A server in a process of its own, ended with this.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--exact", "serves_the_other_tests", "--nocapture"])
            .env(SERVE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().ok_or("it is piped")?);
        let mut server = Self { child, address: String::new() };
        let mut line = String::new();
        while out.read_line(&mut line)? > 0 {
            if let Some((_, address)) = line.trim_end().split_once(MARK) {
                address.clone_into(&mut server.address);
                // A test that runs for a minute says so, which ends it if nobody reads that.
                thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()));
                return Ok(server);
            }
            line.clear();
        }
        Err("the server has not told its address".into())
    }

    fn signal(&self, name: &str) -> Outcome {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { Err(format!("kill -s {name}: {sent}").into()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed, since it may be stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn load(address: &str, rate: u64, length: Duration) -> Outcome<Value> {
    let (rate, length) = (rate.to_string(), format!("{}ms", length.as_millis()));
    let plan = ["--rate", &rate, "--for", &length, "--connections", &CONNECTIONS.to_string(), "--json"];
    let output = Command::new(env!("CARGO_BIN_EXE_pnet"))
        .args([&["load", address, "ECHO", r#"{"text": "hello"}"#], &plan[..]].concat())
        .output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The same load by other means: blocking sockets, a thread for what is sent and one for each connection's answers, times
/// from the schedule, all of them kept and sorted. Returns the time that 99 of 100 calls did not exceed.
fn measured_by_hand(address: &str, rate: u64, length: Duration) -> Outcome<Duration> {
    let calls = length.as_millis() as u64 * rate / 1000;
    let mut sockets = Vec::new();
    for _ in 0..CONNECTIONS {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        sockets.push(socket);
    }
    // One call on each connection before the clock runs.
    for socket in &mut sockets {
        socket.write_all(call(0).as_bytes())?;
        let _ = answer(&mut BufReader::new(&mut *socket))?;
    }
    let start = Instant::now() + Duration::from_millis(50);
    let due = move |number: u64| start + Duration::from_nanos(number * 1_000_000_000 / rate);
    let readers: Vec<_> = sockets
        .iter()
        .enumerate()
        .map(|(place, socket)| {
            let mut reader = BufReader::new(socket.try_clone()?);
            let expected = (0..calls).filter(|number| number % CONNECTIONS == place as u64).count();
            Ok(thread::spawn(move || -> Outcome<Vec<Duration>> {
                let mut times = Vec::new();
                for _ in 0..expected {
                    let number = answer(&mut reader)?;
                    times.push(due(number - 1).elapsed());
                }
                Ok(times)
            }))
        })
        .collect::<Outcome<_>>()?;
    for number in 0..calls {
        let text = call(number + 1);
        while Instant::now() < due(number) {
            let left = due(number).saturating_duration_since(Instant::now());
            if left > Duration::from_micros(200) {
                thread::sleep(left - Duration::from_micros(150))
            } else {
                std::hint::spin_loop()
            }
        }
        sockets[(number % CONNECTIONS) as usize].write_all(text.as_bytes())?;
    }
    let mut times = Vec::new();
    for reader in readers {
        times.extend(reader.join().map_err(|_| "a reader has panicked")??);
    }
    times.sort();
    Ok(times[times.len() * 99 / 100])
}

fn call(id: u64) -> String {
    format!("{{\"action\":\"ECHO\",\"data\":{{\"text\":\"hello\"}},\"id\":{id}}}")
}

/// Which call the next answer is to. Answers are objects without an object in them but the data.
fn answer(reader: &mut impl BufRead) -> Outcome<u64> {
    let (mut object, mut depth) = (Vec::new(), 0);
    loop {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        object.push(byte[0]);
        match byte[0] {
            b'{' => depth += 1,
            b'}' if depth == 1 => {
                let read: Value = serde_json::from_slice(&object)?;
                if let Some(number) = read["re"].as_u64() {
                    return Ok(number);
                }
                object.clear();
                depth = 0;
            }
            b'}' => depth -= 1,
            _ => {}
        }
    }
}

#[test]
fn times_agree_with_an_independent_measurement() -> Outcome {
    let measures = std::env::var_os(TIMES).is_some();
    let (turns, length) = if measures { (7, Duration::from_secs(6)) } else { (1, Duration::from_secs(1)) };
    let server = Server::start()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // By turns, so that what else the machine does meets both.
    for _ in 0..turns {
        theirs.push(measured_by_hand(&server.address, 500, length)?.as_secs_f64() * 1e6);
        let report = load(&server.address, 500, length)?;
        assert_eq!(report["calls"]["ok"], length.as_secs() * 500, "{report}");
        ours.push(report["response_us"]["p99"].as_f64().ok_or_else(|| format!("no p99: {report}"))?);
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let words = format!("p99 by hand {theirs:.0?} us, by pnet load {ours:.0?} us");
    let (ours, theirs) = (median(ours), median(theirs));
    writeln!(std::io::stdout(), "{words}: medians {theirs:.0} and {ours:.0}")?;
    assert!(!measures || (ours - theirs).abs() <= theirs / 10.0, "{words}");
    Ok(())
}

#[test]
fn a_stop_of_two_seconds_in_a_minute_is_seen() -> Outcome {
    let measures = std::env::var_os(TIMES).is_some();
    // As much of the whole in a shorter one.
    let length = Duration::from_secs(if measures { 60 } else { 6 });
    let server = Server::start()?;
    let address = server.address.clone();
    let loading = thread::spawn(move || load(&address, 500, length));
    thread::sleep(length / 3);
    server.signal("STOP")?;
    thread::sleep(Duration::from_secs(2));
    server.signal("CONT")?;
    let report = loading.join().map_err(|_| "the load has panicked")??;
    writeln!(std::io::stdout(), "{report}")?;
    let millis = |name: &str| report["response_us"][name].as_f64().unwrap_or(0.0) / 1e3;
    // The server was stopped for so long at least, whatever else the machine does.
    assert!(millis("p99.9") >= 1800.0, "{report}");
    assert_eq!(report["calls"]["ok"], length.as_secs() * 500, "{report}");
    assert!(!measures || millis("p50") < 100.0 && report["valid"] == true, "{report}");
    Ok(())
}

const CONNECTIONS: u64 = 4;

/// Set where the tests here are to measure.
const TIMES: &str = "PNET_LOAD_TIMES";

/// Set in the server's process.
const SERVE: &str = "PNET_LOAD_SERVE";

/// What stands before the server's address in its output, where the test's own name may stand, too.
const MARK: &str = "listening on ";
