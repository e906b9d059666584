//! Commands about packets: what may be said, and saying it.

use pnet_protocol::{
    document,
    dynamic::MisfitReason,
    handshake::ShapePolicy,
    json::DONE,
    protocol::{ActionInfo, Direction},
    schema::Ty,
};
use serde_json::{Value, json};

use super::{
    Call,
    answers::{self, answered},
    connections::as_json,
};
use crate::{
    calls::{json::Json, line::Route},
    console::{
        fault::Fault,
        format,
        output::{Output, Table},
    },
    error::{CallError, JsonError, SendError},
    inspect::Connection,
    operate::{ActError, TriggerError, Triggered, nearest, with_sources},
};

/// `send ID ACTION [JSON]`
pub(super) async fn send(call: &Call<'_>) -> Result<Output, Fault> {
    let conn = call.conn(0)?;
    let packet = packet(call, 1, call.outgoing())?;
    logged(call, "send", &packet);
    let before = Connection::of(&conn).queue_packets;
    match call.inspector().send(&conn, &packet).await {
        Ok(()) => {
            let id = call.short(&conn);
            let behind =
                if before == 0 { String::new() } else { format!(", behind {}", format::counted(before, "packet")) };
            let json = json!({"id": conn.id.to_string(), "action": packet.action(), "queued": true, "behind": before});
            Ok(Output::text(format!("sent to {id}{behind}"), json))
        }
        Err(SendError::Json(error)) => Err(misfit(call, call.outgoing(), error)),
        Err(error) => Err(Fault::refused(with_sources(&error))),
    }
}

/// `call ID ACTION [JSON]`
pub(super) async fn call(call: &Call<'_>) -> Result<Output, Fault> {
    let conn = call.conn(0)?;
    let packet = packet(call, 1, call.outgoing())?;
    logged(call, "call", &packet);
    let info = find(call.outgoing(), packet.action());
    if let Some(info) = info.filter(|info| info.reply.is_stream()) {
        return match answers::collect(packet.streaming(conn, Route::Fixed)).await {
            Ok((items, end)) => Ok(answers::streamed(Some(info), &items, &end)),
            Err(error) => Err(misfit(call, call.outgoing(), error)),
        };
    }
    match call.inspector().call(&conn, packet).await {
        Ok(answer) => Ok(answered(info, &answer, false)),
        Err(CallError::Declared(error)) => Ok(answered(info, &error, true)),
        Err(CallError::Json(error)) => Err(misfit(call, call.outgoing(), error)),
        Err(error @ CallError::TimedOut { .. }) => Err(Fault::timed_out(error)),
        Err(error) => Err(Fault::refused(with_sources(&error))),
    }
}

/// `broadcast ACTION [JSON]`
pub(super) async fn broadcast(call: &Call<'_>) -> Result<Output, Fault> {
    call.servers_only("say `send`")?;
    let packet = packet(call, 0, call.outgoing())?;
    logged(call, "broadcast", &packet);
    let result = match call.inspector().broadcast(&packet) {
        Ok(result) => result,
        Err(ActError::Json(error)) => return Err(misfit(call, call.outgoing(), error)),
        Err(error) => return Err(Fault::refused(error)),
    };
    let mut text = format!("queued for {}", format::counted(result.queued as u64, "connection"));
    if result.skipped > 0 {
        text.push_str(&format!("; {} skipped, which take no such packets now", result.skipped));
    }
    if result.dropped > 0 {
        text.push_str(&format!("; {} missed it, since their queues are full", result.dropped));
    }
    let json = json!({
        "action": packet.action(), "queued": result.queued, "skipped": result.skipped, "dropped": result.dropped,
    });
    Ok(Output::text(text, json))
}

/// `trigger ACTION [JSON] [as ID]`
pub(super) async fn trigger(call: &Call<'_>) -> Result<Output, Fault> {
    let inspector = call.inspector();
    let incoming = inspector.info().received_by(inspector.role());
    let packet = packet(call, 0, incoming)?;
    let as_ = match call.parsed.as_id.as_deref() {
        Some(word) => Some(crate::console::ids::find(word, &inspector.conns())?),
        None => None,
    };
    let info = find(incoming, packet.action());
    match inspector.trigger(&packet, as_.as_ref(), call.session.operator()).await {
        Ok(Triggered::Done) => Ok(Output::text("done", json!({"action": DONE, "data": null}))),
        Ok(Triggered::Answer(answer)) => Ok(answered(info, &answer, false)),
        Ok(Triggered::Items { items, end }) => Ok(answers::streamed(info, &items, &end.into())),
        Err(TriggerError::Declared(error)) => Ok(answered(info, &error, true)),
        Err(TriggerError::Json(error)) => Err(misfit(call, incoming, error)),
        Err(error @ TriggerError::TimedOut(_)) => Err(Fault::timed_out(error)),
        Err(error @ (TriggerError::UnknownAction { .. } | TriggerError::NeedsPeer { .. })) => Err(Fault::usage(error)),
        Err(error) => Err(Fault::refused(error)),
    }
}

/// `actions`
pub(super) async fn actions(call: &Call<'_>) -> Result<Output, Fault> {
    let mut table = Table::new(ACTIONS);
    for action in call.inspector().snapshot().actions {
        // Under a hundred samples, 99 in 100 is a guess.
        let guess = if action.samples < 100 { "~" } else { "" };
        let time = |micros: Option<f64>, guess: &str| {
            micros.map(|micros| format!("{guess}{}", format::micros(micros))).unwrap_or_default()
        };
        let json = as_json(&action)?;
        let cells = vec![
            action.action,
            action.direction,
            action.packet,
            action.reply.unwrap_or_default(),
            format::count(action.handled),
            format::count(action.failed),
            time(action.p50_us, ""),
            time(action.p99_us, guess),
        ];
        table.push(cells, json);
    }
    Ok(Output::table(table))
}

/// `schema [ACTION]`
pub(super) async fn schema(call: &Call<'_>) -> Result<Output, Fault> {
    let (info, role) = (call.inspector().info(), call.inspector().role());
    let directions = [("in", info.received_by(role)), ("out", info.sent_by(role))];
    let Some(name) = call.parsed.value(0) else {
        let document = serde_json::from_str::<Value>(document::shared(info, ShapePolicy::Shapes));
        let document = document.map_err(|error| Fault::refused(format!("the schema cannot be read: {error}")))?;
        let mut text = format!("{} {:016x}\n", info.name, info.fingerprint);
        for (direction, actions) in directions {
            for action in actions.actions {
                text.push_str(&format!("{direction:3} {} {}\n", action.action, action.shape()));
            }
        }
        return Ok(Output::text(text, document));
    };
    let (mut output, mut is_known) = (Output::default(), false);
    for (direction, actions) in directions {
        let Some(action) = find(actions, name) else { continue };
        is_known = true;
        let shape = action.shape().to_string();
        let json = json!({
            "action": action.action, "direction": direction, "packet": action.type_name, "shape": shape,
            "fields": fields(action.schema)
                .map(|(name, ty, required)| json!({"name": name, "type": ty, "required": required}))
                .collect::<Vec<_>>(),
        });
        let text = format!("{} ({}, {direction})\n{shape}", action.action, action.type_name);
        output = output.and_text(text, json);
        for (name, ty, required) in fields(action.schema) {
            let may = if required { "" } else { " (may be left out)" };
            output = output.and_note(format!("  {name}: {ty}{may}"));
        }
    }
    if is_known {
        return Ok(output);
    }
    let all = directions.into_iter().flat_map(|(_, actions)| actions.actions).map(|action| action.action);
    Err(Fault::usage(format!("no action \"{name}\"{}", meant(name, all))))
}

/// The packet that is typed. What is left out is `{}` where that may fit.
fn packet(call: &Call<'_>, index: usize, direction: &'static Direction) -> Result<Json, Fault> {
    let action = call.parsed.value(index).unwrap_or_default();
    let data = match (&call.parsed.data, find(direction, action)) {
        (Some(data), _) => data.clone(),
        (None, Some(info)) if matches!(bare(info.schema), Ty::Struct(_)) => json!({}),
        (None, _) => Value::Null,
    };
    Ok(Json::new(action, data))
}

pub(in crate::console) fn find(direction: &'static Direction, action: &str) -> Option<&'static ActionInfo> {
    direction.find(action).and_then(|id| direction.get(id))
}

/// A shape without its name.
pub(in crate::console) fn bare(mut ty: &'static Ty) -> &'static Ty {
    while let Ty::Named(_, inner) = ty {
        ty = inner;
    }
    ty
}

/// The fields of a packet: name, type, and whether they have to be given.
fn fields(ty: &'static Ty) -> impl Iterator<Item = (&'static str, String, bool)> {
    let fields = if let Ty::Struct(fields) = bare(ty) { *fields } else { &[] };
    fields.iter().map(|field| {
        // A default is known only to the type, so it has to be typed here.
        let may_be_left_out = matches!(bare(field.ty), Ty::Option(_) | Ty::Marked(..));
        (field.name, field.ty.to_string(), !may_be_left_out)
    })
}

/// Why a packet does not fit, in an operator's words.
fn misfit(call: &Call<'_>, direction: &'static Direction, error: JsonError) -> Fault {
    match error {
        JsonError::UnknownAction { action, .. } => unknown(call, direction, &action),
        JsonError::Answered { action } => Fault::usage(format!("{action} is answered: say `call`")),
        JsonError::OneWay { action } => Fault::usage(format!("{action} has no answer: say `send`")),
        JsonError::Streamed { action } => Fault::usage(format!("{action} is answered with a stream: say `call`")),
        JsonError::Misfit { action, source } => {
            // Of a field that is none, the error names those that there are.
            let is_listed = matches!(source.reason(), MisfitReason::UnknownField { .. });
            let info = find(direction, action).filter(|_| !is_listed);
            let takes = info.map(|info| format!("; {action} takes {}", info.schema));
            Fault::usage(format!("{action}: {source}{}", takes.unwrap_or_default()))
        }
        error => Fault::refused(with_sources(&error)),
    }
}

fn unknown(call: &Call<'_>, direction: &'static Direction, action: &str) -> Fault {
    let incoming = call.inspector().info().received_by(call.inspector().role());
    if find(incoming, action).is_some() {
        return Fault::usage(format!("{action} is what the other side sends: `trigger` runs its handler here"));
    }
    let names = direction.actions.iter().map(|info| info.action);
    Fault::usage(format!("this side sends no action \"{action}\"{}", meant(action, names)))
}

fn meant<'a>(word: &str, among: impl Iterator<Item = &'a str> + Clone) -> String {
    match &*nearest(word, among.clone()) {
        [] => {
            let some = among.take(8).collect::<Vec<_>>();
            if some.is_empty() { String::new() } else { format!("; there are {}", some.join(", ")) }
        }
        nearest => format!("; nearest: {}", nearest.join(", ")),
    }
}

/// Notes who has sent what, without the data.
fn logged(call: &Call<'_>, command: &str, packet: &Json) {
    let action = pnet_protocol::text::escape(packet.action(), 128);
    tracing::info!(operator = %call.session.operator(), command, action, "an operator's command");
}

const ACTIONS: &[&str] = &["~ACTION", "<DIR", "~PACKET", "~REPLY", ">HANDLED", ">FAILED", ">P50", ">P99"];
