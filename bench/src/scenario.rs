//! What is played: how many connections do what.

/// The kinds of scenario, as far as contestants differ in what they can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Calls with a small packet each way; idle connections, too.
    Calls,
    /// New connections, with one call each.
    Connect,
    /// Large payloads there and back.
    Echo,
    /// One-way packets.
    OneWay,
    /// Events from the server to many connections.
    Broadcast,
    /// Streams of items.
    Stream,
}

/// One scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub name: &'static str,
    pub kind: Kind,
    pub play: Play,
    /// Both processes on one core.
    pub one_core: bool,
    /// What is counted, for the tables.
    pub unit: &'static str,
    pub about: &'static str,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    Calls { connections: usize, in_flight: usize },
    Echo { len: usize, in_flight: usize },
    OneWay,
    Broadcast { connections: usize, burst: u32 },
    Stream { items: u64 },
    Idle { connections: usize },
    Connect { at_once: usize, in_all: u64 },
    Open { connections: usize, per_second: u64 },
}

const fn calls(name: &'static str, connections: usize, in_flight: usize, about: &'static str) -> Scenario {
    let play = Play::Calls { connections, in_flight };
    Scenario { name, kind: Kind::Calls, play, one_core: false, unit: "calls", about }
}

impl Scenario {
    /// Whether it is a variation of another scenario, which the peers have played already.
    pub fn without_peers(&self) -> bool {
        matches!(self.name, "seq" | "pipe256")
    }
}

/// All of them.
pub const ALL: [Scenario; 14] = [
    Scenario { one_core: true, ..calls("seq1core", 1, 1, "one call at a time, both processes on one core") },
    calls("seq", 1, 1, "one call at a time"),
    calls("pipe64", 1, 64, "one connection, 64 calls in flight"),
    calls("pipe256", 1, 256, "one connection, 256 calls in flight"),
    calls("many", 64, 16, "64 connections, 16 calls in flight on each"),
    Scenario {
        name: "oneway",
        kind: Kind::OneWay,
        play: Play::OneWay,
        one_core: false,
        unit: "packets",
        about: "one-way packets on one connection",
    },
    Scenario {
        name: "bcast",
        kind: Kind::Broadcast,
        play: Play::Broadcast { connections: 1000, burst: 1 },
        one_core: false,
        unit: "deliveries",
        about: "single events to 1,000 connections",
    },
    Scenario {
        name: "bcast16",
        kind: Kind::Broadcast,
        play: Play::Broadcast { connections: 1000, burst: 16 },
        one_core: false,
        unit: "deliveries",
        about: "bursts of 16 events to 1,000 connections",
    },
    Scenario {
        name: "stream",
        kind: Kind::Stream,
        play: Play::Stream { items: 4096 },
        one_core: false,
        unit: "items",
        about: "streams of items of 1 KiB",
    },
    Scenario {
        name: "echo64k",
        kind: Kind::Echo,
        play: Play::Echo { len: 64 * 1024, in_flight: 4 },
        one_core: false,
        unit: "calls",
        about: "64 KiB there and back, 4 in flight",
    },
    Scenario {
        name: "echo1m",
        kind: Kind::Echo,
        play: Play::Echo { len: 1024 * 1024, in_flight: 2 },
        one_core: false,
        unit: "calls",
        about: "1 MiB there and back, 2 in flight",
    },
    Scenario {
        name: "idle",
        kind: Kind::Calls,
        play: Play::Idle { connections: 10_000 },
        one_core: false,
        unit: "bytes",
        about: "memory of 10,000 connections that have made one call each",
    },
    Scenario {
        name: "connect",
        kind: Kind::Connect,
        play: Play::Connect { at_once: 16, in_all: 4000 },
        one_core: false,
        unit: "connections",
        about: "connect, one call, close",
    },
    Scenario {
        name: "open",
        kind: Kind::Calls,
        play: Play::Open { connections: 16, per_second: 20_000 },
        one_core: false,
        unit: "µs",
        about: "latency at 20,000 calls a second, whether answers come or not",
    },
];

/// The scenario of this name.
pub fn named(name: &str) -> Option<Scenario> {
    ALL.into_iter().find(|scenario| scenario.name == name)
}
