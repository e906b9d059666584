//! Running a handler of this side for its operator.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use pnet_protocol::{
    dialect::Dialect,
    dynamic,
    failure::Failure,
    json::DONE,
    protocol::{ActionInfo, PartInfo, ReplyInfo, Role},
    reply::Verdict,
};
use serde_json::Value;
use tokio::time::timeout;

use super::{TriggerError, nearest};
use crate::{
    calls::json::Json,
    config,
    connection::{Conn, MAX_RUNS, Meta, NotInjected, Outcome, operated::OperatorsRun},
    error::{Closed, ClosedBy, JsonError},
    inspect::Inspector,
    unwind::NEEDS_PEER,
};

/// What came of a handler that an operator has run.
#[derive(Debug)]
pub(crate) enum Triggered {
    /// The action has no answer, and its handler has finished.
    Done,
    /// The answer; that to `-> ()` is `pnet.done`.
    Answer(Json),
    /// The action is answered with a stream: the items that came, and how it ended.
    Items { items: Vec<Json>, end: StreamEnd },
}

/// How a stream for an operator ended.
#[derive(Debug)]
pub(crate) enum StreamEnd {
    /// The handler has returned.
    Complete,
    /// The handler would have gone on, and was cancelled: there were more than 100 items, or more than 256 KiB, or they took
    /// more than 5 s.
    Cut,
    /// The handler failed after these items.
    Failed(Box<TriggerError>),
}

impl Inspector {
    /// Runs the handler that is bound here to an action which the other side may send, as if that had sent it. The answer
    /// goes to the operator; the other side learns nothing, unless the handler tells it.
    ///
    /// `as_`: the connection whose packet it is. It waits its turn among those of that connection, and its handler sees that
    /// peer. A client has one connection, and takes that. On a server without `as_`, the handler has no peer, and one
    /// that touches it fails with [`TriggerError::NeedsPeer`].
    ///
    /// The handler has the call timeout of the connection, or of the server; that of a stream has 5 s. It is logged with the
    /// operator's name, and without the data.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the handler at its next `.await`, unless it is marked `finish`.
    pub(crate) async fn trigger(
        &self,
        packet: &Json,
        as_: Option<&Arc<Conn>>,
        operator: &str,
    ) -> Result<Triggered, TriggerError> {
        let (action, info) = self.handled(packet.action())?;
        let conn = match as_ {
            Some(conn) => Arc::clone(conn),
            None if self.role() == Role::Client => self.conns().pop().ok_or_else(no_connection)?,
            None if cfg!(panic = "abort") => return Err(TriggerError::Aborts),
            None => Conn::detached(self.info(), self.target().operated().call_timeout()),
        };
        let mut payload = Vec::new();
        packet.encode(info, conn.dialect.codec_override(), &mut payload).map_err(TriggerError::Json)?;

        let stream = info.reply.is_stream();
        let limit = if stream { Some(STREAM) } else { conn.call_timeout };
        let mut meta = Meta::none();
        meta.action = info.action;
        meta.created = Some(SystemTime::now());
        meta.call = !matches!(info.reply, ReplyInfo::None);
        meta.deadline = limit.filter(|_| meta.call).map(config::after);
        let mut run = OperatorsRun::begin(&conn, (action, meta), payload, stream).map_err(not_injected)?;
        if conn.is_detached() {
            self.target().operated().drive(&conn)?;
            tracing::info!(?operator, action = info.action, "an operator runs a handler");
        } else {
            tracing::info!(?operator, action = info.action, connection = %conn.id, "an operator runs a handler");
        }

        let ended = match limit {
            Some(limit) => timeout(limit, run.ended()).await.map_err(|_| TriggerError::TimedOut(limit)),
            None => Ok(run.ended().await),
        };
        let collected = run.leave();
        let ended = ended.and_then(|ended| {
            ended.map_err(|closed| if conn.is_detached() { TriggerError::Dropped } else { TriggerError::Gone(closed) })
        });
        let outcome = ended.and_then(|outcome| read(info, conn.dialect, outcome));
        let ReplyInfo::Stream { item, .. } = &info.reply else {
            return outcome.map(|answer| answer.map_or(Triggered::Done, Triggered::Answer));
        };
        let items: Vec<Json> = collected
            .items
            .iter()
            .map(|payload| decode(info.action, item, conn.dialect, payload))
            .collect::<Result<_, _>>()?;
        match outcome {
            Err(TriggerError::TimedOut(_)) => Ok(Triggered::Items { items, end: StreamEnd::Cut }),
            _ if collected.cut => Ok(Triggered::Items { items, end: StreamEnd::Cut }),
            Ok(_) => Ok(Triggered::Items { items, end: StreamEnd::Complete }),
            Err(error) if items.is_empty() => Err(error),
            Err(error) => Ok(Triggered::Items { items, end: StreamEnd::Failed(Box::new(error)) }),
        }
    }

    /// The action of this name that is handled here.
    fn handled(&self, name: &str) -> Result<(u16, &'static ActionInfo), TriggerError> {
        let (incoming, outgoing) = (self.info().received_by(self.role()), self.info().sent_by(self.role()));
        let found = incoming.find(name).and_then(|id| Some((id, incoming.get(id)?)));
        found.ok_or_else(|| TriggerError::UnknownAction {
            action: name.to_owned(),
            nearest: nearest(name, incoming.actions.iter().map(|info| info.action)),
            outgoing: outgoing.find(name).is_some(),
        })
    }
}

/// The answer, if there is one: the handler's packet, or that it is done.
fn read(info: &'static ActionInfo, dialect: Dialect, outcome: Outcome) -> Result<Option<Json>, TriggerError> {
    let (outcome, payload) = outcome;
    let verdict = outcome.map_err(|failure| failed(info.action, &failure))?;
    match (verdict, &info.reply) {
        (_, ReplyInfo::None) | (Verdict::End, _) => Ok(None),
        (Verdict::Reply, ReplyInfo::Packet(part) | ReplyInfo::Result(part, _)) => {
            decode(info.action, part, dialect, &payload).map(Some)
        }
        (Verdict::Error, ReplyInfo::Result(_, part) | ReplyInfo::Stream { error: Some(part), .. }) => {
            Err(TriggerError::Declared(decode(info.action, part, dialect, &payload)?))
        }
        _ => Ok(Some(Json::new(DONE, Value::Null))),
    }
}

fn decode(action: &'static str, part: &PartInfo, dialect: Dialect, payload: &[u8]) -> Result<Json, TriggerError> {
    let codec = dialect.codec_override().unwrap_or(part.codec);
    match dynamic::decode(payload, part.schema, codec) {
        Ok(data) => Ok(Json::new(part.action, data)),
        Err(source) => Err(TriggerError::Unreadable(JsonError::Unreadable { action, source })),
    }
}

/// The operator learns what a peer is told, and of an internal failure what the log has.
fn failed(action: &'static str, failure: &Failure) -> TriggerError {
    if failure.code() == NEEDS_PEER {
        return TriggerError::NeedsPeer { action };
    }
    let code = failure.code().to_owned();
    let text = if failure.message().is_empty() {
        let text = failure.log_text().to_string();
        text.strip_prefix(&format!("{code}: ")).map(str::to_owned).unwrap_or_default()
    } else {
        failure.message().to_owned()
    };
    TriggerError::Failed { code, text }
}

fn not_injected(refused: NotInjected) -> TriggerError {
    match refused {
        NotInjected::Gone(closed) => TriggerError::Gone(closed),
        NotInjected::Busy => TriggerError::Busy(MAX_RUNS),
    }
}

fn no_connection() -> TriggerError {
    let reason = "there is no connection now";
    TriggerError::Gone(Arc::new(Closed::new(pnet_protocol::close::CloseCode::Lost, reason, ClosedBy::Transport)))
}

/// How long an operator reads a stream.
const STREAM: Duration = Duration::from_secs(5);
