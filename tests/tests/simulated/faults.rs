//! What goes wrong, and when.

use std::time::Duration;

use crate::random::Random;

/// How many clients there are.
pub(crate) const CLIENTS: u64 = 4;
/// Faults begin in this time; afterwards what is over must be over everywhere.
pub(crate) const TROUBLE: Duration = Duration::from_secs(60);
/// In so much time after a fault its traces are gone: three heartbeats, and a connection attempt.
const RECOVERY: Duration = Duration::from_secs(52);
/// A client that comes back by itself may have drawn its longest pause just before.
const PAUSE: Duration = Duration::from_secs(50);
/// A JSON client that was not answered in 2 s takes the server for one that knows no pings. That such a connection is dead
/// shows by TCP's keepalive only.
const KEEPALIVE: Duration = Duration::from_secs(20);
/// The longest time that a message travels while the network is slow.
pub(crate) const SLOW: Duration = Duration::from_millis(700);

/// The faults of one run, in order.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) faults: Vec<Fault>,
    /// The longest time that a message travels.
    pub(crate) latency: Duration,
    pub(crate) styles: [Style; CLIENTS as usize],
}

/// What kind of client it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Speaks JSON.
    pub(crate) json: bool,
    /// Comes back by itself.
    pub(crate) reconnects: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) at: Duration,
    pub(crate) until: Duration,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing travels between the client and the server, but nothing is lost either.
    Hold(u64),
    /// Everything between them is lost.
    Partition(u64),
    /// Everything to the server is lost.
    Deaf(u64),
    /// Everything from the server is lost.
    Mute(u64),
    /// The server is killed, and started again.
    Crash,
    /// The server shuts down, and starts again.
    Restart,
    /// The client loses its transport.
    Reset(u64),
    /// The server loses interest in the client.
    Kick(u64),
    /// The client's program does not read its streams.
    Stall(u64),
    /// Beside the client there is a connection that asks for a lot and never reads.
    Dead(u64),
    /// Messages travel for longer.
    Slow,
}

impl Schedule {
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let latency = Duration::from_millis(random.within(1..400));
        let mut faults = Vec::new();
        // The links that are out of order until then: a fault at a time for each of them.
        let mut busy = [Duration::ZERO; CLIENTS as usize + 1];
        for _ in 0..random.within(1..10) {
            let at = Duration::from_millis(random.within(2_000..TROUBLE.as_millis() as u64));
            let client = random.within(0..CLIENTS);
            let short = random.within(0..2) == 0;
            let lasts =
                Duration::from_millis(if short { random.within(100..4_000) } else { random.within(4_000..70_000) });
            let kind = match random.within(0..11) {
                0 => Kind::Hold(client),
                1 => Kind::Partition(client),
                2 => Kind::Deaf(client),
                3 => Kind::Mute(client),
                4 => Kind::Crash,
                5 => Kind::Restart,
                6 => Kind::Reset(client),
                7 => Kind::Kick(client),
                8 => Kind::Stall(client),
                9 => Kind::Dead(client),
                _ => Kind::Slow,
            };
            let place = usize::try_from(kind.client().unwrap_or(CLIENTS)).expect("few");
            if busy[place] <= at {
                busy[place] = at + lasts + Duration::from_secs(1);
                faults.push(Fault { at, until: at + lasts, kind });
            }
        }
        faults.sort_by_key(|fault| fault.at);
        let styles = std::array::from_fn(|_| {
            let style = random.within(0..4);
            Style { json: style & 1 == 1, reconnects: style & 2 == 2 }
        });
        Self { faults, latency, styles }
    }

    /// When the last fault is over.
    pub(crate) fn calm(&self) -> Duration {
        self.faults.iter().map(|fault| fault.until).max().unwrap_or_default()
    }

    /// How long the traces of a fault may be seen at the client.
    pub(crate) fn recovery(&self, client: u64) -> Duration {
        let Style { json, reconnects } = self.styles[client as usize];
        let more = |yes, more| if yes { more } else { Duration::ZERO };
        RECOVERY + more(reconnects, PAUSE) + more(json, KEEPALIVE)
    }

    /// Whether the client's program does not read at this time.
    pub(crate) fn stalls(&self, client: u64, now: Duration) -> bool {
        self.faults.iter().any(|fault| fault.kind == Kind::Stall(client) && fault.at <= now && now < fault.until)
    }

    /// Whether an operation of the client between these times may fail.
    pub(crate) fn excuses(&self, client: u64, from: Duration, until: Duration) -> bool {
        self.faults.iter().any(|fault| {
            !matches!(fault.kind, Kind::Stall(_) | Kind::Dead(_) | Kind::Slow)
                && fault.kind.client().is_none_or(|hit| hit == client)
                && fault.at <= until
                && from <= fault.until + self.recovery(client)
        })
    }
}

impl Kind {
    /// Whose link it hits; `None`: everybody's.
    pub(crate) const fn client(self) -> Option<u64> {
        match self {
            Self::Hold(client)
            | Self::Partition(client)
            | Self::Deaf(client)
            | Self::Mute(client)
            | Self::Reset(client)
            | Self::Kick(client)
            | Self::Stall(client)
            | Self::Dead(client) => Some(client),
            Self::Crash | Self::Restart | Self::Slow => None,
        }
    }
}
