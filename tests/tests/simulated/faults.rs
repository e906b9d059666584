//! What goes wrong, and when.

use std::time::Duration;

use crate::random::Random;

/// How many clients there are.
pub(crate) const CLIENTS: u64 = 4;
/// Faults begin in this time; afterwards what is over must be over everywhere.
pub(crate) const TROUBLE: Duration = Duration::from_secs(60);
/// In so much time after a fault its traces are gone: three heartbeats, and a connection attempt.
pub(crate) const RECOVERY: Duration = Duration::from_secs(52);

/// The faults of one run, in order.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) faults: Vec<Fault>,
    /// The longest time that a message travels.
    pub(crate) latency: Duration,
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
}

impl Schedule {
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let latency = Duration::from_millis(random.within(1..400));
        let mut faults = Vec::new();
        // The links that are out of order until then: a fault at a time for each of them.
        let mut busy = [Duration::ZERO; CLIENTS as usize + 1];
        for _ in 0..random.within(1..8) {
            let at = Duration::from_millis(random.within(2_000..TROUBLE.as_millis() as u64));
            let client = random.within(0..CLIENTS);
            let short = random.within(0..2) == 0;
            let lasts =
                Duration::from_millis(if short { random.within(100..4_000) } else { random.within(4_000..70_000) });
            let kind = match random.within(0..8) {
                0 => Kind::Hold(client),
                1 => Kind::Partition(client),
                2 => Kind::Deaf(client),
                3 => Kind::Mute(client),
                4 => Kind::Crash,
                5 => Kind::Restart,
                6 => Kind::Reset(client),
                _ => Kind::Kick(client),
            };
            let place = usize::try_from(kind.client().unwrap_or(CLIENTS)).expect("few");
            if busy[place] <= at {
                busy[place] = at + lasts + Duration::from_secs(1);
                faults.push(Fault { at, until: at + lasts, kind });
            }
        }
        faults.sort_by_key(|fault| fault.at);
        Self { faults, latency }
    }

    /// Whether an operation of the client between these times may fail.
    pub(crate) fn excuses(&self, client: u64, from: Duration, until: Duration) -> bool {
        self.faults.iter().any(|fault| {
            fault.kind.client().is_none_or(|hit| hit == client) && fault.at <= until && from <= fault.until + RECOVERY
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
            | Self::Kick(client) => Some(client),
            Self::Crash | Self::Restart => None,
        }
    }
}
