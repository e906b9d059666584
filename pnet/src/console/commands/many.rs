//! Commands about all connections at once.

use std::{sync::Arc, time::Duration};

use pnet_protocol::close::CloseCode;
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Call,
    connections::{measured, trip},
};
use crate::{
    connection::Conn,
    console::{
        fault::{Fault, Plan, TIMED_OUT},
        format, ids,
        output::{Output, Table},
    },
    operate::ActError,
};

/// `pingall`
pub(super) async fn pingall(call: &Call<'_>) -> Result<Output, Fault> {
    let conns = call.inspector().conns();
    let len = ids::short_len(&conns);
    let mut results: Vec<Option<Result<Duration, ActError>>> = Vec::new();
    results.resize_with(conns.len(), || None);
    let mut waiting = conns.iter().enumerate().filter(|(_, conn)| conn.lock().writer.can_ping());
    // They end with this future.
    let mut pings = JoinSet::new();
    loop {
        while pings.len() < AT_ONCE
            && let Some((index, conn)) = waiting.next()
        {
            let (inspector, conn) = (call.inspector().clone(), Arc::clone(conn));
            pings.spawn(async move { (index, inspector.ping(&conn, PING).await) });
        }
        match pings.join_next().await {
            Some(Ok((index, result))) => results[index] = Some(result),
            Some(Err(_)) => {}
            None => break,
        }
    }
    let (mut table, mut answered, mut failed) = (Table::new(PINGS), Vec::new(), 0);
    for (conn, result) in conns.iter().zip(results) {
        let (id, addr) = (conn.id.to_string(), conn.addr.to_string());
        let (words, json) = match result {
            Some(Ok(rtt)) => {
                answered.push(rtt);
                (trip(rtt), measured(conn, rtt))
            }
            Some(Err(error)) => {
                failed += 1;
                (error.to_string(), json!({"id": id, "error": error.to_string()}))
            }
            None => ("is sent no pings: not made with pnet".to_owned(), json!({"id": id, "error": "is sent no pings"})),
        };
        table.push(vec![ids::short(&id, len), addr, words], json);
    }
    answered.sort_unstable();
    let mut note = format!("{} of {} have answered", answered.len(), conns.len());
    if let (Some(first), Some(middle), Some(last)) =
        (answered.first(), answered.get(answered.len() / 2), answered.last())
    {
        note.push_str(&format!(
            ": {} at best, {} in the middle, {} at worst",
            trip(*first),
            trip(*middle),
            trip(*last)
        ));
    }
    Ok(Output::table(table).and_note(note).exit(if failed > 0 { TIMED_OUT } else { 0 }))
}

/// `dropall`
pub(super) async fn dropall(call: &Call<'_>) -> Result<Output, Fault> {
    call.servers_only("say `disconnect`")?;
    let conns = call.inspector().conns();
    let plan = Plan { conns: conns.iter().map(|conn| conn.id).collect() };
    let plan = call.agreed(plan, || format!("Disconnect {}?", named(&conns)))?;
    let meant: Vec<&Arc<Conn>> = conns.iter().filter(|conn| plan.conns.contains(&conn.id)).collect();
    tracing::info!(
        operator = %call.session.operator(), command = "dropall", connections = meant.len(), "an operator's command"
    );
    for conn in &meant {
        // One that is gone by now needs nothing.
        let _ = call.inspector().disconnect(conn, CloseCode::Normal, "disconnected by the operator");
    }
    let _ = tokio::time::timeout(SOON, async {
        for conn in &meant {
            conn.closed().await;
        }
    })
    .await;
    let text = format!("{} disconnected", format::counted(meant.len() as u64, "connection"));
    Ok(Output::text(text, json!({"disconnected": meant.len()})))
}

/// `3 connections (7f3a… 127.0.0.1:5000, …)`
fn named(conns: &[Arc<Conn>]) -> String {
    let len = ids::short_len(conns);
    let shown = conns.iter().take(NAMED).map(|conn| format!("{} {}", ids::short(&conn.id.to_string(), len), conn.addr));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let count = format::counted(conns.len() as u64, "connection");
    match conns.len().saturating_sub(NAMED) {
        _ if conns.is_empty() => count,
        0 => format!("{count} ({shown})"),
        more => format!("{count} ({shown}, and {} more)", format::count(more as u64)),
    }
}

const PINGS: &[&str] = &["<ID", "~ADDR", "<ROUND TRIP"];
/// How long each ping is waited for.
const PING: Duration = Duration::from_secs(5);
/// How many pings are on their way together. Those that are not answered hold up the others for so long.
const AT_ONCE: usize = 2_000;
/// How long a script waits until the connections are gone.
const SOON: Duration = Duration::from_secs(1);
/// How many connections a question names.
const NAMED: usize = 4;
