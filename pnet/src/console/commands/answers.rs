//! What answers a packet, as it is shown: a packet, or a stream of as many as there is room and time for.

use std::time::Duration;

use pnet_protocol::{
    json::DONE,
    protocol::{ActionInfo, ReplyInfo},
};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::{
    calls::{json::Json, untyped::JsonStreaming},
    console::{
        fault::REFUSED,
        format::counted,
        output::{Output, ascii},
    },
    error::{CallError, JsonError},
    operate::{StreamEnd, with_sources},
};

/// An answer, which may be the error that the protocol declares.
pub(super) fn answered(info: Option<&ActionInfo>, answer: &Json, failed: bool) -> Output {
    let json = json!({"action": answer.action(), "data": answer.data(), "failed": failed});
    let output = Output::text(shown(info, answer), json);
    output.exit(if failed { REFUSED } else { 0 })
}

/// How a stream ended.
pub(super) enum End {
    Complete,
    /// There would have been more.
    Cut,
    /// It ended with the error that the protocol declares.
    Declared(Json),
    Failed(String),
}

impl From<StreamEnd> for End {
    fn from(end: StreamEnd) -> Self {
        match end {
            StreamEnd::Complete => Self::Complete,
            StreamEnd::Cut => Self::Cut,
            StreamEnd::Failed(error) => Self::Failed(error.to_string()),
        }
    }
}

/// Reads a stream of the other side, as long as an operator wants to wait. Dropped then, it is cancelled.
pub(super) async fn collect(mut stream: JsonStreaming) -> Result<(Vec<Json>, End), JsonError> {
    let (mut items, mut len) = (Vec::new(), 0);
    let until = Instant::now() + TIME;
    loop {
        let end = match timeout_at(until, stream.next()).await {
            Ok(Some(Ok(item))) => {
                len += ascii(item.data()).len();
                items.push(item);
                if items.len() < MOST && len < MAX_LEN {
                    continue;
                }
                End::Cut
            }
            Ok(Some(Err(CallError::Json(error)))) => return Err(error),
            Ok(Some(Err(CallError::Declared(error)))) => End::Declared(error),
            Ok(Some(Err(error))) => End::Failed(with_sources(&error)),
            Ok(None) => End::Complete,
            Err(_) => End::Cut,
        };
        return Ok((items, end));
    }
}

/// The items, and how the stream ended.
pub(super) fn streamed(info: Option<&ActionInfo>, items: &[Json], end: &End) -> Output {
    let mut output = Output::default();
    for item in items {
        output = output.and_text(shown(info, item), json!({"action": item.action(), "data": item.data()}));
    }
    let count = counted(items.len() as u64, "item");
    match end {
        End::Complete => output.and_text(format!("end of the stream: {count}"), json!({"end": "complete"})),
        End::Cut => {
            let text = format!("cut after {count}: the stream would have gone on, and was cancelled");
            output.and_text(text, json!({"end": "cut"}))
        }
        End::Declared(error) => {
            let json = json!({"end": "failed", "action": error.action(), "data": error.data(), "failed": true});
            output.and_text(shown(info, error), json).exit(REFUSED)
        }
        End::Failed(error) => {
            let json = json!({"end": "failed", "error": error, "exit": REFUSED});
            output.and_text(format!("failed after {count}: {error}"), json).exit(REFUSED)
        }
    }
}

fn shown(info: Option<&ActionInfo>, answer: &Json) -> String {
    if answer.action() == DONE {
        return "done".to_owned();
    }
    format!("{} {}", type_name(info, answer.action()), ascii(answer.data()))
}

/// The type's name of what answers an action.
fn type_name<'a>(info: Option<&ActionInfo>, action: &'a str) -> &'a str {
    let parts = match info.map(|info| info.reply) {
        Some(ReplyInfo::Packet(part)) => [Some(part), None],
        Some(ReplyInfo::Result(part, error)) => [Some(part), Some(error)],
        Some(ReplyInfo::Stream { item, error }) => [Some(item), error],
        _ => [None, None],
    };
    let part = parts.into_iter().flatten().find(|part| part.action == action);
    part.map_or(action, |part| part.type_name)
}

/// How long is waited for items.
const TIME: Duration = Duration::from_secs(5);
/// How many items are read.
const MOST: usize = 100;
/// How many bytes of them.
const MAX_LEN: usize = 1024 * 1024;
