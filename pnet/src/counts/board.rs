//! The sums of a server, or of a client over all its connections.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use pnet_protocol::{
    close::CloseCode,
    key::Fingerprint,
    protocol::{ActionInfo, Direction, ProtocolInfo, ReplyInfo, Role},
};
use tokio::time::Instant;

use super::{Met, histogram::Histogram};
use crate::{
    counts::snapshot::{Action, Closes, Flow, Limit},
    error::ClosedBy,
};

/// A handle on the board. All that count for one server, or for one client, have the same.
#[derive(Clone)]
pub(crate) struct Counts(Arc<Board>);

/// See the module.
pub(crate) struct Board {
    /// When it began; times are counted from here.
    since: Instant,
    /// What the other side sends, by the numbers of the actions.
    incoming: Box<[Row]>,
    /// What this side sends.
    outgoing: Box<[Row]>,
    /// How often limits were met.
    met: [AtomicU64; Met::COUNT],
    /// How much each limit allows, in the order in which they are shown.
    allowed: Vec<(Met, u64)>,
    /// A client's own.
    key: Option<Fingerprint>,
    /// Connections that were let in.
    joined: AtomicU64,
    ended: Mutex<Ended>,
}

/// One action in one direction.
#[derive(Debug, Default)]
pub(super) struct Row {
    handled: AtomicU64,
    failed: AtomicU64,
    /// There from the first sample on.
    durations: OnceLock<Box<Histogram>>,
}

/// What connections have left behind.
#[derive(Debug, Default)]
struct Ended {
    traffic: Traffic,
    closes: BTreeMap<(u16, By), u64>,
}

/// What went in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) received: Flow,
    pub(crate) sent: Flow,
}

/// [`ClosedBy`] in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Here,
    Peer,
    Transport,
}

impl Counts {
    /// A board for a side of a protocol, with the limits that are shown, and with a client's own key.
    pub(crate) fn new(info: &ProtocolInfo, role: Role, allowed: Vec<(Met, u64)>, key: Option<Fingerprint>) -> Self {
        Self(Arc::new(Board { key, ..Board::new(info.received_by(role), info.sent_by(role), allowed) }))
    }

    /// A client's own key.
    pub(crate) fn key(&self) -> Option<&Fingerprint> {
        self.0.key.as_ref()
    }

    pub(super) fn board(&self) -> &Board {
        &self.0
    }

    /// A limit was met.
    pub(crate) fn met(&self, limit: Met) {
        self.met_times(limit, 1);
    }

    pub(crate) fn met_times(&self, limit: Met, times: usize) {
        if times > 0
            && let Some(met) = self.0.met.get(limit as usize)
        {
            met.fetch_add(times as u64, Relaxed);
        }
    }

    /// A connection was refused before it was opened, or has ended.
    pub(crate) fn refused(&self, code: CloseCode, by: ClosedBy) {
        *self.0.ended().closes.entry((code.to_u16(), By::from(by))).or_default() += 1;
    }

    pub(super) fn join(&self) {
        self.0.joined.fetch_add(1, Relaxed);
    }

    /// The time on the board's clock.
    pub(super) fn nanos(&self) -> u64 {
        u64::try_from(self.0.since.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// For how long it has been there.
    pub(crate) fn age(&self) -> Duration {
        self.0.since.elapsed()
    }

    pub(crate) fn joins(&self) -> u64 {
        self.0.joined.load(Relaxed)
    }

    /// What went over all connections: those that have ended, and what `others` says of those that have not.
    pub(crate) fn traffic(&self, others: impl FnOnce() -> Traffic) -> Traffic {
        // Whoever ends meanwhile waits until all are asked, so none counts twice or not at all.
        let ended = self.0.ended();
        ended.traffic.plus(others())
    }

    /// Adds what a connection has carried that has ended.
    pub(super) fn fold(&self, unfolded: impl FnOnce() -> Option<Traffic>) {
        let mut ended = self.0.ended();
        if let Some(traffic) = unfolded() {
            ended.traffic = ended.traffic.plus(traffic);
        }
    }

    /// Both directions, what arrives first.
    pub(crate) fn actions(&self, info: &ProtocolInfo, role: Role) -> Vec<Action> {
        let board = &*self.0;
        let incoming = rows("in", &board.incoming, info.received_by(role));
        incoming.chain(rows("out", &board.outgoing, info.sent_by(role))).collect()
    }

    pub(crate) fn limits(&self, used: impl Fn(Met) -> Option<u64>) -> Vec<Limit> {
        let limit = |&(limit, allowed): &(Met, u64)| {
            let (name, unit) = limit.described();
            let met = self.0.met.get(limit as usize).map_or(0, |met| met.load(Relaxed));
            Limit { name: name.to_owned(), allowed, unit: unit.to_owned(), used: used(limit), met }
        };
        self.0.allowed.iter().map(limit).collect()
    }

    pub(crate) fn closes(&self) -> Vec<Closes> {
        let ended = self.0.ended();
        let closes = ended.closes.iter().map(|(&(code, by), &count)| Closes {
            code: CloseCode::from_u16(code).to_string(),
            by: by.word().to_owned(),
            count,
        });
        closes.collect()
    }
}

impl Board {
    fn new(incoming: &Direction, outgoing: &Direction, allowed: Vec<(Met, u64)>) -> Self {
        let rows = |direction: &Direction| direction.actions.iter().map(|_| Row::default()).collect();
        Self {
            since: Instant::now(),
            incoming: rows(incoming),
            outgoing: rows(outgoing),
            met: std::array::from_fn(|_| AtomicU64::new(0)),
            allowed,
            key: None,
            joined: AtomicU64::new(0),
            ended: Mutex::default(),
        }
    }

    /// `None` for actions that the protocol does not have.
    pub(super) fn incoming(&self, action: u16) -> Option<&Row> {
        self.incoming.get(usize::from(action))
    }

    pub(super) fn outgoing(&self, action: u16) -> Option<&Row> {
        self.outgoing.get(usize::from(action))
    }

    fn ended(&self) -> MutexGuard<'_, Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    pub(super) fn handled(&self, times: u32) {
        self.handled.fetch_add(u64::from(times), Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn took(&self, nanos: u64) {
        self.durations.get_or_init(|| Box::new(Histogram::new())).record(nanos);
    }
}

impl Traffic {
    pub(crate) fn plus(self, other: Self) -> Self {
        let flow = |one: Flow, other: Flow| Flow {
            packets: one.packets.wrapping_add(other.packets),
            calls: one.calls.wrapping_add(other.calls),
            bytes: one.bytes.wrapping_add(other.bytes),
        };
        Self { received: flow(self.received, other.received), sent: flow(self.sent, other.sent) }
    }
}

impl From<ClosedBy> for By {
    fn from(by: ClosedBy) -> Self {
        match by {
            ClosedBy::Here => Self::Here,
            ClosedBy::Peer => Self::Peer,
            ClosedBy::Transport => Self::Transport,
        }
    }
}

impl By {
    const fn word(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Peer => "peer",
            Self::Transport => "transport",
        }
    }
}

/// Without actions and limits: for parts of a server that stand alone.
impl Default for Counts {
    fn default() -> Self {
        let nothing = Direction { actions: &[] };
        Self(Arc::new(Board::new(&nothing, &nothing, Vec::new())))
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts").finish_non_exhaustive()
    }
}

fn rows<'a>(direction: &'static str, rows: &'a [Row], of: &'a Direction) -> impl Iterator<Item = Action> + 'a {
    of.actions.iter().zip(rows).map(move |(info, row)| {
        let measured = row.durations.get().map(|durations| durations.quantiles([0.5, 0.99]));
        let (samples, quantiles) = measured.unwrap_or((0, None));
        // Failures are counted behind what they are among.
        let failed = row.failed.load(Relaxed);
        Action {
            action: info.action.to_owned(),
            direction: direction.to_owned(),
            packet: info.type_name.to_owned(),
            reply: reply(info),
            handled: row.handled.load(Relaxed),
            failed,
            samples,
            p50_us: quantiles.map(|[half, _]| micros(half)),
            p99_us: quantiles.map(|[_, most]| micros(most)),
        }
    })
}

fn micros(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "durations are exact to an eighth")]
    let nanos = nanos as f64;
    nanos / 1000.0
}

fn reply(info: &ActionInfo) -> Option<String> {
    match &info.reply {
        ReplyInfo::None => None,
        ReplyInfo::Ack => Some("()".to_owned()),
        ReplyInfo::Packet(reply) => Some(reply.type_name.to_owned()),
        ReplyInfo::Result(reply, error) => Some(format!("{} or {}", reply.type_name, error.type_name)),
        ReplyInfo::Stream { item, error: None } => Some(format!("stream {}", item.type_name)),
        ReplyInfo::Stream { item, error: Some(error) } => {
            Some(format!("stream {} or {}", item.type_name, error.type_name))
        }
        other => Some(format!("{other:?}")),
    }
}
